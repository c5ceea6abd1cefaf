"""What a container can be given wrongly, found before anything is made.

Only ``docker run`` and ``compose.yaml`` decide about user, volume and ports, so these texts name what is written there.
"""

from __future__ import annotations

import logging
import os
import pwd
import re
import tempfile
from pathlib import Path

from gateway.cli.failure import UNAVAILABLE, USAGE, Failure
from gateway.settings import Settings

log = logging.getLogger("postern.container")

USER = "postern"
"""The image's user."""
_ANONYMOUS = re.compile(r"/volumes/[0-9a-f]{64}/_data$")


def check(settings: Settings, data_dir: Path) -> None:
    """Look at the user and at every place that is written to; warn where the mail would not outlive the container.

    Raises Failure.
    """
    user = pwd.getpwnam(USER)
    who = f"{user.pw_uid}:{user.pw_gid}"
    if os.geteuid() != user.pw_uid:
        name = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
        raise Failure(
            f"this container runs as {name}, and the image is made for user {who}",
            USAGE,
            fix=f"leave out --user (compose: user:), or set it to {who}",
        )
    if (refused := _refused(data_dir)) is not None:
        owner = refused.stat()
        raise Failure(
            f"{refused} cannot be read and written by user {who}; it belongs to {owner.st_uid}:{owner.st_gid}",
            UNAVAILABLE,
            fix=f"on the host: chown -R {who} THE_DIRECTORY that is mounted at {data_dir} (where SELinux is on, mount "
            "it with :Z), or mount a named volume",
        )
    for path in (Path(settings.mail.run_dir or data_dir), Path(tempfile.gettempdir())):
        if not _may_make(path):
            raise Failure(
                f"{path} cannot be written, and the mail server's sockets and temporary files go there",
                UNAVAILABLE,
                fix="with a read-only root, mount --tmpfs /run:mode=1777 and --tmpfs /tmp",
            )
    if (warning := _short_lived(data_dir)) is not None:
        log.warning("%s: mount a named volume, such as -v postern:%s", warning, data_dir)


def serves(command: Path = Path("/proc/1/cmdline")) -> bool:
    """Whether this container's own program is the gateway, also while it is only beginning to start: `docker exec` may
    come before it has taken the data directory."""
    try:
        return b"serve" in command.read_bytes().split(b"\0")
    except OSError:
        return False


def _refused(data_dir: Path) -> Path | None:
    """The data directory, or the first file in it, where we may not read and write; None: all is ours."""
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        return data_dir
    return next((one for one in sorted(data_dir.iterdir()) if not os.access(one, os.R_OK | os.W_OK)), None)


def _may_make(path: Path) -> bool:
    """Whether ``path`` is there and ours to write, or can be made."""
    while not path.exists():
        path = path.parent
    return os.access(path, os.W_OK | os.X_OK)


def _short_lived(data_dir: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """Why what is in the data directory goes with the container; None: it stays (proc_pid_mountinfo(5))."""
    fields = [line.split() for line in mounts.read_text("utf-8").splitlines()]
    source = next((one[3] for one in reversed(fields) if one[4] == str(data_dir)), None)
    if source is None:
        return f"{data_dir} is no volume, so all mail is lost when the container is removed"
    if _ANONYMOUS.search(source):
        return f"the volume at {data_dir} has no name, so a new container begins without the mail"
    return None
