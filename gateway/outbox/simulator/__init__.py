"""The simulator: what a message to ``…@simulator.invalid`` meets (docs/cookbook/simulator.md).

It is a hop like the world's: a message waits in the outbox, is claimed, and gets an SMTP reply for each recipient. What
comes back (a report, a reply) is put into the outbox in the transaction that records the reply, addressed to the
sender's own mailbox and to nobody else. So it comes once, whatever is killed when.

=============  ============================================================
``behaviour``  what a local part asks for
``replies``    the hop: which recipients go where, and what each is replied
``answers``    the mails that come back, as octets
``come_back``  putting them into the outbox, not more than a day allows
=============  ============================================================
"""
