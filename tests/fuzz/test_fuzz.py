"""A short fuzz of each door, and what earlier ones have found; `python -m tests.fuzz` goes on for longer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from tests.api.world import World
from tests.fuzz.doors import AMI_SEEDS, HTTP_SEEDS, ami, http, mutated

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.bin"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
async def test_what_was_found_once(path: Path) -> None:
    data = path.read_bytes()
    if path.name.startswith("ami"):
        ami(data)
        return
    world = World()
    async with TestServer(world.app) as server:
        await http(data, server.port or 0)
    world.close()


@pytest.mark.parametrize("seed", range(4))
def test_asterisk_says_anything(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(150):
        ami(mutated(AMI_SEEDS, dice))


async def test_anybody_sends_anything_to_the_http_port(caplog: pytest.LogCaptureFixture) -> None:
    world, dice = World(), random.Random(1)
    async with TestServer(world.app) as server:
        for _ in range(200):
            await http(mutated(HTTP_SEEDS, dice), server.port or 0)
    world.close()
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


async def test_many_who_say_nothing_keep_nobody_else_out() -> None:
    """Half a request from each of two hundred, and a body that never ends: others are answered."""
    world = World()
    async with TestServer(world.app) as server:
        port = server.port or 0
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        for n, (_, writer) in enumerate(slow):
            writer.write(HTTP_SEEDS[2][: 5 + n % 90])
        endless = (
            b"POST /api/agents/ann/pause HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(endless + b"Authorization: Bearer supervisor-token-1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await writer.drain()
        async with asyncio.timeout(5):
            assert b" 413 " in (await reader.read(4096)).split(b"\r\n")[0]
            await http(HTTP_SEEDS[-1], port)
        for _, one in [*slow, (reader, writer)]:
            one.close()
    world.close()
