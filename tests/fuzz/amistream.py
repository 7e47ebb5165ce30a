"""What Asterisk sends, from the socket to the core's decisions and what is written back."""

from __future__ import annotations

import contextlib
import random
import re

from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.model.commands import Ring
from callrouter.model.events import DeviceState, Event, PbxSnapshot, SignedIn
from callrouter.pbx.asterisk.ami import AmiBadValue, AmiGarbage
from callrouter.pbx.asterisk.ami.messages import parse
from callrouter.pbx.asterisk.ami.wire import MessageSplitter, guard
from callrouter.pbx.asterisk.execution.actions import originate
from callrouter.pbx.asterisk.tracking import channel_lists
from callrouter.pbx.asterisk.tracking.channels import CallerChannel, ContactFork, LegChannel
from callrouter.pbx.asterisk.tracking.tracker import Tracker
from tests.core.tables import agent, desk, queue, table

PBX = "office"
DIAL = "PJSIP/{number}@carrier"


class Heard:
    """Takes what a mirror finds to a real core, and guards every Originate that follows."""

    def __init__(self) -> None:
        spec = table(agent("ann", desk("ann")), queue("support", "ann"))
        self.now = 1_700_000_000.0
        self.router = Router(spec, rng=random.Random(1), run_id="b", now=self.now)
        self.tracker = Tracker(PBX, self, own_phones=lambda _agent: frozenset())
        self.tracker.phones.use(spec.agents["ann"].devices)
        self.post(PbxSnapshot(pbx=PBX, endpoints={"PJSIP/ann": DeviceState.IDLE}))
        self.post(SignedIn(agent="ann"))

    def post(self, event: Event) -> None:
        self.now += 0.01
        for command in self.router.handle(event, self.now):
            if isinstance(command, Ring):
                with contextlib.suppress(AmiBadValue):
                    action = guard(originate(command, DIAL))
                    assert not re.search(r"[\r\n\0]", repr(list(action.values())).replace("\\", ""))

    # Nothing is written here.
    def acknowledge(self, caller: CallerChannel) -> None: ...
    def find_caller(self, caller: CallerChannel) -> None: ...
    def stop_leg(self, leg: LegChannel) -> None: ...
    def end_leg_unless_picked_up(self, leg: LegChannel) -> None: ...
    def end_leg_unless_created(self, leg: LegChannel) -> None: ...
    def hang_up_stray(self, uid: str) -> None: ...
    def stop_silent_legs(self, fork: ContactFork) -> None: ...
    def release_leg(self, leg: LegChannel) -> None: ...
    def hang_up_if_forwarded(self, uid: str) -> None: ...
    def unknown_caller(self, uid: str) -> None: ...

    def expect_in_dialplan(self, person: str) -> None: ...

    def leave_instead(self, left: str, person: str) -> None: ...

    def back_from_fallback(self, uid: str) -> None: ...


def take(data: bytes) -> None:
    """One stream of Asterisk's."""
    splitter, heard = MessageSplitter(limit=4096), Heard()
    try:
        messages = splitter.feed(b"Asterisk Call Manager/9.0\r\n" + data[: len(data) // 2])
        messages += splitter.feed(data[len(data) // 2 :])
    except AmiGarbage:
        return
    rows = []
    for raw in messages:
        message = parse(raw.lstrip(b"\r\n"))
        if message.name == "Status":
            rows.append(message)
        heard.tracker.handle(message)
    channel_lists.apply_lists(heard.tracker, rows, [], {}, after_gap=bool(len(rows) % 2))
    heard.post(channel_lists.snapshot(heard.tracker))
    assert check(heard.router.floor) == []


SEEDS = [
    (
        b"Event: UserEvent\r\nUserEvent: CallrouterCall\r\nUniqueid: 1.1\r\nChannel: PJSIP/c-1\r\n"
        b"CallerIDNum: 447\r\nCallerIDName: Bob\r\nCallQueue: support\r\nCallEntered: 1700000000.1\r\n"
        b"CallPriority: 50\r\nCallAgent: ann\r\nCallTag: x\r\nCallCalled: 1\r\n\r\n"
    ),
    (
        b"Event: Newchannel\r\nChannel: PJSIP/ann-1\r\nUniqueid: cr-b-1-desk\r\n\r\n"
        b"Event: Newstate\r\nUniqueid: cr-b-1-desk\r\nChannelStateDesc: Ringing\r\n\r\n"
        b"Event: UserEvent\r\nUserEvent: CallrouterAccepted\r\nUniqueid: cr-b-1-desk\r\nOffer: b-1\r\n"
        b"Device: desk\r\n\r\nEvent: BridgeEnter\r\nUniqueid: 1.1\r\nBridgeUniqueid: q\r\n\r\n"
        b"Event: BridgeLeave\r\nUniqueid: 1.1\r\nBridgeUniqueid: q\r\n\r\n"
    ),
    (
        b"Event: Hangup\r\nUniqueid: cr-b-1-desk\r\nCause: 26\r\nTechCause: 487\r\n\r\n"
        b"Event: HangupRequest\r\nUniqueid: 1.1\r\nCause: 16\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1\r\n\r\n"
    ),
    (
        b"Event: Rename\r\nUniqueid: cr-b-1-desk\r\nNewname: PJSIP/bob-2\r\n\r\n"
        b"Event: OriginateResponse\r\nActionID: cr-b-1-desk\r\nResponse: Failure\r\nReason: 0\r\n\r\n"
        b"Event: DeviceStateChange\r\nDevice: PJSIP/ann\r\nState: INUSE\r\n\r\n"
    ),
    (
        b"Event: Status\r\nChannel: PJSIP/c-1\r\nUniqueid: 1.1\r\nContext: callrouter-hold\r\n"
        b"Variable: CALLROUTER_STATE=waiting\r\nVariable: CALLROUTER_QUEUE=support\r\n"
        b"Variable: CALLROUTER_ENTERED=1700000000.0\r\nVariable: CALLROUTER_CALL=(null)\r\n\r\n"
    ),
    (
        b"Event: BlindTransfer\r\nTransfererUniqueid: cr-b-1-desk\r\nExtension: 1\r\nContext: x\r\n\r\n"
        b"Event: AttendedTransfer\r\nOrigTransfererUniqueid: cr-b-1-desk\r\nDestType: Bridge\r\n\r\n"
        b"Event: MusicOnHoldStop\r\nUniqueid: 1.1\r\n\r\n"
    ),
]
