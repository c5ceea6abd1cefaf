"""SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489) of incoming mail, as one Authentication-Results field.

It informs and never refuses. Everything here is hostile input to libraries that block and that can be slow, so
it runs in a few threads with a deadline; what is not known by then is ``temperror`` (RFC 8601 §2.7).
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import dkim
import dkim.canonicalization
import dns.exception
import dns.resolver
import spf
from publicsuffixlist import PublicSuffixList

from mailserver.address_field import addresses
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError
from mailserver.content import Content
from mailserver.embedded import wire
from mailserver.embedded.route import make_blocking_resolver
from mailserver.embedded.settings import Resolver
from mailserver.memory import SMALL, Memory
from mailserver.networks import client_of

log = logging.getLogger(__name__)
logging.getLogger("dkimpy").setLevel(logging.CRITICAL)  # it reports each bad signature as an error

DEADLINE = 8.0
_SIGNATURES = 5
_AUTHORS = 5  # domains of a mail's authors that are looked up
_PATIENCE = 120.0  # seconds a large mail waits for memory; its sender waits ten minutes (RFC 5321 §4.5.3.2.6)
_TIMES = 4  # what checking takes, in the mail's own size
_LINES = 1 << 20  # octets that are taken apart into lines at once
_MAX_SIZE = 30 * 1024 * 1024
_LINE_END = re.compile(rb"\r?\n")
_TOKEN = re.compile(r"[^A-Za-z0-9.@_+=/-]")
_asking = threading.local()


@dataclass(frozen=True, slots=True)
class _Signature:
    result: str
    domain: str
    selector: str


@dataclass(frozen=True, slots=True)
class _Identifier:
    """A domain that SPF or DKIM checked, and the tag of the policy that says how strictly it must align."""

    result: str
    domain: str
    mode: str


def _stripped(content: bytes) -> bytes:
    """dkimpy's ``strip_trailing_whitespace``, linear: its own needs a minute for a megabyte of blanks."""
    stripped = bytearray()
    at = 0
    while at < len(content):  # a mail of short lines is many times its size when it is taken apart at once
        end = content.rfind(b"\r\n", at, at + _LINES)
        if end < 0:
            end = content.find(b"\r\n", at)
        if end < 0:
            stripped += content[at:]
            break
        for line in content[at:end].split(b"\r\n"):
            stripped += line.rstrip(b"\t ")
            stripped += b"\r\n"
        at = end + 2
    return bytes(stripped)


