"""Calling ``/api/v1`` as a client does."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.gateway_process import Organization


def client(organization: Organization, key: str | None = None, **options: Any) -> httpx.Client:
    """A client of ``/api/v1`` with the organization's key, or another. Close it, or use ``with``."""
    return httpx.Client(
        base_url=f"{organization.base_url}/api/v1/",
        headers={"Authorization": f"Bearer {key or organization.api_key}"},
        timeout=options.pop("timeout", 30),
        trust_env=False,
        verify=False,  # plain http: spares loading certificates for each client
        **options,
    )


def answer(
    organization: Organization,
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str | None = None,
    **options: Any,
) -> httpx.Response:
    """The answer to one call below ``/api/v1``."""
    with client(organization, key) as http:
        return http.request(method, path.lstrip("/"), json=body, **options)


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
    """One call, which must succeed or answer ``status``; answers its JSON (None when empty)."""
    got = answer(organization, method, path, body, key=key, **options)
    wanted = got.is_success if status is None else got.status_code == status
    assert wanted, f"{method} {path}: {got.status_code} {got.text}"
    return got.json() if got.content else None


def made(organization: Organization, path: str, body: Any = None, **options: Any) -> Any:
    """What a POST made: its ``data``."""
    return call(organization, "POST", path, body, **options)["data"]
