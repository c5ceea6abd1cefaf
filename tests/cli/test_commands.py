"""Each command on a running gateway: on its data directory, and from elsewhere by --url."""

from __future__ import annotations

import imaplib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.gateway_process import GatewayProcess


def answer(gateway: GatewayProcess, *arguments: str, code: int = 0, **options: Any) -> Any:
    """The JSON of a command, which must end with ``code``."""
    done = gateway.postern(*arguments, "--json", **options)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout if code == 0 else done.stderr)


def status(gateway: GatewayProcess, key: str) -> int:
    url = f"{gateway.base_url}/api/v0/inboxes"
    return httpx.get(url, headers={"Authorization": f"Bearer {key}"}, trust_env=False).status_code


def test_keys(gateway: GatewayProcess) -> None:
    made = answer(gateway, "key", "create", "from the command line")
    assert status(gateway, made["key"]) == 200
    listed = answer(gateway, "key", "list")
    assert made["key_id"] in [one["key_id"] for one in listed]
    assert made["key"] not in json.dumps(listed)
    shown = gateway.postern("key", "list")
    assert "from the command line" in shown.stdout
    answer(gateway, "key", "revoke", made["key_id"])
    assert status(gateway, made["key"]) == 401
    refused = answer(gateway, "key", "revoke", made["key_id"], code=3)
    assert made["key_id"] in refused["error"]


def test_a_key_of_one_inbox_with_one_permission(gateway: GatewayProcess) -> None:
    inbox = answer(gateway, "inbox", "create")
    made = answer(
        gateway, "key", "create", "narrow", "--inbox", inbox["email_address"], "--permission", "message_read"
    )
    headers = {"Authorization": f"Bearer {made['key']}"}
    with httpx.Client(base_url=f"{gateway.base_url}/api/v0/", headers=headers, trust_env=False) as client:
        assert client.get(f"inboxes/{inbox['inbox_id']}/messages").status_code == 200
        assert client.get(f"inboxes/{gateway.inbox['id']}/messages").status_code == 403
        sent = client.post(f"inboxes/{inbox['inbox_id']}/messages/send", json={"to": "a@b.test", "text": "x"})
        assert sent.status_code == 403


def test_inboxes(gateway: GatewayProcess) -> None:
    made = answer(gateway, "inbox", "create", "scout", "--display-name", "Scout")
    assert made["email_address"] == "scout@postern.test"
    taken = gateway.postern("inbox", "create", "scout")
    assert taken.returncode == 1
    assert "taken" in taken.stderr
    assert "scout@postern.test" in gateway.postern("inbox", "list").stdout
    people = answer(gateway, "inbox", "password", "scout@postern.test")
    with imaplib.IMAP4("127.0.0.1", people["imap"]["port"]) as imap:
        imap.login(people["username"], people["password"])
    shown = gateway.postern("inbox", "password", "scout@postern.test")
    assert f"port {people['imap']['port']}" in shown.stdout
    no = gateway.postern("inbox", "delete", "scout@postern.test", input="n\n")
    assert no.returncode == 130
    answer(gateway, "inbox", "delete", "scout@postern.test", "--yes")
    gone = gateway.postern("inbox", "delete", "scout@postern.test", "--yes")
    assert gone.returncode == 3


def test_an_inbox_is_named_by_its_whole_address(gateway: GatewayProcess) -> None:
    answer(gateway, "domain", "add", "second.example")
    made = answer(gateway, "inbox", "create", "Bot@Second.example")
    assert made["email_address"] == "bot@second.example"
    assert answer(gateway, "inbox", "create", "two@second.example", "--domain", "second.example.")[
        "domain"
    ] == ("second.example")
    assert answer(gateway, "inbox", "create", "three@postern.test")["email_address"] == "three@postern.test"
    for name in ("bot@second.example", "two@second.example", "three@postern.test"):
        answer(gateway, "inbox", "delete", name, "--yes")
    answer(gateway, "domain", "remove", "second.example")


