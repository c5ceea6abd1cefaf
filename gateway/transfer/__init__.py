"""Mail on its way in and out of mailboxes: export, import, and the mail of backups. A room of floor 3.

``item`` is one message with what a mailbox says of it (folder, flags, date), whatever it came from or goes to.
``mailbox_out`` reads mailboxes over IMAP; ``maildir_write`` and ``mbox_write`` write what it reads; ``metadata`` is
what the database knows beside it, as JSON; ``export`` puts them together. ``sources`` knows what an import is given;
``maildir_read``, ``mbox_read``, ``eml_read``, ``imap_source`` and ``http_sources`` (Mailpit, AgentMail) read it;
``already_present`` knows what the mailbox holds already; ``append`` puts the rest there; ``importing`` is the whole.
``erasing`` erases: what ``erase_find`` finds, ``erase_rows`` deletes, and ``erase_trace`` finds what is left.

Mail goes in by IMAP APPEND alone: the mail server is the truth, and the sync indexes it from there. History bears the
keyword ``IMPORTED``, by which the sync knows that it is not news: the keyword comes with the message, in one act, so
there is no moment in which an event could slip out, whichever process imports.
"""
