"""A webhook that is made: what its maker says of it, and what every new one begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.records.base import Secret
from gateway.records.ids import InboxId, KeyId, OrganizationId, PodId, WebhookId, now_us, number_of
from gateway.records.webhooks import Webhook
from gateway.store.json_columns import dump


def new_webhook(
    webhook_id: WebhookId,
    organization_id: OrganizationId,
    dialect: str,
    event_types: Sequence[str],
    secret: Secret,
    *,
    pod_id: PodId | None = None,
    inbox_id: InboxId | None = None,
    inbox_ids: Sequence[InboxId] = (),
    pod_ids: Sequence[PodId] = (),
    name: str | None = None,
    url: str = "",
    headers: Mapping[str, str] | None = None,
    enabled: bool = True,
    client_id: str | None = None,
    key_id: KeyId | None = None,
    test: bool = False,
) -> Webhook:
    """The row of a webhook that nothing was delivered to yet; each argument as the field of the record."""
    now = now_us()
    return Webhook(
        id=webhook_id,
        number=number_of(webhook_id),
        organization_id=organization_id,
        pod_id=pod_id,
        inbox_id=inbox_id,
        dialect=dialect,
        name=name,
        url=url,
        event_types_json=dump(event_types),
        inbox_ids_json=dump(inbox_ids),
        pod_ids_json=dump(pod_ids),
        headers_json=Secret(dump(headers or {})),
        enabled=enabled,
        client_id=client_id,
        key_id=key_id,
        test=test,
        secret=secret,
        old_secret=None,
        old_secret_until=None,
        failing_since=None,
        succeeded_at=None,
        disabled_reason=None,
        created_at=now,
        updated_at=now,
        off_mailed_at=None,
    )
