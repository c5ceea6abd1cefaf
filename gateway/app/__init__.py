"""Building the gateway and starting and stopping its parts, in order (one AsyncExitStack).

``build`` makes the parts that commands need too: data directory and secret, database and migrations, parser workers,
mail server, first organization. ``engines`` starts what works by itself (outbox, webhook deliveries, sync, IDLE,
scheduled drafts, reputations) and the application, whose routes ``routes`` lists. ``serve`` answers HTTP on
``listeners`` until a signal comes. Stopping runs the other way: HTTP refuses, engines finish what they hold, the mail
server's children end, the database closes last. ``roles`` says which part of it a process does when several share a
database.
"""
