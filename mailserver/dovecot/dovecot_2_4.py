"""Dovecot 2.4 (2.4.1 in Debian 13, 2.4.2 in Ubuntu 26.04)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mailserver import tls
from mailserver.base import MailServerError
from mailserver.dovecot import queries
from mailserver.dovecot.config import DovecotConfig
from mailserver.dovecot.dialect import only_if
from mailserver.lookup import Lookup
from mailserver.machine import gateway_host
from mailserver.own_address import rendered_address
from mailserver.rendering import Rendered, template

KEYS_FILE = "dovecot-keys.conf"
VARIABLES = queries.Variables(
    user="%{user | lower}",
    local="%{user | username | lower}",
    domain="%{user | domain | lower}",
    protocol="%{protocol}",
    # here 0 octets would mean that nothing fits in
    quota="CASE WHEN quota > 0 THEN quota || 'B' WHEN quota = 0 THEN 'unlimited' END AS quota_storage_size",
)


class Dovecot24:
    """Implements :class:`mailserver.dovecot.dialect.Dialect`."""

    version = "2.4"
    template = "dovecot-2.4.conf"
    kick = ("kick",)

    def values(self, config: DovecotConfig) -> dict[str, str]:
        etc = config.etc
        submit = f"passdb submit {{\n  driver = passwd-file\n  passwd_file_path = {etc}/submit-users\n}}"
        push = f"push_notification lua {{\n  lua_file = {etc}/push.lua\n}}"
        return {
            "NO_RESTARTS": "restart_request_count = unlimited",
            "SSL": _ssl(config),
            "CLEARTEXT": "yes" if config.plain_auth else "no",
            "GATEWAY_LOGIN": _gateway_login(config),
            "SUBMIT": only_if(config.submit_secret, submit),
            # A setting on the command line loses against one in a protocol block, so the plugins of both are here.
            # Commas: the executable's arguments are split at blanks
            "LMTP": f"  executable = lmtp -o mail_plugins={','.join(config.delivery_plugins)}",
            "LMTP_SENT": f"  executable = lmtp -o mail_plugins={','.join(config.sent_plugins)}"
            " -o sieve_script/sent/sieve_script_type=before",
            "PUSH": only_if(config.push_url, push),
            "HTTP_OPTIONS": 'request_timeout = "1s", request_absolute_timeout = "1500ms",'
            ' request_max_attempts = 1, auto_retry = "no"',
            "QUOTA": f"{config.quota}B" if config.quota else "unlimited",
            "FILTERS": only_if(config.has_filters, _FILTERS),
            "KEYS": only_if(config.keys_url, f"!include {KEYS_FILE}"),
        }

    def further_files(self, config: DovecotConfig, values: Mapping[str, str]) -> list[Rendered]:
        lookup, passfile = config.lookup, config.etc / "pgpass"
        asked = {
            "DRIVER": lookup.driver,
            "DATABASE": _database(lookup, passfile),
            "PASSWORD_QUERY": queries.password_query(lookup, VARIABLES),
            "USER_QUERY": queries.user_query(lookup, str(config.mail), VARIABLES),
            "ITERATE_QUERY": queries.iterate_query(lookup),
        }
        text = template("dovecot-2.4-sql.conf", {**values, **asked})
        files = [Rendered(config.etc / "dovecot-sql.conf", text, 0o600)]
        if config.keys_url:
            files.append(Rendered(config.etc / KEYS_FILE, template("dovecot-2.4-keys.conf", values), 0o600))
        if lookup.postgresql:
            password = lookup.reader_parameters().get("password", "")
            files.append(Rendered(passfile, _pgpass(password), 0o600))
        return files


# ~ is the mailbox's home, so they go with it
_FILTERS = """\
sieve_script personal {
  type = personal
  path = ~/sieve
  active_path = ~/.dovecot.sieve
}
sieve_quota_script_count = 20
sieve_quota_storage_size = 1M"""


def _database(lookup: Lookup, passfile: Path) -> str:
    """How to reach the lookup tables. A password stays out: Dovecot would look for its variables in it."""
    if not lookup.postgresql:
        return f"sqlite_path = {lookup.path}"
    parameters = lookup.reader_parameters()
    host = parameters.pop("host", "")
    if parameters.pop("password", ""):
        parameters["passfile"] = str(passfile)
    lines = [f"    {name} = {_quoted(value)}" for name, value in parameters.items()]
    return "\n".join(["pgsql lookup {", f"  host = {_quoted(host)}", "  parameters {", *lines, "  }", "}"])


def _quoted(value: str) -> str:
    """A value in Dovecot's quotes. Raises MailServerError for one that Dovecot would read as a variable."""
    if "%{" in value:
        raise MailServerError(f"mail.lookup_url: Dovecot 2.4 cannot take {value!r}: leave out the %{{")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _pgpass(password: str) -> str:
    """libpq's password file: one password for whatever it connects to."""
    return "*:*:*:*:" + password.replace("\\", "\\\\").replace(":", "\\:") + "\n"


def _gateway_login(config: DovecotConfig) -> str:
    """The gateway's address, which only this machine can have, needs no TLS: where that is required of others, 2.4
    takes only a connection for safe whose two ends have one address."""
    if not config.has_tls or config.plain_auth:
        return ""
    address = rendered_address(gateway_host(config.bind))
    return f"remote {address} {{\n  ssl = yes\n  auth_allow_cleartext = yes\n}}"


def _ssl(config: DovecotConfig) -> str:
    if not config.has_tls:
        return "ssl = no"
    lines = [
        # whoever comes must use TLS before the login, but for the gateway: see _gateway_login
        "ssl = yes" if config.plain_auth else "ssl = required",
        f"ssl_server_cert_file = {config.tls_cert}",
        f"ssl_server_key_file = {config.tls_key}",
        "ssl_min_protocol = TLSv1.2",
        f"ssl_cipher_list = {tls.CIPHERS}",
        "ssl_server_prefer_ciphers = client",
        "ssl_options = no_ticket",
    ]
    return "\n".join(lines)
