"""The day itself: who calls, what agents do, when the router dies. See `tests.labday.seen`."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from callrouter.lab import Answer, Dialog, Install, Lab, Refuse, RingOnly, lab
from callrouter.pbx.twilio.rest.api_requests import PlaceCall
from tests.asterisk.floor import DIALPLAN, MANAGER
from tests.chaos.router import RouterProcess
from tests.labday.seen import Day, Ring, Visit, Watch
from tests.mixed.cloud import PUBLIC, TOKEN, Cloud, cloud
from tests.noise import noise
from tests.twilio.peer import ACCOUNT, Line, Mischief
from tests.twilio.peer import Phone as Mobile


@dataclass(frozen=True, slots=True)
class Place:
    """Where the centre is, and the moment of its day at which the clock is changed."""

    zone: str
    change: float


SPRING = Place("Asia/Beirut", datetime(2026, 3, 28, 22, 0, tzinfo=UTC).timestamp())
"""The clock is put forward at midnight: 28 March ends at 24:00, and 29 March begins at 01:00."""
AUTUMN = Place("Africa/Cairo", datetime(2026, 10, 29, 21, 0, tzinfo=UTC).timestamp())
"""The clock is put back at midnight: 29 October has the hour from 23:00 to 24:00 twice."""

DESKS = {"ann": "1001", "bob": "1002", "cat": "1003", "dan": "1004"}
EVE = "+447700900005"
CLOUD_NUMBER = "+442079460000"
AGENTS = (
    "agents:\n"
    + "".join(
        f"  {name}: {{devices: {{desk: {{endpoint: PJSIP/{number}, pbx: office}}}}}}\n"
        for name, number in DESKS.items()
    )
    + f"  eve: {{devices: {{mobile: {{number: '{EVE}', pbx: cloud}}}}}}\n"
)
SERVES = {
    "support": ("ann", "bob"),
    "sales": ("cat",),
    "night": ("dan",),
    "again": ("cat",),
    "cloud": ("eve",),
}
MAX_WAIT = {"support": 8.0, "night": 0.0, "sales": 0.0, "again": 2.0, "cloud": 0.0}
WRAP_UP = {"support": 1.0, "sales": 0.0, "night": 0.0, "again": 0.0, "cloud": 0.0}
WITHIN, SHORT, RING_FOR = 4.0, 1.5, 3.0
STARTS_WITHIN = 120.0
"""Seconds: how long a router takes to start on a busy machine is no matter of this test."""
_USUAL = (
    "ring_for: 3s, retry_after: 1s, on_nobody: wait, auto_pause: 0, "
    f"service_level: {{within: {WITHIN:g}s, target: 80, short_abandon: {SHORT:g}s}}"
)
QUEUES = f"""\
queues:
  support: {{agents: [ann, bob], max_wait: 8s, on_max_wait: queue:night, wrap_up: 1s, {_USUAL}}}
  sales: {{agents: [cat], {_USUAL}}}
  night: {{agents: [dan], {_USUAL}}}
  again: {{agents: [cat], max_wait: 2s, on_max_wait: "dialplan:once-more,s,1", {_USUAL}}}
  cloud: {{agents: [eve], {_USUAL}}}
"""
PLAN = """
[once-more]
exten => s,1,Wait(1)
 same => n,Goto(callrouter,sales,1)
"""
MORE = (
    "timezone: {zone}\npauses: {{tea: {{longest: 1h}}, lunch: {{}}}}\n"
    "queue_log: file\nqueue_log_file: {log}\n"
)


class Lateness:
    """How late the machine made a step, at worst: other load on it is no fault of the router's."""

    def __init__(self) -> None:
        self._samples = [noise()]

    async def run(self) -> None:
        """Look four times a second until cancelled."""
        while True:
            await asyncio.sleep(0.25)
            self._samples.append(noise())

    def worst(self) -> float:
        """Return the most that two seconds were late, in seconds."""
        pairs = zip(self._samples, self._samples[8:], strict=False)
        return max((later - sooner for sooner, later in pairs), default=0.0)


@dataclass
class Caller:
    """A caller whose phone we hold, on either system."""

    visit: Visit
    dialog: Dialog | None = None
    line: Line | None = None


