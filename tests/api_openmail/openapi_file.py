"""OpenMail's own OpenAPI file, read as strictly as its prose allows: what an answer must look like."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

FILE = Path(__file__).resolve().parents[3] / "shared" / "contracts" / "openmail-openapi.json"

OPTIONAL = {"webhookSecret", "parsedText", "extractionMethod"}
"""Properties that are there only sometimes; the file requires none, its prose all the others."""


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return found


def operations() -> dict[str, dict[str, Any]]:
    """Every operation by ``METHOD /path``."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post", "put", "patch", "delete")
    }


def strict(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 as JSON Schema: ``nullable`` spelt out, every property required but the optional."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return strict(document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    found = {name: strict(value) for name, value in schema.items() if name != "properties"}
    if "properties" in schema:
        found["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
        found["required"] = sorted(set(found["properties"]) - OPTIONAL)
    if found.pop("nullable", False):
        found["type"] = [found["type"], "null"]
    return found


def check(operation: str, status: int, kind: str, content: bytes) -> None:
    """Fail unless the answer is what the file declares; for a status it does not declare, an error body."""
    declared = operations()[operation]["responses"].get(str(status))
    assert declared is not None or status >= 400, f"{operation} answers {status}, which is not declared"
    shapes = (declared or {}).get("content", {})
    if status < 400 and not shapes:
        # a redirect to a file carries the file as well, for clients that do not follow (contract D)
        assert content == b"" or status == 302, f"{operation} answers {status} with {content[:200]!r}"
        return
    assert kind.partition(";")[0] == "application/json", f"{operation} answers {status} as {kind}"
    shape = shapes["application/json"]["schema"] if shapes else {"$ref": "#/components/schemas/Error"}
    jsonschema.validate(
        json.loads(content), strict(shape), format_checker=jsonschema.FormatChecker(["date-time", "email"])
    )
