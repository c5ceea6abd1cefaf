"""The image, built and used as docs/container.md says: started, sent through, restarted, upgraded, restored."""

from __future__ import annotations

import contextlib
import imaplib
import json
import os
import re
import shlex
import shutil
import signal
import smtplib
import sqlite3
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from email import message_from_bytes
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from mailserver.process import program_of
from tests.container.container import Container, container, new_volume
from tests.container.image import Builder, Image
from tests.support.ports import keep_ports
from tests.support.postgres_server import PostgresCluster
from tests.vps.certificates import Certificate, certificate_for
from tests.vps.network import Place

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1800)]

DOMAIN = "agents.example.com"
_TOP = Path(__file__).resolve().parent.parent.parent
_DOCUMENT = (_TOP / "docs" / "container.md").read_text("utf-8")
ENVIRONMENT = {"POSTERN_MAIL_DOMAIN": DOMAIN}
PATIENCE = 30.0


def inside(running: Container, work: Callable[[], Any]) -> Any:
    """Call ``work`` from the container's network, where its ports are."""
    place = Place(running)  # type: ignore[arg-type]
    try:
        return place(work)
    finally:
        place.close()


def api(running: Container, key: str, method: str, path: str, **options: Any) -> Any:
    """A request to /api/v0 that must succeed."""

    def call() -> Any:
        answer = httpx.request(
            method,
            f"http://127.0.0.1:8025/api/v0/{path}",
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
            trust_env=False,
            **options,
        )
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    return inside(running, call)


def subjects(running: Container, key: str, inbox: str, wanted: set[str]) -> set[str]:
    """The subjects of the mail that came to an inbox, waited for until all of ``wanted`` are there."""
    limit = time.monotonic() + PATIENCE
    while True:
        listed = api(running, key, "GET", f"inboxes/{inbox}@{DOMAIN}/messages")["messages"]
        found = {one["subject"] for one in listed if "received" in one["labels"]}
        if wanted <= found or time.monotonic() > limit:
            return found
        time.sleep(0.1)


def send(running: Container, key: str, sender: str, to: str, subject: str) -> None:
    body = {"to": f"{to}@{DOMAIN}", "subject": subject, "text": "x"}
    api(running, key, "POST", f"inboxes/{sender}@{DOMAIN}/messages/send", json=body)


def deliver(running: Container, to: str, subject: str) -> None:
    """Bring a mail as another server does."""

    def call() -> None:
        text = f"From: far@world.example\r\nTo: {to}@{DOMAIN}\r\nSubject: {subject}\r\n\r\nx\r\n"
        with smtplib.SMTP("127.0.0.1", 2525, "mx.world.example", timeout=60) as client:
            client.sendmail("far@world.example", f"{to}@{DOMAIN}", text)

    inside(running, call)


def furnish(running: Container) -> str:
    """Make a first key and the inboxes a and b by `exec`, as documented; answers the key."""
    key = str(running.postern("key", "create", "first")["key"])
    for name in ("a", "b"):
        assert running.postern("inbox", "create", name)["email_address"] == f"{name}@{DOMAIN}"
    return key


@pytest.fixture
def volume(image: Image, tmp_path: Path) -> Path:
    return new_volume(image, tmp_path / "volume")


@pytest.fixture
def running(image: Image, tmp_path: Path, volume: Path) -> Iterator[Container]:
    """A started container on a fresh volume."""
    with container(image, tmp_path, volume, environment=ENVIRONMENT) as made:
        yield made.started()


def certified(image: Image, place: Path) -> tuple[Certificate, dict[str, str], list[str]]:
    """A certificate in a folder that is mounted at /tls: it, the settings for it, the mount."""
    made, folder = certificate_for(f"mail.{DOMAIN}"), place / "tls"
    folder.mkdir()
    for name, text in (("fullchain.pem", made.chain), ("privkey.pem", made.key)):
        (folder / name).write_text(text)
        os.chown(folder / name, *map(int, image.user.split(":")))
    settings = {
        "POSTERN_MAIL_TLS_CERT": "/tls/fullchain.pem",
        "POSTERN_MAIL_TLS_KEY": "/tls/privkey.pem",
    }
    return made, settings, [f"bind-ro {folder} /tls"]


