"""Trying the relay, step by step, so that what fails names its fix. Everything here blocks."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from gateway.smarthost.profiles import Profile
from mailserver.embedded.settings import Smarthost

_SECONDS = 10.0
_PROBE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what was tried, what came of it, and what to do when it failed."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A test mail."""

    sender: str
    recipient: str
    headers: dict[str, str]


def try_relay(
    relay: Smarthost,
    profile: Profile,
    hostname: str,
    letter: Letter | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    seconds: float = _SECONDS,
) -> Iterator[Step]:
    """The steps, as they are taken; after one that failed none follows.

    Args:
        relay: where it is and how to log in.
        profile: what it is, for advice.
        hostname: our name in EHLO.
        letter: sent at the end, when given.
        tls: trusts another authority than the system's (tests).
        seconds: how long each step may take.
    """
    try:
        found = socket.getaddrinfo(relay.host, relay.port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Step("name", False, f"{relay.host}: {error}", "correct mail.smarthost, or the resolver")
        return
    yield Step("name", True, f"{relay.host} is {', '.join(sorted({str(one[4][0]) for one in found})[:4])}")
    context = tls or ssl.create_default_context()
    client = smtplib.SMTP(local_hostname=hostname, timeout=seconds)
    if relay.tls == "implicit":
        client = smtplib.SMTP_SSL(local_hostname=hostname, timeout=seconds, context=context)
    client._host = relay.host  # type: ignore[attr-defined]  # the name that the certificate must have
    with client:
        for step in _conversation(client, relay, profile, context, letter):
            yield step
            if not step.ok:
                client.close()
                return


def _conversation(
    client: smtplib.SMTP, relay: Smarthost, profile: Profile, context: ssl.SSLContext, letter: Letter | None
) -> Iterator[Step]:
    yield _connected(client, relay, profile)
    if relay.tls == "starttls":
        yield _secured(client, relay, context)
    if relay.user:
        yield _logged_in(client, profile, relay)
    if letter is not None:
        yield _sent(client, profile, letter)


def _connected(client: smtplib.SMTP, relay: Smarthost, profile: Profile) -> Step:
    where = f"{relay.host}:{relay.port}"
    try:
        code, words = client.connect(relay.host, relay.port)
    except ssl.SSLCertVerificationError as error:
        return Step("connect", False, f"{where}: {error.verify_message}", _certificate_fix(relay))
    except ssl.SSLError as error:
        fix = f"port {relay.port} does not begin with TLS: mail.smarthost_tls = starttls"
        return Step("connect", False, f"{where}: {error.reason or error}", fix)
    except smtplib.SMTPServerDisconnected:
        fix = f"port {relay.port} may want TLS first: mail.smarthost_tls = implicit"
        return Step("connect", False, f"{where} hung up without a greeting", fix)
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return Step("connect", False, f"{where}: {why}", _blocked_fix(relay, profile))
    if code != 220:
        return Step("connect", False, f"{where} said {code} {_text(words)}", "try later, or ask the relay")
    return Step("connect", True, f"{where} answers: {_text(words)[:80]}")


def _blocked_fix(relay: Smarthost, profile: Profile) -> str:
    """What to do about a port that cannot be reached: another one of the relay's, if one can."""
    for port in (*profile.ports, *profile.tls_ports):
        if port == relay.port:
            continue
        try:
            socket.create_connection((relay.host, port), _PROBE_SECONDS).close()
        except OSError:
            continue
        tls = " and mail.smarthost_tls = implicit" if port in profile.tls_ports else ""
        return f"port {port} is open: set mail.smarthost = {relay.host}:{port}{tls}"
    if relay.port == 25:
        return (
            "outgoing port 25 is blocked, as with most hosters: ask yours to open it, or use a relay's port "
            "587 or 2525"
        )
    return (
        f"a firewall, here or at the hoster, may block port {relay.port}; no other port of the relay answers"
    )


def _secured(client: smtplib.SMTP, relay: Smarthost, context: ssl.SSLContext) -> Step:
    try:
        client.ehlo_or_helo_if_needed()
        client.starttls(context=context)
        client.ehlo()
    except smtplib.SMTPNotSupportedError:
        fix = "a port of the relay that offers STARTTLS; mail.smarthost_tls = none only inside a trusted network"
        return Step("tls", False, "STARTTLS is not offered", fix)
    except ssl.SSLCertVerificationError as error:
        return Step("tls", False, error.verify_message, _certificate_fix(relay))
    except (OSError, smtplib.SMTPException) as error:
        return Step("tls", False, str(error), "something between may tamper with TLS: try another port")
    version = client.sock.version() if isinstance(client.sock, ssl.SSLSocket) else ""
    return Step("tls", True, f"{version}, the certificate is good for {relay.host}")


def _certificate_fix(relay: Smarthost) -> str:
    return (
        f"mail.smarthost must be the name in the relay's certificate ({relay.host} is not, or who issued it is not "
        "trusted: apt install ca-certificates); a wrong clock does it too"
    )


def _logged_in(client: smtplib.SMTP, profile: Profile, relay: Smarthost) -> Step:
    try:
        client.login(relay.user, relay.password)
    except smtplib.SMTPNotSupportedError:
        fix = "AUTH is offered after TLS only: mail.smarthost_tls = starttls or implicit"
        return Step("login", False, "the relay offers no login", fix)
    except smtplib.SMTPAuthenticationError as error:
        fix = "; ".join(["correct mail.smarthost_user and mail.smarthost_password", *_login_hints(profile)])
        return Step("login", False, f"{error.smtp_code} {_text(error.smtp_error)}", fix)
    except (OSError, smtplib.SMTPException) as error:
        return Step("login", False, str(error), "try later, or ask the relay")
    return Step("login", True, f"as {relay.user if not profile.user_is_password else 'the token'}")


def _login_hints(profile: Profile) -> list[str]:
    return [one for one in profile.setup if "password" in one or "credentials" in one]


def _sent(client: smtplib.SMTP, profile: Profile, letter: Letter) -> Step:
    message = EmailMessage()
    message["From"], message["To"] = letter.sender, letter.recipient
    message["Subject"] = "Postern: test of the relay"
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=letter.sender.rpartition("@")[2])
    for name, value in letter.headers.items():
        message[name] = value
    message.set_content("This mail was sent by `postern smarthost test`.\n")
    try:
        client.ehlo_or_helo_if_needed()
        commands: list[tuple[str, Callable[[], tuple[int, bytes]]]] = [
            (f"sender {letter.sender}", lambda: client.mail(letter.sender)),
            (f"recipient {letter.recipient}", lambda: client.rcpt(letter.recipient)),
            ("message", lambda: client.data(message.as_bytes())),
        ]
        for what, say in commands:
            code, words = say()
            if code >= 400:
                return Step("mail", False, f"{what}: {code} {_text(words)}", _sender_fix(profile, letter))
    except smtplib.SMTPDataError as error:
        refused = f"{error.smtp_code} {_text(error.smtp_error)}"
        return Step("mail", False, refused, _sender_fix(profile, letter))
    except (OSError, smtplib.SMTPException) as error:
        return Step("mail", False, str(error), "try again")
    return Step("mail", True, f"taken for {letter.recipient}: {_text(words)[:120]}")


def _sender_fix(profile: Profile, letter: Letter) -> str:
    return f"verify the domain of {letter.sender} at {profile.title}, and do what it says"


def _text(words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:300]
