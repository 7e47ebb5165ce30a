"""A scripted Twilio. It is OUR READING of Twilio's documentation, made to be as unkind as that allows:
callbacks come late, in any order, twice or never; people answer and press keys in the same instant;
requests are refused with the codes that Twilio documents. It shows that the driver survives this. It
shows nothing about how Twilio really behaves: see docs/twilio-live-check.md.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from xml.etree import ElementTree as ET

from callrouter.pbx.twilio.hangup_causes import OVER
from callrouter.pbx.twilio.rest.api_requests import (
    ApiOutcome,
    ApiRequest,
    ApiResult,
    EndCall,
    PlaceCall,
    RedirectCall,
    UpdateParticipant,
)
from tests.twilio import wire
from tests.twilio.known import faults

ACCOUNT = "AC" + "a" * 32
BASE = "https://calls.example.com/twilio/cloud/"


@dataclass
class Phone:
    """How a phone and its person behave."""

    answers_after: float | None = 2.0
    key: str | None = "1"
    key_after: float = 1.0
    refuses: tuple[str, str] | None = None
    """Final status and SIP response."""
    hangs_up_after: float | None = 30.0


@dataclass
class Mischief:
    """What befalls status callbacks; documents are asked for until they are had."""

    delay: float = 0.05
    twice: float = 0.0
    lost: float = 0.0


@dataclass(eq=False)
class Line:
    sid: str
    number: str
    other: str
    token: str = ""
    since: float = 0.0
    keyed_at: float = 0.0
    """When key 1 is pressed on it, once it was asked for."""
    status: str = "queued"
    epoch: int = 0
    queue: str = ""
    queued: float = 0.0
    room: str = ""
    left_url: str = ""
    done_url: str = ""
    label: str = ""
    elsewhere: str = ""
    heard: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What was said while waiting, between the music."""
    sequence: int = 0
    held: bool = False
    parent: Line | None = None
    """Whose `<Dial>` rings it."""
    children: list[Line] = field(default_factory=list)
    bridged: str = ""
    ends: bool = True
    """Whether the conference ends when they leave it."""

    @property
    def inbound(self) -> bool:
        return not self.token

    @property
    def over(self) -> bool:
        return self.status in OVER


