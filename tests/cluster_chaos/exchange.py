"""One Asterisk on its machine, with the phones of its agents, its callers, and trunks to the others."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from callrouter.lab import Asterisk, Dialog, Install, Pace, Phone, RegistrationFailedError
from callrouter.lab.fixtures import close_phones, start_phones
from callrouter.pbx.asterisk.contract import is_dead_shell
from tests.asterisk.floor import DIALPLAN, MANAGER
from tests.cluster_chaos.fake_clock import environ
from tests.cluster_chaos.network import Machine

TRUNK_PORT = 5060
NIGHT = "night"
"""The phone where callers arrive that the fallback's last step sends on."""
_PLACES = f"""
[callrouter-fallback-user]
exten => _[a-z0-9]!,1,Dial(PJSIP/{NIGHT},60)
 same => n,Hangup()
"""
DEAF_FOR = 20
"""Seconds without audio after which a trunk's call ends. No trunk is cut for so long."""
_RTP = "[general]\nrtpstart=20000\nrtpend=29999\nicesupport=no\n"
"""A machine has all ports to itself. Of several voices at one port, Asterisk takes the one that was announced
(`strictrtp`, its default): the voice of a call that died with another Asterisk must not get into the next one."""
_MANAGER = MANAGER.replace("permit = 127.0.0.1/255.255.255.255", "permit = 10.77.0.0/255.255.0.0")


@dataclass
class Exchange:
    """A server, its phones, and what the account must know of its life.

    Attributes:
        gone: calls at phones that this Asterisk took with it when it died, by object id.
        ends: when it died and when it was back (`time.monotonic`).
    """

    machine: Machine
    asterisk: Asterisk
    phones: dict[str, Phone] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    ends: list[tuple[float, float]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.machine.name

    @property
    def desks(self) -> list[Phone]:
        """The agents' phones."""
        return [phone for name, phone in self.phones.items() if name.isdigit()]

    @property
    def away(self) -> bool:
        return bool(self.ends) and self.ends[-1][1] == math.inf

    def dialogs(self) -> Iterator[Dialog]:
        """Every call at any of its phones that has not ended."""
        for phone in self.phones.values():
            yield from phone.dialogs

    async def call(self, number: str) -> Dialog:
        """A caller comes in here, into the queue."""
        return await self.machine.run(self.phones["caller"].call("support", caller_number=number))

    def die(self) -> None:
        """The process and every call with it."""
        self.ends.append((time.monotonic(), math.inf))
        self.gone |= {id(dialog) for dialog in self.dialogs()}
        self.asterisk.kill()

    async def be_born_again(self) -> None:
        """Start it again; the phones hear nothing more of their calls, and register again."""
        for dialog in list(self.dialogs()):
            if id(dialog) in self.gone:
                dialog.vanish()
        await self.machine.run(self.asterisk.restart())
        await self.machine.run(self._register())
        self.ends[-1] = (self.ends[-1][0], time.monotonic())

    async def _register(self) -> None:
        for phone in [*self.desks, self.phones[NIGHT], self.phones["carrier"]]:
            for last in (False, False, True):
                try:
                    await phone.register()
                    break
                except RegistrationFailedError:
                    if last:
                        raise

    def was_away(self, at: float) -> bool:
        """Whether it was dead at a moment, or about to be."""
        return any(began - 1.0 <= at <= ended for began, ended in self.ends)

    async def channels(self) -> list[str]:
        """The channels that it has, by its own console, but for the shells of dead ones."""
        text = await self.machine.run(self.asterisk.cli("core show channels concise"))
        return [line for line in text.splitlines() if "!" in line and not is_dead_shell(line)]

    async def close(self) -> None:
        await close_phones(self.phones.values())
        await self.asterisk.stop(graceful=False)


async def start_exchange(
    install: Install,
    machine: Machine,
    numbers: Sequence[str],
    others: Sequence[Machine],
    clock_off: int,
) -> Exchange:
    """Start it with its phones; all are registered. Its wall clock is so many seconds off."""
    clock = [f"{name}={value}" for name, value in environ(clock_off).items()]
    here = replace(install, command=(*machine.launch(), "/usr/bin/env", *clock, *install.command))

    async def start() -> Exchange:
        asterisk = await Asterisk.start(
            here,
            phones=(*numbers, NIGHT),
            dialplan=DIALPLAN + _PLACES,
            manager=_MANAGER,
            manager_host="0.0.0.0",
            pjsip=_trunks(machine, others),
            files=(("rtp.conf", _RTP),),
        )
        made = Exchange(machine, asterisk)
        try:
            wanted, pace = asterisk.options, Pace(first=5, every_s=0.5)
            made.phones |= await start_phones(asterisk, [*wanted.phones, wanted.carrier], pace=pace)
            made.phones |= await start_phones(asterisk, wanted.callers, register=False, pace=pace)
        except BaseException:
            await made.close()
            raise
        return made

    return await machine.run(start())


def _trunks(machine: Machine, others: Sequence[Machine]) -> str:
    parts = [
        f"[trunks]\ntype=transport\nprotocol=udp\nbind={machine.address}:{TRUNK_PORT}\n",
        *(
            f"[{other.name}]\ntype=endpoint\ncontext=lab-phones\ntransport=trunks\ndisallow=all\n"
            f"allow=ulaw\ndirect_media=no\nrtp_symmetric=yes\ntrust_id_inbound=yes\naors={other.name}\n"
            f"rtp_timeout={DEAF_FOR}\n"
            f"[{other.name}]\ntype=aor\ncontact=sip:{other.address}:{TRUNK_PORT}\n"
            "qualify_frequency=2\nqualify_timeout=1\n"
            f"[{other.name}-address]\ntype=identify\nendpoint={other.name}\nmatch={other.address}\n"
            for other in others
        ),
    ]
    return "\n".join(parts)


async def emptied(exchanges: Sequence[Exchange], within: float) -> list[str]:
    """The channels that are left once all had time to hang up."""
    end = time.monotonic() + within
    while True:
        left = [
            f"{exchange.name}: {line}"
            for exchange in exchanges
            for line in await exchange.channels()
        ]
        if not left or time.monotonic() > end:
            return left
        await asyncio.sleep(0.2)
