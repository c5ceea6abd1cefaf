"""The suppression list of an organization (contract: OpenMail §11): whom no inbox of it writes to any more.

Hard bounces, complaints and one-click unsubscribes put addresses there by themselves; people with an account-wide
key add, list and remove. Nothing else takes an address off: not time, not the deletion of the inbox that wrote to it,
and not a mail from that person, who may well answer one mail and want no more of the others. (One exception: a bounced
address of our own at which an inbox is made.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.core.context import Core
from gateway.core.errors import Forbidden, Invalid, NotFound, Rejected
from gateway.core.lookup import require
from gateway.core.text import clean_text
from gateway.mime.addresses import InvalidAddress, check_address, normalise
from gateway.records.suppressions import Suppression, SuppressionType
from gateway.store import suppressions
from gateway.store.listing import Listing, Window
from gateway.store.scope import Scope
from gateway.store.suppressions import TYPES

_WHY = {
    "bounce": "mail to it came back for good",
    "unsub": "it unsubscribed",
    "complaint": "it complained about mail as unwanted",
}


def suppressed_error(
    found: Mapping[str, SuppressionType], recipients: Sequence[tuple[str, str]]
) -> Rejected | None:
    """The refusal of (field, address) pairs of which one is among the suppressed addresses."""
    for field, address in recipients if found else ():
        kind = found.get(normalise(address))
        if kind is not None:
            return Rejected(
                f"{address} is suppressed: {_WHY[kind]}",
                field=field,
                code="recipient_suppressed",
                facts={"type": kind},
                fix="leave it out; if it does want mail again, remove it with "
                "DELETE /v1/suppressions/{address}",
            )
    return None


async def add(
    core: Core, scope: Scope, address: str, type: str = "unsub", *, reason: str | None = None
) -> tuple[Suppression, bool]:
    """Suppress an address; answers its entry and whether it is new. A graver type replaces one that is there."""
    _account(scope, "list_entry_create")
    email = _address(address)
    kind = _type(type)
    reason = clean_text(reason, "reason", 1000)
    return await core.store.write(
        lambda tx: suppressions.suppress(tx, scope.organization, email, kind, reason=reason)
    )


async def list_suppressions(
    core: Core, scope: Scope, window: Window, *, type: str | None = None
) -> Listing[Suppression]:
    """The suppressed addresses, newest first; ``type``: only these."""
    _account(scope, "list_entry_read")
    kind = None if type is None else _type(type)
    return await core.store.read(lambda tx: suppressions.list_suppressions(tx, scope, window, kind))


async def get(core: Core, scope: Scope, address: str) -> Suppression:
    """The entry of an address. Raises NotFound."""
    _account(scope, "list_entry_read")
    row = await core.store.read(lambda tx: suppressions.find(tx, scope.organization, _reference(address)))
    if row is None:
        raise _unknown(address)
    return row


async def remove(core: Core, scope: Scope, address: str) -> None:
    """Take an address off the list: it may be written to again. Raises NotFound."""
    _account(scope, "list_entry_delete")

    reference = _reference(address)
    if not await core.store.write(lambda tx: suppressions.remove(tx, scope.organization, reference)):
        raise _unknown(address)


def _account(scope: Scope, permission: str) -> None:
    require(scope, permission)
    if scope.kind != "organization":
        raise Forbidden(
            f"a key of one {scope.kind} may not do this: suppressions hold for the whole account",
            fix="use an account-wide key",
        )


def _address(text: str) -> str:
    try:
        return check_address(text.strip())
    except InvalidAddress as error:
        raise Invalid(f"address: {error}", field="address", fix="write name@example.com") from error


def _type(text: str) -> SuppressionType:
    for one in TYPES:
        if one == text:
            return one
    raise Invalid(
        "type takes bounce, complaint or unsub", field="type", fix="write one of bounce, complaint, unsub"
    )


def _reference(text: str) -> str:
    """An address as it is looked up; one nobody could have added matches nothing."""
    try:
        return normalise(check_address(text.strip()))
    except InvalidAddress:
        return ""


def _unknown(address: str) -> NotFound:
    return NotFound(
        f"{address[:320]!r} is not suppressed", fix="GET /v1/suppressions lists what is suppressed"
    )
