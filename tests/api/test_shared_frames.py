"""A message for many pages is framed once, and every client reads it, whatever it negotiated."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from callrouter.api import shared_frames
from callrouter.api.shared_frames import SharedMessage, send_shared

SIZES = (1, 125, 126, 199, 200, 65_535, 65_536, 200_000)


def text(size: int) -> str:
    """A text of so many bytes in UTF-8 that can be compressed a little."""
    numbers = " ".join(str(n * n) for n in range(size))
    return numbers[:size]


class Sender:
    """Sends what it is told to every client, after a state through aiohttp itself."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[list[SharedMessage]] = asyncio.Queue()
        self.done: list[int] = []

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(heartbeat=10.0)
        await ws.prepare(request)
        await ws.send_str(text(100_000))
        for message in await self.sent.get():
            await send_shared(ws, request.transport, message)
            self.done.append(len(message))
        await ws.close()
        return ws


@pytest_asyncio.fixture
async def sender() -> AsyncIterator[tuple[Sender, str]]:
    made = Sender()
    app = web.Application()
    app.router.add_get("/", made.serve)
    async with TestServer(app) as server:
        yield made, str(server.make_url("/"))


@pytest.mark.parametrize("window", [0, 9, 12, 15])
async def test_every_size_and_window(sender: tuple[Sender, str], window: int) -> None:
    made, url = sender
    messages = [SharedMessage(text(size)) for size in SIZES]
    messages.append(SharedMessage("Jiří 王小明 مريم " * 100))
    async with aiohttp.ClientSession() as session:
        for _ in range(2):  # the second client gets the frames that the first one had made
            async with session.ws_connect(url, compress=window, max_msg_size=0) as ws:
                assert await ws.receive_str() == text(100_000)
                made.sent.put_nowait(messages)
                for message in messages:
                    assert await ws.receive_str(timeout=5) == message
                assert (await ws.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE


def test_a_frame_is_made_once_for_each_window() -> None:
    message = SharedMessage(text(10_000))
    assert message.frame(15) is message.frame(15)
    assert len(message.frame(15)) < len(message.frame(0)) == 10_004
    assert json.loads(SharedMessage('{"a": 1}')) == {"a": 1}


async def test_a_client_that_does_not_read_is_waited_for(
    sender: tuple[Sender, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_frames, "_MOST_UNSENT", 100_000)
    made, url = sender
    async with aiohttp.ClientSession() as session:
        ws = await session.ws_connect(url, max_msg_size=0)
        await ws.receive_str()
        made.sent.put_nowait([SharedMessage("x" * 1_000_000) for _ in range(50)])
        await asyncio.sleep(0.5)
        held = len(made.done)
        assert held < 50
        for _ in range(50):
            assert len(await ws.receive_str(timeout=5)) == 1_000_000
        assert (await ws.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        assert len(made.done) == 50
