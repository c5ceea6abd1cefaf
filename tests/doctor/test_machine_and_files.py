"""Clock, disks, the database and files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import sqlite3
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.doctor import checks_database, checks_files, checks_machine
from gateway.doctor.open_context import arrived
from gateway.store.sql import sql
from tests.doctor.contexts import scene, told
from tests.support.databases import on_postgres
from tests.support.servers import data_directory
from tests.vps.certificates import certificate_for

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def time_server(ahead: float, *, stratum: int = 2) -> AsyncIterator[str]:
    """An SNTP server whose clock is so many seconds ahead of ours; yields host:port."""

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # asyncio's own transport is no subclass of it before Python 3.12
            self.transport = cast(asyncio.DatagramTransport, transport)

        def datagram_received(self, data: bytes, addr: Any) -> None:
            now = time.time() + ahead + 2_208_988_800
            stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
            answer = bytes([0x24, stratum, 0, 0]) + b"\0" * 12 + stamp + data[40:48] + stamp + stamp
            self.transport.sendto(answer, addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


@pytest.mark.parametrize(
    ("ahead", "level", "text"),
    [(0.0, "ok", "127.0.0.1"), (20.0, "warn", "20.0"), (-3600.0, "fail", "ahead of")],
)
async def test_the_clock_against_a_time_server(tmp_path: Path, ahead: float, level: str, text: str) -> None:
    async with (
        time_server(ahead) as server,
        scene(tmp_path, database=False, doctor__ntp_server=server) as made,
    ):
        (found,) = await checks_machine.clock(made)
    assert found.level == level, found.text
    assert text in found.text


async def test_the_clock_by_what_the_system_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "timedatectl"
    monkeypatch.setenv("PATH", str(tmp_path))
    async with (
        time_server(9e6, stratum=0) as unsure,
        scene(tmp_path, database=False, doctor__ntp_server=unsure) as made,
    ):
        assert await told(checks_machine.clock, made) == [("warn", "clock")]  # there is no such command
        for said, level in (("yes", "ok"), ("no", "warn"), ("what", "warn")):
            tool.write_text(f"#!/bin/sh\necho {said}\n")
            tool.chmod(0o755)
            assert await told(checks_machine.clock, made) == [(level, "clock")]


async def test_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path)
    for least, level in ((0.0, "ok"), (1.0, None), (4.1, "fail")):
        async with scene(tmp_path, database=False, doctor__disk_free=least) as made:
            found = await told(checks_machine.disk, made)
        assert [subject for _, subject in found] == [place, f"{place} fsync"]
        if level is not None:
            assert found[0][0] == level
        else:
            assert found[0][0] != "ok"
    slow = os.fsync

    def sleepy(fd: int) -> None:
        time.sleep(0.11)
        slow(fd)

    monkeypatch.setattr(os, "fsync", sleepy)
    async with scene(tmp_path, database=False, doctor__disk_free=0.0) as made:
        (_, found_) = await checks_machine.disk(made)
    assert found_.level in ("warn", "fail")
    assert "an fsync takes" in found_.text


async def test_the_database_is_of_this_version(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        assert await told(checks_database.database, made) == [("ok", "database")]
        assert made.store is not None
        latest = "name = (SELECT max(name) FROM schema_migration)"
        later = f"UPDATE schema_migration SET name = '9999_later' WHERE {latest}"
        await made.store.write(lambda tx: sql(tx).run(later))
        found = await checks_database.database(made)
        assert [one.level for one in found] == ["fail"]
        assert "newer" in found[0].text
        await made.store.write(lambda tx: sql(tx).run("DELETE FROM schema_migration"))
        (found_,) = await checks_database.database(made)
        assert found_.level == "fail"
        assert "not brought up to date" in found_.text


@pytest.mark.skipif(on_postgres(), reason="a SQLite file is damaged here")
@pytest.mark.parametrize("whole_pages", [-3, 1, 0], ids=["its end", "all but its head", "everything"])
async def test_a_damaged_database_is_told(
    tmp_path: Path, whole_pages: int, capfd: pytest.CaptureFixture[str]
) -> None:
    async with scene(tmp_path) as made:
        settings = made.settings
    path = tmp_path / "postern.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(whole_pages * 4096 % size)
        file.write(b"\xff" * (size - file.tell()))
    async with arrived(settings, tmp_path, None, None) as made:
        (found,) = await checks_database.database(made)
    assert found.level == "fail"
    assert "postern restore" in found.fix
    assert "Traceback" not in capfd.readouterr().err


async def test_secrets_that_others_can_read(tmp_path: Path) -> None:
    config = tmp_path / "etc" / "postern.toml"
    (config.parent / "credentials").mkdir(parents=True)
    files = {
        tmp_path / "secret": (0o640, "chmod 600"),
        tmp_path / "operator.json": (0o604, "chmod 600"),
        config: (0o644, "chmod 640"),
        config.parent / "credentials" / "smarthost": (0o660, "chmod 600"),
        tmp_path / "key.pem": (0o644, "chmod 640"),
    }
    async with scene(
        tmp_path, database=False, mail__tls_cert="/c", mail__tls_key=str(tmp_path / "key.pem")
    ) as made:
        object.__setattr__(made, "config", config)
        for path in files:
            path.write_text("x")
            path.chmod(0o600)
        assert await told(checks_files.secrets, made) == [("ok", "secrets")]
        for path, (mode, _) in files.items():
            path.chmod(mode)
        found = {one.subject: one for one in await checks_files.secrets(made)}
    assert set(found) == {str(path) for path in files}
    for path, (_, fix) in files.items():
        assert found[str(path)].level == "fail"
        assert found[str(path)].fix == f"{fix} {path}"


def trusted(monkeypatch: pytest.MonkeyPatch, folder: Path, *authorities: str) -> None:
    """Have these be the authorities that the system believes."""
    (folder / "authorities.pem").write_text("".join(authorities))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authorities.pem"))


@pytest.mark.parametrize(
    ("days", "begins", "name", "believed", "extra", "level", "words"),
    [
        (90, -1, "mail.a.test", True, None, "ok", "believed for mail.a.test"),
        (-1, -90, "mail.a.test", True, None, "fail", "expired"),
        (90, 5, "mail.a.test", True, None, "fail", "not yet valid"),
        (90, -1, "www.a.test", True, None, "fail", "ostname mismatch"),
        (90, -1, "mail.a.test", False, None, "fail", "self-signed certificate in certificate chain"),
        (90, -1, "mail.a.test", False, "leaf alone", "fail", "unable to get local issuer"),
        (5, -1, "mail.a.test", True, None, "fail", "valid 5 days more"),
        (15, -1, "mail.a.test", True, None, "warn", "valid 15 days more"),
        (90, -1, "mail.a.test", True, "expired", "warn", "in its chain expired"),
    ],
)
async def test_a_certificate_file_is_judged_as_a_client_judges_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    begins: int,
    name: str,
    believed: bool,
    extra: str | None,
    level: str,
    words: str,
) -> None:
    made_of, other = (
        certificate_for(name, days=days, begins=begins),
        certificate_for("z.test", days=-1, begins=-9),
    )
    cert, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    end = "-----END CERTIFICATE-----\n"
    leaf = made_of.chain.partition(end)[0] + end
    cert.write_text(
        {"leaf alone": leaf, "expired": made_of.chain + other.authority}.get(extra or "", made_of.chain)
    )
    key.write_text(made_of.key)
    trusted(
        monkeypatch,
        tmp_path,
        certificate_for("other.test").authority,
        *([made_of.authority] if believed else []),
    )
    settings: dict[str, Any] = {
        "mail__tls_cert": str(cert),
        "mail__tls_key": str(key),
        "mail__hostname": "mail.a.test",
    }
    async with scene(tmp_path, database=False, **settings) as made:
        found = await checks_files.certificate_files(made)
    assert {one.level for one in found} == {level}, found
    assert all(words in one.text for one in found), found


async def test_certificate_files_are_there_and_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_of, other = certificate_for("a.test"), certificate_for("b.test")
    trusted(monkeypatch, tmp_path, made_of.authority)
    cert, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    files: dict[str, Any] = {
        "mail__tls_cert": str(cert),
        "mail__tls_key": str(key),
        "mail__hostname": "a.test",
    }
    async with scene(tmp_path, database=False, **files) as made:
        assert await told(checks_files.certificate_files, made) == [("fail", str(cert))]
        cert.write_text(made_of.chain)
        assert await told(checks_files.certificate_files, made) == [("fail", str(key))]
        key.write_text(other.key)
        (found,) = await checks_files.certificate_files(made)
        assert "cannot be used with" in found.text
        key.write_text(made_of.key)
        assert await told(checks_files.certificate_files, made) == [("ok", str(cert))]


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
async def test_certificate_files_can_be_read_by_the_gateways_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_of, nobody = certificate_for("a.test"), pwd.getpwnam("nobody")
    trusted(monkeypatch, tmp_path, made_of.authority)
    with data_directory(tmp_path) as place:
        cert, key, data = place / "chain.pem", place / "key.pem", place / "data"
        cert.write_text(made_of.chain)
        key.write_text(made_of.key)
        key.chmod(0o600)
        data.mkdir()
        os.chown(data, nobody.pw_uid, nobody.pw_gid)
        files: dict[str, Any] = {
            "mail__tls_cert": str(cert),
            "mail__tls_key": str(key),
            "mail__hostname": "a.test",
        }
        async with scene(data, database=False, **files) as made:
            (found,) = await checks_files.certificate_files(made)
            assert (found.level, found.subject) == ("fail", str(key))
            assert "nobody cannot read it" in found.text
            key.chmod(0o640)
            os.chown(key, 0, nobody.pw_gid)
            assert await told(checks_files.certificate_files, made) == [("ok", str(cert))]
            place.chmod(0o700)
            assert [level for level, _ in await told(checks_files.certificate_files, made)] == [
                "fail",
                "fail",
            ]
