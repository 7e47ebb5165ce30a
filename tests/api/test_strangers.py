"""Strangers at the API, over real connections: what is read of them, what they are told, what is logged."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from aiohttp.test_utils import BaseTestServer

from callrouter.api.access import tokens
from tests.api.served import Served
from tests.api.world import World

TOKEN = "Authorization: Bearer supervisor-token-1"
WRONG = "Authorization: Bearer who-is-this"
PAUSE = "POST /api/agents/bob/pause"


@pytest.fixture
async def server(world: World) -> AsyncIterator[BaseTestServer]:
    async with Served(world.app) as made:
        yield made


class Heard:
    """An answer: status, headers by their small names, body, and whether the connection was closed."""

    def __init__(self, raw: bytes, *, closed: bool) -> None:
        self.raw, self.closed = raw, closed
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1]) if first else 0
        pairs = (line.partition(":") for line in lines)
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}

    def problem(self) -> str:
        return str(json.loads(self.body)["type"]).removeprefix("urn:callrouter:problem:")


async def ask(
    server: BaseTestServer, request: str | bytes, *headers: str, body: bytes = b""
) -> Heard:
    """Send a request, whose body may be short of what the head says."""
    if isinstance(request, str):
        lines = "\r\n".join([f"{request} HTTP/1.1", "Host: x", *headers, "", ""])
        request = lines.encode("latin-1")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request + body)
    raw, closed = b"", False
    with suppress(TimeoutError):
        try:
            while piece := await asyncio.wait_for(reader.read(65536), 1.0):
                raw += piece
        except ConnectionError:
            pass
        closed = True
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return Heard(raw, closed=closed)


def faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]


@pytest.mark.parametrize("headers", [(), (WRONG,), ("Authorization: Basic eDp5",)])
@pytest.mark.parametrize(
    "request_line",
    [PAUSE, "DELETE /api/calls/c1", "POST /api/config/reload", "GET /api/agents", "PUT /nothing"],
)
async def test_no_body_is_read_without_a_token(
    server: BaseTestServer, request_line: str, headers: tuple[str, ...]
) -> None:
    heard = await ask(server, request_line, "Content-Length: 60000", *headers, body=b"{")
    assert (heard.status, heard.closed) == (401, True)
    heard = await ask(server, request_line, "Transfer-Encoding: chunked", *headers, body=b"5\r\n")
    assert (heard.status, heard.closed) == (401, True)


async def test_not_at_an_open_door_either(server: BaseTestServer) -> None:
    heard = await ask(server, "GET /healthz", "Content-Length: 60000", body=b"{")
    assert (heard.status, heard.closed) == (503, True)


async def test_nor_of_a_token_that_may_not(server: BaseTestServer) -> None:
    reader = "Authorization: Bearer agent-token-123456"
    heard = await ask(server, PAUSE, "Content-Length: 60000", reader, body=b"{")
    assert (heard.status, heard.closed) == (403, True)


async def test_a_connection_without_a_body_stays_open(server: BaseTestServer) -> None:
    heard = await ask(server, "GET /api/agents")
    assert (heard.status, heard.closed) == (401, False)
    heard = await ask(server, PAUSE, TOKEN, "Content-Length: 20", body=b'{"reason": "breaks"}')
    assert (heard.status, heard.closed) == (409, False)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x"])
@pytest.mark.parametrize("request_line", [PAUSE, "GET /healthz", "GET /api/agents"])
async def test_compressed_bodies(
    server: BaseTestServer, request_line: str, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No fault and no line but that of the refusal, whether the token is known or not."""
    for token, refused in (((), 401), ((TOKEN,), 415)):
        heard = await ask(
            *(server, request_line, *token, f"Content-Encoding: {encoding}", "Content-Length: 9"),
            body=b"\x1f\x8b garbage"[:9],
        )
        expected = {PAUSE: refused, "GET /healthz": 503}.get(request_line, 200 if token else 401)
        assert heard.status == expected
    assert faults(caplog) == []
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"G\xc3\xa4T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"GET http://x:99999/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[::1/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"CONNECT evil:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_in_our_words(
    server: BaseTestServer, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    heard = await ask(server, raw)
    assert heard.status in {400, 401, 404, 405, 431}
    assert heard.headers["content-type"].startswith("application/problem+json")
    assert heard.headers["server"] == "callrouter"
    assert heard.headers["cache-control"] == "no-store"
    for theirs in (b"aiohttp", b"Python", b"aaaaaaaa", b"\\x", b"99999", b"evil"):
        assert theirs not in heard.raw
    assert faults(caplog) == []
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("expected", ["the-unexpected", "100-\xff\xfeue", "\xa8"])
async def test_an_expectation_that_is_none_is_answered_in_our_words(
    server: BaseTestServer, world: World, expected: str
) -> None:
    heard = await ask(server, PAUSE, f"Expect: {expected}", "Content-Length: 50")
    assert (heard.status, heard.problem()) == (417, "unknown-expectation")
    assert heard.closed, "without waiting for the body"
    assert expected.encode("latin-1") not in heard.raw
    assert world.backend.refusals.counts["unknown-expectation"] == 1


