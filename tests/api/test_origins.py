"""Which pages a browser may let open the live view, and what the others are told."""

from __future__ import annotations

import pytest
from aiohttp import WSServerHandshakeError

from tests.api.world import Client, World

SITE = "https://calls.example.com"


@pytest.mark.parametrize(
    ("public_url", "origin", "host", "allowed"),
    [
        ("", "http://calls.lan:8080", "calls.lan:8080", True),
        ("", "https://calls.lan", "calls.lan", True),
        ("", "http://calls.lan", "calls.lan:80", True),
        ("", "http://CALLS.lan", "calls.LAN", True),
        ("", "https://evil.example", "calls.lan", False),
        ("", "null", "calls.lan", False),
        ("", "http://[x", "calls.lan", False),
        ("", "file://", "", False),
        ("", "http://calls.lan:99999", "calls.lan:99999", False),
        (SITE, SITE, "127.0.0.1:8080", True),
        (SITE, f"{SITE}:443", "127.0.0.1:8080", True),
        (SITE + "/acd", SITE, "proxy", True),
        (SITE, "http://calls.example.com", "127.0.0.1:8080", False),
        (SITE, "http://10.0.0.5:8080", "10.0.0.5:8080", True),
        (SITE, "http://[::1]:8080", "[::1]:8080", True),
        (SITE, "http://localhost:8080", "localhost:8080", True),
        (SITE, "https://evil.example", "evil.example", False),
        (SITE, "https://calls.example.com.evil.example", "calls.example.com", False),
        (SITE, "http://10.0.0.6:8080", "10.0.0.5:8080", False),
    ],
)
async def test_the_live_view_opens_for_our_own_pages(
    client: Client, world: World, public_url: str, origin: str, host: str, *, allowed: bool
) -> None:
    world.backend.public_url = lambda: public_url
    headers = {"Origin": origin, "Host": host}
    if allowed:
        async with client.ws_connect("/api/live", headers=headers) as ws:
            assert (await ws.receive_json())["type"] == "state"
        return
    with pytest.raises(WSServerHandshakeError) as caught:
        await client.ws_connect("/api/live", headers=headers)
    assert caught.value.status == 403


async def test_a_refusal_names_what_came_and_what_would_allow_it(
    client: Client, world: World
) -> None:
    headers = {"Origin": SITE, "Host": "127.0.0.1:8080"}
    problem = await (await client.get("/api/live", headers=headers)).json()
    assert problem["type"] == "urn:callrouter:problem:wrong-origin"
    assert problem["detail"] == (
        f"Origin is {SITE}, Host is 127.0.0.1:8080, and they must be of one site: set "
        "http.public_url in callrouter.yaml to the address that browsers show, or have the proxy "
        "pass Host on"
    )
    world.backend.public_url = lambda: "https://other.example.com"
    problem = await (await client.get("/api/live", headers=headers)).json()
    assert "and http.public_url is https://other.example.com:" in problem["detail"]


async def test_long_and_unprintable_headers_are_shown_in_part(client: Client) -> None:
    headers = {"Origin": "https://" + "e" * 5000, "Host": "x"}
    problem = await (await client.get("/api/live", headers=headers)).json()
    assert len(problem["detail"]) < 400
