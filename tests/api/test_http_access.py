"""Who is let in, what bodies are taken, and how errors look."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.access import auth
from callrouter.api.server.app import open_tcp
from callrouter.api.server.sockets import CannotListen, listen_tcp
from callrouter.model.events import PbxSnapshot
from callrouter.settings import HttpSettings
from tests.api.world import READER, SUPERVISOR, Client, World
from tests.daemon.process import free_port


async def test_healthz_needs_no_token(stranger: Client, world: World) -> None:
    answer = await stranger.get("/healthz")
    assert (answer.status, (await answer.json())["pbx"]) == (503, {"office": "down"})
    world.in_step()
    answer = await stranger.get("/healthz")
    assert (answer.status, (await answer.json())["pbx"]) == (200, {"office": "up"})
    world.pbx.up = False
    assert (await stranger.get("/healthz")).status == 503


async def test_one_pbx_of_two_that_is_away_takes_nothing_out_of_service(
    stranger: Client, world: World
) -> None:
    """A probe that restarted the daemon would take the good one's state along."""
    both = {"north": world.pbx.health(), "south": world.pbx.health()}
    world.backend.health = lambda: both
    for up, state, status, strict in (
        ((), "down", 503, 503),
        (("north",), "degraded", 200, 503),
        (("north", "south"), "up", 200, 200),
    ):
        for name in up:
            world.runtime.post(PbxSnapshot(pbx=name, endpoints={}))
        answer = await stranger.get("/healthz")
        assert (answer.status, (await answer.json())["state"]) == (status, state)
        answer = await stranger.get("/healthz?strict")
        assert (answer.status, (await answer.json())["state"]) == (strict, state)
    world.backend.extra = {"store": lambda: {"state": "bad"}}
    answer = await stranger.get("/healthz?strict=1")
    assert (answer.status, await answer.json()) == (
        200,
        {"state": "degraded", "pbx": {"north": "up", "south": "up"}, "store": "down"},
    )


async def test_without_any_pbx_there_is_nothing_to_be_down(stranger: Client, world: World) -> None:
    world.backend.health = dict
    answer = await stranger.get("/healthz")
    assert (answer.status, await answer.json()) == (200, {"state": "up", "pbx": {}})


async def test_healthz_tells_a_stranger_no_version(stranger: Client, client: Client) -> None:
    assert (await (await stranger.get("/healthz")).json()).keys() == {"state", "pbx"}
    wrong = {"Authorization": "Bearer wrong"}
    assert (await (await stranger.get("/healthz", headers=wrong)).json()).keys() == {"state", "pbx"}
    known = await (await client.get("/healthz")).json()
    assert known.keys() == {"state", "pbx", "drift", "version"}


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic supervisor-token-1", "Bearer \x80"],
)
async def test_without_a_known_token(stranger: Client, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await stranger.get("/api/agents", headers=headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await answer.json())["type"] == "urn:callrouter:problem:unauthorized"


async def test_even_what_is_not_there_needs_a_token(stranger: Client) -> None:
    assert (await stranger.get("/api/nothing")).status == 401


async def test_without_any_token_configured() -> None:
    world = World(tokens=())
    async with TestClient(TestServer(world.app)) as client:
        answer = await client.get("/api/agents", headers=SUPERVISOR)
        assert answer.status == 401
        assert "http.api_tokens in callrouter.yaml" in (await answer.json())["detail"]
    world.close()


async def test_an_agents_token_reads_only(stranger: Client, world: World) -> None:
    world.arrive("c1")
    assert (await stranger.get("/api/agents", headers=READER)).status == 200
    for method, path in (
        ("POST", "agents/bob/sign-in"),
        ("POST", "calls/c1/move"),
        ("DELETE", "calls/c1"),
    ):
        answer = await stranger.request(method, f"/api/{path}", headers=READER)
        assert answer.status == 403
    assert not world.floor.agents["bob"].signed_in


async def test_tokens_can_be_changed(stranger: Client, world: World) -> None:
    world.app[auth.API_TOKENS].use(())
    assert (await stranger.get("/api/agents", headers=SUPERVISOR)).status == 401


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"{", 400, "not-json"),
        (b"\xff\xfe", 400, "not-json"),
        (b'{"reason": NaN}', 400, "not-json"),
        (b"[" * 30_000, 400, "not-json"),
        (b"[]", 422, "wrong-body"),
        (b'"lunch"', 422, "wrong-body"),
        (b'{"reason": 5}', 422, "wrong-type"),
        (b'{"reason": null}', 422, "wrong-type"),
        (b'{"reason": "a\\nb"}', 422, "wrong-text"),
        (b'{"reason": "%s"}' % (b"x" * 201), 422, "wrong-text"),
        (b'{"raison": "x"}', 422, "unknown-field"),
        (b'{"reason": "%s"}' % (b"x" * 70_000), 413, "too-large"),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_bodies_that_are_not_taken(
    client: Client, world: World, body: bytes, status: int, kind: str
) -> None:
    world.sign_in("bob")
    answer = await client.post("/api/agents/bob/pause", data=body)
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    problem = await answer.json()
    assert problem["type"] == f"urn:callrouter:problem:{kind}"
    assert problem["status"] == status
    assert world.floor.agents["bob"].pause is None


