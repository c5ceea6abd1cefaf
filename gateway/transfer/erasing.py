"""Erasing a person, an inbox or an organization, with a report of what went and what could not.

It runs inside the gateway, behind the operator's door: only there are the keys that are remembered, the mail server
and the outbox at hand. Mail goes first, on the mail server; rows follow; then what was deleted is made unreadable
(``store.erase``, and the mail server's caches of headers). Each step may be repeated, so a broken-off erasure is run
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from gateway.core.context import Core
from gateway.core.domains import domains
from gateway.core.drafts import drafts
from gateway.core.errors import Conflict, CoreError, Invalid, NotFound, Unavailable
from gateway.core.inboxes import inboxes
from gateway.core.mail.delete import delete_messages
from gateway.records.ids import DRAFT_ID, MESSAGE_ID, ORGANIZATION_ID, MessageId, OrganizationId
from gateway.records.inboxes import Inbox
from gateway.store.erase import erase_deleted
from gateway.store.queries.domains import domain_names_of
from gateway.store.queries.erasure import remove_organization_rows
from gateway.store.queries.inboxes import unscoped_inbox_at, unscoped_inboxes_of, unscoped_lasting_inbox
from gateway.store.queries.mailbox_index import indexed_message_count, indexed_messages
from gateway.store.queries.organizations import unscoped_first_organization_id, unscoped_organization_ids
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from gateway.transfer import erase_find, erase_rows, erase_trace
from gateway.transfer.erase_files import files_holding
from gateway.transfer.erase_find import Found, Person

_BATCH = 100
_PATIENCE = 20
_MERGE_SECONDS = 600.0

Report = dict[str, Any]


async def erase_person(
    core: Core, address: str, *, organization: str | None, dry_run: bool, mentions: bool, scan_mail: bool
) -> AsyncIterator[Report]:
    """Erase everything of one address; yields ``{"progress": …}`` and at last ``{"report": …}``.

    ``organization``: only there. ``mentions``: other people's messages that speak of them too. Raises Invalid.
    """
    try:
        person = erase_find.person_of(address)
    except ValueError as error:
        raise Invalid(str(error), field="person") from None
    chosen = await core.store.read(partial(_organizations, wanted=organization))
    found = await core.store.read(partial(erase_find.find, person=person, organizations=chosen))
    if mentions:
        for inbox, ids in found.mentions.items():
            found.messages.setdefault(inbox, []).extend(ids)
        found.mentions = {}
    report: Report = {
        "person": person.address,
        "dry_run": dry_run,
        "organizations": [ORGANIZATION_ID.public(one) for one in chosen],
        "found": {
            "messages": sum(map(len, found.messages.values())),
            "inboxes": len(found.messages),
            "mentions": sum(map(len, found.mentions.values())),
            "drafts": sum(map(len, found.drafts.values())),
            "events": len(found.events),
        },
        "erased": {},
        "not_erased": [],
    }
    if not dry_run:
        async for step in _erase(core, person, chosen, found, report):
            yield {"progress": step}
    await _leftovers(core, person, found, report, scan_mail=scan_mail)
    yield {"report": report}


async def _erase(
    core: Core, person: Person, chosen: Sequence[OrganizationId], found: Found, report: Report
) -> AsyncIterator[str]:
    erased: dict[str, int] = {"messages": 0, "drafts": 0}
    for inbox_id in found.messages.keys() | found.drafts.keys():
        inbox = await core.store.read(partial(unscoped_lasting_inbox, inbox_id=inbox_id))
        if inbox is None:
            continue
        yield str(inbox.address)
        scope = Scope(organization=inbox.organization_id)
        for draft in found.drafts.get(inbox_id, ()):
            try:
                await drafts.delete_draft(core, scope, inbox.address, DRAFT_ID.public(draft))
                erased["drafts"] += 1
            except NotFound:
                pass
            except CoreError as error:
                report["not_erased"].append(
                    f"draft {DRAFT_ID.public(draft)} of {inbox.address}: {error.message}"
                )
        erased["messages"] += await _messages(core, scope, inbox, found.messages.get(inbox_id, []), report)
        await core.mail.purge(inbox.address)
    messages = [one for ids in found.messages.values() for one in ids]
    erased |= await core.store.write(partial(erase_rows.erase_events, events=found.events, messages=messages))
    erased |= await core.store.write(partial(erase_rows.erase_lists, person=person, organizations=chosen))
    yield "making it unreadable on disk"
    if not await erase_deleted(core.store, _MERGE_SECONDS):
        report["not_erased"].append(
            "the database was too busy to rewrite all freed space: run the command again when it is quiet"
        )
    report["erased"] = erased


async def _messages(core: Core, scope: Scope, inbox: Inbox, ids: Sequence[MessageId], report: Report) -> int:
    """Delete messages on the mail server and here; answers how many."""
    done = 0
    for start in range(0, len(ids), _BATCH):
        batch = list(ids[start : start + _BATCH])
        for _ in range(_PATIENCE):  # what is being handed over at this moment is settled in a moment
            busy = await core.store.write(partial(erase_rows.withdraw, messages=batch))
            if not busy:
                break
            await asyncio.sleep(0.5)
        else:
            report["not_erased"] += [
                f"message {MESSAGE_ID.public(one)} is being sent: run the command again" for one in busy
            ]
            batch = [one for one in batch if one not in busy]
        there = await core.store.read(partial(indexed_messages, message_ids=batch))
        try:
            done += await delete_messages(
                core, scope, inbox.address, [MESSAGE_ID.public(one) for one in there]
            )
        except NotFound:  # deleted by somebody meanwhile: one by one
            for one in there:
                try:
                    done += await delete_messages(core, scope, inbox.address, [MESSAGE_ID.public(one)])
                except NotFound:
                    pass
        except Unavailable as error:
            report["not_erased"].append(f"{len(there)} messages of {inbox.address}: {error.message}")
    return done


async def _leftovers(core: Core, person: Person, found: Found, report: Report, *, scan_mail: bool) -> None:
    """Say what is left, by looking, and what cannot be looked at."""
    left = await core.store.read(partial(erase_trace.left_in_rows, person=person))
    files = await files_holding(core.data_dir, person, mail=scan_mail)
    report["left"] = {"rows": left, "files": files, "mailboxes_searched": scan_mail}
    report["mentions"] = {
        inbox: [MESSAGE_ID.public(one) for one in ids] for inbox, ids in found.mentions.items()
    }
    notes = report["not_erased"]
    if await core.store.read(lambda tx: unscoped_inbox_at(tx, person.address)):
        notes.append(f"{person.address} is an inbox here: `postern erase --inbox {person.address}` erases it")
    if found.mentions:
        count = report["found"]["mentions"]
        notes.append(f"{count} messages of other people mention the address: --mentions erases them too")
    if left.get("organization.owner_email"):
        notes.append("the address owns an organization here: `postern erase --organization` erases it")
    notes += _alias(left, person) + _beyond(core)


def _alias(left: dict[str, int], person: Person) -> list[str]:
    """An alias stays: without it a catch-all would take the address's mail."""
    if "alias.address" not in left:
        return []
    return [
        f"the address is an alias or refused here: `postern alias remove {person.address}` takes that away"
    ]


