"""The production mail server: Postfix queues and relays, Dovecot keeps the mail.

Both read the lookup database, so provisioning needs no reload and mail flows while the gateway is down.
``config`` renders a private Postfix (own queue, own ports); ``server`` submits to it and provisions.
"""

from mailserver.postfix_dovecot.config import PostfixSettings
from mailserver.postfix_dovecot.server import PostfixServer

__all__ = ["PostfixServer", "PostfixSettings"]
