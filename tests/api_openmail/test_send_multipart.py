"""POST /v1/inboxes/{id}/send as multipart/form-data (contract §4): the same send, whole or not at all."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api_openmail.calls import client
from tests.api_openmail.post import Post

FIELDS = {"to": "ann@abroad.test", "subject": "s", "body": "b"}
TEXT = ("attachments", ("note.txt", b"hello", "text/plain"))


def part(headers: str, content: bytes) -> bytes:
    return b"--BB\r\n" + headers.encode() + b"\r\n\r\n" + content + b"\r\n"


def field(name: str, value: bytes) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', value)


GOOD = field("to", b"ann@abroad.test") + field("subject", b"s") + field("body", b"b")


def raw(
    post: Post, inbox: dict[str, Any], data: bytes, kind: str = "multipart/form-data; boundary=BB"
) -> httpx.Response:
    headers = {"Idempotency-Key": str(uuid.uuid4()), "Content-Type": kind}
    with client(post.organization) as http:
        return http.post(f"inboxes/{inbox['id']}/send", content=data, headers=headers)


def test_fields_repeat_and_files_arrive_as_they_were(post: Post) -> None:
    ours, theirs, one, two = (post.inbox() for _ in range(4))
    data = bytes(range(256)) * 5000
    answer = post.form(
        ours,
        {
            "to": theirs["address"],
            "subject": "Grüße",
            "body": "See the files.",
            "cc": [one["address"], two["address"]],
        },
        [
            ("attachments", ("Bericht für März.pdf", data, "application/pdf")),
            ("attachments", ("note.txt", b"hello\r\n--BBB\r\n", "text/plain; charset=utf-8")),
            ("attachments", ("note.txt", b"again", "no type")),
        ],
    )
    assert answer.status_code == 200, answer.text
    mail = post.mail(theirs, "ALL")
    assert mail["Subject"] == "Grüße"
    assert [person.addr_spec for person in mail["Cc"].addresses] == [one["address"], two["address"]]
    assert [(file.get_filename(), file.get_payload(decode=True)) for file in mail.iter_attachments()] == [
        ("Bericht für März.pdf", data),
        ("note.txt", b"hello\r\n--BBB\r\n"),
        ("note.txt", b"again"),
    ]
    row = post.messages(ours)[0]
    assert row["id"] == answer.json()["messageId"]
    assert len({file["url"] for file in row["attachments"]}) == 3


@pytest.mark.parametrize(
    ("text", "quoted"), [("false", False), ("False", False), ("0", False), ("true", True), ("", True)]
)
def test_b1_include_quote_is_read_as_a_word_not_as_truth(post: Post, text: str, quoted: bool) -> None:
    ours, theirs = post.inbox(), post.inbox()
    post.send(theirs, {"to": ours["address"], "subject": "Question", "body": "How are you?"})
    (got,) = post.messages(ours, 1)
    fields = {
        "to": theirs["address"],
        "subject": "x",
        "body": "Fine.",
        "threadId": got["threadId"],
        "includeQuote": text,
    }
    answer = post.form(ours, fields)
    assert answer.status_code == 200, answer.text
    assert answer.json()["threadId"] == got["threadId"]
    mail = post.mail(theirs, "HEADER", "Message-ID", answer.json()["providerMessageId"])
    assert ("> How are you?" in mail.get_content()) is quoted
    assert mail["Subject"] == "Re: Question"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"to": ""}, "to"),
        ({"to": ["a@b.test", "c@d.test"]}, "to"),
        ({"to": '["a@b.test"]'}, "to"),
        ({"subject": ""}, "subject"),
        ({"subject": "s" * 999}, "subject"),
        ({"body": ""}, "body"),
        ({"body": "b" * 100_001}, "body"),
        ({"includeQuote": "maybe"}, "includeQuote"),
        ({"replyTo": "nobody"}, "replyTo"),
        ({"cc": ["a@b.test", "b"]}, "cc[1]"),
        ({"cc": [f"p{n}@abroad.test" for n in range(150)]}, "cc"),
        ({"cc": [f"p{n}@abroad.test" for n in range(10_000)]}, "body"),
        ({"attachments": "/tmp/report.pdf"}, "attachments"),
    ],
)
def test_a_wrong_field_is_refused_and_named(post: Post, change: dict[str, Any], named: str) -> None:
    ours = post.inbox()
    answer = post.form(ours, {**FIELDS, **change})
    assert answer.status_code == 400, answer.text
    assert (answer.json()["error"], answer.json()["field"]) == ("bad_request", named)
    assert post.total(ours) == 0


def test_a_file_in_another_field_is_refused_not_lost(post: Post) -> None:
    ours = post.inbox()
    answer = post.form(ours, FIELDS, [("file", ("note.txt", b"hello", "text/plain"))])
    assert (answer.status_code, answer.json()["field"]) == (400, "file")
    assert "attachments" in answer.json()["fix"]
    assert post.total(ours) == 0


def test_files_over_25_mb_are_refused(post: Post) -> None:
    ours = post.inbox()
    big = ("attachments", ("big.bin", b"x" * (13 * 1024 * 1024), "application/octet-stream"))
    answer = post.form(ours, FIELDS, [big, big])
    assert (answer.status_code, answer.json()["error"]) == (413, "payload_too_large")
    answer = post.form(ours, FIELDS, [("attachments", (f"{n}.txt", b"x", "text/plain")) for n in range(101)])
    assert (answer.status_code, answer.json()["error"]) == (413, "payload_too_large")
    assert post.total(ours) == 0


def test_a_body_over_every_limit_is_refused_before_it_is_read(post: Post) -> None:
    ours = post.inbox()
    sent = 0

    def endless() -> Any:
        nonlocal sent
        yield GOOD + b'--BB\r\nContent-Disposition: form-data; name="attachments"; filename="x"\r\n\r\n'
        while sent < 200:
            sent += 1
            yield b"x" * 1024 * 1024

    headers = {"Idempotency-Key": "k", "Content-Type": "multipart/form-data; boundary=BB"}
    with client(post.organization) as http:
        try:
            answer = http.post(f"inboxes/{ours['id']}/send", content=endless(), headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (413, "payload_too_large")
        except httpx.WriteError:
            pass  # the connection was closed while we went on writing
    assert sent < 200
    assert post.total(ours) == 0


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (GOOD, "multipart/form-data; boundary=BB"),  # no last boundary
        (GOOD + b"--BB", "multipart/form-data; boundary=BB"),
        (GOOD[:60], "multipart/form-data; boundary=BB"),
        (b"", "multipart/form-data; boundary=BB"),
        (b"nothing", "multipart/form-data; boundary=BB"),
        (b"--BB--\r\n", "multipart/form-data; boundary=BB"),
        (GOOD + b"--BB--\r\n", "multipart/form-data"),
        (GOOD + b"--BB--\r\n", "multipart/form-data; boundary="),
        (GOOD + b"--BB--\r\n", "multipart/form-data; boundary=CC"),
        (GOOD + b"--BB--\r\n", "multipart/form-data; boundary=" + "B" * 500),
        (GOOD + part("Content-Disposition: form-data", b"x") + b"--BB--\r\n", "multipart/form-data; boundary=BB"),
        (GOOD + part("X: y", b"x") + b"--BB--\r\n", "multipart/form-data; boundary=BB"),
        (GOOD + part("no colon", b"x") + b"--BB--\r\n", "multipart/form-data; boundary=BB"),
        (GOOD + part("X: " + "y" * 100_000, b"x") + b"--BB--\r\n", "multipart/form-data; boundary=BB"),
        (GOOD + part("X: y\r\n" * 1000, b"x") + b"--BB--\r\n", "multipart/form-data; boundary=BB"),
        (GOOD.replace(b"b\r\n", b"\xff\xfe\r\n") + b"--BB--\r\n", "multipart/form-data; boundary=BB"),
        (field("to", b"ann@abroad.test") + b"--BB--\r\n", "multipart/form-data; boundary=BB"),
    ],
)  # fmt: skip
def test_a_broken_form_is_refused_whole(post: Post, data: bytes, kind: str) -> None:
    ours = post.inbox()
    answer = raw(post, ours, data, kind)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == "bad_request"
    assert post.total(ours) == 0


def test_names_of_files_in_every_spelling(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    form = field("to", theirs["address"].encode()) + field("subject", b"s") + field("body", b"b")
    for name in (
        'filename="ä b.txt"',
        "filename*=UTF-8''%E2%82%AC.txt",
        'filename="a%22b.txt"',
        'filename="../../x.txt"',
    ):
        form += part(f'Content-Disposition: form-data; name="attachments[]"; {name}', b"x")
    form += part('Content-Disposition: form-data; name="attachments"; filename=""', b"")
    answer = raw(post, ours, form + b"--BB--\r\n")
    assert answer.status_code == 200, answer.text
    names = [file.get_filename() for file in post.mail(theirs, "ALL").iter_attachments()]
    assert names[:3] == ["ä b.txt", "€.txt", "a'b.txt"]
    assert len(names) == 4
    assert "/" not in (names[3] or "")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_skill_files_own_curl_line(post: Post, tmp_path: Path) -> None:
    ours, theirs = post.inbox(), post.inbox()
    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF-1.4 not really")
    done = subprocess.run(
        [
            "curl", "-s", "-X", "POST", f"{post.organization.base_url}/v1/inboxes/{ours['id']}/send",
            "-H", f"Authorization: Bearer {post.organization.api_key}", "-H", f"Idempotency-Key: {uuid.uuid4()}",
            "-F", f"to={theirs['address']}", "-F", "subject=Report attached", "-F", "body=See the attached file.",
            "-F", f"attachments=@{report}",
        ],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert '"messageId"' in done.stdout, done.stdout + done.stderr
    (file,) = post.mail(theirs, "ALL").iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("report.pdf", "application/pdf")
    assert file.get_payload(decode=True) == report.read_bytes()


def test_the_parameters_of_a_type_go_out_whichever_way_the_file_comes(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    kind = "text/calendar; charset=utf-8; method=REQUEST"
    asked = {"to": theirs["address"], "body": "b"}
    sent = post.form(
        ours, {**asked, "subject": "form"}, [("attachments", ("invite.ics", b"BEGIN", kind))]
    ).json()
    file = {"filename": "invite.ics", "contentType": kind, "data": "QkVHSU4="}
    answers = [
        sent,
        post.send(ours, {**asked, "subject": "json", "attachments": [file]}),
        post.send(ours, {**asked, "threadId": sent["threadId"], "attachments": [file]}),
    ]
    for one in answers:
        [part] = post.mail(theirs, "HEADER", "Message-ID", one["providerMessageId"]).iter_attachments()
        assert (part.get_param("method"), part.get_param("charset")) == ("REQUEST", "utf-8")
    assert [one["attachments"][0]["contentType"] for one in post.messages(theirs)] == ["text/calendar"] * 3
