"""Every setting, its default and what it means: the one list that the command line, the example file and
``postern config`` are made from.

``gateway.configuration`` reads them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Doc = msgspec.Meta


class Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table of the TOML file."""


class Http(Section, frozen=True, kw_only=True):
    host: Annotated[str, Doc(description="address the API listens on; empty: no TCP port")] = "127.0.0.1"
    port: Annotated[int, Doc(description="port of the API; 0 takes any free one")] = 8025
    unix_socket: Annotated[
        str, Doc(description="listen on this Unix socket too, for a reverse proxy, which is believed there")
    ] = ""
    unix_socket_mode: Annotated[
        str, Doc(description="its permissions, octal: who may speak as the proxy", pattern="^[0-7]{3,4}$")
    ] = "0660"
    unix_socket_group: Annotated[str, Doc(description="its group; empty: the gateway's own")] = ""
    public_url: Annotated[str, Doc(description="how clients reach the API; empty: http://host:port")] = ""
    trusted_proxies: Annotated[list[str], Doc(description="addresses whose X-Forwarded-For is believed")] = []
    max_body: Annotated[int, Doc(description="largest JSON request body, octets")] = 80 * 1024 * 1024
    unknown_fields: Annotated[
        Literal["ignore", "refuse"],
        Doc(
            description="what to do with unknown fields of a request; one that says who gets the mail is always refused"
        ),
    ] = "ignore"
    connections: Annotated[
        int,
        Doc(
            description="open connections; an address (IPv6: /64) has a quarter at the most, unless it is a proxy's"
        ),
    ] = 4000
    header_seconds: Annotated[
        float, Doc(description="seconds in which the line and headers of a request must come")
    ] = 30.0
    signed_url_seconds: Annotated[int, Doc(description="how long a download_url works")] = 3600


class Database(Section, frozen=True, kw_only=True):
    url: Annotated[str, Doc(description="sqlite:PATH or postgresql://…; empty: DATA/postern.db")] = ""
    connections: Annotated[
        int,
        Doc(
            description="PostgreSQL: connections that each process works with; it keeps two more for wake-ups"
        ),
    ] = 12


