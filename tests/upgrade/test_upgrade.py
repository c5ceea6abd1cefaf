"""A server of 0.1.0 becomes one of today by the manual's lines while mail flows: nothing is lost or comes twice."""

from __future__ import annotations

import imaplib
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.waiting import until
from tests.upgrade.previous import build_previous, previous_missing
from tests.upgrade.traffic import PERSON, flowing
from tests.vps.certificates import certificate_for
from tests.vps.conftest import ADDRESS, DOMAIN, HEAD, HOSTNAME, REVERSE, Server
from tests.vps.host import booted
from tests.vps.install import WHEELS, binds, build_wheel
from tests.vps.internet import ADDRESS as WORLD_ADDRESS
from tests.vps.internet import NAME_SERVER, Internet, internet_host, internet_missing
from tests.vps.network import Place, connect
from tests.vps.test_readmes import ENVIRONMENT, blocks, on_this_host, share_libraries

AGENT = f"agent@{DOMAIN}"
PIPX = {"PIPX_HOME": "/opt/pipx", "PIPX_BIN_DIR": "/usr/local/bin"}


def dovecot_is_too_new() -> str | None:
    """Why 0.1.0 cannot run here, or None."""
    program = shutil.which("dovecot", path="/usr/sbin:/usr/bin")
    version = (
        subprocess.run([program, "--version"], capture_output=True, text=True).stdout if program else "none"
    )
    return None if version.startswith("2.3.") else f"0.1.0 needs Dovecot 2.3, here is {version.strip()}"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``old/`` and ``new/``, one wheel in each."""
    if missing := internet_missing() or previous_missing() or dovecot_is_too_new():
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("wheels")
    for name, wheel in (
        ("old", build_previous(tmp_path_factory.mktemp("previous"))),
        ("new", build_wheel(tmp_path_factory.mktemp("today"))),
    ):
        (folder / name).mkdir()
        shutil.copy(wheel, folder / name)
    return folder


@pytest.fixture
def server(wheels: Path) -> Iterator[Server]:
    """A server that 0.1.0 was installed and set up on by its manual."""
    with ExitStack() as stack:
        host = stack.enter_context(booted("server", {**binds(wheels), WHEELS: str(wheels)}))
        far = stack.enter_context(internet_host())
        connect(host, [ADDRESS], far, [WORLD_ADDRESS, NAME_SERVER])
        internet = Internet(far)
        internet.start()
        internet.publish("2.0.192.in-addr.arpa", REVERSE)
        internet.point_resolver(host)
        certificate = certificate_for(HOSTNAME)
        host.path("/usr/local/share/ca-certificates/test.crt").write_text(certificate.authority)
        host.run("update-ca-certificates")
        host.path("/root/chain.pem").write_text(certificate.chain)
        host.path("/root/key.pem").write_text(certificate.key)
        # no package can be fetched: apt finds installed what it is asked for, pip takes the wheel alone
        host.run("sh", "-c", "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*")
        share_libraries(host)
        host.run("cp", "-r", f"{WHEELS}/old", f"{WHEELS}/new", "/root/")
        install = "cd /root/old && pipx install ./postern-*.whl"
        host.run("sh", "-c", install, environment={**ENVIRONMENT, **PIPX}, timeout=300)
        told = json.loads(
            host.run(
                *(
                    "postern",
                    "setup",
                    "--domain",
                    DOMAIN,
                    "--hostname",
                    HOSTNAME,
                    "--public-address",
                    ADDRESS,
                ),
                *("--tls-cert", "/root/chain.pem", "--tls-key", "/root/key.pem", "--inbox", "agent"),
                *("--instead", "--yes", "--json"),
                timeout=300,
            ).stdout
        )
        here, foreign = Place(host), Place(far)
        stack.callback(here.close)
        stack.callback(foreign.close)
        internet.publish(DOMAIN, HEAD + host.run("postern", "domain", "zone", DOMAIN).stdout)
        yield Server(host, internet, here, foreign, certificate, told)


def version_of(folder: Path) -> str:
    """The version of the one wheel in ``folder``."""
    [wheel] = folder.iterdir()
    return wheel.name.split("-")[1]


def manual() -> str:
    """The lines of the manual's section "Upgrade"."""
    [text] = [text for _, text in blocks("docs/maintenance.md") if "runpip" in text]
    return text