@dataclass
class Centre:
    """Asterisk, Twilio, the router, and all that was seen."""

    lab: Lab
    cloud: Cloud
    router: RouterProcess
    watch: Watch
    place: Place
    late: Lateness
    log: Path
    """queue_log, written by the router."""
    day: Day = field(default_factory=Day)
    callers: list[Caller] = field(default_factory=list)
    over: dict[str, float] = field(default_factory=dict)
    """When a caller of Twilio's was on-hook, by the id of the line."""

    # ------------------------------------------------------------ callers

    async def call(self, queue: str) -> Caller:
        """A caller calls a queue on Asterisk."""
        number = f"+4420794610{len(self.callers):02d}"
        at = self.watch.now()
        dialog = await self.lab["caller"].call(queue, caller_number=number)
        caller = Caller(Visit(number, [(at, queue, "new")]), dialog=dialog)
        self.callers.append(caller)
        return caller

    async def call_cloud(self) -> Caller:
        """A call to the number at Twilio."""
        number = f"+3312345{len(self.callers):04d}"
        at = self.watch.now()
        line = await self.cloud.ask(lambda peer: peer.call(number, CLOUD_NUMBER))
        caller = Caller(Visit(number, [(at, "cloud", "new")]), line=line)
        self.callers.append(caller)
        return caller

    async def hang_up(self, caller: Caller) -> None:
        """The caller hangs up."""
        caller.visit.by_caller = True
        if caller.dialog is not None:
            await caller.dialog.bye()
        else:
            assert caller.line is not None
            line = caller.line
            caller.visit.ended = self.watch.now()
            await self.cloud.ask(lambda peer: peer.hang_up(line))

    async def hears(self, caller: Caller, agent: str, within: float = 40.0) -> None:
        """Wait until the caller talks with an agent."""
        if caller.dialog is not None:
            await caller.dialog.wait_hears(DESKS[agent], within=within)
            return
        async with asyncio.timeout(within):
            while not any(
                use.talked_at and not use.ended_at for use in self.cloud.peer.uses.values()
            ):
                await asyncio.sleep(0.02)

    # ------------------------------------------------------------ agents

    async def duty(self, agent: str, what: str, reason: str = "") -> None:
        """An agent signs in or out, pauses or resumes."""
        path = {"in": "sign-in", "out": "sign-out"}.get(what, what)
        body = {"reason": reason} if reason else {}
        at = self.watch.now()
        await self.router.ask(f"agents/{agent}/{path}", body)
        self.day.duty.append((at, agent, what, reason))

    async def transfer(self, caller: Caller, agent: str, to: str) -> None:
        """An agent gives the caller to a queue."""
        at, began = self.watch.now(), self.watch.of(self.leg(agent).answered_at)
        assert began is not None
        self.day.transfers.append((agent, began))
        await self.router.ask(f"agents/{agent}/call/transfer", {"queue": to})
        caller.visit.moves.append((at, to, "transfer"))

    async def hold(self, agent: str, seconds: float) -> None:
        """An agent puts the caller on hold for a while."""
        await self.router.ask(f"agents/{agent}/call/hold", {})
        began = self.watch.now()
        await asyncio.sleep(seconds)
        await self.router.ask(f"agents/{agent}/call/unhold", {})
        self.day.holds.append((agent, began, self.watch.now()))

    def leg(self, agent: str) -> Dialog:
        """The present call at an agent's desk phone."""
        return self.lab[DESKS[agent]].incoming[-1]

    async def rule(self, caller: Caller, to: str, how: str, outcome: str = "timeout") -> None:
        """Note what the present queue's rule will do with a caller who is not answered in time."""
        entered, queue, _ = caller.visit.moves[-1]
        at = entered + MAX_WAIT[queue]
        caller.visit.leaves.append((at, outcome))
        caller.visit.moves.append((at + (1.0 if how == "re-entry" else 0.0), to, how))
        await self.until(at + 0.3)

    # ------------------------------------------------------------ the router

    async def kill(self, away: Callable[[], Any] | None = None) -> None:
        """`kill -9`, and another router that is in step."""
        await self.saved()
        began = self.watch.now()
        await self.router.end(signal.SIGKILL)
        if away is not None:
            await away()
        await self.router.start()
        await self.router.in_step(STARTS_WITHIN)
        self.day.down.append((began, self.watch.now()))

    async def saved(self) -> None:
        """Wait until the store and queue_log have written all that they were given."""
        async with asyncio.timeout(30):
            while True:
                status = await self.router.ask("status")
                store, log = status["store"], status["queue_log"]
                if store["state"] == "good" and store["unsaved"] == log["waiting"] == 0:
                    return
                await asyncio.sleep(0.05)

    async def state(self, agent: str, state: str) -> None:
        """Wait until the router says that an agent is in a state."""
        async with asyncio.timeout(30):
            while (await self.router.ask(f"agents/{agent}"))["state"] != state:
                await asyncio.sleep(0.05)

    async def until(self, at: float) -> None:
        """Wait until a time of the router's clock."""
        await asyncio.sleep(max(0.0, at - self.watch.now()))

    async def reload(self, old: str, new: str) -> None:
        """Change the queues' file, and have it read."""
        path = self.router.config / "queues.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        await self.router.ask("config/reload", {})

    # ------------------------------------------------------------ the end

    async def closed(self) -> Day:
        """All callers hang up; return what was seen."""
        for caller in self.callers:
            if caller.dialog is not None:
                if caller.dialog.state != "ended":
                    await self.hang_up(caller)
            elif caller.line is not None and not caller.line.over:
                await self.hang_up(caller)
        async with asyncio.timeout(30):
            while await self.router.ask("calls?only=live"):
                await asyncio.sleep(0.1)
        await asyncio.sleep(1.0)  # what was reported a moment ago is on its way to the store
        await self.saved()
        self.day.until = self.watch.now()
        for caller in self.callers:
            if caller.dialog is not None:
                ended = self.watch.of(caller.dialog.ended_at)
                assert ended is not None
                caller.visit.ended = ended
                caller.visit.by_caller = caller.dialog.ended_by == "us"
            self.day.visits.append(caller.visit)
        self._rings()
        return self.day

    def _rings(self) -> None:
        of = self.watch.of
        for agent, number in DESKS.items():
            for leg in self.lab[number].incoming:
                invite, ended = of(leg.invite_at), of(leg.ended_at)
                assert invite is not None
                assert ended is not None, f"{agent}'s phone is still in a call"
                self.day.rings.append(
                    Ring(
                        agent=agent,
                        number=leg.peer_number,
                        invite=invite,
                        rang=of(leg.ringing_at),
                        talked=of(leg.answered_at),
                        ended=ended,
                        by_agent=leg.ended_by == "us",
                        code=leg.final_code if leg.final_code >= 300 else 0,
                    )
                )
        callers = [one for one in self.callers if one.line is not None]
        ordered = {
            ask.token: of(at) or 0.0
            for at, ask in self.cloud.peer.asks
            if isinstance(ask, PlaceCall)
        }
        for sid, use in self.cloud.peer.uses.items():
            rang, ended = of(use.rang_at), of(use.ended_at)
            if rang is None or ended is None:
                continue
            talked = of(use.talked_at)
            at = talked or rang
            [caller] = [
                one
                for one in callers
                if one.visit.moves[0][0] <= at and (one.visit.ended or ended) >= at
            ][-1:]
            self.day.rings.append(
                Ring(
                    agent="eve",
                    number=caller.visit.number,
                    invite=ordered[self.cloud.peer.lines[sid].token],
                    rang=rang,
                    talked=talked,
                    ended=ended,
                    by_agent=False,
                )
            )


