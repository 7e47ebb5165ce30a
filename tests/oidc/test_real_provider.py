"""A person logs in through a real provider, which is a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import pytest_asyncio
from aiohttp import ClientSession, CookieJar, DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.access.sessions import COOKIE
from callrouter.api.oidc.oidc_logins import COOKIE_FOR_LOG_IN
from callrouter.clock import SystemClock
from tests.api.oidc_provider import CLIENT, SECRET
from tests.api.test_oidc import HTTP, PEOPLE, SITE, OidcWorld, said
from tests.api.test_sessions import HASHER, PASSWORD
from tests.api.world import Client
from tests.daemon.process import free_port
from tests.oidc import node_provider
from tests.settings.cases import loaded

pytestmark = pytest.mark.skipif(bool(node_provider.missing()), reason=node_provider.missing())


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[str]:
    port = free_port()
    words = ("node", "provider.mjs", str(port), SITE, SECRET)
    process = await asyncio.create_subprocess_exec(
        *words, cwd=node_provider.folder(), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"ready\n"
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    await process.wait()


@pytest_asyncio.fixture
async def client(issuer: str, tmp_path: Path) -> AsyncIterator[Client]:
    http = HTTP.format(site=SITE, issuer=issuer, client=CLIENT, secret=SECRET)
    people = PEOPLE.format(password=HASHER.hash(PASSWORD))
    world = OidcWorld(loaded(tmp_path, agents=people, rest=http, queues=""))
    world.clock.at = SystemClock().now()
    async with TestClient(TestServer(world.app), cookie_jar=DummyCookieJar()) as made:
        yield made
    world.close()


async def test_a_person_logs_in(client: Client, issuer: str) -> None:
    """The address is told at the userinfo endpoint, and ``iss`` is in the answer."""
    begun = await client.get("/api/oidc/log-in", allow_redirects=False)
    cookie = {"Cookie": f"{COOKIE_FOR_LOG_IN}={begun.cookies[COOKIE_FOR_LOG_IN].value}"}
    url = begun.headers["Location"]
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as browser:
        for _ in range(5):
            async with browser.get(url, allow_redirects=False) as answer:
                assert answer.status in {302, 303}, await answer.text()
                url = urljoin(url, answer.headers["Location"])
            if url.startswith(SITE):
                break
    back = url.removeprefix(SITE)
    assert "&iss=http" in back
    done = await client.get(back, headers=cookie, allow_redirects=False)
    assert done.headers["Location"] == "/"
    headers = {"Cookie": f"{COOKIE}={done.cookies[COOKIE].value}"}
    session = await (await client.get("/api/session", headers=headers)).json()
    assert (session["user"], session["role"]) == ("sam", "supervisor")
    again = await client.get(back, headers=cookie, allow_redirects=False)
    assert said(again) == "expired"
    out = await client.get("/api/oidc/log-out", allow_redirects=False)
    assert out.headers["Location"].startswith(f"{issuer}/session/end?client_id={CLIENT}&")