def health(server: Server) -> dict[str, str]:
    answer: dict[str, str] = json.loads(
        server.host.run("curl", "-fsS", "http://127.0.0.1:8025/health").stdout
    )
    return answer


def arrived(server: Server) -> Counter[str]:
    """How often each mail from the internet lies in the inbox, as Dovecot has it."""
    password = str(server.postern("inbox", "password", AGENT)["password"])

    def read() -> Counter[str]:
        context = server.tls
        context.check_hostname = False  # the client is given an address; the chain is checked all the same
        with imaplib.IMAP4_SSL(ADDRESS, 993, ssl_context=context, timeout=30) as client:
            client.login(AGENT, password)
            client.select("INBOX", readonly=True)
            _, parts = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            texts = [one[1].decode() for one in parts if isinstance(one, tuple)]
        return Counter(text.partition(":")[2].strip() for text in texts if ": in " in text)

    return server.foreign(read)


def indexed(server: Server) -> Counter[str]:
    """How often the API shows each mail from the internet."""
    found: Counter[str] = Counter()
    token = None
    while True:
        query = {"limit": 100, **({"page_token": token} if token else {})}
        page = server.api("GET", f"inboxes/{AGENT}/messages", params=query)
        found.update(one["subject"] for one in page["messages"] if one["subject"].startswith("in "))
        if not (token := page.get("next_page_token")):
            return found


def delivered(server: Server) -> Counter[str]:
    """How often each mail that the API took lies in the mailbox of its recipient in the internet."""
    return Counter(str(one["Subject"]) for one in server.internet.mail_of(PERSON))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_upgrade_loses_no_mail_and_delivers_none_twice(server: Server, wheels: Path) -> None:
    version, upgrade = version_of(wheels / "new"), manual()
    assert health(server)["version"] == "0.1.0"

    with flowing(server, AGENT) as traffic:
        until(lambda: len(indexed(server)) >= 5 and len(delivered(server)) >= 5, 60, server.host.journal())
        before = (len(traffic.received), len(traffic.sent))
        done = server.host.run(
            *("bash", "-c", f"set -eu\ncd /root/new\n{on_this_host(upgrade)}"),
            environment=ENVIRONMENT,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{server.host.journal()}"
        after = (len(traffic.received), len(traffic.sent))
        until(lambda: len(traffic.received) >= after[0] + 5 and len(traffic.sent) >= after[1] + 5, 120)
    assert after[0] > before[0], "no mail came during the upgrade"
    assert f"postern {version.partition('+')[0]} (commit " in done.stdout
    assert health(server)["version"] == version

    told = f"{done.stdout}\nrepeated requests: {traffic.repeats}\n{server.host.journal(lines=1500)}"
    every_in, every_out = Counter(traffic.received), Counter(traffic.sent)
    until(lambda: arrived(server).keys() >= every_in.keys(), 120, told)
    until(lambda: indexed(server).keys() >= every_in.keys(), 60, told)
    until(lambda: delivered(server).keys() >= every_out.keys(), 120, told)
    assert arrived(server) == every_in, told
    assert indexed(server) == every_in, told
    assert delivered(server) == every_out, told


@pytest.mark.slow
def test_a_wheel_of_the_same_number_replaces_the_old_one(wheels: Path) -> None:
    pip = "".join(line for line in manual().splitlines(keepends=True) if "pipx" in line.lower())
    with booted("server", {**binds(wheels), WHEELS: str(wheels)}) as host:
        share_libraries(host)
        host.run("cp", "-r", f"{WHEELS}/new", "/root/")
        install = "cd /root/new && pipx install ./postern-*.whl"
        host.run("sh", "-c", install, environment={**ENVIRONMENT, **PIPX}, timeout=300)
        [packages] = host.path("/opt/pipx/venvs/postern/lib").glob("python3.*/site-packages")
        module = packages / "gateway" / "version.py"
        ours = module.read_text("utf-8")
        module.write_text(ours + "# of another build with the same number\n", "utf-8")
        host.run("bash", "-c", f"set -eu\ncd /root/new\n{pip}", environment=ENVIRONMENT, timeout=300)
        assert module.read_text("utf-8") == ours
        said = host.run("postern", "--version").stdout
        assert said.startswith(f"postern {version_of(wheels / 'new').partition('+')[0]} ")
