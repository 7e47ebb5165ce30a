"""Requests that come to a standby are answered by the active node as if they had come to it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientPayloadError, ServerDisconnectedError, web
from twilio.request_validator import RequestValidator
from yarl import URL

from callrouter.api.access import tokens as token_limits
from callrouter.api.forwarding import request_forwarder
from callrouter.api.server import refusal_pace
from callrouter.pbx.twilio.webhooks.signature import SignatureCheck
from tests.api.forwarding.pair import Pair, pair
from tests.api.served import Served
from tests.api.test_roles import BODIES, OPEN, THINGS, TOKENS, filled_in, headers, operations
from tests.api.test_sessions import PASSWORD, log_in, made
from tests.api.world import SUPERVISOR

PUBLIC = "https://calls.example.com"
AUTH_TOKEN = "0123456789abcdef0123456789abcdef"


class Door:
    """Routes of other parts, which take down what reaches them."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, list[str]], bytes]] = []
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/twilio/office/voice", self.voice),
            web.post("/twilio/office/slow", self.slow),
            web.post("/twilio/office/count", self.count),
            web.get("/twilio/office/large", self.large),
            web.get("/twilio/office/broken", self.broken),
            web.get("/twilio/office/cookies", self.cookies),
        ]

    async def voice(self, request: web.Request) -> web.Response:
        body = await request.read()
        told = {name: request.headers.getall(name) for name in request.headers}
        self.seen.append((request.method, request.raw_path, told, body))
        return web.Response(text="<Response/>", content_type="text/xml")

    async def slow(self, request: web.Request) -> web.Response:
        self.reached.set()
        await self.go.wait()
        return web.Response(text="late")

    async def count(self, request: web.Request) -> web.Response:
        digest, size = hashlib.sha256(), 0
        async for piece in request.content.iter_any():
            digest.update(piece)
            size += len(piece)
        return web.json_response([size, digest.hexdigest()])

    async def large(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Disposition": "attachment"})
        await response.prepare(request)
        for n in range(200):
            await response.write(b"%d" % (n % 10) * 50_000)
        return response

    async def broken(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"the first part")
        assert request.transport is not None
        request.transport.abort()
        return response

    async def cookies(self, request: web.Request) -> web.Response:
        answer = web.Response(text="ok", headers={"X-Callrouter-Odd": "1", "Keep-Alive": "9"})
        answer.set_cookie("a", "1")
        answer.set_cookie("b", "2")
        return answer


@pytest.fixture
async def door() -> Door:
    return Door()


@pytest.fixture
async def two(door: Door) -> AsyncIterator[Pair]:
    async with pair(tokens=tuple(TOKENS.values()), doors=door.routes()) as made:
        yield made


def furnish(house: Any) -> None:
    """The house of the matrix of roles."""
    house.in_step()
    house.sign_in("bob", "alice")
    house.arrive("own", "support")
    house.rang()
    house.accept()
    house.arrive("support-waits", "support", "+442079460099", "Carol")
    house.arrive("sales-waits", "sales", "+442079460099", "Dave")


async def test_each_operation_for_each_role_is_as_at_the_active_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two houses alike: one is asked directly, the other through its standby."""
    monkeypatch.setattr(refusal_pace, "DELAY", 0.0)
    monkeypatch.setattr(token_limits, "PAUSE", 0.0)
    asked = 0
    async with (
        pair(tokens=tuple(TOKENS.values())) as one,
        pair(tokens=tuple(TOKENS.values())) as other,
    ):
        for made in (one, other):
            furnish(made.first)
        for who in (*TOKENS, "stranger", "wrong"):
            for method, path, operation in operations():
                if path in {"/api/live", "/healthz", "/metrics", "/api/cluster"}:
                    continue
                name = THINGS.get(operation.get("x-own", ""), {}).get("own", "alice")
                where = filled_in(path, name)
                body = BODIES.get(path.rpartition("/")[2]) if method in {"POST", "PATCH"} else None
                shown = {"stranger": {}, "wrong": {"Authorization": "Bearer nonsense-1234567"}}
                sent = shown[who] if who in shown else headers(who)
                direct = await one.active.request(
                    method, where, headers=sent, json=body, allow_redirects=False
                )
                passed = await other.standby.request(
                    method, where, headers=sent, json=body, allow_redirects=False
                )
                asked += 1
                assert passed.status == direct.status, (who, method, where, await passed.text())
                assert passed.content_type == direct.content_type, (method, where)
                if direct.content_type.endswith("json") and direct.status >= 400:
                    assert await passed.json() == await direct.json(), (method, where)
                if (method, path) not in OPEN and who in shown:
                    assert passed.status == 401
        assert other.second.backend.forwarded["passed"] == asked
    assert asked > 500


async def test_a_webhook_keeps_the_address_and_the_fields_that_were_signed(
    two: Pair, door: Door
) -> None:
    signer, check = RequestValidator(AUTH_TOKEN), SignatureCheck([AUTH_TOKEN], PUBLIC)
    fields = {"CallSid": "CA" + "0" * 32, "From": "+442079460018", "Name": "Zoë & co=1"}
    for path in (
        "/twilio/office/voice",
        "/twilio/office/voice?o=a%2Fb&x=%C3%A9+1&&y",
        "/twilio/office/%76oice?o=%7e~",
    ):
        signature = signer.compute_signature(PUBLIC + path, fields)
        answer = await two.standby.session.post(
            URL(f"{two.standby.make_url('/').origin()}{path}", encoded=True),
            data=fields,
            headers={"X-Twilio-Signature": signature, "Host": "calls.example.com"},
        )
        assert answer.status == 200
        assert answer.content_type == "text/xml"
        method, raw_path, told, body = door.seen[-1]
        assert (method, raw_path) == ("POST", path)
        assert told["Host"] == ["calls.example.com"]
        assert told["X-Forwarded-For"] == ["127.0.0.1"]
        received = dict(pair.split("=", 1) for pair in body.decode().split("&"))
        assert received.keys() == fields.keys()
        assert check.fit(raw_path, fields, told["X-Twilio-Signature"][0])


async def test_large_bodies_pass_piece_by_piece_and_no_larger_than_any_operation_takes(
    two: Pair,
) -> None:
    body = bytes(range(256)) * 20_000  # 5 MB

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    for data in (io.BytesIO(body), pieces()):
        answer = await two.standby.post("/twilio/office/count", data=data)
        assert await answer.json() == [len(body), hashlib.sha256(body).hexdigest()]
    length = {"Content-Length": str(100 * 1024**2)}
    answer = await two.standby.post("/twilio/office/count", data=b"x", headers=length)
    assert answer.status == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield bytes(100_000)

    try:
        answer = await two.standby.post("/twilio/office/count", data=endless())
    except (ServerDisconnectedError, ConnectionError):
        pass  # closed while it was still sending
    else:
        assert answer.status == 413


async def test_large_answers_pass_and_what_breaks_off_is_not_taken_for_whole(two: Pair) -> None:
    answer = await two.standby.get("/twilio/office/large")
    assert answer.headers["Content-Disposition"] == "attachment"
    assert len(await answer.read()) == 200 * 50_000
    answer = await two.standby.get("/twilio/office/broken")
    with pytest.raises((ClientPayloadError, ServerDisconnectedError, ConnectionError)):
        await answer.read()
    head = await two.standby.head("/api/status", headers=SUPERVISOR)
    assert (head.status, await head.read()) == (200, b"")


async def test_each_cookie_comes_back_and_headers_of_the_connection_do_not(two: Pair) -> None:
    answer = await two.standby.get("/twilio/office/cookies")
    assert len(answer.headers.getall("Set-Cookie")) == 2
    assert "Keep-Alive" not in answer.headers
    assert answer.headers["Server"] == "callrouter"


async def test_a_person_logs_in_at_any_node(tmp_path: Path) -> None:
    async with pair() as two:
        for world in (two.first, two.second):
            world.sessions.use(made(tmp_path))
        answer = await log_in(two.standby, "sam", PASSWORD)
        assert answer.status == 200
        [session] = two.first.sessions.of("sam")
        assert session.address == "127.0.0.1"
        assert list(two.second.sessions.of("sam")) == []
        cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        who = await two.standby.get("/api/session", headers=cookie)
        assert (await who.json())["name"] == "sam"
        assert (await two.standby.get("/api/cluster", headers=cookie)).status == 200
        wrong = await two.standby.delete("/api/session", headers={**cookie, "X-CSRF-Token": "no"})
        assert wrong.status == 403
        right = {**cookie, "X-CSRF-Token": (await who.json())["csrf_token"]}
        other = {**right, "Origin": "http://evil.example"}
        assert (await two.standby.delete("/api/session", headers=other)).status == 403
        assert (await two.standby.delete("/api/session", headers=right)).status == 204


# ---------------------------------------------------------------- while no node is active


async def test_without_an_active_node_a_standby_says_so(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_forwarder, "REQUEST_WAITS", 0.3)
    two.serve("")
    answer = await two.standby.get("/api/agents", headers=SUPERVISOR)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    problem = await answer.json()
    assert problem["type"] == "urn:callrouter:problem:no-active-node"
    assert "no node is active for pool main" in problem["detail"]
    page = await two.standby.get("/")
    assert (page.status, page.content_type) == (200, "text/html")
    own = await two.standby.get("/api/cluster", headers=SUPERVISOR)
    assert (await own.json())["pools"][0]["active"] is None


async def test_a_request_waits_out_a_hand_over(two: Pair) -> None:
    two.serve("")
    waiting = asyncio.create_task(two.standby.get("/api/agents", headers=headers("admin")))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    two.serve("north-1")
    assert (await waiting).status == 200


async def test_what_was_passed_on_to_a_node_that_is_about_to_serve_waits_there(
    two: Pair, door: Door
) -> None:
    """The standby knows of the take-over before the node has read what is stored."""
    two.shared.slow_to_serve = "north-1"
    waiting = asyncio.create_task(two.standby.post("/twilio/office/voice", data={"a": "1"}))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    assert two.second.backend.forwarded["failed"] == 0
    two.shared.slow_to_serve = ""
    assert (await waiting).status == 200


async def test_a_webhook_waits_for_the_next_active_node(
    two: Pair, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.serve("")
    waiting = asyncio.create_task(two.standby.post("/twilio/office/voice", data={"a": "1"}))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    two.serve("north-1")
    answer = await waiting
    assert answer.status == 200
    assert door.seen[-1][3] == b"a=1"
    two.serve("")
    waiting = asyncio.create_task(two.standby.post("/twilio/office/voice", data={"a": "2"}))
    await asyncio.sleep(0.5)
    two.serve("north-2")  # this node itself
    assert (await waiting).status == 200
    assert "X-Forwarded-For" not in door.seen[-1][2]
    monkeypatch.setattr(request_forwarder, "WEBHOOK_WAITS", 0.3)
    two.serve("")
    answer = await two.standby.post("/twilio/office/voice", data={"a": "3"})
    assert answer.status == 503


async def test_a_request_that_was_under_way_ends_with_its_node(two: Pair, door: Door) -> None:
    asking = asyncio.create_task(two.standby.post("/twilio/office/slow"))
    await door.reached.wait()
    two.serve("north-2")
    async with asyncio.timeout(5):
        answer = await asking
    assert answer.status == 502
    assert (await answer.json())["type"].endswith(":node-broke-off")
    door.go.set()


async def test_a_request_that_comes_while_its_node_stops_is_told_so(two: Pair) -> None:
    await two.second.app[request_forwarder.FORWARDER].close()
    answer = await two.standby.get("/api/agents", headers=SUPERVISOR)
    assert answer.status == 503
    assert "is stopping" in (await answer.json())["detail"]


async def test_a_node_that_is_down_is_as_none(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_forwarder, "REQUEST_WAITS", 0.0)
    await two.servers[0].close()
    answer = await two.standby.get("/api/agents", headers=SUPERVISOR)
    assert answer.status == 503
    assert "127.0.0.1" not in await answer.text()
    assert two.second.backend.forwarded["failed"] == 1


# ---------------------------------------------------------------- hostile requests


async def test_headers_that_say_from_where_a_request_comes_are_not_believed(
    two: Pair, door: Door
) -> None:
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "X-Callrouter-Anything": "1",
        "Connection": "close, X-Mine, X-Twilio-Signature",
        "X-Mine": "1",
        "X-Twilio-Signature": "kept",
        "Proxy-Authorization": "Basic x",
        "TE": "trailers",
        "X-Other": "kept",
    }
    answer = await two.standby.post("/twilio/office/voice", data={"a": "1"}, headers=lies)
    assert answer.status == 200
    told = door.seen[-1][2]
    assert "6.6.6.6" not in json.dumps(told)
    assert told["X-Forwarded-For"] == ["127.0.0.1"]
    assert told["X-Other"] == told["X-Twilio-Signature"] == ["kept"]
    gone = {"X-Forwarded-Host", "Forwarded", "X-Real-IP", "X-Callrouter-Anything", "X-Mine"}
    assert not (gone | {"Proxy-Authorization", "TE"}) & told.keys()


async def raw(server: Served, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    await writer.drain()
    got = b""
    try:
        async with asyncio.timeout(2):
            while piece := await reader.read(65536):
                got += piece
    except TimeoutError:
        pass
    finally:
        writer.close()
    return got


HIDDEN = b"POST /twilio/office/voice?hidden HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Content-Length: 0\r\nContent-Length: 70\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Connection: Content-Length\r\nContent-Length: 76\r\n\r\n",
        b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n4c\r\n",
        b"Content-Length: 76\r\nX: a\n\n",
    ],
)
async def test_no_second_request_hides_in_a_body(two: Pair, door: Door, head: bytes) -> None:
    """What is sent on the same connection may count as a request of its own, but only here."""
    before = two.second.backend.forwarded["passed"]
    await raw(
        two.servers[1],
        b"POST /twilio/office/voice?first HTTP/1.1\r\nHost: a\r\n" + head + HIDDEN,
    )
    passed = two.second.backend.forwarded["passed"] - before
    assert len(door.seen) <= passed, "the active node has seen more requests than were passed on"


@pytest.mark.parametrize(
    "target",
    [
        b"http://127.0.0.1:1/api/agents",
        b"//127.0.0.1:1/api/agents",
        b"/\\127.0.0.1:1/",
        b"/@127.0.0.1:1/",
        b"/api/agents#x",
        b"/api/\xc3\xa9",
        b"/api/agents?",
        b"*",
    ],
)
async def test_only_the_registered_address_is_asked(two: Pair, target: bytes) -> None:
    caught: list[object] = []

    def catch(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caught.append(writer)
        writer.close()

    trap = await asyncio.start_server(catch, "127.0.0.1", 0)
    port = trap.sockets[0].getsockname()[1]
    got = await raw(
        two.servers[1],
        b"GET " + target.replace(b":1/", b":%d/" % port) + b" HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
        b"Connection: close\r\n\r\n" % port,
    )
    trap.close()
    assert got.split(b" ")[1] in {b"400", b"401", b"404", b"405"}
    assert caught == []