def test_mail_goes_in_and_out_and_people_read_it(image: Image, tmp_path: Path, volume: Path) -> None:
    made, settings, mounts = certified(image, tmp_path)
    with container(image, tmp_path, volume, environment=ENVIRONMENT | settings, mounts=mounts) as running:
        running.started()
        assert "there is no API key yet: docker compose exec postern postern key create NAME" in running.log
        key = furnish(running)
        send(running, key, "a", "b", "by the API")
        deliver(running, "b", "from the world")
        assert subjects(running, key, "b", {"by the API", "from the world"}) == {
            "by the API",
            "from the world",
        }
        told = running.postern("inbox", "password", f"b@{DOMAIN}")
        # what a person is told are the ports outside
        assert (told["imap"]["host"], told["imap"]["port"]) == (f"mail.{DOMAIN}", 993)
        assert told["smtp"]["port"] == 465
        trust = ssl.create_default_context(cadata=made.authority)
        trust.check_hostname = False

        def read() -> set[str]:
            with imaplib.IMAP4_SSL("127.0.0.1", 2993, ssl_context=trust, timeout=30) as client:
                client.login(f"b@{DOMAIN}", told["password"])
                client.select("INBOX", readonly=True)
                [numbers] = client.search(None, "ALL")[1]
                return {
                    message_from_bytes(cast(Any, client.fetch(one, "(RFC822)")[1][0])[1])["Subject"]
                    for one in numbers.decode().split()
                }

        assert inside(running, read) == {"by the API", "from the world"}

        def submit() -> None:
            with smtplib.SMTP_SSL("127.0.0.1", 2465, context=trust, timeout=30) as client:
                client.login(f"b@{DOMAIN}", told["password"])
                text = f"From: b@{DOMAIN}\r\nTo: a@{DOMAIN}\r\nSubject: by a person\r\n\r\nx\r\n"
                client.sendmail(f"b@{DOMAIN}", f"a@{DOMAIN}", text)

        inside(running, submit)
        assert subjects(running, key, "a", {"by a person"}) == {"by a person"}
        zone = running.exec("postern", "domain", "zone", DOMAIN).stdout
        ports = {tuple(found) for found in re.findall(r"(_\w+)\._tcp\S*\s.*SRV\s+\d+ \d+ (\d+)", zone)}
        assert ports == {
            ("_imaps", "993"),
            ("_imap", "0"),
            ("_submissions", "465"),
            ("_submission", "587"),
            ("_pop3s", "0"),
            ("_pop3", "0"),
            ("_autodiscover", "443"),
        }


