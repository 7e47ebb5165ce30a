"""Toll fraud, tried as an attacker would, over HTTP and at real phones: refused, counted, audited.

What an attacker wants is calls at others' cost: verification calls without end, or a number of their own
that rings for somebody's callers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.error import HTTPError

import pytest
import pytest_asyncio

from callrouter.feature_codes import prompts
from callrouter.lab import Answer, Dialog, Install, Lab, lab
from tests.asterisk.beside import Here, daemon
from tests.asterisk.ear import Ear, key
from tests.asterisk.floor import DIALPLAN, MANAGER
from tests.asterisk.test_codes import HASH

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]

AGENTS = f"""\
agents:
  ann: {{extension: "1001", pin: "{HASH}", devices: {{desk: PJSIP/1001}}}}
  bob: {{devices: {{desk: PJSIP/1002}}}}
numbers: {{region: GB, attempts_per_hour: 12, calls_per_hour: 2}}
"""
QUEUES = "queues: {support: {agents: [ann, bob], on_nobody: wait}}\n"
ANN, BOB = "ann-0123456789abcdef", "bob-0123456789abcdef"
TOKENS = (
    f", {{name: ann-app, role: agent, agent: ann, token: {ANN}}}"
    f", {{name: bob-app, role: agent, agent: bob, token: {BOB}}}"
)
MINE, OTHER = "+447400123456", "+447400654321"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asterisk(install: Install) -> AsyncIterator[Lab]:
    phones = ("1001", "1002", "1003")
    async with lab(install, phones=phones, dialplan=DIALPLAN, manager=MANAGER) as made:
        yield made


@asynccontextmanager
async def office(asterisk: Lab) -> AsyncIterator[Here]:
    async with daemon(asterisk, AGENTS, QUEUES, tokens=TOKENS) as here:
        asterisk["carrier"].behaviour = Answer(after=0.05)
        yield here


async def refused(
    here: Here, method: str, path: str, body: dict[str, Any] | None = None, token: str = ANN
) -> str:
    """Ask for something that is refused; the status, and the kind of problem."""
    with pytest.raises(HTTPError) as caught:
        await here.router.ask(f"agents/{path}", body, method=method, token=token)
    problem = caught.value.read().decode()
    kind = re.search(r"urn:callrouter:problem:([a-z-]+)", problem)
    return f"{caught.value.code} {kind[1] if kind else problem}"


async def register(here: Here, number: str, token: str = ANN, agent: str = "ann") -> str:
    """Register a number over HTTP; the code that is shown."""
    answer = await here.router.ask(f"agents/{agent}/devices", {"number": number}, token=token)
    return str(answer["code"])


async def counted(here: Here) -> dict[str, float]:
    """What the metrics say of it."""
    text = await here.router.metrics()
    found = re.findall(r'^callrouter_(\w+?)(?:\{why="([^"]+)"\})? ([0-9.]+)$', text, re.MULTILINE)
    return {why or name: float(value) for name, why, value in found}


async def audited(here: Here, agent: str = "ann") -> list[tuple[str, str, str]]:
    """Who did what, and how it is explained; the last first."""
    await here.saved()
    steps = (await here.router.ask(f"agents/{agent}/audit"))["steps"]
    assert not any(number in str(steps) for number in (MINE, OTHER)), "numbers are masked"
    return [(step["who"], step["what"], step["detail"]) for step in steps]


async def rung(here: Here, ear: Ear, count: int) -> Dialog:
    """The verification call, which asks for the code."""
    leg = await here.lab["carrier"].wait_incoming(count, within=20)
    await until(lambda: len(ear.by_call("carrier")) >= count)
    return leg


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - Asterisk's log tells nobody
            await asyncio.sleep(0.05)


async def step(here: Here, what: str, times: int = 1) -> None:
    """Wait until something was done so many times."""
    async with asyncio.timeout(20):
        while [step for _, step, _ in await audited(here)].count(what) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def mobiles(here: Here, agent: str = "ann") -> list[str]:
    """The registered mobiles of an agent that are rung."""
    devices = await here.router.ask(f"agents/{agent}/devices")
    return [
        f"{device['id']} {device['status']}"
        for device in devices
        if device["source"] == "registered"
    ]


async def test_endless_verification_calls_over_http(asterisk: Lab) -> None:
    async with office(asterisk) as here:
        ear = Ear(here)
        for count in (1, 2):
            await register(here, MINE)
            await (await rung(here, ear, count)).bye()
            await step(here, "hung-up", count)
        body = {"number": MINE}
        answers = [await refused(here, "POST", "ann/devices", body) for _ in range(20)]
        answers += [await refused(here, "POST", "ann/devices/mobile/verify", {}) for _ in range(5)]
        assert set(answers) == {"429 limit"}
        # Another agent may not have it called again and again either.
        assert await refused(here, "POST", "bob/devices", body, BOB) == "429 limit"
        await asyncio.sleep(0.5)
        assert len(asterisk["carrier"].incoming) == 2
        found = await counted(here)
        assert (found["limit"], found["verification_calls_24h"]) == (26, 2)
        steps = await audited(here)
        assert steps[0][:2] == ("ann-app", "refused")
        assert len(steps) < 20, "of a flood the first are written down, the rest counted"
        # A restart forgives nothing.
        await here.kill()
        assert await refused(here, "POST", "ann/devices", body) == "429 limit"


async def test_a_number_changed_during_the_call_is_not_proved_by_it(asterisk: Lab) -> None:
    async with office(asterisk) as here:
        ear = Ear(here)
        code = await register(here, MINE)
        first = await rung(here, ear, 1)
        # While a call is on, no other number can take its place …
        assert await refused(here, "POST", "ann/devices", {"number": OTHER}) == "409 busy"
        patch = {"number": OTHER}
        assert await refused(here, "PATCH", "ann/devices/mobile", patch) == "422 unknown-field"
        # … and to remove it makes its code worthless.
        await here.router.ask("agents/ann/devices/mobile", method="DELETE", token=ANN)
        other = await register(here, OTHER)
        second = await rung(here, ear, 2)
        # Whatever is keyed in at the first phone, it was let go with nothing proved.
        for digit in f"{other}#":
            if first.state == "up":
                await key(first, digit)
        await first.wait_ended(10)
        assert await mobiles(here) == ["mobile unverified"]
        await key(second, f"{code}#")
        await step(here, "wrong-code")
        assert "auth-incorrect" in ear.by_call("carrier")[1]
        assert await mobiles(here) == ["mobile unverified"]
        steps = [what for _, what, _ in await audited(here)]
        assert steps[0] == "wrong-code"
        assert "removed" in steps
        assert "verified" not in steps


async def test_a_code_that_was_used_is_worth_nothing(asterisk: Lab) -> None:
    async with office(asterisk) as here:
        ear = Ear(here)
        code = await register(here, MINE)
        leg = await rung(here, ear, 1)
        await key(leg, f"{code}#")
        await leg.wait_ended(10)
        assert ear.by_call("carrier")[0] == ["agent-pass", "auth-thankyou", "vm-goodbye"]
        assert await mobiles(here) == ["mobile in-use"]
        await register(here, OTHER)
        leg = await rung(here, ear, 2)
        for tries in (1, 2, 3):
            await key(leg, f"{code}#")
            await step(here, "wrong-code", tries)
        await leg.wait_ended(10)
        assert (await audited(here))[0][1:] == ("failed", "3 tries without the code")
        assert await mobiles(here) == ["mobile in-use", "mobile-2 unverified"]
        assert (await counted(here))["wrong-code"] == 1


async def test_another_agents_devices(asterisk: Lab) -> None:
    async with office(asterisk) as here:
        await register(here, MINE)
        before = await mobiles(here)
        calls = len(asterisk["carrier"].incoming)
        for method, path, body in (
            ("POST", "ann/devices", {"number": OTHER}),
            ("POST", "ann/devices/mobile/verify", {}),
            ("POST", "ann/devices/mobile/verify", {"vouch": True}),
            ("PATCH", "ann/devices/mobile", {"ring_after": 0}),
            ("PATCH", "ann/devices/desk", {"enabled": False}),
            ("DELETE", "ann/devices/mobile", None),
        ):
            answer = await refused(here, method, path, body, BOB)
            assert answer in {"403 not-yours", "403 not-allowed"}, (method, path)
        # Their own mobile, without a proof.
        assert await refused(here, "POST", "ann/devices/mobile/verify", {"vouch": True}) == (
            "403 not-allowed"
        )
        assert await mobiles(here) == before
        assert len(asterisk["carrier"].incoming) <= calls + 1
        assert (await counted(here))["not-yours"] >= 4
        assert ("bob-app", "refused") in [step[:2] for step in await audited(here)]


async def register_at_phone(here: Here, number: str) -> list[str]:
    """`*48` at ann's desk; what is heard after the question for the number."""
    ear = Ear(here)
    leg = await here.lab["1001"].call("*48")
    await until(lambda: ear.heard("1001") == [prompts.ASK_NUMBER[0]])
    await key(leg, f"{number}#")
    await leg.wait_ended(20)
    return ear.heard("1001")[1:]


