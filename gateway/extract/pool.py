"""The gateway's side: messages in, the text of their attachments out, in sandboxed processes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from gateway.extract.job import ExtractJob, Read
from gateway.extract.kinds import hopeless
from gateway.extract.limits import CPU_SECONDS, FILE_OCTETS, MEMORY, MESSAGE_SECONDS, QUEUE_SECONDS
from gateway.extract.types import TOO_LARGE, UNSUPPORTED, Extracted, Wanted, WorkerSettings
from gateway.mime.types import Attachment
from gateway.mime.workers.pool import WorkerPool


class ExtractPool(WorkerPool):
    """Processes that read attachments. They start with the first attachment: a gateway without any has none.

    Args:
        processes: how many messages' attachments are read at once (slow ones are taken aside, as many again twice).
        languages: of pictures, as tesseract takes them.
        cpu_seconds: processor time an attachment may take.
        deadline: seconds of wall clock the attachments of one message may take.
        patience: seconds after which a message is taken aside.
        queue_seconds: how long a message waits for its turn before it is left unread.
    """

    def __init__(
        self,
        processes: int = 2,
        *,
        languages: str = "eng",
        cpu_seconds: int = CPU_SECONDS,
        deadline: float = MESSAGE_SECONDS,
        patience: float = 1.0,
        queue_seconds: float = QUEUE_SECONDS,
    ) -> None:
        super().__init__(
            "gateway.extract.worker_main",
            WorkerSettings(MEMORY, cpu_seconds, deadline, languages),
            processes=processes,
            deadline=deadline,
            patience=patience,
            eager=False,
            hold=True,
            retries=(0.0, 1.0),
        )
        self._queue_seconds = queue_seconds

    async def extract(
        self, raw: bytes, attachments: Sequence[Attachment], known: Mapping[str, Extracted] | None = None
    ) -> dict[str, Extracted]:
        """What was found in each attachment of the message ``raw``, by its id; ``known`` ones are not read again.

        An id is missing when the machine had no time for it: it may be asked for again. Never raises for what is in
        the message. Raises RuntimeError when the pool is not open.
        """
        found: dict[str, Extracted] = {}
        asked: list[Attachment] = []
        for one in attachments:
            if known and one.id in known:
                found[one.id] = known[one.id]
            elif hopeless(one.content_type):
                found[one.id] = UNSUPPORTED
            elif one.size > FILE_OCTETS:
                found[one.id] = TOO_LARGE
            else:
                asked.append(one)
        end = asyncio.get_running_loop().time() + self.deadline
        while asked:
            if asyncio.get_running_loop().time() > end:  # one after the other has killed its process
                found |= {one.id: TOO_LARGE for one in asked}
                break
            read = await self._read(raw, asked)
            for one, extracted in zip(asked, read.done, strict=False):
                found[one.id] = extracted
            asked = asked[len(read.done) :] if read.more else []
        return found

    async def _read(self, raw: bytes, asked: Sequence[Attachment]) -> Read:
        wanted = [Wanted(one.part, one.content_type, one.filename) for one in asked]
        job = ExtractJob(raw, wanted, asyncio.get_running_loop().create_future())
        running = asyncio.ensure_future(self.run([job]))
        try:
            await asyncio.wait([running], timeout=self._queue_seconds)
            if not running.done() and not job.begun:
                return Read([], False)
            read: Read = (await running)[0]
            return read
        finally:
            running.cancel()