class Mail(Section, frozen=True, kw_only=True):
    server: Annotated[
        Literal["embedded", "postfix_dovecot"], Doc(description="the mail server under the gateway")
    ] = "embedded"
    domain: Annotated[str, Doc(description="the platform's own domain, for inboxes that name none")] = (
        "postern.test"
    )
    hostname: Annotated[
        str, Doc(description="name in EHLO, Received and the MX record; empty: mail.DOMAIN")
    ] = ""
    public_ipv4: Annotated[
        str, Doc(description="address of HOSTNAME in DNS; empty: this machine's, unless it is behind NAT")
    ] = ""
    public_ipv6: Annotated[str, Doc(description="the same for IPv6")] = ""
    host: Annotated[
        str, Doc(description="address the mail services listen on; * for every one, IPv4 and IPv6")
    ] = "127.0.0.1"
    smtp_port: Annotated[int, Doc(description="where the world delivers (MX); 0 takes any free one")] = 2525
    submission_port: Annotated[
        int, Doc(description="where people's mail clients submit (STARTTLS, once there is a certificate)")
    ] = 2587
    submissions_port: Annotated[
        int, Doc(description="the same with TLS from the start; open once there is a certificate")
    ] = 465
    imap_port: Annotated[
        int, Doc(description="where people's mail clients read (STARTTLS, once there is a certificate)")
    ] = 2143
    imaps_port: Annotated[
        int, Doc(description="the same with TLS from the start; open once there is a certificate")
    ] = 993
    published_ports: Annotated[
        list[str],
        Doc(
            description="OUTSIDE:INSIDE for each of these ports that a container or router hands on, such as 25:2525: "
            "DNS records and mail clients name OUTSIDE, and no port that is not listed; empty: none is handed on"
        ),
    ] = []
    sieve_port: Annotated[
        int,
        Doc(
            description="postfix_dovecot: where people manage their mail filters (ManageSieve); 0: no filters"
        ),
    ] = 4190
    tls_cert: Annotated[
        str, Doc(description="certificate of the mail services and its chain, PEM; empty: no TLS")
    ] = ""
    tls_key: Annotated[str, Doc(description="its private key, PEM")] = ""
    mailbox_format: Annotated[
        Literal["sdbox", "maildir"],
        Doc(description="Dovecot's format; Maildir keeps 26 labels a folder at most"),
    ] = "sdbox"
    manage: Annotated[
        bool,
        Doc(
            description="postfix_dovecot: start the daemons (true, needs root) or use those that systemd runs with "
            "the configuration of `postern mail render` (false)"
        ),
    ] = True
    gateway_port: Annotated[
        int, Doc(description="where Postfix takes the gateway's mail, on loopback; only with manage = false")
    ] = 2588
    doorbell_port: Annotated[
        int, Doc(description="where Dovecot notifies the gateway of changes; only with manage = false")
    ] = 8026
    run_dir: Annotated[
        str, Doc(description="Dovecot's sockets; empty: DATA/run, or below /tmp when that path is too long")
    ] = ""
    postfix_dir: Annotated[
        str, Doc(description="Postfix's configuration; empty: DATA/postfix, where the gateway starts it")
    ] = ""
    postfix_spool: Annotated[str, Doc(description="Postfix's queue; empty: POSTFIX_DIR/spool")] = ""
    postfix_data: Annotated[str, Doc(description="Postfix's own state; empty: POSTFIX_DIR/data")] = ""
    milter: Annotated[
        str,
        Doc(
            description="milter that signs what people submit and checks what comes in, unix:PATH or inet:HOST:PORT; "
            "empty: none"
        ),
    ] = ""
    lookup: Annotated[
        Literal["sqlite", "postgresql"],
        Doc(description="where domains, mailboxes and aliases are kept for Postfix and Dovecot to read"),
    ] = "sqlite"
    lookup_url: Annotated[
        str, Doc(description="postgresql: postgresql://USER:PASSWORD@HOST/NAME; empty: database.url")
    ] = ""
    lookup_reader_url: Annotated[
        str, Doc(description="postgresql: the same for Postfix and Dovecot, who only read; empty: lookup_url")
    ] = ""
    quota: Annotated[
        int,
        Doc(description="octets a mailbox may hold where it has no quota of its own; 0: no limit"),
    ] = 0
    push: Annotated[bool, Doc(description="have Dovecot notify the gateway of changes over HTTP")] = True
    key_logins: Annotated[
        bool,
        Doc(
            description="let mail clients log in with an inbox's address and an API key that may read, change and "
            "send its mail (IMAP, and all with Postfix, needs mail.push and mail.lookup = sqlite)"
        ),
    ] = True
    smarthost: Annotated[str, Doc(description="host:port that relays outgoing mail; empty: direct MX")] = ""
    smarthost_user: Annotated[str, Doc(description="login at the smarthost")] = ""
    smarthost_password: Annotated[str, Doc(description="password at the smarthost (secret)")] = ""
    smarthost_tls: Annotated[
        Literal["none", "starttls", "implicit"], Doc(description="TLS towards the smarthost")
    ] = "starttls"
    smarthost_profile: Annotated[
        Literal["own", "generic", "ses", "postmark", "brevo", "mailgun"],
        Doc(
            description="which relay mail.smarthost is, for what each does to Message-ID, DKIM and bounces; own "
            "delivers directly even where one is named"
        ),
    ] = "generic"
    smarthost_stream: Annotated[
        str,
        Doc(
            description="SES: configuration set; Postmark: message stream; Brevo, Mailgun: tag of each message"
        ),
    ] = ""
    smarthost_hook_secret: Annotated[
        str,
        Doc(
            description="proves that a webhook at /hooks/… is the relay's: Mailgun's signing key, else the password in "
            "the webhook's URL; empty: none is taken (secret)"
        ),
    ] = ""
    max_message: Annotated[int, Doc(description="largest message in or out, octets")] = 75 * 1024 * 1024
    open_tracking: Annotated[
        Literal["off", "asked", "always"],
        Doc(
            description="put a tracking pixel into HTML mail sent by the API and send message.opened: never, where "
            "the send has track_opens, or always but where it has track_opens false"
        ),
    ] = "off"
    verify_authentication: Annotated[
        bool, Doc(description="embedded: check SPF, DKIM, DMARC and ARC of incoming mail")
    ] = True
    trusted_sealers: Annotated[
        list[str],
        Doc(
            description="domains, with their subdomains, of forwarders and mailing lists whose ARC seals are believed "
            "when DMARC does not pass"
        ),
    ] = []
    check_recipient_domains: Annotated[
        bool,
        Doc(
            description="refuse at once to send to a domain that, by DNS, takes no mail; asks DNS for each send"
        ),
    ] = False
    allow_private_relay: Annotated[
        bool, Doc(description="let outgoing SMTP reach loopback and private addresses")
    ] = False


