"""The Python client: send, wait for the answer, reply, and what it does when nothing comes or something is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until

Example = Callable[[str], ModuleType]


def _receive(gateway: GatewayProcess, to: str, subject: str, text: str = "A line.\n", **more: Any) -> None:
    deliver(gateway.port("smtp"), new_mail(to, subject, text, **more), to)


def test_send_wait_and_reply(example: Example, gateway: GatewayProcess, organization: Organization) -> None:
    mail = example("postern_client").Postern()
    friend = organization.new_inbox()
    _receive(gateway, mail.address, "an old answer", sender=friend["email"])
    until(lambda: mail.messages())
    sent = mail.send(friend["email"], "Question", "Are you there?")
    until(lambda: organization.call("GET", f"inboxes/{friend['inbox_id']}/messages")["messages"])
    # the answer comes before anyone waits for it
    _receive(gateway, mail.address, "Re: Question", "Your code is 482913.\n", sender=friend["email"])
    until(lambda: len(mail.messages()) == 3)
    came = mail.wait_for(sender=friend["email"], timeout=30)
    assert (came["subject"], came["extracted"]["code"]) == ("Re: Question", "482913")
    with pytest.raises(TimeoutError):
        mail.wait_for(timeout=1)
    replied = mail.reply(came["id"], "Thanks")
    assert replied["to_emails"] == [friend["email"]]
    assert mail.read(sent["id"])["subject"] == "Question"


def test_waits_for_what_has_not_come(example: Example, gateway: GatewayProcess) -> None:
    mail = example("postern_client").Postern()
    with ThreadPoolExecutor(1) as threads:
        job = threads.submit(mail.wait_for, subject=re.compile(r"^Order \d+$"), timeout=30)
        _receive(gateway, mail.address, "Order of the day")
        _receive(gateway, mail.address, "Order 77")
        assert job.result(40)["subject"] == "Order 77"


def test_says_what_was_refused(example: Example) -> None:
    module = example("postern_client")
    with pytest.raises(module.PosternError, match="subject"):
        module.Postern().wait_for(subject="/(/")
    with pytest.raises(module.PosternError, match="401"):
        module.Postern(key="mbk_wrong")
    with pytest.raises(module.PosternError, match="404"):
        module.Postern(inbox="nobody@nowhere.test")
