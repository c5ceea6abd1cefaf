"""The example file and the table say what settings.py says; `postern config` shows what is in force."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway.cli.config import described, example, table
from gateway.cli.main import run
from gateway.configuration import load_settings
from gateway.settings import DEVELOPMENT, SECRETS, Settings, names

ROOT = Path(__file__).parent.parent.parent


def test_shipped_example_is_the_generated_one() -> None:
    assert (ROOT / "config/postern.toml").read_text("utf-8") == example()


def test_shipped_table_is_the_generated_one() -> None:
    text = (ROOT / "config/README.md").read_text("utf-8")
    assert text[text.index("| setting |") :] == table()


def test_every_setting_is_described() -> None:
    assert [one.name for one in described()] == names()
    assert all(one.meaning for one in described())


def test_the_example_with_every_line_uncommented_is_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "postern.toml"
    file.write_text(re.sub(r"(?m)^# (?=\w+ = )", "", example()), "utf-8")
    settings, origin = load_settings(file, environ={})
    assert settings == Settings()
    assert set(origin.values()) == {"file"}


def test_the_example_with_a_value_sets_only_that(tmp_path: Path) -> None:
    file = tmp_path / "postern.toml"
    file.write_text(example({"mail.domain": "agents.test"}), "utf-8")
    settings, origin = load_settings(file, environ={})
    assert settings.mail.domain == "agents.test"
    assert [name for name, where in origin.items() if where == "file"] == ["mail.domain"]


def test_values_show_their_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "postern.toml").write_text('profile = "development"\n[http]\nport = 1234\n', "utf-8")
    monkeypatch.setenv("POSTERN_MAIL_DOMAIN", "env.test")
    assert run(["config", "--data", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == set(names())
    assert found["http.port"] == {"value": 1234, "origin": "file"}
    assert found["mail.domain"] == {"value": "env.test", "origin": "environment"}
    assert found["data_dir"] == {"value": str(tmp_path), "origin": "command line"}
    assert found["log.level"] == {"value": "info", "origin": "default"}
    for name, value in DEVELOPMENT.items():
        assert found[name] == {"value": value, "origin": "profile"}


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in SECRETS:
        monkeypatch.setenv("POSTERN_" + name.replace(".", "_").upper(), "hidden-value")
    for arguments in (["config"], ["config", "--json"]):
        assert run(arguments) == 0
        shown = capsys.readouterr()
        assert "hidden-value" not in shown.out + shown.err
        assert "********" in shown.out


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[http]\nprot = 1\n", "http.prot"),
        ('[http]\nport = "x"\n', "http.port"),
        ("[http\n", "postern.toml"),
        ('profile = "fast"\n', "profile"),
    ],
)
def test_a_bad_file_is_a_usage_error_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, named: str
) -> None:
    file = tmp_path / "postern.toml"
    file.write_text(text, "utf-8")
    assert run(["config", "--config", str(file)]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert "Traceback" not in said
