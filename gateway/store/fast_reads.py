"""Short look-ups of the SQLite database: one thread, and what was asked meanwhile is answered together.

The event loop and a reader thread share one GIL, so each hand-over between them costs more than a look-up by key does.
Here a group of look-ups costs one hand-over each way.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Asked = tuple[Callable[[], Any], "asyncio.Future[Any]"]
_Answer = tuple["asyncio.Future[Any]", Any, BaseException | None]


class FastReads:
    """The thread and its queue. ``close`` ends it after what is queued; ``at_end`` runs last, in the thread."""

    def __init__(self, at_end: Callable[[], object]) -> None:
        self._at_end = at_end
        self._queue: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def look(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the thread. Raises what it raises."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="store-glance", daemon=True)
            self._thread.start()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put((work, answer))
        return await answer

    def close(self) -> None:
        """Answer what is queued and end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        last = False
        while not last:
            group = [self._queue.get()]
            while not self._queue.empty():
                group.append(self._queue.get())
            last = None in group
            answers: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
            for asked in group:
                if asked is not None:
                    work, future = asked
                    answers.setdefault(future.get_loop(), []).append((future, *_result(work)))
            for loop, settled in answers.items():
                _hand_over(loop, settled)
        self._at_end()


def _result(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return work(), None
    except BaseException as error:
        return None, error


def _hand_over(loop: asyncio.AbstractEventLoop, answers: list[_Answer]) -> None:
    def settle() -> None:
        for future, value, error in answers:
            if future.done():  # whoever asked was cancelled
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        return  # the loop was closed while we looked: nobody waits any more
