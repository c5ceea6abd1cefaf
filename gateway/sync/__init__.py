"""Following the mail server (DESIGN §3 In, §5): doorbells lead to one idempotent fetch.

``engine`` takes hints (Dovecot's push, IDLE, the catch-up clock) and runs one pass at a time per inbox;
``fetch`` reads what changed from IMAP, in a pool thread; ``intake`` has a batch parsed and its attachments read
(``extraction``; a pass that waits for a slow one lends its slot: ``pass_slots``); ``apply`` writes it, one transaction
per batch with events and cursor; ``idle`` is the IDLE doorbell, on ``idle_connection``; ``own_sessions`` closes ours
before the mail server ends a mailbox's sessions; ``rebuild`` makes every derived row anew.

A hint may be lost, doubled or early. The cursor per folder (UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ) is written
in the same transaction as what was read, so a pass can be killed anywhere and repeated. A UID that vanished
removes its message only after the mailbox stood still, from the first folder to the last: a move is not a deletion.
"""
