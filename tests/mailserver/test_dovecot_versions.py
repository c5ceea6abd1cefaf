"""The configuration for each version of Dovecot, and which version is taken for what is installed."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailserver.base import MailServerError
from mailserver.dovecot import Dialect, DovecotConfig, check_installation, dialect_for, rendered
from mailserver.lookup import Lookup
from mailserver.rendering import Rendered
from tests.mailserver.test_tls import put
from tests.support.servers import dovecot_missing
from tests.vps.certificates import certificate_for

VERSIONS = ("2.3.19", "2.4.1")
PASSWORD = "pass word%{user}:x"
URL = "postgresql://reader:pass%20word%25%7Buser%7D%3Ax@db.test:5433/mail?sslmode=require"


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        ("2.3.19.1 (9b53102964)", "2.3"),
        ("2.3.21 (47349e2482)", "2.3"),
        ("2.4.1-4 (7d8c0e5759)", "2.4"),
        ("2.4.1+dfsg1-6+deb13u7", "2.4"),
        ("2.4.2", "2.4"),
        ("2.4.10", "2.4"),
    ],
)
def test_a_version_is_taken_for_what_it_is(version: str, taken: str) -> None:
    assert dialect_for(version).version == taken


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("2.2.36 (abc)", "Dovecot 2.2.36 is too old: Postern needs 2.3 or 2.4; Debian 12 and 13, "),
        ("1.9", "Dovecot 1.9 is too old"),
        ("2.4.0", "Dovecot 2.4.0 cannot be used: install 2.4.1 or newer"),
        ("2.4", "install 2.4.1 or newer"),
        ("2.5.0", "Dovecot 2.5.0 is newer than this Postern knows: upgrade Postern, or install Dovecot 2.4"),
        ("3.0", "newer than this Postern knows"),
        ("", "answers '', which is no version: install Dovecot 2.3 or 2.4"),
    ],
)
def test_another_version_is_refused_with_the_way_out(version: str, words: str) -> None:
    with pytest.raises(MailServerError, match=re.escape(words)):
        dialect_for(version)


def config(tmp_path: Path, **more: Any) -> DovecotConfig:
    return DovecotConfig(
        data=tmp_path / "data",
        run=Path("/run/x"),
        hostname="mail.x.test",
        user="nobody",
        group="nogroup",
        imap_port=10143,
        lookup=Lookup(tmp_path / "lookup.db"),
        master_secret="master-secret",
        **more,
    )


EVERYTHING: dict[str, Any] = {
    "imaps_port": 10993,
    "sieve_port": 14190,
    "quota": 5000,
    "postfix": Path("/etc/postfix"),
    "push_url": "http://127.0.0.1:1/doorbell-secret",
    "keys_url": "http://127.0.0.1:1/doorbell-secret/keys",
    "socket_group": "nogroup",
    "sasl": True,
    "submit_secret": "submit-secret",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "least": {},
    "maildir": {"mailbox_format": "maildir", "bind": "*", "plain_auth": True},
    "everything": EVERYTHING,
    "postgresql": {**EVERYTHING, "lookup": Lookup(Path("/none"), URL)},
    "socket": {"lookup": Lookup(Path("/none"), "postgresql:///mail?host=/run/postgresql")},
}


@pytest.fixture(params=SETTINGS)
def wanted(request: pytest.FixtureRequest, tmp_path: Path) -> DovecotConfig:
    made = replace(config(tmp_path), **SETTINGS[request.param])
    if made.sieve_port:
        made = replace(made, **certificate(tmp_path))
    return made


def certificate(tmp_path: Path) -> dict[str, Any]:
    put(tmp_path, certificate_for("mail.x.test"))
    return {"tls_cert": tmp_path / "fullchain.pem", "tls_key": tmp_path / "privkey.pem"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_rendered_whole(version: str, wanted: DovecotConfig) -> None:
    files = {one.path.name: one for one in rendered(wanted, dialect_for(version))}
    for name, one in files.items():
        assert not re.search(r"@[A-Z_]+@", one.text), name
        assert one.path.parent == wanted.etc
    secrets = ("-secret", "pass word", "pass%20word")
    shown = {name for name, one in files.items() if any(secret in one.text for secret in secrets)}
    assert {name for name in shown if files[name].mode != 0o600} == set()
    assert "master-users" in shown
    assert ("submit-users" in shown) == bool(wanted.submit_secret)
    assert ("push.lua" in shown) == bool(wanted.push_url)
    asks = "driver = oauth2" if version.startswith("2.3") else "!include dovecot-keys.conf"
    assert (asks in files["dovecot.conf"].text) == bool(wanted.keys_url)
    assert bool({"dovecot-keys.conf", "dovecot-keys.conf.ext"} & shown) == bool(wanted.keys_url)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_installed_version_takes_it_without_a_word(
    version: str, wanted: DovecotConfig, tmp_path: Path
) -> None:
    wanted.etc.mkdir(parents=True)
    for one in rendered(wanted, installed(version)):
        one.write()
    dumped = subprocess.run(["doveconf", "-n", "-c", wanted.file], capture_output=True, text=True, timeout=30)
    assert (dumped.returncode, dumped.stderr) == (0, "")
    assert "mail_uid = nobody" in dumped.stdout


def installed(version: str) -> Dialect:
    if missing := dovecot_missing():
        pytest.skip(missing)
    dialect = check_installation()
    if dialect.version != dialect_for(version).version:
        pytest.skip(f"Dovecot {dialect.version} is installed, not {version}")
    return dialect


def test_2_4_has_its_password_for_postgresql_in_a_file_of_its_own(tmp_path: Path) -> None:
    files = {one.path.name: one for one in rendered(at(tmp_path, URL), dialect_for("2.4.1"))}
    assert files["pgpass"] == Rendered(
        tmp_path / "data/dovecot/pgpass", "*:*:*:*:pass word%{user}\\:x\n", 0o600
    )
    block = files["dovecot-sql.conf"].text
    assert 'host = "db.test"' in block
    for line in ('user = "reader"', 'port = "5433"', 'dbname = "mail"', 'sslmode = "require"'):
        assert f"    {line}\n" in block
    assert "password =" not in block


def test_2_4_refuses_a_parameter_that_it_would_read_as_a_variable(tmp_path: Path) -> None:
    wanted = at(tmp_path, "postgresql://a%25%7Buser%7D@db.test/mail")
    with pytest.raises(MailServerError, match=r"Dovecot 2\.4 cannot take 'a%\{user\}'"):
        rendered(wanted, dialect_for("2.4.1"))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("url", ["mysql://db.test/mail", "postgresql://db.test"])
def test_a_url_that_names_no_database_is_refused(version: str, url: str, tmp_path: Path) -> None:
    with pytest.raises(MailServerError, match=r"mail\.lookup_url must name a database"):
        rendered(at(tmp_path, url), dialect_for(version))


def test_2_4_refuses_what_libpq_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(MailServerError, match=r'mail\.lookup_reader_url: .*"nonsense"'):
        rendered(at(tmp_path, "postgresql://db.test/mail?nonsense=1"), dialect_for("2.4.1"))


def at(tmp_path: Path, url: str) -> DovecotConfig:
    return replace(config(tmp_path), lookup=Lookup(Path("/none"), url))
