"""What our milter does for a Postfix that receives and submits while the gateway may be down.

Mail from the world gets the Authentication-Results field that the embedded server would give it, and loses those
that only claim to be ours; what a person hands in must come from that person, and is DKIM-signed. The gateway's own
submissions are signed already and pass. ``judge`` decides, ``workers`` does the work on hostile content in
processes that can be killed (``worker_main`` is one), ``key_files`` holds the signing keys: one file a domain below
``DATA/dkim``, written by the gateway (``key_mirror``), so that signing needs neither gateway nor database.
"""
