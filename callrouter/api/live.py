"""``GET /api/live``: the state, followed by every change, over a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import WSCloseCode, web

from callrouter.api.access.auth import BY_TICKET, holds
from callrouter.api.access.origins import check_origin
from callrouter.api.access.tokens import SCREEN, ApiCaller
from callrouter.api.changes import TOPICS, ChangeFeed, Topic, Watcher, read_topics
from callrouter.api.context import BACKEND, CALLER, Backend, backend_of
from callrouter.api.json_answers import SLICE, encode, encode_list
from callrouter.api.json_values import Json, moment, seconds
from callrouter.api.notice_text import as_json
from callrouter.api.problem_json import ApiProblem
from callrouter.api.query_parameters import check_query
from callrouter.api.routes.status_routes import status_json
from callrouter.api.shared_answers import list_answer
from callrouter.api.shared_frames import SharedMessage, send_shared
from callrouter.api.views.sight import Sight
from callrouter.model.call_notices import OfferDecided
from callrouter.model.notices import Notice, Oddity
from callrouter.model.text import mask, phrase
from callrouter.transports import cut

TOO_SLOW: Final = 4008
"""Close code for a client that reads too slowly. It may reconnect at once."""
MOST_WAITING: Final = 1000
"""Messages queued for a slow client before it is dropped."""
BEHIND: Final = 3
"""Messages queued for a page from which on it is sent no more of them until it has read those."""
MOST_CLIENTS: Final = 200
MOST_PER_TOKEN: Final = 5
"""Live views that one token or user may have open, so that none can use up all of them."""
REVOKED: Final = 4001
"""Close code for a client whose token is no longer valid."""
LIVE_QUERY: Final = ("topics", "ticket")
CLOSE_WITHIN: Final = 2.0
"""Seconds for the client to confirm the close."""


class LiveClient:
    """A connected live view.

    Attributes:
        ws: the connection.
        transport: what is cut if the client does not confirm the close; None: it was gone at once.
        caller: who watches.
        sees: returns what the caller may see now; asked for every message.
        waiting: messages not sent yet, encoded. Those queued before the state is sent follow it.
        notices: whether it gets every notice; otherwise it gets changes, from `ChangeFeed`.
        dropped: set when the view is to be closed.
        why: code and reason of that close.
    """

    def __init__(
        self,
        ws: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        caller: ApiCaller,
        sees: Callable[[], Sight],
    ) -> None:
        self.ws = ws
        self.transport = transport
        self.caller = caller
        self.sees = sees
        self.waiting: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self.notices = True
        self.dropped = asyncio.Event()
        self.why = (TOO_SLOW, "too slow; connect again for the state as it is then")

    def send(self, text: str) -> None:
        """Queue a message. If there is no room, mark the client to be dropped."""
        try:
            self.waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.dropped.set()

    def behind(self) -> bool:
        """Return whether messages wait, because the client or its link is slow."""
        return self.waiting.qsize() >= BEHIND

    def revoke(self) -> None:
        """Close the view: its token is no longer valid or has other rights now."""
        self.why = (REVOKED, "the token or session is no longer in force, or has other rights now")
        self.dropped.set()


class LiveViews:
    """All live views. Listens to the runtime; costs nothing while there are none."""

    def __init__(self) -> None:
        self.clients: set[LiveClient] = set()

    def listen(self, notice: Notice) -> None:
        """Send a notice to every client.

        A listener of the runtime. It only queues: a slow client delays nothing, and is dropped with
        `TOO_SLOW` once `MOST_WAITING` messages wait.
        """
        if not self.clients:
            return
        if isinstance(notice, OfferDecided):
            view = decision_json(notice)
        elif isinstance(notice, Oddity):
            view = {"type": "note", "text": notice.text}
        else:
            view = {"type": "record", **as_json(notice)}
        text = encode(view).decode()
        for client in self.clients:
            if not client.notices:
                continue
            seen = client.sees()
            if seen.everything:
                client.send(text)
            elif (part := shown(view, seen)) is not None:
                client.send(encode(part).decode())

    def check(self, holds: Callable[[ApiCaller], bool]) -> None:
        """Close the views whose token or session is no longer valid.

        Called after each change of the tokens and sessions. Views over the Unix socket have neither
        and stay open.

        Args:
            holds: tells whether the token or session of a caller is in force.
        """
        for client in self.clients:
            if not client.caller.local and not holds(client.caller):
                client.revoke()

    def room_for(self, caller: ApiCaller) -> None:
        """Check that there is room for another view.

        Raises:
            ApiProblem: 429 or 503.
        """
        if len(self.clients) >= MOST_CLIENTS:
            raise ApiProblem(
                503,
                "too-many",
                phrase(
                    "all-live-views-open", "{most} live views are open already", most=MOST_CLIENTS
                ),
            )
        own = sum(client.caller == caller for client in self.clients)
        if own >= MOST_PER_TOKEN and not caller.unlimited:
            detail = phrase(
                "live-views-open",
                "{most} live views of '{name}' are open already",
                most=MOST_PER_TOKEN,
                name=caller.name,
            )
            raise ApiProblem(429, "too-many-views", detail)

    async def close(self) -> None:
        """Close all views.

        They get the code 1001. It takes `CLOSE_WITHIN` seconds at most, since the connection of a
        client that does not confirm is cut.
        """
        await asyncio.gather(
            *(_close(client, WSCloseCode.GOING_AWAY, "callrouter stops") for client in self.clients)
        )


def decision_json(item: OfferDecided) -> Json:
    """Return a short form of a decision; ``/api/calls/{id}/why`` has the full one."""
    return {
        "type": "decision",
        "at": moment(item.at),
        "call": item.call,
        "queue": item.queue,
        "agent": item.agent,
        "offer": item.offer,
        "policy": list(item.policy),
        "available": item.available,
        "waiting": item.waiting,
        "waited_s": seconds(item.waited_s),
        "by_agent": item.by_agent,
        "preferred": item.preferred,
        "drawn": item.drawn,
    }


_UPGRADE: Final = {"Upgrade": "websocket", "Connection": "Upgrade"}
LIVE: Final = web.AppKey("live", LiveViews)
CHANGES: Final = web.AppKey("changes", ChangeFeed)


def _check_upgrade(ws: web.WebSocketResponse, request: web.Request) -> None:
    """Check that this is a WebSocket handshake (RFC 6455, 4.2.1).

    Raises:
        ApiProblem: 400, a header of the handshake is not ASCII; 426, it is no such handshake.
    """
    asked = (request.headers.get(name, "") for name in ("Upgrade", "Sec-WebSocket-Key"))
    if not all(value.isascii() for value in asked):
        raise ApiProblem(400, "bad-upgrade", "Upgrade and Sec-WebSocket-Key are ASCII")
    if not ws.can_prepare(request).ok:
        raise ApiProblem(426, "websocket-only", "connect with a WebSocket client", _UPGRADE)


async def live(request: web.Request) -> web.WebSocketResponse:
    """Send the state in one message ``{"type": "state", …}``, then a message for every change.

    The types are ``record``, ``decision`` and ``note``. With ``?topics=agents,queues,calls`` they
    are ``changes`` instead, with the new rows of what has changed, ten times a second at most.

    A record of something that happened while the state was being written may arrive although the
    state already includes it: apply records by their `at`.

    Raises:
        ApiProblem: 403 a page of another site, 400 or 426 no handshake of a WebSocket, 429 the
            caller has too many views open, 422 a topic or parameter that does not exist, 503 all callers together have.
    """
    backend = backend_of(request)
    if not request.get(BY_TICKET, False):
        check_origin(request, backend.public_url())
    topics = _topics_in(request)
    hub, caller = request.app[LIVE], request[CALLER]
    if caller.role == SCREEN and not topics:
        raise ApiProblem(403, "not-allowed", "a wall screen watches topics=agents,queues")
    hub.room_for(caller)
    ws = web.WebSocketResponse(heartbeat=20.0, max_msg_size=4096, timeout=CLOSE_WITHIN)
    _check_upgrade(ws, request)
    await ws.prepare(request)
    client = LiveClient(ws, request.transport, caller, lambda: backend.views.sight(caller))
    feed = request.app[CHANGES]
    watcher = Watcher(topics, client.sees, client.send, client.behind) if topics else None
    if watcher is not None:
        feed.add(watcher)
    client.notices = watcher is None
    hub.clients.add(client)
    if not holds(request.app, caller):  # it has ended during the handshake
        client.revoke()
    try:
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(_write(client, request.app), name="live writer")
            dropper = group.create_task(_drop_when_told(client), name="live dropper")
            async for _ in ws:
                pass  # messages from the client are ignored
            writer.cancel()
            dropper.cancel()
    except* ConnectionError:
        pass  # the client disconnected without a close
    finally:
        hub.clients.discard(client)
        if watcher is not None:
            feed.remove(watcher)
    return ws


def _topics_in(request: web.Request) -> frozenset[Topic]:
    """Return the topics that are to be watched; none: the feed of notices is wanted.

    Raises:
        ApiProblem: 422, there is no such topic, or another parameter.
    """
    check_query(request, LIVE_QUERY)
    text = request.query.get("topics")
    if text is None:
        return frozenset()
    topics = read_topics(text)
    if topics is None:
        detail = f"'{text[:80]}' has a topic that does not exist; there are {', '.join(TOPICS)}"
        raise ApiProblem(422, "unknown-topic", detail)
    return topics


async def _write(client: LiveClient, app: web.Application) -> None:
    seen, caller = client.sees(), client.caller
    # Share it only between clients connected before it is begun: later changes wait in their
    # queues.
    key = ("live", seen, caller.role)
    floor = app[BACKEND].views
    size = floor.agent_count + floor.queue_count + floor.call_count
    state = await list_answer(
        app, caller, key, lambda: _state(app[BACKEND], seen, caller), size // SLICE
    )
    await client.ws.send_str(state.decode())
    while True:
        text = await client.waiting.get()
        if isinstance(text, SharedMessage):
            await send_shared(client.ws, client.transport, text)
        else:
            await client.ws.send_str(text)


async def _drop_when_told(client: LiveClient) -> None:
    await client.dropped.wait()
    await _close(client, *client.why)


async def _close(client: LiveClient, code: int, why: str) -> None:
    """Close, and cut the connection if the client does not read even that."""
    try:
        async with asyncio.timeout(CLOSE_WITHIN):
            await client.ws.close(code=code, message=why.encode())
    except (TimeoutError, ConnectionError):
        cut(client.transport)


async def _state(b: Backend, seen: Sight, caller: ApiCaller) -> bytes:
    """Return everything callers with this role and sight may see, made in slices like lists."""
    now = b.clock.now()
    parts = {
        "agents": await encode_list(b.views.agents(seen)),
        "queues": await encode_list(b.views.queues(seen)),
        "calls": await encode_list(b.views.calls(seen)),
    }
    if caller.role not in {"agent", SCREEN}:
        parts["status"] = encode(status_json(b, caller))
    body = b",".join(b'"%s":%s' % (name.encode(), part) for name, part in parts.items())
    return b'{"type":"state","at":"%s",%s}' % (moment(now).encode(), body)


# ---------------------------------------------------------------- what a caller may see


_PRIVATE: Final = ("caller_number", "caller_name", "to", "target", "to_agent")
"""Fields with names and numbers, removed from records about other agents' calls."""


def shown(view: Json, sight: Sight) -> Json | None:
    """Return the message for this caller; None: it is not shown.

    Notes are free text about anything, so only callers who see everything get them. Decisions name
    candidates, so an agent's token does not get them.
    """
    if sight.everything:
        return view
    agent, queue = view.get("agent", ""), view.get("queue", "")
    if view["type"] == "note":
        return None
    if not sight.masked:
        return view if _seen(sight, agent, queue) else None
    if view["type"] == "decision":
        return None
    if agent:
        return view if agent == sight.agent else None
    return _hidden(view) if queue and sight.sees_queue(queue) else None


def _seen(sight: Sight, agent: str, queue: str) -> bool:
    if queue:
        return sight.sees_queue(queue)
    return bool(agent) and sight.sees_agent(agent)


def _hidden(view: Json) -> Json:
    kept = {name: value for name, value in view.items() if name not in _PRIVATE}
    if "caller_number" in view:
        kept["caller_number"] = mask(view["caller_number"])
    return kept
