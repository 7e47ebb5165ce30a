"""Passes: who may count a request as another client's, and what it can gain."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, UnixConnector, web

from callrouter.api.forwarding import request_forwarder
from callrouter.api.forwarding.node_passes import HEADER, LocalUser, PassReader, PassWriter
from callrouter.api.server.app import make_runner
from callrouter.audit.act_rows import ActVia
from tests.api.forwarding.pair import KEY, Pair, pair
from tests.api.world import SUPERVISOR

RUN = "run of north-1"
ROOT = LocalUser(name="command line", role="admin", user="root", agent="", uid=0)


@pytest.fixture
async def two() -> AsyncIterator[Pair]:
    async with pair() as made:
        yield made


def written(key: bytes = KEY, to: str = RUN, target: str = "/api/session", **more: object) -> str:
    said = more or {"local": ROOT}
    made = PassWriter("north-2")
    return made.write(key, to=to, method="GET", target=target, **said)  # type: ignore[arg-type]


def read(text: str, *, key: bytes = KEY, run: str = RUN, target: str = "/api/session") -> object:
    return PassReader().read(key, text, run=run, method="GET", target=target)


def test_a_pass_says_what_was_written() -> None:
    found = read(written())
    assert found is not None
    assert found.caller.role == "admin"  # type: ignore[attr-defined]
    assert found.source == "socket uid 0 via north-2"  # type: ignore[attr-defined]
    found = read(written(client="203.0.113.7"))
    assert found.caller is None  # type: ignore[attr-defined]
    assert found.source == "203.0.113.7 via north-2"  # type: ignore[attr-defined]


def test_a_pass_is_for_one_request_to_one_run_of_one_node() -> None:
    good = written()
    assert read(good, key=b"another") is None
    assert read(good, key=b"") is None
    assert read(written(key=b""), key=b"") is None
    assert read(good, run="run of north-3") is None
    assert read(good, target="/api/agents") is None
    reader = PassReader()
    once = [reader.read(KEY, good, run=RUN, method="GET", target="/api/session") for _ in range(3)]
    assert [found is not None for found in once] == [True, False, False]
    assert PassReader().read(KEY, good, run=RUN, method="POST", target="/api/session") is None


def test_requests_may_overtake_each_other_and_none_counts_twice() -> None:
    writer, reader = PassWriter("north-2"), PassReader()
    passes = [
        writer.write(KEY, to=RUN, method="GET", target="/", client="203.0.113.7")
        for _ in range(3000)
    ]

    def ok(n: int) -> bool:
        return reader.read(KEY, passes[n], run=RUN, method="GET", target="/") is not None

    order = [5, 0, 4, 1, 3, 2, 900, 6, 899]
    assert all(ok(n) for n in order)
    assert not any(ok(n) for n in order)
    assert ok(2999)
    assert not ok(7), "older than what is remembered"
    assert ok(2500)
    assert not ok(2500)


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "x", "a.b", "é.é", "x" * 5000, written()[:-1], written() + "0", "." + written(),
        base64.b64encode(b"{}").decode() + "." + "0" * 64,
        written().replace(".", ".."), written().upper(),
    ],
)  # fmt: skip
def test_what_is_no_pass(text: str) -> None:
    assert read(text) is None


def test_a_pass_cannot_be_given_more_than_was_signed() -> None:
    text, _, signature = written(client="203.0.113.7").partition(".")
    claims = json.loads(base64.urlsafe_b64decode(text))
    claims["local"] = {"name": "x", "role": "admin", "user": "root", "agent": "", "uid": 0}
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
    assert read(f"{forged}.{signature}") is None


async def test_a_wrong_pass_is_refused_counted_and_delayed(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("nonsense", written(key=b"another"), written(to="run of north-3")):
        for client in (two.active, two.standby):
            answer = await client.get("/api/session", headers={HEADER: text, **SUPERVISOR})
            assert answer.status == 403
            assert (await answer.json())["type"].endswith(":wrong-node-pass")
            assert "another" not in await answer.text()
    assert two.first.backend.refusals.counts["wrong-node-pass"] == 3
    assert (await two.active.get("/", headers={HEADER: "x"})).status == 403


async def test_a_pass_that_was_seen_on_the_way_opens_nothing(two: Pair) -> None:
    good = written()
    answer = await two.active.get("/api/session", headers={HEADER: good})
    assert (await answer.json())["role"] == "admin"
    again = await two.active.get("/api/session", headers={HEADER: good})
    assert again.status == 403


async def test_a_request_is_passed_on_once_only(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_forwarder, "REQUEST_WAITS", 0.0)
    text = written(to="run of north-2")
    answer = await two.standby.get("/api/session", headers={HEADER: text})
    assert answer.status == 503
    assert two.second.backend.forwarded["passed"] == 0


async def test_a_client_cannot_bring_a_pass_along(two: Pair) -> None:
    """A pass for the active node is none for the standby, which would else repeat it."""
    answer = await two.standby.get("/api/session", headers={HEADER: written()})
    assert answer.status == 403


async def test_limits_and_the_audit_are_about_the_client(two: Pair) -> None:
    two.second.backend.trusted_proxies = lambda: ("127.0.0.1/32",)
    answer = await two.standby.post(
        "/api/agents/alice/sign-in",
        headers={**SUPERVISOR, "X-Forwarded-For": "203.0.113.7"},
    )
    assert answer.status == 200
    [act] = two.acts.all
    assert (act.who, act.via, act.source) == ("crm", ActVia.TOKEN, "203.0.113.7 via north-2")
    wrong = {"Authorization": "Bearer wrong-token-1234", "X-Forwarded-For": "203.0.113.9"}
    await two.standby.get("/api/agents", headers=wrong)
    assert two.acts.all[-1].source == "203.0.113.9 via north-2"


# ---------------------------------------------------------------- the command line's socket


@pytest.fixture
async def at_the_socket(two: Pair, tmp_path: Path) -> AsyncIterator[ClientSession]:
    """The standby's socket, as the daemon serves it."""
    runner = make_runner(two.second.app)
    await runner.setup()
    await web.UnixSite(runner, tmp_path / "s").start()
    async with ClientSession(connector=UnixConnector(str(tmp_path / "s"))) as made:
        yield made
    await runner.cleanup()


async def test_a_user_at_the_standbys_socket_is_one_of_the_active_node(
    two: Pair, at_the_socket: ClientSession
) -> None:
    who = await (await at_the_socket.get("http://callrouter/api/session")).json()
    assert who["role"] == "admin"
    answer = await at_the_socket.post("http://callrouter/api/agents/alice/sign-in", json={})
    assert answer.status == 200
    assert two.first.floor.agents["alice"].signed_in
    [act] = two.acts.all
    assert act.via is ActVia.SOCKET
    assert act.source.startswith("socket uid ")
    assert act.source.endswith(" via north-2")
    async with at_the_socket.ws_connect("http://callrouter/api/live") as ws:
        assert (await ws.receive_json())["type"] == "state"


async def test_no_folder_of_another_machine_is_read(at_the_socket: ClientSession) -> None:
    answer = await at_the_socket.get("http://callrouter/api/config/diff?folder=/etc")
    assert answer.status in {403, 404}
