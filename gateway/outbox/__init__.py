"""The outbox: what was accepted and is on its way out (DESIGN §1.4).

What is durable when: a message is accepted when its rows (``outbox``, ``outbox_recipient``) are committed; a
recipient is marked ``attempting`` in a commit before the mail server is asked to take it, and gets its outcome
in a commit together with the events about it. A crash between the two, or an answer that was lost, leaves
``attempting``: towards our own mail server it is then looked up, and stays so until it can be; towards a foreign
one the attempt is repeated with the same Message-ID. An outcome that the database cannot take is kept until it can.

======================  ================================================================================
``queue``               return paths and their tokens; putting a message into the outbox
``record``              outcomes: recipient states, the message's status, events, what happens next
``undelivered``         the log line of each delivery that failed
``schedule``            how long until the next try, and when to give up
``destination_limits``  who may transmit now: destinations do not wait for one another
``hand_over``           a return path for each recipient, and one transaction or several
``recovery``            no recorded outcome: did our mail server take it?
``engine``              the loop that ties these together (class ``Outbox``)
``simulator``           a hop of our own, for recipients that answer as the world does
``by_hand``             what an operator does to a message that waits
``bounce``              delivery status notifications (RFC 3464) for people
``reports``             delivery and feedback reports that come back
``age``                 how long the outbox is behind
``retention``           forgetting settled rows
======================  ================================================================================

The statements are in ``store.queries.outbox``, those that claim (with a lease) and give back in
``store.queries.outbox_claims``.
"""