class Peer:
    """Twilio and the phones behind it, on a virtual clock."""

    def __init__(
        self,
        ask_us: Callable[[str, str, dict[str, str]], str],
        answer: Callable[[ApiRequest, ApiResult], None],
        rng: Random,
        now: float,
    ) -> None:
        self.now = now
        self.lines: dict[str, Line] = {}
        self.rooms: dict[str, list[Line]] = {}
        self.phones: dict[str, Phone] = {}
        self.default = Phone()
        self.mischief = Mischief()
        self.latency = 0.2
        self.rate = 1.0
        self.trouble: Callable[[ApiRequest], tuple[ApiResult, bool] | None] = lambda _ask: None
        """For a request: the answer in place of ours, and whether it is carried out all the same."""
        self.asks: list[tuple[float, ApiRequest]] = []
        self.talks: list[tuple[str, str]] = []
        self.dials: list[tuple[float, int]] = []
        self.counts: Counter[str] = Counter()
        self._ask_us = ask_us
        self._answer = answer
        self._rng = rng
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._slot = now - 1.0

    # ------------------------------------------------------------ time

    def next_at(self) -> float | None:
        return self._agenda[0][0] if self._agenda else None

    def step(self, now: float) -> None:
        at, _, action = heappop(self._agenda)
        self.now = max(now, at)
        action()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._agenda, (self.now + seconds, self._count, action))

    # ------------------------------------------------------------ callers

    def call(self, number: str = "+33123456789", to: str = "+442079460000") -> Line:
        line = self._line(number, to)
        line.status = "ringing"
        self._fetch("voice", line)
        line.status = "in-progress"
        return line

    def hang_up(self, line: Line) -> None:
        if not line.over:
            self._finish(line, "completed")

    def _line(self, number: str, other: str, token: str = "") -> Line:
        line = Line(f"CA{len(self.lines):032x}", number, other, token, self.now)
        self.lines[line.sid] = line
        return line

    # ------------------------------------------------------------ what they ask us

    def _params(self, line: Line, **more: str) -> dict[str, str]:
        return {
            "AccountSid": ACCOUNT,
            "CallSid": line.sid,
            "CallStatus": line.status,
            "From": line.number if line.inbound else line.other,
            "To": line.other if line.inbound else line.number,
            "ApiVersion": "2010-04-01",
            **more,
        }

    def _fetch(self, url: str, line: Line, *, ignored: bool = False, **more: str) -> None:
        """Ask for a document and run it, unless the line has something newer to run by then."""
        part, _, token = url.removeprefix(BASE).partition("?o=")
        epoch, params = line.epoch, self._params(line, **more)

        def ask() -> None:
            document = self._ask_us(part, token, params)
            assert faults(document) == [], (part, document)
            if self._rng.random() < self.mischief.twice:  # no answer came to them: once more
                document = self._ask_us(part, token, params)
            if not ignored and line.epoch == epoch and not line.over:
                line.epoch += 1
                self._run(line, list(ET.fromstring(document)))

        self.after(self._rng.uniform(0.01, 0.1), ask)

    def callback(self, part: str, token: str, params: dict[str, str]) -> None:
        """Tell us something; late, twice or never."""
        mischief, rng = self.mischief, self._rng
        times = 0 if rng.random() < mischief.lost else 1 + (rng.random() < mischief.twice)
        self.counts["callbacks lost"] += times == 0
        for _ in range(times):
            self.after(rng.uniform(0.0, mischief.delay), lambda: self._tell(part, token, params))

    def _tell(self, part: str, token: str, params: dict[str, str]) -> None:
        self._ask_us(part, token, params)

    def _status(self, line: Line, **more: str) -> None:
        part = "caller-status" if line.inbound else "offer"
        line.sequence += 1
        more["SequenceNumber"] = str(line.sequence)
        if not line.inbound or line.over:
            self.callback(part, line.token, self._params(line, **more))

    # ------------------------------------------------------------ documents

    def _run(self, line: Line, verbs: list[ET.Element]) -> None:
        if line.parent is not None and not verbs:
            self._bridge(line.parent, line)
            return
        while verbs:
            verb = verbs.pop(0)
            line.heard += [said.text or "" for said in verb.iter("Say")]
            if verb.tag == "Enqueue":
                line.queue, line.left_url = verb.text or "", verb.attrib["action"]
                line.queued = self.now
                self._wait(line, verb.attrib["waitUrl"], line.epoch)
                return
            if verb.tag == "Dial":
                self._dial(line, verb)
                return
            if verb.tag == "Gather":
                self._gather(line, verb)
                return
            if verb.tag == "Hangup":
                break
        self._finish(line, "completed")

    def _wait(self, line: Line, url: str, epoch: int) -> None:
        """A turn of the waiting room, which is no document of the line's own."""
        if line.epoch != epoch or line.over:
            return
        document = self._ask_us("wait", url.partition("?o=")[2], self._params(line, QueueTime="7"))
        verbs = ET.fromstring(document)
        tags = [verb.tag for verb in verbs]
        line.told += [said.text or "" for said in verbs.iter("Say")]
        assert faults(document) == []
        if "Hangup" in tags:
            self._finish(line, "completed")
        elif "Leave" in tags:
            line.queue = ""
            self._fetch(line.left_url, line, QueueResult="leave")
        else:
            self.after(20.0, lambda: self._wait(line, url, epoch))

    def _dial(self, line: Line, verb: ET.Element) -> None:
        room = verb.find("Conference")
        if verb.find("Sip") is not None or verb.find("Client") is not None:
            self._ring_together(line, verb)
            return
        if room is None:
            line.elsewhere = verb.findtext("Number") or ""
            return
        line.done_url, line.room = verb.attrib["action"], room.text or ""
        line.label = room.get("participantLabel", "")
        inside = self.rooms.setdefault(line.room, [])
        inside.append(line)
        line.ends, line.held = room.get("endConferenceOnExit") == "true", False
        if len(inside) > 2:
            assert [one for one in inside if one.inbound and one.held], "a caller hears two agents"
            assert len(inside) == 3
        if len(inside) == 2:
            assert inside[0].inbound != inside[1].inbound
            caller, agent = sorted(inside, key=lambda one: not one.inbound)
            self.talks.append((caller.sid, agent.number))
            self._conference(line.room, "conference-start")
            after = self._phone(agent).hangs_up_after
            if after is not None:
                self.after(after, lambda: self.hang_up(agent))

    def _ring_together(self, line: Line, verb: ET.Element) -> None:
        """Children of one `<Dial>`: all ring at once, and the first to be picked up stops the others."""
        line.done_url = verb.attrib["action"]
        assert 1 < len(verb) <= 10
        for noun in verb:
            number = f"client:{noun.text}" if noun.tag == "Client" else noun.text or ""
            child = self._line(number, line.number, noun.attrib["url"].partition("?o=")[2])
            child.parent = line
            line.children.append(child)
        self.dials.append((self.now, len(line.children)))
        for child in line.children:
            self._initiate(child, float(verb.attrib["timeout"]) + 5.0)

    def _bridge(self, caller: Line, agent: Line) -> None:
        if caller.over or agent not in caller.children:
            self._finish(agent, "completed")
            return
        caller.bridged = agent.number
        self.talks.append((caller.sid, agent.number))
        after = self._phone(agent).hangs_up_after
        if after is not None:
            self.after(after, lambda: self.hang_up(agent))

    def _child_over(self, caller: Line, status: str) -> None:
        """The `<Dial>` is over when all of its phones are."""
        if caller.children and all(child.over for child in caller.children):
            caller.children = []
            caller.epoch += 1
            done = "completed" if caller.bridged else status
            caller.bridged = ""
            self._fetch(caller.done_url, caller, DialCallStatus=done)

    def _conference(self, room: str, event: str, **more: str) -> None:
        more |= {"ConferenceSid": conference_sid(room)}
        params = {"AccountSid": ACCOUNT, "FriendlyName": room, "StatusCallbackEvent": event, **more}
        self.callback("conference", "", params)

    def _gather(self, line: Line, verb: ET.Element) -> None:
        phone, epoch = self._phone(line), line.epoch
        timeout = float(verb.attrib["timeout"])
        # It is pressed so long after the first question, if that is asked again until then.
        at = line.keyed_at = line.keyed_at or self.now + phone.key_after
        pressed = phone.key is not None and at - self.now <= timeout
        wait = max(0.0, at - self.now) if pressed else timeout

        def keyed() -> None:
            if line.epoch == epoch and not line.over:
                self._fetch(
                    verb.attrib["action"], line, Digits=(phone.key or "") if pressed else ""
                )

        self.after(wait, keyed)

    # ------------------------------------------------------------ ends

    def _leave_places(self, line: Line) -> None:
        line.epoch += 1
        over = "completed" if line.over else "in-progress"
        if line.children:
            children, line.children, line.bridged = line.children, [], ""
            for child in children:
                if not child.over:
                    self._finish(
                        child, "completed" if child.status == "in-progress" else "canceled"
                    )
            more = {"CallStatus": over, "DialCallStatus": "completed"}
            self._fetch(line.done_url, line, ignored=True, **more)
        if line.queue:
            result = "hangup" if line.over else "redirected"
            line.queue = ""
            self._fetch(line.left_url, line, ignored=True, QueueResult=result, CallStatus=over)
        if line.room:
            room, line.room = line.room, ""
            inside = self.rooms.get(room, [])
            if line in inside:
                inside.remove(line)
            self._fetch(line.done_url, line, ignored=True, CallStatus=over)
            if not line.ends and inside:
                return
            for other in inside:  # endConferenceOnExit
                other.room = ""
                other.epoch += 1
                self._fetch(other.done_url, other)
            self._conference(room, "conference-end", CallSidEndingConference=line.sid)
            self.rooms[room] = []

    def _finish(self, line: Line, status: str, sip: str = "") -> None:
        line.status = status
        self._leave_places(line)
        self._status(line, **({"SipResponseCode": sip} if sip else {}))
        if line.parent is not None:
            self._child_over(line.parent, status)

    # ------------------------------------------------------------ what we ask them

    def take(self, ask: ApiRequest) -> None:
        wire.check(ask)
        self.asks.append((self.now, ask))
        spoiled = self.trouble(ask)
        if spoiled is None:
            self._carry_out(ask, None)
        elif spoiled[1]:
            self._carry_out(ask, spoiled[0])
        else:
            self.after(self.latency, lambda: self._answer(ask, spoiled[0]))

    def _carry_out(self, ask: ApiRequest, instead: ApiResult | None) -> None:
        def done() -> None:
            match ask:
                case PlaceCall():
                    answer = self._place(ask)
                case RedirectCall():
                    answer = self._move(ask)
                case EndCall():
                    answer = self._end(ask)
                case UpdateParticipant():
                    answer = self._seat(ask)
            self.after(self.latency / 2, lambda: self._answer(ask, instead or answer))

        self.after(self._rng.uniform(0.0, self.latency), done)

    def _place(self, ask: PlaceCall) -> ApiResult:
        line = self._line(ask.to, ask.caller_id, ask.token)
        self._slot = max(self.now, self._slot + 1.0 / self.rate)
        queued = self._slot - self.now
        self.after(queued, lambda: self._initiate(line, ask.timeout + 5.0))
        return ApiResult(outcome=ApiOutcome.DONE, sid=line.sid, queue_time=queued, status=201)

    def _initiate(self, line: Line, timeout: float) -> None:
        if line.over:
            return
        phone = self._phone(line)
        line.status = "initiated"
        self._status(line)
        if phone.refuses is not None:
            status, sip = phone.refuses
            self.after(0.2, lambda: None if line.over else self._finish(line, status, sip))
            return
        self.after(0.2, lambda: self._rings(line, phone, timeout))

    def _rings(self, line: Line, phone: Phone, timeout: float) -> None:
        if line.over:
            return
        line.status = "ringing"
        self._status(line)
        if phone.answers_after is not None and phone.answers_after < timeout:
            self.after(phone.answers_after, lambda: self.pick_up(line))
        else:
            self.after(timeout, lambda: None if line.over else self._finish(line, "no-answer"))

    def pick_up(self, line: Line) -> None:
        """A phone that rings is picked up."""
        if line.status == "ringing":
            line.status = "in-progress"
            self._status(line)
            for other in line.parent.children if line.parent is not None else ():
                if other is not line and not other.over:
                    self._finish(other, "canceled")
            self._fetch(f"agent?o={line.token}", line)

    def _phone(self, line: Line) -> Phone:
        return self.phones.get(line.number, self.default)

    def _move(self, ask: RedirectCall) -> ApiResult:
        line = self.lines.get(ask.sid)
        if line is None:
            return refused(404, 20404)
        if line.status != "in-progress":
            return refused(400, 21220)
        self._leave_places(line)
        line.epoch += 1
        epoch = line.epoch
        assert faults(ask.twiml) == []

        def run() -> None:
            if line.epoch == epoch and not line.over:
                self._run(line, list(ET.fromstring(ask.twiml)))

        self.after(self._rng.uniform(0.0, 0.3), run)
        return ApiResult(outcome=ApiOutcome.DONE, sid=ask.sid, status=200)

    def _seat(self, ask: UpdateParticipant) -> ApiResult:
        line = next(
            (one for one in self.rooms.get(ask.conference_name, []) if one.sid == ask.sid), None
        )
        if line is None:
            return refused(404, 20404)
        assert ask.conference_sid in {"", conference_sid(ask.conference_name)}
        line.held = line.held if ask.hold is None else ask.hold
        line.ends = line.ends if ask.ends is None else ask.ends
        return ApiResult(outcome=ApiOutcome.DONE, sid=ask.sid, status=200)

    def hear(self, line: Line) -> list[str]:
        """Whom somebody hears: who is in the same conference, if neither is on hold."""
        if line.held:
            return []
        if line.bridged:
            return [line.bridged]
        inside = self.rooms.get(line.room, []) if line.room else []
        return sorted(one.number for one in inside if one is not line and not one.held)

    def _end(self, ask: EndCall) -> ApiResult:
        line = self.lines.get(ask.sid)
        if line is None:
            return refused(404, 20404)
        if line.over:
            return refused(400, 21220)
        self._finish(line, "completed" if line.status == "in-progress" else "canceled")
        return ApiResult(outcome=ApiOutcome.DONE, sid=ask.sid, status=200)


def refused(status: int, code: int) -> ApiResult:
    return ApiResult(
        outcome=ApiOutcome.REFUSED, status=status, code=code, detail=f"{status}, code {code}"
    )


def conference_sid(room: str) -> str:
    return f"CF{hashlib.md5(room.encode()).hexdigest()}"
