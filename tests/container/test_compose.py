"""compose.yaml and the image say the same: ports, health check, places to write to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.configuration import load_settings
from gateway.published_ports import outside_ports
from gateway.settings import SECRETS, names

_TOP = Path(__file__).resolve().parent.parent.parent
_CONTAINERFILE = (_TOP / "Containerfile").read_text("utf-8")


def compose(name: str = "compose.yaml") -> Any:
    return yaml.safe_load((_TOP / name).read_text("utf-8"))


def image_environment() -> dict[str, str]:
    """What the Containerfile's last ENV sets."""
    text = _CONTAINERFILE.replace("\\\n", " ")
    [words] = re.findall(r"^ENV (PATH=.*)$", text, re.MULTILINE)
    return dict(one.split("=", 1) for one in words.split())


def test_every_variable_is_a_setting() -> None:
    known = {"POSTERN_" + name.replace(".", "_").upper() for name in names()} | {"POSTERN_CONTAINER"}
    used = [one for one in image_environment() if one.startswith("POSTERN_")]
    for file in ("compose.yaml", "compose.postgresql.yaml"):
        used += list(compose(file)["services"]["postern"]["environment"])
    assert set(used) <= known
    document = set(re.findall(r"\bPOSTERN_[A-Z0-9_]+", (_TOP / "docs" / "container.md").read_text("utf-8")))
    assert document - known == {"POSTERN_KEY"}


def test_the_published_ports_are_those_that_dns_records_name() -> None:
    settings, _ = load_settings(None, environ=image_environment())
    mail = settings.mail
    published = [one.split(":") for one in compose()["services"]["postern"]["ports"]]
    pairs = {int(one[-1]): int(one[-2]) for one in published if len(one) == 2}
    assert outside_ports(mail) == pairs
    assert pairs == {
        mail.smtp_port: 25,
        mail.submissions_port: 465,
        mail.submission_port: 587,
        mail.imaps_port: 993,
    }
    [[address, _, inside]] = [one for one in published if len(one) == 3]
    assert (address, int(inside)) == ("127.0.0.1", settings.http.port)
    [exposed] = re.findall(r"^EXPOSE (.*)$", _CONTAINERFILE, re.MULTILINE)
    assert {int(one) for one in exposed.split()} == {*pairs, settings.http.port}


def test_it_has_no_way_to_write_but_its_volume_and_memory() -> None:
    service = compose()["services"]["postern"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"] == ["/run:mode=1777", "/tmp:mode=1777"]
    assert [one for one in service["volumes"] if not one.endswith(":ro")] == ["data:/data"]


def test_the_health_check_is_the_images() -> None:
    [words] = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", _CONTAINERFILE, re.MULTILINE)
    assert compose()["services"]["postern"]["healthcheck"]["test"] == ["CMD", *yaml.safe_load(words)]


@pytest.mark.parametrize("file", ["compose.postgresql.yaml"])
def test_secrets_are_files_and_never_values(file: str) -> None:
    held = compose(file)
    for name, value in held["services"]["postern"]["environment"].items():
        setting = next(one for one in SECRETS if "POSTERN_" + one.replace(".", "_").upper() == name)
        assert value.startswith("@"), setting
        assert value[1:] in held["services"]["postern"]["secrets"]
    wanted = {one for service in held["services"].values() for one in service["secrets"]}
    assert wanted == set(held["secrets"])
    assert all(one["file"].startswith("./secrets/") for one in held["secrets"].values())
