"""People log in at the page: by name and password, with a cookie that only our page can use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientResponse, DummyCookieJar, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from callrouter.api.access import logins, sessions
from callrouter.api.access.sessions import COOKIE
from callrouter.api.live import REVOKED
from callrouter.settings import Settings
from tests.api.world import SUPERVISOR, Client, World
from tests.settings.cases import loaded

HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
PIN = "271828"
AGENTS = """
agents:
  alice: {{name: Alice Martin, pin: "{pin}", devices: {{desk: PJSIP/1001}}}}
  bob: {{password: "{password}", pin: "{pin}", devices: {{desk: PJSIP/1002}}}}
  front: {{devices: {{desk: PJSIP/1003}}}}
queues:
  support: {{agents: [alice, bob]}}
  sales: {{agents: [bob]}}
"""
USERS = """
users:
  sam: {{role: supervisor, queues: [sales], password: "{password}"}}
  ada: {{role: admin, password: "{password}"}}
"""


def made(folder: Path, password: str = PASSWORD, users: str = USERS) -> Settings:
    hashes = {"password": HASHER.hash(password), "pin": HASHER.hash(PIN)}
    return loaded(folder, agents=AGENTS.format(**hashes), queues=users.format(**hashes))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(settings=made(tmp_path))


@pytest_asyncio.fixture
async def browser(world: World) -> AsyncIterator[Client]:
    """A client without a token, which keeps no cookie by itself."""
    async with TestClient(TestServer(world.app), cookie_jar=DummyCookieJar()) as made:
        yield made
    world.close()


def origin(client: Client) -> str:
    return f"http://{client.host}:{client.port}"


async def log_in(
    client: Client, user: str = "sam", password: str = PASSWORD, **headers: str
) -> ClientResponse:
    body = {"user": user, "password": password}
    return await client.post(
        "/api/session", json=body, headers={"Origin": origin(client)} | headers
    )


class Person:
    """Someone who is logged in."""

    def __init__(self, client: Client, secret: str, view: dict[str, Any]) -> None:
        self.client, self.secret, self.view = client, secret, view

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self.secret}"}

    async def ask(self, method: str, path: str, json: Any = None) -> ClientResponse:
        headers = self.cookie | {"Origin": origin(self.client)}
        if method != "GET":
            headers["X-CSRF-Token"] = self.view["csrf_token"]
        return await self.client.request(method, path, json=json, headers=headers)


async def person(client: Client, user: str = "sam", password: str = PASSWORD) -> Person:
    answer = await log_in(client, user, password)
    assert answer.status == 200, await answer.text()
    return Person(client, answer.cookies[COOKIE].value, await answer.json())


async def problem(answer: ClientResponse) -> tuple[int, str]:
    return answer.status, (await answer.json())["type"].rpartition(":")[2]


async def test_a_cookie_that_no_script_and_no_other_site_can_use(browser: Client) -> None:
    answer = await log_in(browser)
    cookie = answer.cookies[COOKIE]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert (cookie["path"], cookie["domain"]) == ("/", ""), "what __Host- asks for (RFC 6265bis)"
    assert len(cookie.value) >= 43, "256 bits"
    assert cookie.value not in await answer.text()


@pytest.mark.parametrize(
    ("user", "password", "role", "agent", "queues"),
    [
        ("sam", PASSWORD, "supervisor", None, ["sales"]),
        ("Ada ", PASSWORD, "admin", None, []),
        ("alice", PIN, "agent", "alice", []),
        ("1002", PIN, "agent", "bob", []),
        ("bob", PASSWORD, "agent", "bob", []),
    ],
)
async def test_who_logs_in(
    browser: Client, user: str, password: str, role: str, agent: str | None, queues: list[str]
) -> None:
    one = await person(browser, user, password)
    assert (one.view["role"], one.view["agent"], one.view["queues"]) == (role, agent, queues)
    again = await (await one.ask("GET", "/api/session")).json()
    assert again == one.view


async def test_rights_are_those_of_a_token_of_the_role(browser: Client, world: World) -> None:
    world.in_step()
    sam, alice = await person(browser), await person(browser, "alice", PIN)
    queues = await (await sam.ask("GET", "/api/queues")).json()
    assert [queue["id"] for queue in queues] == ["sales"]
    assert (await sam.ask("GET", "/api/queues/support")).status == 403
    assert (await alice.ask("POST", "/api/agents/bob/sign-in", {})).status == 403
    answer = await alice.ask("POST", "/api/agents/alice/sign-in", {})
    assert answer.status == 200
    view = await answer.json()
    assert (view["state"], view["by"]) == ("available", "alice")


async def test_a_change_needs_the_token_of_the_page_and_its_origin(
    browser: Client, world: World
) -> None:
    world.in_step()
    alice = await person(browser, "alice", PIN)
    path, ours = "/api/agents/alice/sign-in", {"Origin": origin(browser)}
    csrf = {"X-CSRF-Token": alice.view["csrf_token"]}
    for headers, kind in (
        ({}, "no-csrf-token"),
        (ours, "no-csrf-token"),
        (ours | {"X-CSRF-Token": "0" * 64}, "no-csrf-token"),
        (ours | {"X-CSRF-Token": "\u00e9"}, "no-csrf-token"),
        (csrf | {"Origin": "https://evil.example"}, "wrong-origin"),
    ):
        answer = await browser.post(path, json={}, headers=alice.cookie | headers)
        assert await problem(answer) == (403, kind), headers
    assert (await browser.post(path, json={}, headers=alice.cookie | ours | csrf)).status == 200


async def test_another_sites_page_cannot_log_anyone_in(browser: Client) -> None:
    answer = await log_in(browser, Origin="https://evil.example")
    assert await problem(answer) == (403, "wrong-origin")


async def test_wrong_and_unknown_look_alike(
    browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = set()
    for user in ("sam", "nosuch", "front", "hunter-three", ""):
        answer = await log_in(browser, user or "x", "hunter-two")
        assert answer.status == 401
        assert COOKIE not in answer.cookies
        texts.add(await answer.text())
    assert len(texts) == 1
    assert "hunter-t" not in caplog.text, "neither a password nor one in the field of the name"
    assert "wrong password for sam from 127.0.0.1" in caplog.text


@pytest.mark.parametrize("user", ["sam", "alice", "bob", "front", "nosuch"])
async def test_every_name_costs_the_same_work(
    browser: Client, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """bob has a password and a PIN, sam and alice have one of them, the others have neither."""
    verified: list[str] = []

    def no(digest: str, _password: str) -> bool:
        verified.append(digest)
        return False

    monkeypatch.setattr(logins, "pin_matches", no)
    assert (await log_in(browser, user, "wrong")).status == 401
    assert len(verified) == 2


async def test_wrong_passwords_lock_the_name_where_they_come_from(
    browser: Client, world: World
) -> None:
    for _ in range(logins.MOST_HERE):
        assert (await log_in(browser, password="wrong")).status == 401
    locked = await log_in(browser)
    assert await problem(locked) == (429, "locked")
    assert int(locked.headers["Retry-After"]) > 800
    assert (await log_in(browser, "ada")).status == 200, "others log in from there"
    world.clock.at += 901
    assert (await log_in(browser)).status == 200


async def test_an_unknown_name_is_locked_like_a_known_one(browser: Client) -> None:
    for _ in range(logins.MOST_HERE):
        await log_in(browser, "nosuch", "wrong")
    assert await problem(await log_in(browser, "nosuch", "wrong")) == (429, "locked")


async def test_no_name_is_the_key_of_another_lock(world: World) -> None:
    """A stranger who knows how keys are made must not lock a person out by a name of that form."""
    for _ in range(logins.MOST_OF_NAME):
        with pytest.raises(Exception, match=r"is wrong|too many"):
            await world.logins.check("sam from 10.0.0.1", "wrong", "10.9.9.9")
        world.clock.at += 200
    assert (await world.logins.check("sam", PASSWORD, "10.0.0.1")).id == "sam"


async def test_many_at_once_get_no_more_tries(browser: Client) -> None:
    answers = await asyncio.gather(*(log_in(browser, password="wrong") for _ in range(15)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [401] * logins.MOST_HERE + [429] * (15 - logins.MOST_HERE)


async def test_what_a_log_in_may_send(browser: Client) -> None:
    headers = {"Origin": origin(browser)}
    for body, status in (
        (b"{}", 422),
        (b'{"user": "sam"}', 422),
        (b'{"user": "sam", "password": ""}', 422),
        (b'{"user": ["sam"], "password": "x"}', 422),
        (b'{"user": "sam", "password": "x", "role": "admin"}', 422),
        (b"user=sam", 400),
        (b'{"user": "' + b"x" * 3000 + b'"}', 413),
    ):
        answer = await browser.post("/api/session", data=body, headers=headers)
        assert answer.status == status, body

    async def drip() -> AsyncIterator[bytes]:
        yield b'{"user": "sam",'

    answer = await browser.post("/api/session", data=drip(), headers=headers)
    assert await problem(answer) == (411, "no-length")


async def test_logging_out_ends_it(browser: Client) -> None:
    sam = await person(browser)
    assert (await sam.ask("DELETE", "/api/session", {})).status == 204
    assert await problem(await sam.ask("GET", "/api/session")) == (401, "no-session")


async def test_a_token_has_no_session(browser: Client) -> None:
    who = await (await browser.get("/api/session", headers=SUPERVISOR)).json()
    assert (who["user"], who["session"], who["csrf_token"]) == ("crm", None, None)
    answer = await browser.delete("/api/session", headers=SUPERVISOR)
    assert await problem(answer) == (409, "no-session")


async def test_own_sessions_are_listed_and_revoked(browser: Client) -> None:
    first, second = await person(browser), await person(browser)
    ada, alice = await person(browser, "ada"), await person(browser, "alice", PIN)
    listed = await (await second.ask("GET", "/api/sessions")).json()
    assert {item["id"] for item in listed} == {first.view["session"], second.view["session"]}
    assert [item["current"] for item in listed if item["id"] == second.view["session"]] == [True]
    assert len(await (await ada.ask("GET", "/api/sessions")).json()) == 4
    other = f"/api/sessions/{first.view['session']}"
    for method in ("GET", "DELETE"):
        assert await problem(await alice.ask(method, other, None if method == "GET" else {})) == (
            404,
            "unknown-session",
        )
    assert (await second.ask("GET", other)).status == 200
    assert (await second.ask("DELETE", other, {})).status == 204
    assert (await first.ask("GET", "/api/session")).status == 401
    assert (await ada.ask("DELETE", f"/api/sessions/{alice.view['session']}", {})).status == 204
    assert (await alice.ask("GET", "/api/session")).status == 401


async def test_an_ended_session_closes_its_live_views(browser: Client, world: World) -> None:
    sam = await person(browser)
    headers = sam.cookie | {"Origin": origin(browser)}
    async with browser.ws_connect("/api/live", headers=headers) as ws:
        assert (await ws.receive_json(timeout=5))["type"] == "state"
        world.sessions.end(sam.view["session"])
        await ws.receive(timeout=5)
        assert ws.close_code == REVOKED


async def test_a_websocket_needs_an_origin(browser: Client) -> None:
    sam = await person(browser)
    for headers in ({}, {"Origin": "https://evil.example"}):
        with pytest.raises(WSServerHandshakeError) as caught:
            await browser.ws_connect("/api/live", headers=sam.cookie | headers)
        assert caught.value.status == 403


async def test_a_changed_password_ends_the_sessions_before_it(
    browser: Client, world: World, tmp_path: Path
) -> None:
    sam, alice = await person(browser), await person(browser, "alice", PIN)
    world.sessions.use(made(tmp_path, "a new password"))
    assert (await sam.ask("GET", "/api/session")).status == 401
    assert (await alice.ask("GET", "/api/session")).status == 401, "its hash is a new one too"
    assert (await log_in(browser)).status == 401
    assert (await log_in(browser, password="a new password")).status == 200


async def test_a_role_that_is_taken_away_is_gone_at_once(
    browser: Client, world: World, tmp_path: Path
) -> None:
    settings = made(tmp_path)
    world.sessions.use(settings)
    ada = await person(browser, "ada")
    assert (await ada.ask("GET", "/api/queues/support")).status == 200
    user = settings.users["ada"]
    less = replace(user, role="supervisor", queues=("sales",))
    world.sessions.use(replace(settings, users={**settings.users, "ada": less}))
    assert (await ada.ask("GET", "/api/queues/support")).status == 403


async def test_sessions_end_after_a_time(browser: Client, world: World) -> None:
    sam = await person(browser)
    for _ in range(14):
        world.clock.at += sessions.IDLE - 60
        assert (await sam.ask("GET", "/api/session")).status == 200
    world.clock.at += sessions.IDLE - 60
    assert (await sam.ask("GET", "/api/session")).status == 401, "a week"
    sam = await person(browser)
    world.clock.at += sessions.IDLE + 1
    assert (await sam.ask("GET", "/api/session")).status == 401, "a night"


async def test_the_eleventh_session_ends_the_one_idle_for_longest(browser: Client) -> None:
    first, *others = [await person(browser) for _ in range(sessions.MOST_OF_ONE + 1)]
    assert (await first.ask("GET", "/api/session")).status == 401
    assert (await others[0].ask("GET", "/api/session")).status == 200


async def test_a_restart_logs_no_one_out_and_restores_no_one_who_is_gone(
    world: World, tmp_path: Path
) -> None:
    stored: dict[str, Any] = {}
    people = world.people
    before = sessions.Sessions(people, world.clock, put=lambda row: stored.update({row.id: row}))
    sam = people.of("sam")
    ada = people.of("ada")
    assert sam is not None
    assert ada is not None
    kept, gone = before.begin(sam, "10.0.0.1", "Firefox\n1"), before.begin(ada, "10.0.0.2", "x")
    assert kept.row.program == "Firefox\ufffd1"
    assert kept.secret not in repr(stored)
    no_ada = made(tmp_path, users=USERS.partition("  ada:")[0])
    people.use(replace(no_ada, users={"sam": replace(no_ada.users["sam"], password=sam.hashes[0])}))
    forgotten: list[str] = []
    after = sessions.Sessions(people, world.clock, forget=forgotten.append)
    after.restore(stored.values())
    caller = after.caller(kept.secret)
    assert caller is not None
    assert (caller.name, caller.role, caller.queues) == ("sam", "supervisor", ("sales",))
    assert after.caller(gone.secret) is None
    assert forgotten == [gone.row.id]


async def test_a_forged_cookie_lets_no_one_in(browser: Client) -> None:
    for value in ("", "x", "0" * 64, "\u00e9", '"; ' + COOKIE, "a" * 3000):
        answer = await browser.get(
            "/api/agents", headers={"Cookie": f"{COOKIE}={value}".encode().decode("latin-1")}
        )
        assert answer.status == 401, value
