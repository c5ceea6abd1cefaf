"""Files: secrets that others can read, and certificates that the daemons cannot."""

from __future__ import annotations

import os
import pwd
import ssl
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.doctor.certificate_chain import judged
from gateway.doctor.context import Scene, apart
from gateway.doctor.finding import Finding, fail
from gateway.doctor.run_checks import well
from gateway.store.database_url import database_url, sqlite_file

_OTHERS = stat.S_IRWXO
_GROUP_AND_OTHERS = stat.S_IRWXG | stat.S_IRWXO


async def secrets(scene: Scene) -> Sequence[Finding]:
    """Nobody but their owner (or, where that is meant, his group) gets at secrets."""
    findings = await apart(lambda: list(_open_secrets(scene)))
    return well(findings, "secrets", "no secret can be read by others")


def _open_secrets(scene: Scene) -> Iterator[Finding]:
    data = scene.data_dir
    private = [data / name for name in ("secret", "server.key", "operator.json")]
    if file := sqlite_file(database_url(scene.settings.database.url, data)):
        private.append(file)
    if (data / "dkim").is_dir():
        yield from _too_open(sorted((data / "dkim").iterdir()), _OTHERS)
    yield from _too_open(private, _GROUP_AND_OTHERS)
    shared = [Path(scene.settings.mail.tls_key)] if scene.settings.mail.tls_key else []
    if scene.config is not None:
        shared.append(scene.config)
        folder = scene.config.parent / "credentials"
        try:
            yield from _too_open(sorted(folder.iterdir()), _GROUP_AND_OTHERS)
        except (FileNotFoundError, NotADirectoryError):
            pass
    yield from _too_open(shared, _OTHERS)


def _too_open(paths: Sequence[Path], bits: int) -> Iterator[Finding]:
    for path in paths:
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            continue
        if stat.S_ISREG(mode) and mode & bits:
            wanted = stat.S_IMODE(mode) & ~bits
            yield fail(
                str(path),
                f"its mode is {stat.S_IMODE(mode):04o}: others get at it",
                f"chmod {wanted:o} {path}",
            )


async def certificate_files(scene: Scene) -> Sequence[Finding]:
    """The certificate and its key are there, belong together, can be read by the gateway's user, and will be believed:
    chain, name and dates."""
    mail = scene.settings.mail
    if not mail.tls_cert:
        return []  # the check of the ports speaks of that
    findings = await apart(lambda: list(_unfit(scene, Path(mail.tls_cert), Path(mail.tls_key))))
    return well(findings, mail.tls_cert, f"there, with its key, and believed for {scene.hostname}")


def _unfit(scene: Scene, cert: Path, key: Path) -> Iterator[Finding]:
    again = (
        "postern setup puts them there (or the deploy hook of certbot); see mail.tls_cert and mail.tls_key"
    )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except FileNotFoundError:
        yield fail(str(cert if not cert.exists() else key), "is not there", again)
        return
    except ssl.SSLError as error:
        yield fail(str(cert), f"cannot be used with {key}: {error.reason or error}", again)
        return
    owner = scene.data_dir.stat().st_uid if scene.data_dir.exists() else os.geteuid()
    for path in (cert, key):
        if not _readable(path, owner):
            name = pwd.getpwuid(owner).pw_name
            fix = f"chgrp {name} {path} && chmod 640 {path}, and let {name} pass the directories above it"
            yield fail(str(path), f"user {name} cannot read it", fix)
    yield from judged(cert, key, scene.hostname)


def _readable(path: Path, uid: int) -> bool:
    """Whether the user may read the file and pass every directory above it, by the mode bits."""
    if uid == 0:
        return True
    user = pwd.getpwuid(uid)
    groups = set(os.getgrouplist(user.pw_name, user.pw_gid))

    def has(info: os.stat_result, own: int, group: int, other: int) -> bool:
        bit = own if info.st_uid == uid else group if info.st_gid in groups else other
        return bool(info.st_mode & bit)

    whole = path.resolve()
    return has(whole.stat(), stat.S_IRUSR, stat.S_IRGRP, stat.S_IROTH) and all(
        has(one.stat(), stat.S_IXUSR, stat.S_IXGRP, stat.S_IXOTH) for one in whole.parents
    )
