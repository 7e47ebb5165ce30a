"""Strangers who open many connections, or send a byte now and then, keep nobody out and hold nothing."""

from __future__ import annotations

import asyncio
import logging
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector, WSMsgType

from callrouter.api import request_bodies
from callrouter.api.context import ConfigReadResult
from callrouter.api.server import app as application
from callrouter.api.server import connection_limit
from callrouter.api.server.app import make_runner, open_tcp
from callrouter.api.server.connection_limit import (
    LIMITER,
    ConnectionLimiter,
    client_origin,
    most_connections,
)
from callrouter.api.server.sockets import listen_tcp
from callrouter.settings import HttpSettings
from callrouter.settings.config_change import Change
from tests.api.world import SUPERVISOR, World
from tests.daemon.process import free_port

HALF = b"POST /api/agents/bob/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n"
TOKEN = b"Authorization: Bearer supervisor-token-1\r\n"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "most_connections", lambda: 20)


@asynccontextmanager
async def serving(
    world: World, certificate: Path | None = None, key: Path | None = None
) -> AsyncIterator[tuple[int, ConnectionLimiter]]:
    runner, port = make_runner(world.app), free_port()
    await runner.setup()
    try:
        settings = HttpSettings(host="127.0.0.1", port=port, certificate=certificate, key=key)
        listening = await listen_tcp(settings)
        await open_tcp(runner, listening)
        assert listening.url == f"http{'s' if key else ''}://127.0.0.1:{port}"
        [limiter] = world.app[LIMITER]
        yield port, limiter
        async with asyncio.timeout(10):
            while len(limiter):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
    finally:
        await runner.cleanup()
        world.close()


async def status(port: int) -> int:
    url = f"http://127.0.0.1:{port}/api/agents/bob"
    async with ClientSession(headers=SUPERVISOR) as session, session.get(url) as answer:
        return answer.status


