"""What goes to a worker process and comes back."""

from __future__ import annotations

import msgspec

from gateway.mime.dkim_sign import Signing

VERIFY = b"V"
SIGN = b"S"
DONE = b"+"
"""Mark of an answer that is a header field."""
REFUSED = b"-"
"""Mark of an answer that is an SMTP reply."""


class WorkerSettings(msgspec.Struct, frozen=True):
    """What a worker is started with. Memory in octets of address space, times in seconds."""

    memory: int
    deadline: float
    authserv_id: str
    nameservers: list[str]
    dns_port: int
    dns_timeout: float
    trusted_sealers: list[str]


class VerifyTask(msgspec.Struct, frozen=True, array_like=True):
    """Mail from the world; answered with its Authentication-Results field."""

    address: str
    helo: str
    mail_from: str
    data: bytes


class SignTask(msgspec.Struct, frozen=True, array_like=True):
    """What a person hands in; ``keys`` by the addresses it may come from. Answered with the DKIM-Signature field,
    or refused when From is none of them."""

    keys: dict[str, Signing]
    data: bytes


def encoded(task: VerifyTask | SignTask) -> bytes:
    """A task as it goes to a worker."""
    return msgspec.msgpack.encode(task)
