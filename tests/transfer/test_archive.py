"""A hostile or damaged archive writes nothing outside its directory and is refused in one sentence."""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from gateway.archive import ArchiveError, Bounds, bounds_of, unpack
from tests.support.gateway_process import GatewayProcess, Organization

ROOMY = Bounds(1 << 30, 1000, "")


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=kind, linkname=to)


def packed(place: Path, *members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    path = place / "hostile.tar.gz"
    with tarfile.open(path, "w:gz", format=form) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return path


def raw(place: Path, *blocks: bytes) -> Path:
    path = place / "hostile.tar.gz"
    path.write_bytes(gzip.compress(b"".join(blocks)))
    return path


def changed(header: bytes, at: int, octets: bytes) -> bytes:
    """A header with other octets in it, and the checksum that goes with them."""
    header = header[:at] + octets + header[at + len(octets) :]
    total = sum(header[:148]) + sum(header[156:512]) + 8 * 32
    return header[:148] + b"%06o\0 " % total + header[156:]


def plain(directory: Path, octets: bytes) -> Path:
    """A file of that name that holds just these octets."""
    (directory / "x.tar.gz").write_bytes(octets)
    return directory / "x.tar.gz"


GNU: Literal[1] = 1  # tarfile.GNU_FORMAT
NEGATIVE = changed(tarfile.TarInfo("file").tobuf(GNU), 124, b"\xff" * 11 + b"\x00")  # size -256, in base 256
LONG_NAME = tarfile.TarInfo("x")
LONG_NAME.type, LONG_NAME.size = tarfile.GNUTYPE_LONGNAME, 1 << 30


# Name: how it is made, and what the refusal says.
HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "symbolic link": (lambda p: packed(p, link("a", "/etc"), member("a/passwd", b"x")), "'a' is a link"),
    "symbolic link out by the side": (
        # CVE-2025-4517: a chain of links too long to resolve, which "data" took for harmless
        lambda p: packed(
            p, member("d" * 240, type=tarfile.DIRTYPE), link("up", "../" * 16), member("up/x", b"x")
        ),
        "'up' is a link",
    ),
    "hard link": (lambda p: packed(p, link("a", "/etc/passwd", tarfile.LNKTYPE)), "'a' is a link"),
    "device": (lambda p: packed(p, member("null", type=tarfile.CHRTYPE)), "'null' is neither a file nor"),
    "pipe": (lambda p: packed(p, member("pipe", type=tarfile.FIFOTYPE)), "'pipe' is neither a file nor"),
    "unknown type": (lambda p: packed(p, member("odd", type=b"Z")), "'odd' is neither a file nor"),
    "absolute path": (
        lambda p: packed(p, member("/tmp/outside", b"x")),
        "'/tmp/outside' has an absolute path",
    ),
    "path upwards": (lambda p: packed(p, member("a/../../outside", b"x")), r"leaves its directory \(\.\.\)"),
    "directory upwards": (
        lambda p: packed(p, member("..", type=tarfile.DIRTYPE)),
        r"leaves its directory \(\.\.\)",
    ),
    "no name": (lambda p: packed(p, member("./", b"x")), "has no file name"),
    "long name": (lambda p: packed(p, member("a" * 300, b"x")), "has a name that is too long"),
    "deep name": (lambda p: packed(p, member("a/" * 2100 + "a", b"x")), "has a name that is too long"),
    "twice the same": (
        lambda p: packed(p, member("a", b"x"), member("a", b"y")),
        "'a' has the name of another",
    ),
    "file as directory": (
        lambda p: packed(p, member("a", b"x"), member("a/b", b"y")),
        "'a/b' has the name of",
    ),
    "directory as file": (
        lambda p: packed(p, member("a", type=tarfile.DIRTYPE), member("a", b"y")),
        "'a' has the name of another",
    ),
    "zero in the name": (
        lambda p: packed(p, member("a", b"x", pax_headers={"path": "a\0b"})),
        "has no file name",
    ),
    "sparse file": (
        lambda p: packed(
            p, member("a", b"x", pax_headers={"GNU.sparse.map": "0,1", "GNU.sparse.size": "9" * 18})
        ),
        "'a' is neither a file nor",
    ),
    "negative size": (lambda p: raw(p, NEGATIVE, bytes(1024)), "is damaged|has a negative size"),
    "size beyond the disk": (
        lambda p: packed(p, member("a", pax_headers={"size": str(1 << 60)})),
        "unpacks to more than",
    ),
    "header of a gigabyte": (
        lambda p: raw(p, LONG_NAME.tobuf(GNU), bytes(50 << 20)),
        "a header in it is longer than any archive needs",
    ),
    "long names in long names": (
        lambda p: raw(p, *[changed(LONG_NAME.tobuf(GNU), 124, b"00000000000\0")] * 100_000),
        "is damaged",
    ),
    "slow pax header": (
        # CVE-2024-6232: a pattern that took time with the square of this
        lambda p: packed(p, member("a", b"x", pax_headers={"comment": "0" * 12_000})),
        "",
    ),
    "nothing in it": (lambda p: packed(p), "it is empty"),
    "no archive": (lambda p: raw(p, b"no tar archive " * 100), "is damaged"),
    "not even compressed": (
        lambda p: plain(p, b"x" * 99),
        "is no .tar.gz",
    ),
    "something behind its end": (
        lambda p: raw(p, tarfile.TarInfo("a").tobuf(), bytes(10240), b"x"),
        "follows its end",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_writes_nothing_outside(name: str, tmp_path: Path) -> None:
    make, words = HOSTILE[name]
    place = tmp_path / "deep" / "place"
    place.mkdir(parents=True)
    archive = make(tmp_path)
    if not words:  # well, but hard to read
        unpack(archive, place)
        return
    with pytest.raises(ArchiveError, match=words):
        unpack(archive, place)
    assert {one.name for one in tmp_path.iterdir()} == {archive.name, "deep"}
    assert [one.name for one in (tmp_path / "deep").iterdir()] == ["place"]
    for one in place.rglob("*"):
        assert not one.is_symlink()
        assert one.is_file() or one.is_dir()


def test_what_is_cut_short_or_changed_is_damaged(tmp_path: Path) -> None:
    content = os.urandom(40_000)
    whole = packed(tmp_path, member("a", content), member("b/c", content)).read_bytes()
    broken = [whole[:length] for length in (0, 5, 300, len(whole) // 2, len(whole) - 20, len(whole) - 4)]
    for at in (len(whole) // 3, len(whole) - 6):  # in the data, in the checksum
        broken.append(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    for number, octets in enumerate(broken):
        file = tmp_path / f"{number}.tar.gz"
        file.write_bytes(octets)
        place = tmp_path / str(number)
        place.mkdir()
        with pytest.raises(ArchiveError, match=r"damaged|is no \.tar\.gz"):
            unpack(file, place)


def test_modes_and_owners_are_ours_and_dates_are_kept(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    archive = packed(
        tmp_path,
        member("./d", type=tarfile.DIRTYPE, mode=0o7777),
        member("./d/run", b"#!/bin/sh\n", mode=0o6755, uid=12345, mtime=1_700_000_000.123456),
        member("umlaut-ü/" + "long" * 60, b"x", pax_headers={"mtime": "-inf"}),
    )
    unpack(archive, place)
    assert (place / "d").stat().st_mode & 0o7777 == 0o700
    file = (place / "d" / "run").stat()
    assert file.st_mode & 0o7777 == 0o600
    assert file.st_uid == os.geteuid()
    assert file.st_mtime_ns // 1000 == 1_700_000_000_123_456
    assert (place / "umlaut-ü" / ("long" * 60)).read_bytes() == b"x"


def test_octets_and_members_are_bounded(tmp_path: Path) -> None:
    archive = packed(tmp_path, *(member(f"{number}", bytes(100_000)) for number in range(20)))
    for number, (bounds, words) in enumerate(
        [
            (Bounds(1_000_000, 100, "which is much"), "unpacks to more than 1,000,000 octets, which is much"),
            (Bounds(1 << 30, 19, ""), "holds more than 19 files"),
        ]
    ):
        place = tmp_path / f"place-{number}"
        place.mkdir()
        with pytest.raises(ArchiveError, match=re.escape(words)):
            unpack(archive, place, bounds)
        assert sum(one.stat().st_size for one in place.iterdir()) <= 2_000_000
    unpack(archive, place := tmp_path, ROOMY)
    assert (place / "19").stat().st_size == 100_000
    found = bounds_of(archive, tmp_path)
    assert found.octets <= shutil.disk_usage(tmp_path).free
    assert found.octets <= (1 << 30) + 100 * archive.stat().st_size


def others() -> list[str]:
    """Every other Python of the machine that Postern supports: each has a tarfile of its own."""
    names = ["/usr/bin/python3", *(shutil.which(f"python3.{minor}") or "" for minor in range(11, 20))]
    ask = "import sys; print(sys.version if sys.version_info >= (3, 11) else '')"
    found: dict[str, str] = {}
    for name in names:
        if name and os.path.exists(name):
            found.setdefault(
                subprocess.run([name, "-c", ask], capture_output=True, text=True).stdout.strip(), name
            )
    return [name for version, name in found.items() if version not in ("", sys.version)]


_PROGRAM = """
import pathlib, sys
from gateway.archive import ArchiveError, unpack
for line in sys.stdin.read().split():
    archive, place = map(pathlib.Path, line.split(":"))
    place.mkdir(parents=True)
    try:
        unpack(archive, place)
        print("unpacked")
    except ArchiveError as error:
        print(str(error)[:500])
"""


@pytest.mark.skipif(not others(), reason="the machine has no other Python of at least 3.11")
@pytest.mark.parametrize("python", others())
def test_other_pythons_refuse_the_same(python: str, tmp_path: Path) -> None:
    asked = []
    for number, (make, _) in enumerate(HOSTILE.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        asked.append(f"{make(folder)}:{folder}/place")
    done = subprocess.run(
        [python, "-c", _PROGRAM],
        input="\n".join(asked),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    answers = done.stdout.splitlines()
    for (name, (_, words)), said in zip(HOSTILE.items(), answers, strict=True):
        assert re.search(words, said) if words else said == "unpacked", (name, said)
    assert not [one for one in tmp_path.rglob("*") if one.is_symlink()]


def test_the_commands_refuse_it_in_one_sentence(
    gateway: GatewayProcess, organization: Organization, tmp_path: Path
) -> None:
    archive = packed(tmp_path, member("manifest.json", b"{}"), link("mail", "/etc"))
    address = organization.new_inbox()["email_address"]
    for arguments in (
        ("import", str(archive), "--into", address),
        ("backup", str(archive), "--verify-only"),
        ("restore", str(archive)),
    ):
        done = gateway.postern(*arguments)
        assert done.returncode not in (0, 2), (arguments, done.stdout, done.stderr)
        assert f"{archive} cannot be read as" in done.stderr
        assert "its member 'mail' is a link (to '/etc')" in done.stderr
        assert "Traceback" not in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == [archive.name]
