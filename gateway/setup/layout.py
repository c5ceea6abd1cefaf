"""Every path of the production layout, as the server sees it. ``--root`` is put in front by the hands alone."""

from __future__ import annotations

from pathlib import Path

CONFIG = Path("/etc/postern")
SETTINGS = CONFIG / "postern.toml"
CREDENTIALS = CONFIG / "credentials"
TLS = CONFIG / "tls"
TLS_CHAIN = TLS / "fullchain.pem"
TLS_KEY = TLS / "privkey.pem"
POSTFIX_CONFIG = CONFIG / "postfix"
PROXY = CONFIG / "proxy"

DATA = Path("/var/lib/postern")
LOOKUP = DATA / "lookup"
POSTFIX_SPOOL = Path("/var/spool/postern-postfix")
POSTFIX_DATA = Path("/var/lib/postern-postfix")
BACKUPS = Path("/var/backups/postern")
RUN = Path("/run/postern")
HTTP_SOCKET = RUN / "http.sock"

UNITS = Path("/etc/systemd/system")
SYSUSERS = Path("/etc/sysusers.d/postern.conf")
TMPFILES = Path("/etc/tmpfiles.d/postern.conf")

CERTBOT_LIVE = Path("/etc/letsencrypt/live")
CERTBOT_RENEWAL = Path("/etc/letsencrypt/renewal")
CERTBOT_HOOK = Path("/etc/letsencrypt/renewal-hooks/deploy/postern")

STATE = Path("/var/lib/postern-setup")
MANIFEST = STATE / "manifest.json"

USER = "postern"
"""The system user and group of the gateway and of the mail."""
HTTP_GROUP = "postern-http"
"""Who may open the gateway's Unix socket: the reverse proxy."""

CLOSED_TO_SERVICES = (Path("/home"), Path("/root"), Path("/run/user"), Path("/tmp"), Path("/var/tmp"))  # noqa: S108
"""Where services see nothing (ProtectHome, PrivateTmp): a program there cannot be started by them."""
