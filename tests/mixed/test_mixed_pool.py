"""One pool of agents for two telephone systems at once: real calls on a real Asterisk, and the scripted
Twilio over HTTP with signed webhooks, both with `callrouter run` as a process.

    MIXED_SECONDS=120 python -m pytest -s tests/mixed     # longer than the 30 s of every run

Who is in a talk when is told by the phones: SIP phones by what they got, Twilio's by the peer's own notes.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from callrouter.lab import Answer, Asterisk, Behaviour, Dialog, Install, Lab, Refuse, RingOnly
from callrouter.lab.fixtures import lab
from callrouter.pbx.asterisk.contract import is_dead_shell
from tests.asterisk.floor import DIALPLAN, MANAGER, tell
from tests.chaos.router import RouterProcess
from tests.mixed.cloud import PUBLIC, TOKEN, Cloud, People, cloud
from tests.twilio import openapi
from tests.twilio.peer import ACCOUNT, Line, Mischief
from tests.twilio.peer import Phone as Mobile

pytestmark = pytest.mark.asterisk

SECONDS = float(os.environ.get("MIXED_SECONDS", "30"))
NUMBERS = {"support": "+442079460000", "sales": "+442079460001"}
DESKS = {f"a{n}": str(1000 + n) for n in range(1, 5)}
OUTSIDE = {f"a{n}": f"+44770090000{n}" for n in range(1, 4)} | {"a4": "sip:a4@acme.sip.twilio.com"}
"""The phones that Twilio rings: three mobiles, and a SIP phone of Twilio's."""

AGENTS = "agents:\n" + "".join(
    f"  {name}: {{sign_in: always, devices: {{"
    f"desk: {{endpoint: PJSIP/{DESKS[name]}, pbx: office}}, away: {{{where}, pbx: cloud}}}}}}\n"
    for name, where in {
        **{name: f'number: "{OUTSIDE[name]}"' for name in ("a1", "a2", "a3")},
        "a4": "endpoint: sip/a4@acme.sip.twilio.com",
    }.items()
)
QUEUES = """\
queues:
  support: {agents: [a1, a2, a3, a4], policy: longest-idle, ring_for: 8s, retry_after: 1s, wrap_up: 0s, auto_pause: 0, on_nobody: wait}
  sales: {agents: {a4: 1, a3: 1, a2: 2, a1: 2}, policy: priority, at_once: 2, ring_for: 8s, retry_after: 1s, wrap_up: 1s, auto_pause: 0, on_nobody: wait}
"""


def pbxes(api_url: str) -> str:
    numbers = ", ".join(f'"{number}": {queue}' for queue, number in NUMBERS.items())
    return (
        f"  cloud: {{driver: twilio, account_sid: {ACCOUNT}, auth_token: {TOKEN}, "
        f"public_url: '{PUBLIC}', numbers: {{{numbers}}}, caller_id: '{NUMBERS['support']}', "
        f"calls_per_second: 5, api_url: '{api_url}'}}\n"
    )


@dataclass
class Centre:
    lab: Lab
    cloud: Cloud
    router: RouterProcess
    rng: random.Random
    callers: list[Dialog] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def desk(self, _: Dialog) -> Behaviour:
        """What an agent does at the desk phone."""
        chance = self.rng.random()
        if chance < 0.1:
            return RingOnly()
        if chance < 0.2:
            return Refuse(486, after=0.3)
        return Answer(after=self.rng.uniform(0.1, 1.0), talk=self.rng.uniform(1.5, 5.0))

    async def come(self, rng: random.Random) -> None:
        """Keep three callers on each side, for either queue; some give up or hang up first."""
        live = [caller for caller in self.callers if caller.state != "ended"]
        if len(live) < 3:
            self.callers.append(await self.lab["caller"].call(rng.choice([*NUMBERS])))
        if live and rng.random() < 0.01:
            await rng.choice(live).bye()
        there = [line for line in self.lines if not line.over]
        if len(there) < 3:
            number = f"+3312345{len(self.lines):04d}"
            to = NUMBERS[rng.choice([*NUMBERS])]
            self.lines.append(await self.cloud.ask(lambda peer: peer.call(number, to)))
        if there and rng.random() < 0.01:
            line = rng.choice(there)
            await self.cloud.ask(lambda peer: peer.hang_up(line))


def moods(rng: random.Random) -> Mobile:
    """What an agent does with the phone that Twilio rings."""
    return Mobile(
        answers_after=rng.choice([0.3, 1.0, 2.0, 2.0, None]),
        key=rng.choice(["1", "1", "1", "1", None]),
        key_after=rng.uniform(0.2, 1.0),
        refuses=rng.choice([None] * 8 + [("busy", "486")]),
        hangs_up_after=rng.uniform(1.5, 5.0),
    )


