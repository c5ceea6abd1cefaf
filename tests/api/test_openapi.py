"""The API description: valid, and whole for every operation of every dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gateway.api.openapi import describe
from gateway.api.reference import words
from gateway.api.reference.example_bodies import BODIES
from gateway.api.reference.example_values import PARAMETERS, SPECIAL, VALUES
from gateway.api.reference.nouns import NOUNS
from gateway.app.routes import DIALECTS


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe(DIALECTS, "https://mail.example.com")


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    for step in value.get("$ref", "#").split("/")[1:]:
        document = document[step]
    return document if "$ref" in value else value


def test_it_is_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_operation_is_named_once_and_explained(document: dict[str, Any]) -> None:
    found = list(operations(document))
    assert len({one["operationId"] for one in found}) == len(found) > 250
    assert {tag for one in found for tag in one["tags"]} == {one["name"] for one in document["tags"]}
    assert [tag for one in document["x-tagGroups"] for tag in one["tags"]] == [
        one["name"] for one in document["tags"]
    ]
    assert all("description" in one for one in document["tags"])
    for one in found:
        assert one["summary"]
        assert "``" not in one["summary"] + one.get("description", "")
        for parameter in one["parameters"]:
            assert parameter.get("description"), (one["operationId"], parameter["name"])
            assert parameter["required"] or parameter["in"] != "path"


def test_operation_ids_stay_as_they_are(document: dict[str, Any]) -> None:
    # links to /docs and generated clients hold them
    paths = document["paths"]
    assert paths["/api/v0/inboxes"]["post"]["operationId"] == "post_api_v0_inboxes"
    assert paths["/v1/inboxes/{inbox_id}/send"]["post"]["operationId"] == "post_v1_inboxes_inbox_id_send"
    assert paths["/api/v1/api_keys"]["get"]["operationId"] == "get_api_v1_api_keys"


def test_every_field_is_explained(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, shape in schema.get("properties", {}).items():
            assert shape.get("description"), f"{name}.{field}"


def test_every_example_fits(document: dict[str, Any]) -> None:
    seen = set()
    for one in operations(document):
        contents = [one.get("requestBody", {}).get("content", {})]
        contents += [resolved(document, answer).get("content", {}) for answer in one["responses"].values()]
        for media in (media for content in contents for media in content.values()):
            examples = [
                resolved(document, example)["value"] for example in media.get("examples", {}).values()
            ]
            examples += [media["example"]] if "example" in media else []
            schema = {**media["schema"], "components": document["components"]}
            for example in examples:
                assert not [
                    f"{error.json_path}: {error.message}"
                    for error in Draft202012Validator(schema).iter_errors(example)
                ], one["operationId"]
            if examples:
                seen.add(one["operationId"])
    assert len(seen) > 250


def test_every_json_body_has_an_example(document: dict[str, Any]) -> None:
    bodies = {
        one["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for one in operations(document)
        if "requestBody" in one
    }
    assert bodies == set(BODIES)


def test_what_the_key_needs_is_told(document: dict[str, Any]) -> None:
    for dialect in DIALECTS:
        for endpoint in dialect.table.endpoints:
            path = dialect.prefix + endpoint.path.replace(":rest", "")
            told = document["paths"][path][endpoint.method.lower()]
            access = endpoint.access
            assert ("security" in told) == access.open
            assert ("401" in told["responses"]) != access.open
            assert told["x-postern-access"].get("permissions", []) == list(access.permissions)
            for permission in access.permissions:
                assert f"`{permission}`" in told["description"]


def test_what_is_written_by_hand_is_about_something(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    fields = {
        f"{name}.{words.snake(field)}"
        for name, schema in schemas.items()
        for field in schema.get("properties", {})
    }
    parameters = {
        f"{one['tags'][0].partition(':')[0]}.{parameter['name']}"
        for one in operations(document)
        for parameter in one["parameters"]
    }
    names = {one.rpartition(".")[2] for one in fields | parameters}
    structs = {one.partition(".")[2] for one in fields}
    everywhere = {f"{one.partition('.')[0]}.*.{one.rpartition('.')[2]}" for one in fields}
    assert {one.rpartition(".")[2] for one in words.FIELDS} - names == set()
    assert set(words.SPECIAL) - fields - parameters - everywhere == set()
    assert set(words.PARAMETERS) - names == set()
    assert set(PARAMETERS) - names == set()
    assert set(VALUES) - names == set()
    assert set(SPECIAL) - fields - structs - everywhere == set()
    assert set(NOUNS) - {one["name"].partition(": ")[2] for one in document["tags"]} == set()
