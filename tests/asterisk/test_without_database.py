"""The database is lost while real calls go on: they do, it is said, and what waited is written later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio

from callrouter.lab import Install, Lab, lab
from tests.asterisk.beside import Here, daemon
from tests.asterisk.floor import DIALPLAN, MANAGER
from tests.store.server import PostgresServer, running_server

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]

AGENTS = "agents: {ann: {devices: {desk: PJSIP/1001}}, bob: {devices: {desk: PJSIP/1002}}}\n"
QUEUES = "queues: {support: {agents: {ann: 1, bob: 2}, policy: priority, on_nobody: wait}}\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asterisk(install: Install) -> AsyncIterator[Lab]:
    async with lab(install, phones=("1001", "1002"), dialplan=DIALPLAN, manager=MANAGER) as made:
        yield made


server = pytest.fixture()(running_server)


def held(url: str) -> dict[str, tuple[bool, str | None]]:
    with psycopg.connect(url) as link:
        found = link.execute("SELECT agent, signed_in, pause_reason FROM agents").fetchall()
    return {agent: (on, pause) for agent, on, pause in found}


async def served(here: Here, phone: str) -> None:
    """A call comes in, is talked, and is over."""
    caller = await here.call()
    await caller.wait_heard(phone, within=15)
    await caller.bye()
    await here.becomes("available", "ann" if phone == "1001" else "bob")


async def store(here: Here, state: str, *, unsaved: int | None = None) -> None:
    """Wait until the store is so."""
    async with asyncio.timeout(60):
        while True:
            found = (await here.router.ask("status"))["store"]
            if found["state"] == state and unsaved in {None, found["unsaved"]}:
                return
            await asyncio.sleep(0.1)


async def test_postgresql_is_stopped_and_started_again(
    asterisk: Lab, server: PostgresServer
) -> None:
    url = server.database()
    async with daemon(asterisk, AGENTS, QUEUES, database=url) as here:
        await here.do("sign-in")
        await here.do("sign-in", "bob")
        await served(here, "1001")
        talk = await here.call()
        await talk.wait_heard("1001", within=15)
        await here.saved()
        server.stop()
        await here.do("pause", "bob", reason="tea")
        await store(here, "bad")
        assert (await here.router.health())["store"] == "down"
        metrics = await here.router.metrics()
        assert "callrouter_store_up 0.0" in metrics
        assert 'callrouter_pbx_up{pbx="office"} 1.0' in metrics
        assert "agents' states can't be kept in postgresql:///d1" in here.router.log.read_text()
        # The talk goes on, and so does everything else.
        assert talk.state == "up"
        await talk.bye()
        await here.becomes("available")
        for _ in range(3):
            await served(here, "1001")
        await here.do("pause", reason="lunch")
        await here.do("resume", "bob")
        await served(here, "1002")
        # Of each agent the latest, here and there on its way.
        assert 0 < (await here.router.ask("status"))["store"]["unsaved"] <= 6
        server.start()
        await store(here, "good", unsaved=0)
        assert "agents' states are kept again" in here.router.log.read_text()
        assert "callrouter_store_up 1.0" in await here.router.metrics()
        assert held(url) == {"ann": (True, "lunch"), "bob": (True, None)}
        await here.kill()
        assert (await here.agent())["pause_reason"] == "lunch"
        await here.becomes("available", "bob")
        await served(here, "1002")
