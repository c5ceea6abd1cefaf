"""The HTTP client for URLs that users gave us: webhooks to post to, attachments to fetch.

What it never does: reach an address the rules refuse, follow a redirect, use a proxy or credentials from the
environment, keep cookies, decompress, wait longer than the total time given (a body that drips included), or read
more of an answer than asked for.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType

import aiohttp
from yarl import URL

from gateway import __version__
from gateway.net.connecting import Stopped, make_connector, permitted_addresses
from gateway.net.errors import (
    BadAnswer,
    ConnectFailed,
    HeaderRefused,
    NetError,
    StatusRefused,
    TimedOut,
    TlsFailed,
    TooLarge,
)
from gateway.net.naming import file_name, media_type
from gateway.net.policy import FetchPolicy
from gateway.net.url_rules import SafeUrl, check_url
from mailserver.content import Spool

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_BAD_VALUE = re.compile(r"[^\t\x20-\x7e]")
_OURS = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_STALE = (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError, ConnectionError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook endpoint answered, whatever the status.

    Attributes:
        headers: names in lower case; of a repeated one, the last.
        body_excerpt: the first ``read_limit`` bytes, as sent (a Content-Encoding is not undone).
        duration_ms: from the call to the last byte read.
    """

    status: int
    headers: Mapping[str, str]
    body_excerpt: bytes
    duration_ms: float

    @property
    def ok(self) -> bool:
        """Any 2xx; a redirect is a failure."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched file.

    Attributes:
        content_type: ``type/subtype`` in lower case; ``application/octet-stream`` when it was missing or bad.
        filename: a bare name, safe to show: no path, no control or bidirectional characters, never empty.
        parameters: of ``content_type``, as the server wrote them behind it.
    """

    body: bytes
    content_type: str
    filename: str
    parameters: str = ""


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse request headers a user must not set.

    Raises:
        HeaderRefused: not a token (RFC 9110 §5.6.2), a value with anything but visible ASCII, space and tab, or a
            name that belongs to the connection (Host, Content-Length …).
    """
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise HeaderRefused(f"{name[:64]!r} is not a header name")
        if name.lower() in _OURS:
            raise HeaderRefused(f"the header {name} is set by the gateway itself: leave it out")
        if len(value) > 8000 or _BAD_VALUE.search(value):
            raise HeaderRefused(f"the value of the header {name} is too long or not printable ASCII")


class SafeClient:
    """One pool of connections under one policy. Create, use and close it in one event loop.

    Args:
        policy: what may be reached; see :mod:`gateway.net.policy`.
        tls: a context that trusts a private certificate authority; None trusts the system's.
        connections: open at once; a caller beyond that waits, and the wait counts into its timeout.
    """

    def __init__(
        self, policy: FetchPolicy, *, tls: ssl.SSLContext | None = None, connections: int = 1024
    ) -> None:
        self.policy = policy
        reuse = aiohttp.TraceConfig()
        reuse.on_connection_reuseconn.append(_mark_reused)
        self._session = aiohttp.ClientSession(
            connector=make_connector(policy.addresses, policy.resolver, tls=tls, connections=connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0),
            headers={"User-Agent": f"Postern/{__version__}", "Accept-Encoding": "identity"},
            read_bufsize=16 * 1024,
            trace_configs=[reuse],
        )

    async def __aenter__(self) -> SafeClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; requests under way fail with :class:`ConnectFailed`."""
        await self._session.close()

    async def check(self, url: str, *, timeout: float = 5.0) -> SafeUrl:
        """Judge a URL before it is stored: its form, and where its name leads now. Nothing is connected to.

        Raises:
            UrlRefused, TargetRefused, NameFailed, TimedOut: as :meth:`post` would.
        """
        target = check_url(url, self.policy.addresses, self.policy.allow_http)
        with _typed(target.host):
            async with asyncio.timeout(timeout):
                await permitted_addresses(self.policy.resolver, self.policy.addresses, target.host)
        return target

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout: float = 15.0,
        read_limit: int = 65_536,
    ) -> Answer:
        """POST ``body`` and give back the answer, whatever its status; a redirect is an answer like any other.

        A connection that was kept from before and turns out closed is replaced once, at once; so a request may
        reach the endpoint twice, as any webhook may.

        Args:
            headers: sent as they are; Content-Type is ``application/json`` when it is not among them.
            timeout: seconds for everything from name look-up to the last byte read.
            read_limit: bytes of the answer to read; with more to come, the connection is closed.

        Raises:
            NetError: one of its subclasses; see :mod:`gateway.net.errors`.
        """
        began = time.perf_counter()
        target = check_url(url, self.policy.addresses, self.policy.allow_http)
        check_headers(headers)
        sent = dict(headers)
        if not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = "application/json"
        with _typed(target.host):
            async with asyncio.timeout(timeout):
                seen = SimpleNamespace(reused=False)
                try:
                    status, fields, excerpt = await self._post_once(target, body, sent, read_limit, seen)
                except _STALE:
                    if not seen.reused:
                        raise
                    status, fields, excerpt = await self._post_once(target, body, sent, read_limit, seen)
        return Answer(status, fields, excerpt, (time.perf_counter() - began) * 1000.0)

    async def fetch(
        self, url: str, *, max_bytes: int, timeout: float = 30.0, spool: Spool | None = None
    ) -> Fetched:
        """GET a file of at most ``max_bytes``. With ``spool`` it is written there, and the answer has no body.

        Raises:
            StatusRefused: any status but 2xx; redirects are not followed.
            TooLarge: announced or turned out larger; reading stopped there.
            NetError: the others of :mod:`gateway.net.errors`.
        """
        target = check_url(url, self.policy.addresses, self.policy.allow_http)
        with _typed(target.host):
            async with (
                asyncio.timeout(timeout),
                self._session.get(_wire(target), allow_redirects=False, trace_request_ctx=None) as response,
            ):
                if not 200 <= response.status < 300:
                    response.close()
                    hint = (
                        ": redirects are not followed, give the final URL"
                        if response.status // 100 == 3
                        else ""
                    )
                    raise StatusRefused(f"{target.host} answered {response.status}{hint}", response.status)
                if response.headers.get("Content-Encoding", "identity").strip().lower() not in (
                    "",
                    "identity",
                ):
                    response.close()
                    raise BadAnswer(f"{target.host} sent a compressed body although none was asked for")
                body, whole = b"", (response.content_length or 0) <= max_bytes
                if whole and spool is not None:
                    whole = await _read_into(response, max_bytes, spool)
                elif whole:
                    body, whole = await _read(response, max_bytes)
                if not whole:
                    response.close()
                    raise TooLarge(f"the file at {target.host} is larger than {max_bytes} bytes")
                kind = response.headers.get("Content-Type", "")
                return Fetched(
                    body,
                    media_type(kind),
                    file_name(response.headers.get("Content-Disposition", ""), target.path),
                    kind.partition(";")[2],
                )

    async def _post_once(
        self, target: SafeUrl, body: bytes, headers: Mapping[str, str], read_limit: int, seen: SimpleNamespace
    ) -> tuple[int, dict[str, str], bytes]:
        seen.reused = False
        async with self._session.post(
            _wire(target), data=body, headers=headers, allow_redirects=False, trace_request_ctx=seen
        ) as response:
            excerpt, _ = await _read(response, read_limit)
            return response.status, {k.lower(): v for k, v in response.headers.items()}, excerpt


