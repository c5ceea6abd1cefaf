"""The relays we know, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from gateway.configuration import BadSettings
from gateway.mime.dkim_sign import Signing
from gateway.settings import Settings

_MB = 1024 * 1024

Headers = Callable[[str, str], dict[str, str]]


def _none(message_id: str, stream: str) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One relay.

    Attributes:
        name: as in ``mail.smarthost_profile``.
        title: as its makers write it.
        host: where it listens when ``mail.smarthost`` names none; empty: it has to be named.
        ports: STARTTLS ports in the order to try; those after the first help where the network blocks it.
        tls_ports: ports that speak TLS from the first octet.
        message_id: whether ours reaches the recipient (``keeps``; ``asked``: with the header fields we add), or the
            relay's own (``replaces``), which is in its 250 reply or its webhooks.
        return_path: whether bounces by mail come to us, or by webhook only.
        dkim: who signs in the domain's name: ``ours`` survives; ``theirs`` alone, because the message is written
            anew; or both, where ``changed`` names fields that ours must not cover.
        changed: fields the relay replaces.
        headers: what is added to each message, from our Message-ID and ``mail.smarthost_stream``.
        hooks: whether it posts news to ``/hooks/NAME``.
        max_message: octets it takes.
        user_is_password: the login is the password (an API token) where none is given.
        records: what a domain has to publish beside our own records, as text with ``{domain}`` for the domain.
        setup: what to do at the relay's side.
    """

    name: str
    title: str
    host: str = ""
    ports: tuple[int, ...] = (587,)
    tls_ports: tuple[int, ...] = (465,)
    message_id: Literal["keeps", "asked", "replaces"] = "keeps"
    return_path: Literal["ours", "theirs"] = "ours"
    dkim: Literal["ours", "both", "theirs"] = "ours"
    changed: tuple[str, ...] = ()
    headers: Headers = field(default=_none, repr=False)
    hooks: bool = False
    max_message: int = 0
    user_is_password: bool = False
    records: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()

    def signing(self, key: Signing | None) -> Signing | None:
        """How to sign what goes through this relay: not what it would break."""
        if key is None or self.dkim == "theirs":
            return None
        return Signing(key.domain, key.selector, key.private_key, self.changed)


def _ses(message_id: str, stream: str) -> dict[str, str]:
    return {"X-SES-CONFIGURATION-SET": stream} if stream else {}


def _postmark(message_id: str, stream: str) -> dict[str, str]:
    found = {"X-PM-KeepID": "true", "X-PM-Metadata-postern": message_id.strip("<>")}
    return found | ({"X-PM-Message-Stream": stream} if stream else {})


def _brevo(message_id: str, stream: str) -> dict[str, str]:
    found = {"X-Mailin-custom": f"postern:{message_id.strip('<>')}"}
    return found | ({"X-Mailin-Tag": stream} if stream else {})


def _mailgun(message_id: str, stream: str) -> dict[str, str]:
    return {"X-Mailgun-Tag": stream} if stream else {}


_HOOK = "https://postern:SECRET@YOUR-HOST/hooks/{name}"

