"""What a label change means on the mail server, worked out first and then done on one connection.

A plan says, for one message, which flags to set and clear on its copies, and to which folder they go.
Everything is safe to repeat, as ``ImapPool.run`` asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.core.errors import Invalid
from gateway.core.mail.server_copy import open_folder
from gateway.records.folders import Copy
from gateway.records.ids import MessageId
from gateway.store import labels as labelling
from gateway.sync.fetch import folder_roles
from mailserver.imap import Client, checked

NAMES = {
    "inbox": "INBOX",
    "junk": "Junk",
    "trash": "Trash",
    "archive": "Archive",
    "sent": "Sent",
    "drafts": "Drafts",
}
_BAD_FOLDER = re.compile(r"[\x00-\x1f\x7f*%\\\"~]|\.\.|^/|/$|//|^\s|\s$")


@dataclass(frozen=True, slots=True)
class Plan:
    """One message's change. ``target``: a role (``trash``) or ``folder:NAME``; None: it stays in its folder."""

    message_id: MessageId
    copies: tuple[Copy, ...]
    add: tuple[str, ...]
    remove: tuple[str, ...]
    target: str | None
    labels: frozenset[str]


@dataclass(slots=True)
class Moved:
    """Where messages went. ``uids`` maps (old folder, old UID) to the new UID; may be empty (no UIDPLUS)."""

    folder: str
    role: str
    uidvalidity: int = 0
    uids: dict[tuple[str, int], int] = field(default_factory=dict)


def label_of_folder(role: str, folder: str) -> str | None:
    """The label that a message in this folder has."""
    if role in labelling.FOLDER_LABELS:
        return labelling.FOLDER_LABELS[role]
    return f"folder:{folder}" if role == "other" else None


def names_folder(label: str) -> bool:
    """Whether a label names a folder."""
    return label in labelling.LABEL_FOLDERS or label.startswith("folder:")


def make_plan(
    message_id: MessageId,
    direction: str,
    copies: Iterable[Copy],
    current: frozenset[str],
    wanted: frozenset[str],
) -> Plan:
    """The plan that turns the labels ``current`` into ``wanted``. Raises Invalid for two folders at once."""
    copies = tuple(copies)
    here = label_of_folder(copies[0].role, copies[0].folder) if copies else None
    here = here or next((label for label in sorted(current) if names_folder(label)), None)
    folders = {label for label in wanted if names_folder(label)}
    new = folders - {here}
    if len(new) > 1:
        raise Invalid(
            f"a message is in one folder, these labels name several: {', '.join(sorted(new))}",
            field="labels",
            fix="give one of spam, trash, archive or folder:NAME",
        )
    target = None
    if new:
        label = next(iter(new))
        target = labelling.LABEL_FOLDERS.get(label, label)
        wanted = wanted - folders | {label}
    elif here is not None and here not in wanted:
        target = "inbox" if direction == "inbound" else "sent"
    add, remove = [], []
    for label in sorted(wanted):
        if label not in labelling.SYSTEM and not names_folder(label):
            add.append(labelling.to_keyword(label))
    flags = {flag for copy in copies for flag in copy.flags}
    keywords = {labelling.to_keyword(one) for one in current if not names_folder(one)} | flags
    done = {one.lower() for one in add}
    for keyword in sorted(keywords):
        label = labelling.from_keyword(keyword) or ""
        if label and label not in labelling.SYSTEM and keyword.lower() not in done:
            # each once, whatever its case: Dovecot leaves a later keyword of a -FLAGS that names one twice
            done.add(keyword.lower())
            remove.append(keyword)
    (add if "starred" in wanted else remove).append("\\Flagged")
    if direction == "inbound":
        (remove if "unread" in wanted else add).append("\\Seen")
        (remove if "received" in wanted else add).append(labelling.NOT_RECEIVED)
    else:
        (add if "unread" in wanted else remove).append(labelling.NOT_SEEN)
    return Plan(message_id, copies, tuple(add), tuple(remove), target, wanted)


