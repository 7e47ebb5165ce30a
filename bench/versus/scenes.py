"""What is measured: each scene is one system's turn at one question."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

from bench.versus import results, work
from bench.versus.results import Effort, Results
from bench.versus.stage import Stage
from bench.versus.systems import System, cpu_seconds
from callrouter.lab import Answer, CallEndedError, Dialog, Phone, RingOnly
from callrouter.lab.call_record import Record

_SOON = 5.0
"""Seconds within which an awaited event must happen; otherwise it counts as missing."""

WARM_UP = 3.0
"""Seconds of a backlog before its measured window; by then every agent has had a call."""

_SPACED = 0.02
"""Seconds between the first callers of a backlog, who would otherwise all arrive at once."""


async def _until_ended(dialogs: Sequence[Dialog], within: float) -> None:
    with suppress(TimeoutError):
        await asyncio.gather(*(dialog.wait_ended(within) for dialog in dialogs))


# ---------------------------------------------------------------- (a) a caller arrives, agents are
# idle


async def queued(stage: Stage, system: System, found: Results, calls: int, seed: int) -> None:
    """Measure from a caller's first INVITE to the first at an agent's phone, all agents idle."""
    rng = random.Random(f"{seed} queued")
    sample = found.samples[system.name][results.QUEUED]
    for _ in range(calls):
        # The caller hangs up. If an agent hung up at once, callrouter would treat the phone as
        # unattended.
        rung: asyncio.Future[Dialog] = asyncio.get_running_loop().create_future()
        stage.everybody(Answer(after=work.ANSWER_AFTER), on_change=_first(rung))
        caller = await stage.call(system.entry or system.name, work.Call(0.0, 0.0))
        try:
            async with asyncio.timeout(_SOON):
                leg = await rung
                sample.append((leg.invite_at - caller.invite_at) * 1000)
                await leg.wait_up(_SOON)
        except (TimeoutError, CallEndedError):
            found.missing[system.name][results.QUEUED] += not rung.done()
        await asyncio.sleep(rng.uniform(0.1, 0.2))
        await stage.clear()


def _first(rung: asyncio.Future[Dialog]) -> Callable[[Phone, Dialog, str], None]:
    def changed(_phone: Phone, dialog: Dialog, what: str) -> None:
        if what == "new" and not rung.done():
            rung.set_result(dialog)

    return changed


# ---------------------------------------------------------------- (b), (c), (d) an endless queue


class _Line:
    """Keeps the number of callers constant: each one who leaves is replaced at once."""

    def __init__(self, stage: Stage, system: System, calls: Iterator[work.Call]) -> None:
        self._stage, self._system, self._calls = stage, system, calls
        self._gone: asyncio.Queue[None] = asyncio.Queue()
        stage.callers.on_change = self._changed

    def _changed(self, _phone: Phone, _dialog: Dialog, what: str) -> None:
        if what == "ended":
            self._gone.put_nowait(None)

    async def keep(self, callers: int) -> None:
        """Let `callers` arrive one after the other, then replace each one who leaves, forever."""
        for _ in range(callers):
            await self._come()
            await asyncio.sleep(_SPACED)
        while True:
            await self._gone.get()
            await self._come()

    async def _come(self) -> None:
        await self._stage.call(self._system.entry or self._system.name, next(self._calls))

    def close(self) -> None:
        """Stop new calls."""
        self._stage.callers.on_change = None


async def backlog(
    stage: Stage, system: System, found: Results, waiting: int, seconds: float, seed: int
) -> Effort:
    """Measure for `seconds` with all agents busy and `waiting` more callers than they can take."""
    stage.at_work()
    line = _Line(stage, system, work.endless(seed))
    coming = asyncio.get_running_loop().create_task(line.keep(waiting + stage.size.agents))
    try:
        await asyncio.sleep(WARM_UP + (waiting + stage.size.agents) * _SPACED)
        before, began = _spent(stage, system), time.monotonic()
        await asyncio.sleep(seconds)
        after, ended = _spent(stage, system), time.monotonic()
    finally:
        line.close()
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
    effort = Effort(seconds=ended - began, agent_seconds=(ended - began) * stage.size.agents)
    effort.asterisk, effort.router = after[0] - before[0], after[1] - before[1]
    sample = found.samples[system.name][results.FREED]
    for phone in stage.agents:
        effort.answered += sum(_within(d.answered_at, began, ended) for d in phone.incoming)
        gaps = list(idle(phone.incoming, began, ended))
        effort.idle += sum(min(until, ended) - max(since, began) for since, until in gaps)
        sample += [
            (until - since) * 1000 for since, until in gaps if began <= since and until <= ended
        ]
    found.efforts[system.name][results.BACKLOG].add(effort)
    await stage.clear()
    return effort


def idle(dialogs: Sequence[Record], began: float, ended: float) -> Iterator[tuple[float, float]]:
    """Yield a phone's idle periods within a window, from the end of a call to the next INVITE.

    The last period may extend beyond the window; it then ends at infinity.
    """
    times = [(dialog.invite_at, dialog.ended_at) for dialog in dialogs]
    for (_, since), (until, _) in pairwise([*times, (float("inf"), None)]):
        if since is not None and since < ended and until > began:
            yield since, until


def _within(moment: float | None, began: float, ended: float) -> bool:
    return moment is not None and began <= moment < ended


def _spent(stage: Stage, system: System) -> tuple[float, float]:
    return cpu_seconds(stage.asterisk.pid), cpu_seconds(system.pid)


# ---------------------------------------------------------------- (e) all phones ring, one answers


async def ring_all(
    stage: Stage, system: System, found: Results, size: int, times: int, seed: int
) -> None:
    """Ring a group at once; one agent answers and the other phones are cancelled."""
    rng = random.Random(f"{seed} ring-all {size}")
    group = [stage.phones[name] for name in stage.size.phones[:size]]
    mine = found.samples[system.name]
    for _ in range(times):
        stage.everybody(RingOnly())
        await stage.call(f"{system.entry or system.name}-{size}", work.Call(0.0, 0.0))
        with suppress(TimeoutError):
            await asyncio.gather(*(phone.wait_incoming(1, _SOON) for phone in group))
        await asyncio.sleep(rng.uniform(0.2, 0.4))
        legs = [phone.incoming[0] for phone in group if phone.incoming]
        ringing = [leg for leg in legs if leg.state == "ringing"]
        if len(ringing) < size:
            found.missing[system.name][results.spreading(size)] += 1
            await stage.clear()
            continue
        winner = rng.choice(ringing)
        losers = [leg for leg in legs if leg is not winner]
        answering = time.monotonic()
        with suppress(CallEndedError):
            await winner.answer()
        await _until_ended(losers, _SOON)
        gone = [leg.ended_at for leg in losers if leg.ended_at is not None]
        if len(gone) < len(losers) or winner.answered_at is None:
            found.missing[system.name][results.cancelling(size)] += 1
        else:
            rung = [leg.invite_at for leg in legs]
            mine[results.spreading(size)].append((max(rung) - min(rung)) * 1000)
            mine[results.cancelling(size)].append((max(gone) - answering) * 1000)
        await stage.clear()


# ---------------------------------------------------------------- (f) random arrivals


async def load(
    stage: Stage, system: System, found: Results, share: float, calls: Sequence[work.Call]
) -> Effort:
    """Let callers arrive at random, and measure how long each waited until an agent was heard."""
    stage.at_work()
    names = {phone.name for phone in stage.agents}
    callers: list[Dialog] = []
    before, began = _spent(stage, system), time.monotonic()
    for call in calls:
        await asyncio.sleep(max(0.0, began + call.at - time.monotonic()))
        callers.append(await stage.call(system.entry or system.name, call))
    await _until_ended(callers, 60.0)
    after, ended = _spent(stage, system), time.monotonic()
    effort = Effort(
        seconds=ended - began, asterisk=after[0] - before[0], router=after[1] - before[1]
    )
    sample = found.samples[system.name][results.waited(share)]
    for caller in callers:
        heard = [at for name, at in caller.heard_since.items() if name in names]
        if heard:
            effort.answered += 1
            sample.append((min(heard) - caller.invite_at) * 1000)
        else:
            found.missing[system.name][results.waited(share)] += 1
    found.efforts[system.name][results.waited(share)].add(effort)
    await stage.clear()
    return effort
