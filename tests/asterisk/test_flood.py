"""More events than anybody can want: what is remembered of them stays bounded."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from pathlib import Path

import pytest

from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.lab import Install
from callrouter.pbx.asterisk import resync
from callrouter.pbx.asterisk.ami.messages import parse
from callrouter.pbx.asterisk.driver import AsteriskPbx
from callrouter.settings import AsteriskSettings
from tests.asterisk.floor import PBX, Answer, floor, queue, staff, table, tell
from tests.asterisk.genuine import genuine
from tests.asterisk.proxy import proxy
from tests.fuzz.amistream import Heard

EVENTS = (
    "Event: Newchannel\r\nChannel: PJSIP/x{n}-1\r\nUniqueid: 1.{n}\r\n",
    "Event: UserEvent\r\nUserEvent: CallrouterCall\r\nUniqueid: 1.{n}\r\nCallQueue: support\r\n",
    "Event: Newstate\r\nUniqueid: 1.{n}\r\nChannelStateDesc: Up\r\n",
    "Event: UserEvent\r\nUserEvent: CallrouterAccepted\r\nUniqueid: 2.{n}\r\nOffer: o{n}\r\nDevice: d\r\n",
    "Event: Rename\r\nUniqueid: 3.{n}\r\nNewname: PJSIP/y{n}-1\r\n",
    "Event: Hangup\r\nUniqueid: 3.{n}\r\nCause: 16\r\n",
    "Event: Hangup\r\nUniqueid: 1.{n}\r\nCause: 16\r\n",
)


def test_sixty_thousand_events_leave_nothing_in_the_mirror_and_the_core() -> None:
    heard = Heard()
    for n in range(9_000):
        for text in EVENTS:
            heard.tracker.handle(parse(text.format(n=n).encode()))
    assert heard.tracker.callers == {}
    assert heard.tracker.touched == set()
    assert len(heard.tracker.legs) == 0
    floor = heard.router.floor
    assert floor.calls == {}
    assert check(floor) == []
    assert len(floor.departed) < 2_000


async def test_a_flood_before_the_first_comparison_is_not_kept() -> None:
    settings = AsteriskSettings(id=PBX, username="callrouter", secret="x")
    spec = table(staff(1), queue("support", ["a1"]))
    board = Router(spec, rng=random.Random(1), run_id="b").board
    pbx = AsteriskPbx(PBX, settings, post=lambda _: None, table=spec, board=board)
    pbx._on_up()
    message = parse(EVENTS[0].format(n=1).encode())
    for _ in range(resync.MAX_BUFFERED * 2 + 10):
        pbx._on_event(message)
    assert pbx._resync._buffer is not None
    assert len(pbx._resync._buffer) <= resync.MAX_BUFFERED
    assert pbx._resync._once_more


def memory() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


PER_SECOND = 20_000
SECONDS = 10


def chunk(events: int) -> bytes:
    """Half of it nothing that the driver reads, the other half channels that come and go."""
    out = []
    for n in range(events // 4):
        channel, uid = f"Local/x{n}@nowhere-{n:08x};1", f"9.{n}"
        out += [
            genuine("VarSet", uid, channel, "Variable: v", f"Value: {'y' * 200}"),
            genuine("Newchannel", uid, channel),
            genuine("Newexten", uid, channel, "Extension: x", "Application: Wait", "AppData: "),
            genuine("Hangup", uid, channel, "Cause: 16", "Cause-txt: Normal Clearing"),
        ]
    return b"".join(out)


@pytest.mark.asterisk
@pytest.mark.timeout(180)
async def test_a_caller_is_served_in_the_midst_of_a_flood(install: Install) -> None:
    spec = table(staff(2), queue("support", ["a1", "a2"]))
    async with (
        floor(install, spec, router=False) as here,
        proxy(here.lab.asterisk.ami_port) as (between, port),
    ):
        here.port = port
        await here.start()
        here.phone("1001").behaviour = here.phone("1002").behaviour = Answer(after=0.05)
        stats, before, began = here.pbx.client.counters, memory(), time.monotonic()
        part = PER_SECOND // 50
        flood = asyncio.create_task(
            between.flood(chunk(part), every_s=1 / 50, times=SECONDS * PER_SECOND // part)
        )
        waits, served = [], 0
        while not flood.done() or served < 2:
            called = time.monotonic()
            caller = await here.call()
            async with asyncio.timeout(60):
                while not caller.heard & {"1001", "1002"}:  # noqa: ASYNC110 - it is either
                    await asyncio.sleep(0.01)
            waits.append(time.monotonic() - called)
            await caller.bye()
            served += 1
            await asyncio.sleep(1.0)
        await flood
        await here.until(lambda: stats.skipped_events >= SECONDS * PER_SECOND // 2, 60)
        tell(
            f"{stats.skipped_events + stats.events} events in {time.monotonic() - began:.1f} s; {served} "
            f"callers served meanwhile, the slowest within {max(waits):.2f} s; "
            f"memory {(memory() - before) / 2**20:+.1f} MiB"
        )
        assert memory() - before < 64 * 2**20
        await here.until(lambda: here.pbx.in_step, 30)
        await here.quiet(30)
        assert here.pbx.tracker.callers == {}
        assert len(here.pbx.tracker.legs) == 0
        assert here.pbx.health().faults == 0
