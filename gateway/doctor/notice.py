"""A mail to postmaster@ about what is wrong, for the daily timer.

It goes to Dovecot by LMTP, past gateway, queue and Postfix: it arrives while any of these is down, and with port 25
closed. ``DATA/doctor.json`` remembers what the last mail spoke of. There is a new one when something else fails, at
most once a day, and again after a week while the same things fail.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path

from gateway.doctor.context import Scene
from gateway.doctor.finding import Finding
from gateway.doctor.run_checks import Report
from gateway.store.queries.aliases import unscoped_alias_table
from gateway.store.queries.inboxes import unscoped_inbox_at
from gateway.store.transaction import Tx
from mailserver.addresses import fold_domain
from mailserver.smtp_client import Pool, Recipient, Target, Timeouts, Transaction, deliver

NAME = "doctor.json"

_DAY = 20 * 3600.0  # the timer's runs are up to half an hour less than a day apart
_WEEK = 7 * 24 * 3600.0 - 4 * 3600.0
_TIMEOUTS = Timeouts(connect=10, command=20, data=60)


class NotMailed(Exception):
    """The mail could not be delivered; the text says why, and what to do."""


Failure = tuple[str, str]
"""Check and subject of a finding that is a FAIL. Its text is left out: it has figures that change every day."""


@dataclass(frozen=True, slots=True)
class Mailed:
    """The last mail: when it was (Unix time), and which of its failures have been there ever since."""

    at: float
    failures: frozenset[Failure]


def failures_of(reports: Sequence[Report]) -> frozenset[Failure]:
    """What fails."""
    return frozenset((one.check, finding.subject) for one in reports for finding in _failing(one))


def is_due(last: Mailed | None, failures: frozenset[Failure], now: float) -> bool:
    """Whether a mail is to be sent now: see the module."""
    if not failures:
        return False
    if last is None or not 0 <= now - last.at < _WEEK:  # a clock that was put back must not silence us
        return True
    return bool(failures - last.failures) and now - last.at >= _DAY


async def mail_postmaster(scene: Scene, reports: Sequence[Report], lmtp: Path) -> str:
    """Mail what fails to postmaster@ if a mail is due.

    Args:
        lmtp: Dovecot's LMTP socket.

    Returns:
        The address the mail went to; empty when none was due.

    Raises:
        NotMailed: Dovecot does not answer or refuses; the next run tries again.
        OSError: ``DATA/doctor.json`` cannot be read or written.
    """
    path = scene.data_dir / NAME
    last, failures, now = _read(path), failures_of(reports), time.time()
    if not is_due(last, failures, now):
        if last is not None and last.failures - failures:
            _write(path, Mailed(last.at, last.failures & failures))  # what comes back is new again
        return ""
    address = f"postmaster@{fold_domain(scene.settings.mail.domain)}"
    await _deliver(scene, address, compose(scene.hostname, address, reports), lmtp)
    _write(path, Mailed(now, failures))
    return address


def compose(hostname: str, address: str, reports: Sequence[Report]) -> bytes:
    """The mail: what fails with its fix, then what is of note, then how often it comes."""
    failing = [(one.check, finding) for one in reports for finding in _failing(one)]
    warnings = [
        (one.check, finding) for one in reports for finding in one.findings if finding.level == "warn"
    ]
    names = ", ".join(dict.fromkeys(check for check, _ in failing))
    message = EmailMessage(policy=SMTP)
    message["From"] = f"Postern doctor <{address}>"
    message["To"] = address
    message["Subject"] = f"Postern on {hostname}: {len(failing)} wrong ({names})"[:200]
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid("doctor", hostname)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers
    message.set_content(
        "\n".join(
            [
                f"`postern doctor` on {hostname} found what keeps mail from flowing:",
                "",
                *(line for check, one in failing for line in _lines(check, one)),
                *(["Of note:", ""] if warnings else []),
                *(line for check, one in warnings for line in _lines(check, one)),
                "`postern doctor` on the server shows how things are now.",
                "You get this mail when something else fails, once a day at most, and again after a week while the",
                "same things fail.",
            ]
        )
        + "\n",
        cte="quoted-printable",
    )
    return message.as_bytes()


def _lines(check: str, one: Finding) -> list[str]:
    lines = [f"{one.level.upper()}  {check}  {_plain(one.subject)}: {_plain(one.text)}"]
    return [*lines, *([f"      fix: {_plain(one.fix)}"] if one.fix else []), ""]


def _plain(text: str) -> str:
    """On one line: some of it was said by strangers' servers."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _failing(report: Report) -> list[Finding]:
    return [one for one in report.findings if one.level == "fail"]


async def _deliver(scene: Scene, address: str, message: bytes, lmtp: Path) -> None:
    recipients = [Recipient(one) for one in await _recipients(scene, address)]
    pool = Pool(scene.hostname, timeouts=_TIMEOUTS)
    try:
        target = Target(unix=str(lmtp), lmtp=True, name="dovecot")
        answers = await deliver(pool, target, Transaction("", recipients, message))
    finally:
        await pool.close()
    refused = [reply for reply in answers.values() if not reply.ok]
    if len(refused) < len(answers):
        return
    reply = refused[0]
    if reply.code == 550:
        raise NotMailed(f"nobody takes the mail of {address}: postern inbox create {address}")
    raise NotMailed(f"Dovecot did not take the mail for {address}: {reply.code} {reply.text}")


async def _recipients(scene: Scene, address: str) -> list[str]:
    """The mailboxes behind the address; the address itself, which Dovecot looks up, when the database does not say."""

    def read(tx: Tx) -> list[str]:
        if unscoped_inbox_at(tx, address):
            return [address]
        table = unscoped_alias_table(tx)
        return table.get(address) or table.get("@" + address.rpartition("@")[2]) or [address]

    try:
        found = await scene.read(read)
    except Exception:  # a broken database is what this mail may be about
        return [address]
    return [one for one in found if one] or [address]


def _read(path: Path) -> Mailed | None:
    try:
        held = json.loads(path.read_text("utf-8"))
        return Mailed(
            float(held["at"]), frozenset((str(check), str(what)) for check, what in held["failures"])
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None  # not ours, or cut short: mail again


def _write(path: Path, value: Mailed) -> None:
    temporary = path.with_name(f".{path.name}.new")
    text = json.dumps({"at": value.at, "failures": sorted(value.failures)}, ensure_ascii=False)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        if os.geteuid() == 0:  # the unit runs as the directory's owner, and must find its own file
            owner = path.parent.stat()
            os.fchown(out.fileno(), owner.st_uid, owner.st_gid)
        out.write(text + "\n")
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, path)
