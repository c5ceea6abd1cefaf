"""Which hop the history names: the one at which our own mail server took a message, and no stranger's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.history.origin import Hop, first_hop

POSTFIX = (
    "from mx.abroad.test (mail.abroad.test [192.0.2.7]) by mail.x.test (Postfix) with ESMTPS id 4abc "
    "for <agent@x.test>; Sat, 21 Nov 2026 05:00:00 +0000"
)
LMTP = "from mail.x.test ([127.0.0.1]) by mail.x.test with LMTP id XYZ for <agent@x.test>; Sat, 21 Nov 2026"
STRANGER = "from evil ([198.51.100.9]) by mail.x.test with LMTP id 1"


@pytest.mark.parametrize(
    "field",
    [
        POSTFIX,
        f"{LMTP}\n{POSTFIX}",
        f"{POSTFIX}\n{STRANGER}",
        f"{LMTP}\n{POSTFIX}\n{STRANGER}",
    ],
)
def test_the_hop_into_our_server_is_named(field: str) -> None:
    wanted = Hop("mail.abroad.test", "192.0.2.7", "mail.x.test", "ESMTPS")
    assert first_hop({"Received": field}) == wanted


def test_an_ipv6_client_without_a_name() -> None:
    field = "from [2001:db8::1] ([IPv6:2001:db8::1]) by mail.x.test with ESMTP id 1"
    assert first_hop({"received": field}) == Hop(None, None, "mail.x.test", "ESMTP")
    field = "from mx.abroad.test (unknown [IPv6:2001:db8::1]) by mail.x.test with ESMTP id 1"
    assert first_hop({"received": field}) == Hop("unknown", "2001:db8::1", "mail.x.test", "ESMTP")


def test_mail_without_a_received_field_has_no_hop() -> None:
    assert first_hop({"Subject": "from a by b"}) is None


@given(st.text(max_size=3000))
def test_any_field_can_be_read(text: str) -> None:
    hop = first_hop({"Received": text})
    assert hop is not None
    assert all(len(part or "") <= 255 for part in (hop.client, hop.client_ip, hop.server, hop.protocol))
