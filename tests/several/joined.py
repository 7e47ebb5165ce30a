"""Several real Asterisks joined by SIP trunks, with phones on each, and one router for all of them."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from callrouter.clock import SystemClock
from callrouter.core.agents.agent_availability import status_of
from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.feature_codes import FeatureCodes
from callrouter.lab import Answer, Asterisk, Dialog, Install, Lab, Phone, lab
from callrouter.model.call_notices import CallEnd, CallEntered
from callrouter.model.notices import AgentStatusChanged, Notice, Oddity
from callrouter.model.routing_table import AgentSpec, DeviceSpec, QueueSpec, Table
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.driver import AsteriskPbx
from callrouter.runtime import Runtime
from callrouter.settings import AsteriskSettings
from callrouter.tasks import Tasks
from tests.asterisk.floor import DIALPLAN, MANAGER, person, queue, table
from tests.noise import until

N = TypeVar("N", bound=Notice)

_TRUNK = """
[{there}]
type=endpoint
context=lab-phones
transport=lab-udp
disallow=all
allow=ulaw
direct_media=no
rtp_symmetric=yes
dtmf_mode=rfc4733
timers=no
trust_id_inbound=yes
send_pai=yes
from_user={here}
aors={there}

[{there}]
type=aor
contact=sip:127.0.0.1:{port}
qualify_frequency=1
qualify_timeout=0.5
"""
"""A trunk to another Asterisk, which knows ours by its name in From."""


def on_all(agent: str, number: str, home: str, pbxes: Sequence[str], **changes: Any) -> DeviceSpec:
    """A desk phone registered at `home`, which the others reach by their trunk to it."""
    addresses = {
        pbx: f"PJSIP/{number}" if pbx == home else f"PJSIP/{number}@{home}" for pbx in pbxes
    }
    changes.setdefault("watch_answer", True)
    return DeviceSpec(
        id="desk",
        agent=agent,
        pbxes=tuple(pbxes),
        endpoint=f"PJSIP/{number}",
        addresses=addresses,
        homes=(home,),
        **changes,
    )


async def join(asterisks: Mapping[str, Asterisk]) -> None:
    """Give each Asterisk a trunk to each of the others, and wait until all of them work."""
    for here, asterisk in asterisks.items():
        text = (asterisk.folder / "etc/pjsip.conf").read_text()
        for there, other in asterisks.items():
            if other is not asterisk:
                text += _TRUNK.format(here=here, there=there, port=other.sip_port)
        asterisk.write_config("pjsip.conf", text)
    await asyncio.gather(
        *(asterisk.cli("module reload res_pjsip.so") for asterisk in asterisks.values())
    )
    async with asyncio.timeout(20):
        for here, asterisk in asterisks.items():
            for there in asterisks.keys() - {here}:
                while "Avail" not in await asterisk.cli(  # noqa: ASYNC110 - nothing tells
                    f"pjsip show aor {there}"
                ):
                    await asyncio.sleep(0.05)


@dataclass
class Site:
    """The laboratories by name, and the router that serves them together."""

    labs: dict[str, Lab]
    notices: list[Notice] = field(default_factory=list)
    oddities: list[Oddity] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    """Where the router finds a manager, if not at Asterisk's own port: those of proxies."""

    def __post_init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self.trace: deque[str] = deque(maxlen=300)

    # ------------------------------------------------------------ the router

    async def start(self, spec: Table) -> None:
        """Start a router that knows nothing of any before it, and wait until all are in step."""
        clock = SystemClock()
        run_id = secrets.token_hex(3)
        self.router = Router(spec, rng=random.Random(1), run_id=run_id, now=clock.now())
        self.runtime = Runtime(self.router, clock)
        self.pbxes: dict[str, AsteriskPbx] = {}
        self.notices, self.oddities = [], []
        self.runtime.listen(self._listen)
        for name, made in self.labs.items():
            settings = AsteriskSettings(
                id=name,
                port=self.ports.get(name, made.asterisk.ami_port),
                username="callrouter",
                secret="change-me",
                dial_number="PJSIP/{number}@carrier",
            )
            pbx = AsteriskPbx(
                name,
                settings,
                post=self.runtime.post,
                table=spec,
                board=self.router.board,
                run_id=run_id,
            )
            self.pbxes[name] = pbx
            self._trace(name, pbx)
            self.runtime.attach(pbx)
            self.runtime.listen(pbx.listen)
        self.runtime.start()
        self._tasks = [asyncio.create_task(pbx.run()) for pbx in self.pbxes.values()]
        running = [name for name, made in self.labs.items() if made.asterisk.pid is not None]
        await self.until(lambda: all(self.pbxes[name].in_step for name in running), 15)

    def _listen(self, notice: Notice) -> None:
        self.trace.append(f"        {notice}")
        (self.oddities if isinstance(notice, Oddity) else self.notices).append(notice)  # type: ignore[arg-type]
        if not self.runtime.catching_up:  # until every PBX is in step
            self.breaches.extend(check(self.router.floor))

    def _trace(self, name: str, pbx: AsteriskPbx) -> None:
        handle = pbx.tracker.handle
        shown = ("Uniqueid", "Channel", "UserEvent", "ChannelStateDesc", "Cause", "TechCause")

        def traced(message: AmiMessage) -> None:
            what = " ".join(message.get(key) for key in (*shown, "Device", "State"))
            self.trace.append(f"{name}: {message.name} {what}")
            handle(message)

        pbx.tracker.handle = traced  # type: ignore[method-assign]

    async def crash(self) -> None:
        """End the router where it stands: calls stay as they are."""
        if not self._tasks:
            return
        self.runtime.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        breaches, self.breaches = self.breaches, []
        assert self.runtime.faults == 0
        assert breaches == []

    async def fresh(self, *agents: AgentSpec, queues: Sequence[QueueSpec]) -> None:
        """A new router with other rules; every phone on-hook and friendly."""
        await self.crash()
        for made in self.labs.values():
            await self._on_hook(made)
        await self.start(table(agents, *queues))

    async def _on_hook(self, made: Lab) -> None:
        if made.asterisk.pid is None:
            await made.asterisk.restart()
            names = (*made.asterisk.options.phones, made.asterisk.options.carrier)
            await asyncio.gather(*(made[name].register() for name in names))
        dialogs = [dialog for phone in made.phones.values() for dialog in phone.dialogs]
        with suppress(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.gather(*(dialog.bye() for dialog in dialogs), return_exceptions=True)
        for phone in made.phones.values():
            phone.behaviour = Answer()
            phone.incoming.clear()
            phone.outgoing.clear()
        async with asyncio.timeout(5):
            while await channels(made.asterisk):
                await made.asterisk.cli("channel request hangup all")
                await asyncio.sleep(0.05)

    def listen_to_codes(self) -> None:
        """Have codes that agents dial carried out, as the daemon does."""
        codes = FeatureCodes(
            board=self.router.board,
            post=self.runtime.post,
            pins=dict,
            clock=SystemClock(),
            tasks=Tasks(),
        )
        for name, pbx in self.pbxes.items():
            codes.attach(name, pbx)
            pbx.report_phone_events(lambda event: (codes.handle(event), None)[1])

    # ------------------------------------------------------------ phones and looking

    def phone(self, number: str) -> Phone:
        """The phone with this number, wherever it is registered."""
        return next(made[number] for made in self.labs.values() if number in made.phones)

    async def call(self, where: str, target: str = "support", **how: Any) -> Dialog:
        """A caller comes in at one of the Asterisks."""
        return await self.labs[where]["caller"].call(target, **how)

    def asked(self) -> int:
        """How many phones are being asked for key 1."""
        offers = self.router.floor.offers.values()
        return sum(leg.state.value == "answered" for o in offers for leg in o.legs.values())

    def state(self, agent: str) -> str:
        return status_of(self.router.floor, self.router.floor.agents[agent]).state.value

    def states_of(self, agent: str) -> list[str]:
        """The states that an agent has been in, as reported."""
        return [n.status.name for n in self.happened(AgentStatusChanged) if n.agent == agent]

    def happened(self, kind: type[N]) -> list[N]:
        return [record for record in self.notices if isinstance(record, kind)]

    async def until(self, true: Callable[[], Any], within: float = 10.0) -> None:
        """Wait until a condition holds; longer while the machine stands still."""
        await until(true, within)

    async def quiet(self, within: float = 10.0) -> None:
        """Wait until no call and no offer is left, and no channel on any Asterisk that runs."""
        floor = self.router.floor
        await self.until(lambda: not floor.calls and not floor.offers, within)
        for made in self.labs.values():
            if made.asterisk.pid is not None:
                await _no_channel(made.asterisk, within)
        entered = Counter(record.call for record in self.happened(CallEntered))
        ended = Counter(record.call for record in self.notices if isinstance(record, CallEnd))
        assert entered == ended
        assert [note.text for note in self.oddities if "can't be" in note.text] == []


async def _no_channel(asterisk: Asterisk, within: float) -> None:
    left: list[str] = []
    try:
        async with asyncio.timeout(within):
            while left := await channels(asterisk):  # noqa: ASYNC110 - Asterisk tells nobody
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"channels left: {left}") from None


async def channels(asterisk: Asterisk) -> list[str]:
    """The channels that an Asterisk has, without the shells that it forgets."""
    text = await asterisk.cli("core show channels concise")
    return [line for line in text.splitlines() if "!" in line and not contract.is_dead_shell(line)]


@asynccontextmanager
async def site(
    install: Install, phones: Mapping[str, Sequence[str]], *, dialplan: str = ""
) -> AsyncIterator[Site]:
    """Asterisks by name with these phones each, joined by trunks; no router runs yet.

    `dialplan` is added to that of each of them.
    """
    async with AsyncExitStack() as stack:
        labs = {
            name: await stack.enter_async_context(
                lab(
                    install,
                    phones=tuple(numbers),
                    dialplan=DIALPLAN + dialplan,
                    manager=MANAGER,
                )
            )
            for name, numbers in phones.items()
        }
        await join({name: made.asterisk for name, made in labs.items()})
        here = Site(labs)
        try:
            yield here
        finally:
            await here.crash()


__all__ = ["Answer", "Site", "on_all", "person", "queue", "site"]