@pytest.mark.parametrize(
    "request_line",
    ["GET /healthz", "GET /api/agents", "GET /nothing", "POST /healthz", "GET /api/live"],
)
async def test_headers_of_every_answer(server: BaseTestServer, request_line: str) -> None:
    for token in ((), (TOKEN,)):
        heard = await ask(server, request_line, *token)
        assert heard.headers["server"] == "callrouter"
        assert heard.headers["cache-control"] == "no-store"
        assert heard.headers["x-content-type-options"] == "nosniff"
        assert heard.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in heard.headers["content-security-policy"]
        assert "strict-transport-security" not in heard.headers  # this one is in clear


UPGRADE = ("Connection: Upgrade", "Sec-WebSocket-Version: 13")
KEY = "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="


@pytest.mark.parametrize(
    "headers",
    [
        ("Upgrade: webs\xf6cket", KEY),
        ("Upgrade: websocket", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2R\xe9Zg=="),
        ("Upgrade: websocket", "Sec-WebSocket-Key: \xff\xfe"),
        ("Upgrade: websocket", KEY, "Origin: http://[x"),
        ("Upgrade: websocket", KEY, "Origin: \xff"),
        ("Upgrade: websocket", KEY, "Origin: null"),
    ],
)
async def test_a_live_view_with_odd_headers_is_no_fault(
    server: BaseTestServer, headers: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    heard = await ask(server, "GET /api/live", TOKEN, *UPGRADE, *headers)
    assert heard.status in {400, 403}
    assert faults(caplog) == []


async def test_a_flood_of_wrong_tokens_is_a_few_lines_and_a_count(
    server: BaseTestServer,
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokens, "PAUSE", 0.0)
    one = b"GET /api/agents/+447700900123 HTTP/1.1\r\nHost: x\r\n" + WRONG.encode() + b"\r\n\r\n"
    heard = await ask(server, one * 250)
    assert heard.raw.count(b"HTTP/1.1 401 ") == 250
    assert world.backend.refusals.counts["unauthorized"] == 250
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 12
    assert lines[0] == (
        "http: refused, unauthorized: GET /api/agents/{id} from 127.0.0.1 (1 so far)"
    )
    assert "who-is-this" not in caplog.text


async def test_a_flood_of_faults_is_counted_and_a_few_tracebacks(
    server: BaseTestServer, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.backend.health = lambda: 1 / 0  # type: ignore[assignment, return-value]
    heard = await ask(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 150)
    assert heard.raw.count(b"HTTP/1.1 500 ") == 150
    assert world.backend.refusals.faults == 150
    assert caplog.text.count("Traceback") == 11
