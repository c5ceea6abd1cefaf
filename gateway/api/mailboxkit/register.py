"""``POST /register``: makes an organization, an inbox and a key in one call, where the operator allows it."""

from __future__ import annotations

import msgspec

from gateway.api.mailboxkit.ids import shown_ulid
from gateway.api.routing import Call, NoQuery, Table
from gateway.core.access import OPEN
from gateway.core.accounts.register import register

table = Table("register")

PREFIX = "mbk_"


class Registration(msgspec.Struct):
    """``name``: of the agent. ``owner_email``: the address of the person responsible for it."""

    name: str
    owner_email: str


class RegisteredView(msgspec.Struct):
    """The new inbox and key, not wrapped in ``data``. Only this answer shows ``api_key``."""

    api_key: str
    email: str
    inbox_id: str
    owner_email: str
    message: str


@table.post("/register", status=201, max_body=65_536, access=OPEN)
async def register_agent(call: Call[Registration, NoQuery]) -> RegisteredView:
    """Register an organization with an inbox and an API key; no key is needed.

    Refused (403) unless the setting ``register.enabled`` is on. Limits: 5 an hour for an IP address, 3 for an owner.
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