def changed_flags(flags: Iterable[str], plan: Plan) -> str:
    """The flags column of a location after the plan."""
    gone = {one.lower() for one in plan.remove}
    kept = [one for one in flags if one.lower() not in gone]
    known = {one.lower() for one in kept}
    return " ".join(kept + [one for one in plan.add if one.lower() not in known])


def carry_out(client: Client, plans: Iterable[Plan]) -> dict[str, Moved]:
    """STORE and MOVE what the plans say; answers by target where the messages went.

    Copies whose folder was made anew (another UIDVALIDITY) are left alone: the sync reads them again.
    """
    stores: dict[tuple[str, int], dict[tuple[tuple[str, ...], tuple[str, ...]], list[int]]] = {}
    moves: dict[str, dict[str, list[int]]] = {}
    for plan in plans:
        for copy in plan.copies:
            group = stores.setdefault((copy.folder, copy.uidvalidity), {})
            group.setdefault((plan.add, plan.remove), []).append(copy.uid)
            if plan.target is not None:
                moves.setdefault(plan.target, {}).setdefault(copy.folder, []).append(copy.uid)
    usable = set()
    for (folder, validity), group in stores.items():
        if not open_folder(client, folder, validity):
            continue
        usable.add(folder)
        for (add, remove), uids in group.items():
            if add:
                client.add_flags(uids, list(add), silent=True)
            if remove:
                client.remove_flags(uids, list(remove), silent=True)
    went: dict[str, Moved] = {}
    for target, sources in moves.items():
        moved = went[target] = _folder_for(client, target)
        for folder, uids in sources.items():
            if folder in usable and folder != moved.folder:
                _move(client, folder, uids, moved)
    return went


def _folder_for(client: Client, target: str) -> Moved:
    found = folder_roles(client)
    if target.startswith("folder:"):
        name = target.removeprefix("folder:")
        if name not in found:
            client.create_folder(checked(name))
            client.subscribe_folder(name)
        return Moved(name, "other")
    name = next((name for name, role in found.items() if role == target), NAMES[target])
    if name != "INBOX" and name not in found:
        client.create_folder(name)
        client.subscribe_folder(name)
    return Moved(name, target)


def _move(client: Client, folder: str, uids: list[int], moved: Moved) -> None:
    client.open(folder)
    client._imap.untagged_responses.pop("COPYUID", None)
    if client.has_capability("MOVE"):
        client.move(uids, moved.folder)
    else:  # RFC 6851 §3.3: the same in three steps
        client.copy(uids, moved.folder)
        client.add_flags(uids, [b"\\Deleted"], silent=True)
        client.uid_expunge(uids)
    for raw in client._imap.untagged_responses.pop("COPYUID", None) or []:
        validity, source, copy = raw.decode("ascii", "replace").split()[:3]
        moved.uidvalidity = int(validity)
        for old, new in zip(_expand(source), _expand(copy), strict=False):
            moved.uids[(folder, old)] = new


def _expand(text: str) -> list[int]:
    """A UID set of COPYUID (RFC 4315 §3): ``4,7:9``."""
    found: list[int] = []
    for one in text.split(","):
        low, _, high = one.partition(":")
        if low.isdigit() and (not high or high.isdigit()):
            found += range(int(low), min(int(high or low), int(low) + 100_000) + 1)
    return found


def check_folder(name: str) -> str:
    """A folder name a label may give. Raises Invalid."""
    reserved = {"reports", *(one.lower() for one in NAMES.values())}
    if not name or len(name) > 200 or _BAD_FOLDER.search(name) or name.lower() in reserved:
        raise Invalid(
            f"folder:{name[:60]} names no folder of your own",
            field="labels",
            fix="use another name; spam, trash and archive have labels of their own",
        )
    return name
