"""Account-wide API keys. Upstream has them in its dashboard; shapes as on its docs' branch (contract §2)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.openmail.api_keys import PREFIX
from gateway.api.openmail.resource_views import AccountKeysView, AccountKeyView, account_key_view
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, changes, reads
from gateway.core.accounts import held_keys
from gateway.core.accounts.held_keys import Holder
from gateway.core.errors import Invalid

table = Table("api-keys")

_ACCOUNT = Holder()


class CreateAccountKey(msgspec.Struct):
    """An account-wide key to make."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


@table.post("/api-keys", status=201, access=changes("api_key_create", kinds=ORGANIZATION, test="any"))
async def create_account_key(call: Call[CreateAccountKey, NoQuery]) -> AccountKeyView:
    """Make an account-wide key; ``key`` is shown here and never again."""
    if not call.body.name.strip():
        raise Invalid("name is blank", field="name", fix="give the key a name")
    row, key = await held_keys.mint(call.core, call.scope, _ACCOUNT, name=call.body.name, prefix=PREFIX)
    return account_key_view(row, key)


@table.get("/api-keys", access=reads("api_key_read", kinds=ORGANIZATION))
async def list_account_keys(call: Call[NoBody, NoQuery]) -> AccountKeysView:
    """List the account-wide keys."""
    rows = await held_keys.held(call.core, call.scope, _ACCOUNT)
    return AccountKeysView([account_key_view(row) for row in rows])


@table.delete("/api-keys/{key_id}", access=changes("api_key_delete", kinds=ORGANIZATION, test="own"))
async def delete_account_key(call: Call[NoBody, NoQuery]) -> None:
    """Revoke an account-wide key; again is 204 again."""
    await held_keys.revoke(call.core, call.scope, _ACCOUNT, call.ids["key_id"], again=True)
