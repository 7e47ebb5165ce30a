"""Who calls, as SIP says it: hostile From, P-Asserted-Identity, Contact, Diversion and other headers, by real INVITEs.

Behind the door is a real Asterisk, with a trunk that is known by its address, and a router in this process. Its
state is what Asterisk's own state says, whatever callers write: a caller of ours waits, ann is free, carl has a
break, and none of that may change. Calls to the queue `night` may enter and leave it, and do nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from callrouter.core.agents.agent_availability import status_of
from callrouter.core.invariants import check
from callrouter.lab import find_asterisk
from callrouter.model.call_notices import (
    ConversationStarted,
    DeviceFailed,
    OfferAccepted,
    OfferMade,
)
from callrouter.model.events import PauseRequested
from callrouter.model.notices import AgentPaused, AgentResumed, AgentSignedIn, AgentSignedOut
from callrouter.model.routing_table import KeepWaiting
from tests.asterisk.floor import DIALPLAN, PBX, Floor, desk, person, queue, stage

RATE = 40.0
"""Calls a second: so many that ten thousand take five minutes, and Asterisk is never behind."""
EVERY = 25
"""Calls between two looks at the state."""
WITHIN = 15.0
"""Seconds for the calls of a batch to end, and for comparisons to be over."""

LAB_IN = """
exten => _9.,1,Progress()
 same => n,Wait(0.05)
 same => n,Hangup(17)
