"""Both mail servers at every address of a machine whose kernel knows no IPv6."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.without_ipv6 import SOCKET, without_ipv6

pytestmark = pytest.mark.skipif(
    SOCKET is None, reason="the number of socket(2) is not known for this processor"
)

HOUSE = """
import smtplib, imaplib, sys
from tests.mailserver.started import started
with started(sys.argv[1], bind="*") as house:
    with smtplib.SMTP(house.smtp.host, house.smtp.port, "laptop.test", timeout=20) as client:
        client.sendmail("x@abroad.test", ["alice@x.test"], "Subject: hello\\r\\n\\r\\nhello\\r\\n")
    with imaplib.IMAP4("127.0.0.1", house.imap.port, timeout=20) as client:
        client.login("alice@x.test", "secret")
        while client.select("INBOX")[1] != [b"1"]:
            pass
print("read")
"""


@pytest.mark.parametrize("kind", ["embedded", pytest.param("postfix", marks=pytest.mark.root)])
def test_mail_comes_in_and_is_read(kind: str) -> None:
    command = without_ipv6(sys.executable, "-c", HOUSE, kind, python=sys.executable)
    found = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert found.stdout == "read\n", found.stderr
