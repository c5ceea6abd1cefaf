"""All checks of a message, as its Authentication-Results field.

Everything here is hostile input to libraries that block and that can be slow, so it runs in a few threads with a
deadline; what is not known by then is ``temperror`` (RFC 8601 §2.7).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from mailserver.content import Content
from mailserver.embedded import wire
from mailserver.embedded.authentication import arc, dmarc
from mailserver.embedded.authentication.authors import author_domains
from mailserver.embedded.authentication.dkim_check import Signature, signatures
from mailserver.embedded.authentication.field import chained, stated, unknown, written
from mailserver.embedded.authentication.lookups import Lookups
from mailserver.embedded.authentication.rescue import rescuer
from mailserver.embedded.authentication.spf_check import sender_result
from mailserver.embedded.route import make_blocking_resolver
from mailserver.embedded.settings import Resolver
from mailserver.memory import SMALL, Memory
from mailserver.networks import client_of

log = logging.getLogger(__name__)

DEADLINE = 8.0
_PATIENCE = 120.0  # seconds a large mail waits for memory; its sender waits ten minutes (RFC 5321 §4.5.3.2.6)
_TIMES = 4  # what checking takes, in the mail's own size
_MAX_SIZE = 30 * 1024 * 1024
_LINE_END = re.compile(rb"\r?\n")
_SIGNED = (b"dkim-signature", b"arc-message-signature")


class Verifier:
    """Makes the Authentication-Results field of one message."""

    def __init__(
        self,
        settings: Resolver,
        authserv_id: str,
        memory: Memory | None = None,
        trusted_sealers: Sequence[str] = (),
    ) -> None:
        """``memory``: what large mails wait for. ``trusted_sealers``: folded domains whose ARC seals are believed.
        Blocks briefly (resolver configuration)."""
        self._resolver = make_blocking_resolver(settings)
        self._id = authserv_id
        self._memory = memory
        self._trusted = frozenset(trusted_sealers)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="verify")

    async def field(self, content: Content, peer: str, helo: str, mail_from: str) -> bytes:
        """The field, folded, with its CRLF. Raises NoMemory when none was free for a large mail in time."""
        memory, octets = self._memory, _TIMES * len(content)
        if memory is None or len(content) < SMALL:
            return await self._in_time(content, peer, helo, mail_from, lambda job: None)
        client = client_of(peer)
        await memory.take(client, octets, _PATIENCE)
        # the thread may go on for a while after the deadline
        return await self._in_time(content, peer, helo, mail_from, lambda job: memory.give(client, octets))

    async def _in_time(
        self,
        content: Content,
        peer: str,
        helo: str,
        mail_from: str,
        at_end: Callable[[asyncio.Future[bytes]], None],
    ) -> bytes:
        job = asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: self.check(content.whole(), peer, helo, mail_from)
        )
        job.add_done_callback(at_end)
        done, _ = await asyncio.wait([job], timeout=DEADLINE)
        if done:
            return job.result()
        head = await asyncio.to_thread(wire.head_of, content)
        return unknown(self._id, wire.forged(head.fields, self._id))

    def check(self, data: bytes, peer: str, helo: str, mail_from: str) -> bytes:
        """The same, blocking for as long as name servers take."""
        forged = 0
        try:
            fields, rest = wire.split(data)
            forged = wire.forged(fields, self._id)
            body = _body(fields, rest)
            del rest
            results = self._results(fields, body, peer, helo, mail_from)
        except Exception as error:
            log.warning("verification failed: %r", error)
            results = []
        return written(self._id, results, forged)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _results(
        self, fields: list[bytes], body: bytes | None, peer: str, helo: str, mail_from: str
    ) -> list[str]:
        lookups = Lookups(self._resolver)
        spf_result, spf_domain = sender_result(lookups, peer, helo, mail_from)
        authors, alone = author_domains(fields)
        signed = signatures(lookups, fields, body, authors)
        identifiers = [dmarc.Identifier(one.result, one.domain, "adkim") for one in signed]
        if spf_domain is not None:
            identifiers.append(dmarc.Identifier(spf_result, spf_domain, "aspf"))
        author = _judged(lookups, authors, alone, identifiers)
        chain = arc.chain(lookups, fields, body)
        rescued = ""
        if alone and author is not None and author.result != "pass":
            rescued = rescuer(lookups, chain, self._trusted, author)
        aligned = iter(author.aligned if author else [None] * len(identifiers))
        dkim = [_dkim(one, next(aligned)) for one in signed] or ["dkim=none"]
        spf = stated(
            "spf",
            spf_result,
            smtp_mailfrom=mail_from,
            smtp_helo="" if mail_from else helo,
            policy_aligned=next(aligned, None),
        )
        return [
            spf,
            *dkim,
            _dmarc(author),
            stated("arc", chain.result, policy_chain=chained(chain.sealers), policy_rescued=rescued),
        ]


def _body(fields: Sequence[bytes], rest: bytes) -> bytes | None:
    """The body of a message that is signed, with CRLF line ends only; None when it is too large to check."""
    if not any(wire.name_of(one) in _SIGNED for one in fields):
        return b""
    body = rest.removeprefix(b"\r\n")
    if len(body) > _MAX_SIZE:
        return None
    return _LINE_END.sub(b"\r\n", body) if body.count(b"\n") != body.count(b"\r\n") else body


def _judged(
    lookups: Lookups, authors: Sequence[str], alone: bool, identifiers: Sequence[dmarc.Identifier]
) -> dmarc.Evaluation | None:
    """Of several authors each must pass (RFC 9989 §11.5), and which of them wrote the mail is not known."""
    evaluated = [dmarc.evaluate(lookups, one, identifiers) for one in authors]
    failed = next((one for one in evaluated if one.result == "fail"), None)
    if failed is not None or not evaluated:
        return failed
    shown = evaluated[0]
    return shown if alone else dmarc.Evaluation(shown.author, "permerror", shown.aligned)


def _dkim(one: Signature, aligned: str | None) -> str:
    return stated("dkim", one.result, header_d=one.domain, header_s=one.selector, policy_aligned=aligned)


def _dmarc(author: dmarc.Evaluation | None) -> str:
    if author is None:
        return "dmarc=permerror"
    return stated(
        "dmarc",
        author.result,
        header_from=author.author,
        policy_published=author.published,
        policy_domain=author.domain,
    )
