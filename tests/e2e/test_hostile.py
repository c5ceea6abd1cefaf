"""Mail that is meant to break things: all of it is listed, its raw text is there, and its neighbour is not late."""

from __future__ import annotations

import random
import smtplib
from collections.abc import Iterator

import httpx
import pytest

from tests.support.mails import deliver, new_mail
from tests.support.own_gateway import OwnGateway, missing, start_gateway
from tests.support.waiting import until


@pytest.fixture(scope="module")
def own_gateway() -> Iterator[OwnGateway]:
    reason = missing("embedded")
    if reason:
        pytest.skip(reason)
    with start_gateway() as made:
        yield made


def head(subject: str, *more: str) -> str:
    return "".join(
        f"{line}\r\n"
        for line in (
            "From: Mal <mal@abroad.test>",
            "To: agent@postern.test",
            f"Subject: {subject}",
            f"Message-ID: <{subject.replace(' ', '-')}@abroad.test>",
            *more,
        )
    )


def nested(depth: int) -> str:
    lines = [
        head("deep multipart", "MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="b0"'),
        "\r\n",
    ]
    for level in range(depth):
        lines.append(f'--b{level}\r\nContent-Type: multipart/mixed; boundary="b{level + 1}"\r\n\r\n')
    return "".join(lines) + "the end\r\n"


def folded(text: str) -> str:
    return "\r\n ".join(text[at : at + 900] for at in range(0, len(text), 900))


def many_parts(count: int) -> str:
    part = '--p\r\nContent-Type: text/plain; name="x.txt"\r\nContent-Disposition: attachment\r\n\r\nx\r\n'
    return (
        head("many parts", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=p")
        + "\r\n"
        + part * count
    )


HOSTILE: dict[str, str | bytes] = {
    "imap commands in the id": (
        "From: m@abroad.test\r\nSubject: imap commands in the id\r\n"
        "Message-ID: <x>\r\n X1 UID STORE 1:* +FLAGS.SILENT (\\Deleted)\r\n X2 EXPUNGE\r\n\r\nbody\r\n"
    ),
    "semicolons": head("semicolons", "Content-Type: text/plain" + folded(";" * 95_000)) + "\r\nbody\r\n",
    "encoded words": head("encoded words", folded("X-Y: " + "=?utf-8?q?a?= " * 20_000)) + "\r\nbody\r\n",
    "nested comments": head("nested comments", "Reply-To: " + folded("(" * 5_000 + "x" + ")" * 5_000) + " a@b.test")
    + "\r\nbody\r\n",
    "deep multipart": nested(2_000),
    "deep rfc822": head("deep rfc822", "MIME-Version: 1.0", "Content-Type: message/rfc822")
    + "\r\n"
    + "Content-Type: message/rfc822\r\n\r\n" * 1_500,
    "many parts": many_parts(3_000),
    "many headers": head("many headers", *(f"X-H{n}: v" for n in range(5_000))) + "\r\nbody\r\n",
    "many recipients": head("many recipients", "Cc: " + ",\r\n ".join(f"u{n}@abroad.test" for n in range(3_000)))
    + "\r\nbody\r\n",
    "no charset": head("no charset", "Content-Type: text/plain; charset=x-none").encode() + b"\r\n\xff\xfe\x81\r\n",
    "raw eight bit": b"From: \xff\xfe <m@abroad.test>\r\nSubject: raw eight bit\r\nTo: \xe4\xf6\r\n\r\n\xfc\r\n",
    "two of each": head("two of each", "From: other@abroad.test", "Subject: second") + "\r\nbody\r\n",
    "own references": head("own references", "References: <own-references@abroad.test>",
                           "In-Reply-To: <own-references@abroad.test>") + "\r\nbody\r\n",
    "long references": head("long references", "References: " + "\r\n ".join(f"<{n}@a.test>" for n in range(5_000)))
    + "\r\nbody\r\n",
    "file names": head("file names", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=f")
    + "".join(
        f"\r\n--f\r\nContent-Type: text/html\r\nContent-Disposition: attachment; {name}\r\n\r\n<script>1</script>"
        for name in ('filename="../../etc/passwd"', "filename*=utf-8''a%0D%0ASet-Cookie%3A%20x.html",
                     'filename="\u202efdp.exe"', f'filename="{"n" * 900}.txt"')
    )
    + "\r\n--f--\r\n",
    "no end": head("no end", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=e")
    + "\r\n--e\r\nContent-Type: text/plain\r\n\r\nopen",
    "bad base64": head("bad base64", "Content-Transfer-Encoding: base64") + "\r\n!!!!====\x07\r\n",
    "far date": head("far date", "Date: Fri, 31 Dec 999999 25:61:61 +9999") + "\r\nbody\r\n",
    "json hostile": head("json hostile", "X-J: \u2028\x07{{7*7}}") + "\r\n\u2028\u2029\ud7ff{{7*7}}\r\n",
    "divs": head("divs", "Content-Type: text/html") + "\r\n" + "<div>\r\n" * 20_000 + "x\r\n",
    "quotes": head("quotes") + "\r\n" + ("> " * 400 + "x\r\n") * 100,
    "forged report": head("forged report", "MIME-Version: 1.0",
                          "Content-Type: multipart/report; report-type=delivery-status; boundary=r")
    + "\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
    "Final-Recipient: rfc822; a@b.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--r--\r\n",
    "noise": b"Subject: noise\r\n\r\n" + random.Random(7).randbytes(20_000).replace(b"\r", b"").replace(b"\n", b""),
}  # fmt: skip
NAMELESS = {"no header": b"\r\nno header at all\r\n", "nothing": b"\r\n"}


@pytest.mark.parametrize("name", [*HOSTILE, *NAMELESS])
def test_hostile_mail(own_gateway: OwnGateway, name: str) -> None:
    address = own_gateway.new_inbox()["email_address"]
    content = HOSTILE.get(name, NAMELESS.get(name, b""))
    raw = content if isinstance(content, bytes) else content.encode("utf-8")
    code = 250
    try:
        deliver(own_gateway.smtp_port, raw, address, sender="mal@abroad.test")
    except smtplib.SMTPResponseException as error:
        code = error.smtp_code
    refused = code != 250
    assert code == 250 or 500 <= code < 600
    deliver(own_gateway.smtp_port, new_mail(address, "the neighbour"), address)
    until(
        lambda: [one for one in own_gateway.messages(address) if one["subject"] == "the neighbour"],
        9,
        "the neighbour, before the worker's ten seconds are over",
    )
    if refused:
        return
    rows = until(
        lambda: [one for one in own_gateway.messages(address) if one["subject"] != "the neighbour"],
        30,
        "the hostile mail",
    )
    assert len(rows) == 1
    with own_gateway.api as client:
        path = f"inboxes/{address}/messages/{rows[0]['message_id']}"
        whole = client.get(path)
        assert whole.status_code == 200
        assert len(client.get(f"inboxes/{address}/messages").content) < 1 << 20
        assert client.get(f"threads/{rows[0]['thread_id']}").status_code == 200
        link = client.get(f"{path}/raw").json()
        kept = httpx.get(link["download_url"])
        assert kept.status_code == 200
        assert len(kept.content) == link["size"]
        tail = raw.rstrip()[-4:]
        assert tail in kept.content
        for one in whole.json()["attachments"][:5]:
            name_ = one["filename"] or ""
            assert "/" not in name_
            assert not any(ord(sign) < 32 or 0x202A <= ord(sign) <= 0x202E for sign in name_)
            got = httpx.get(client.get(f"{path}/attachments/{one['attachment_id']}").json()["download_url"])
            assert got.status_code == 200
            assert got.headers["x-content-type-options"] == "nosniff"
            assert got.headers["content-disposition"].startswith("attachment")
            assert "set-cookie" not in got.headers
    assert own_gateway.process is not None
    assert own_gateway.process.poll() is None
