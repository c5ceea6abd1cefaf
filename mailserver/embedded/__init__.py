"""The embedded mail server, for one machine and no root: Dovecot keeps the mail, everything else is here.

``server`` puts it together; ``receiver`` (MX) and ``submission`` (people) are aiosmtpd handlers on
``session``'s listener; ``local`` hands to Dovecot's LMTP, whose 250 comes after its fsync; ``route`` and
``outgoing`` reach the world; ``wire`` treats the octets of messages; ``authentication`` checks who wrote them.
"""

from mailserver.embedded.server import EmbeddedServer
from mailserver.embedded.settings import EmbeddedSettings, Limits, Resolver, Smarthost

__all__ = ["EmbeddedServer", "EmbeddedSettings", "Limits", "Resolver", "Smarthost"]
