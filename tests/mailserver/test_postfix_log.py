"""What a crash leaves in Postfix's queue must not keep it from starting."""

from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.servers import postfix_missing, postfix_server

pytestmark = [pytest.mark.anyio, pytest.mark.root]


async def test_a_bogus_queue_file_does_not_keep_postfix_from_starting(tmp_path: Path) -> None:
    reason = postfix_missing()
    if reason:
        pytest.skip(reason)
    async with postfix_server(tmp_path) as server:
        data, recorder = server.settings.data_dir, cast(Any, server).recorder
        await server.stop()
        # the name of a queue file that was being made when its maker was killed
        (data / "postfix" / "spool" / "incoming" / "633930.2548").touch()
        await server.start(recorder.on_hint, recorder.on_submission)
        health = await server.health()
        assert all(part.ok for part in health.values()), health
