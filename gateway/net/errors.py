"""What can go wrong when Postern reaches out over the network, as types.

Every error carries a stable ``code`` (for attempt records and API answers), a message that says what to do and
never contains the URL's path or query (they often hold a secret), and ``retryable``: whether the same call may
work later without anyone changing anything.
"""

from __future__ import annotations


class NetError(Exception):
    """Base of every failure of an outgoing request."""

    code = "network_error"
    retryable = True

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UrlRefused(NetError):
    """The URL itself cannot be used (scheme, credentials, port, host, length, characters)."""

    code = "invalid_url"
    retryable = False


class HeaderRefused(NetError):
    """A request header that must not be sent: unsafe characters, or a name that belongs to the connection."""

    code = "invalid_header"
    retryable = False


class TargetRefused(NetError):
    """The host is, or resolves to, an address that outgoing requests may not reach.

    Retryable: DNS may point elsewhere tomorrow, and a name that briefly resolves to a private address must not
    lose events.
    """

    code = "target_refused"


class NameFailed(NetError):
    """The host name could not be resolved, so nothing was connected to."""

    code = "dns_failed"


class ConnectFailed(NetError):
    """No connection: refused, unreachable, or reset before an answer."""

    code = "connect_failed"


class TlsFailed(NetError):
    """The TLS handshake or the certificate check failed."""

    code = "tls_failed"


class TimedOut(NetError):
    """The whole exchange, reading of the answer included, took longer than allowed."""

    code = "timeout"


class BadAnswer(NetError):
    """The other side answered with something that is not HTTP, or cut its answer short."""

    code = "invalid_response"


class StatusRefused(NetError):
    """A fetch was answered with another status than 2xx; redirects are never followed."""

    code = "unexpected_status"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        self.retryable = status >= 500 or status in (408, 425, 429)


class TooLarge(NetError):
    """A fetched body is larger than the caller allows."""

    code = "too_large"
    retryable = False
