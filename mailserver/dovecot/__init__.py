"""The configuration of the private Dovecot, for the versions 2.3 and 2.4.

``config`` holds what Postern wants of Dovecot, ``dovecot_2_3`` and ``dovecot_2_4`` how each version writes it,
``installation`` which of the two is installed, ``files`` the rendered files. What both versions write alike is in the
templates ``dovecot-settings.conf`` and ``dovecot-services.conf``.
"""

from mailserver.dovecot.config import MASTER, SUBMITTER, DovecotConfig, MailboxFormat, lookup_path
from mailserver.dovecot.dialect import Dialect
from mailserver.dovecot.files import rendered, write
from mailserver.dovecot.installation import check_installation, dialect_for, dovecot_binary, installed_version

__all__ = [
    "MASTER",
    "SUBMITTER",
    "Dialect",
    "DovecotConfig",
    "MailboxFormat",
    "check_installation",
    "dialect_for",
    "dovecot_binary",
    "installed_version",
    "lookup_path",
    "rendered",
    "write",
]
