"""The scripted Twilio in real time and over HTTP: REST requests come in, signed webhooks go out.

`tests.twilio.peer`, our reading of Twilio's documents, runs on a thread of its own, so that it can wait
for the answer to a webhook while the test goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import queue
import re
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from aiohttp import web
from aiohttp.test_utils import TestServer
from twilio.request_validator import RequestValidator

from callrouter.pbx.twilio.rest.api_requests import (
    ApiOutcome,
    ApiRequest,
    ApiResult,
    EndCall,
    PlaceCall,
    RedirectCall,
    UpdateParticipant,
)
from tests.twilio import openapi
from tests.twilio.peer import ACCOUNT, Line, Mischief, Peer, Phone, conference_sid

PUBLIC = "https://calls.example.com"
TOKEN = "t0p-secret"
T = TypeVar("T")


@dataclass
class Use:
    """One call at a phone, in `time.monotonic` seconds; None: it has not come to that."""

    number: str
    rang_at: float | None = None
    talked_at: float | None = None
    ended_at: float | None = None


class People(Peer):
    """The peer with people who differ, and a note of what happened at each phone."""

    def __init__(self, moods: Callable[[], Phone], *args: Any) -> None:
        super().__init__(*args)
        self.uses: dict[str, Use] = {}
        self._moods = moods
        self._drawn: dict[str, Phone] = {}

    def _phone(self, line: Line) -> Phone:
        return self.phones.get(line.number) or self._drawn.setdefault(line.sid, self._moods())

    def _status(self, line: Line, **more: str) -> None:
        if not line.inbound:
            use = self.uses.setdefault(line.sid, Use(line.number))
            if line.status == "ringing":
                use.rang_at = time.monotonic()
            elif line.over:
                use.ended_at = time.monotonic()
        super()._status(line, **more)

    def _dial(self, line: Line, verb: Element) -> None:
        super()._dial(line, verb)
        if line.room and not line.inbound:
            self.uses[line.sid].talked_at = time.monotonic()


class Cloud:
    """An account of Twilio on loopback. Its callers and phones are those of `peer`.

    Attributes:
        faults: what went wrong with requests, ours or the router's; empty in the end.
        counts: webhooks and requests.
    """

    def __init__(self, moods: Callable[[], Phone], mischief: Mischief, rate: float) -> None:
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self.router_port = 0
        self.peer = People(moods, self._ask, self._came, Random(5), time.monotonic())
        self.peer.mischief, self.peer.rate = mischief, rate
        self._todo: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._open: dict[int, tuple[ApiRequest, asyncio.Future[ApiResult]]] = {}
        self._ended = threading.Event()
        self._signs = RequestValidator(TOKEN)
        self._line: http.client.HTTPConnection | None = None

    # ------------------------------------------------------------ its thread

    def run(self) -> None:
        """Until `stop`."""
        try:
            while not self._ended.is_set():
                due = self.peer.next_at()
                wait = 0.2 if due is None else min(0.2, max(0.0, due - time.monotonic()))
                try:
                    action: Callable[[], None] | None = self._todo.get(timeout=wait)
                except queue.Empty:
                    action = None
                self.peer.now = time.monotonic()
                if action is not None:
                    action()
                while (at := self.peer.next_at()) is not None and at <= time.monotonic():
                    self.peer.step(time.monotonic())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.faults.append(f"the peer failed: {error!r}")
        self._hang_up()

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def stop(self) -> None:
        self._ended.set()

    async def ask(self, question: Callable[[People], T]) -> T:
        """Do something on its thread, and have what came of it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def answer() -> None:
            found = question(self.peer)
            loop.call_soon_threadsafe(future.set_result, found)

        self._todo.put(answer)
        return await asyncio.wait_for(future, 30.0)

    def _ask(self, part: str, token: str, params: dict[str, str]) -> str:
        """A webhook, signed; the document that is answered."""
        path = f"/twilio/cloud/{part}" + (f"?o={token}" if token else "")
        headers = {
            "X-Twilio-Signature": self._signs.compute_signature(PUBLIC + path, params),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self.counts["webhooks"] += 1
        status, text = self._surely(path, urlencode(params), headers)
        if status != 200:
            self.faults.append(f"{part} was answered with {status}")
        return text

    def _surely(self, path: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
        """As `_post`; where nobody is there, again. Twilio would in the end ask the number's fallback."""
        give_up = time.monotonic() + 30.0
        while True:
            try:
                return self._post(path, body, headers)
            except (OSError, http.client.HTTPException):
                self._hang_up()
                if time.monotonic() > give_up:
                    raise
                self.counts["tried again"] += 1
                time.sleep(0.1)

    def _post(self, path: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
        if self._line is None:
            self._line = http.client.HTTPConnection("127.0.0.1", self.router_port, timeout=10.0)
        self._line.request("POST", path, body, headers)
        answer = self._line.getresponse()
        return answer.status, answer.read().decode()

    async def webhook(self, part: str, **params: str) -> str:
        """Ask the router for a document, as Twilio."""
        given = {"AccountSid": ACCOUNT, "CallStatus": "ringing", **params}
        return await self.ask(lambda _peer: self._ask(part, "", given))

    def _came(self, ask: ApiRequest, answer: ApiResult) -> None:
        _, future = self._open.pop(id(ask))
        future.get_loop().call_soon_threadsafe(_settle, future, answer)

    # ------------------------------------------------------------ the REST API

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        fields = [(key, str(value)) for key, value in (await request.post()).items()]
        self.faults += openapi.faults(request.method, request.path_qs, fields)
        self.counts["requests"] += 1
        name = request.path.split(f"/{ACCOUNT}/", 1)[-1].removesuffix(".json")
        if request.method == "GET":
            return web.json_response(await self.ask(lambda peer: listed(peer, name)))
        rooms = await self.ask(lambda peer: [*peer.rooms])
        ask = _meant(name, dict(fields), rooms)
        future: asyncio.Future[ApiResult] = asyncio.get_running_loop().create_future()
        self._open[id(ask)] = (ask, future)
        self._todo.put(lambda: self.peer.take(ask))
        answer = await future
        if answer.outcome is not ApiOutcome.DONE:
            body = {"code": answer.code, "message": answer.detail, "status": answer.status, "more_info": ""}  # fmt: skip
            return web.json_response(body, status=answer.status)
        queued = str(int(answer.queue_time * 1000))
        body = {"sid": answer.sid, "status": "queued", "queue_time": queued}
        return web.json_response(body, status=answer.status)


def _settle(future: asyncio.Future[ApiResult], answer: ApiResult) -> None:
    if not future.done():  # the router may have hung up meanwhile
        future.set_result(answer)


def _meant(name: str, form: dict[str, str], rooms: list[str]) -> ApiRequest:
    """The order that a request carries out, where there are these conferences."""
    if name == "Calls":
        token = re.sub(r".*[?&]o=", "", form["Url"])
        return PlaceCall(token=token, to=form["To"], caller_id=form["From"], timeout=int(form["Timeout"]))  # fmt: skip
    if name.startswith("Conferences/"):
        _, conference, _, sid = name.split("/")
        hold, ends = form.get("Hold"), form.get("EndConferenceOnExit")
        return UpdateParticipant(
            conference_name=next(room for room in rooms if conference_sid(room) == conference),
            conference_sid=conference,
            sid=sid,
            hold=None if hold is None else hold.lower() == "true",
            ends=None if ends is None else ends.lower() == "true",
        )
    sid = name.removeprefix("Calls/")
    return RedirectCall(sid=sid, twiml=form["Twiml"]) if "Twiml" in form else EndCall(sid=sid)


def _sid(kind: str, name: str) -> str:
    return kind + hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def _rfc2822(line: Line) -> str:
    """When a call began; whole seconds, as Twilio has it."""
    began = time.time() - (time.monotonic() - line.since)
    return format_datetime(datetime.fromtimestamp(began, UTC))


def listed(peer: Peer, name: str) -> dict[str, Any]:
    """What a list shows: calls in progress, our queues and conferences, and who is in them."""
    lines = [line for line in peer.lines.values() if line.status == "in-progress"]
    rooms = {room: _sid("CF", room) for room, inside in peer.rooms.items() if inside}
    queues = {one.queue: _sid("QU", one.queue) for one in lines if one.queue}
    what, _, of = name.partition("/")
    sid = of.partition("/")[0]
    key, items = what.lower(), list[dict[str, Any]]()
    match what, sid:
        case "Calls", _:
            items = [
                {"sid": one.sid, "from": one.number, "to": one.other, "start_time": _rfc2822(one)}
                for one in lines
            ]
        case "Queues", "":
            items = [{"sid": sid, "friendly_name": name} for name, sid in queues.items()]
        case "Queues", _:
            key = "queue_members"
            items = [{"call_sid": one.sid} for one in lines if queues.get(one.queue) == sid]
        case "Conferences", "":
            items = [{"sid": sid, "friendly_name": name} for name, sid in rooms.items()]
        case _:
            key = "participants"
            inside = (one for room, id_ in rooms.items() if id_ == sid for one in peer.rooms[room])
            items = [{"call_sid": one.sid, "label": one.label or None} for one in inside]
    return {key: items, "page": 0, "page_size": 1000, "next_page_uri": None}


@asynccontextmanager
async def cloud(
    moods: Callable[[], Phone], mischief: Mischief, rate: float
) -> AsyncIterator[tuple[Cloud, str]]:
    """A running account, and the URL of its REST API."""
    openapi.ready()
    made = Cloud(moods, mischief, rate)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    async with TestServer(app) as server:
        thread = threading.Thread(target=made.run, name="the scripted Twilio", daemon=True)
        thread.start()
        try:
            yield made, str(server.make_url("")).rstrip("/")
        finally:
            made.stop()
            await asyncio.to_thread(thread.join, 15.0)
