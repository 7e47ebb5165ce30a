"""`kill -9` of the daemon in every state of an agent, with real phones: the same state after it."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from callrouter.lab import Answer, Dialog, Install, Lab, Refuse, RingOnly, lab
from tests.asterisk.floor import DIALPLAN, MANAGER
from tests.chaos.router import RouterProcess

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120),
]

AGENTS = """\
agents:
  ann:
    devices:
      desk: PJSIP/1001
      mobile: {number: "+447700900123", ring_after: 60s}
  bob: {devices: {mobile: {number: "+447700900456"}}}
pauses:
  tea: {longest: 1h, then: resume}
  short: {longest: 8s, then: sign-out}
"""
QUEUES = """\
queues:
  support: {agents: [ann], on_nobody: wait, ring_for: 60s, wrap_up: 40s}
  road: {agents: [bob], on_nobody: wait, ring_for: 5s, retry_after: 1s}
"""
KEPT = (
    *(
        "state",
        "signed_in",
        "signed_in_at",
        "pause_reason",
        "pending",
        "pending_by",
        "until",
        "then",
    ),
    *("call", "missed_in_a_row", "messages", "since"),
)


@dataclass
class Here:
    """Asterisk with phones, and a daemon that dies and comes back."""

    lab: Lab
    router: RouterProcess

    async def agent(self, name: str = "ann") -> dict[str, Any]:
        found: dict[str, Any] = await self.router.ask(f"agents/{name}")
        return found

    async def do(self, what: str, name: str = "ann", **body: str) -> None:
        await self.router.ask(f"agents/{name}/{what}", body)

    async def until(self, true: Callable[[dict[str, Any]], bool], name: str = "ann") -> None:
        """Wait until something is true of an agent."""
        async with asyncio.timeout(30):
            while not true(await self.agent(name)):  # noqa: ASYNC110 - it is asked for
                await asyncio.sleep(0.05)

    async def becomes(self, state: str, name: str = "ann") -> None:
        await self.until(lambda found: found["state"] == state, name)

    async def saved(self) -> None:
        async with asyncio.timeout(30):
            while True:
                store = (await self.router.ask("status"))["store"]
                if store["state"] == "good" and store["unsaved"] == 0:
                    return
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """`kill -9`, and a new daemon that is in step."""
        await self.saved()
        await self.router.end(signal.SIGKILL)
        await self.router.start()
        await self.router.in_step()

    async def call(self, queue: str = "support") -> Dialog:
        return await self.lab["caller"].call(queue)

    async def talk(self) -> Dialog:
        caller = await self.call()
        await caller.wait_heard("1001", within=10)
        await self.becomes("on-call")
        return caller


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asterisk(install: Install) -> AsyncIterator[Lab]:
    async with lab(install, phones=("1001",), dialplan=DIALPLAN, manager=MANAGER) as made:
        yield made


@asynccontextmanager
async def daemon(made: Lab) -> AsyncIterator[Here]:
    for phone in made.phones.values():
        phone.behaviour = Answer()
        phone.incoming.clear()
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        router = RouterProcess(Path(folder), made.asterisk.ami_port, AGENTS, QUEUES)
        try:
            await router.start()
            await router.in_step()
            here = Here(made, router)
            await here.do("sign-in")
            yield here
        finally:
            await router.end()
            await asyncio.gather(
                *(leg.bye() for phone in made.phones.values() for leg in phone.dialogs),
                return_exceptions=True,
            )
            while await made.asterisk.cli("core show channels concise"):
                await made.asterisk.cli("channel request hangup all")
                await asyncio.sleep(0.1)


async def nothing(_here: Here) -> None:
    """Signed in, and free."""


async def reserved(here: Here) -> None:
    here.lab["1001"].behaviour = Answer(after=60, ring=False)
    await here.call()


async def ringing(here: Here) -> None:
    here.lab["1001"].behaviour = RingOnly()
    await here.call()


async def talk(here: Here) -> None:
    await here.talk()


async def talk_then(here: Here, what: str, **body: str) -> None:
    await here.talk()
    await here.do(what, **body)


async def wrap_up(here: Here) -> None:
    await (await here.talk()).bye()


Scene = Callable[[Here], Awaitable[None]]
STATES: dict[str, tuple[Scene, str]] = {
    "available": (nothing, "available"),
    "signed out": (lambda here: here.do("sign-out"), "offline"),
    "paused": (lambda here: here.do("pause"), "paused"),
    "paused with a longest length": (lambda here: here.do("pause", reason="tea"), "paused"),
    "reserved": (reserved, "reserved"),
    "ringing": (ringing, "ringing"),
    "on a call": (talk, "on-call"),
    "on a call, pause asked for": (
        lambda here: talk_then(here, "pause", reason="tea"),
        "on-call",
    ),
    "on a call, sign-out asked for": (lambda here: talk_then(here, "sign-out"), "on-call"),
    "wrap-up": (wrap_up, "wrap-up"),
}


@pytest.mark.parametrize("name", STATES)
async def test_the_same_state_after_it(asterisk: Lab, name: str) -> None:
    begin, state = STATES[name]
    async with daemon(asterisk) as here:
        await begin(here)
        await here.becomes(state)
        before = await here.agent()
        await here.kill()
        await here.becomes(state)
        after = await here.agent()
        assert {key: after[key] for key in KEPT} == {key: before[key] for key in KEPT}
        if before["call"] is not None:
            [leg] = asterisk["1001"].incoming
            assert leg.state != "ended", "nobody rang it again, nobody cut it off"
        if before["pending"]:
            [leg] = asterisk["1001"].incoming
            await leg.bye()
            await here.becomes("paused" if before["pending"] == "pause" else "offline")


async def test_a_wrap_up_ends_at_the_same_moment(asterisk: Lab) -> None:
    async with daemon(asterisk) as here:
        await wrap_up(here)
        await here.becomes("wrap-up")
        ends = (await here.agent())["until"]
        await here.kill()
        found = await here.agent()
        assert (found["state"], found["until"]) == ("wrap-up", ends)
        await here.do("ready")
        await here.becomes("available")


async def test_a_pause_ends_at_the_same_moment_and_what_comes_then_does(asterisk: Lab) -> None:
    async with daemon(asterisk) as here:
        began = time.monotonic()
        await here.do("pause", reason="short")
        await here.kill()
        await here.becomes("offline")
        assert time.monotonic() - began > 7.5
        assert not (await here.agent())["signed_in"]


async def test_a_phone_that_is_switched_off_stays_so(asterisk: Lab) -> None:
    async with daemon(asterisk) as here:
        await here.router.ask("agents/ann/devices/desk", {"enabled": False}, method="PATCH")
        before = (await here.agent())["devices"]
        assert before[0]["trouble"] == "switched off by chaos"
        await here.kill()
        assert (await here.agent())["devices"] == before


async def test_a_mobile_that_was_twice_not_reached_is_not_rung_by_the_next_daemon(
    asterisk: Lab,
) -> None:
    async with daemon(asterisk) as here:
        carrier = asterisk["carrier"]
        carrier.behaviour = Refuse(480)
        await here.do("sign-in", "bob")
        await here.call("road")
        await here.until(lambda found: len(found["messages"]) == 2, "bob")
        trouble = (await here.agent("bob"))["devices"][0]["trouble"]
        assert trouble.startswith("could not be reached, twice in a row; rung again in")
        await here.kill()
        found = await here.agent("bob")
        assert found["devices"][0]["trouble"].startswith("could not be reached, twice in a row")
        await asyncio.sleep(2.0)  # a caller waits: it would be rung at once
        assert len(carrier.incoming) == 2
