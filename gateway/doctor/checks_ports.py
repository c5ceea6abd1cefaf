"""Ports: ours listen, and other servers' port 25 can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from gateway.doctor.context import Scene
from gateway.doctor.finding import Finding, fail, ok, warn
from gateway.doctor.probe import Service, Unwilling, connected, greeting
from gateway.doctor.run_checks import well
from gateway.published_ports import outside_port
from mailserver.machine import is_loopback

MX_HOSTS = ["aspmx.l.google.com:25", "outlook-com.olc.protection.outlook.com:25", "mta5.am0.yahoodns.net:25"]
_TROUBLE = (OSError, TimeoutError, Unwilling)


def services(scene: Scene) -> list[Service]:
    """The mail ports that should be open. A port 0 is any free one: nobody knows it but the gateway."""
    mail = scene.settings.mail
    found = [
        Service("smtp", mail.smtp_port, "smtp"),
        Service("submission", mail.submission_port, "smtp"),
        Service("imap", mail.imap_port, "imap"),
    ]
    if mail.tls_cert:
        found += [
            Service("submissions", mail.submissions_port, "smtp", implicit=True),
            Service("imaps", mail.imaps_port, "imap", implicit=True),
        ]
    return [one for one in found if one.port]


async def listening(scene: Scene) -> Sequence[Finding]:
    """Each mail port greets as it should, here and at the public addresses (a development gateway has none)."""
    alone = scene.development and is_loopback(scene.settings.mail.host)

    async def one(service: Service) -> list[Finding]:
        subject = f"{service.name} {service.port}"
        try:
            await greeting(scene.mail_host, service)
        except _TROUBLE as error:
            return [
                fail(
                    subject, f"does not answer at {scene.mail_host}: {_words(error)}", _whose(scene, service)
                )
            ]
        findings = []
        port = outside_port(scene.settings.mail, service.port)
        for address in () if alone or not port else scene.site.addresses:
            try:
                await greeting(address, replace(service, port=port))
            except _TROUBLE as error:
                findings.append(
                    fail(
                        subject,
                        f"answers at {scene.mail_host} and not at {address} port {port}: {_words(error)}",
                        'set mail.host = "*", publish the port of a container, and let it through the firewalls of '
                        "this machine and the provider",
                    )
                )
        return well(findings, subject, "answers")

    done = await asyncio.gather(*(one(each) for each in services(scene)))
    findings = [finding for each in done for finding in each]
    smtp = scene.settings.mail.smtp_port
    if outside_port(scene.settings.mail, smtp) != 25 and not scene.development:
        findings.append(
            warn(
                f"smtp {smtp}",
                "the world delivers to port 25 only",
                f"set mail.smtp_port = 25; if something in front hands port 25 on to it, say so by "
                f"mail.published_ports = 25:{smtp}",
            )
        )
    return findings


def _whose(scene: Scene, service: Service) -> str:
    if scene.settings.mail.server == "embedded" or scene.settings.mail.manage:
        return f"start the gateway ({scene.start_command}); if it runs, its log says why the port is closed"
    daemon = "dovecot" if service.speaks == "imap" else "postfix"
    return f"systemctl status postern-{daemon}; journalctl -u postern-{daemon} says why"


async def outbound(scene: Scene) -> Sequence[Finding]:
    """Port 25 of others is what direct delivery needs; many providers block it."""
    mail = scene.settings.mail
    if mail.smarthost and getattr(mail, "smarthost_profile", "") != "own":
        host, _, port = mail.smarthost.rpartition(":")
        speaks = Service("smarthost", int(port), "smtp", implicit=mail.smarthost_tls == "implicit")
        try:
            await greeting(host.strip("[]"), speaks)
        except _TROUBLE as error:
            fix = "see whether the relay works and mail.smarthost, mail.smarthost_tls name it rightly (often port 587)"
            return [fail(mail.smarthost, f"the smarthost does not answer: {_words(error)}", fix)]
        return [ok(mail.smarthost, "the smarthost answers; outgoing mail needs no port 25")]
    hosts = scene.settings.doctor.mx_hosts or MX_HOSTS
    done = await asyncio.gather(*(_reached(one) for one in hosts))
    failed = [f"{host}: {words}" for host, words in zip(hosts, done, strict=True) if words]
    if len(failed) == len(hosts):
        return [
            fail(
                "port 25",
                f"no mail server of others can be reached, so nothing can be delivered ({'; '.join(failed)[:300]})",
                "your provider blocks outgoing port 25, as most do at first: ask for it to be opened, or send through "
                "a relay: set mail.smarthost (postern setup --smarthost; SES, Postmark, Brevo, Mailgun or your own)",
            )
        ]
    if failed:
        fix = "try again; one server may be down or refuse your address (see --blocklists)"
        return [warn("port 25", f"some mail servers cannot be reached ({'; '.join(failed)[:300]})", fix)]
    return [ok("port 25", f"{len(hosts)} mail servers of others can be reached")]


async def _reached(target: str) -> str:
    """Empty when the host greets, else why not. A refusal is an answer: the port is open."""
    host, _, port = target.rpartition(":")
    try:
        async with connected(host.strip("[]"), int(port)) as (reader, _):
            line = await reader.readline()
    except (OSError, TimeoutError, ValueError) as error:
        return _words(error)
    return "" if line[:1] in (b"2", b"4", b"5") else "it hangs up"


def _words(error: BaseException) -> str:
    return str(error) or ("no answer" if isinstance(error, TimeoutError) else type(error).__name__)
