"""Webhooks of real calls over `kill -9`: each call is announced once, and its end names the agent."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from callrouter.lab import Answer, Install, Lab, RingOnly, lab
from tests.asterisk.beside import daemon
from tests.asterisk.floor import DIALPLAN, MANAGER
from tests.outbox.receiver import SECRET, Receiver

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120),
]

AGENTS = "agents:\n  ann: {devices: {desk: PJSIP/1001}}\n"
QUEUES = "queues:\n  support: {agents: [ann], on_nobody: wait, ring_for: 60s, wrap_up: 0}\n"
OUT = """\
destinations:
  crm: {{webhook: "{url}", secret: {secret}}}
webhooks:
  - {{to: crm, events: [call.entered, call.connected, call.ended]}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asterisk(install: Install) -> AsyncIterator[Lab]:
    async with lab(install, phones=("1001",), dialplan=DIALPLAN, manager=MANAGER) as made:
        yield made


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not true():  # noqa: ASYNC110 - it is asked for
            await asyncio.sleep(0.05)


async def test_each_call_is_announced_once_and_ends_once(asterisk: Lab) -> None:
    receiver = Receiver()
    await receiver.open()

    def ended() -> list[str]:
        return [event.call for event in receiver.taken if event.type == "call.ended"]

    more = OUT.format(url=receiver.url, secret=SECRET)
    async with daemon(asterisk, AGENTS, QUEUES, more=more) as here:
        await here.do("sign-in")
        talks = await here.talk()
        await here.kill()  # in a conversation
        await talks.bye()
        await until(lambda: len(ended()) == 1)
        asterisk["1001"].behaviour = RingOnly()
        waits = await here.call()
        await here.becomes("ringing")
        await here.kill()  # while it rings
        await here.becomes("ringing")
        await waits.bye()
        await until(lambda: len(ended()) == 2)
        asterisk["1001"].behaviour = Answer()
        gone = await here.talk()
        await here.saved()
        await here.router.end(signal.SIGKILL)
        await gone.bye()  # while the router is down
        await here.router.start()
        await here.router.in_step()
        await until(lambda: len(ended()) == 3)
    await receiver.close()
    calls = list(dict.fromkeys(event.call for event in receiver.taken))
    assert len(calls) == 3
    found = []
    for call in calls:
        events = [event for event in receiver.taken if event.call == call]
        kinds = [event.type for event in events]
        assert kinds.count("call.entered") == kinds.count("call.ended") == 1, kinds
        assert (kinds[0], kinds[-1]) == ("call.entered", "call.ended")
        end = events[-1].data
        found.append((end["outcome"], end["agent"], end["answered"]))
        assert events[0].data["how"] == "new"
    assert found == [
        ("answered", "ann", True), ("abandoned", None, False), ("unknown", "ann", True),
    ]  # fmt: skip