class Dns(Section, frozen=True, kw_only=True):
    nameservers: Annotated[list[str], Doc(description="resolvers to ask; empty: the system's")] = []
    port: Annotated[int, Doc(description="their port")] = 53
    timeout: Annotated[float, Doc(description="seconds a look-up may take")] = 5.0
    recheck_hours: Annotated[
        float,
        Doc(description="longest time until a domain's records are looked at again by itself; 0: never"),
    ] = 24.0
    dkim_overlap_days: Annotated[
        float,
        Doc(
            description="how long the record of a DKIM key stays after its last use; more than outbox.retry_days"
        ),
    ] = 14.0


class Doctor(Section, frozen=True, kw_only=True):
    """What ``postern doctor`` asks of others, and from when on it warns."""

    mx_hosts: Annotated[
        list[str],
        Doc(
            description="host:port of others' mail servers, to see whether port 25 is open outwards; empty: those of "
            "three large providers"
        ),
    ] = []
    ntp_server: Annotated[
        str, Doc(description="host:port of a time server to compare the clock with; empty: ask the system")
    ] = "pool.ntp.org:123"
    blocklists: Annotated[
        list[str], Doc(description="DNS blocklists that --blocklists asks; empty: the three most used")
    ] = []
    queue_minutes: Annotated[
        float,
        Doc(description="minutes for which a message may wait before it is of note; 24 times as long fails"),
    ] = 60.0
    disk_free: Annotated[
        float, Doc(description="share of a disk that should be free (0.1: a tenth); a quarter of it fails")
    ] = 0.1


class Sync(Section, frozen=True, kw_only=True):
    idle_connections: Annotated[
        int, Doc(description="inboxes, most recently active first, kept in IMAP IDLE")
    ] = 100
    catch_up_seconds: Annotated[
        float, Doc(description="every inbox is looked at this often, hint or not")
    ] = 60.0
    connections: Annotated[int, Doc(description="IMAP connections kept open")] = 128
    concurrency: Annotated[int, Doc(description="inboxes read at the same time")] = 8


class Outbox(Section, frozen=True, kw_only=True):
    retry_days: Annotated[float, Doc(description="how long a message is tried before it bounces")] = 5.0
    concurrency: Annotated[int, Doc(description="transactions at the same time")] = 8
    retry_scale: Annotated[float, Doc(description="multiplies every waiting time (for tests)")] = 1.0
    keep_days: Annotated[int, Doc(description="how long delivery records are kept")] = 90


class Simulator(Section, frozen=True, kw_only=True):
    enabled: Annotated[
        bool,
        Doc(description="addresses @simulator.invalid answer as the world does, and never leave this server"),
    ] = True
    slow_seconds: Annotated[
        float, Doc(description="how long slow@simulator.invalid takes to accept a mail", ge=0, le=300)
    ] = 10.0
    answers_per_day: Annotated[
        int,
        Doc(
            description="mails that come back to one inbox in a UTC day at the most; after them silence", ge=0
        ),
    ] = 500


