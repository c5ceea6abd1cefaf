"""The code blocks of the quick start, the cookbook and the migration pages, run in order as a reader would paste them.

Blocks that name no language are not run: they need a server, a domain or another program.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.examples.test_readme import ROOT, Reader, blocks
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.webhook_endpoint import Endpoint, webhook_endpoint

PAGES = (
    "docs/quick-start.md",
    *(one.relative_to(ROOT).as_posix() for one in sorted((ROOT / "docs/cookbook").glob("*.md"))),
    *(one.relative_to(ROOT).as_posix() for one in sorted((ROOT / "docs/migrating").glob("*.md"))),
)
ANSWERS = {
    "docs/quick-start.md": "A message to myself.",
    "docs/cookbook/domains.md": "bot@second.example.com",
    "docs/cookbook/first-mail.md": '"labels":["done"',
    "docs/cookbook/reply.md": "Yes, from 10 to 16.",
    "docs/cookbook/wait-for-a-code.md": "{'code': '481516', 'link': None}",
    "docs/cookbook/webhook.md": '"count":',
    "docs/migrating/agentmail.md": "agent@postern.test",
    "docs/migrating/mailboxkit.md": '"status":"queued"',
}
"""What a reader of the page sees at some point."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """What the quick start ends in, for all pages."""
    with running_gateway(tmp_path_factory.mktemp("data")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """The reader's program that takes webhooks."""
    with webhook_endpoint() as made:
        yield made


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_the_page_run(
    page: str, started: GatewayProcess, endpoint: Endpoint, tmp_path: Path
) -> None:
    reader = Reader(started, endpoint.url, tmp_path)
    run = [one for one in blocks(page) if one.language]
    assert {one.language for one in run} <= {"sh", "python"}, page
    shell = [one for one in run if one.language == "sh"]
    # a reader's shell keeps what a block has set
    whole = [replace(shell[0], text="".join(one.text for one in shell))] if shell else []
    said = "".join(map(reader.run, [*whole, *(one for one in run if one.language != "sh")]))
    assert ANSWERS.get(page, "") in said
