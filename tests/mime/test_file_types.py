from __future__ import annotations

import pytest

from gateway.mime.attachment_names import names_of, place_in, unique_names
from gateway.mime.file_types import named, suffix_of, type_of
from gateway.mime.types import Attachment

OFFICE = "application/vnd.openxmlformats-officedocument"


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        (f"{OFFICE}.wordprocessingml.document", ".docx"),
        (f"{OFFICE}.spreadsheetml.sheet", ".xlsx"),
        (f"{OFFICE}.presentationml.presentation", ".pptx"),
        ("text/calendar; method=REQUEST", ".ics"),
        ("IMAGE/WebP", ".webp"),
        ("image/jpeg", ".jpg"),
        ("text/vcard", ".vcf"),
        ("application/gzip", ".gz"),
        ("audio/ogg", ".ogg"),
        ("application/xml", ".xml"),
        ("text/xml", ".xml"),
        ("text/plain", ".txt"),
        ("message/rfc822", ".eml"),
        ("application/pgp-signature", ".asc"),
        ("application/vnd.example.thing+json", ".json"),
        ("text/x-unheard-of", ".txt"),
        ("message/delivery-status", ".txt"),
        ("image/x-unheard-of", ""),
        ("no type", ".bin"),
    ],
)
def test_a_file_without_a_name_ends_as_its_type_does(kind: str, suffix: str) -> None:
    assert suffix_of(kind) == suffix
    assert named(None, kind) == f"attachment{suffix}"
    assert named("given", kind) == "given"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("invite.ICS", "text/calendar"),
        ("letter.docx", f"{OFFICE}.wordprocessingml.document"),
        ("mail.eml", "message/rfc822"),
        ("a.tar.gz", "application/gzip"),
        ("photo.jpeg", "image/jpeg"),
        ("list.zip", "application/zip"),
        ("no suffix", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
    ],
)
def test_a_file_without_a_type_has_that_of_its_name(name: str, kind: str) -> None:
    assert type_of(name) == kind


def test_made_up_names_count_from_one_and_only_repeated_names_get_a_number() -> None:
    def part(filename: str | None, kind: str) -> Attachment:
        return Attachment(
            id="att_1",
            part="2",
            filename=filename,
            content_type=kind,
            content_disposition="attachment",
            content_id=None,
            size=1,
            encoding="base64",
        )

    parts = [part("a.pdf", "application/pdf"), part(None, "text/calendar"), part("a.pdf", "application/pdf")]
    assert names_of(parts) == ["a.pdf", "attachment-2.ics", "a.pdf"]
    assert [place_in(name) for name in ("attachment-2.ics", "attachment-2", "attachment-2.x/y", "a.pdf")] == [
        1,
        1,
        None,
        None,
    ]
    assert unique_names(parts) == ["a.pdf", "attachment-2.ics", "a (2).pdf"]
