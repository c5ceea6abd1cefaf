"""``POST /register``: from nothing to an inbox and a key in one call, where the operator allows it."""

from __future__ import annotations

import msgspec

from gateway.api.mailboxkit.ids import shown_ulid
from gateway.api.routing import Call, NoQuery, Table
from gateway.core.access import OPEN
from gateway.core.accounts.register import register

table = Table("register")

PREFIX = "mbk_"


class Registration(msgspec.Struct):
    """``name`` is the agent's, ``owner_email`` that of the person behind it."""

    name: str
    owner_email: str


class RegisteredView(msgspec.Struct):
    """Flat, unlike any other answer. ``api_key`` is shown here and never again."""

    api_key: str
    email: str
    inbox_id: str
    owner_email: str
    message: str


@table.post("/register", status=201, max_body=65_536, access=OPEN)
async def register_agent(call: Call[Registration, NoQuery]) -> RegisteredView:
    """Register an organization with an inbox and an API key; no key is needed.

    Refused (403) unless the server's setting ``register.enabled`` is on. At most 5 an hour from one IP address and 3
    for one owner.
    """
    client = call.request.client
    made = await register(
        call.core,
        name=call.body.name,
        owner_email=call.body.owner_email,
        address=client.host if client else None,
        prefix=PREFIX,
    )
    call.headers["Cache-Control"] = "no-store"
    return RegisteredView(
        api_key=made.key,
        email=made.inbox.address,
        inbox_id=shown_ulid(made.inbox.id),
        owner_email=made.organization.owner_email or "",
        message="Save your API key — it will not be shown again.",
    )
