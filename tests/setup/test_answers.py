"""What answers are accepted, what each leads to, and how a certificate that was given is looked at."""

from __future__ import annotations

import datetime as dt
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509

from gateway.cli.config import described
from gateway.cli.setup_request import first_request, lines
from gateway.configuration import load_settings
from gateway.setup import firewall, layout, plan, preflight, proxy, settings_file, sources, tls
from gateway.setup.answers import Answers, BadAnswer, Secrets, check
from gateway.setup.host_facts import Listener
from gateway.setup.manifest import UnitState
from gateway.setup.steps import (
    Certbot,
    File,
    Packages,
    Proxy,
    Rehearsal,
    SelfSigned,
    StockUnits,
    Units,
)
from tests.setup.conftest import ANSWERS, FACTS

with_ = msgspec.structs.replace


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"domain": ""}, "--domain"),
        ({"domain": "localhost"}, "--domain"),
        ({"domain": "exa mple.org"}, "--domain"),
        ({"hostname": "mail_.example.org;rm"}, "--hostname"),
        ({"tls": ""}, "--tls-cert"),
        ({"tls": "files", "tls_cert": "a"}, "--tls-key"),
        ({"tls": "certbot", "certbot_email": "-x"}, "--certbot"),
        ({"smarthost": "relay"}, "--smarthost"),
        ({"smarthost": "relay:99999"}, "--smarthost"),
        ({"mail_address": "example.org"}, "--mail-address"),
        ({"addresses": ("here",)}, "--public-address"),
        ({"smtp_port": 0}, "--smtp-port"),
        ({"http_host": "*"}, "--http-host"),
        ({"public_url": "ftp://x"}, "--public-url"),
        ({"inbox": "a@b"}, "--inbox"),
        ({"inbox": "agent@other.example"}, "--inbox"),
        ({"inbox": "@example.org"}, "--inbox"),
    ],
)
def test_a_wrong_answer_is_refused_by_the_name_of_its_option(changes: dict[str, Any], flag: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        check(with_(ANSWERS, **changes))
    assert caught.value.flag == flag


def test_the_first_inbox_may_be_named_by_its_address() -> None:
    assert check(with_(ANSWERS, inbox=f"agent@{ANSWERS.domain.upper()}")).inbox == "agent"


def test_names_are_folded() -> None:
    found = check(with_(ANSWERS, domain="Bücher.Example."))
    assert (found.domain, found.hostname) == ("xn--bcher-kva.example", "mail.xn--bcher-kva.example")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"smarthost": "relay.example.net:587", "smarthost_user": "u", "smarthost_tls": "starttls"},
        {"postgresql": True},
        {"unix_socket": True, "proxy": "nginx"},
        {"http_host": "::1", "http_port": 9000},
        {"mail_address": "192.0.2.11", "smtp_port": 2525},
        {"settings": {"limits.inboxes": 7}},
    ],
)
def test_settings_are_ones_the_gateway_takes(changes: dict[str, Any]) -> None:
    values = plan.settings(check(with_(ANSWERS, **changes)))
    load_settings(overrides=values | {"mail.smarthost_password": "", "database.url": ""}, environ={})


def test_only_settings_that_differ_from_the_defaults_are_written() -> None:
    values, defaults = plan.settings(check(ANSWERS)), {one.name: one.default for one in described()}
    assert {name: value for name, value in values.items() if defaults[name] == value} == {}


def ports(*held: tuple[str, int, str]) -> tuple[Listener, ...]:
    return tuple(Listener(address, port, unit, unit.split(".")[0]) for address, port, unit in held)


STOCK = {"postfix.service": UnitState(True, True), "dovecot.service": UnitState(True, True)}


def facts(**changes: Any) -> Any:
    return replace(FACTS, **changes)


@pytest.mark.parametrize(
    ("changes", "held", "fine"),
    [
        ({}, (), True),
        ({}, (("0.0.0.0", 25, "postfix@-.service"),), False),
        ({"instead": True}, (("0.0.0.0", 25, "postfix@-.service"),), True),
        ({"instead": True}, (("0.0.0.0", 25, "haraka.service"),), False),
        ({}, (("0.0.0.0", 25, "postern-postfix.service"),), True),
        ({"mail_address": "192.0.2.11"}, (("192.0.2.10", 25, "postfix@-.service"),), True),
        ({"mail_address": "192.0.2.11"}, (("::", 25, "postfix@-.service"),), False),
        ({}, (("127.0.0.1", 8025, "other.service"),), False),
        ({"http_port": 9000}, (("127.0.0.1", 8025, "other.service"),), True),
        ({"settings": {"mail.imap_port": 1143}}, (("0.0.0.0", 143, "uw-imapd.service"),), True),
    ],
)
def test_ports_that_others_hold(changes: dict[str, Any], held: tuple[Any, ...], fine: bool) -> None:
    stock = {one: state for one, state in STOCK.items() if any(one[:7] == unit[:7] for *_, unit in held)}
    found = preflight.problems(check(with_(ANSWERS, **changes)), facts(listeners=ports(*held), stock=stock))
    assert (found == []) is fine, found


