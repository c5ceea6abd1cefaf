"""How Postfix sends mail on: by MX, or through a smarthost."""

from __future__ import annotations

from pathlib import Path

from mailserver.embedded.settings import Smarthost
from mailserver.rendering import Rendered

_CERTIFICATES = "/etc/ssl/certs"
_RESOLV_CONF = Path("/etc/resolv.conf")


def relay_lines(relay: Smarthost | None, directory: Path) -> list[str]:
    """Lines of main.cf."""
    lines = [f"relayhost = {_next_hop(relay)}", f"smtp_tls_CApath = {_CERTIFICATES}"]
    if relay is None:
        if _resolver_is_ours():
            # RFC 7672: authenticated where the receiving domain publishes how, else as opportunistic as "may"
            return [*lines, "smtp_tls_security_level = dane", "smtp_dns_support_level = dnssec"]
        return [*lines, "smtp_tls_security_level = may"]
    if relay.user:
        lines += [
            "smtp_sasl_auth_enable = yes",
            f"smtp_sasl_password_maps = texthash:{directory}/relay-login",
            "smtp_sasl_security_options = noanonymous",
        ]
    if relay.tls == "implicit":
        lines.append("smtp_tls_wrappermode = yes")
    level = "none" if relay.tls == "none" else "secure" if relay.verify else "encrypt"
    return [*lines, f"smtp_tls_security_level = {level}"]


def relay_files(relay: Smarthost | None, directory: Path) -> list[Rendered]:
    """The login at the smarthost; only root reads it."""
    if relay is None or not relay.user:
        return []
    login = f"{_next_hop(relay)} {relay.user}:{relay.password}\n"
    return [Rendered(directory / "relay-login", login, 0o600)]


def _next_hop(relay: Smarthost | None) -> str:
    return f"[{relay.host}]:{relay.port}" if relay else ""


def _resolver_is_ours() -> bool:
    """Whether every name server is on this machine: only then is its word that an answer is secure worth anything."""
    try:
        lines = _RESOLV_CONF.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    servers = [words[1] for line in lines if (words := line.split())[:1] == ["nameserver"] and len(words) > 1]
    return bool(servers) and all(one.startswith("127.") or one == "::1" for one in servers)
