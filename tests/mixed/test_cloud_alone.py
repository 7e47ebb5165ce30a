"""A centre without an Asterisk: `callrouter run` as a process, and the scripted Twilio over HTTP."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.router import TOKEN as API_TOKEN
from tests.chaos.router import RouterProcess
from tests.mixed.cloud import PUBLIC, TOKEN, Cloud, cloud
from tests.twilio.peer import ACCOUNT, Line, Mischief, Phone

NUMBER, CODES = "+442079460000", "+442079460090"
ANN, MOBILE = "+447700900001", "+447400123456"
ACME = "acme.sip.twilio.com"
AGENTS = f"""\
agents:
  ann: {{sign_in: always, devices: {{away: {{number: "{ANN}"}}}}}}
  bob: {{sign_in: manual, extension: "502", devices: {{phone: sip/bob@{ACME}}}}}
"""
QUEUES = (
    "queues: {support: {agents: [ann, bob], ring_for: 20s, retry_after: 1s, on_nobody: wait}}\n"
)

pytestmark = pytest.mark.timeout(120)


@dataclass
class Centre:
    cloud: Cloud
    router: RouterProcess

    async def until(self, true: Callable[[], Any], within: float = 30.0) -> None:
        """Wait until something is so at the phones."""
        async with asyncio.timeout(within):
            while not await self.cloud.ask(lambda _peer: true()):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

    async def shown(self, path: str, right: Callable[[Any], bool], within: float = 30.0) -> Any:
        """Wait until the router shows something of the kind."""
        found: Any = None
        try:
            async with asyncio.timeout(within):
                while not right(found := await self.router.ask(path)):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(found) from None
        return found

    async def queue_log(self, right: Callable[[list[list[str]]], bool]) -> list[list[str]]:
        """Wait until the router's file of queue_log holds lines of this kind."""
        path = Path(self.router.database).parent / "queue_log"
        async with asyncio.timeout(30.0):
            while True:
                lines = [line.split("|") for line in path.read_text().splitlines()]
                if right(lines):
                    return lines
                await asyncio.sleep(0.05)

    async def call(self, number: str) -> Line:
        return await self.cloud.ask(lambda peer: peer.call(number))

    async def hang_up(self, line: Line) -> None:
        await self.cloud.ask(lambda peer: peer.hang_up(line))

    async def talking(self, caller: Line) -> None:
        """Wait until a caller talks, and the router knows it.

        Twilio tells it afterwards; a caller who hangs up before that has abandoned for the router.
        """
        await self.until(lambda: self.talks() == [caller.number])
        talk = (caller.number, "talking")
        await self.shown(
            "calls?only=live",
            lambda calls: talk in [(one["caller_number"], one["state"]) for one in calls],
        )

    def talks(self) -> list[str]:
        """The callers who are in a talk."""
        rooms = self.cloud.peer.rooms.values()
        return [one.number for room in rooms if len(room) == 2 for one in room if one.inbound]


@asynccontextmanager
async def centre() -> AsyncIterator[Centre]:
    ready = Phone(answers_after=0.5, key_after=0.3, hangs_up_after=None)
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        async with cloud(lambda: ready, Mischief(), 5.0) as (account, url):
            router = RouterProcess(Path(folder), 0, AGENTS, QUEUES)
            (router.config / "callrouter.yaml").write_text(
                f"pbx:\n  cloud: {{driver: twilio, account_sid: {ACCOUNT}, auth_token: {TOKEN}, "
                f"public_url: '{PUBLIC}', numbers: {{'{NUMBER}': support}}, caller_id: '{NUMBER}', "
                f"calls_per_second: 5, codes: '{CODES}', api_url: '{url}'}}\n"
                f"http:\n  listen: 127.0.0.1:{router.port}\n"
                f"  api_tokens: [{{name: test, role: supervisor, token: {API_TOKEN}}}]\n"
                f"database: {router.database}\nqueue_log: file\nnumbers: {{region: GB, countries: [GB]}}\n"
            )
            account.router_port = router.port
            made = Centre(account, router)
            try:
                await router.start()
                await router.in_step()
                yield made
            finally:
                await router.end()
        assert account.faults == []


