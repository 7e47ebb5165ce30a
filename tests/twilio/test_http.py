"""The driver on the event loop: signed webhooks over HTTP in, REST requests over HTTP out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import BaseTestServer, TestServer
from twilio.request_validator import RequestValidator
from yarl import URL

from callrouter.api.access.tokens import ApiTokens
from callrouter.api.context import Backend
from callrouter.api.live import LiveViews
from callrouter.api.server.app import make_app
from callrouter.clock import SystemClock
from callrouter.core.router import Router
from callrouter.model.events import SignedIn
from callrouter.model.routing_table import Table
from callrouter.pbx.interface import ALONE, Authority, HasRoutes, Pbx
from callrouter.pbx.twilio.driver import TwilioPbx
from callrouter.pbx.twilio.webhook import PARTS
from callrouter.runtime import Runtime
from tests.api.served import Served
from tests.api.world import World as ApiWorld
from tests.twilio import openapi
from tests.twilio.peer import ACCOUNT
from tests.twilio.world import NUMBER, PBX, mobile, settings, table

PUBLIC = "https://calls.example.com"
CALLER = "CA" + "1" * 32
AGENT = "CA" + "2" * 32


class Twilio:
    """What answers our REST requests; one answer for all, or the usual ones."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.instead: tuple[int, Any] | None = None
        self.refuses: tuple[int, Any] | None = None
        """The answer to whatever is to be changed; looking goes on."""
        self.silent: asyncio.Event | None = None

    async def answer(self, request: web.Request) -> web.Response:
        posted = [(key, str(value)) for key, value in (await request.post()).items()]
        openapi.look_at(request.method, request.path_qs, posted)
        form = dict(posted)
        name = request.path.rsplit("/", 1)[1]
        self.requests.append((request.method, name, form))
        if self.silent is not None:
            await self.silent.wait()
        if self.refuses is not None and request.method == "POST":
            return web.json_response(self.refuses[1], status=self.refuses[0])
        if self.instead is not None:
            return web.json_response(self.instead[1], status=self.instead[0])
        if request.method == "GET":
            key = {"Calls.json": "calls", "Queues.json": "queues"}.get(name, "conferences")
            return web.json_response({key: [], "next_page_uri": None})
        sid = AGENT if name == "Calls.json" else name.removesuffix(".json")
        return web.json_response({"sid": sid, "queue_time": "0"}, status=201)

    def posts(self, name: str) -> list[dict[str, str]]:
        return [form for method, of, form in self.requests if method == "POST" and of == name]


class Place:
    def __init__(
        self, pbx: TwilioPbx, runtime: Runtime, twilio: Twilio, server: BaseTestServer
    ) -> None:
        self.pbx, self.runtime, self.twilio = pbx, runtime, twilio
        self._server = server
        self.session: ClientSession
        self.backend: Backend

    async def post(
        self,
        part: str,
        token: str = "",
        *,
        secret: str = "t0p",
        signature: str | None = None,
        body: bytes | None = None,
        **fields: str,
    ) -> tuple[int, str]:
        form = {"AccountSid": ACCOUNT, "CallSid": CALLER, **fields}
        path = f"/twilio/{PBX}/{part}" + (f"?o={token}" if token else "")
        signed = RequestValidator(secret).compute_signature(PUBLIC + path, form)
        headers = {} if signature == "" else {"X-Twilio-Signature": signature or signed}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        url = self._server.make_url("/").join(URL(path))
        async with self.session.post(url, data=body or form, headers=headers) as response:
            return response.status, await response.text()


