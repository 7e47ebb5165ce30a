"""`kill -9` of the daemon in every state of an agent, with real phones: the same state after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from callrouter.lab import Answer, Install, Lab, Refuse, RingOnly, lab
from tests.asterisk.beside import Here, daemon
from tests.asterisk.floor import DIALPLAN, MANAGER

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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asterisk(install: Install) -> AsyncIterator[Lab]:
    async with lab(install, phones=("1001",), dialplan=DIALPLAN, manager=MANAGER) as made:
        yield made


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
    async with daemon(asterisk, AGENTS, QUEUES) as here:
        await here.do("sign-in")
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
    async with daemon(asterisk, AGENTS, QUEUES) as here:
        await here.do("sign-in")
        await wrap_up(here)
        await here.becomes("wrap-up")
        ends = (await here.agent())["until"]
        await here.kill()
        found = await here.agent()
        assert (found["state"], found["until"]) == ("wrap-up", ends)
        await here.do("ready")
        await here.becomes("available")


async def test_a_pause_ends_at_the_same_moment_and_what_comes_then_does(asterisk: Lab) -> None:
    async with daemon(asterisk, AGENTS, QUEUES) as here:
        await here.do("sign-in")
        began = time.monotonic()
        await here.do("pause", reason="short")
        await here.kill()
        await here.becomes("offline")
        assert time.monotonic() - began > 7.5
        assert not (await here.agent())["signed_in"]


async def test_a_phone_that_is_switched_off_stays_so(asterisk: Lab) -> None:
    async with daemon(asterisk, AGENTS, QUEUES) as here:
        await here.do("sign-in")
        await here.router.ask("agents/ann/devices/desk", {"enabled": False}, method="PATCH")
        before = (await here.agent())["devices"]
        assert before[0]["trouble"] == "switched off by chaos"
        await here.kill()
        assert (await here.agent())["devices"] == before


async def test_a_mobile_that_was_twice_not_reached_is_not_rung_by_the_next_daemon(
    asterisk: Lab,
) -> None:
    async with daemon(asterisk, AGENTS, QUEUES) as here:
        await here.do("sign-in")
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