class Webhooks(Section, frozen=True, kw_only=True):
    concurrency: Annotated[int, Doc(description="posts at the same time")] = 32
    timeout: Annotated[float, Doc(description="seconds an endpoint has to answer")] = 15.0
    retry_scale: Annotated[float, Doc(description="multiplies every waiting time (for tests)")] = 1.0
    allow_http: Annotated[bool, Doc(description="accept http:// URLs")] = False
    allow_loopback: Annotated[
        bool, Doc(description="let webhooks and attachment URLs reach this machine")
    ] = False
    allow_networks: Annotated[list[str], Doc(description="private networks (CIDR) that may be reached")] = []
    disable_after_days: Annotated[
        float, Doc(description="an endpoint that failed this long is switched off")
    ] = 5.0
    wait_while_off: Annotated[
        int,
        Doc(
            description="events that wait for one that was switched off, the newest, within events.keep_days"
        ),
    ] = 10_000
    show_secret: Annotated[bool, Doc(description="show a webhook's secret on GET, as AgentMail does")] = False


class Events(Section, frozen=True, kw_only=True):
    keep_days: Annotated[int, Doc(description="how long events can be replayed")] = 30


class Audit(Section, frozen=True, kw_only=True):
    keep_days: Annotated[int, Doc(description="how long the audit log is kept")] = 365


class Attachments(Section, frozen=True, kw_only=True):
    extract: Annotated[bool, Doc(description="read the text of attachments when mail arrives")] = True
    processes: Annotated[int, Doc(description="messages whose attachments are read at the same time")] = 2
    ocr_languages: Annotated[
        str, Doc(description="of pictures, as tesseract names them, joined by +; needs tesseract-ocr-LANG")
    ] = "eng"


class Mcp(Section, frozen=True, kw_only=True):
    enabled: Annotated[
        bool, Doc(description="answer MCP clients at /mcp; it takes memory when one comes")
    ] = True
    origins: Annotated[
        list[str],
        Doc(
            description="web pages beside http.public_url and those of this machine that may use it, such as "
            "https://app.example.com"
        ),
    ] = []


class Limits(Section, frozen=True, kw_only=True):
    """What is generous by default, and OpenMail's numbers with ``profile = "openmail"``. Days are UTC days."""

    profile: Annotated[
        Literal["none", "openmail"], Doc(description="take OpenMail's limits where none is set here")
    ] = "none"
    inboxes: Annotated[int, Doc(description="inboxes an organization may have; 0: no limit")] = 0
    inboxes_per_day: Annotated[
        int, Doc(description="inboxes an organization may create a day; 0: no limit")
    ] = 0
    domains: Annotated[int, Doc(description="domains an organization may have; 0: no limit")] = 0
    aliases: Annotated[int, Doc(description="aliases an organization may have; 0: no limit")] = 0
    webhooks: Annotated[int, Doc(description="webhooks an organization may have; 0: no limit")] = 500
    requests_per_minute: Annotated[int, Doc(description="API requests a key may make; 0: no limit")] = 0
    sends_per_minute: Annotated[
        int, Doc(description="sends an inbox may make in any 60 seconds; 0: no limit")
    ] = 0
    sends_per_day: Annotated[int, Doc(description="sends an inbox may make a day; 0: no limit")] = 0
    organization_sends_per_day: Annotated[
        int, Doc(description="sends an organization may make a day; 0: no limit")
    ] = 0
    cold_days: Annotated[
        int, Doc(description="days after creation in which an inbox or organization counts as new for cold_…")
    ] = 30
    cold_new_inbox: Annotated[
        int,
        Doc(description="recipients who never wrote to it that a new inbox may write to a day; 0: no limit"),
    ] = 0
    cold_inbox: Annotated[int, Doc(description="the same for an inbox that is not new; 0: no limit")] = 0
    cold_new_organization: Annotated[
        int, Doc(description="the same for all inboxes of a new organization together; 0: no limit")
    ] = 0
    cold_organization: Annotated[
        int, Doc(description="the same for an organization that is not new; 0: no limit")
    ] = 0
    recipients: Annotated[int, Doc(description="recipients of one message")] = 100
    attachments: Annotated[int, Doc(description="attachments of one message")] = 100
    attachment_bytes: Annotated[int, Doc(description="all attachments of one message, octets")] = (
        25 * 1024 * 1024
    )
    websockets: Annotated[int, Doc(description="open WebSockets of an organization")] = 100
    websocket_messages: Annotated[
        int, Doc(description="messages a client may send on a WebSocket in 10 seconds; 0: no limit")
    ] = 0
    waits: Annotated[int, Doc(description="open waits for mail of an organization; 0: no limit")] = 1000
    octets_in_flight: Annotated[
        int,
        Doc(
            description="octets of mail and request bodies that may be coming in at once, half from one client; "
            "more is refused for now (SMTP 451, HTTP 503)"
        ),
    ] = 1024 * 1024 * 1024
    memory: Annotated[
        int,
        Doc(description="octets of memory that large mails and requests may take at once; more of them wait"),
    ] = 128 * 1024 * 1024
    disk_free: Annotated[
        int,
        Doc(
            description="octets that must be free where data and mail lie (a twentieth of a smaller disk), else "
            "nothing is taken in (SMTP 452, HTTP 503) and /ready fails"
        ),
    ] = 200 * 1024 * 1024
    slowest_upload: Annotated[
        int,
        Doc(
            description="octets a second at which a mail or a request body must come on the whole, after its first "
            "minute, else the connection is ended"
        ),
    ] = 2048


