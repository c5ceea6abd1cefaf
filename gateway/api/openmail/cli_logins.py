"""Approving a program that signs in with a code (``gateway.api.cli_auth``)."""

from __future__ import annotations

import msgspec

from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import iso_of
from gateway.core.access import ORGANIZATION, changes
from gateway.core.accounts import cli_login

table = Table("sign-in")


class LoginView(msgspec.Struct, rename="camel"):
    """A sign-in that was approved; ``origin`` tells the address and program that asked."""

    user_code: str
    origin: str
    requested_at: str
    expires_at: str


@table.post("/cli-logins/{code}/approve", access=changes("api_key_create", kinds=ORGANIZATION))
async def approve(call: Call[NoBody, NoQuery]) -> LoginView:
    """Let the program that shows this code fetch a key of its own, which grants what this one does."""
    row = await cli_login.approve(call.core, call.scope, call.ids["code"])
    return LoginView(row.user_code, row.origin, iso_of(row.created_at), iso_of(row.expires_at))
