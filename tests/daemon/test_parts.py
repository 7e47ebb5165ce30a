from __future__ import annotations

import asyncio
import errno
import logging
import os
import random
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from callrouter.api import control_socket
from callrouter.api.access.refused_requests import RefusedRequests
from callrouter.api.problem_json import REFUSED_REQUESTS
from callrouter.api.server import app
from callrouter.api.server.sockets import listen_tcp
from callrouter.core.router import Router
from callrouter.daemon.drivers import CannotDrive, make_pbx
from callrouter.daemon.process import make_run_id
from callrouter.logs import Log
from callrouter.model.routing_table import Table
from callrouter.model.text import clean, mask
from callrouter.pbx.asterisk.diagnostics.examination import Examination, examine
from callrouter.pbx.interface import ALONE
from callrouter.settings import AsteriskSettings, HttpSettings, TwilioSettings
from callrouter.transports import cut
from tests.daemon.process import free_port

# ---------------------------------------------------------------- the HTTP side


async def nobody_in_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionResetError):  # that, or an end
        assert await reader.read() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*writer.get_extra_info("peername"))
    writer.close()


async def test_a_server_that_cannot_start_leaves_no_client_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listening = await listen_tcp(HttpSettings(host="127.0.0.1", port=free_port()))
    [sock] = listening.sockets
    reader, writer = await asyncio.open_connection(*sock.getsockname())

    async def fails(_runner: object, _listening: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(app, "open_tcp", fails)
    application = web.Application()
    application[REFUSED_REQUESTS] = RefusedRequests()
    with socket.socket(socket.AF_UNIX) as local:
        server = app.HttpServer(application, listening, local)
        with pytest.raises(OSError, match="too many"):
            await server.start()
        await server.close()
    await nobody_in_line(reader, writer)


# ---------------------------------------------------------------- texts


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("", ""),
        ("123", "123"),
        ("1001", "…001"),
        ("02079460018", "…018"),
        ("+442079460018", "+44…018"),
        ("+4420", "…420"),
        ("anonymous", "anonymous"),
        ("1\n2\x1b3456", "…456"),
    ],
)
def test_masking(number: str, masked: str) -> None:
    assert mask(number) == masked


@pytest.mark.parametrize("odd", ["\n", "\r", "\x1b", "\x00", "\u202e", "\u2066", "\x9b", "\u2028"])
def test_cleaning(odd: str) -> None:
    assert clean(f"a{odd}b") == "a\N{REPLACEMENT CHARACTER}b"
    assert clean("Ünal 陈") == "Ünal 陈"


def test_a_boot_word_is_short_and_no_other_runs() -> None:
    words = {make_run_id(1_763_761_987.0 + n, pid) for n in range(3) for pid in (1, 2, 4_194_303)}
    assert len(words) == 9
    assert all(len(word) <= 13 and word.isalnum() and word.islower() for word in words)


def test_log_lines() -> None:
    reader, writer = os.pipe()
    log = Log(fd=writer)
    logging.getLogger("x").warning("one\x1b[2J %s", "two\nthree")
    log.close()
    text = os.read(reader, 1000).decode()
    os.close(reader)
    os.close(writer)
    assert text.count("\n") == 1
    assert text.endswith(" WARNING one�[2J two�three\n")