class Reputation(Section, frozen=True, kw_only=True):
    """When an inbox that is bounced or complained about may not send any more. It never lifts itself:
    ``postern inbox reactivate``."""

    bounce_rate: Annotated[
        float,
        Doc(
            description="share of an inbox's recipients that may bounce (0.1: one in ten), else it is suspended; 0: off"
        ),
    ] = 0.0
    complaint_rate: Annotated[
        float,
        Doc(description="share of its messages that may be complained about (0.003: three in 1000); 0: off"),
    ] = 0.0
    minimum: Annotated[int, Doc(description="recipients or messages before a rate counts")] = 50
    days: Annotated[
        float, Doc(description="how far back both are counted; at most since its reactivation")
    ] = 7.0


class Register(Section, frozen=True, kw_only=True):
    """``POST /api/v1/register``: anybody who can reach the API gets an organization, an inbox and a key."""

    enabled: Annotated[bool, Doc(description="let anybody register an organization, without a key")] = False
    per_address: Annotated[
        int, Doc(description="registrations from one IP address (IPv6: /64) in any hour; 0: no limit")
    ] = 5
    per_owner: Annotated[
        int, Doc(description="registrations for one owner's address in any hour; 0: no limit")
    ] = 3


class Mailboxkit(Section, frozen=True, kw_only=True):
    """What MailboxKit documents of its API, for ``/api/v1`` alone."""

    requests_per_minute: Annotated[
        int, Doc(description="requests a key may make at /api/v1 a minute; 0: no limit")
    ] = 1000
    requests_per_day: Annotated[
        int, Doc(description="requests a key may make at /api/v1 a UTC day; 0: no limit")
    ] = 50_000


class Wallet(Section, frozen=True, kw_only=True):
    """Prepaid sending, as MailboxKit bills it: 1000 mills are a dollar. `postern wallet add` tops up."""

    enabled: Annotated[bool, Doc(description="charge organizations for what they send through the API")] = (
        False
    )
    mail_mills: Annotated[int, Doc(description="price of a message, to however many it goes")] = 2
    attachment_mills: Annotated[int, Doc(description="price of each of its attachments")] = 1
    new_account_mills: Annotated[int, Doc(description="what an organization begins with")] = 1000
    billing_url: Annotated[
        str, Doc(description="where an owner tops up, named in refusals; empty: PUBLIC_URL/billing")
    ] = ""


class Log(Section, frozen=True, kw_only=True):
    level: Annotated[Literal["debug", "info", "warning", "error"], Doc(description="least level logged")] = (
        "info"
    )
    format: Annotated[
        Literal["auto", "json", "text", "journal"],
        Doc(
            description="on standard error, one JSON object a line, or text; or to systemd's journal, with fields; "
            "auto: journal where standard error is the journal, else json"
        ),
    ] = "auto"


