"""API keys (contract, "Endpoints" and "Sandbox"): shown once, masked afterwards."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.mailboxkit.inboxes import required_name
from gateway.api.mailboxkit.listing import Data, PageQuery, Rows, listed, window_of
from gateway.api.mailboxkit.resource_views import ApiKeyView, NewApiKeyView, api_key_view
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import changes, reads
from gateway.core.accounts import keys

table = Table("api_keys")

LIVE, TEST = "mbk_live_", "mbk_test_"


class CreateApiKey(msgspec.Struct):
    """An API key to make."""

    name: str
    test: Annotated[
        bool, msgspec.Meta(description="sandbox: what it sends is recorded and never delivered")
    ] = False


@table.post("/api_keys", status=201, access=changes("api_key_create", test="any"))
async def create_api_key(call: Call[CreateApiKey, NoQuery]) -> NewApiKeyView:
    """Make an API key. Only this answer shows ``key`` whole. A test key can make test keys only."""
    test = call.body.test or call.scope.test
    record, key = await keys.create(
        call.core,
        call.scope,
        name=required_name(call.body.name),
        prefix=TEST if test else LIVE,
        test=test,
    )
    call.headers["Cache-Control"] = "no-store"
    return NewApiKeyView(api_key_view(record, key), "Store this key securely. It will not be shown again.")


@table.get("/api_keys", access=reads("api_key_read"))
async def list_api_keys(call: Call[NoBody, PageQuery]) -> Rows[ApiKeyView]:
    """List API keys, masked, newest first."""
    window = window_of(call.query)
    return listed(call, window, await keys.list_keys(call.core, call.scope, window), api_key_view)


@table.get("/api_keys/{key_id}", access=reads("api_key_read", test="own"))
async def get_api_key(call: Call[NoBody, NoQuery]) -> Data[ApiKeyView]:
    """Get an API key, masked."""
    return Data(api_key_view(await keys.get(call.core, call.scope, call.ids["key_id"])))


@table.delete("/api_keys/{key_id}", access=changes("api_key_delete", test="own"))
async def delete_api_key(call: Call[NoBody, NoQuery]) -> None:
    """Revoke an API key. It is refused from now on."""
    await keys.delete(call.core, call.scope, call.ids["key_id"])
