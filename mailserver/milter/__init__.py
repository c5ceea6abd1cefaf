"""The filter's side of the milter protocol (version 6), as Postfix and Sendmail speak it.

``protocol`` turns packets into values and back, ``mail`` is one message as a filter sees it and what it may answer,
``connection`` leads one conversation, ``service`` listens. What a filter decides is not known here: it is handed
in as a :class:`Filter`.

Why our own: of the libraries, pymilter needs a C compiler and libmilter where it is installed, kilter.protocol
raises on what any client may say (a HELO or an address that is not ASCII, an IPv6 client) and so ends the whole
conversation, and purepythonmilter has had one alpha release. The part of the protocol that is needed is small.

Nothing is written to disk. A message is held in memory while it is looked at; of those larger than
``connection.LARGE`` one at a time, so that what is held stays bounded whatever comes.
"""

from mailserver.milter.mail import Claim, Filter, Mail, Verdict
from mailserver.milter.service import MilterService

__all__ = ["Claim", "Filter", "Mail", "MilterService", "Verdict"]
