"""The history of a message: what happened to it, in order of time, from the rows that say so.

Nothing is written for it. Each source is a function in a module of its own that yields entries
(``history.SOURCES``); to add one, write the function and add it there:

==============  =======================================================================================
``origin``      how the message came or was accepted
``reviews``     held for a person's decision, and what was decided
``labels``      labels, moves between folders, read and unread: the log of labels
``sending``     the queue, each reply of a recipient's server, reports: the outbox
``news``        opened, complained, rejected, threads joined: the log of events
``webhooks``    which webhooks its events were posted to, with what result
==============  =======================================================================================

Entries name things by ids and words; a dialect shows them in its own form. Sources are bounded: each yields at most
``MOST`` entries. What is swept (settings ``events.keep_days`` and ``outbox.keep_days``) is missing, and the answer says
so.
"""
