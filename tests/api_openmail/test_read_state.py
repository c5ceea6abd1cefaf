"""B1, read state (contract §5): an answer that comes in re-opens a read thread, our own thread is not unread, a reply
marks read, PATCH sets either, GET changes nothing; the mail server holds it, so a person's client shows the same.
"""

from __future__ import annotations

import pytest

from tests.api_openmail.post import Post, word
from tests.e2e.world import letter, until


def test_b1_new_inbound_thread_is_unread_and_reading_it_changes_nothing(post: Post) -> None:
    inbox = post.inbox()
    post.letter(inbox, "Hello")
    (thread,) = post.threads(inbox)
    assert thread["isRead"] is False
    assert post.thread(thread["id"])["isRead"] is False
    post.messages(inbox)
    assert post.threads(inbox)[0]["isRead"] is False
    assert post.threads(inbox, "?is_read=false") == post.threads(inbox)
    assert post.threads(inbox, "?is_read=true") == []