@asynccontextmanager
async def centre(install: Install) -> AsyncIterator[Centre]:
    rng, theirs = random.Random(3), random.Random(4)
    mischief = Mischief(delay=0.5, twice=0.2, lost=0.05)
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        async with (
            cloud(lambda: moods(theirs), mischief, 5.0) as (account, url),
            lab(install, phones=tuple(DESKS.values()), dialplan=DIALPLAN, manager=MANAGER) as made,
        ):
            asterisk: Asterisk = made.asterisk
            router = RouterProcess(
                Path(folder), asterisk.ami_port, AGENTS, QUEUES, pbxes=pbxes(url)
            )
            account.router_port = router.port
            here = Centre(made, account, router, rng)
            for phone in DESKS.values():
                made[phone].behaviour = here.desk
            try:
                await router.start()
                await router.in_step()
                yield here
            finally:
                await router.end()


@dataclass(frozen=True)
class Use:
    """One call at a phone of an agent: rung, perhaps in a talk with a caller, ended."""

    where: str
    rang: float
    talked: float | None
    ended: float


def uses(here: Centre) -> dict[str, list[Use]]:
    """What there was at each agent's phones, in order, by the phones."""
    never = float("inf")
    found: dict[str, list[Use]] = {
        name: [
            Use("office", leg.invite_at, leg.answered_at, leg.ended_at or never)
            for leg in here.lab[phone].incoming
        ]
        for name, phone in DESKS.items()
    }
    whose = {number: name for name, number in OUTSIDE.items()}
    for use in here.cloud.peer.uses.values():
        if use.rang_at is not None:
            one = Use("cloud", use.rang_at, use.talked_at, use.ended_at or never)
            found[whose[use.number]].append(one)
    return {name: sorted(all_, key=lambda one: one.rang) for name, all_ in found.items()}


def two_at_once(all_: list[Use]) -> list[str]:
    """Where a phone rang, or was in a talk, while its agent was in a talk already."""
    return [
        f"{other} while {one}"
        for one in all_
        if one.talked is not None
        for other in all_
        if other is not one
        and (
            one.talked < other.rang < one.ended
            or (other.talked is not None and one.talked < other.talked < one.ended)
        )
    ]


def in_use(peer: People) -> list[Line]:
    return [line for line in peer.lines.values() if not line.over]


@pytest.mark.timeout(SECONDS + 200)
async def test_callers_from_asterisk_and_twilio_and_no_agent_ever_has_two_calls(
    install: Install,
) -> None:
    rng = random.Random(11)
    async with centre(install) as here:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            await here.come(rng)
            assert here.cloud.faults == []
            await asyncio.sleep(0.1)
        await everyone_goes(here)
        found = uses(here)
        tell_of(here, found)
        assert {name: two for name, all_ in found.items() if (two := two_at_once(all_))} == {}
        served = Counter(one.where for all_ in found.values() for one in all_ if one.talked)
        assert min(served["office"], served["cloud"]) > 0
        assert here.router.surprises == []
        assert here.cloud.faults == []


async def everyone_goes(here: Centre) -> None:
    """The callers hang up; then there is nothing left anywhere."""
    for caller in here.callers:
        await caller.bye()
    for line in here.lines:
        await here.cloud.ask(lambda peer, line=line: peer.hang_up(line))  # type: ignore[misc]
    left: list[object] = []
    try:
        async with asyncio.timeout(60):
            while left := await still_there(here):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"left: {left}") from None
    status = await here.router.ask("status")
    assert status["faults"] == 0
    assert status["invariants"]["breaches"] == 0


async def still_there(here: Centre) -> list[object]:
    """Calls at any phone, on Asterisk, at Twilio, in the router's books."""
    channels = await here.lab.asterisk.cli("core show channels concise")
    return [
        *(phone.name for phone in here.lab.phones.values() if phone.dialogs),
        *(ln for ln in channels.splitlines() if "!" in ln and not is_dead_shell(ln)),
        *await here.cloud.ask(in_use),
        *await here.router.ask("calls?only=live"),
    ]


def tell_of(here: Centre, found: dict[str, list[Use]]) -> None:
    tell(f"{SECONDS:g} s; callers: {len(here.callers)} on Asterisk, {len(here.lines)} on Twilio")
    for name, all_ in found.items():
        talks = [one for one in all_ if one.talked]
        where, rung = Counter(one.where for one in talks), Counter(one.where for one in all_)
        changes = sum(one.where != other.where for one, other in itertools.pairwise(talks))
        tell(
            f"{name}: talks {where['office']} on Asterisk, {where['cloud']} on Twilio, {changes} changes "
            f"of side; rung {rung['office']} and {rung['cloud']} times; two at once: {len(two_at_once(all_))}"
        )
    counts = here.cloud.counts
    tell(f"{counts['webhooks']} signed webhooks, {counts['requests']} requests")
    late = sum(
        other.rang < one.ended
        for all_ in found.values()
        for one, other in itertools.pairwise(all_)
        if one.talked is None
    )
    tell(f"{late} rings began while a phone that was not accepted was still being let go")
    if not openapi.there():
        tell(f"the requests were not checked: {openapi.missing()}")
