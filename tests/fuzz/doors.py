"""The doors at which strangers' bytes come in, each as a function of bytes that must never fail.

A door takes any bytes, and raises `AssertionError` when something is wrong beyond being refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re

from callrouter.core.check import check
from callrouter.core.router import Router
from callrouter.model.commands import Ring
from callrouter.model.events import Event, PbxSnapshot, Reached, SignedIn
from callrouter.pbx.asterisk import survey
from callrouter.pbx.asterisk.channels import Caller, LegChannel
from callrouter.pbx.asterisk.errors import AmiBadValue, AmiGarbage
from callrouter.pbx.asterisk.mirror import Mirror
from callrouter.pbx.asterisk.orders import originate
from callrouter.pbx.asterisk.wire import Splitter, guard, parse
from tests.core.tables import agent, desk, queue, table

PBX = "office"
DIAL = "PJSIP/{number}@carrier"


class Heard:
    """Takes what a mirror finds to a real core, and guards every Originate that follows."""

    def __init__(self) -> None:
        spec = table(agent("ann", desk("ann")), queue("support", "ann"))
        self.now = 1_700_000_000.0
        self.router = Router(spec, dice=random.Random(1), boot="b", now=self.now)
        self.mirror = Mirror(PBX, self)
        self.mirror.phones.watched = frozenset({"PJSIP/ann"})
        self.post(PbxSnapshot(pbx=PBX, endpoints={"PJSIP/ann": Reached.IDLE}))
        self.post(SignedIn(agent="ann"))

    def post(self, event: Event) -> None:
        self.now += 0.01
        for command in self.router.handle(event, self.now):
            if isinstance(command, Ring):
                with contextlib.suppress(AmiBadValue):
                    action = guard(originate(command, DIAL))
                    assert not re.search(r"[\r\n\0]", repr(list(action.values())).replace("\\", ""))

    # Nothing is written here.
    def taken(self, caller: Caller) -> None: ...
    def look_at(self, caller: Caller) -> None: ...
    def stop_now(self, leg: LegChannel) -> None: ...
    def gone_unless_moved(self, leg: LegChannel) -> None: ...
    def stray(self, uid: str) -> None: ...
    def forwarded(self, uid: str) -> None: ...
    def unheard(self, uid: str) -> None: ...


def ami(data: bytes) -> None:
    """What Asterisk sends, from the socket to the core's decisions."""
    splitter, heard = Splitter(limit=4096), Heard()
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
        heard.mirror.handle(message)
    survey.take_in(heard.mirror, rows, [], anew=bool(len(rows) % 2))
    heard.post(survey.snapshot(heard.mirror))
    assert check(heard.router.floor) == []


async def http(data: bytes, port: int) -> None:
    """What comes in at the HTTP port: always an answer or a closed door, never a fault of ours."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(5):
            answer = await reader.read(65536)
    except ConnectionError:
        return
    finally:
        writer.close()
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    assert found is None or found[1] != b"500", data


AMI_SEEDS = [
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
HTTP_SEEDS = [
    b"GET /api/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer supervisor-token-1\r\n\r\n",
    b"GET /api/calls?limit=5 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer supervisor-token-1\r\n\r\n",
    (
        b"POST /api/agents/ann/pause HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer supervisor-token-1\r\n"
        b'Content-Length: 18\r\n\r\n{"reason":"lunch"}'
    ),
    (
        b"POST /api/calls/c1/move HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer supervisor-token-1\r\n"
        b'Transfer-Encoding: chunked\r\n\r\n10\r\n{"queue":"sales"\r\n1\r\n}\r\n0\r\n\r\n'
    ),
    (
        b"GET /api/agents/%2e%2e%00/why-not HTTP/1.1\r\nHost: x\r\n"
        b"Authorization: Bearer supervisor-token-1\r\n\r\n"
    ),
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
]
_TOKENS = [
    b"\r\n", b"\r\n\r\n", b"\n", b"\0", b"\xff\xfe", b": ", b"Event: ", b"Uniqueid: 1.1", b"cr-b-1-desk",
    b"(null)", b"nan", b"inf", b"-1", b"9" * 400, "\u2028".encode(), "\u202e".encode(), b"=", b"%00",
    b"{" * 300, b"[" * 2000, b'"', b"\\", b"A" * 5000, b"support", b"../", b"Content-Length: 99999999",
]  # fmt: skip


def mutated(seeds: list[bytes], dice: random.Random) -> bytes:
    """Something like what comes in, and not quite."""
    data = bytearray(b"".join(dice.choices(seeds, k=dice.randint(1, 5))))
    for _ in range(dice.randint(0, 6)):
        at, size = dice.randrange(len(data) + 1), dice.randint(0, 12)
        match dice.randrange(5):
            case 0:
                data[at : at + size] = b""
            case 1:
                data[at:at] = dice.choice(_TOKENS)
            case 2:
                data[at : at + size] = dice.choice(_TOKENS)
            case 3:
                data[at : at + size] = dice.randbytes(size)
            case _:
                data[at:at] = data[max(0, at - 80) : at]
    return bytes(data[:20_000])
