"""Signed links: each downloads one file without a key until it expires. All dialects use them.

Files are served so that no browser shows them as a page: ``attachment`` disposition, ``nosniff``, a sandboxing policy.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import OPEN
from gateway.core.drafts.files import open_file
from gateway.core.errors import NotFound
from gateway.core.mail import attachments
from gateway.core.signed_links import sign, verify
from gateway.records.ids import DraftId, MessageId

_PLAIN = re.compile(r"[^A-Za-z0-9._ -]")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")

table = Table("Downloads")


def signed_url(
    call: Call[Any, Any], prefix: str, kind: str, owner: str, part: str, seconds: int
) -> tuple[str, int]:
    """(URL, expiry in epoch seconds) of a file. ``prefix``: of a dialect that includes ``table``.

    ``kind``, ``owner`` and ``part`` as in ``core.signed_links.Link``.
    """
    token, expires = sign(call.core.secret, kind, owner, part, seconds)
    return f"{call.public_url}{prefix}/files/{token}", expires


@table.get("/files/{token}", access=OPEN)
async def download(call: Call[NoBody, NoQuery]) -> Response:
    """Download the file of a signed link; no key is needed, and the link expires."""
    link = verify(call.core.secret, call.ids["token"])
    if link.kind == "raw":
        got = await attachments.open_raw(call.core, MessageId(link.id))
    elif link.kind == "file":
        got = await attachments.open_attachment(call.core, MessageId(link.id), link.part)
    elif link.kind == "draft":
        got = await open_file(call.core, DraftId(link.id), link.part)
    else:
        raise NotFound("this link leads to no file")
    return await file_response(call, got)


async def file_response(call: Call[Any, Any], got: attachments.Download) -> Response:
    """Answer with a file, in pieces; to HEAD with its headers alone."""
    headers = {
        "Content-Disposition": disposition(got.filename),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-site",
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "no-referrer",
    }
    if got.size is not None:
        headers["Content-Length"] = str(got.size)
    kind = got.content_type if _TYPE.fullmatch(got.content_type) else "application/octet-stream"
    if call.request.method == "HEAD":
        await _close(got.chunks)
        return Response(headers=headers, media_type=kind)
    response = StreamingResponse(got.chunks, headers=headers)
    response.headers["Content-Type"] = kind  # without a charset: the octets are the sender's
    return response


async def _close(chunks: AsyncIterator[bytes]) -> None:
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()


def disposition(filename: str) -> str:
    """A Content-Disposition of ``attachment``, with the file name in ASCII and as RFC 8187 encodes it (RFC 6266)."""
    plain = _PLAIN.sub("_", filename).strip(" .") or "attachment"
    encoded = quote(filename.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
