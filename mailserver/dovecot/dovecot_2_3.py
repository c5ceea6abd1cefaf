"""Dovecot 2.3 (Debian 12, Ubuntu 24.04)."""

from __future__ import annotations

from collections.abc import Mapping

from mailserver import tls
from mailserver.dovecot import queries
from mailserver.dovecot.config import DovecotConfig
from mailserver.dovecot.dialect import only_if
from mailserver.rendering import Rendered, template

KEYS_FILE = "dovecot-keys.conf.ext"
VARIABLES = queries.Variables(
    user="%Lu", local="%Ln", domain="%Ld", protocol="%s", quota="'*:storage=' || quota || 'B' AS quota_rule"
)


class Dovecot23:
    """Implements :class:`mailserver.dovecot.dialect.Dialect`."""

    version = "2.3"
    template = "dovecot-2.3.conf"
    kick = ("kick", "-f")

    def values(self, config: DovecotConfig) -> dict[str, str]:
        etc = config.etc
        submit = f"passdb {{\n  driver = passwd-file\n  args = {etc}/submit-users\n}}"
        # commas: the executable's arguments are split at blanks
        sent = ",".join(config.sent_plugins)
        return {
            "NO_RESTARTS": "service_count = 0",
            "SSL": _ssl(config),
            "PLAIN_AUTH": "no" if config.plain_auth else "yes",
            "SUBMIT": only_if(config.submit_secret, submit),
            "LMTP": "",
            "LMTP_SENT": f"  executable = lmtp -o mail_plugins={sent} -o plugin/sieve_before={etc}/sent.sieve"
            " -o plugin/sieve=",
            "LMTP_PLUGINS": " ".join(config.delivery_plugins),
            "PUSH": only_if(config.push_url, f"  push_notification_driver = lua:file={etc}/push.lua"),
            "HTTP_OPTIONS": "request_timeout_msecs = 1000, request_absolute_timeout_msecs = 1500,"
            " max_attempts = 1, no_auto_retry = true",
            "QUOTA": f"{config.quota}B",
            "FILTERS": only_if(config.has_filters, _FILTERS),
            "KEYS": only_if(config.keys_url, _keys(config)),
        }

    def further_files(self, config: DovecotConfig, values: Mapping[str, str]) -> list[Rendered]:
        lookup = config.lookup
        asked = {
            "DRIVER": lookup.driver,
            "CONNECT": lookup.connect,
            "PASSWORD_QUERY": queries.password_query(lookup, VARIABLES),
            "USER_QUERY": queries.user_query(lookup, str(config.mail), VARIABLES),
            "ITERATE_QUERY": queries.iterate_query(lookup),
        }
        text = template("dovecot-2.3-sql.conf.ext", {**values, **asked})
        files = [Rendered(config.etc / "dovecot-sql.conf.ext", text, 0o600)]
        if config.keys_url:
            files.append(
                Rendered(config.etc / KEYS_FILE, template("dovecot-2.3-keys.conf.ext", values), 0o600)
            )
        return files


# ~ is the mailbox's home, so they go with it
_FILTERS = """\
  sieve = file:~/sieve;active=~/.dovecot.sieve
  sieve_quota_max_scripts = 20
  sieve_quota_max_storage = 1M"""


def _keys(config: DovecotConfig) -> str:
    return f"passdb {{\n  driver = oauth2\n  mechanisms = plain login\n  args = {config.etc}/{KEYS_FILE}\n}}"


def _ssl(config: DovecotConfig) -> str:
    if not config.has_tls:
        return "ssl = no"
    lines = [
        # the gateway, from the address it goes to, counts as secured; whoever else comes must use TLS before the login
        "ssl = yes" if config.plain_auth else "ssl = required",
        f"ssl_cert = <{config.tls_cert}",
        f"ssl_key = <{config.tls_key}",
        "ssl_min_protocol = TLSv1.2",
        f"ssl_cipher_list = {tls.CIPHERS}",
        "ssl_prefer_server_ciphers = no",
        "ssl_options = no_ticket",
    ]
    return "\n".join(lines)