def _beyond(core: Core) -> list[str]:
    notes = [
        "backups and exports made before this hold it until they are deleted",
        "logs (journalctl; files named under left) hold addresses until they are rotated away",
        "mail that others received, and what webhooks received before, is not in this gateway's hands",
        "inside attachments and encoded parts of other people's mail the address is not looked for",
    ]
    if core.settings.mail.server == "postfix_dovecot":
        notes.append(
            "mail to or from the address that waits in Postfix: `postqueue -p` lists, `postsuper -d` deletes"
        )
    return notes


async def erase_inbox(core: Core, address: str, *, dry_run: bool) -> AsyncIterator[Report]:
    """Erase an inbox of any organization with all its mail. Raises NotFound."""
    row = await core.store.read(lambda tx: unscoped_inbox_at(tx, address))
    if row is None:
        raise NotFound(f"there is no inbox {address[:320]!r}", fix="`postern inbox list` names them")
    person = erase_find.person_of(row.address)
    count = await core.store.read(partial(indexed_message_count, inbox_id=row.id))
    report: Report = {
        "inbox": row.address,
        "dry_run": dry_run,
        "found": {"messages": count},
        "not_erased": [],
    }
    if not dry_run:
        yield {"progress": row.address}
        await inboxes.delete(core, Scope(organization=row.organization_id), row.address)
        await erase_deleted(core.store, _MERGE_SECONDS)
        report["erased"] = {"messages": count, "inboxes": 1}
    left = await core.store.read(partial(erase_trace.left_in_rows, person=person))
    files = await files_holding(core.data_dir, person, mail=False)
    report["left"] = {"rows": left, "files": files, "mailboxes_searched": False}
    if left and not dry_run:
        report["not_erased"].append(
            f"other inboxes hold mail with this address, and an event says it was deleted: `postern erase --person "
            f"{row.address}` erases those too"
        )
    report["not_erased"] += _alias(left, person) + _beyond(core)
    yield {"report": report}


async def erase_organization(core: Core, ref: str, *, dry_run: bool) -> AsyncIterator[Report]:
    """Erase an organization with its inboxes, domains, keys and webhooks. Raises NotFound, Conflict."""
    [organization] = await core.store.read(partial(_organizations, wanted=ref))
    first = await core.store.read(unscoped_first_organization_id)
    if organization == first:
        raise Conflict(
            "this is the gateway's own organization",
            fix="erase its inboxes one by one, or remove the data directory",
        )
    rows = await core.store.read(lambda tx: unscoped_inboxes_of(tx, organization))
    names = await core.store.read(lambda tx: domain_names_of(tx, organization))
    report: Report = {
        "organization": ORGANIZATION_ID.public(organization),
        "dry_run": dry_run,
        "found": {"inboxes": [row.address for row in rows], "domains": names},
        "not_erased": [],
    }
    if not dry_run:
        scope = Scope(organization=organization)
        for row in rows:
            yield {"progress": row.address}
            await inboxes.delete(core, scope, row.address)
        for name in names:
            await domains.delete(core, scope, name)
        report["erased"] = await core.store.write(
            partial(remove_organization_rows, organization=organization)
        )
        core.keys.forget()
        await erase_deleted(core.store, _MERGE_SECONDS)
    report["not_erased"] += _beyond(core)
    yield {"report": report}


def _organizations(tx: Tx, wanted: str | None) -> list[OrganizationId]:
    ids = unscoped_organization_ids(tx)
    if wanted is None:
        return ids
    found = ORGANIZATION_ID.parse(wanted)
    if found is None or found not in ids:
        raise NotFound(f"there is no organization {wanted[:100]!r}", fix="give its id (org_…)")
    return [found]
