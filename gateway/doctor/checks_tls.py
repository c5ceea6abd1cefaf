"""TLS: a chain that the world believes, for the name it connects to, and long enough."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from gateway.core.domains.records import web_host_of
from gateway.doctor.certificate_chain import FAIL_DAYS, RENEW, WARN_DAYS
from gateway.doctor.checks_ports import services
from gateway.doctor.context import Scene
from gateway.doctor.finding import Finding, fail, ok, warn
from gateway.doctor.probe import Service, Unwilling, certificate_days


async def certificates(scene: Scene) -> Sequence[Finding]:
    """On every mail port, and on HTTPS where ``http.public_url`` has it."""
    found = []
    if scene.settings.mail.tls_cert:
        found += [_one(scene.mail_host, service, scene.hostname) for service in services(scene)]
    url = urlsplit(scene.settings.http.public_url)
    if url.scheme == "https":
        name = web_host_of(scene.settings)
        service = Service("https", url.port or 443, "http", implicit=True)
        found.append(_one(url.hostname or name, service, url.hostname or name))
    findings = list(await asyncio.gather(*found))
    if not scene.settings.mail.tls_cert and not scene.development:
        text = "the mail ports have no certificate: mail comes in the clear, and people cannot log in safely"
        fix = "set mail.tls_cert and mail.tls_key (postern setup --certbot, or --tls-cert and --tls-key)"
        findings.append(fail("mail.tls_cert", text, fix))
    return findings


async def _one(host: str, service: Service, name: str) -> Finding:
    subject = f"{service.name} {service.port}"
    try:
        days = await certificate_days(host, service, name)
    except ssl.SSLCertVerificationError as error:
        fix = f"use a certificate for {name} with its whole chain (fullchain.pem), from an authority that is known"
        if "expired" in error.verify_message:
            fix = RENEW
        return fail(subject, f"its certificate is not believed for {name}: {error.verify_message}", fix)
    except Unwilling as error:
        return fail(
            subject, str(error), "see that mail.tls_cert and mail.tls_key can be read, and restart the daemon"
        )
    except (OSError, TimeoutError) as error:
        return fail(subject, f"no TLS at {host}: {str(error) or 'no answer'}", "see the check named ports")
    text = f"certificate for {name}, valid {days:.0f} days more"
    if days < FAIL_DAYS:
        return fail(subject, text, RENEW)
    return warn(subject, text, RENEW) if days < WARN_DAYS else ok(subject, text)
