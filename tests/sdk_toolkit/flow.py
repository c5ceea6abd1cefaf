"""AgentMail's toolkit, unchanged, through what an agent does with its tools.

Run by ``test_toolkit`` with the Python that has the toolkit. Facts come in POSTERN_FACTS (JSON): base, key, smtp_port,
framework (``langchain`` or ``openai``). What the test is to look for it prints, as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import smtplib
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any, cast

from agentmail import AgentMail
from agentmail.environment import AgentMailEnvironment

FACTS = json.loads(os.environ["POSTERN_FACTS"])
PDF = b"%PDF-1.4\n%%EOF\n"

Call = Callable[..., Any]


class Failed(Exception):
    """A tool said that it could not; with what the model reads then."""


def of_langchain(client: AgentMail) -> Call:
    """Call a tool as a LangChain agent does."""
    from agentmail_toolkit.langchain import AgentMailToolkit

    tools = {tool.name: tool for tool in AgentMailToolkit(client).get_tools()}

    def call(name: str, **given: Any) -> Any:
        found = tools[name].invoke(given)
        if isinstance(found, str):  # what a model is given instead of a result
            raise Failed(found)
        return None if found is None else json.loads(found.model_dump_json())

    return call


def of_openai(client: AgentMail) -> Call:
    """Call a tool as an agent of OpenAI's SDK does."""
    from agentmail_toolkit.openai import AgentMailToolkit

    tools = {tool.name: tool for tool in AgentMailToolkit(client).get_tools()}

    def call(name: str, **given: Any) -> Any:
        try:
            text = asyncio.run(tools[name].on_invoke_tool(cast(Any, None), json.dumps(given)))
        except RuntimeError as error:
            raise Failed(str(error)) from error
        return None if text == "OK" else json.loads(text)

    return call


def deliver(to: str, subject: str) -> None:
    """Mail from outside, with a file."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ann <ann@abroad.test>", to, subject
    mail.set_content("Can you read the file?")
    mail.add_attachment(PDF, maintype="application", subtype="pdf", filename="a.pdf")
    with smtplib.SMTP("127.0.0.1", FACTS["smtp_port"], timeout=30) as server:
        server.send_message(mail, "ann@abroad.test", [to])


def until(look: Callable[[], Any]) -> Any:
    """What ``look`` finds, at last."""
    end = time.monotonic() + 30
    while not (found := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def refused(call: Call, name: str, **given: Any) -> str:
    """What a tool says when it cannot."""
    try:
        call(name, **given)
    except Failed as error:
        return str(error)
    raise AssertionError(f"{name} could")


def flow(client: AgentMail, call: Call) -> dict[str, str]:
    """Everything that the tools can do; answers whom the test will find mail for."""
    framework = FACTS["framework"]
    inbox = call("create_inbox", username=f"bot-{framework}", display_name="Bot")
    address = inbox["inbox_id"]
    assert address == inbox["email"] == f"bot-{framework}@postern.test"
    unnamed = call("create_inbox")
    assert unnamed["inbox_id"].endswith("@postern.test")
    listed = call("list_inboxes")
    assert {address, unnamed["inbox_id"]} <= {one["inbox_id"] for one in listed["inboxes"]}
    assert set(listed) <= {"count", "limit", "next_page_token", "inboxes"}, (
        "nothing twice for a model to read"
    )
    assert call("get_inbox", inbox_id=address)["display_name"] == "Bot"

    deliver(address, "A file")
    (thread,) = until(lambda: call("list_threads", inbox_id=address, labels=["unread"])["threads"])
    named = {"inbox_id": address, "thread_id": thread["thread_id"]}
    read = call("get_thread", **named)
    (message,) = read["messages"]
    assert (message["subject"], message["text"].strip()) == ("A file", "Can you read the file?")
    (file,) = thread["attachments"]
    link = call("get_attachment", **named, attachment_id=file["attachment_id"])
    assert (link["filename"], link["content_type"], link["size"]) == ("a.pdf", "application/pdf", len(PDF))
    assert link["download_url"].startswith(FACTS["base"])

    one = {"inbox_id": address, "message_id": message["message_id"]}
    call("update_message", **one, add_labels=["handled"], remove_labels=["unread"])
    assert call("list_threads", inbox_id=address, labels=["unread"])["threads"] == []
    (handled,) = call("list_threads", inbox_id=address, labels=["handled"], limit=5)["threads"]
    assert handled["thread_id"] == thread["thread_id"]
    reply = call("reply_to_message", **one, text="I can.")
    assert reply["thread_id"] == thread["thread_id"]
    to = {what: f"{what}-{framework}@abroad.test" for what in ("forward", "send", "copy")}
    call("forward_message", **one, to=[to["forward"]], text="See below.")
    sent = call(
        "send_message",
        inbox_id=address,
        to=[f"Eve <{to['send']}>"],
        cc=[to["copy"]],
        subject="Made by a tool",
        text="Hello.",
        html="<p>Hello.</p>",
        labels=["made"],
        attachments=[{"filename": "b.txt", "content": base64.b64encode(b"inside").decode()}],
    )
    assert sent["message_id"]
    assert sent["thread_id"] != thread["thread_id"]

    says = refused(call, "get_thread", inbox_id=address, thread_id="thr_" + "0" * 26)
    assert "HTTP 404" in says
    assert "HTTP 40" in refused(call, "create_inbox", username="two words")

    human = f"human-{framework}@abroad.test"
    made = client.agent.sign_up(username=f"agent-{framework}", human_email=human)
    own = FRAMEWORKS[framework](sdk(made.api_key))
    assert own("agent_attach_human", human_email=human)["human_email"] == human
    assert "HTTP 400" in refused(own, "agent_verify", otp_code="none")

    assert call("delete_inbox", inbox_id=unnamed["inbox_id"]) is None
    assert "HTTP 404" in refused(call, "get_inbox", inbox_id=unnamed["inbox_id"])
    return {**to, "human": human}


def sdk(key: str) -> AgentMail:
    """The official client that the toolkit is given."""
    base = f"{FACTS['base']}/api"
    return AgentMail(api_key=key, environment=AgentMailEnvironment(http=base, websockets=base))


FRAMEWORKS = {"langchain": of_langchain, "openai": of_openai}


if __name__ == "__main__":
    client = sdk(FACTS["key"])
    json.dump(flow(client, FRAMEWORKS[FACTS["framework"]](client)), sys.stdout)