class Guard(Section, frozen=True, kw_only=True):
    """What keeps an agent from sending what it should not, and stops mail that programs send each other for ever."""

    review_hours: Annotated[
        float, Doc(description="a held message that nobody decided about this long is rejected")
    ] = 72.0
    review_mail_minutes: Annotated[
        float,
        Doc(
            description="reviewers of an organization get one mail in this time about what was held meanwhile"
        ),
    ] = 10.0
    rounds: Annotated[
        int,
        Doc(
            description="automatic rounds with somebody (we, they, we: each sooner than people write) before the next "
            "message waits; 0: none ever waits",
            ge=0,
        ),
    ] = 3
    person_seconds: Annotated[
        float,
        Doc(
            description="nobody reads and answers sooner than this, plus a second for every 6 characters",
            ge=0,
        ),
    ] = 15.0
    person_seconds_at_most: Annotated[
        float, Doc(description="an answer that takes longer may be a person's, however long it is", ge=0)
    ] = 120.0
    hold_seconds: Annotated[
        float, Doc(description="how long the first message waits; each further one twice as long", gt=0)
    ] = 120.0
    hold_seconds_at_most: Annotated[
        float, Doc(description="the longest that a message waits for this reason", gt=0)
    ] = 14_400.0
    auto_submitted: Annotated[
        Literal["off", "replies", "all"],
        Doc(
            description="which messages of the API get Auto-Submitted (RFC 3834), so that vacation programs and other "
            "agents do not answer them; a header that the caller gives stays"
        ),
    ] = "off"


class Settings(Section, frozen=True, kw_only=True):
    """All settings. ``profile`` development: loopback only, loose limits, anything accepted, said on screen."""

    profile: Annotated[
        Literal["development", "production"], Doc(description="development is for one machine, on loopback")
    ] = "production"
    data_dir: Annotated[str, Doc(description="where everything is kept")] = "data"
    http: Http = Http()
    database: Database = Database()
    mail: Mail = Mail()
    dns: Dns = Dns()
    doctor: Doctor = Doctor()
    sync: Sync = Sync()
    outbox: Outbox = Outbox()
    simulator: Simulator = Simulator()
    webhooks: Webhooks = Webhooks()
    events: Events = Events()
    audit: Audit = Audit()
    attachments: Attachments = Attachments()
    mcp: Mcp = Mcp()
    limits: Limits = Limits()
    reputation: Reputation = Reputation()
    guard: Guard = Guard()
    register: Register = Register()
    mailboxkit: Mailboxkit = Mailboxkit()
    wallet: Wallet = Wallet()
    log: Log = Log()


SECRETS = frozenset(
    {
        "mail.lookup_url",
        "mail.lookup_reader_url",
        "mail.smarthost_password",
        "mail.smarthost_hook_secret",
        "database.url",
    }
)

DEVELOPMENT: dict[str, Any] = {
    "webhooks.allow_http": True,
    "webhooks.allow_loopback": True,
    "mail.verify_authentication": False,
    "mail.allow_private_relay": True,
    "dns.recheck_hours": 0.0,
    "register.enabled": True,
}
"""Defaults that differ in the development profile."""

OPENMAIL_LIMITS: dict[str, Any] = {
    "limits.inboxes": 10,
    "limits.inboxes_per_day": 100,
    "limits.sends_per_minute": 10,
    "limits.sends_per_day": 200,
    "limits.cold_new_inbox": 20,
    "limits.cold_inbox": 200,
    "limits.cold_new_organization": 150,
    "limits.cold_organization": 500,
    "limits.websockets": 10,
    "limits.websocket_messages": 30,
}
"""Defaults with ``limits.profile = "openmail"``: the numbers of its Pro plan."""

PROFILES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("profile", "development", DEVELOPMENT),
    ("limits.profile", "openmail", OPENMAIL_LIMITS),
)
"""(setting, its value, the defaults that go with it)."""


def names() -> list[str]:
    """Every setting's dotted name, in order."""
    found: list[str] = []
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.default, Section):
            found += [f"{field.name}.{one.name}" for one in msgspec.structs.fields(type(field.default))]
        else:
            found.append(field.name)
    return found