PROFILES: dict[str, Profile] = {
    one.name: one
    for one in (
        Profile(
            name="own",
            title="direct delivery",
            records=("{domain} TXT: the SPF record names this host (`postern domain show`)",),
            setup=(
                "outgoing port 25 must be open and the address must have a PTR record that is the mail host's name",
            ),
        ),
        Profile(
            name="generic",
            title="a relay",
            records=("{domain} TXT: the SPF record names the relay's hosts too; ask its operator",),
        ),
        Profile(
            name="ses",
            title="Amazon SES",
            ports=(587, 2587, 25),
            tls_ports=(465, 2465),
            message_id="replaces",
            return_path="theirs",
            dkim="both",
            changed=("message-id", "date"),
            headers=_ses,
            hooks=True,
            max_message=40 * _MB,
            records=(
                "three CNAMEs TOKEN._domainkey.{domain} -> TOKEN.dkim.amazonses.com (Easy DKIM)",
                "a custom MAIL FROM domain, for SPF to align: bounce.{domain} MX 10 feedback-smtp.REGION.amazonses.com "
                'and TXT "v=spf1 include:amazonses.com ~all"',
            ),
            setup=(
                "verify the domain and leave the sandbox (production access)",
                "make SMTP credentials: they are not an IAM user's access keys",
                "an SNS topic with an HTTPS subscription to " + _HOOK.format(name="ses"),
                "a configuration set that publishes bounces, complaints and deliveries to the topic; its name is "
                "mail.smarthost_stream",
            ),
        ),
        Profile(
            name="postmark",
            title="Postmark",
            host="smtp.postmarkapp.com",
            ports=(587, 2525, 25),
            tls_ports=(),
            message_id="asked",
            return_path="theirs",
            dkim="theirs",
            headers=_postmark,
            hooks=True,
            max_message=10 * _MB,
            user_is_password=True,
            records=(
                "the DKIM TXT record that Postmark shows for the sender domain",
                "pm-bounces.{domain} CNAME pm.mtasv.net (its return path, for SPF to align)",
            ),
            setup=(
                "user and password are both the server's API token; mail.smarthost_stream is the message stream",
                "a webhook of the stream for Delivery, Bounce, Spam Complaint and Subscription Change to "
                + _HOOK.format(name="postmark"),
            ),
        ),
        Profile(
            name="brevo",
            title="Brevo",
            host="smtp-relay.brevo.com",
            ports=(587, 2525),
            tls_ports=(465,),
            message_id="replaces",
            return_path="theirs",
            dkim="both",
            changed=("message-id",),
            headers=_brevo,
            hooks=True,
            max_message=20 * _MB,
            records=(
                "the TXT record brevo-code and the CNAMEs brevo1._domainkey.{domain} and brevo2._domainkey.{domain} "
                "that Brevo shows when it authenticates the domain",
            ),
            setup=(
                "the password is an SMTP key, not the API key and not the account's",
                "a transactional webhook for delivered, soft and hard bounces, blocked, invalid and spam to "
                + _HOOK.format(name="brevo"),
            ),
        ),
        Profile(
            name="mailgun",
            title="Mailgun",
            host="smtp.mailgun.org",
            ports=(587, 2525, 25),
            tls_ports=(465,),
            return_path="theirs",
            dkim="both",
            headers=_mailgun,
            hooks=True,
            max_message=25 * _MB,
            records=(
                '{domain} TXT "v=spf1 include:mailgun.org ..." beside what is there',
                "the DKIM TXT record that Mailgun shows for the domain",
            ),
            setup=(
                "domains in the EU region: mail.smarthost = smtp.eu.mailgun.org:587",
                "webhooks for delivered, permanent and temporary failure and spam complaints to "
                "https://YOUR-HOST/hooks/mailgun; mail.smarthost_hook_secret is the HTTP webhook signing key",
            ),
        ),
    )
}


def profile_of(settings: Settings) -> Profile:
    """What ``mail.smarthost_profile`` names; ``own`` when there is no relay at all."""
    found, stream = PROFILES[settings.mail.smarthost_profile], settings.mail.smarthost_stream
    if not (stream.isascii() and stream.isprintable()):
        raise BadSettings(f"mail.smarthost_stream goes into a header field: it cannot be {stream!r}")
    if found.name == "generic" and not settings.mail.smarthost:
        return PROFILES["own"]
    if found.name != "own" and not settings.mail.smarthost and not found.host:
        raise BadSettings(
            f"mail.smarthost is empty: for {found.title} it names the region's host, "
            "such as email-smtp.eu-west-1.amazonaws.com:587"
        )
    return found


def relay_of(settings: Settings) -> str:
    """``host:port`` of the relay; empty: direct delivery. Raises BadSettings."""
    profile = profile_of(settings)
    if profile.name == "own":
        return ""
    return settings.mail.smarthost or f"{profile.host}:{profile.ports[0]}"


_KNOWN = {
    "amazonaws.com": "ses",
    "postmarkapp.com": "postmark",
    "brevo.com": "brevo",
    "sendinblue.com": "brevo",
    "mailgun.org": "mailgun",
}


def looks_like(host: str) -> str | None:
    """The profile of the relay whose host this seems to be, by its name."""
    labels = host.lower().rstrip(".").split(".")
    return _KNOWN.get(".".join(labels[-2:]))


def relay_headers(settings: Settings, message_id: str) -> dict[str, str]:
    """The header fields that the relay of ``settings`` wants in a message of ours."""
    return profile_of(settings).headers(message_id, settings.mail.smarthost_stream)


def reporting_relay(settings: Settings) -> str:
    """The host of the relay if it reports deliveries to us by its webhook, else ""."""
    if not profile_of(settings).hooks or not settings.mail.smarthost_hook_secret:
        return ""
    return relay_of(settings).rpartition(":")[0].strip("[]").lower()
