"""Webhook bodies against a real JavaScript engine: JSON.stringify(JSON.parse(body)) gives the same bytes."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.events.wire import body_bytes

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")

_ROUND = (
    "const l=JSON.parse(require('fs').readFileSync(0,'utf8'));"
    "process.stdout.write(JSON.stringify(l.map(b=>Buffer.from("
    "JSON.stringify(JSON.parse(Buffer.from(b,'base64').toString('utf8')))).toString('base64'))))"
)


def through_node(bodies: list[bytes]) -> list[bytes]:
    given_ = json.dumps([base64.b64encode(one).decode() for one in bodies])
    done = subprocess.run([str(NODE), "-e", _ROUND], input=given_.encode(), capture_output=True, check=True)
    return [base64.b64decode(one) for one in json.loads(done.stdout)]


@pytest.mark.parametrize(
    "value",
    [
        {"b": 1, "10": 2, "9": 3, "a": 4, "010": 5, "4294967294": 6, "4294967295": 7, "0": 8},
        {"headers": {"7": "x", "subject": "grüße 日本 \u2028\u2029 😀", "1": "y"}},
        "".join(map(chr, range(0x80))) + "\x7f\x85\ufeff</script>&",
        [0.0, -0.0, 1.0, 5.5, 1e16, 1e20, 1e21, 1.5e21, 1e-6, 1e-7, 1.25e-7, 123456789.125, 5e-324, 1.8e308],
        [2**53, 2**53 + 1, -(2**53) - 1, 2**63, 10**30, float("nan"), float("inf")],
        {"": None, "t": True, "f": False, "empty": [{}, [], ""]},
    ],
)
def test_hard_values_come_back_as_they_went(value: object) -> None:
    body = body_bytes(value)
    assert through_node([body]) == [body]


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("0123456789ab_", max_size=11), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_json, min_size=20, max_size=60))
def test_any_value_comes_back_as_it_went(values: list[object]) -> None:
    bodies = [body_bytes(value) for value in values]
    assert through_node(bodies) == bodies
