"""Errors at /api/v1: always JSON, always ``message``, ``error`` never an object (contract, "Errors")."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.api.mailboxkit.errors import render_error
from gateway.core.errors import CoreError, Invalid, Missing, Taken, TooLarge
from tests.api_mailboxkit.calls import answer, call, client
from tests.support.gateway_process import Organization


@pytest.mark.parametrize("path", ["inboxes", "inboxes/1", "no/such/path", ""])
@pytest.mark.parametrize("key", [None, "mbk_wrong", "inai_wrong", "", "x" * 5000])
def test_without_a_good_key_everything_is_401(organization: Organization, path: str, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}".strip()}
    with client(organization) as http:
        del http.headers["Authorization"]
        got = http.get(path, headers=headers)
    assert got.status_code == 401
    assert got.json()["message"] == "Unauthenticated."
    assert got.json()["error"] == "unauthenticated"
    assert got.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("accept", ["text/html", "*/*", "application/xml"])
def test_an_error_is_json_whatever_is_accepted(organization: Organization, accept: str) -> None:
    got = answer(organization, "GET", "inboxes/7", headers={"Accept": accept})
    assert got.status_code == 404
    assert got.headers["Content-Type"] == "application/json"
    assert got.json()["error"] == "not_found"


@pytest.mark.parametrize("path", ["nothing", "inboxes/1/2/3/4", "inboxes/%00", "%2e%2e/v0/inboxes"])
def test_there_is_no_such_path(organization: Organization, path: str) -> None:
    assert call(organization, "GET", path, status=404)["error"] == "not_found"


def test_a_wrong_method_names_the_right_ones(organization: Organization) -> None:
    got = answer(organization, "PUT", "inboxes", {})
    assert (got.status_code, got.headers["Allow"]) == (405, "GET, POST")
    assert got.json()["error"] == "method_not_allowed"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"7",
        b"name=a",
        b'{"name": "\xff"}',
        b"[" * 20_000,
        b'{"name": "a"} x',
    ],
)
@pytest.mark.parametrize("path", ["inboxes", "api_keys", "domains", "register"])
def test_a_body_that_is_no_json_object_is_422(organization: Organization, path: str, body: bytes) -> None:
    with client(organization) as http:
        got = http.post(path, content=body)
    assert got.status_code == 422, got.text
    assert got.json()["message"]
    ((field, words),) = got.json()["errors"].items()
    assert field in ("body", "name", "owner_email")
    assert all(isinstance(one, str) for one in words)


def test_what_to_do_is_said_in_this_apis_paths(organization: Organization) -> None:
    assert "/api_keys" in call(organization, "GET", "api_keys/7", status=404)["fix"]
    assert "/api_keys" in call(organization, "GET", "inboxes", key="mbk_wrong", status=401)["fix"]


def test_all_that_is_wrong_is_said_at_once(organization: Organization) -> None:
    refused = call(organization, "POST", "inboxes", {"email": 5}, status=422)
    assert set(refused["errors"]) == {"name", "email"}
    assert refused["errors"]["name"] == ["The name field is required."]
    assert refused["message"].endswith("(and 1 more error)")


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (
            Missing("to"),
            422,
            {"message": "The to field is required.", "errors": {"to": ["The to field is required."]}},
        ),
        (Invalid("no", field="to[0].email"), 422, {"message": "no", "errors": {"to.0.email": ["no"]}}),
        (Taken("held"), 422, {"message": "held", "errors": {"request": ["held"]}}),
        (TooLarge("big"), 413, {"message": "big", "error": "payload_too_large"}),
    ],
)
def test_the_documented_shapes(error: CoreError, status: int, body: dict[str, Any]) -> None:
    got, shown = render_error(error)
    shown.pop("fix", None)
    assert (got, shown) == (status, body)
