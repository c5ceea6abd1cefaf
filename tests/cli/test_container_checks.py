"""What a container is told of its volume, from mountinfo as Docker and Podman make it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.container import _short_lived, serves

_LINE = "707 687 254:1 {source} {target} rw,relatime - ext4 /dev/vda1 rw\n"
_NAME = "3f9" + "0a" * 30 + "b"


@pytest.mark.parametrize(
    ("source", "target", "warning"),
    [
        ("/var/lib/docker/volumes/postern_data/_data", "/data", None),
        ("/srv/postern/data", "/data", None),
        (f"/var/lib/docker/volumes/{_NAME}/_data", "/data", "the volume at /data has no name"),
        (f"/home/u/.local/share/containers/storage/volumes/{_NAME}/_data", "/data", "has no name"),
        ("/var/lib/docker/volumes/postern_data/_data", "/database", "/data is no volume"),
    ],
)
def test_a_volume_that_goes_with_the_container_is_told(
    tmp_path: Path, source: str, target: str, warning: str | None
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(_LINE.format(source="/", target="/") + _LINE.format(source=source, target=target))
    found = _short_lived(Path("/data"), mounts)
    assert found is None if warning is None else warning in (found or "")


def test_the_containers_own_program_is_known(tmp_path: Path) -> None:
    command = tmp_path / "cmdline"
    command.write_bytes(b"tini\0--\0postern\0serve\0")
    assert serves(command)
    command.write_bytes(b"tini\0--\0postern\0restore\0/backup\0")
    assert not serves(command)
    assert not serves(tmp_path / "nothing")
