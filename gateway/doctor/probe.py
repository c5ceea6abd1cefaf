"""Talking to a mail service just enough to know it: its greeting, and the certificate it shows."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Speaks = Literal["smtp", "imap", "http"]
SECONDS = 10.0


class Unwilling(Exception):
    """The service answered, but not as it should; the text says what it said."""


@dataclass(frozen=True, slots=True)
class Service:
    """A port of ours. ``implicit``: TLS from the start; else by STARTTLS."""

    name: str
    port: int
    speaks: Speaks
    implicit: bool = False


@asynccontextmanager
async def connected(
    host: str, port: int, context: ssl.SSLContext | None = None, name: str | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection within a deadline. Raises OSError (ssl.SSLError is one), TimeoutError."""
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(
            host, port, ssl=context, server_hostname=name if context else None
        )
    try:
        async with asyncio.timeout(SECONDS):
            yield reader, writer
    finally:
        writer.transport.abort()


async def greeting(host: str, service: Service) -> str:
    """The first line that the service says. Raises OSError, TimeoutError, Unwilling."""
    context = _unchecked() if service.implicit else None
    async with connected(host, service.port, context, host) as (reader, _):
        return await _greeting(reader, service.speaks)


async def certificate_days(host: str, service: Service, name: str) -> float:
    """Days for which the certificate for ``name`` is still valid, its chain checked against the system's authorities.

    Raises ssl.SSLCertVerificationError, OSError, TimeoutError, Unwilling (no STARTTLS).
    """
    context = await asyncio.to_thread(ssl.create_default_context)
    if service.implicit:
        async with connected(host, service.port, context, name) as (_, writer):
            return _days(writer)
    async with connected(host, service.port) as (reader, writer):
        await _greeting(reader, service.speaks)
        await _starttls(reader, writer, service.speaks)
        await writer.start_tls(context, server_hostname=name)
        return _days(writer)


def _days(writer: asyncio.StreamWriter) -> float:
    peer = writer.get_extra_info("peercert")
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(peer["notAfter"]), UTC)
    return (until - datetime.now(UTC)).total_seconds() / 86400


async def _greeting(reader: asyncio.StreamReader, speaks: Speaks) -> str:
    wanted = {"smtp": "220", "imap": "* OK", "http": ""}[speaks]
    while True:
        line = await _line(reader)
        if not line.startswith(wanted):
            raise Unwilling(f"it greets with {line[:120]!r}")
        if speaks != "smtp" or line[3:4] != "-":
            return line


async def _starttls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, speaks: Speaks) -> None:
    if speaks == "imap":
        writer.write(b"a STARTTLS\r\n")
        while not (line := await _line(reader)).startswith("a "):
            pass
        if not line.startswith("a OK"):
            raise Unwilling(f"no STARTTLS: it says {line[:120]!r}")
        return
    writer.write(b"EHLO doctor.invalid\r\n")
    while (line := await _line(reader)).startswith("250-"):
        pass
    writer.write(b"STARTTLS\r\n")
    line = await _line(reader)
    if not line.startswith("220"):
        raise Unwilling(f"no STARTTLS: it says {line[:120]!r}")


async def _line(reader: asyncio.StreamReader) -> str:
    try:
        line = await reader.readline()
    except ValueError:
        raise Unwilling("it says a line without end") from None
    if not line:
        raise Unwilling("it hangs up")
    return line.decode("utf-8", "replace").rstrip("\r\n")


def _unchecked() -> ssl.SSLContext:
    """To see whether the service is there; the certificate is another check's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
