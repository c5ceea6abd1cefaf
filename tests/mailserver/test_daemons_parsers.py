"""The daemons' own parsers read everything that Postern can write for them, without a warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailserver.embedded import Smarthost
from mailserver.postfix_dovecot import PostfixSettings, place
from tests.mailserver.test_tls import put
from tests.support.ports import keep_ports
from tests.support.servers import dovecot_missing, postfix_missing
from tests.vps.certificates import certificate_for

URL = "postgresql://reader:pass%20word%25@db.test:5433/mail"
VARIANTS: dict[str, dict[str, Any]] = {
    "least": {},
    "strict": {"strict": True, "bind": "*", "milter": "unix:/run/x/milter", "quota": 10**9, "syslog": True},
    "relay": {"smarthost": Smarthost(host="relay.test", port=587, user="u", password="p w"), "strict": True},
    "postgresql": {"lookup_url": URL, "push": False, "mailbox_format": "maildir", "insecure_dev": True},
}


@pytest.fixture(params=VARIANTS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> PostfixSettings:
    names = ("smtp", "submission", "submissions", "imap", "imaps", "gateway", "doorbell", "sieve")
    ports: dict[str, Any] = {
        f"{name}_port": port for name, port in zip(names, keep_ports(len(names)), strict=True)
    }
    put(tmp_path, certificate_for("mail.x.test"))
    return PostfixSettings(
        data_dir=tmp_path,
        run_dir=Path("/run/x"),
        postfix_dir=tmp_path / "postfix",
        hostname="mail.x.test",
        tls_cert=tmp_path / "fullchain.pem",
        tls_key=tmp_path / "privkey.pem",
        manage=False,
        **ports,
        **VARIANTS[request.param],
    )


@pytest.mark.parametrize("daemon", ["dovecot", "postfix"])
def test_all_settings_are_taken(settings: PostfixSettings, daemon: place.Daemon) -> None:
    if missing := dovecot_missing() or postfix_missing():
        pytest.skip(missing)
    assert {one.path.name for one in place.check(settings, daemon)} >= {
        "dovecot": {"dovecot.conf", "push.lua", "sent.sieve"},
        "postfix": {"main.cf", "master.cf"},
    }[daemon]
