"""Strangers who open many connections, or send a byte now and then, keep nobody out and hold nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import ClientSession, WSMsgType

from callrouter.api import app as application
from callrouter.api import bodies
from callrouter.api.app import make_runner, open_tcp
from callrouter.api.doorkeeper import KEEPER, Doorkeeper, most_connections
from callrouter.api.listening import listen_tcp
from callrouter.settings import HttpSettings
from tests.api.world import SUPERVISOR, World
from tests.daemon.process import free_port

HALF = b"POST /api/agents/bob/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n"
TOKEN = b"Authorization: Bearer supervisor-token-1\r\n"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "most_connections", lambda: 20)


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[tuple[int, Doorkeeper]]:
    runner, port = make_runner(world.app), free_port()
    await runner.setup()
    try:
        listening = await listen_tcp(HttpSettings(host="127.0.0.1", port=port))
        await open_tcp(runner, listening)
        assert listening.url == f"http://127.0.0.1:{port}"
        [keeper] = world.app[KEEPER]
        yield port, keeper
        async with asyncio.timeout(10):
            while len(keeper):  # noqa: ASYNC110 - nobody tells
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
    async with serving(world) as (port, keeper):
        async with ClientSession(headers=SUPERVISOR) as session:
            live = await session.ws_connect(f"http://127.0.0.1:{port}/api/live")
            assert (await live.receive()).type is WSMsgType.TEXT
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
            for n, (_, writer) in enumerate(silent):
                with suppress(ConnectionError):
                    writer.write(HALF[: n + 1])
            for _ in range(5):
                assert await status(port) == 200
            assert len(keeper) <= 20
            assert keeper.shut_out >= 60 - 20
            world.arrive("c1")
            assert (await live.receive()).type is WSMsgType.TEXT, "who was let in stays"
            await live.close()
        for _, writer in silent:
            writer.close()
    said = [one for one in caplog.records if "connections at once" in one.getMessage()]
    assert len(said) == 1
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


@pytest.mark.usefixtures("few")
async def test_a_newcomer_goes_when_all_are_being_answered() -> None:
    world = World()
    async with serving(world) as (port, keeper):
        busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in busy:
            writer.write(HALF + TOKEN + b"\r\n{")
        async with asyncio.timeout(10):
            while keeper._idle:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        assert len(keeper) == 20
        for _, one in (*busy, (reader, writer)):
            one.close()


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
    monkeypatch.setattr(bodies, "BODY_WITHIN", 0.3)
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