def test_a_stock_server_in_the_way_is_refused_with_both_ways_out() -> None:
    held = ports(("0.0.0.0", 25, "postfix@-.service"))
    [(words, fix)] = preflight.problems(check(ANSWERS), facts(listeners=held, stock=STOCK))
    assert "postfix@- (postfix@-.service) listens on 0.0.0.0:25" in words
    assert "dovecot.service" not in words  # it runs, elsewhere
    assert "--instead stops and disables postfix.service dovecot.service" in fix
    assert "--mail-address IP" in fix
    assert "transport_maps = inline:{ example.org=smtp:[127.0.0.1]:2525 }" in fix


def test_a_stock_server_that_comes_at_the_next_boot_is_seen() -> None:
    stopped = {"dovecot.service": UnitState(enabled=True, active=False)}
    [(words, _)] = preflight.problems(check(ANSWERS), facts(stock=stopped))
    assert "dovecot.service is enabled" in words
    assert preflight.problems(check(with_(ANSWERS, instead=True)), facts(stock=stopped)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"root": False}, "needs root"),
        ({"systemd": False}, "systemd does not run"),
        ({"message_bus": False}, "message bus (D-Bus) is not there"),
        ({"release": "fedora 40", "packages": None}, "this is fedora 40, which has no apt"),
        ({"packages": {"dovecot-core": "", "postfix": "3.7.11"}}, "apt knows no package dovecot-core"),
        (
            {
                "release": "debian 11",
                "packages": {"dovecot-core": "1:2.3.13+dfsg1-2", "postfix": "3.5.24-0+deb11u1"},
            },
            "Postfix 3.5.24-0+deb11u1 (package postfix of debian 11) is too old",
        ),
        ({"packages": {"dovecot-core": "1:2.2.36", "postfix": "3.7"}}, "Dovecot 1:2.2.36"),
        ({"packages": {"dovecot-core": "1:2.5.0-1", "postfix": "3.11"}}, "newer than this Postern knows"),
        ({"program_problem": "it is below /root"}, "services cannot run"),
    ],
)
def test_a_machine_that_cannot_take_it(changes: dict[str, Any], words: str) -> None:
    [(found, fix)] = preflight.problems(check(ANSWERS), facts(**changes))
    assert words in found
    assert fix


@pytest.mark.parametrize(
    ("release", "dovecot", "postfix"),
    [
        ("debian 12", "1:2.3.19.1+dfsg1-2.1+deb12u7", "3.7.11-0+deb12u1"),
        ("debian 13", "1:2.4.1+dfsg1-6+deb13u7", "3.10.13-0+deb13u1"),
        ("ubuntu 24.04", "1:2.3.21+dfsg1-2ubuntu6", "3.8.6-1build2"),
        ("ubuntu 26.04", "1:2.4.2+dfsg1-3ubuntu1", "3.10.6-4ubuntu1"),
        ("linuxmint 22", "1:2.3.21+dfsg1-2ubuntu6", "3.8.6-1build2"),
    ],
)
def test_a_release_is_taken_by_its_packages(release: str, dovecot: str, postfix: str) -> None:
    found = facts(release=release, packages={"dovecot-core": dovecot, "postfix": postfix})
    assert preflight.problems(check(ANSWERS), found) == []


def test_postgresql_needs_its_driver() -> None:
    without = facts(postgresql_driver=False)
    assert preflight.problems(check(ANSWERS), without) == []
    [(words, fix)] = preflight.problems(check(with_(ANSWERS, postgresql=True)), without)
    assert "PostgreSQL" in words
    assert "pipx inject" in fix


def sources_of(**given: Any) -> plan.Sources:
    return plan.Sources(units={}, sysusers="", tmpfiles="", **given)