exten => night,1,Goto(callrouter,night,1)
exten => code,1,Goto(callrouter-person,*45,1)
"""
_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
_STATUS = re.compile(rb"SIP/2\.0 (\d{3})")
_TO = re.compile(rb"\r\n(?:To|t): ?([^\r]*)", re.IGNORECASE)
_CSEQ = re.compile(rb"\r\nCSeq: ?(\d+) (\w+)", re.IGNORECASE)
_CALL = re.compile(rb"\r\n(?:Call-ID|i): ?([^\r]*)", re.IGNORECASE)
_CHANGES = {
    *(AgentSignedIn, AgentSignedOut, AgentPaused, AgentResumed),
    *(OfferMade, OfferAccepted, ConversationStarted, DeviceFailed),
}

_PREFIX = (
    "Event: {}\r\nPrivilege: call,all\r\nChannel: {channel}\r\nChannelState: 6\r\nChannelStateDesc: Up\r\n"
    "CallerIDNum: 1\r\nCallerIDName: 1\r\nConnectedLineNum: 1\r\nConnectedLineName: 1\r\nLanguage: en\r\n"
    "AccountCode: \r\nContext: {context}\r\nExten: 1\r\nPriority: 1\r\nUniqueid: {uid}\r\nLinkedid: {uid}\r\n"
)
_EVENTS = [
    "Event:UserEvent\r\nUserEvent:CallrouterCode\r\nCode:*45\r\nChannel:PJSIP/1001-1",
    "Event:UserEvent\r\nUserEvent:CallrouterCall\r\nCallQueue:support\r\nUniqueid:9.1",
    "Event:UserEvent\r\nUserEvent:CallrouterFallback\r\nUniqueid:{uid}\r\n\r\n",
    "Event:Hangup\r\nUniqueid:{uid}\r\n\r\n",
    "Event:HangupRequest\r\nUniqueid:{uid}\r\n\r\n",
    "Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/1001\r\nState: INVALID\r\n",
    "Event:Newchannel\r\nChannel:PJSIP/1001-1\r\nUniqueid:9.9\r\n\r\n",
    "Event:Rename\r\nUniqueid:{uid}\r\nNewname:PJSIP/1001-1\r\n\r\n",
    "Event:Status\r\nUniqueid:{uid}\r\nVariable:CALLROUTER_STATE=left\r\n\r\n",
    "Event: BridgeEnter\r\nUniqueid: {uid}\r\nBridgeUniqueid: x\r\n\r\n",
    "Response: Error\r\nMessage: Permission denied\r\n\r\n",
    "CallerIDName: 1\r\nConnectedLineNum: 1\r\nLinkedid: {uid}\r\n\r\nEvent:Hangup\r\nUniqueid:{uid}",
    _PREFIX.replace("{}", "UserEvent").replace("{context}", "callrouter-person"),
    _PREFIX.replace("{}", "Hangup").replace("{context}", "callrouter-hold"),
]
SEEDS = [f"1\r\n\r\n{event}".encode() for event in _EVENTS] + [
    b"447700900123",
    b"\r\n\r\n",
    b"\n\n",
]


class Strangers(asyncio.DatagramProtocol):
    """Sends INVITEs, and ends whatever comes of them."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._sent: dict[bytes, tuple[str, str, str]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._count = 0
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    @property
    def port(self) -> int:
        """Where they call from."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def call(self, target: str, sender: str, headers: list[str]) -> None:
        """One INVITE; `target` and `sender` are user parts."""
        self._count += 1
        call, branch = f"fuzz-{self.port}-{self._count}", f"z9hG4bK{self._count:x}"
        uri = f"sip:{target}@{self._server[0]}:{self._server[1]}"
        from_ = f"{sender};tag=f{self._count}"
        via = f"SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch};rport"
        self._sent[call.encode()] = (uri, from_, via)
        if len(self._sent) > 2_000:
            del self._sent[next(iter(self._sent))]
        self._send("INVITE", call, uri, f"<{uri}>", 1, headers, _SDP)

    def _send(
        self, method: str, call: str, uri: str, to: str, cseq: int, more: list[str], body: str = ""
    ) -> None:
        _, from_, via = self._sent[call.encode()]
        contact = (
            []
            if any(line.startswith("Contact:") for line in more)
            else [f"Contact: <sip:x@127.0.0.1:{self.port}>"]
        )
        kind = ["Content-Type: application/sdp"] if body else []
        lines = [
            f"{method} {uri} SIP/2.0", f"Via: {via}{'' if method != 'BYE' else 'b'}", "Max-Forwards: 70", f"From: {from_}",
            f"To: {to}", f"Call-ID: {call}", f"CSeq: {cseq} {method}", *contact, *more, *kind,
            f"Content-Length: {len(body)}", "", body,
        ]  # fmt: skip
        assert self._transport is not None
        self._transport.sendto("\r\n".join(lines).encode("utf-8", "replace"), self._server)

    def datagram_received(self, data: bytes, _addr: object) -> None:
        """Called by asyncio: acknowledge, and hang up what was answered."""
        status, to, cseq, call = (p.search(data) for p in (_STATUS, _TO, _CSEQ, _CALL))
        if (
            status is None
            or to is None
            or cseq is None
            or call is None
            or call[1] not in self._sent
        ):
            return
        code = int(status[1])
        if cseq[2] != b"INVITE" or code < 200:
            return
        self.answers += 1
        uri, _, _ = self._sent[call[1]]
        name, party = call[1].decode(), to[1].decode("utf-8", "replace")
        self._send("ACK", name, uri, party, 1, [])
        if code < 300:
            self._send("BYE", name, uri, party, 2, [])


def escaped(text: str, rng: random.Random) -> str:
    """Text as the user part of a SIP URI; what need not be escaped sometimes is not."""
    plain = "-_.!~*'()&=+$,/" if rng.random() < 0.5 else ""
    return "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 128) or chr(byte) in plain else f"%{byte:02x}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


class Door:
    """The floor, the strangers, and what must stay as it is."""

    def __init__(self, here: Floor, strangers: Strangers, uid: str) -> None:
        self.here = here
        self.strangers = strangers
        self.uid = uid
        self.calls = 0
        self._before = self._seen()
        self._recent: list[bytes] = []

    def _seen(self) -> dict[str, object]:
        floor, tracker = self.here.router.floor, self.here.pbx.tracker
        return {
            "agents": {
                name: status_of(floor, agent).state.value for name, agent in floor.agents.items()
            },
            "calls": {call.id for call in floor.calls.values() if call.queue.id != "night"},
            "offers": set(floor.offers),
            "callers": {uid for uid, caller in tracker.callers.items() if caller.queue != "night"},
            "legs": set(tracker.legs),
            "phones": tracker.phones.report_all(),
            "changes": sum(type(record) in _CHANGES for record in self.here.notices),
            "faults": self.here.runtime.faults + self.here.pbx.health().faults,
            "drift": self.here.pbx.drift,
        }

    async def knock(self, data: bytes) -> None:
        """One call, made of these bytes; now and then a look at what came of it all."""
        rng = random.Random(hashlib.sha256(data).digest())
        text = data.decode("utf-8", "surrogateescape")
        text = text.replace("{uid}", self.uid).replace("{channel}", "PJSIP/1001-00000001")
        start = rng.choice([0, 0, rng.randrange(len(text) + 1)])
        hostile = escaped(text[start : start + 79], rng)
        shown = re.sub(r'[\r\n"\\]', lambda m: rng.choice(["\\" + m[0], " "]), text[:200])
        where = f"@127.0.0.1:{self.strangers.port}>"
        known = rng.choice([hostile, "447700900123"])
        sender = f'"{shown}" <sip:{known}{where}' if rng.random() < 0.5 else f"<sip:{known}{where}"
        headers = [
            f"{name}: {rng.choice(['', 'x '])}<sip:{hostile}{where}{rest}"
            for name, rest in (
                ("P-Asserted-Identity", ""),
                ("Remote-Party-ID", ";party=calling;screen=yes"),
                ("Diversion", ";reason=unconditional"),
                ("Contact", ""),
                ("P-Preferred-Identity", ""),
                ("History-Info", ";index=1"),
            )
            if rng.random() < 0.4
        ]
        target = rng.choice([f"9{hostile[:120]}", "9000", "night", "code"])
        if target.startswith("9") and target != "9000":  # no escape is cut in two
            target = re.sub(r"%[0-9a-f]?$", "", target)
        self._recent.append(data)
        self.strangers.call(target, sender, headers)
        self.calls += 1
        await asyncio.sleep(1 / RATE)
        if self.calls % EVERY == 0:
            await self.look()

    def _compared(self) -> bool:
        """Whether no comparison is due or on its way."""
        pbx = self.here.pbx
        return not pbx._forged._scheduled and (
            pbx._resync._task is None or pbx._resync._task.done()
        )

    async def look(self) -> None:
        """Wait until every stranger has gone, then see that nothing has changed."""
        here = self.here
        async with asyncio.timeout(WITHIN):
            while len(await here.channels()) > 1:
                await here.lab.asterisk.cli("channel request hangup PJSIP/trunk")
                for line in await here.channels():
                    if line.startswith("PJSIP/trunk"):
                        await here.lab.asterisk.cli(f"channel request hangup {line.split('!')[0]}")
                await asyncio.sleep(0.05)
            await here.until(self._compared, WITHIN)
        seen, recent, self._recent = self._seen(), self._recent, []
        assert seen == self._before, (seen, self._before, recent)
        assert check(here.router.floor) == []
        assert here.breaches == []


@asynccontextmanager
async def opened() -> AsyncIterator[Door]:
    """An Asterisk, a router, one who waits, and strangers at the door."""
    install = await find_asterisk()
    async with stage(install, 2, trunk="trunk", lab_in=LAB_IN, dialplan=DIALPLAN) as here:
        ann, carl = person("ann", desk("ann", "1001")), person("carl", desk("carl", "1002"))
        waits = {"on_nobody": KeepWaiting()}
        rules = [
            queue("sales", ["ann"]),
            queue("support", ["carl"], **waits),
            queue("night", ["carl"], **waits),
        ]
        await here.fresh(ann, carl, queues=rules)
        here.post(PauseRequested(agent="carl", reason="tea"))
        await here.until(lambda: here.free("ann") and here.state("carl") == "paused")
        caller = await here.call()
        await here.until(lambda: here.router.floor.calls)
        uid = next(iter(here.pbx.tracker.callers))
        assert here.pbx.tracker.call_id(uid).startswith(PBX)
        loop = asyncio.get_running_loop()
        server = ("127.0.0.1", here.lab.asterisk.sip_port)
        transport, strangers = await loop.create_datagram_endpoint(
            lambda: Strangers(server), local_addr=("127.0.0.1", 0)
        )
        door = Door(here, strangers, uid)
        try:
            yield door
            await door.look()
            assert door.strangers.answers > door.calls // 4, "most calls are answered by something"
        finally:
            transport.close()
        await caller.bye()
        await here.quiet()