@asynccontextmanager
async def place(
    routes: Table | None = None,
    *,
    resync_every: float = 0.02,
    authority: Authority = ALONE,
    **changes: object,
) -> AsyncIterator[Place]:
    twilio, clock = Twilio(), SystemClock()
    theirs = web.Application()
    theirs.router.add_route("*", "/{tail:.*}", twilio.answer)
    routes = routes or table(mobile("ann", "+447700900001"))
    runtime = Runtime(Router(routes, rng=Random(1), run_id="b", now=clock.now()), clock)
    async with TestServer(theirs) as rest, ClientSession() as session:
        pbx = TwilioPbx(
            PBX,
            settings(**{"api_url": str(rest.make_url("")), **changes}),
            post=runtime.post,
            table=routes,
            clock=clock,
            resync_every=resync_every,
            authority=authority,
        )
        as_pbx: Pbx = pbx  # what mypy is to see: it is one
        assert isinstance(pbx, HasRoutes)
        runtime.attach(as_pbx)
        backend = ApiWorld().backend
        app = make_app(backend, ApiTokens([]), LiveViews(), pbx.routes())
        async with Served(app) as server:
            found = Place(pbx, runtime, twilio, server)
            found.session, found.backend = session, backend
            task = asyncio.create_task(pbx.run())
            try:
                yield found
            finally:
                runtime.close()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        assert runtime.faults == 0


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20.0):
        while not true():  # noqa: ASYNC110 - it asks about state, nobody tells
            await asyncio.sleep(0.005)


async def test_a_call_over_http_from_ring_to_hang_up() -> None:
    async with place() as at:
        await until(lambda: at.pbx.health().up)
        at.runtime.post(SignedIn(agent="ann"))
        status, document = await at.post("voice", From="+33123456789", To=NUMBER)
        assert status == 200
        assert "<Enqueue" in document
        await until(lambda: bool(at.twilio.posts("Calls.json")))
        [placed] = at.twilio.posts("Calls.json")
        token = re.sub(r".*o=", "", placed["Url"])
        assert len(token) >= 22
        assert placed["To"] == "+447700900001"
        await at.post("offer", token, CallSid=AGENT, CallStatus="ringing")
        _, document = await at.post("agent", token, CallSid=AGENT, CallStatus="in-progress")
        assert "Press 1" in document
        _, document = await at.post("accept", token, CallSid=AGENT, Digits="1")
        assert "<Conference" in document
        await until(lambda: bool(at.twilio.posts(f"{CALLER}.json")))
        assert "<Conference" in at.twilio.posts(f"{CALLER}.json")[0]["Twiml"]
        floor = at.runtime.router.floor
        await until(lambda: [call.state.value for call in floor.calls.values()] == ["talking"])
        await at.post("caller-status", CallStatus="completed")
        await at.post("offer", token, CallSid=AGENT, CallStatus="completed")
        assert floor.calls == {}
        assert floor.offers == {}


async def test_forged_requests_are_refused_on_every_route_and_counted() -> None:
    async with place() as at:
        await until(lambda: at.pbx.health().up)
        handled = at.runtime.handled
        refused = 0
        for part in PARTS:
            for signature, secret in (("", "t0p"), ("AAAA", "t0p"), (None, "other")):
                status, document = await at.post(
                    part, "t", secret=secret, signature=signature, From="+33123456789", To=NUMBER
                )
                assert status == 403
                assert "<Response" in document
                refused += 1
        counts = at.pbx.control.account.counts
        assert counts["refused: not signed by Twilio"] == refused
        status, _ = await at.post("voice", AccountSid="AC" + "b" * 32, To=NUMBER)
        assert status == 403
        status, _ = await at.post("voice", CallSid="nonsense", To=NUMBER)
        assert status == 400
        assert counts["refused: another account"] == counts["refused: voice: no CallSid"] == 1
        assert at.runtime.handled == handled
        assert at.pbx.control.account.callers == {}


@pytest.mark.parametrize("body", [b"\xff\xfe=%ff", b"a" * 70_000, b"", b"%%%=&&&"])
async def test_bodies_of_any_kind_are_refused(body: bytes) -> None:
    async with place() as at:
        status, _ = await at.post("voice", signature="AAAA", body=body)
        assert status in {400, 403, 413}
        assert at.pbx.control.account.callers == {}


async def test_both_auth_tokens_count() -> None:
    async with place(other_auth_token="n3w") as at:
        for secret in ("t0p", "n3w"):
            status, _ = await at.post("caller-status", secret=secret, CallStatus="ringing")
            assert status == 200


async def test_the_rest_of_the_api_still_wants_a_token() -> None:
    async with place() as at:
        async with at.session.get(at._server.make_url("/api/queues")) as response:
            assert response.status == 401
        async with at.session.get(at._server.make_url(f"/twilio/{PBX}/nothing")) as response:
            assert response.status == 401