def _spf_lookup(name: str, kind: str, tcpfallback: bool = True, timeout: float = 30) -> list[Any]:
    """pyspf's resolver hook, asking ours (of the verifier whose thread this is)."""
    try:
        answer = _asking.resolver.resolve(f"{str(name).rstrip('.')}.", kind, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise spf.TempError(f"DNS {type(error).__name__}") from error
    key = (name, kind)
    if kind in ("A", "AAAA"):
        return [(key, one.address) for one in answer]
    if kind == "MX":
        return [(key, (one.preference, one.exchange.to_text(omit_final_dot=True))) for one in answer]
    if kind == "PTR":
        return [(key, one.target.to_text(omit_final_dot=True)) for one in answer]
    return [(key, one.strings) for one in answer]


class Verifier:
    """Makes the Authentication-Results field of one message."""

    def __init__(self, settings: Resolver, authserv_id: str, memory: Memory | None = None) -> None:
        """``memory``: what large mails wait for. Blocks briefly (resolver configuration, public suffix list)."""
        self._resolver = make_blocking_resolver(settings)
        self._id = authserv_id
        self._memory = memory
        self._suffixes = PublicSuffixList()
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="verify")
        # both libraries offer no other way in
        spf.DNSLookup = _spf_lookup
        dkim.canonicalization.strip_trailing_whitespace = _stripped

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
        return job.result() if done else unknown_results(self._id)

    def check(self, data: bytes, peer: str, helo: str, mail_from: str) -> bytes:
        """The same, blocking for as long as name servers take."""
        try:
            results = self._results(data, peer, helo, mail_from)
        except Exception as error:
            log.warning("verification failed: %r", error)
            results = ["none"]
        return _field(self._id, results)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _results(self, data: bytes, peer: str, helo: str, mail_from: str) -> list[str]:
        _asking.resolver = self._resolver
        spf_result, spf_domain = self._spf(peer, helo, mail_from)
        identity = f"smtp.mailfrom={_safe(mail_from)}" if mail_from else f"smtp.helo={_safe(helo)}"
        results = [f"spf={spf_result} {identity}"]
        authors, alone = _authors(wire.split(data)[0])
        signatures = self._signatures(data, authors)
        results += [
            f"dkim={s.result} header.d={_safe(s.domain)} header.s={_safe(s.selector)}" for s in signatures
        ]
        if not signatures:
            results.append("dkim=none")
        if not authors:
            return [*results, "dmarc=permerror"]
        identifiers = [_Identifier(s.result, s.domain, "adkim") for s in signatures]
        if spf_domain is not None:
            identifiers.append(_Identifier(spf_result, spf_domain, "aspf"))
        outcomes = {author: self._dmarc(author, identifiers) for author in authors}
        # RFC 7489 §6.6.1: of several authors each must pass, and which of them wrote the mail is not known
        author, outcome = next(
            (one for one in outcomes.items() if one[1] == "fail"),
            (authors[0], outcomes[authors[0]] if alone else "permerror"),
        )
        return [*results, f"dmarc={outcome} header.from={_safe(author)}"]

    def _spf(self, peer: str, helo: str, mail_from: str) -> tuple[str, str | None]:
        try:
            query = spf.query(i=peer, s=mail_from, h=helo, strict=True, timeout=5, querytime=6)
            found = str(query.check()[0])
            domain = (mail_from or helo).rpartition("@")[2].lower()
        except Exception as error:  # hostile names reach deep into the library
            log.info("SPF: %r", error)
            return "permerror", None
        return (found if found in _SPF else "none"), domain

    def _signatures(self, data: bytes, authors: Sequence[str]) -> list[_Signature]:
        """The first signatures, those of the authors' organizations before all others: they decide about DMARC."""
        fields, rest = wire.split(data)
        raw = [one for one in fields if wire.name_of(one) == b"dkim-signature"]
        body = rest.removeprefix(b"\r\n") if raw else b""
        if body.count(b"\n") != body.count(b"\r\n"):
            body = _LINE_END.sub(b"\r\n", body)
        del rest
        tagged = [
            (at, _tags(one.partition(b":")[2].decode("ascii", "replace"))) for at, one in enumerate(raw)
        ]
        if len(tagged) > _SIGNATURES:
            organizations = {self._organization(one) for one in authors}
            domains = {tags.get("d", "").lower() for _, tags in tagged}
            near = {domain for domain in domains if self._organization(domain) in organizations}
            tagged.sort(key=lambda one: one[1].get("d", "").lower() not in near)
        return [
            _Signature(self._signature(body, at, tags, fields), tags.get("d", "").lower(), tags.get("s", ""))
            for at, tags in tagged[:_SIGNATURES]
        ]

    def _signature(self, body: bytes, index: int, tags: dict[str, str], fields: list[bytes]) -> str:
        if len(body) > _MAX_SIZE:
            return "temperror"
        # RFC 8301 §3.1 forbids rsa-sha1; l= signs only a part, to which anyone may append
        if tags.get("a", "").lower() not in ("rsa-sha256", "ed25519-sha256") or "l" in tags:
            return "policy"
        if sum(wire.name_of(one) == b"from" for one in fields) != 1:
            return "policy"
        silent = False

        def key(name: bytes, timeout: float = 3) -> bytes | None:
            nonlocal silent
            try:
                texts = self._texts(name.decode("ascii").rstrip("."))
            except dkim.DnsTimeoutError:  # dkimpy would call it a failure
                silent = True
                raise
            return texts[0].encode() if texts else None

        try:
            # the body by itself: dkimpy takes a whole message apart into lines, many times its size
            signed = dkim.DKIM(b"".join(fields) + b"\r\n", timeout=3)
            signed.body = body
            passed = signed.verify(index, key)
            return "pass" if passed else "temperror" if silent else "fail"
        except dkim.ValidationError:
            return "fail"
        except dkim.DnsTimeoutError:
            return "temperror"
        except Exception as error:
            log.info("DKIM: %r", error)
            return "permerror"

    def _texts(self, name: str) -> list[str]:
        try:
            answer = self._resolver.resolve(f"{name}.", "TXT", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise dkim.DnsTimeoutError(f"DNS {type(error).__name__}") from error
        return [b"".join(one.strings).decode("utf-8", "replace") for one in answer]

    def _dmarc(self, author: str, identifiers: Sequence[_Identifier]) -> str:
        """The result of DMARC (RFC 7489 §6.6.2). Where nothing passed and an aligned check could not be made for now,
        that is no failure: it is ``temperror``."""
        organization = self._organization(author)
        try:
            policy = self._policy(author) or (self._policy(organization) if organization != author else None)
        except dkim.DnsTimeoutError:
            return "temperror"
        if policy is None:
            return "none"
        if policy.get("p", "").lower() not in ("none", "quarantine", "reject"):
            return "permerror"

        def aligned(one: _Identifier) -> bool:
            if policy.get(one.mode, "r").lower() == "s":
                return one.domain == author
            return self._organization(one.domain) == organization

        results = {one.result for one in identifiers if aligned(one)}
        return "pass" if "pass" in results else "temperror" if "temperror" in results else "fail"

    def _policy(self, domain: str) -> dict[str, str] | None:
        found = [one for one in self._texts(f"_dmarc.{domain}") if re.match(r"v\s*=\s*DMARC1\s*(;|$)", one)]
        return _tags(found[0]) if len(found) == 1 else None  # RFC 7489 §6.6.3: several are none

    def _organization(self, domain: str) -> str:
        return str(self._suffixes.privatesuffix(domain) or domain)


def unknown_results(authserv_id: str) -> bytes:
    """The field of mail that could not be checked in time."""
    return _field(authserv_id, ["spf=temperror", "dkim=temperror", "dmarc=temperror"])


def _field(authserv_id: str, results: list[str]) -> bytes:
    lines = ";\r\n\t".join([authserv_id, *results])
    return f"Authentication-Results: {lines}\r\n".encode("ascii")


_SPF = frozenset({"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"})


def _safe(value: str) -> str:
    """A value that cannot end its token (RFC 8601 §2.2)."""
    return _TOKEN.sub("?", value)[:255] or '""'


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): "".join(value.split()) for name, equals, value in pairs if equals}


def _authors(fields: list[bytes]) -> tuple[list[str], bool]:
    """The domains that a mail names as its author's, the shown one first, and whether it names exactly one.

    Without an address in From the Sender is shown.
    """
    named = [field for field in fields if wire.name_of(field) == b"from"]
    shown = addresses(named[:1]) or addresses(one for one in fields if wire.name_of(one) == b"sender")
    domains = [_domain(one) for one in (*shown, *addresses(named[1:]))]
    known = list(dict.fromkeys(one for one in domains if one))
    return known[:_AUTHORS], len(named) == len(known) == 1 and "" not in domains


def _domain(address: str) -> str:
    try:
        return fold_domain(address.rpartition("@")[2])
    except MailServerError:
        return ""
