"""/skill.md and /llms.txt: what an agent reads first holds for this server, and its curl lines run as they stand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until


def text_at(gateway: GatewayProcess, path: str, kind: str) -> str:
    answer = httpx.get(f"{gateway.base_url}{path}", trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    return answer.text


def test_the_skill_names_this_server_and_only_paths_there_are(gateway: GatewayProcess) -> None:
    skill = text_at(gateway, "/skill.md", "text/markdown")
    assert skill.startswith("---\nname: ")
    assert "$base_url" not in skill
    described = httpx.get(f"{gateway.base_url}/openapi.json", trust_env=False).json()["paths"]
    known = [re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)) for path in [*described, "/v1/ws"]]
    named = set(re.findall(rf"(?:{re.escape(gateway.base_url)}|`)(/v1/[^\s\"`?]*)", skill))
    assert len(named) >= 5
    for path in named:
        assert any(one.fullmatch(path) for one in known), path


def test_llms_txt_leads_to_everything(gateway: GatewayProcess) -> None:
    text = text_at(gateway, "/llms.txt", "text/plain")
    links = re.findall(r"\]\(([^)]+)\)", text)
    for path in ("/skill.md", "/openapi.json", "/docs", "/health"):
        assert f"{gateway.base_url}{path}" in links
        assert httpx.get(f"{gateway.base_url}{path}", trust_env=False).status_code == 200
    for prefix in ("/api/v0", "/v1"):
        assert f"`{gateway.base_url}{prefix}`" in text


class Agent:
    """Runs the code blocks of the skill with its shell variables set, as an agent would."""

    def __init__(self, gateway: GatewayProcess, organization: Organization, folder: Path) -> None:
        skill = text_at(gateway, "/skill.md", "text/markdown")
        self.blocks = re.findall(r"```bash\n(.*?)```", skill, re.DOTALL)
        self.folder = folder
        self.variables = {"PATH": "/usr/bin:/bin", "POSTERN_KEY": organization.api_key}
        self.used: set[str] = set()

    def run(self, *words: str, **variables: str) -> Any:
        """Run the one block that holds all the words; answers the JSON it prints, if it is JSON."""
        found = [block for block in self.blocks if all(word in block for word in words)]
        assert len(found) == 1, (words, found)
        self.used.add(found[0])
        self.variables |= variables
        text = found[0].replace("ann@example.com", self.variables.get("FRIEND", ""))
        done = subprocess.run(
            ["bash", "-euc", text],
            env=self.variables,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            return done.stdout
        if isinstance(answer, dict):
            assert "error" not in answer, answer
        return answer


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_curl_line_of_the_skill_runs(
    gateway: GatewayProcess, organization: Organization, tmp_path: Path
) -> None:
    friend = organization.new_inbox()["email_address"]
    agent = Agent(gateway, organization, tmp_path)
    (tmp_path / "report.csv").write_text("a,b\n1,2\n")
    inbox = agent.run("displayName")
    assert inbox["id"] in {row["id"] for row in agent.run("/v1/inboxes -H", "curl -s http")["data"]}
    first = uuid.uuid4().hex
    sent = agent.run('"subject": "Friday"', INBOX=inbox["id"], KEY=first, FRIEND=friend)
    assert agent.run('"subject": "Friday"') == sent
    agent.run("-F attachments=@report.csv", KEY=uuid.uuid4().hex)
    thread = agent.run("/messages -H", THREAD=sent["threadId"])
    assert [row["direction"] for row in thread["data"]] == ["outbound"]

    answer = new_mail(
        inbox["address"], "Re: Friday", "Yes.\n", sender=friend, In_Reply_To=sent["providerMessageId"]
    )
    answer.add_attachment(b"x,y\n3,4\n", maintype="text", subtype="csv", filename="table 1.csv")
    deliver(gateway.port("smtp"), answer, inbox["address"])
    waited = agent.run("/messages/wait", MESSAGE=sent["messageId"])["message"]
    assert (waited["threadId"], waited["fromAddr"]) == (sent["threadId"], friend)
    unread = until(lambda: agent.run("threads?is_read=false")["data"], why="the answer")
    assert [row["id"] for row in unread] == [sent["threadId"]]
    message = agent.run("/messages -H")["data"][-1]
    assert (message["direction"], message["fromAddr"]) == ("inbound", friend)
    assert message["bodyText"].strip() == "Yes."
    agent.run('"is_read": true')
    assert agent.run("threads?is_read=false")["data"] == []
    reply = agent.run('"threadId"', KEY=uuid.uuid4().hex)
    assert reply["threadId"] == sent["threadId"]
    text = agent.run("/text", URL=message["attachments"][0]["url"])
    assert "3" in text["text"]
    assert (tmp_path / "attachment").read_bytes() == b"x,y\n3,4\n"
    assert agent.used == set(agent.blocks)
