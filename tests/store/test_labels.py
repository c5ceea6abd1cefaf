"""Labels survive the way through IMAP keywords, whatever they hold."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.store.labels import NOT_RECEIVED, from_keyword, of_place, to_keyword

_ATOM = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z^_`a-z|}~]+")


@given(
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1, max_size=64)
)
def test_every_label_comes_back_from_its_keyword(label: str) -> None:
    keyword = to_keyword(label)
    assert _ATOM.fullmatch(keyword)
    if keyword not in ("junk", "nonjunk", "notjunk", "forwarded", "mdnsent"):
        assert from_keyword(keyword) == label
        assert from_keyword(keyword.upper()) == label  # keywords ignore case


def test_flags_and_folders_are_labels() -> None:
    assert of_place("inbound", "inbox", "INBOX", []) == {"received", "unread"}
    assert of_place("inbound", "inbox", "INBOX", ["\\Seen", "\\Flagged"]) == {"received", "starred"}
    assert of_place("inbound", "junk", "Junk", ["\\Seen"]) == {"received", "spam"}
    assert of_place("inbound", "inbox", "INBOX", ["\\Seen", NOT_RECEIVED, "todo"]) == {"todo"}
    assert of_place("inbound", "other", "Projects/A", ["\\Seen"]) == {"received", "folder:Projects/A"}
    assert of_place("outbound", "sent", "Sent", ["\\Seen"]) == set()


def test_keywords_of_mail_programs_are_no_labels() -> None:
    assert of_place("outbound", "sent", "Sent", ["$Forwarded", "NonJunk", "$label1"]) == set()


def test_a_keyword_cannot_pretend_to_be_a_system_label() -> None:
    assert "spam" not in of_place("inbound", "inbox", "INBOX", ["\\Seen", "spam"])
