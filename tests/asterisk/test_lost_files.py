"""Files that lose something, with callers who wait on a real Asterisk: no caller is thrown out, and all are served."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from callrouter.lab import Install, Lab, RingOnly, lab
from tests.asterisk.beside import Here, daemon
from tests.asterisk.floor import DIALPLAN, MANAGER

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(150),
]

AGENTS = "agents:\n  ann: {devices: {desk: PJSIP/1001}}\n"
QUEUES = "queues:\n" + "".join(
    f"  {name}: {{agents: [ann], on_nobody: wait, ring_for: 60s}}\n"
    for name in ("support", "sales", "front")
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asterisk(install: Install) -> AsyncIterator[Lab]:
    async with lab(install, phones=("1001",), dialplan=DIALPLAN, manager=MANAGER) as made:
        yield made


async def waiting(here: Here) -> list[str]:
    calls: list[dict[str, Any]] = await here.router.ask("calls?only=live")
    return sorted(call["queue"] for call in calls)


async def until(here: Here, queues: list[str]) -> None:
    async with asyncio.timeout(30):
        while await waiting(here) != sorted(queues):  # noqa: ASYNC110 - it is asked for
            await asyncio.sleep(0.05)


async def said(here: Here, text: str) -> None:
    async with asyncio.timeout(30):
        while text not in here.router.said():  # noqa: ASYNC110 - a log is read
            await asyncio.sleep(0.05)


async def test_callers_of_a_cut_file_wait_on_and_are_served(asterisk: Lab) -> None:
    async with daemon(asterisk, AGENTS, QUEUES) as here:
        asterisk["1001"].behaviour = RingOnly()
        callers, names = [], ["support", "sales", "front"]
        for number, name in enumerate(names, 1):  # one is in line before the next one comes
            callers.append(await here.call(name))
            await until(here, names[:number])
        path = here.router.config / "queues.yaml"
        path.write_text("".join(QUEUES.splitlines(keepends=True)[:2]))
        await said(here, "configuration held back: queue sales is gone, and 1 caller is in it")
        assert await waiting(here) == ["front", "sales", "support"]
        await here.router.end(signal.SIGKILL)  # a restart in this moment changes nothing
        await here.router.start()
        await here.router.in_step()
        await said(here, "started with the last good configuration")
        await until(here, ["support", "sales", "front"])
        path.write_text(QUEUES)
        await said(here, "nothing is held back any more")
        path.write_text("".join(QUEUES.splitlines(keepends=True)[:2]))
        shown = await here.cli("reload")
        assert "taken away: queue front is gone, and 1 caller is in it" in shown
        assert await waiting(here) == ["front", "sales", "support"]
        assert all(caller.state == "up" for caller in callers)
        late = await here.call("sales")  # takes no new calls
        await late.wait_ended(within=20)
        await here.do("sign-in")
        for number, caller in enumerate(callers, 1):
            leg = await asterisk["1001"].wait_incoming(number, within=15)
            await leg.answer()
            await caller.wait_heard("1001", within=10)
            await asyncio.sleep(1.5)
            await leg.bye()
            await caller.wait_ended(within=10)
        await until(here, [])
        left = [queue["id"] for queue in await here.router.ask("queues")]
        assert left == ["support"]


async def test_callers_go_along_with_a_new_name(asterisk: Lab) -> None:
    async with daemon(asterisk, AGENTS, QUEUES) as here:
        asterisk["1001"].behaviour = RingOnly()
        await here.do("sign-in")
        first = await here.call("support")
        leg = await asterisk["1001"].wait_incoming(1)
        await leg.answer()
        await first.wait_heard("1001", within=10)
        second = await here.call("support")
        await until(here, ["support", "support"])
        config = here.router.config
        queues = QUEUES.replace("  support: {", "  helpdesk: {renamed_from: support, ")
        (config / "agents.yaml").write_text(
            AGENTS.replace("ann: {", "annette: {renamed_from: ann, ")
        )
        (config / "queues.yaml").write_text(queues.replace("[ann]", "[annette]"))
        await said(here, "queue support is called helpdesk from now on")
        await until(here, ["helpdesk", "helpdesk"])
        assert (await here.agent("annette"))["state"] == "on-call"
        await here.router.end(signal.SIGKILL)
        await here.router.start()
        await here.router.in_step()
        await until(here, ["helpdesk", "helpdesk"])
        await here.becomes("on-call", "annette")
        await first.wait_hears("1001")
        await leg.bye()
        leg = await asterisk["1001"].wait_incoming(2, within=15)
        await leg.answer()
        await second.wait_heard("1001", within=10)
        third = await here.call("support")  # the dialplan has the name before still
        await until(here, ["helpdesk", "helpdesk"])
        await third.bye()
        await second.bye()