def test_a_stderr_that_nothing_reads_keeps_no_program_from_ending() -> None:
    code = (
        "import logging, os\n"
        "from callrouter.logs import Log\n"
        "reader, writer = os.pipe()\n"
        "log = Log(fd=writer)\n"
        "for _ in range(3000): logging.getLogger('x').warning('x' * 100)\n"
        "log.close(within=0.2)\n"
        "print('ended')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


async def test_a_connection_is_cut_whatever_has_become_of_it() -> None:
    class Odd(asyncio.Transport):
        def abort(self) -> None:
            raise AttributeError("'NoneType' object has no attribute '_abort'")  # Python 3.11.2

    cut(Odd())
    cut(None)
    reader, writer = os.pipe()
    transport, _ = await asyncio.get_running_loop().connect_write_pipe(
        asyncio.BaseProtocol, os.fdopen(writer, "wb")
    )
    cut(transport)
    assert transport.is_closing()
    os.close(reader)


# ---------------------------------------------------------------- the socket


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield Path(folder)


def test_the_socket_is_the_same_for_every_way_to_write_the_folder(short: Path) -> None:
    (short / "a").mkdir()
    assert control_socket.socket_name(short / "a") == control_socket.socket_name(short / "b/../a")
    (short / "link").symlink_to(short / "a")
    assert control_socket.socket_name(short / "a") == control_socket.socket_name(short / "link")
    assert control_socket.socket_name(short / "a") != control_socket.socket_name(short / "b")


def test_claim_and_release(short: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(short)}
    claim = control_socket.claim(short, environ)
    assert claim.path.parent == short / "callrouter"
    assert stat.S_IMODE(claim.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(claim.path.stat().st_mode) == 0o600
    assert control_socket.find(short, environ) == claim.path
    with pytest.raises(control_socket.AlreadyRunning) as caught:
        control_socket.claim(short, environ)
    assert caught.value.pid == os.getpid()
    claim.release()
    assert control_socket.find(short, environ) is None
    assert list(claim.path.parent.iterdir()) == []
    control_socket.claim(short, environ).release()


def test_a_folder_that_is_open_to_others_is_closed(short: Path) -> None:
    (short / "callrouter").mkdir(mode=0o755)
    control_socket.claim(short, {"XDG_RUNTIME_DIR": str(short)}).release()
    assert stat.S_IMODE((short / "callrouter").stat().st_mode) == 0o700


def test_a_folder_that_a_person_named_keeps_its_rights(short: Path) -> None:
    short.chmod(0o755)
    control_socket.claim(short, {"CALLROUTER_SOCKET": str(short / "s")}).release()
    assert stat.S_IMODE(short.stat().st_mode) == 0o755


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_someone_else_is_refused(short: Path) -> None:
    (short / "callrouter").mkdir()
    os.chown(short / "callrouter", 12345, 12345)
    with pytest.raises(control_socket.ControlSocketError, match="belongs to another user"):
        control_socket.claim(short, {"XDG_RUNTIME_DIR": str(short)})


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_socket_of_someone_else_in_an_open_folder_is_not_asked(short: Path) -> None:
    short.chmod(0o777)
    (short / "callrouter").mkdir()
    with socket.socket(socket.AF_UNIX) as trap:
        trap.bind(str(short / "callrouter" / control_socket.socket_name(short)))
        trap.listen()
        os.chown(short / "callrouter", 12345, 12345)
        assert control_socket.find(short, {"XDG_RUNTIME_DIR": str(short)}) is None


def test_a_file_in_the_sockets_place(short: Path) -> None:
    path = short / "s"
    path.write_text("precious")
    with pytest.raises(control_socket.ControlSocketError, match="set CALLROUTER_SOCKET"):
        control_socket.claim(short, {"CALLROUTER_SOCKET": str(path)})
    assert path.read_text() == "precious"


def test_a_name_too_long(short: Path) -> None:
    with pytest.raises(control_socket.ControlSocketError, match="too long"):
        control_socket.claim(short, {"CALLROUTER_SOCKET": str(short / ("x" * 120))})


@pytest.mark.parametrize("how", ["file", "link", "pipe", "folder of another user's"])
def test_a_place_that_another_user_has_taken(
    short: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The daemon starts all the same, in a folder of its own that the command line finds."""
    tmp = short / "tmp"
    tmp.mkdir()
    tmp.chmod(0o1777)
    monkeypatch.setattr(control_socket, "TMP", tmp)
    monkeypatch.setattr(control_socket, "SYSTEM_FOLDER", short / "nowhere/callrouter")
    taken = tmp / f"callrouter-{os.getuid()}"
    match how:
        case "file":
            taken.touch()
        case "link":
            taken.symlink_to(short)
        case "pipe":
            os.mkfifo(taken)
        case _:
            if os.getuid() != 0:
                pytest.skip("only root can make another user's")
            taken.mkdir()
            os.chown(taken, 4321, 4321)
            (tmp / f"{taken.name}-x").mkdir()
            os.chown(tmp / f"{taken.name}-x", 4321, 4321)
    claim = control_socket.claim(short, {})
    assert claim.path.parent.parent == tmp
    assert claim.path.parent.stat().st_uid == os.getuid()
    assert claim.path.parent.stat().st_mode & 0o777 == 0o700
    assert str(taken) in claim.note
    assert control_socket.find(short, {}) == claim.path
    with pytest.raises(control_socket.AlreadyRunning):
        control_socket.claim(short, {})
    claim.release()
    again = control_socket.claim(short, {})
    assert again.path == claim.path
    again.release()


def test_a_driver_whose_library_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "callrouter.pbx.twilio.driver", None)
    settings = TwilioSettings(
        id="cloud",
        account_sid="AC1",
        auth_token="t",
        public_url="https://calls.example.com",
        numbers={},
        caller_id="+442079460000",
    )
    board = Router(Table(), rng=random.Random(1), run_id="b").board
    with pytest.raises(CannotDrive, match=r"-m pip install 'twilio>="):
        make_pbx(settings, lambda _: None, Table(), "b", board, ALONE)


async def test_certificate_authorities_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    settings = AsteriskSettings(
        id="office", username="u", secret="s", tls=True, ca=tmp_path / "none.pem"
    )
    board = Router(Table(), rng=random.Random(1), run_id="b").board
    with pytest.raises(CannotDrive, match=r"pbx office: tls: .*none.pem cannot be used \(No such"):
        make_pbx(settings, lambda _: None, Table(), "b", board, ALONE)
    examination = Examination(spoken={}, router=None)
    [found] = [one async for one in examine("office", settings, Table(), examination)]
    assert found.ok is False
    assert "none.pem cannot be used (No such file" in found.advice
