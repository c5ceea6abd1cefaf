"""Ids: one value, every form, derived where the thing exists on the mail server."""

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.records import ids
from gateway.records.ids import MessageId


@example(0, "", "\x00")
@example(0, "a\x00b", "\x01c")
@given(st.integers(0, 2**47 * 1000), st.text(), st.text())
def test_a_derived_id_depends_on_its_identity_and_time_alone(at: int, a: str, b: str) -> None:
    one = ids.derived_ulid(at, a, b)
    assert one == ids.derived_ulid(at, a, b)
    assert ids.MESSAGE_ID.parse("msg_" + one) == one == ids.MESSAGE_ID.parse(one.upper())
    assert ids.ulid_time_us(one) == at // 1000 * 1000
    assert 0 < ids.number_of(one) < 2**53
    if a != b:
        assert one != ids.derived_ulid(at, b, a)


@given(st.text(max_size=60))
def test_nonsense_is_no_id(text: str) -> None:
    found = ids.MESSAGE_ID.parse(text)
    assert found is None or found in text.lower()


def test_our_message_id_carries_the_ulid() -> None:
    ulid = ids.new_ulid()
    assert ids.own_message_ulid(ids.message_id_header(MessageId(ulid), "x.test")) == ulid
    assert ids.own_message_ulid("<msg_nope@x.test>") is None
    assert ids.own_message_ulid("<abc@x.test>") is None
