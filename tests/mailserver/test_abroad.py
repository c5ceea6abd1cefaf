"""A mail client on another machine: no password goes over the wire before TLS does."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.mailserver.started import started
from tests.mailserver.test_tls import HOST, put
from tests.support.servers import data_directory
from tests.vps.certificates import certificate_for

pytestmark = pytest.mark.root
NAME = f"postern{os.getpid() % 10**6}"
HERE, THERE = "198.18.77.1", "198.18.77.2"


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """A network namespace joined to this one by a cable; it is gone afterwards."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("making a network namespace needs root and iproute2")
    cable = f"p{secrets.token_hex(4)}"
    near, far = f"{cable}a", f"{cable}b"
    made = subprocess.run(["ip", "netns", "add", NAME], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"no network namespaces here: {made.stderr.strip()}")
    try:
        for command in (
            f"ip link add {near} type veth peer name {far} netns {NAME}",
            f"ip addr add {HERE}/30 dev {near}",
            f"ip link set {near} up",
            f"ip -n {NAME} addr add {THERE}/30 dev {far}",
            f"ip -n {NAME} link set {far} up",
        ):
            subprocess.run(command.split(), check=True, capture_output=True)
        yield
    finally:
        # its end here goes at once; left to the namespace, it goes some time after it
        subprocess.run(["ip", "link", "del", near], capture_output=True)
        subprocess.run(["ip", "netns", "del", NAME], check=True)


CLIENT = """
import imaplib, smtplib, ssl, sys
host, imap_port, submission_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
trust = ssl.create_default_context(cafile=sys.argv[4])
trust.check_hostname = False
imap = imaplib.IMAP4(host, imap_port, timeout=20)
print("LOGINDISABLED" in imap.capabilities)
try:
    imap.login("alice@x.test", "secret")
    print("in")
except imaplib.IMAP4.error:
    print("refused")
imap.starttls(trust)
print(imap.login("alice@x.test", "secret")[0])
imap.logout()
smtp = smtplib.SMTP(host, submission_port, "laptop.test", timeout=20)
smtp.ehlo()
print(smtp.has_extn("auth"), smtp.docmd("AUTH", "PLAIN AGFsaWNlQHgudGVzdABzZWNyZXQ=")[0])
smtp.starttls(context=trust)
print(smtp.login("alice@x.test", "secret")[0])
smtp.quit()
"""


@pytest.mark.parametrize("kind", ["embedded", "postfix"])
@pytest.mark.usefixtures("elsewhere")
def test_no_password_before_tls(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with data_directory(tmp_path_factory.mktemp("tls")) as place:
        put(place, certificate_for(HOST))
        files = {"tls_cert": place / "fullchain.pem", "tls_key": place / "privkey.pem"}
        with started(kind, hostname=HOST, bind=HERE, **files) as running:
            server = running.server
            submission = server._ports.submission if kind == "postfix" else server._submission.port
            imap = server._dovecot.config.imap_port
            arguments = (HERE, str(imap), str(submission), str(place / "authority.pem"))
            found = subprocess.run(
                ["ip", "netns", "exec", NAME, sys.executable, "-c", CLIENT, *arguments],
                capture_output=True,
                text=True,
                timeout=60,
            )
    assert found.returncode == 0, found.stderr
    disabled, plain, secured, offered, submitted = found.stdout.splitlines()
    assert (disabled, plain, secured) == ("True", "refused", "OK")
    assert offered.split()[0] == "False"
    assert int(offered.split()[1]) >= 500
    assert submitted == "235"