async def _read(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """Read at most ``limit`` bytes; say whether that was all. With more to come the connection is closed."""
    taken = bytearray()
    announced = response.content_length
    if announced is None or announced <= limit:
        async for chunk in response.content.iter_any():
            taken += chunk
            if len(taken) > limit:
                response.close()
                return bytes(taken[:limit]), False
        return bytes(taken), True
    while len(taken) < limit:
        chunk = await response.content.read(limit - len(taken))
        if not chunk:
            break
        taken += chunk
    response.close()
    return bytes(taken), False


async def _read_into(response: aiohttp.ClientResponse, limit: int, spool: Spool) -> bool:
    """Read at most ``limit`` bytes into ``spool``; say whether that was all."""
    async for chunk in response.content.iter_chunked(256 * 1024):
        if len(spool) + len(chunk) > limit:
            return False
        await spool.append(chunk)
    return True


def _wire(target: SafeUrl) -> URL:
    """Hand the checked parts over; ``encoded`` keeps yarl from reading or changing them."""
    return URL.build(
        scheme=target.scheme,
        host=target.host,
        port=target.port,
        path=target.path,
        query_string=target.query,
        encoded=True,
    )


async def _mark_reused(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceConnectionReuseconnParams,
) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.reused = True


@contextmanager
def _typed(host: str) -> Iterator[None]:
    """Turn what aiohttp raises into this package's errors."""
    try:
        yield
    except NetError:
        raise
    except aiohttp.ClientConnectorCertificateError as exc:
        raise TlsFailed(f"the certificate of {host} is not valid: {_why(exc.certificate_error)}") from exc
    except aiohttp.ClientConnectorError as exc:
        if isinstance(exc.os_error, Stopped):
            raise exc.os_error.error from exc
        if isinstance(exc, aiohttp.ClientSSLError):
            raise TlsFailed(f"TLS to {host} failed: {_why(exc.os_error)}") from exc
        raise ConnectFailed(f"no connection to {host}: {_why(exc.os_error)}") from exc
    except TimeoutError as exc:
        raise TimedOut(f"{host} did not finish answering in time") from exc
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError) as exc:
        raise ConnectFailed(f"{host} closed the connection without an answer") from exc
    except aiohttp.ClientResponseError as exc:
        raise BadAnswer(f"{host} did not answer in valid HTTP") from exc
    except aiohttp.ClientPayloadError as exc:
        raise BadAnswer(f"{host} cut its answer short") from exc
    except (aiohttp.ClientError, OSError, RuntimeError, ValueError) as exc:
        raise ConnectFailed(f"the request to {host} failed ({type(exc).__name__})") from exc


def _why(exc: BaseException) -> str:
    return (getattr(exc, "verify_message", None) or getattr(exc, "strerror", None) or type(exc).__name__)[
        :200
    ]
