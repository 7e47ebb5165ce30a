"""A short fuzz of each door, and what earlier ones have found; `python -m tests.fuzz` goes on for longer."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from tests.api.world import World
from tests.fuzz.doors import DOORS
from tests.fuzz.mutate import mutated
from tests.fuzz.web import HTTP_SEEDS, exchanged

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.bin"))
TRIES = {"ami": 600, "files": 60, "http": 200, "live": 150, "numbers": 3000, "phones": 150, "twilio": 40}  # fmt: skip


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
async def test_what_was_found_once(path: Path) -> None:
    async with DOORS[path.name.split("-")[0]].opened() as knock:
        await knock(path.read_bytes())


@pytest.mark.parametrize("name", sorted(DOORS))
async def test_anything_comes_in(name: str) -> None:
    rng, door = random.Random(name), DOORS[name]
    async with door.opened() as knock:
        for _ in range(TRIES[name]):
            data = mutated(door.seeds, rng)
            try:
                await knock(data)
            except Exception as error:
                error.add_note(f"for {data!r}")
                raise


@pytest.mark.parametrize("name", sorted(DOORS))
async def test_what_usually_comes_in_is_no_fault(name: str) -> None:
    door = DOORS[name]
    async with door.opened() as knock:
        for seed in door.seeds:
            await knock(seed)
        await knock(b"")


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
            assert b" 200 " in await exchanged(HTTP_SEEDS[0], port)
        for _, one in [*slow, (reader, writer)]:
            one.close()
    world.close()
