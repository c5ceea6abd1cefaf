"""Agents that sign up by themselves, where the operator allows it (setting ``register.enabled``)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.routing import Call, NoQuery, Table
from gateway.core.access import OPEN, ORGANIZATION, changes, reads
from gateway.core.accounts import owner_code
from gateway.core.accounts.keys import AGENTMAIL
from gateway.core.accounts.register import MAX_NAME, register
from gateway.core.errors import Missing

table = Table("agent")

Doc = msgspec.Meta


class SignUp(msgspec.Struct):
    """An agent that signs up."""

    username: Annotated[str, Doc(description="name of its inbox in the platform's domain")]
    human_email: Annotated[
        str | None, Doc(description="address of the person responsible for it, who gets a code; required")
    ] = None


class SignedUp(msgspec.Struct):
    """The new organization with its inbox. Only this answer shows ``api_key``."""

    organization_id: str
    inbox_id: str
    api_key: str


class AttachHuman(msgspec.Struct):
    """The person responsible for the agent."""

    human_email: Annotated[str, Doc(description="the address that the organization was registered with")]


class HumanAttached(msgspec.Struct):
    """The code is on its way to the person."""

    human_email: str
    instructions: str


class Verify(msgspec.Struct):
    """What the person read in the mail."""

    otp_code: Annotated[str, Doc(description="the six digits")]


class Verified(msgspec.Struct):
    """The code was right."""

    verified: bool


@table.post("/agent/sign-up", status=201, max_body=65_536, access=OPEN)
async def sign_up(call: Call[SignUp, NoQuery]) -> SignedUp:
    """Sign an agent up: an organization with an inbox and an API key; no key is needed.

    Refused (403) unless the setting `register.enabled` is on; limited by IP address and by person. A repeat makes
    another organization: a key is never given to who only knows an address.
    """
    body, client = call.body, call.request.client
    username = body.username.strip()
    if not username:
        raise Missing("username")
    if not body.human_email:
        raise Missing("human_email")
    made = await register(
        call.core,
        name=username[:MAX_NAME],
        owner_email=body.human_email,
        address=client.host if client else None,
        prefix=AGENTMAIL,
        username=username,
        owner_field="human_email",
    )
    await owner_code.mail_code(call.core, made.organization, made.inbox)
    call.headers["Cache-Control"] = "no-store"
    return SignedUp(made.organization.public_id, made.inbox.address, made.key)


@table.post("/agent/human", access=changes(kinds=ORGANIZATION))
async def attach_human(call: Call[AttachHuman, NoQuery]) -> HumanAttached:
    """Mail the person responsible the code of today again, at most three times a day.

    `human_email` must be the address of the sign-up: who is responsible does not change. Refused (403) unless the
    setting `register.enabled` is on.
    """
    address = await owner_code.mail_again(call.core, call.scope, call.body.human_email)
    return HumanAttached(
        address,
        "Ask the person for the six digits in the mail, and give them to POST /agent/verify as otp_code.",
    )


@table.post("/agent/verify", access=reads(kinds=ORGANIZATION))
async def verify(call: Call[Verify, NoQuery]) -> Verified:
    """Give the code back that the person responsible got by mail.

    It shows that the address is read. Nothing depends on it: what the key may do stays the same.
    """
    await owner_code.check_code(call.core, call.scope, call.body.otp_code)
    return Verified(True)
