"""The agents' tools against the running gateway. Only the remote model is not there: a script stands in for what it
would ask. LangChain and CrewAI are tried where they are installed; the tools they wrap always are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.examples.conftest import EXAMPLES
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until

Example = Callable[[str], ModuleType]
Wish = tuple[str, dict[str, Any]]


class Model:
    """OpenAI's service as far as the example uses it: each turn is told what was said and asks for a tool, or ends."""

    def __init__(self, turns: Iterator[Wish | str]) -> None:
        self.turns = turns
        self.heard: list[Any] = []
        self.chat = SimpleNamespace(completions=self)

    def create(self, *, model: str, messages: list[Any], tools: list[Any]) -> Any:
        assert model == "a-model"
        assert {one["function"]["name"] for one in tools} >= {"send_email", "wait_for_email"}
        self.heard = [json.loads(one["content"]) for one in messages if _role(one) == "tool"]
        wish = next(self.turns)
        if isinstance(wish, str):
            said = SimpleNamespace(role="assistant", content=wish, tool_calls=None)
        else:
            function = SimpleNamespace(name=wish[0], arguments=json.dumps(wish[1]))
            said = SimpleNamespace(
                role="assistant", content=None, tool_calls=[SimpleNamespace(id="call_1", function=function)]
            )
        return SimpleNamespace(choices=[SimpleNamespace(message=said)])


def _role(message: Any) -> str:
    return str(message["role"] if isinstance(message, dict) else message.role)


def test_a_model_asks_waits_and_answers(
    example: Example, gateway: GatewayProcess, organization: Organization
) -> None:
    agent, tools = example("openai_agent"), example("mail_tools")
    friend = organization.new_inbox()
    ours = tools.mailbox().address

    def turns() -> Iterator[Wish | str]:
        yield "send_email", {"to": friend["email"], "subject": "Lunch", "body": "Friday?"}
        assert model.heard[-1].startswith("Email sent (ID: ")
        deliver(
            gateway.port("smtp"),
            new_mail(ours, "Re: Lunch", "Friday is fine.\n", sender=friend["email"]),
            ours,
        )
        yield "wait_for_email", {"sender": friend["email"], "timeout": 30}
        came = model.heard[-1]
        assert came["untrusted"]["text"].strip() == "Friday is fine."
        yield "read_email", {"message_id": came["id"]}
        assert model.heard[-1] == came
        yield "reply_to_email", {"message_id": came["id"], "body": "See you."}
        assert model.heard[-1].startswith("Reply sent")
        yield "check_inbox", {"limit": 2}
        assert [one["untrusted"]["subject"] for one in model.heard[-1]] == ["Re: Lunch", "Re: Lunch"]
        yield "no_such_tool", {}
        assert "no_such_tool" in model.heard[-1]["error"]
        yield "reply_to_email", {"message_id": 1, "body": "?"}
        assert "404" in model.heard[-1]["error"]
        yield "Lunch is on Friday."

    model = Model(turns())
    assert agent.run(model, "Ask for lunch.", "a-model") == "Lunch is on Friday."
    path = f"inboxes/{friend['inbox_id']}/messages"
    until(lambda: len(organization.call("GET", path)["messages"]) == 2, why="the question and the reply")


def test_the_schemas_are_those_of_the_tools(example: Example) -> None:
    agent, tools = example("openai_agent"), example("mail_tools")
    shown = {one["function"]["name"]: one["function"]["parameters"] for one in agent.TOOLS}
    assert list(shown) == [one.__name__ for one in tools.TOOLS]
    for one in tools.TOOLS:
        names = one.__code__.co_varnames[: one.__code__.co_argcount]
        assert list(shown[one.__name__]["properties"]) == list(names)
        assert shown[one.__name__]["required"] == list(names[: len(names) - len(one.__defaults__ or ())])


def test_waiting_in_vain_tells_the_model_what_to_do(example: Example) -> None:
    assert "call wait_for_email again" in example("mail_tools").wait_for_email(timeout=1)


@pytest.mark.parametrize(
    ("name", "package"), [("langchain_tools", "langchain_core"), ("crewai_tools", "crewai")]
)
def test_frameworks_take_the_tools(
    name: str, package: str, environment: dict[str, str], organization: Organization
) -> None:
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    friend = organization.new_inbox()
    script = (
        f"import {name} as example\n"
        "tools = {one.name: one for one in example.TOOLS}\n"
        "run = getattr(tools['send_email'], 'invoke', None) or (lambda given: tools['send_email'].run(**given))\n"
        f"print(run({{'to': '{friend['email']}', 'subject': 'Hello', 'body': 'A line.'}}))\n"
    )
    done = _run([sys.executable, "-c", script], environment)
    assert done.returncode == 0, done.stderr
    assert "Email sent (ID: " in done.stdout
    until(lambda: organization.call("GET", f"inboxes/{friend['inbox_id']}/messages")["messages"])


@pytest.mark.parametrize(
    ("name", "package", "install"),
    [
        ("openai_agent", "openai", "pip install openai"),
        ("langchain_tools", "langchain_core", "pip install langchain-core"),
        ("crewai_tools", "crewai", "pip install crewai"),
    ],
)
def test_says_which_package_is_missing(
    name: str, package: str, install: str, environment: dict[str, str]
) -> None:
    # as if it were not installed: None in sys.modules refuses the import
    script = (
        "import sys, runpy\n"
        "sys.path.insert(0, '.')\n"
        f"sys.modules[{package!r}] = None\n"
        f"runpy.run_path('{name}.py', run_name='__main__')\n"
    )
    done = _run([sys.executable, "-c", script], environment)
    assert done.returncode == 1
    assert install in done.stderr
    assert "Traceback" not in done.stderr


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=EXAMPLES,
        env={**os.environ, **environment, "no_proxy": "*"},
        capture_output=True,
        text=True,
        timeout=60,
    )
