"""What setup asks on a terminal, and that answers of an earlier run are offered again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from gateway.cli import options, setup_questions
from gateway.cli.main import run
from gateway.cli.options import Place
from gateway.configuration import BadSettings
from gateway.setup import layout, manifest
from gateway.setup.answers import Answers, Secrets, check
from gateway.setup.host_facts import Facts, Listener
from gateway.setup.manifest import UnitState
from tests.setup.conftest import ANSWERS, FACTS, Tree


def asked(
    answers: Answers, lines: list[str], *, known: bool = False, facts: Facts = FACTS
) -> tuple[Answers, Secrets]:
    """The answers that come of typing ``lines``; fails when more is asked or less."""
    found: list[tuple[Answers, Secrets]] = []

    @click.command()
    def command() -> None:
        found.append(setup_questions.ask(answers, Secrets(), facts, known=known))
        assert sys.stdin.read() == "", "not every line was asked for"

    done = CliRunner().invoke(command, input="".join(f"{line}\n" for line in lines), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return found[0]


def test_everything_is_asked_with_good_defaults() -> None:
    facts = replace(FACTS, hostname="mx1.example.org")
    given = Answers(addresses=("192.0.2.10",))
    answers, secrets = asked(given, ["", "", "", "", "", "me@example.org", "n", "", ""], facts=facts)
    assert check(answers) == answers
    assert (answers.domain, answers.hostname) == ("example.org", "mx1.example.org")
    assert (answers.tls, answers.certbot_email, answers.inbox) == ("certbot", "me@example.org", "agent")
    assert answers.backup_mail is True, "a backup without mail is not what one expects"
    assert secrets == Secrets()


def test_a_relay_and_its_password() -> None:
    lines = [
        "example.net",
        "",
        "192.0.2.10",
        "caddy",
        "",
        "y",
        "relay.example.com:587",
        "me",
        "hush",
        "bot",
        "n",
    ]
    answers, secrets = asked(Answers(), lines)
    assert answers.backup_mail is False
    assert (answers.smarthost, answers.smarthost_user, answers.proxy) == (
        "relay.example.com:587",
        "me",
        "caddy",
    )
    assert (answers.hostname, answers.inbox) == ("mail.example.net", "bot")
    assert answers.tls == "proxy", "Caddy's certificate is the first to be offered"
    assert secrets.smarthost_password == "hush"


def test_a_stock_server_in_the_way_is_asked_about() -> None:
    facts = replace(
        FACTS,
        listeners=(Listener("0.0.0.0", 25, "postfix@-.service", "master"),),
        stock={"postfix.service": UnitState(True, True)},
    )
    lines = ["example.net", "", "192.0.2.10", "", "self-signed", "n", "", "", "y"]
    assert asked(Answers(), lines, facts=facts)[0].instead
    assert not asked(Answers(), [*lines[:-1], "n"], facts=facts)[0].instead


def test_known_answers_may_all_stay() -> None:
    assert asked(check(ANSWERS), [""], known=True)[0] == check(ANSWERS)
    lines = ["y", "", "", "192.0.2.99", "", "", "n", "n"]
    changed, _ = asked(check(ANSWERS), lines, known=True)
    assert changed == msgspec.structs.replace(
        check(ANSWERS), addresses=("192.0.2.99",), proxy="none", backup_mail=False
    )


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "--domain: the domain your mail is for"),
        (["--domain", "example.org"], "a server needs a certificate"),
        (["--domain", "example.org", "--self-signed", "--certbot", "a@b.org"], "exclude each other"),
        (
            ["--domain", "example.org", "--self-signed", "--set", "mail.none=1"],
            "there is no setting mail.none",
        ),
        (["--domain", "example.org", "--self-signed", "--set", "mail.quota=much"], "takes a number"),
        (
            ["--domain", "example.org", "--self-signed", "--database", "mysql://x"],
            "--database: takes postgresql",
        ),
        (
            ["--domain", "example.org", "--self-signed", "--smarthost", "r:25", "--smarthost-user", "u"],
            "password",
        ),
        (["--domain", "example.org", "--self-signed", "--credential", "x"], "takes NAME=FILE"),
        (["--purge"], "--purge goes with --remove"),
        (["--full"], "--full goes with --dry-run"),
    ],
)
def test_wrong_options_are_told_by_name(
    tree: Tree, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    before = tree.where()
    assert run(["setup", "--root", str(tree.root), "--yes", *flags]) == 2
    assert words in capsys.readouterr().err
    assert tree.where() == before


def test_a_dry_run_from_the_command_line(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    (secret := tree.root / "secret").write_text("hush\n")
    before = tree.where()
    flags = [
        "--domain",
        "example.org",
        "--self-signed",
        "--proxy",
        "nginx",
        "--smarthost-profile",
        "postmark",
    ]
    flags += ["--smarthost-user", "token", "--credential", f"hook={secret}"]
    command = ["setup", "--root", str(tree.root), "--yes", "--dry-run", *flags]
    assert run(command) == 0
    summary = capsys.readouterr().out
    assert "/etc/postern/credentials/hook" in summary
    assert "a secret" in summary
    assert "smarthost_profile" not in summary, "no text of a file"
    assert "To do at Postmark" in summary
    assert "with --full the text of every file" in summary
    assert max(len(line) for line in summary.split("To do at")[0].splitlines()) < 160
    assert run([*command, "--full"]) == 0
    out = capsys.readouterr().out
    assert "write  /etc/postern/credentials/hook  root:root 0600\n       | ********" in out
    assert 'smarthost_profile = "postmark"' in out
    assert "server_name mail.example.org\n       |         mta-sts.example.org" in out
    assert "hush" not in out + summary
    assert tree.where() == before


@pytest.mark.parametrize(
    ("held", "flags", "tls"),
    [
        ({}, [], "proxy"),  # the one for trying out gives way
        ({}, ["--self-signed"], "self-signed"),
        (
            {"tls": "certbot", "certbot_email": "a@b.org"},
            [],
            "proxy",
        ),  # it could not renew: Caddy has port 80
        ({"tls": "certbot", "certbot_email": "a@b.org", "certbot_webroot": "/srv"}, [], "certbot"),
        (
            {"tls": "certbot", "certbot_email": "a@b.org", "proxy": "caddy"},
            [],
            "proxy",
        ),  # of an earlier version
        ({"proxy": "caddy"}, [], "self-signed"),  # as it was chosen
    ],
)
def test_caddys_certificate_takes_the_place_of_what_it_outdoes(
    tree: Tree, capsys: pytest.CaptureFixture[str], held: dict[str, Any], flags: list[str], tls: str
) -> None:
    book = manifest.Manifest(answers=msgspec.structs.replace(ANSWERS, **held))
    manifest.save(tree.at(layout.MANIFEST), book)
    command = ["setup", "--root", str(tree.root), "--yes", "--dry-run", "--full", "--proxy", "caddy"]
    assert run([*command, *flags]) == 0
    shown = capsys.readouterr().out
    assert ("tls internal" in shown) is (tls == "self-signed")
    assert ("certbot certonly" in shown) is (tls == "certbot")
    enabled = shown.split("systemctl enable postern.socket")[1].splitlines()[0]
    assert ("postern-certificate.timer" in enabled) is (tls == "proxy")


def test_a_dry_run_names_each_file_once_and_what_it_is_for(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "setup",
        "--root",
        str(tree.root),
        "--yes",
        "--dry-run",
        "--domain",
        "example.org",
        "--self-signed",
    ]
    assert run([*command, "--json"]) == 0
    acts = json.loads(capsys.readouterr().out)["acts"]
    assert run(command) == 0
    lines = capsys.readouterr().out.splitlines()
    written = [one["path"] for one in acts if one["act"] == "write"]
    assert len(written) > 15
    for path in written:
        [line] = [one for one in lines if one.startswith(f"  {path} ")]
        assert len(line.split(maxsplit=3)) == 4, f"nothing is said about {path}"


def test_a_missing_driver_for_postgresql_is_told_in_words(tmp_path: Path) -> None:
    program = "import sys; sys.modules['psycopg'] = None; from gateway.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "inbox", "list", "--data", str(tmp_path)],
        env={**os.environ, "POSTERN_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 4
    assert "the Python driver for it is not installed" in done.stderr
    assert "pipx inject postern" in done.stderr
    assert "defect" not in done.stderr


def test_without_setup_there_is_nothing_to_remove(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["setup", "--root", str(tree.root), "--remove", "--yes"]) == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_the_servers_settings_are_found_without_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POSTERN_CONFIG", raising=False)
    monkeypatch.delenv("POSTERN_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    server = tmp_path / "server.toml"
    monkeypatch.setattr(options, "SERVER_FILE", server)
    assert Place().file() is None
    server.write_text(f'data_dir = "{tmp_path}/there"\n')
    assert Place().settings()[0].data_dir == f"{tmp_path}/there"
    assert Place(data=str(tmp_path / "mine")).file() is None, "another gateway is named"
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(BadSettings, match="run this as root"):
        Place().settings()
