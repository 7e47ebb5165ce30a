"""People at phones: codes, digits and callers' numbers, from Asterisk's bytes to what is written back."""

from __future__ import annotations

import asyncio
import logging
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

from argon2 import PasswordHasher

from callrouter.core.invariants import check
from callrouter.feature_codes import FeatureCodes
from callrouter.model.ivr import CallNumber, PhoneEvent, Say
from callrouter.pbx.asterisk.ami import AmiBadValue, AmiGarbage
from callrouter.pbx.asterisk.ami.messages import parse
from callrouter.pbx.asterisk.ami.wire import MessageSplitter, guard
from callrouter.pbx.asterisk.dialogues import AsteriskDialogues
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter
from callrouter.settings import Settings
from tests.feature_codes.channels import Channels
from tests.fuzz.quiet import quiet
from tests.mobiles.floor import PBX, Floor
from tests.mobiles.mobile_invariants import check as check_mobiles
from tests.settings.cases import loaded

_DIAL = "PJSIP/{number}@carrier"
_PIN = "2718281"
_AGENTS = """
agents:
  alice: {{pin: "{pin}", devices: {{desk: PJSIP/1001}}}}
  bob: {{pin: "{pin}", devices: {{desk: PJSIP/1002, cell: {{number: "+447400999999"}}}}}}
"""
_TO_BE_WRITTEN = {
    "CALLROUTER_SAY": r"[a-z0-9/&_-]{0,900}",
    "CALLROUTER_LANGUAGE": r"[A-Za-z_-]*",
    "CALLROUTER_MOST": r"[0-9]{1,2}",
    "CALLROUTER_SECONDS": r"[0-9]+\.[0-9]",
}


class _Sent:
    """What would be written, after the guard that everything passes."""

    def __init__(self) -> None:
        self.actions: list[Mapping[str, Any]] = []
        self.channels = Channels()

    def send(self, *actions: Mapping[str, Any]) -> None:
        for action in actions:
            with suppress(AmiBadValue):  # what Asterisk itself would never have sent
                self.actions.append(guard(action))

    def write(self, steps: Sequence[tuple[Mapping[str, Any], Any]]) -> None:
        self.send(*self.channels.answer(steps))

    def complain(self, text: str, hint: str = "") -> None:
        raise AssertionError((text, hint))

    def check(self) -> None:
        for action in self.actions:
            match action:
                case {"Action": "Originate", "Channel": channel}:
                    assert re.fullmatch(r"PJSIP/[1-9][0-9]{6,14}@carrier", channel)
                case {"Action": "Setvar", "Variable": name, "Value": value}:
                    assert re.fullmatch(_TO_BE_WRITTEN[name], value)
                case {"Action": "Redirect" | "Hangup"}:
                    pass
                case _:
                    raise AssertionError(action)


class _Speaking:
    """The floor's PBX, with Asterisk's way of talking to people."""

    def __init__(self, people: AsteriskDialogues) -> None:
        self._dialogues = people

    def report_phone_events(self, report: Callable[[Any], None]) -> None:
        self._dialogues.listen(report)

    def say(self, command: Say) -> None:
        self._dialogues.say(command)

    def call_number(self, command: CallNumber) -> None:
        self._dialogues.call_number(command)


async def _take(data: bytes, settings: Settings) -> None:
    splitter, sent, floor = MessageSplitter(limit=4096), _Sent(), Floor(settings)
    try:
        messages = [parse(raw.lstrip(b"\r\n")) for raw in splitter.feed(_GREETING + data)]
    except AmiGarbage:
        await floor.close()
        return
    people = AsteriskDialogues("office", cast("ActionWriter", sent), _DIAL, "")
    speaking = _Speaking(people)
    feature_codes = FeatureCodes(
        board=floor.world.runtime.router.board,
        post=floor.world.runtime.post,
        pins=lambda: settings.pins,
        clock=floor.world.clock,
        tasks=floor.tasks,
        mobiles=floor.mobiles,
    )
    feature_codes.attach("office", speaking)
    floor.world.runtime.pbxes["office"] = _Both(floor.pbx, speaking)

    def heard(event: PhoneEvent) -> None:
        if not floor.mobiles.handle_phone_event(event):
            feature_codes.handle(event)

    people.listen(heard)
    for message in messages:
        sent.channels.sends(message)
        people.handle(message)
        async with asyncio.timeout(20):
            while len(floor.tasks):  # noqa: ASYNC110 - a PIN is looked up in a thread
                await asyncio.sleep(0)
        check_mobiles(floor.mobiles._registrar)
    people.link_lost()
    sent.check()
    assert len(sent.actions) <= 6 * len(messages) + 6
    assert feature_codes.status()["conversations"] == 0
    assert check(floor.world.floor) == []
    assert floor.world.runtime.faults == floor.tasks.failed == 0
    await floor.close()


class _Both:
    """The PBX of the API's tests, which also speaks."""

    def __init__(self, pbx: Any, speaking: _Speaking) -> None:
        self._pbx, self._speaking = pbx, speaking

    def __getattr__(self, name: str) -> Any:
        return getattr(self._speaking, name, None) or getattr(self._pbx, name)


@asynccontextmanager
async def opened() -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    """A call centre whose agents have PINs and may register mobiles."""
    pin = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(_PIN)
    with tempfile.TemporaryDirectory(prefix="callrouter-fuzz-") as folder:
        settings = loaded(Path(folder), pbx=PBX, agents=_AGENTS.format(pin=pin))

        async def knock(data: bytes) -> None:
            with quiet(logging.ERROR, secrets=(_PIN, "7400123456")):
                await _take(data, settings)

        yield knock


_GREETING = b"Asterisk Call Manager/9.0\r\n"


def _user_event(name: bytes, uid: bytes, *headers: bytes) -> bytes:
    lines = (b"Event: UserEvent", b"UserEvent: " + name, b"Uniqueid: " + uid, *headers, b"", b"")
    return b"\r\n".join(lines)


def _code(uid: bytes, code: bytes, phone: bytes, number: bytes = b"1001") -> bytes:
    channel = b"Channel: PJSIP/" + phone + b"-0000002a"
    return _user_event(b"CallrouterCode", uid, channel, b"Code: " + code, b"Number: " + number)


def _keyed(uid: bytes, digits: bytes) -> bytes:
    return _user_event(b"CallrouterKeyed", uid, b"Digits: " + digits)


SEEDS = [
    *(_code(b"1.1", b"*4%d" % n, b"1001") for n in range(5, 10)),
    _code(b"1.2", b"*45", b"carrier", b"+447400123456") + _keyed(b"1.2", b"1002"),
    _keyed(b"1.2", _PIN.encode()),
    _keyed(b"1.2", b"1234"),
    _code(b"1.3", b"*48", b"1001") + _keyed(b"1.3", b"07400123456"),
    _code(b"1.4", b"*48", b"carrier", b"+447400123456")
    + _keyed(b"1.4", b"1001")
    + _keyed(b"1.4", _PIN.encode()),
    b"Event: Hangup\r\nUniqueid: 1.3\r\nCause: 16\r\n\r\n",
    _user_event(b"CallrouterNumber", b"crn-verify-1"),
    _keyed(b"crn-verify-1", b"123456"),
]
