"""Who refused a call is not rung for it again at once by the next daemon: the record remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Answer, Install, Lab, Refuse, lab
from tests.asterisk.beside import daemon
from tests.asterisk.floor import DIALPLAN, MANAGER

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120),
]

AGENTS = """\
agents:
  ann: {devices: {desk: PJSIP/1001}}
  bob: {devices: {desk: PJSIP/1002}}
"""
QUEUES = """\
queues:
  support: {policy: linear, agents: [ann, bob], on_nobody: wait, retry_after: 90s}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asterisk(install: Install) -> AsyncIterator[Lab]:
    phones = ("1001", "1002")
    async with lab(install, phones=phones, dialplan=DIALPLAN, manager=MANAGER) as made:
        yield made


async def test_the_agent_who_refused_is_rung_last_after_kill_9(asterisk: Lab) -> None:
    async with daemon(asterisk, AGENTS, QUEUES) as here:
        ann = asterisk["1001"]
        ann.behaviour = Refuse(603)
        await here.do("sign-in")
        caller = await here.call()
        async with asyncio.timeout(20):
            while not ann.incoming:  # noqa: ASYNC110 - the phone does not tell
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.5)  # the record is written half a second later
        await here.kill()
        ann.behaviour = Answer()
        await asyncio.sleep(4.0)  # the pause after a refusal is over, and the round is not
        assert len(ann.incoming) == 1
        await here.do("sign-in", "bob")
        await caller.wait_heard("1002", within=10)
        assert len(ann.incoming) == 1