@asynccontextmanager
async def centre(install: Install, place: Place, before: float) -> AsyncIterator[Centre]:
    """A centre whose router believes that the clock will be changed in `before` seconds."""
    ready = Mobile(answers_after=0.4, key_after=0.3, hangs_up_after=None)
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        async with (
            cloud(lambda: ready, Mischief(), 5.0) as (account, url),
            lab(
                install, phones=tuple(DESKS.values()), dialplan=DIALPLAN + PLAN, manager=MANAGER
            ) as made,
        ):
            pbxes = (
                f"  cloud: {{driver: twilio, account_sid: {ACCOUNT}, auth_token: {TOKEN}, "
                f"public_url: '{PUBLIC}', numbers: {{'{CLOUD_NUMBER}': cloud}}, "
                f"caller_id: '{CLOUD_NUMBER}', calls_per_second: 5, api_url: '{url}'}}\n"
            )
            router = RouterProcess(
                Path(folder), made.asterisk.ami_port, AGENTS, QUEUES, pbxes=pbxes
            )
            log = Path(folder) / "queue_log"
            (router.config / "more.yaml").write_text(MORE.format(zone=place.zone, log=log))
            account.router_port = router.port
            watch = Watch(place.change - before)
            router.set_clock(watch.off)
            late = Lateness()
            looking = asyncio.get_running_loop().create_task(late.run())
            try:
                await router.start()
                await router.in_step(STARTS_WITHIN)
                yield Centre(made, account, router, watch, place, late, log)
            finally:
                looking.cancel()
                await router.end()