@pytest.mark.usefixtures("few")
async def test_those_who_ask_nothing_go_first(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    async with serving(world) as (port, limiter):
        async with ClientSession(headers=SUPERVISOR) as session:
            live = await session.ws_connect(f"http://127.0.0.1:{port}/api/live")
            assert (await live.receive()).type is WSMsgType.TEXT
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
            for n, (_, writer) in enumerate(silent):
                with suppress(ConnectionError):
                    writer.write(HALF[: n + 1])
            for _ in range(5):
                assert await status(port) == 200
            assert len(limiter) <= 20
            assert limiter.shut_out >= 60 - 20
            world.arrive("c1")
            assert (await live.receive()).type is WSMsgType.TEXT, "who was let in stays"
            await live.close()
        for _, writer in silent:
            writer.close()
    said = [one for one in caplog.records if "connections at once" in one.getMessage()]
    assert len(said) == 1
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


class Slow:
    """Configuration files that take their time."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def reload(self, who: str, *, confirm: bool = True) -> ConfigReadResult:
        await self.go_on.wait()
        return ConfigReadResult()

    async def diff(self, folder: Path | None) -> ConfigReadResult:
        return ConfigReadResult()

    def changes(self) -> list[Change]:
        return []


RELOAD = b"POST /api/config/reload HTTP/1.1\r\nHost: x\r\n" + TOKEN + b"\r\n"


@pytest.mark.usefixtures("few")
async def test_a_newcomer_goes_when_all_are_being_answered() -> None:
    world = World()
    files = world.backend.files = Slow()
    async with serving(world) as (port, limiter):
        busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in busy:
            writer.write(RELOAD)
        async with asyncio.timeout(10):
            while limiter._idle:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        assert len(limiter) == 20
        files.go_on.set()
        for answers, _ in busy:
            assert (await answers.readline()).startswith(b"HTTP/1.1 200 ")
        for _, one in (*busy, (reader, writer)):
            one.close()


@pytest.mark.usefixtures("few")
async def test_those_whose_body_does_not_come_go_before_those_who_ask_nothing() -> None:
    world = World()
    async with serving(world) as (port, limiter):
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        dripping = []
        for _ in range(60):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HALF + TOKEN + b"\r\n{")
            dripping.append((reader, writer))
        async with asyncio.timeout(10):
            while len(limiter._bodies) < 12:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        for _ in range(32):
            assert await status(port) == 200
        reader, writer = idle[0]
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 503 "), "it was never shut out"
        assert len(limiter) <= 20
        for _, one in (*idle, *dripping):
            one.close()


async def test_a_body_that_has_come_is_being_answered() -> None:
    world = World()
    world.backend.files = Slow()
    async with serving(world) as (port, limiter):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = RELOAD.replace(b"Host: x", b"Host: x\r\nContent-Length: 2")
        writer.write(head)
        async with asyncio.timeout(10):
            while not len(limiter._bodies):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
            writer.write(b"{}")
            while len(limiter._bodies):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        assert (len(limiter), len(limiter._idle)) == (1, 0)
        writer.close()


class Far:
    """A connection from some address."""

    def __init__(self, host: str) -> None:
        self.host, self.cut = host, False

    def get_extra_info(self, name: str) -> object:
        return (self.host, 50_000, 0, 0)[: 4 if ":" in self.host else 2]

    def abort(self) -> None:
        self.cut = True


def far(host: str) -> Any:
    return Far(host)


async def test_who_has_most_connections_pushes_out_their_own() -> None:
    limiter = ConnectionLimiter(asyncio.Protocol, 20)
    first = far("198.51.100.1")
    limiter.opened(first)
    many = [far("203.0.113.7") for _ in range(19)]
    for one in many:
        limiter.opened(one)
    for n in range(5):
        limiter.opened(far(f"198.51.100.{n + 2}"))
    assert not first.cut
    assert [one.cut for one in many] == [True] * 5 + [False] * 14, "the oldest of them first"
    assert len(limiter) == 20


async def test_one_network_of_ipv6_counts_as_one_and_a_mapped_address_as_itself() -> None:
    assert client_origin(far("2001:db8:1:2:3::4")) == client_origin(
        far("2001:db8:1:2:ffff::1%eth0")
    )
    assert client_origin(far("2001:db8:1:2::1")) != client_origin(far("2001:db8:1:3::1"))
    assert (
        client_origin(far("::ffff:203.0.113.7"))
        == client_origin(far("203.0.113.7"))
        == "203.0.113.7"
    )
    assert client_origin(far("")) == ""


async def test_behind_one_proxy_the_oldest_goes_as_ever() -> None:
    limiter = ConnectionLimiter(asyncio.Protocol, 3)
    all_of_them = [far("127.0.0.1") for _ in range(5)]
    for one in all_of_them:
        limiter.opened(one)
    assert [one.cut for one in all_of_them] == [True, True, False, False, False]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key)),
            *("-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def client_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def test_over_tls_all_is_as_without(certificate: tuple[Path, Path]) -> None:
    world = World()
    async with serving(world, *certificate) as (port, _):
        url = f"https://127.0.0.1:{port}"
        async with ClientSession(connector=TCPConnector(ssl=client_tls())) as session:
            for _ in range(3):
                async with session.get(f"{url}/api/agents/bob", headers=SUPERVISOR) as answer:
                    assert answer.status == 200
            async with session.ws_connect(f"{url}/api/live", headers=SUPERVISOR) as live:
                assert (await live.receive()).type is WSMsgType.TEXT
                world.arrive("c1")
                assert (await live.receive()).type is WSMsgType.TEXT
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionError):
            assert b"HTTP" not in await reader.read(), "what is no TLS is closed"
        writer.close()


async def test_those_who_do_not_begin_tls_are_few(
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(connection_limit, "MOST_HANDSHAKES", 10)
    async with serving(World(), *certificate) as (port, limiter):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        url = f"https://127.0.0.1:{port}/api/agents/bob"
        async with (
            ClientSession(connector=TCPConnector(ssl=client_tls())) as session,
            session.get(url, headers=SUPERVISOR) as answer,
        ):
            assert answer.status == 200
        assert len(limiter) <= 11
        assert limiter.shut_out >= 89
        for _, writer in silent:
            writer.close()
    assert "Traceback" not in caplog.text


async def test_a_handshake_that_does_not_come_is_waited_for_briefly(
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert connection_limit.HANDSHAKE == 5.0
    monkeypatch.setattr(connection_limit, "HANDSHAKE", 0.2)
    async with serving(World(), *certificate) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01")
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
    assert caplog.records == []


async def test_a_head_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "IDLE", 0.3)
    async with serving(World()) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(20):
            with suppress(ConnectionError):
                for byte in HALF * 1000:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    if reader.at_eof():
                        break
                    await asyncio.sleep(0.02)
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()


async def test_a_body_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_bodies, "BODY_WITHIN", 0.3)
    async with serving(World()) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HALF + TOKEN + b"\r\n{")
        async with asyncio.timeout(20):
            answer = await reader.read(4096)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"did not come within" in answer
        writer.close()


def test_few_files_mean_few_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, most in ((100, 50), (5, 10), (10**6, 1000)):
        monkeypatch.setattr("resource.getrlimit", lambda _, soft=soft: (soft, soft))
        assert most_connections() == most