def test_it_may_do_nothing_but_write_to_its_volume(running: Container, volume: Path) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in running.exec("cat", "/proc/1/status").stdout.splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split() == ["10025"] * 4
    assert {status[f"Cap{one}"] for one in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    for place in ("/", "/opt/postern", "/etc", "/var/tmp"):
        assert running.exec("touch", f"{place}/x").returncode != 0
    owners = {path.stat().st_uid for path in volume.rglob("*")}
    assert owners == {10025}


def test_a_restart_finds_everything_and_a_stop_is_clean(running: Container) -> None:
    key = furnish(running)
    deliver(running, "a", "before the restart")
    assert subjects(running, key, "a", {"before the restart"})
    assert running.stop() == 0
    assert "stopped" in running.log.splitlines()[-1]
    running.started()
    assert subjects(running, key, "a", {"before the restart"}) == {"before the restart"}
    deliver(running, "a", "after the restart")
    assert subjects(running, key, "a", {"after the restart"}) == {"before the restart", "after the restart"}
    assert running.log.count("there is no API key yet") == 1


def test_a_command_waits_for_a_gateway_that_starts_again_with_the_same_process_number(
    running: Container,
) -> None:
    key = furnish(running)
    held = json.loads((running.volume / "operator.json").read_text())["pid"]  # type: ignore[operator]
    assert running.stop() == 0
    running.start()
    deadline = time.monotonic() + PATIENCE
    while not running._found() and time.monotonic() < deadline:
        time.sleep(0.01)
    done = running.exec("postern", "inbox", "list", "--json")  # long before it answers
    assert done.returncode == 0, done.stderr
    assert {one["username"] for one in json.loads(done.stdout)} == {"a", "b"}
    assert held > 1
    assert subjects(running, key, "a", set()) == set()


def test_a_new_image_goes_on_with_the_volume_of_the_old(
    builder: Builder, running: Container, tmp_path: Path
) -> None:
    key = furnish(running)
    deliver(running, "a", "before the upgrade")
    assert subjects(running, key, "a", {"before the upgrade"})
    new = builder.build("postern:next", "--layers", "--build-arg", "VERSION=9.9.9")
    assert new.id != running.image.id
    assert running.stop() == 0
    with container(new, tmp_path, running.volume, environment=ENVIRONMENT) as upgraded:
        upgraded.started()
        assert "9.9.9" in upgraded.exec("postern", "--version").stdout
        deliver(upgraded, "a", "after the upgrade")
        wanted = {"before the upgrade", "after the upgrade"}
        assert subjects(upgraded, key, "a", wanted) == wanted


def test_a_backup_is_restored_into_a_fresh_volume(running: Container, image: Image, tmp_path: Path) -> None:
    key = furnish(running)
    deliver(running, "a", "in the backup")
    assert subjects(running, key, "a", {"in the backup"})
    made = running.postern("backup", "/data/backups", "--mail", "--keep", "7", "--verify")
    assert (made["verified"], made["mail"]["messages"]) == (True, 1)
    assert running.volume is not None
    # `docker compose cp`, and the chown of the document
    copy = tmp_path / "copy"
    shutil.copytree(running.volume / made["backup"].removeprefix("/data/"), copy)
    for path in (copy, *copy.rglob("*")):
        os.chown(path, *map(int, image.user.split(":")))
    assert running.stop() == 0
    fresh = new_volume(image, tmp_path / "fresh")
    with container(
        image, tmp_path, fresh, environment=ENVIRONMENT, mounts=[f"bind-ro {copy} /backup"]
    ) as restored:
        done = restored.run("restore", "/backup", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["messages"] == 1
        restored.started()
        assert subjects(restored, key, "a", {"in the backup"}) == {"in the backup"}
        again = restored.exec("postern", "restore", "/backup")
        assert again.returncode != 0
        assert "a gateway is running on /data" in again.stderr


def test_every_documented_command_works(running: Container) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", _DOCUMENT, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if " exec postern " in line]
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line)
        assert words[:4] == ["docker", "compose", "exec", "postern"]
        done = running.exec(*words[4:])
        if words[5] == "doctor":  # there is no DNS here, and it says so
            assert "smtp 2525: answers" in done.stdout, done.stdout + done.stderr
            assert "OK    round-trip" in done.stdout
            assert "systemctl start" not in done.stdout
        else:
            assert done.returncode == 0, f"{line}\n{done.stderr}"


def test_the_health_check_says_which_part_does_not_work(running: Container) -> None:
    assert running.exec(*running.image.healthcheck).stdout == "ready\n"
    for pid in processes(running, "imap-login"):
        os.kill(pid, signal.SIGSTOP)
    done = running.exec(*running.image.healthcheck)
    assert done.returncode != 0
    assert "not ready: mail_dovecot" in done.stderr


def processes(running: Container, name: str) -> list[int]:
    """The processes of that name in a container, as this machine counts."""
    where = os.readlink(f"/proc/{running.pid}/ns/pid")
    found = []
    for one in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError):  # another test's, which has ended by now
            if program_of(int(one)) == name and os.readlink(f"/proc/{one}/ns/pid") == where:
                found.append(int(one))
    assert found
    return found


def refused(running: Container) -> str:
    """What a container says that cannot start; it has not made anything."""
    before = sorted(running.volume.rglob("*")) if running.volume else []
    done = running.run()
    assert done.returncode not in (0, None)
    assert (sorted(running.volume.rglob("*")) if running.volume else []) == before
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr
    return done.stderr


def test_a_volume_of_another_user_is_refused(image: Image, tmp_path: Path, volume: Path) -> None:
    os.chown(volume, 0, 0)
    volume.chmod(0o755)
    with container(image, tmp_path, volume, environment=ENVIRONMENT) as running:
        said = refused(running)
    assert "/data cannot be read and written by user 10025:10025; it belongs to 0:0" in said
    assert "chown -R 10025:10025" in said


def test_a_file_of_another_user_in_the_volume_is_refused(image: Image, tmp_path: Path, volume: Path) -> None:
    (volume / "postern.db").touch(0o600)
    with container(image, tmp_path, volume, environment=ENVIRONMENT) as running:
        assert (
            "/data/postern.db cannot be read and written by user 10025:10025; it belongs to 0:0"
            in refused(running)
        )


