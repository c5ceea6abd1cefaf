"""What does not apply to a gateway in the development profile: it serves this machine alone, in the clear."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.doctor.context import Scene
from gateway.doctor.finding import Finding, ok


def _dns_is_rehearsed(scene: Scene) -> bool:
    return bool(scene.settings.dns.nameservers)


def _mail_leaves(scene: Scene) -> bool:
    return bool(scene.settings.mail.smarthost or scene.settings.doctor.mx_hosts)


def _has_certificate(scene: Scene) -> bool:
    return bool(scene.settings.mail.tls_cert)


def _has_tls(scene: Scene) -> bool:
    return _has_certificate(scene) or scene.settings.http.public_url.startswith("https:")


# checks of what only a server on the internet has, and the settings by which a development gateway has it too
_ONLY_IF: dict[str, Callable[[Scene], bool]] = {
    "outbound": _mail_leaves,
    "tls": _has_tls,
    "certificates": _has_certificate,
    "dns": _dns_is_rehearsed,
    "hostname": _dns_is_rehearsed,
    "postmaster": _dns_is_rehearsed,
}


def applies(scene: Scene, check: str) -> bool:
    """Whether the check of this name says anything about the gateway in its profile."""
    return not scene.development or check not in _ONLY_IF or _ONLY_IF[check](scene)


def left_out(scene: Scene, checks: Sequence[str]) -> Finding:
    """The one line for all checks that do not apply."""
    return ok(
        "development profile",
        f"made for this machine alone; these checks do not apply: {', '.join(checks)}",
    )