def test_instead_stops_only_what_is_there() -> None:
    answers = check(with_(ANSWERS, instead=True))
    steps = plan.make(answers, Secrets(), facts(stock=STOCK), sources_of()).steps
    assert StockUnits(("postfix.service", "dovecot.service")) in steps
    steps = plan.make(answers, Secrets(), FACTS, sources_of()).steps
    assert not any(isinstance(one, StockUnits) for one in steps)


def test_the_stock_servers_run_until_everything_that_can_fail_was_done() -> None:
    answers = check(with_(ANSWERS, instead=True, tls="certbot", certbot_email="me@example.org"))
    kinds = [type(one) for one in plan.make(answers, Secrets(), facts(stock=STOCK), sources_of()).steps]
    assert kinds[0] == Packages
    assert kinds[-3:] == [Rehearsal, StockUnits, Units]


@pytest.mark.parametrize(
    ("changes", "way"),
    [
        ({}, ("--standalone",)),
        ({"certbot_webroot": "/var/www/html"}, ("--webroot", "--webroot-path", "/var/www/html")),
        ({"certbot_arguments": ("--dns-rfc2136",)}, ("--dns-rfc2136",)),
        ({"certbot_arguments": ("--test-cert",)}, ("--standalone", "--test-cert")),
    ],
)
def test_the_command_for_certbot(changes: dict[str, Any], way: tuple[str, ...]) -> None:
    answers = check(with_(ANSWERS, tls="certbot", certbot_email="me@example.org", **changes))
    made = plan.make(answers, Secrets(), FACTS, sources_of())
    [step] = [one for one in made.steps if isinstance(one, Certbot)]
    head = ("certbot", "certonly", "--non-interactive", "--agree-tos", "--email", "me@example.org")
    assert step.command[: len(head)] == head
    assert step.command[-len(way) :] == way
    [packages] = [one for one in made.steps if isinstance(one, Packages)]
    assert "certbot" in packages.names
    assert 80 in plan.ports(answers)


def test_the_hook_copies_its_own_lineage_alone(tmp_path: Path) -> None:
    lineage, copies = tmp_path / "live/mail.example.org", tmp_path / "tls"
    lineage.mkdir(parents=True)
    copies.mkdir()
    for name in ("fullchain.pem", "privkey.pem"):
        (lineage / name).write_text(f"new {name}")
    # the hook as shipped, but for the place it copies to and the owner, which this machine lacks
    text = tls.hook(lineage).replace(str(layout.TLS), str(copies)).replace("-o root -g postern ", "")
    hook = tmp_path / "hook"
    hook.write_text(text)
    for other in ({}, {"RENEWED_LINEAGE": "/etc/letsencrypt/live/www.example.org"}):
        subprocess.run(["sh", str(hook)], env={"PATH": "/usr/bin:/bin", **other}, check=True)
        assert list(copies.iterdir()) == []
    subprocess.run(
        ["sh", str(hook)], env={"PATH": "/usr/bin:/bin", "RENEWED_LINEAGE": str(lineage)}, check=True
    )
    assert {one.name: one.read_text() for one in copies.iterdir()} == {
        "fullchain.pem": "new fullchain.pem",
        "privkey.pem": "new privkey.pem",
    }
    assert {one.stat().st_mode & 0o777 for one in copies.iterdir()} == {0o640}


def test_a_certificate_is_looked_at_before_it_is_copied(tmp_path: Path) -> None:
    pair, other = tls.self_signed(("mail.example.org",)), tls.self_signed(("mail.example.org",))
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_text(pair.chain), key.write_text(pair.key)
    assert tls.read_pair(cert, key, "mail.example.org").notes == ()
    [note] = tls.read_pair(cert, key, "mx.example.org").notes
    assert "not for mx.example.org" in note
    key.write_text(other.key)
    with pytest.raises(BadAnswer, match="not the key of the first certificate"):
        tls.read_pair(cert, key, "mail.example.org")
    key.write_text("no key")
    with pytest.raises(BadAnswer, match="holds no PEM private key"):
        tls.read_pair(cert, key, "mail.example.org")
    cert.write_text("no certificate")
    with pytest.raises(BadAnswer, match="holds no PEM certificate"):
        tls.read_pair(cert, key, "mail.example.org")
    with pytest.raises(BadAnswer, match="cannot read"):
        tls.read_pair(tmp_path / "none", key, "mail.example.org")


