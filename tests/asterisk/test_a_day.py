"""An agent's day by the command line, over HTTP and at the phone: what is asked for, and what is told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Answer, Install, Lab, RingOnly, lab
from tests.asterisk.beside import daemon
from tests.asterisk.floor import DIALPLAN, MANAGER

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]

AGENTS = """\
agents: {ann: {devices: {desk: PJSIP/1001}}, bob: {devices: {desk: PJSIP/1002}}}
pauses: {tea: {longest: 3s, then: resume}, lunch: {}}
"""
QUEUES = """\
queues:
  support:
    agents: {ann: 1, bob: 2}
    policy: priority
    on_nobody: wait
    ring_for: 2s
    retry_after: 1s
    auto_pause: 3
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asterisk(install: Install) -> AsyncIterator[Lab]:
    async with lab(install, phones=("1001", "1002"), dialplan=DIALPLAN, manager=MANAGER) as made:
        yield made


async def test_three_missed_calls_pause_until_the_agent_is_back(asterisk: Lab) -> None:
    async with daemon(asterisk, AGENTS, QUEUES) as here:
        for name in ("ann", "bob"):
            await here.cli("agent", name, "sign-in")
        asterisk["1001"].behaviour = RingOnly()
        for missed in (1, 2, 3):
            caller = await here.call()
            await caller.wait_heard("1002", within=20)
            await here.until(lambda found, missed=missed: found["missed_in_a_row"] == missed % 3)  # type: ignore[misc]
            await caller.bye()
            await here.becomes("available", "bob")
        found = await here.agent()
        assert (found["state"], found["pause_reason"]) == ("paused", "missed calls")
        told = "3 calls in a row were missed: you are paused; resume when you are back"
        assert [message["text"] for message in found["messages"]][-1] == told
        assert "missed calls" in await here.cli("agents")
        assert "paused" in await here.cli("why-not", "ann")
        caller = await here.call()  # nobody waits for ann's phone now
        await caller.wait_heard("1002", within=20)
        await caller.bye()
        assert len(asterisk["1001"].incoming) == 3
        asterisk["1001"].behaviour = Answer()
        await here.cli("agent", "ann", "resume")
        caller = await here.call()
        await caller.wait_heard("1001", within=20)
        await caller.bye()


async def test_a_supervisor_pauses_during_a_call_and_the_agent_is_told(asterisk: Lab) -> None:
    async with daemon(asterisk, AGENTS, QUEUES) as here:
        await here.do("sign-in")
        caller = await here.call()
        await caller.wait_heard("1001", within=20)
        await here.becomes("on-call")
        await here.do("pause", reason="lunch")
        found = await here.agent()
        assert (found["state"], found["pending"], found["pending_by"]) == (
            *("on-call", "pause", "chaos"),
        )
        assert found["messages"][-1]["text"] == "chaos asked for a pause after this call"
        await caller.bye()
        await here.becomes("paused")
        found = await here.agent()
        assert (found["pause_reason"], found["by"]) == ("lunch", "chaos")
        await here.cli("agent", "ann", "sign-out")
        assert not (await here.agent())["signed_in"]


async def test_a_pause_that_lasts_too_long_ends_by_itself_and_the_phone_rings(
    asterisk: Lab,
) -> None:
    async with daemon(asterisk, AGENTS, QUEUES) as here:
        await here.do("sign-in")
        await here.cli("agent", "ann", "pause", "tea")
        caller = await here.call()
        await caller.wait_heard("", within=20)
        assert not asterisk["1001"].incoming
        await caller.wait_heard("1001", within=20)
        texts = [message["text"] for message in (await here.agent())["messages"]]
        assert texts[-1] == "the pause 'tea' has lasted 3 s: you are back, and calls ring again"
        await caller.bye()
