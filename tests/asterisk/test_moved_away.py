"""Another program takes a caller out of the queue: it is never undone, and what was not done is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.call_notices import CallMovedAway, ConversationStarted
from callrouter.model.routing_table import ToDialplan
from tests.asterisk.floor import DIALPLAN, Dialog, Floor, RingOnly, queue, staff, stage, tell

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

ELSEWHERE = """
[elsewhere]
exten => s,1,Set(GLOBAL(ELSEWHERE)=$[0${GLOBAL(ELSEWHERE)} + 1])
 same => n(stay),Wait(60)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(install, 2, dialplan=DIALPLAN + ELSEWHERE) as made:
        yield made


async def waits(here: Floor, **rules: object) -> tuple[Dialog, Dialog]:
    """A caller waits, and a1's phone rings."""
    await here.fresh(*staff(1), queues=[queue("support", ["a1"], **rules)])
    here.phone("1001").behaviour = RingOnly()
    caller = await here.call()
    leg = await here.phone("1001").wait_incoming()
    await here.until(lambda: here.state("a1") == "ringing")
    return caller, leg


async def channel(here: Floor) -> str:
    """The caller's channel."""
    return next(line.partition("!")[0] for line in await here.channels() if "/caller-" in line)


async def place(here: Floor) -> tuple[str, str]:
    """The context and the application in which the caller is."""
    line = next(line for line in await here.channels() if "/caller-" in line)
    _, context, _, _, _, application, *_ = line.split("!")
    return context, application


class Other:
    """Another program on the manager interface, which is logged in already: it loses no time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def come(cls, port: int) -> Other:
        """Log in as the second user."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        other = cls(reader, writer)
        answer = await other.does(Action="Login", Username="second", Secret="second", Events="off")
        assert "Success" in answer, answer
        return other

    async def does(self, **headers: str) -> str:
        """Send an action; its answer."""
        await self.sends(**headers, ActionID="it")
        while True:
            answer = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            if "ActionID: it" in answer:
                return answer

    async def sends(self, **headers: str) -> None:
        """Send an action and wait for nothing."""
        lines = [f"{key}: {value}" for key, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())

    async def takes(self, name: str) -> None:
        """Move a channel to where it has a life of its own."""
        where = {"Context": "elsewhere", "Exten": "s", "Priority": "stay"}
        answer = await self.does(Action="Redirect", Channel=name, **where)
        assert "Success" in answer, answer

    def close(self) -> None:
        self._writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other(here: Floor) -> AsyncIterator[Other]:
    made = await Other.come(here.lab.asterisk.ami_port)
    yield made
    made.close()


@pytest.mark.parametrize("before_ms", [0, 2, 5, 10, 20, 40])
async def test_a_caller_who_is_moved_as_an_agent_answers_is_not_pulled_back(
    here: Floor, other: Other, before_ms: int
) -> None:
    caller, leg = await waits(here)
    name = await channel(here)
    await other.takes(name)
    await asyncio.sleep(before_ms / 1000)
    await leg.answer()
    await here.until(lambda: here.happened(CallMovedAway))
    await leg.wait_ended()
    await asyncio.sleep(0.3)
    assert await place(here) == ("elsewhere", "Wait")
    assert "1001" not in caller.heard
    assert here.happened(ConversationStarted) == []
    await here.until(lambda: here.free("a1"))
    assert here.router.floor.agents["a1"].misses == 0
    await caller.bye()
    await here.quiet()


async def test_a_caller_who_is_moved_out_of_a_talk_is_not_fetched_for_its_end(
    here: Floor, other: Other
) -> None:
    caller, leg = await waits(here)
    await leg.answer()
    await caller.wait_heard("1001")
    await asyncio.sleep(1.1)
    await other.takes(await channel(here))
    await leg.wait_ended()
    await here.until(lambda: not here.router.floor.calls)
    await asyncio.sleep(0.5)
    assert await place(here) == ("elsewhere", "Wait")
    await caller.bye()
    await here.quiet()


async def test_a_caller_who_is_moved_as_their_time_is_up_stays_where_they_are(
    here: Floor, other: Other
) -> None:
    caller, leg = await waits(
        here, max_wait=1.0, ring_for=1.5, on_max_wait=ToDialplan("callrouter-hold", "x")
    )
    name = await channel(here)
    await leg.wait_ended()
    # Our order has been answered by then. Of two orders that come within the same
    # millisecond, the one that Asterisk reads last counts: no program can tell which that will be.
    await asyncio.sleep(0.05)
    await other.takes(name)
    await here.until(lambda: not here.router.floor.calls)
    await asyncio.sleep(0.5)
    assert await place(here) == ("elsewhere", "Wait")
    await caller.bye()
    await here.quiet()


async def test_even_in_the_last_millisecond_the_caller_goes_on_to_where_they_were_sent(
    here: Floor, other: Other
) -> None:
    """Behind the other program's order comes that of a connect, before anything of the first has run."""
    caller, leg = await waits(here)
    name = await channel(here)
    connect = {"Context": "callrouter-connect", "Exten": "support", "Priority": "1"}
    await asyncio.gather(other.takes(name), other.sends(Action="Redirect", Channel=name, **connect))
    await here.until(lambda: here.happened(CallMovedAway))
    await leg.wait_ended()
    assert await place(here) == ("elsewhere", "Wait")
    await caller.bye()
    await here.quiet()


async def test_connecting_takes_no_longer_for_it(here: Floor) -> None:
    took = []
    for _ in range(5):
        caller, leg = await waits(here)
        await leg.answer()
        await caller.wait_heard("1001")
        assert leg.answered_at is not None
        took.append(caller.heard_since["1001"] - leg.answered_at)
        await caller.bye()
        await here.quiet()
    tell(f"heard {min(took) * 1000:.0f} to {max(took) * 1000:.0f} ms after the agent's 200")
    assert min(took) < 1.0