# ---------------------------------------------------------------- the day


async def morning(here: Centre) -> None:
    """Answers, a miss, a refusal, short and long abandons, a transfer, an overflow, a pause, a reload."""
    for agent in (*DESKS, "eve"):
        await here.duty(agent, "in")
    phones = {name: here.lab[number] for name, number in DESKS.items()}
    phones["ann"].behaviour = Answer(after=0.4)
    phones["bob"].behaviour = RingOnly()
    phones["cat"].behaviour = Answer(after=0.3)
    phones["dan"].behaviour = Answer(after=0.3)

    first, cloudy = await here.call("support"), await here.call_cloud()
    await here.hears(first, "ann")
    second = await here.call("support")  # bob's phone rings in vain
    await here.lab[DESKS["bob"]].wait_incoming(within=15)
    short = await here.call("support")
    await asyncio.sleep(0.8)
    await here.hang_up(short)
    await here.lab[DESKS["bob"]].wait_incoming(2, within=15)  # he has missed the call once
    await asyncio.sleep(0.5)
    await here.duty("bob", "pause", "tea")  # withdraws the offer
    await here.transfer(first, "ann", "sales")
    await here.hears(first, "cat")
    await here.hears(second, "ann")
    third = await here.call("sales")  # cat talks: it waits
    await here.hears(cloudy, "eve")
    await here.hold("eve", 1.5)
    await asyncio.sleep(1.0)
    await here.hang_up(third)  # a long abandon
    await here.leg("ann").bye()  # the agent hangs up
    phones["ann"].behaviour = Refuse(486)
    over = await here.call("support")  # no agent takes it: after 8 s it is in the night queue
    await here.reload("on_max_wait: queue:night", "name: Support, on_max_wait: queue:night")
    await here.hang_up(first)
    await here.hang_up(cloudy)
    await here.rule(over, "night", "overflow")
    await here.hears(over, "dan")
    phones["ann"].behaviour = Answer(after=0.4)
    await here.hang_up(over)  # bob's pause goes on, over midnight and two routers


async def midnight(here: Centre) -> None:
    """A conversation and a wait across midnight and the change of the clock."""
    await here.until(here.place.change - 3.0)
    talking = await here.call("sales")
    await here.hears(talking, "cat")
    waiting = await here.call("sales")
    await here.until(here.place.change + 2.0)
    await here.hang_up(talking)
    await here.hears(waiting, "cat")
    await here.hang_up(waiting)


async def night(here: Centre) -> None:
    """Two routers die: callers talk, wait, and hang up in the meantime; one comes back by the dialplan."""
    talking, cloudy = await here.call("support"), await here.call_cloud()
    await here.hears(talking, "ann")
    await here.hears(cloudy, "eve")
    await here.duty("cat", "pause", "lunch")
    waiting = await here.call("sales")
    await asyncio.sleep(0.5)
    await here.kill()
    await here.duty("cat", "resume")
    await here.hears(waiting, "cat")
    gone = await here.call("sales")
    await asyncio.sleep(0.5)

    async def leaves() -> None:
        await here.hang_up(gone)

    await here.kill(leaves)
    await here.hang_up(talking)
    await here.hang_up(cloudy)
    returns = await here.call("again")  # cat talks: after 2 s it leaves, and comes back into sales
    await here.rule(returns, "sales", "re-entry")
    await here.hang_up(waiting)
    await here.hears(returns, "cat")
    await here.leg("cat").bye()  # so soon that they may not have talked
    await here.duty("bob", "resume")
    await asyncio.sleep(0.5)
    for agent in (*DESKS, "eve"):
        await here.duty(agent, "out")
