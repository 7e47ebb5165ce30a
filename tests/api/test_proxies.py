"""Behind proxies that are trusted, a client counts with its own address; no other header is believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.access.proxies import client_of, networks
from callrouter.settings.diff.settings_diff import changes
from tests.api.test_sessions import PASSWORD, log_in, made
from tests.api.world import World
from tests.settings.cases import loaded, told

TRUSTED = networks(("127.0.0.1/32", "10.0.0.0/24", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "told_", "client"),
    [
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "203.0.113.7, 10.0.0.9", "203.0.113.7"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.7, 10.0.0.9", "203.0.113.7"),
        ("127.0.0.1", "6.6.6.6,203.0.113.7", "203.0.113.7"),
        ("203.0.113.7", "6.6.6.6", "203.0.113.7"),
        ("::ffff:127.0.0.1", "203.0.113.7:5123", "203.0.113.7"),
        ("127.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7, unknown", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("127.0.0.1", ", ".join(["6.6.6.6"] + ["10.0.0.1"] * 50), "10.0.0.1"),
        ("odd", "6.6.6.6", "odd"),
    ],
)
def test_who_the_client_is(peer: str, told_: str, client: str) -> None:
    assert client_of(peer, told_.split(","), TRUSTED) == client


@pytest.mark.parametrize(
    ("trusted", "seen"), [((), "127.0.0.1"), (("127.0.0.0/8",), "203.0.113.7")]
)
async def test_sessions_lockouts_and_the_rest(
    tmp_path: Path, trusted: tuple[str, ...], seen: str
) -> None:
    world = World(settings=made(tmp_path))
    world.backend.trusted_proxies = lambda: trusted
    async with TestClient(TestServer(world.app)) as client:
        for _ in range(5):
            await log_in(client, "sam", "wrong", **{"X-Forwarded-For": "198.51.100.1"})
        answer = await log_in(client, "sam", PASSWORD, **{"X-Forwarded-For": "203.0.113.7"})
        assert answer.status == (200 if trusted else 429), (
            "another client of the proxy is not locked"
        )
        if trusted:
            [session] = world.sessions.of("sam")
            assert session.address == seen
            async with client.ws_connect(
                "/api/live",
                headers={"Authorization": "Bearer admin-token-123456", "X-Forwarded-For": seen},
            ) as ws:
                assert (await ws.receive_json(timeout=5))["type"] == "state"
    world.close()


def test_the_files(tmp_path: Path) -> None:
    text = "http: {trusted_proxies: [%s]}\n"
    one = loaded(tmp_path, rest=text % "10.0.0.7, 10.0.0.7/32, 10.1.2.3/24")
    assert one.http.trusted_proxies == ("10.0.0.7/32", "10.1.2.0/24")
    other = loaded(tmp_path, rest=text % "")
    assert changes(one, other) == ["http: trusted_proxies 10.0.0.7/32, 10.1.2.0/24 -> none"]
    [said] = told(tmp_path, rest=text % "proxy.example")
    assert "'proxy.example' is neither an address nor a network" in said


def test_the_daemon_asks_the_settings_in_force() -> None:
    """A reload counts: the networks are looked up for each request."""
    found: Callable[..., object] = networks
    assert found(("10.0.0.0/24",)) is found(("10.0.0.0/24",)), "and parsed once"
