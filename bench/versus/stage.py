"""The shared setup of all systems: one Asterisk, the agents' phones, one phone for all callers."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.versus.work import ANSWER_AFTER, Call, call_of, number_of
from callrouter import resources
from callrouter.lab import (
    Answer,
    Asterisk,
    Behaviour,
    Dialog,
    Install,
    Phone,
    RingOnly,
    close_phones,
    start_phones,
)

FIRST_PHONE = 1001
_LAB_IN = """
exten => app_queue,1,Answer(,i)
 same => n,Queue(bench)
 same => n,Hangup()
exten => floor,1,UserEvent(FloorCall)
 same => n,Answer(,i)
 same => n,StartMusicOnHold()
 same => n,Wait(3600)
 same => n,Hangup()
exten => callrouter,1,Goto(callrouter,bench,1)
"""
_FLOOR = """
[floor]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = call,user
write = originate
eventfilter = Event: (UserEvent|Hangup)[^A-Za-z]
"""
_QUEUE = """
[{name}]
strategy = {strategy}
timeout = 15
retry = 1
wrapuptime = 0
autofill = yes
ringinuse = no
autopause = no
joinempty = yes
leavewhenempty = no
announce-frequency = 0
periodic-announce-frequency = 0
"""
_LOGGER = "[general]\nqueue_log = yes\n[logfiles]\nfull => notice,warning,error\n"
"""Asterisk's default: no verbose lines, which would cost most where the dialplan is longest."""


class QuietError(RuntimeError):
    """Channels that should have gone were left on Asterisk."""


@dataclass(frozen=True, slots=True)
class Size:
    """The number of agents; `ring_all` are the sizes of the groups that ring together."""

    agents: int
    ring_all: tuple[int, ...]

    @property
    def phones(self) -> list[str]:
        """Every phone, the agents' first."""
        most = max((self.agents, *self.ring_all))
        return [str(FIRST_PHONE + n) for n in range(most)]


@dataclass
class Stage:
    """The running Asterisk and its phones.

    `talk` is the duration of the call with a given index, `databases` has the address of each system that needs one,
    and what is in `kept` is closed at the end of the run.
    """

    asterisk: Asterisk
    size: Size
    folder: Path
    secret: str
    phones: dict[str, Phone]
    callers: Phone
    talk: dict[int, float] = field(default_factory=dict)
    placed: int = 0
    databases: dict[str, str] = field(default_factory=dict)
    kept: ExitStack = field(default_factory=ExitStack)

    @property
    def agents(self) -> list[Phone]:
        """The phones of the agents of the one queue."""
        return [self.phones[name] for name in self.size.phones[: self.size.agents]]

    async def call(self, target: str, call: Call) -> Dialog:
        """Place a call. The agent who answers talks for as long as the call says."""
        index, self.placed = self.placed, self.placed + 1
        self.talk[index] = call.talk
        return await self.callers.call(target, caller_number=number_of(index))

    def everybody(
        self,
        behaviour: Callable[[Dialog], Behaviour] | Behaviour,
        on_change: Callable[[Phone, Dialog, str], None] | None = None,
    ) -> None:
        """Set what every phone does from now on when it is rung, and drop its past calls."""
        for phone in self.phones.values():
            phone.behaviour, phone.on_change = behaviour, on_change
            phone.incoming.clear()

    def at_work(self) -> None:
        """Let every phone answer, talk for as long as the call needs, and hang up."""
        self.everybody(self._answer)

    def _answer(self, dialog: Dialog) -> Behaviour:
        index = call_of(dialog.peer_number)
        talk = self.talk.get(index) if index is not None else None
        return Answer(after=ANSWER_AFTER, talk=talk) if talk is not None else RingOnly()

    async def clear(self) -> None:
        """Hang up the callers, then all other calls; returns when Asterisk has no channel left.

        The callers come first: to callrouter, an agent who hangs up at once has refused, and is
        left alone for some seconds.

        Raises:
            QuietError: some are still there after 10 s.
        """
        await _hang_up([self.callers])
        legs = [leg for phone in self.phones.values() for leg in phone.dialogs]
        with suppress(TimeoutError):
            await asyncio.gather(*(leg.wait_ended(1.0) for leg in legs))
        await _hang_up(self.phones.values())
        left: list[str] = []
        for _ in range(200):
            # A Surrogate is what Asterisk keeps of a channel it moved into a bridge. It may go or
            # stay.
            text = await self.asterisk.cli("core show channels concise")
            left = [line for line in text.splitlines() if "!" in line and "Surrogate/" not in line]
            if not left:
                break
            await asyncio.sleep(0.05)
        else:
            raise QuietError(f"{len(left)} channels are left on Asterisk: {left[0][:60]} …")
        self.callers.outgoing.clear()
        self.talk.clear()


async def _hang_up(phones: Iterable[Phone]) -> None:
    dialogs = [dialog for phone in phones for dialog in phone.dialogs]
    await asyncio.gather(*(dialog.bye() for dialog in dialogs), return_exceptions=True)


@asynccontextmanager
async def stage(install: Install, size: Size) -> AsyncIterator[Stage]:
    """Start Asterisk and the phones, and stop all of it at the end."""
    secret = secrets.token_hex(8)
    ours = resources.folder("dialplan")
    manager = (ours / "manager_callrouter.conf").read_text()
    with tempfile.TemporaryDirectory(prefix="cr-bench-") as place:
        asterisk = await Asterisk.start(
            install,
            phones=tuple(size.phones),
            dialplan=(ours / "extensions_callrouter.conf").read_text(),
            manager=manager.replace("change-me", secret) + _FLOOR.format(secret=secret),
            lab_in=_LAB_IN + "".join(map(_ring_all_entry, size.ring_all)),
            files=(("queues.conf", queues(size)), ("logger.conf", _LOGGER)),
        )
        phones: dict[str, Phone] = {}
        try:
            phones |= await start_phones(asterisk, size.phones)
            phones |= await start_phones(asterisk, ["caller"], register=False)
            callers = phones.pop("caller")
            here = Stage(asterisk, size, Path(place), secret, phones, callers)
            with here.kept:
                yield here
            phones["caller"] = callers
        finally:
            await close_phones(phones.values())
            await asterisk.stop(graceful=False)


def _ring_all_entry(size: int) -> str:
    return (
        f"exten => app_queue-{size},1,Answer(,i)\n same => n,Queue(bench-{size})\n same => n,Hangup()\n"
        f"exten => callrouter-{size},1,Goto(callrouter,bench-{size},1)\n"
    )


def queues(size: Size) -> str:
    """Return app_queue's configuration."""
    text = "[general]\npersistentmembers = no\nautofill = yes\n"
    groups = [("bench", "rrmemory", size.agents)]
    groups += [(f"bench-{count}", "ringall", count) for count in size.ring_all]
    for name, strategy, count in groups:
        text += _QUEUE.format(name=name, strategy=strategy)
        text += "".join(f"member => PJSIP/{phone}\n" for phone in size.phones[:count])
    return text
