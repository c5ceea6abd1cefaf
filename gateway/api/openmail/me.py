"""Who the key is: OpenMail's MCP server and plugins ask this before anything else."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import reads
from gateway.core.lookup import find_inbox
from gateway.records.ids import INBOX_ID, ORGANIZATION_ID, POD_ID

table = Table("organizations")

Doc = msgspec.Meta


class KeyScope(msgspec.Struct, rename="camel"):
    """What a key of a pod or of an inbox reaches."""

    pod_id: Annotated[str | None, Doc(description="the pod that it reaches, or its inbox is in")]
    inbox_id: Annotated[str | None, Doc(description="the one inbox that it reaches")]


class MeView(msgspec.Struct, rename="camel"):
    """``apiKeyScope``: ``account``, or the pod or inbox of the key. ``mcpScopes``: null, as for every API key."""

    customer_id: Annotated[str, Doc(description="id of the account")]
    plan: Annotated[str, Doc(description="self-hosted: there are no plans here")]
    api_key_scope: Annotated[
        Literal["account"] | KeyScope, Doc(description="account, or what a narrower key reaches")
    ]
    mcp_scopes: Annotated[list[str] | None, Doc(description="null: it is an API key")] = None


@table.get("/me", access=reads())
async def who_am_i(call: Call[NoBody, NoQuery]) -> MeView:
    """Get whose key this is, and what it reaches."""
    scope = call.scope
    pod = scope.pod
    if scope.inbox is not None:
        inbox = scope.inbox
        pod = (await call.core.store.read(lambda tx: find_inbox(tx, scope, inbox))).pod_id
    narrow = scope.kind != "organization"
    return MeView(
        customer_id=ORGANIZATION_ID.public(scope.organization),
        plan="self-hosted",
        api_key_scope=KeyScope(POD_ID.public(pod), INBOX_ID.public(scope.inbox)) if narrow else "account",
    )
