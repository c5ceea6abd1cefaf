"""What an agent reports about this API, in the shape of OpenMail's clients. The operator finds it in the log."""

from __future__ import annotations

import logging
from typing import Annotated

import msgspec

from gateway.api.openmail.threads import Done
from gateway.api.routing import Call, NoQuery, Table
from gateway.core.access import changes
from gateway.records.ids import KEY_ID, ORGANIZATION_ID

log = logging.getLogger("postern.feedback")

table = Table("feedback")

Doc = msgspec.Meta

_MOST = 500
_Word = Annotated[str, Doc(max_length=_MOST)]
_WORDS = 4000


class FeedbackContext(msgspec.Struct, rename="camel"):
    """What the report is about."""

    endpoint: Annotated[_Word | None, Doc(description="the path or tool that it is about")] = None
    error_code: Annotated[_Word | None, Doc(description="the code of the error")] = None
    request_id: Annotated[_Word | None, Doc(description="X-Request-Id of the answer")] = None


class Feedback(msgspec.Struct):
    """A report: a bug, friction or feature_request."""

    message: Annotated[str, Doc(min_length=1, max_length=_WORDS, description="what went wrong or is missing")]
    type: Annotated[str, Doc(max_length=_MOST, description="bug, friction or feature_request")] = "friction"
    context: Annotated[FeedbackContext | None, Doc(description="what it is about")] = None


@table.post("/feedback", status=201, access=changes(test="any"), max_body=64 * 1024)
async def give_feedback(call: Call[Feedback, NoQuery]) -> Done:
    """Report a problem with this API to its operator; it goes into the gateway's log and nowhere else."""
    body, scope = call.body, call.scope
    context = body.context or FeedbackContext()
    log.info(
        "feedback of %s, %r, endpoint %r, error %r, request %r: %r",
        ORGANIZATION_ID.public(scope.organization),
        body.type,
        context.endpoint,
        context.error_code,
        context.request_id,
        body.message,
        extra={"key_id": KEY_ID.public(scope.key_id)},
    )
    return Done()