@pytest.mark.parametrize(("user", "name"), [("0:0", "root"), ("1000:1000", "user 1000")])
def test_another_user_than_the_images_is_refused(
    image: Image, tmp_path: Path, volume: Path, user: str, name: str
) -> None:
    with container(image, tmp_path, volume, environment=ENVIRONMENT, user=user) as running:
        said = refused(running)
    assert f"this container runs as {name}, and the image is made for user 10025:10025" in said
    assert "leave out --user" in said


def test_a_read_only_root_without_its_tmpfs_is_refused(image: Image, tmp_path: Path, volume: Path) -> None:
    with container(image, tmp_path, volume, environment=ENVIRONMENT, tmpfs=False) as running:
        said = refused(running)
    assert "/run/postern cannot be written" in said
    assert "--tmpfs /run:mode=1777" in said


def test_a_missing_volume_is_refused_where_the_root_is_read_only(image: Image, tmp_path: Path) -> None:
    with container(image, tmp_path, None, environment=ENVIRONMENT) as running:
        assert "/data cannot be read and written" in refused(running)


def test_a_missing_or_closed_secret_is_named(image: Image, tmp_path: Path, volume: Path) -> None:
    settings = ENVIRONMENT | {"POSTERN_DATABASE_URL": "@database_url"}
    with container(image, tmp_path, volume, environment=settings) as running:
        assert "database.url: cannot read the credential /run/secrets/database_url" in refused(running)
    with container(image, tmp_path, volume, environment=settings, secrets={"database_url": "x"}) as running:
        running._command(())
        held = tmp_path / f"{running.name}.secrets" / "database_url"
        held.chmod(0o600)
        assert "let user 10025 read it" in refused(running)


def test_a_missing_certificate_is_named(image: Image, tmp_path: Path, volume: Path) -> None:
    settings = {"POSTERN_MAIL_TLS_CERT": "/tls/fullchain.pem", "POSTERN_MAIL_TLS_KEY": "/tls/privkey.pem"}
    with container(image, tmp_path, volume, environment=ENVIRONMENT | settings) as running:
        done = running.run()
    assert done.returncode != 0
    assert "the TLS certificate /tls/fullchain.pem cannot be read: No such file or directory" in done.stderr


def test_a_database_that_is_newer_than_the_image_is_refused(running: Container, volume: Path) -> None:
    furnish(running)
    assert running.stop() == 0
    with closing(sqlite3.connect(volume / "postern.db")) as db:
        db.execute("INSERT INTO schema_migration (name, applied) VALUES ('9999_future', '2030-01-01')")
        db.commit()
    done = running.run()
    assert done.returncode != 0
    assert "a newer Postern wrote this database" in done.stderr


def test_ports_that_are_no_pairs_are_refused(image: Image, tmp_path: Path, volume: Path) -> None:
    settings = ENVIRONMENT | {"POSTERN_MAIL_PUBLISHED_PORTS": "25"}
    with container(image, tmp_path, volume, environment=settings) as running:
        done = running.run()
    assert done.returncode != 0
    assert "mail.published_ports takes OUTSIDE:INSIDE" in done.stderr


def test_the_records_can_be_in_postgresql(
    image: Image, tmp_path: Path, volume: Path, postgres: PostgresCluster
) -> None:
    names = ("HTTP_PORT", "MAIL_SMTP_PORT", "MAIL_SUBMISSION_PORT", "MAIL_IMAP_PORT")
    settings = ENVIRONMENT | {"POSTERN_DATABASE_URL": "@database_url", "POSTERN_MAIL_HOST": "127.0.0.1"}
    settings |= {f"POSTERN_{name}": str(port) for name, port in zip(names, keep_ports(4), strict=True)}
    # this machine's network, where PostgreSQL is
    with container(
        image,
        tmp_path,
        volume,
        environment=settings,
        secrets={"database_url": postgres.new_database()},
        network=False,
    ) as running:
        running.started()
        furnish(running)
        assert not (volume / "postern.db").exists()
        send_id = running.postern("send", "--from", f"a@{DOMAIN}", "--to", f"b@{DOMAIN}", "--subject", "kept")
        assert send_id
        made = running.postern("backup", "/data/backups", "--verify")
        assert made["verified"]
        assert running.stop() == 0
        running.started()
        assert {one["username"] for one in running.postern("inbox", "list")} == {"a", "b"}
