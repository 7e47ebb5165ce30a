"""`callrouter` with a PBX that plays the scene given in ``CALLROUTER_FAKE`` (JSON).

``{"in_step": true, "calls": [["c1", "support", "+44…", "name"], …], "hang": false, "beat": 0}``
``"found": [["c1", "support"]]`` are callers who wait already. With ``"parks": true`` it holds callers. With ``"talk": 1.5`` every phone that rings is picked up, and the caller hangs up after that many seconds; with
``"rings": true`` phones ring, and nobody picks up. Comparisons are told in the log.

``"after"`` is a folder whose files make things happen, each once, when it appears: ``call`` (a caller, with the
file's text as id), ``fault`` (the core fails on the next event), ``hold`` (the loop is held up for as many seconds
as the file says), ``spoil`` (an agent is left in a wrap-up that nothing ends). ``clock`` stays: seconds by which the
system's clock is off.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import callrouter.daemon.main as daemon
from callrouter.cli.main import main
from callrouter.core.router import Router
from callrouter.model.commands import Connect, PbxCommand, Ring
from callrouter.model.events import (
    CallArrived,
    CallerLeft,
    ConnectSucceeded,
    DeviceState,
    Event,
    LegAccepted,
    LegEnd,
    LegEnded,
    LegRang,
    PbxSnapshot,
    SeenCall,
)
from callrouter.model.ivr import (
    CallNumber,
    DigitsKeyed,
    NumberAnswered,
    PersonLeft,
    PhoneEvent,
    Say,
)
from callrouter.model.notices import Output
from callrouter.model.routing_table import Table
from callrouter.pbx.interface import Authority, DeviceBoard, PbxHealth, Post
from callrouter.settings import PbxSettings

THINGS = ("fault", "hold", "spoil", "call")
SCENE = json.loads(os.environ.get("CALLROUTER_FAKE", "{}"))


class ScenePbx:
    def __init__(
        self,
        settings: PbxSettings,
        post: Post,
        table: Table,
        run_id: str,
        _board: DeviceBoard,
        _authority: Authority,
    ) -> None:
        assert run_id
        self.name = settings.id
        self.post = post
        self.table = table
        self.up = False

    def health(self) -> PbxHealth:
        return PbxHealth(up=self.up, detail="a scene")

    def use(self, table: Table) -> None:
        self.table = table

    def resync(self, why: str) -> None:
        logging.getLogger("scene").info("compared: %s", why)

    async def act(self) -> None:
        """Do what the files say."""
        folder = Path(SCENE["after"])
        while True:
            await asyncio.sleep(0.02)
            for what in THINGS:
                with suppress(OSError):
                    text = (folder / what).read_text()
                    (folder / what).unlink()
                    self.do(what, text)

    def do(self, what: str, text: str) -> None:
        match what:
            case "call":
                self.post(CallArrived(call=text, pbx=self.name, queue="support"))
            case "fault":
                fail_once()
            case "hold":
                hold_everybody_up(float(text))
            case _:
                ROUTERS[0].floor.agents[text].wrap_until = time.time() + 3600.0

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        loop = asyncio.get_running_loop()
        for command in commands if {"talk", "rings"} & SCENE.keys() else ():
            match command:
                case Ring(offer=offer, device=device) if "rings" in SCENE:
                    loop.call_soon(self.post, LegRang(offer=offer, device=device))
                case Ring(offer=offer, device=device):
                    loop.call_soon(self.post, LegAccepted(offer=offer, device=device))
                case Connect(call=call, offer=offer, device=device):
                    loop.call_soon(self.post, ConnectSucceeded(call=call, offer=offer))
                    loop.call_later(SCENE["talk"], self.post, CallerLeft(call=call))
                    ended = LegEnded(offer=offer, device=device, why=LegEnd.HUNG_UP)
                    loop.call_later(SCENE["talk"] + 0.01, self.post, ended)
                case _:
                    pass

    async def run(self) -> None:
        if SCENE.get("in_step", True):
            phones = {
                device.endpoint: DeviceState.IDLE
                for agent in self.table.agents.values()
                for device in agent.devices
            }
            self.up = True
            can_hold = bool(SCENE.get("parks"))
            found = tuple(
                SeenCall(arrived=CallArrived(call=call, pbx=self.name, queue=queue, entered_at=1.0))
                for call, queue in SCENE.get("found", ())
            )
            self.post(PbxSnapshot(pbx=self.name, calls=found, endpoints=phones, can_hold=can_hold))
        for call, queue, number, name in SCENE.get("calls", ()):
            self.post(
                CallArrived(
                    call=call, pbx=self.name, queue=queue, caller_number=number, caller_name=name
                )
            )
        if "after" in SCENE:
            await self.act()
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if not SCENE.get("hang"):
                    raise


class TalkingPbx(ScenePbx):
    """Also has a phone in the world outside: it answers, and keys in what the file ``keys`` says."""

    def report_phone_events(self, report: Callable[[PhoneEvent], None]) -> None:
        self.heard = report

    def call_number(self, command: CallNumber) -> None:
        answered = NumberAnswered(pbx=self.name, ref=command.ref, channel=command.ref)
        asyncio.get_running_loop().call_soon(self.heard, answered)

    def say(self, command: Say) -> None:
        self.key(command.channel, ask=bool(command.read))

    def key(self, channel: str, *, ask: bool) -> None:
        loop = asyncio.get_running_loop()
        keys = Path(SCENE["keys"])
        if not ask:
            loop.call_soon(self.heard, PersonLeft(pbx=self.name, channel=channel))
        elif keys.exists():
            keyed = DigitsKeyed(pbx=self.name, channel=channel, digits=keys.read_text())
            loop.call_soon(self.heard, keyed)
        else:
            loop.call_later(0.05, partial(self.key, channel, ask=True))


ROUTERS: list[Router] = []
"""The one there is."""
_real_init = Router.__init__


def _init(self: Router, *given: Any, **named: Any) -> None:
    _real_init(self, *given, **named)
    ROUTERS.append(self)


Router.__init__ = _init  # type: ignore[method-assign]


def fail_once() -> None:
    real = Router.handle

    def failing(
        self: Router, event: Event, now: float, clock_now: float | None = None
    ) -> list[Output]:
        Router.handle = real  # type: ignore[method-assign]
        raise ZeroDivisionError(f"a fault of the test on {type(event).__name__}")

    Router.handle = failing  # type: ignore[method-assign]


def hold_everybody_up(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(1000))


if "after" in SCENE:
    _real_time, _clock = time.time, Path(SCENE["after"]) / "clock"
    time.time = lambda: _real_time() + (float(_clock.read_text()) if _clock.exists() else 0.0)
kwdefaults = daemon.run.__kwdefaults__
assert kwdefaults is not None
kwdefaults["make"] = TalkingPbx if "keys" in SCENE else ScenePbx
sys.argv[0] = "callrouter"
main()
