"""Calling ``/v1`` as a client does."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.gateway_process import Organization


def client(organization: Organization, key: str | None = None) -> httpx.Client:
    """A client of ``/v1`` with the organization's key, or another. Close it, or use ``with``."""
    return httpx.Client(
        base_url=f"{organization.base_url}/v1/",
        headers={"Authorization": f"Bearer {key or organization.api_key}"},
        timeout=30,
        trust_env=False,
        verify=False,  # plain http: spares loading certificates for each client
    )


def call(
    organization: Organization,
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str | None = None,
    status: int | None = None,
    **options: Any,
) -> Any:
    """One call below ``/v1``, which must succeed or answer ``status``; answers its JSON (None when empty)."""
    with client(organization, key) as http:
        answer = http.request(method, path.lstrip("/"), json=body, **options)
    wanted = answer.is_success if status is None else answer.status_code == status
    assert wanted, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None
