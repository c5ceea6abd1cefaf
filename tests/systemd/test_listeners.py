"""What is listened on: systemd's sockets, else a port, a Unix socket, or both; and who may open the latter."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.app.listeners import open_listeners
from gateway.configuration import BadSettings, load_settings
from gateway.settings import Http
from tests.systemd.manager import short_directory


def test_a_port_and_a_unix_socket_at_once(tmp_path: Path) -> None:
    path = short_directory(tmp_path) / "http.sock"
    with open_listeners(Http(port=0, unix_socket=str(path)), {}) as found:
        assert [one.family for one in found.sockets] == [socket.AF_INET, socket.AF_UNIX]
        assert found.unix
        assert found.url == found.local_url == f"http://127.0.0.1:{found.sockets[0].getsockname()[1]}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


def test_a_unix_socket_alone(tmp_path: Path) -> None:
    path = short_directory(tmp_path) / "http.sock"
    with open_listeners(Http(host="", unix_socket=str(path), unix_socket_mode="0600"), {}) as found:
        assert [one.family for one in found.sockets] == [socket.AF_UNIX]
        assert (found.url, found.local_url) == ("http://localhost", f"unix:{path.resolve()}")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with (
        pytest.raises(OSError, match=r"set http\.host, http\.unix_socket or both"),
        open_listeners(Http(host=""), {}),
    ):
        pass


def test_ipv6_has_brackets() -> None:
    with open_listeners(Http(host="::1", port=0), {}) as found:
        assert found.url == f"http://[::1]:{found.sockets[0].getsockname()[1]}"
        assert not found.unix


def test_what_a_crash_left_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    path = short_directory(tmp_path) / "http.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    http = Http(host="", unix_socket=str(path))
    with open_listeners(http, {}) as found:
        found.sockets[0].listen()
        with pytest.raises(OSError, match="another program answers"), open_listeners(http, {}):
            pass
        assert path.exists()
    path.write_text("somebody's")
    with pytest.raises(FileExistsError, match="something else"), open_listeners(http, {}):
        pass
    assert path.read_text() == "somebody's"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError), open_listeners(http, {}):
        pass


def test_the_socket_of_the_next_gateway_is_left_alone(tmp_path: Path) -> None:
    path = short_directory(tmp_path) / "http.sock"
    with open_listeners(Http(host="", unix_socket=str(path)), {}):
        path.unlink()
        other = socket.socket(socket.AF_UNIX)
        other.bind(str(path))
    assert path.exists()
    other.close()


def test_a_mode_is_octal() -> None:
    assert load_settings(overrides={"http.unix_socket_mode": "0666"})[0].http.unix_socket_mode == "0666"
    with pytest.raises(BadSettings, match="unix_socket_mode"):
        load_settings(overrides={"http.unix_socket_mode": "rw-rw----"})


_CHILD = """
import os, sys
from gateway.app.listeners import open_listeners
from gateway.settings import Http
os.environ["LISTEN_PID"] = str(os.getpid() + int(sys.argv[1]))
with open_listeners(Http(port=0), os.environ) as found:
    names = [one.getsockname() for one in found.sockets]
    assert not any(name.startswith("LISTEN_") for name in os.environ)
    print([os.get_inheritable(one.fileno()) for one in found.sockets], found.unix, names)
"""


@pytest.mark.parametrize("ours", [True, False])
def test_what_systemd_hands_over_is_taken_by_whom_it_is_for(tmp_path: Path, ours: bool) -> None:
    path = short_directory(tmp_path) / "given.sock"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        numbers = [os.dup(one.fileno()) for one in (tcp, unix)]

        def place() -> None:
            for wanted, number in enumerate(numbers, 3):
                os.dup2(number, wanted)

        high = [os.dup2(number, 100 + index, inheritable=False) for index, number in enumerate(numbers)]
        for number in numbers:
            os.close(number)
        numbers = high
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, "0" if ours else "1"],
            env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:http"},
            cwd=Path(__file__).parents[2],
            preexec_fn=place,
            close_fds=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        for number in numbers:
            os.close(number)
        assert done.returncode == 0, done.stderr
        if ours:
            assert (
                done.stdout.strip()
                == f"[False, False] True [('127.0.0.1', {tcp.getsockname()[1]}), '{path}']"
            )
        else:
            assert done.stdout.startswith("[False] False [('127.0.0.1'")
            assert str(tcp.getsockname()[1]) not in done.stdout
