"""The counters of the gateway, in a registry of their own. Any room may increment them.

No label ever holds an address or an id: the number of series stays small however many inboxes there are.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, of when it began: no rule needs it
REGISTRY = CollectorRegistry()

build = Info("postern_build", "The Postern that runs: always 1", registry=REGISTRY)
requests = Counter(
    "postern_http_requests",
    "API requests answered",
    ["dialect", "method", "route", "status"],
    registry=REGISTRY,
)
request_seconds = Histogram(
    "postern_http_request_seconds",
    "Time to answer an API request",
    ["dialect"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
messages = Counter(
    "postern_messages", "Messages indexed: inbound or outbound", ["direction"], registry=REGISTRY
)
sends = Counter(
    "postern_sends",
    "Recipients settled by the outbox and by reports: sent (handed on), delivered or bounced",
    ["outcome"],
    registry=REGISTRY,
)
deliveries = Counter(
    "postern_webhook_attempts", "Posts to webhooks: delivered or failed", ["outcome"], registry=REGISTRY
)
sockets = Gauge("postern_websockets", "Open WebSockets", registry=REGISTRY)
waits = Gauge("postern_waits", "Open waits for mail", registry=REGISTRY)
outbox_age = Gauge(
    "postern_outbox_age_seconds",
    "How long the message that is longest due or on its way has been so",
    registry=REGISTRY,
)
idle_inboxes = Gauge(
    "postern_idle_inboxes", "Inboxes in IMAP IDLE, or waiting to be", ["state"], registry=REGISTRY
)
stuck_mailboxes = Gauge(
    "postern_stuck_mailboxes", "Mailboxes that the mail server does not answer for", registry=REGISTRY
)
sync_lag = Gauge(
    "postern_sync_lag_seconds",
    "Age of the oldest notification not acted on",
    registry=REGISTRY,
)

# from the start, at 0: a rate can only be computed for a series that was there before
for _counter, _values in (
    (messages, ("inbound", "outbound")),
    (sends, ("sent", "delivered", "bounced")),
    (deliveries, ("delivered", "failed")),
):
    for _value in _values:
        _counter.labels(_value)
