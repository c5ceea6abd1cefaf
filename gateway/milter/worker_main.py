"""A process that checks and signs, one message at a time. Started by ``gateway.milter.workers`` only."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import msgspec

from gateway.milter.tasks import DONE, REFUSED, SIGN, SignTask, VerifyTask, WorkerSettings
from gateway.mime.dkim_sign import SigningError, sign
from gateway.mime.workers.serve import serve
from mailserver.addresses import names_of
from mailserver.embedded import wire
from mailserver.embedded.authentication.verifier import Verifier
from mailserver.embedded.settings import Resolver


def main() -> None:
    """Serve until end of file."""
    settings = msgspec.json.decode(sys.argv[1], type=WorkerSettings)
    resolver = Resolver(
        nameservers=tuple(settings.nameservers), port=settings.dns_port, timeout=settings.dns_timeout
    )
    verifier = Verifier(resolver, settings.authserv_id, trusted_sealers=settings.trusted_sealers)
    verifications = msgspec.msgpack.Decoder(VerifyTask)
    signings = msgspec.msgpack.Decoder(SignTask)

    def answer(request: memoryview) -> Iterator[tuple[bytes, bytes]]:
        if request[:1] == SIGN:
            yield _signed(signings.decode(request[1:]))
            return
        task = verifications.decode(request[1:])
        yield DONE, verifier.check(task.data, task.address, task.helo, task.mail_from)

    serve(answer, memory=settings.memory, deadline=settings.deadline)


def _signed(task: SignTask) -> tuple[bytes, bytes]:
    """The DKIM-Signature field, or why the message is refused (an SMTP reply)."""
    data = task.data
    author = wire.author(wire.split(data)[0])
    signing = next((task.keys[one] for one in names_of(author) if one in task.keys), None)
    if signing is None:
        return REFUSED, f"550 5.7.1 the From field must be {' or '.join(task.keys)} and nothing else".encode()
    try:
        made = sign(
            data,
            domain=signing.domain,
            selector=signing.selector,
            private_key=signing.private_key,
            changed=signing.changed,
        )
    except SigningError:
        return REFUSED, b"451 4.3.5 the message cannot be signed: its domain's key is unusable"
    return DONE, made[: len(made) - len(data)]


if __name__ == "__main__":
    main()