async def test_endless_registrations_at_the_phone(asterisk: Lab) -> None:
    async with office(asterisk) as here:
        premium = "09098790000"
        heard_of = [await register_at_phone(here, premium) for _ in range(14)]
        assert heard_of == [[*prompts.NO_NUMBER]] * 12 + [[*prompts.NOT_NOW]] * 2
        assert not asterisk["carrier"].incoming
        found = await counted(here)
        assert (found["premium"], found["limit"]) == (12, 2)
        # Ten of a kind are written one by one in an hour; those beyond are one row with their number, a minute later.
        premium_rate = ("ann", "refused", "premium: that is a premium-rate number")
        limit = ("ann", "refused", "limit: no more than 12 requests in an hour")
        rows = [row for row in await audited(here) if row in {premium_rate, limit}]
        assert rows == [limit] * 2 + [premium_rate] * 10


async def guess(here: Here, answers: int) -> list[str]:
    """Give ann's extension and a wrong PIN so many times in one call; the last that is heard."""
    ear = Ear(here)
    leg = await here.lab["1003"].call("*48")
    for n in range(1, answers + 1):
        await until(lambda n=n: len(ear.heard("1003")) >= 2 * n - 1)  # type: ignore[misc]
        await key(leg, "1001#")
        await until(lambda n=n: len(ear.heard("1003")) >= 2 * n)  # type: ignore[misc]
        await key(leg, "99999#")
    await leg.wait_ended(20)
    return ear.heard("1003")[-2:]


async def test_guessing_pins_at_a_strangers_phone(asterisk: Lab) -> None:
    async with office(asterisk) as here:
        await guess(here, 3)
        assert await guess(here, 2) == [*prompts.LOCKED]
        found = await counted(here)
        assert (found["wrong_pins_total"], found["lockouts_total"]) == (5, 2)
        steps = [(what, detail) for _, what, detail in await audited(here)]
        place = "at PJSIP/1003 1003"
        assert steps == [("locked", place)] + [("wrong-pin", place)] * 4
        assert not asterisk["carrier"].incoming