async def test_a_router_that_was_killed_takes_up_who_talks_and_who_waits() -> None:
    async with centre() as here:
        first = await here.call("+33123450001")
        await here.talking(first)
        waiting = []
        for number in ("+33123450002", "+33123450003"):
            await asyncio.sleep(1.1)  # Twilio tells when a call began to the second
            waiting.append(await here.call(number))
        await here.shown("queues/support", lambda queue: len(queue["waiting"]) == 2)
        await here.router.end()
        assert here.talks() == [first.number], "the talk goes on"
        await here.router.start()
        await here.router.in_step()
        queue = await here.shown("queues/support", lambda queue: len(queue["waiting"]) == 2)
        assert [one["caller_number"] for one in queue["waiting"]] == [
            line.number for line in waiting
        ]
        await here.shown("agents/ann", lambda ann: ann["state"] == "on-call")
        assert here.talks() == [first.number]
        await here.hang_up(first)
        await here.talking(waiting[0])
        await here.hang_up(waiting[0])
        await here.talking(waiting[1])
        await here.hang_up(waiting[1])
        await here.shown("calls?only=live", lambda calls: calls == [])
        assert here.router.surprises == []
        # One line for each event, over the death of the router that logged who entered.
        lines = await here.queue_log(lambda lines: len(lines) == 9)
        for call in (first, *waiting):
            own = [line for line in lines if line[1] == call.sid]
            assert [line[4] for line in own] == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]
            assert own[0][5:7] == ["", call.number]
            assert (own[1][3], own[1][6][:2]) == ("ann", "CA")


async def test_an_agent_signs_in_at_a_sip_phone_and_is_rung_there() -> None:
    async with centre() as here:
        sip = {"From": f"sip:bob@{ACME}", "To": f"sip:*45@{ACME}", "SipDomain": ACME}
        unknown = await here.cloud.webhook("code", CallSid="CA" + "8" * 32, **sip)
        assert "extension" in unknown
        known = await here.cloud.webhook("code", CallSid="CA" + "9" * 32, SipUsername="bob", **sip)
        assert "You are signed in." in known
        await here.shown("agents/bob", lambda bob: bob["state"] == "available")
        callers = [await here.call(f"+3312345000{n}") for n in (1, 2)]
        await here.until(lambda: len(here.talks()) == 2)
        talking = {agent for _, agent in here.cloud.peer.talks}
        assert talking == {ANN, f"sip:bob@{ACME}"}
        for caller in callers:
            await here.hang_up(caller)
        await here.shown("calls?only=live", lambda calls: calls == [])


async def test_a_mobile_is_registered_and_proved_by_a_call() -> None:
    async with centre() as here:
        here.cloud.peer.phones[MOBILE] = Phone(answers_after=None)
        made = await here.router.ask("agents/bob/devices", {"number": MOBILE})
        code, device = made["code"], made["device"]["id"]
        assert len(code) == 6
        here.cloud.peer.phones[MOBILE] = Phone(
            answers_after=0.3, key=code, key_after=0.3, hangs_up_after=None
        )

        def rung(_: object = None) -> bool:
            return any(line.number == MOBILE for line in here.cloud.peer.lines.values())

        await here.until(rung)
        devices = await here.shown(
            "agents/bob/devices",
            lambda found: any(one["id"] == device and one["status"] == "in-use" for one in found),
        )
        assert len(devices) == 2


async def test_a_request_of_a_call_that_is_over_makes_no_caller_after_a_restart() -> None:
    async with centre() as here:
        line = await here.call("+33123450001")
        await here.until(lambda: here.talks() == [line.number])
        await here.hang_up(line)
        await here.shown("queues/support", lambda queue: queue["waiting"] == [])
        await asyncio.sleep(1.0)  # what happened is written behind the calls
        await here.router.end()
        await here.router.start()
        await here.router.in_step()
        given = {"CallSid": line.sid, "From": line.number, "To": NUMBER}
        for part in ("voice", "wait"):
            assert "<Enqueue" not in await here.cloud.webhook(part, **given)
        await here.shown("queues/support", lambda queue: queue["waiting"] == [])