def test_wildcards_cover_one_label() -> None:
    assert tls.covers(("*.example.org",), "mail.example.org")
    assert not tls.covers(("*.example.org",), "a.mail.example.org")
    assert not tls.covers(("*.example.org",), "example.org")


def test_a_self_signed_certificate_is_kept_while_it_does() -> None:
    pair = tls.self_signed(("mail.example.org",))
    chain, key = pair.chain.encode(), pair.key.encode()
    assert tls.fits(chain, key, ("mail.example.org",))
    assert not tls.fits(chain, key, ("mx.example.org",))
    assert not tls.fits(chain, tls.self_signed(("mail.example.org",)).key.encode(), ("mail.example.org",))
    assert not tls.fits(None, None, ("mail.example.org",))
    held = x509.load_pem_x509_certificate(chain)
    assert held.not_valid_after_utc > dt.datetime.now(dt.UTC) + dt.timedelta(days=3000)


@pytest.mark.parametrize("kind", ["ufw", "firewalld", "nftables"])
def test_a_firewall_is_told_of_and_opened_only_when_asked(kind: str) -> None:
    made = plan.make(check(ANSWERS), Secrets(), facts(firewall=kind), sources_of())
    [note] = [one for one in made.notes if "firewall" in one]
    assert "25, 143, 465, 587, 993, 4190" in note
    opened = plan.make(
        check(with_(ANSWERS, open_firewall=True)), Secrets(), facts(firewall=kind), sources_of()
    )
    commands = [one.argv for one in opened.steps if hasattr(one, "argv")]
    assert bool(commands) is (kind != "nftables")
    for argv in commands:
        assert firewall.undo(argv) != argv or "--reload" in argv


@pytest.mark.parametrize("kind", ["caddy", "nginx"])
def test_the_proxys_site_names_every_host_and_the_socket(kind: Any) -> None:
    answers = with_(ANSWERS, proxy=kind, public_url="https://api.example.org")
    text = proxy.fill(
        sources.example(proxy.KINDS[kind].example), check(answers), ("example.org", "second.example")
    )
    assert "example.com" not in text
    assert "public_url" not in text
    for host in ("api.example.org", "mail.example.org", "mta-sts.example.org", "autoconfig.second.example"):
        assert host in text
    assert str(layout.HTTP_SOCKET) in text


