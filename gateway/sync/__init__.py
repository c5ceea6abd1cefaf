"""Keeping the index up to date with the mail server (docs/design.md): every notification leads to the same scan.

``schedule`` takes hints (Dovecot's push, IDLE, the catch-up clock) and has one scan at a time run for each mailbox,
in one process (``mailbox_ownership``); ``scan`` is what a scan does. ``fetch`` reads what changed by IMAP, in a pool
thread; ``intake`` has a batch parsed and its attachments read (``extraction``; a scan that waits for a slow one lends
its slot: ``scan_slots``); ``apply`` writes it, one transaction per batch with events and cursor, and ``decide``
decides about mail that came. ``pending_flags``, ``reread`` and ``drafts`` are what a scan does last. ``idle`` keeps
mailboxes in IDLE, on ``idle_connection``; ``own_sessions`` closes ours before the mail server ends a mailbox's
sessions; ``rebuild`` makes every derived row anew.

A hint may be lost, doubled or early. The cursor per folder (UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ) is written in the
same transaction as what was read, so a scan can be killed anywhere and repeated. A UID that vanished removes its
message only after the mailbox stood still, from the first folder to the last: a move is not a deletion.
"""