@pytest.mark.parametrize(
    ("instead", "says"),
    [
        ((401, {"code": 20003, "message": "Authenticate"}), "Twilio says 401, code 20003"),
        ((404, {"code": 20404, "message": "not found"}), "Twilio says 404, code 20404"),
        ((500, {"code": 20500, "message": "oops"}), "Twilio says 500"),
        ((429, {"code": 20429, "message": "Too Many Requests"}), "Twilio says 429"),
    ],
)
async def test_callers_are_kept_while_twilio_refuses_us(
    instead: tuple[int, Any], says: str
) -> None:
    async with place() as at:
        await until(lambda: at.pbx.health().up)
        at.twilio.instead = instead
        await until(lambda: not at.pbx.health().up)
        assert says in at.pbx.health().detail
        assert "t0p" not in at.pbx.health().detail
        status, document = await at.post("voice", From="+33123456789", To=NUMBER)
        assert (status, "<Enqueue" in document) == (200, True)
        status, document = await at.post("wait", QueueTime="3")
        assert (status, "<Say>" in document) == (200, True)
        at.twilio.instead = None
        await until(lambda: at.pbx.health().up)
        assert len(at.runtime.router.floor.calls) == 1


async def test_what_was_refused_is_told_with_the_health() -> None:
    async with place() as at:
        await at.post("voice", signature="AAAA")
        await at.post("voice", CallSid="nonsense")
        await at.post("accept", "guess", Digits="1")
        counts = at.pbx.health().counts
        assert counts["refused: not signed by Twilio"] == 1
        assert counts["refused: voice: no CallSid"] == 1
        assert counts["unknown token"] == 1


async def test_an_offer_that_twilio_refuses_goes_to_the_next_agent_and_the_caller_stays() -> None:
    """A bad account, a wrong token, too many requests: each phone that cannot be called is passed over."""
    routes = table(mobile("ann", "+447700900001"), mobile("bob", "+447700900002"))
    async with place(routes) as at:
        await until(lambda: at.pbx.health().up)
        at.runtime.post(SignedIn(agent="ann"))
        at.runtime.post(SignedIn(agent="bob"))
        at.twilio.refuses = (401, {"code": 20003, "message": "Authenticate"})
        await at.post("voice", From="+33123456789", To=NUMBER)
        await until(lambda: len(at.twilio.posts("Calls.json")) >= 2)
        asked = [placed["To"] for placed in at.twilio.posts("Calls.json")[:2]]
        assert sorted(asked) == ["+447700900001", "+447700900002"]
        await until(lambda: at.pbx.health().counts.get("refused offers", 0) >= 2)
        [call] = at.runtime.router.floor.calls.values()
        assert call.state.value == "waiting"


async def test_an_api_that_cannot_be_reached_keeps_callers_and_says_so() -> None:
    async with place(api_url="http://127.0.0.1:9") as at:
        await until(lambda: "cannot be reached" in at.pbx.health().detail)
        assert not at.pbx.health().up
        status, document = await at.post("voice", From="+33123456789", To=NUMBER)
        assert (status, "<Enqueue" in document) == (200, True)
        status, document = await at.post("wait", QueueTime="3")
        assert (status, "<Say>" in document) == (200, True)
        assert len(at.runtime.router.floor.calls) == 1


async def test_an_api_that_does_not_answer_keeps_callers_and_rings_nobody_twice() -> None:
    async with place() as at:
        await until(lambda: at.pbx.health().up)
        at.runtime.post(SignedIn(agent="ann"))
        at.twilio.silent = asyncio.Event()
        await at.post("voice", From="+33123456789", To=NUMBER)
        await until(lambda: bool(at.twilio.posts("Calls.json")))
        for _ in range(3):
            status, document = await at.post("wait", QueueTime="3")
            assert (status, "<Say>" in document) == (200, True), "answered from memory"
        assert len(at.twilio.posts("Calls.json")) == 1
        at.twilio.silent.set()


async def test_orders_and_webhooks_before_the_start_harm_nobody() -> None:
    routes = table(mobile("ann", "+447700900001"))
    pbx = TwilioPbx(PBX, settings(), post=lambda _: None, table=routes)
    pbx.execute([])
    pbx.resync("nothing is told")
    pbx.use(routes)
    assert not pbx.health().up
    assert pbx.health().detail == "not asked yet"