def test_the_site_is_one_that_this_nginx_takes_without_a_warning() -> None:
    answers = check(with_(ANSWERS, proxy="nginx"))
    text = sources.example("nginx.conf")
    old, new = (proxy.fill(text, answers, nginx=version) for version in ((1, 22), (1, 26)))
    assert "listen 443 ssl http2;" in old
    assert "http2 on" not in old
    assert "ssl http2" not in new
    assert new.count("http2 on;") == 1
    assert "[::]" in old
    assert "[::]" not in proxy.fill(text, answers, ipv6=False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"proxy": "nginx", "tls": ""}, "nginx needs a certificate: --certbot EMAIL"),
        ({"proxy": "caddy", "tls": "certbot", "certbot_email": "a@b.org"}, "leave --certbot out"),
        ({"proxy": "none", "tls": "proxy"}, "the certificate was Caddy's"),
    ],
)
def test_a_proxy_and_a_certificate_that_do_not_go_together(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        check(with_(ANSWERS, **changes))


def test_caddys_certificate_is_for_mail_too_unless_another_is_given() -> None:
    assert check(with_(ANSWERS, proxy="caddy", tls="")).tls == "proxy"
    assert check(with_(ANSWERS, proxy="caddy")).tls == "self-signed"
    dns = with_(
        ANSWERS, proxy="caddy", tls="certbot", certbot_email="a@b.org", certbot_arguments=("--dns-x",)
    )
    assert check(dns).tls == "certbot"


@pytest.mark.parametrize(
    ("changes", "base_url", "tunnel"),
    [
        ({}, "http://127.0.0.1:8025", "ssh -N -L 8025:127.0.0.1:8025 root@mail.example.org"),
        ({"http_port": 9000}, "http://127.0.0.1:9000", "ssh -N -L 9000:127.0.0.1:9000 root@mail.example.org"),
        ({"http_host": "::1"}, "http://127.0.0.1:8025", "ssh -N -L 8025:[::1]:8025 root@mail.example.org"),
        (
            {"unix_socket": True},
            "http://127.0.0.1:8025",
            "ssh -N -L 8025:/run/postern/http.sock root@mail.example.org",
        ),
        ({"proxy": "caddy", "tls": "", "unix_socket": True}, "https://mail.example.org", ""),
        ({"public_url": "https://api.example.org/"}, "https://api.example.org", ""),
    ],
)
def test_the_first_request_goes_where_the_api_answers(
    changes: dict[str, Any], base_url: str, tunnel: str
) -> None:
    answers = check(with_(ANSWERS, **changes))
    request = first_request(answers, plan.settings(answers))
    assert (request.base_url, request.tunnel) == (base_url, tunnel)
    assert request.curl.endswith(f"{base_url}/api/v0/inboxes")
    shown = "\n".join(lines(request, "inai_key"))
    assert "export POSTERN_KEY=inai_key" in shown
    assert ("HTTP, on this machine alone" in shown) is bool(tunnel)


@pytest.mark.parametrize("kind", ["caddy", "nginx"])
def test_a_proxy_is_refused_where_another_program_has_its_ports(kind: Any) -> None:
    answers = check(with_(ANSWERS, proxy=kind))
    other = facts(listeners=ports(("0.0.0.0", 80, "apache2.service")))
    [(words, fix)] = preflight.problems(answers, other)
    assert f"{kind} needs ports 80 and 443, and apache2 (apache2.service) listens on 0.0.0.0:80" in words
    assert "--proxy none" in fix
    assert preflight.problems(answers, facts(listeners=ports(("0.0.0.0", 80, f"{kind}.service")))) == []
    without = facts(release="ubuntu 24.04", packages={kind: ""})
    [(words, fix)] = preflight.problems(answers, without)
    assert words == f"apt knows no package {kind}"
    assert "universe" in fix


def test_nginx_is_in_front_before_certbot_asks_through_it() -> None:
    answers = check(with_(ANSWERS, proxy="nginx", tls="certbot", certbot_email="me@example.org"))
    made = plan.make(
        answers,
        Secrets(),
        facts(domains=("second.example",)),
        sources_of(proxy=sources.example("nginx.conf")),
    )
    kinds = [type(one) for one in made.steps]
    assert kinds.index(SelfSigned) < kinds.index(Proxy) < kinds.index(Certbot) < kinds.index(Units)
    [step] = [one for one in made.steps if isinstance(one, Certbot)]
    assert step.names[0] == "mail.example.org"
    assert "mta-sts.second.example" in step.names
    assert step.command[-3:] == ("--webroot", "--webroot-path", "/var/www/html")
    assert {"nginx", "certbot"} <= set(plan.wanted_packages(answers))


def test_other_credentials_than_given_stay_as_they_are() -> None:
    answers = check(with_(ANSWERS, smarthost="r.example:587", smarthost_user="u", postgresql=True))
    made = plan.make(answers, Secrets(database="postgresql://h/d"), FACTS, sources_of())
    written = {one.path for one in made.steps if isinstance(one, File)}
    assert layout.CREDENTIALS / "database" in written
    assert layout.CREDENTIALS / "smarthost" not in written
    assert layout.CREDENTIALS / "smarthost" in made.holds


def test_settings_are_merged_one_by_one() -> None:
    first = settings_file.merge(None, {"mail.domain": "a.org", "data_dir": "/d"}, {})
    assert settings_file.values_in(first.text) == {"mail.domain": "a.org", "data_dir": "/d"}
    assert first.text.startswith("# Settings of this server")
    written = settings_file.remember({}, {"mail.domain": "a.org", "data_dir": "/d"})
    same = settings_file.merge(first.text, {"mail.domain": "a.org", "data_dir": "/d"}, written)
    assert (same.text, same.changed, same.kept) == (first.text, (), {})
    # taken out by the administrator: it stays out, until the answer changes
    out = first.text.replace('data_dir = "/d"\n', "")
    assert settings_file.merge(out, {"mail.domain": "a.org", "data_dir": "/d"}, written).text == out
    # set before setup came: kept, and said
    kept = settings_file.merge('[mail]\ndomain = "b.org"\n', {"mail.domain": "a.org"}, {})
    assert kept.kept == {"mail.domain": ("b.org", "a.org")}
    with pytest.raises(settings_file.NotToml):
        settings_file.merge("[mail\n", {"mail.domain": "a.org"}, {})


def test_answers_hold_no_secret_and_survive_the_manifest() -> None:
    answers = check(with_(ANSWERS, smarthost="r.example:587", settings={"limits.inboxes": 3}))
    assert msgspec.json.decode(msgspec.json.encode(answers), type=Answers) == answers
