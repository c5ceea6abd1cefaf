"""A request under an idempotency key: being worked on, or with its answer."""

from __future__ import annotations

from typing import ClassVar, Literal

from gateway.records.base import Record


class KeyedRequest(Record, frozen=True):
    """A request that was sent under an idempotency key. See ``core.idempotency``."""

    table: ClassVar[str] = "idempotency"

    id: int
    realm: str  # whose keys these are: an organization or a key, as the dialect has it
    key: str
    fingerprint: str  # digest of the request
    state: Literal["running", "done"]
    status: int | None  # of the answer, as is ``body``
    body: str | None
    work: str  # ULID; what the request makes can be known by it, should it have to run again
    claimed_by: str | None  # the process that runs it
    created_at: int  # µs; when it was claimed last

    @property
    def answer(self) -> tuple[int, str] | None:
        """(status, body), once the request is done."""
        if self.state == "running" or self.status is None or self.body is None:
            return None
        return self.status, self.body
