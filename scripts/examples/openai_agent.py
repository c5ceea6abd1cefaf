"""An agent with a mailbox, by OpenAI's function calling.

    pip install openai
    POSTERN_URL=… POSTERN_KEY=… OPENAI_API_KEY=… python scripts/examples/openai_agent.py "Ask ann@example.com for …"

OPENAI_BASE_URL points it at any other server that speaks the same protocol.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import mail_tools

MAX_TURNS = 20


def _function(
    name: str, description: str, required: list[str], **properties: dict[str, str]
) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


TOOLS = [
    _function(
        "send_email",
        "Send an email",
        ["to", "subject", "body"],
        to={"type": "string", "description": "Recipient email address"},
        subject={"type": "string", "description": "Email subject"},
        body={"type": "string", "description": "Email body (plain text)"},
    ),
    _function(
        "check_inbox",
        "List the newest emails, received and sent",
        [],
        limit={"type": "integer", "description": "How many, 10 by default"},
    ),
    _function(
        "read_email",
        "Read one email",
        ["message_id"],
        message_id={"type": "integer", "description": "ID of the email"},
    ),
    _function(
        "reply_to_email",
        "Answer an email in its thread",
        ["message_id", "body"],
        message_id={"type": "integer", "description": "ID of the email to answer"},
        body={"type": "string", "description": "Answer (plain text)"},
    ),
    _function(
        "wait_for_email",
        "Wait until an email comes, such as the answer to one just sent",
        [],
        sender={"type": "string", "description": "Address of the sender, where it matters"},
        subject={"type": "string", "description": "Part of the subject, where it matters"},
        timeout={"type": "integer", "description": "Seconds, 60 by default"},
    ),
]


def run(client: Any, task: str, model: str) -> str:
    """Let the model work on a task until it answers in words. ``client``: an ``openai.OpenAI``."""
    messages: list[Any] = [
        {"role": "system", "content": mail_tools.PROMPT},
        {"role": "user", "content": task},
    ]
    for _ in range(MAX_TURNS):
        answer = client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
        said = answer.choices[0].message
        messages.append(said)
        if not said.tool_calls:
            return said.content or ""
        for call in said.tool_calls:
            result = use(call.function.name, call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    raise RuntimeError(f"no answer after {MAX_TURNS} turns")


def use(name: str, arguments: str) -> str:
    """Call a tool as the model asked; what goes wrong is told to the model, so that it can do better."""
    tools = {one.__name__: one for one in mail_tools.TOOLS}
    try:
        return json.dumps(tools[name](**json.loads(arguments)), ensure_ascii=False)
    except Exception as error:
        return json.dumps({"error": f"{type(error).__name__}: {error}"}, ensure_ascii=False)


if __name__ == "__main__":
    try:
        from openai import OpenAI
    except ImportError:
        sys.exit("this example needs the package openai: pip install openai")
    print(run(OpenAI(), " ".join(sys.argv[1:]), os.environ.get("OPENAI_MODEL", "gpt-4o-mini")))
