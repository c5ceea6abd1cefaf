"""What a parser process can be asked, and how its answers come back (both ends of ``mime.workers.parser_pool``).

A request is one octet of kind and its payload: ``P`` and the raw message, or ``C`` and msgpack of ``Order``. ``P``
is answered by one frame, msgpack of ParsedMessage. ``C`` by ``+`` and the octets, then by a second frame with
what they parse to; or by ``-`` and msgpack of ``Refusal`` alone. The octets come first so that a message which
is slow to read back is still sent.
"""

from __future__ import annotations

import asyncio
import re
from typing import Literal

import msgspec

from gateway.mime.addresses import InvalidAddress
from gateway.mime.compose import compose
from gateway.mime.dkim_sign import Signing, SigningError, sign
from gateway.mime.header_rules import InvalidHeader, check_headers, check_subject
from gateway.mime.limits import DEFAULT_LIMITS, Limits
from gateway.mime.parse import minimal
from gateway.mime.types import OutgoingMessage, ParsedMessage
from gateway.mime.workers.pool import WorkerDied

PARSE, COMPOSE = b"P", b"C"
DONE, REFUSED = b"+", b"-"


class ComposeFailed(RuntimeError):
    """A message could not be composed for a reason of ours (time, memory, a dead process), not of its content."""


class Order(msgspec.Struct, frozen=True, array_like=True):
    """A message to compose, and to sign when ``signing`` is given."""

    message: OutgoingMessage
    signing: Signing | None


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """An exception of ``compose`` or ``sign`` on its way between processes."""

    kind: Literal["header", "address", "signing", "value", "failed"]
    field: str
    problem: str


_decoder = msgspec.msgpack.Decoder(ParsedMessage)
_refusals = msgspec.msgpack.Decoder(Refusal)
_encoder = msgspec.msgpack.Encoder()
_SURROGATE = re.compile("[\ud800-\udfff]")


def carry_out(order: Order) -> bytes | Refusal:
    """Compose and sign, in the worker; never raises for what is in the order."""
    try:
        raw = compose(order.message)
        if order.signing is None:
            return raw
        return sign(
            raw,
            domain=order.signing.domain,
            selector=order.signing.selector,
            private_key=order.signing.private_key,
            changed=order.signing.changed,
        )
    except InvalidHeader as error:
        return Refusal("header", error.field, error.problem)
    except InvalidAddress as error:
        return Refusal("address", "", str(error))
    except SigningError as error:
        return Refusal("signing", "", str(error))
    except ValueError as error:
        return Refusal("value", "", str(error))
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, MemoryError) as error:
        return Refusal("failed", "", f"cannot be composed: {type(error).__name__}")


def error_of(refusal: Refusal) -> Exception:
    """The exception a refusal stands for, as ``compose`` or ``sign`` raised it."""
    if refusal.kind == "header":
        return InvalidHeader(refusal.field, refusal.problem)
    kinds = {"address": InvalidAddress, "signing": SigningError, "value": ValueError}
    return kinds.get(refusal.kind, ComposeFailed)(refusal.problem)


def encode(order: Order) -> bytes:
    """An order as it goes to the worker. Raises InvalidHeader, or ValueError for text that is no Unicode."""
    try:
        return _encoder.encode(order)
    except UnicodeEncodeError:
        pass
    # Lone surrogates do not travel. ``compose`` refuses them in headers and replaces them elsewhere.
    message = order.message
    check_subject(message.subject)
    check_headers(message.headers)
    message = msgspec.structs.replace(
        message,
        text=None if message.text is None else _SURROGATE.sub("\ufffd", message.text),
        html=None if message.html is None else _SURROGATE.sub("\ufffd", message.html),
        attachments=[
            msgspec.structs.replace(one, filename=_SURROGATE.sub("", one.filename))
            for one in message.attachments
        ],
    )
    return _encoder.encode(Order(message, order.signing))


def _words(why: WorkerDied | TimeoutError | OSError) -> str:
    if isinstance(why, TimeoutError):
        return "took too long to parse"
    return "parser process died" if isinstance(why, WorkerDied) else f"no parser process: {why.strerror}"


class ParseJob:
    """One message to read. ``authserv_id``: as ``parse`` takes it."""

    kind: bytes = PARSE
    urgent = False

    def __init__(
        self,
        raw: bytes,
        result: asyncio.Future[ParsedMessage],
        limits: Limits = DEFAULT_LIMITS,
        authserv_id: str | None = None,
    ) -> None:
        self.payload = raw
        self.result = result
        self.limits = limits
        self.deaths = 0
        self._authserv_id = authserv_id

    def take(self, frame: bytes) -> bool:
        """One frame of the answer; True when it was the last one."""
        parsed = _decoder.decode(frame)
        if not self.result.done():
            self.result.set_result(parsed)
        return True

    def again(self) -> None: ...

    async def give_up(self, why: WorkerDied | TimeoutError | OSError) -> None:
        """There is no answer: settle with what the header block says."""
        if not self.result.done():
            parsed = await asyncio.to_thread(
                minimal, self.payload, self.limits, _words(why), self._authserv_id, unread=True
            )
            if not self.result.done():
                self.result.set_result(parsed)


class ComposeJob:
    """One message to write, sign and read back."""

    kind: bytes = COMPOSE
    urgent = True

    def __init__(
        self,
        order: Order,
        result: asyncio.Future[tuple[bytes, ParsedMessage]],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.payload = encode(order)
        self.raw: bytes | None = None
        self.result = result
        self.limits = limits
        self.deaths = 0
        self._composed: bytes | None = None  # by a process that then died

    def take(self, frame: bytes) -> bool:
        """One frame of the answer; True when it was the last one."""
        if self.raw is None:
            if frame[:1] == DONE:
                self.raw = frame[1:]
                self.payload = b""  # it is done with, and as large
                return False
            error = error_of(_refusals.decode(memoryview(frame)[1:]))
            if not self.result.done():
                self.result.set_exception(error)
            return True
        parsed = _decoder.decode(frame)
        if not self.result.done():
            self.result.set_result((self.raw, parsed))
        return True

    def again(self) -> None:
        self._composed, self.raw = self.raw or self._composed, None

    async def give_up(self, why: WorkerDied | TimeoutError | OSError) -> None:
        """There is no (whole) answer: what was composed is sent though it could not be read back."""
        raw = self.raw or self._composed
        if self.result.done():
            return
        if raw is None:
            self.result.set_exception(ComposeFailed(_words(why)))
            return
        parsed = await asyncio.to_thread(minimal, raw, self.limits, _words(why), unread=True)
        if not self.result.done():
            self.result.set_result((raw, parsed))