async def test_a_long_body_without_a_length(client: Client, world: World) -> None:
    async def endless() -> object:
        for _ in range(100):
            yield b" " * 1024

    world.sign_in("bob")
    answer = await client.post("/api/agents/bob/pause", data=endless())
    assert answer.status == 413


async def test_actions_without_reason_take_no_fields(client: Client) -> None:
    answer = await client.post("/api/agents/bob/sign-in", json={"reason": "x"})
    assert answer.status == 422


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/api/nothing", 404, "unknown-path"),
        ("GET", "/nothing", 404, "unknown-path"),
        ("DELETE", "/api/agents/bob", 405, "method-not-allowed"),
        ("GET", "/api/live", 426, "websocket-only"),
    ],
)
async def test_wrong_doors(client: Client, method: str, path: str, status: int, kind: str) -> None:
    answer = await client.request(method, path)
    assert answer.status == status
    assert (await answer.json())["type"] == f"urn:callrouter:problem:{kind}"


async def test_a_fault_of_ours_tells_nothing(
    client: Client, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.backend.health = lambda: 1 / 0  # type: ignore[assignment, return-value]
    answer = await client.get("/healthz")
    assert answer.status == 500
    assert "ZeroDivision" not in await answer.text()
    assert "ZeroDivision" in caplog.text


async def test_status(client: Client, world: World) -> None:
    world.clock.at += 12
    view = await (await client.get("/api/status")).json()
    assert view["uptime_s"] == 12.0
    assert (
        view["pbx"]["office"].items()
        >= {
            "state": "down",
            "detail": "Asterisk at 127.0.0.1:5038",
            "drift": 0,
        }.items()
    )
    assert view["config"]["state"] == "good"
    assert view["agents"]["offline"] == 3
    assert view["calls"] == {"waiting": 0, "connecting": 0, "talking": 0}


async def test_over_the_unix_socket_we_are_trusted(world: World, tmp_path: Path) -> None:
    runner = web.AppRunner(world.app)
    await runner.setup()
    path = str(tmp_path / "s")
    await web.UnixSite(runner, path).start()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session:
        answer = await session.post("http://callrouter/api/agents/bob/sign-in")
        assert answer.status == 200
    await runner.cleanup()


async def test_someone_elses_user_is_not_trusted(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = web.AppRunner(world.app)
    await runner.setup()
    path = str(tmp_path / "s")
    await web.UnixSite(runner, path).start()

    class Other:
        family = socket.AF_UNIX

        def getsockopt(self, *_: int) -> bytes:
            return auth._CREDENTIALS.pack(1, 12345, 12345)

    monkeypatch.setattr(
        web.Request, "transport", property(lambda _: _Transport(Other())), raising=True
    )
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session:
        answer = await session.get("http://callrouter/api/agents")
        assert answer.status == 403
    await runner.cleanup()


class _Transport:
    def __init__(self, sock: object) -> None:
        self.sock = sock

    def get_extra_info(self, name: str) -> object:
        return self.sock if name == "socket" else None


async def test_a_port_in_use_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen) as caught:
            await listen_tcp(HttpSettings(host="127.0.0.1", port=port))
    assert str(caught.value) == (
        f"127.0.0.1:{port} is in use: set http.listen in callrouter.yaml or stop what uses it"
    )


@pytest.mark.parametrize("host", ["nowhere.invalid", "x" * 70 + ".invalid"])
async def test_a_host_that_is_none(host: str) -> None:
    with pytest.raises(CannotListen, match=r"cannot listen on .*: set http\.listen"):
        await listen_tcp(HttpSettings(host=host, port=1))


async def test_who_connects_before_there_is_a_server_waits_in_line(world: World) -> None:
    listening = await listen_tcp(HttpSettings(host="localhost", port=free_port()))
    async with aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.get(f"{listening.url}/healthz"))
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname()[:2])
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        runner = web.AppRunner(world.app)
        await runner.setup()
        await open_tcp(runner, listening)
        assert (await reader.readline()).startswith(b"HTTP/1.1 503")
        async with await asking as answer:
            assert answer.status == 503
        writer.close()
    await runner.cleanup()
    listening.close()


async def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    bad = tmp_path / "cert.pem"
    bad.write_text("no")
    with pytest.raises(CannotListen, match=r"http\.tls"):
        await listen_tcp(HttpSettings(port=1, certificate=bad, key=bad))
