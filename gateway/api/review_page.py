"""``/review/TOKEN``: the link in a mail to a reviewer.

GET shows the held message and changes nothing, because link scanners fetch the links of a mail. POST of one of the two
buttons decides, about the message that was shown: its digest is in the form. Everything of the message is escaped text;
its HTML is shown as the text that a reader of it sees.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from functools import partial
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from gateway.api.plain_page import plain_page
from gateway.core.context import Core
from gateway.core.errors import CoreError, Forbidden, NotFound, Unavailable
from gateway.core.reviews import links
from gateway.core.reviews.links import MAX_REASON, PATH, Invited
from gateway.mime.attachment_names import names_of
from gateway.store.acting import Actor, acting
from gateway.store.engine import StoreDown

_MAX_FORM = 20_000
_MAX_SHOWN = 200_000
_FIELDS = 10
_UNSEEN = re.compile(
    "([\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\U000e0000-\U000e0fff])\\1*"
)


def review_routes(core: Core) -> list[Route]:
    """The route of the link."""
    return [Route(f"{PATH}/{{token}}", partial(_answer, core), methods=["GET", "POST"])]


async def _answer(core: Core, request: Request) -> HTMLResponse:
    token = request.path_params["token"]
    try:
        if request.method != "POST":
            return _show(await links.opened(core, token))
        form = await _form(request)
        ip = request.client.host if request.client else None
        if form.get("decision") == "approve":
            with acting(Actor("reviewer", "review_link", "approve", ip=ip)):
                await links.approve(core, token, form.get("digest", ""))
            return plain_page(200, "Approved", "<p>The message is on its way.</p>")
        if form.get("decision") == "reject":
            with acting(Actor("reviewer", "review_link", "reject", ip=ip)):
                await links.reject(core, token, form.get("reason", ""))
            return plain_page(200, "Rejected", "<p>The message will not be sent.</p>")
        return plain_page(400, "Nothing was decided", "<p>Please open the link again and use a button.</p>")
    except NotFound:
        return plain_page(404, "This link does not work", "<p>Please use the link of the mail, whole.</p>")
    except (StoreDown, Unavailable):
        page = plain_page(503, "Not now", "<p>Nothing was decided. Please try again in a minute.</p>")
        page.headers["Retry-After"] = "60"
        return page
    except CoreError as refused:
        words = html.escape(f"{refused.message}.")
        status = 403 if isinstance(refused, Forbidden) else 409
        return plain_page(status, "Nothing was decided", f"<p>{words}</p><p>Please open the link again.</p>")


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; none when it is larger than ours could be, or is no form."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > _MAX_FORM:
                return {}
        found = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS)
    except (ValueError, ClientDisconnect):
        return {}
    return {name: values[0] for name, values in found.items()}


def _show(invited: Invited) -> HTMLResponse:
    detail = invited.detail
    found, message = detail.found, detail.message
    review = found.review
    if review.state != "pending" or message is None:
        by = f" by {html.escape(review.decided_by)}" if review.decided_by else ""
        return plain_page(200, "Decided", f"<p>The message was {review.state}{by}.</p>")
    facts = [("From", found.inbox or "-")]
    for role in ("to", "cc", "bcc"):
        people = [one.address for one in found.recipients if one.role == role]
        if people:
            facts.append((role.capitalize(), ", ".join(people)))
    facts += [
        ("Subject", message.subject or "-"),
        ("Held for", ", ".join(review.reasons)),
        ("Until", f"{datetime.fromtimestamp(review.expires_at / 1e6, UTC):%Y-%m-%d %H:%M} UTC"),
    ]
    for one, name in zip(message.attachments, names_of(message.attachments), strict=True):
        facts.append(("Attached", f"{name or 'without a name'} ({one.content_type}, {one.size} octets)"))
    table = "".join(f"<dt>{name}</dt><dd>{_text(value)}</dd>" for name, value in facts)
    return plain_page(
        200, "Shall this message be sent?", f"<dl>{table}</dl>{_bodies(invited)}{_buttons(review.digest)}"
    )


def _bodies(invited: Invited) -> str:
    """The text, and what the HTML shows where that is something else."""
    message, seen = invited.detail.message, (invited.detail.seen or "").strip()
    text = ((message.text if message else "") or "").strip()
    if not seen or seen.split() == text.split():
        return f"<pre>{_text(text or '(no text)')}</pre>"
    parts = [("The text:", text), ("What its HTML shows:", seen)]
    return "".join(f"<p>{name}</p><pre>{_text(part)}</pre>" for name, part in parts if part)


def _buttons(digest: str) -> str:
    return (
        f'<form method="post"><input type="hidden" name="digest" value="{html.escape(digest)}">'
        '<button name="decision" value="approve">Send it</button></form>'
        f'<form method="post"><input name="reason" maxlength="{MAX_REASON}" placeholder="Reason (the agent reads it)">'
        '<button name="decision" value="reject">Reject it</button></form>'
    )


def _text(text: str) -> str:
    """A stranger's text: escaped, cut, and with what cannot be seen, or turns lines around, as its code point."""
    cut = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]} … (cut)"
    return html.escape(_UNSEEN.sub(lambda run: f"<U+{ord(run[1]):04X}>", cut))