def with_key(gateway: GatewayProcess, key: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command on the data directory where an API key is exported."""
    return subprocess.run(
        gateway.command(*arguments),
        env=gateway.environment() | {"POSTERN_KEY": key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_exported_key_does_not_stop_the_operators_commands(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    organization = gateway.new_organization()
    key, address = organization.api_key, organization.new_inbox("exported")["email_address"]
    for arguments in (
        ["backup", str(tmp_path / "backups"), "--mail"],
        ["export", "--inbox", address, "--to", str(tmp_path / "exported")],
        ["erase", "--person", "nobody@example.com", "--dry-run"],
        ["inbox", "suspend", address, "--reason", "manual_review"],
        ["inbox", "reactivate", address],
        ["queue", "retry", "--all"],
    ):
        done = with_key(gateway, key, *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    # every other command is that key's, as before
    listed = with_key(gateway, key, "inbox", "list")
    assert address in listed.stdout
    assert str(gateway.inbox["address"]) not in listed.stdout
    # a key that is typed is meant, wherever it is typed
    operator = json.loads((gateway.data / "operator.json").read_text())["api_key"]
    for arguments in (["queue", "retry", "--all", "--key", key], ["--key", key, "queue", "retry", "--all"]):
        refused = with_key(gateway, operator, *arguments)
        assert refused.returncode == 3, refused.stderr
        assert "this is the operator's" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["bot@unknown.example"], 1, "postern domain add unknown.example"),
        (
            ["bot@first.example", "--domain", "other.example"],
            2,
            "the address is at first.example, but --domain says",
        ),
        (["bot@"], 2, "neither a username nor an address"),
        (["@postern.test"], 2, "neither a username nor an address"),
        (["a@b@postern.test"], 2, "neither a username nor an address"),
        (["bot@not a domain"], 1, "not a domain name"),
    ],
)
def test_an_address_that_cannot_be_an_inbox_says_why(
    gateway: GatewayProcess, arguments: list[str], code: int, words: str
) -> None:
    refused = gateway.postern("inbox", "create", *arguments)
    assert refused.returncode == code, refused.stderr
    assert words in refused.stderr


def test_quotas(gateway: GatewayProcess) -> None:
    inbox = answer(gateway, "inbox", "create", "limited")
    shown = gateway.postern("inbox", "quota", "limited@postern.test", "1.5M")
    assert shown.stdout == "limited@postern.test  0 of 1.5M used (0 %)  (quota: 1.5M)\n", shown.stderr
    assert answer(gateway, "inbox", "quota", inbox["inbox_id"])["quota_bytes"] == 3 << 19
    (line,) = [one for one in gateway.postern("inbox", "list").stdout.splitlines() if "limited@" in one]
    assert line.split()[3] == "1.5M"
    assert "storage   0 of 1.5M used" in gateway.postern("inbox", "show", "limited@postern.test").stdout
    assert answer(gateway, "inbox", "show", inbox["inbox_id"])["quota"]["limit_bytes"] == 3 << 19
    # the operator's command reaches every organization's
    other = gateway.new_organization().new_inbox("quota-elsewhere")["email_address"]
    assert answer(gateway, "inbox", "quota", other, "2g")["limit_bytes"] == 2 << 30
    none = gateway.postern("inbox", "quota", "limited@postern.test", "none").stdout
    assert none == "limited@postern.test  0 used, no limit  (quota: none)\n"
    assert answer(gateway, "inbox", "quota", "limited@postern.test", "default")["quota_bytes"] is None
    for size, code, words in (("big", 2, "not a size"), ("-5M", 2, ""), ("10", 1, "1048576")):
        refused = gateway.postern("inbox", "quota", "limited@postern.test", size)
        assert refused.returncode == code, refused.stderr
        assert words in refused.stderr
    assert gateway.postern("inbox", "quota", "nobody@postern.test", "1G").returncode == 3
    answer(gateway, "inbox", "delete", "limited@postern.test", "--yes")


def test_many_rows_come_page_after_page(gateway: GatewayProcess) -> None:
    organization = gateway.new_organization()
    keys = [organization.call("POST", "api-keys", json={"name": f"k{n}"}) for n in range(101)]
    environment = gateway.environment() | {
        "POSTERN_URL": gateway.base_url,
        "POSTERN_KEY": organization.api_key,
    }
    done = subprocess.run(
        gateway.command("key", "list", "--json"), env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert {one["key_id"] for one in json.loads(done.stdout)} >= {one["key_id"] for one in keys}


def test_domains(gateway: GatewayProcess) -> None:
    made = answer(gateway, "domain", "add", "cli-domain.test")
    assert made["status"] != "VERIFIED"
    shown = gateway.postern("domain", "verify", "cli-domain.test", timeout=120)
    assert shown.returncode == 1
    for kind in ("MX", "TXT"):
        assert kind in shown.stdout
    listed = gateway.postern("domain", "list").stdout.splitlines()
    assert listed[1].split()[:2] == ["postern.test", "platform"]
    assert ["cli-domain.test", "organization"] in [line.split()[:2] for line in listed]
    rows = answer(gateway, "domain", "list")
    assert [one["domain"] for one in rows if one.get("platform")] == ["postern.test"]
    again = gateway.postern("domain", "verify", "other.test")
    assert again.returncode == 3


def test_send_and_tail(gateway: GatewayProcess, tmp_path: Path) -> None:
    here = answer(gateway, "inbox", "create")["email_address"]
    there = answer(gateway, "inbox", "create")["email_address"]
    tail = subprocess.Popen(
        gateway.command("tail", "--inbox", there, "--type", "message.received", "--count", "1", "--json"),
        env=gateway.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tail.stderr is not None
    assert "listening" in tail.stderr.readline()
    file = tmp_path / "note é.txt"
    file.write_bytes(b"attached")
    sent = answer(
        gateway, "send", "--from", here, "--to", there, "--subject", "From the shell", "--text", "-",
        "--attach", str(file), input="typed\n",
    )  # fmt: skip
    assert sent["message_id"].startswith("msg_")
    out, err = tail.communicate(timeout=30)
    assert tail.returncode == 0, err
    event = json.loads(out)
    assert event["event_type"] == "message.received"
    assert event["message"]["subject"] == "From the shell"
    assert event["message"]["text"].strip() == "typed"
    assert [one["filename"] for one in event["message"]["attachments"]] == ["note é.txt"]


def test_tail_for_people_and_ctrl_c(gateway: GatewayProcess) -> None:
    inbox = answer(gateway, "inbox", "create")["email_address"]
    tail = subprocess.Popen(
        gateway.command("tail", "--inbox", inbox),
        env=gateway.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
        # where the tests run in the background of a script, interrupts are ignored, and that is inherited
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert tail.stderr is not None
    assert tail.stdout is not None
    assert "listening" in tail.stderr.readline()
    answer(gateway, "send", "--from", inbox, "--to", inbox, "--subject", "x\tred", "--text", "hi")
    line = tail.stdout.readline()
    assert line.startswith("message.")
    tail.send_signal(signal.SIGINT)
    _, err = tail.communicate(timeout=60)
    assert tail.returncode == 130
    assert "Traceback" not in err


def test_a_gateway_elsewhere(gateway: GatewayProcess, tmp_path: Path) -> None:
    made = answer(gateway, "key", "create", "elsewhere")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
    command = [gateway.command()[0], "-m", "gateway.cli.main"]

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments],
            env=environment | {"PYTHONPATH": str(Path(__file__).parent.parent.parent)} | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    good = run("--url", gateway.base_url, "--key", made["key"], "inbox", "list", "--json")
    assert good.returncode == 0, good.stderr
    assert any(one["email_address"] == gateway.inbox["address"] for one in json.loads(good.stdout))
    assert run("inbox", "list", POSTERN_URL=gateway.base_url, POSTERN_KEY=made["key"]).returncode == 0
    assert run("inbox", "list", "--url", gateway.base_url, "--key", "inai_wrong").returncode == 3
    assert run("inbox", "list", "--url", gateway.base_url).returncode == 2
    nobody = run("inbox", "list", "--url", "http://127.0.0.1:9", "--key", "x")
    assert nobody.returncode == 4
    assert "no gateway answers" in nobody.stderr
    foreign = run("inbox", "list", "--url", f"{gateway.base_url}/docs#", "--key", made["key"])
    assert foreign.returncode == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["inbox", "create", "bad name"], 1, "username"),
        (
            ["send", "--from", "nobody@postern.test", "--to", "a@b.test", "--text", "x"],
            3,
            "nobody@postern.test",
        ),
        (["send", "--from", "x"], 2, "--to"),
        (["fly"], 2, "fly"),
        (["rebuild"], 4, "stop it first"),
        (["init"], 4, "running"),
        (["tail", "--count", "0"], 2, "count"),
    ],
)
def test_mistakes_have_words_and_codes(
    gateway: GatewayProcess, arguments: list[str], code: int, words: str
) -> None:
    done = gateway.postern(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_plural_names_work_and_help_tells_the_exit_codes(gateway: GatewayProcess) -> None:
    assert gateway.postern("inboxes", "list").returncode == 0
    shown = gateway.postern("--help")
    assert "Exit codes" in shown.stdout
    for name in ("serve", "init", "key", "inbox", "domain", "send", "tail", "rebuild", "config"):
        assert name in shown.stdout


def test_the_operator_key_does_not_pile_up(gateway: GatewayProcess) -> None:
    for _ in range(2):
        answer(gateway, "inbox", "list")
    names = [one["name"] for one in answer(gateway, "key", "list")]
    assert names.count("operator") == 1


def test_a_command_of_a_running_gateway_loads_neither_a_gateway_nor_a_database_driver(
    gateway: GatewayProcess,
) -> None:
    """Each would make every command slower."""
    command = gateway.command("inbox", "list")
    done = subprocess.run(
        [command[0], "-X", "importtime", *command[1:]],
        env=gateway.environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "gateway.cli.connect" in loaded
    assert not loaded & {"gateway.app.serve", "gateway.store.engine", "sqlite3", "psycopg", "cryptography"}
