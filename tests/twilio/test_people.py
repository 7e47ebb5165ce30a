"""Codes that agents dial over Twilio, and mobiles that are called to be proved: the real reception and the
real registration of mobiles above, Twilio's webhooks below."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from argon2 import PasswordHasher

from callrouter.clock import SystemClock
from callrouter.feature_codes import FeatureCodes, prompts
from callrouter.mobiles import verification
from callrouter.mobiles.calling_pbxes import CallingPbxes
from callrouter.mobiles.mobile_service import MobileService, MobileServiceParts
from callrouter.mobiles.registration_events import VerificationStarted
from callrouter.model.events import LegEnd
from callrouter.model.ivr import (
    CallNumber,
    NumberAnswered,
    NumberFailed,
    PersonLeft,
    PhoneEvent,
    Say,
)
from callrouter.model.routing_table import Table
from callrouter.pbx.interface import HasPhoneDialogues
from callrouter.pbx.phone_events import LONGEST_DIALOGUE
from callrouter.pbx.twilio import phone_dialogues, twiml
from callrouter.pbx.twilio import phone_dialogues as people
from callrouter.pbx.twilio.driver import TwilioPbx
from callrouter.pbx.twilio.rest.api_requests import (
    ApiOutcome,
    ApiResult,
    EndCall,
    PlaceCall,
    RedirectCall,
)
from callrouter.settings.builders.pbx_builder import dialling_pbxes
from callrouter.tasks import Tasks
from tests.mobiles.memory import MemoryStore
from tests.settings.cases import loaded
from tests.twilio.known import faults
from tests.twilio.peer import ACCOUNT, Phone
from tests.twilio.world import NUMBER, PBX, World, desk, settings, table

CODES = "+442079460090"
MOBILE = "+447400123456"
ACME = "acme.sip.twilio.com"
PIN = "2468"
HASH = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PIN)


class Talking:
    """`World`'s call control as something that talks to people."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.name = PBX
        self.heard: list[PhoneEvent] = []

    def report_phone_events(self, report: Callable[[PhoneEvent], None]) -> None:
        def note(event: PhoneEvent) -> None:
            self.heard.append(event)
            report(event)

        self.world.control.dialogues.events.listen(note)

    def say(self, command: Say) -> None:
        self.world.control.account.set_time(self.world.now)
        self.world.control.dialogues.say(command)

    def call_number(self, command: CallNumber) -> None:
        self.world.control.account.set_time(self.world.now)
        self.world.control.number_calls.call_number(command)


class Call:
    """Somebody calls in to the codes; what they hear, and keys in answer to it."""

    _sids = itertools.count(1)

    def __init__(self, world: World, part: str = "code", **params: str) -> None:
        self.world = world
        self.sid = f"CA{next(self._sids):08x}{'b' * 24}"
        self.params = {"AccountSid": ACCOUNT, "CallSid": self.sid, "CallStatus": "ringing", **params}  # fmt: skip
        self.document = self.ask(part)

    def ask(self, part: str, token: str = "", **more: str) -> str:
        document = self.world.control.handlers.answer(part, token, {**self.params, **more}, self.world.now)  # fmt: skip
        assert faults(document) == []
        return document

    @property
    def words(self) -> str:
        return " | ".join(said.text or "" for said in ET.fromstring(self.document).iter("Say"))

    @property
    def asks(self) -> ET.Element | None:
        return ET.fromstring(self.document).find("Gather")

    def key(self, digits: str) -> str:
        gather = self.asks
        assert gather is not None, self.document
        token = gather.attrib["action"].rpartition("=")[2]
        self.document = self.ask("keyed", token, Digits=digits)
        return self.words

    async def moved(self) -> str:
        """Wait for the document that follows by a request."""
        before = len(self.world.peer.asks)
        async with asyncio.timeout(10.0):
            while len(self.world.peer.asks) == before:  # noqa: ASYNC110 - a PIN is looked up in a thread
                await asyncio.sleep(0.005)
        move = self.world.peer.asks[-1][1]
        assert isinstance(move, RedirectCall)
        assert move.sid == self.sid
        self.document = move.twiml
        return self.words

    def hang_up(self) -> None:
        self.ask("caller-status", CallStatus="completed")


class Centre:
    """A router with a reception, over Twilio."""

    def __init__(
        self,
        routes: Table,
        tasks: Tasks,
        mobiles: Callable[[World, Talking], MobileService] | None = None,
    ) -> None:
        self.world = World(routes, codes=CODES)
        self.talking = Talking(self.world)
        self.mobiles = mobiles(self.world, self.talking) if mobiles is not None else None
        self.feature_codes = FeatureCodes(
            board=self.world.router.board,
            post=self.world.post,
            pins=lambda: {"ann": HASH},
            clock=SystemClock(),
            tasks=tasks,
            mobiles=self.mobiles,
        )
        self.feature_codes.attach(PBX, self.talking)
        self.talking.report_phone_events(self._heard)

    def _heard(self, event: PhoneEvent) -> None:
        if self.mobiles is None or not self.mobiles.handle_phone_event(event):
            self.feature_codes.handle(event)

    def sip(self, code: str, user: str = "ann", **params: str) -> Call:
        """A SIP phone dials a code."""
        given = {"From": f"sip:{user}@{ACME}", "To": f"sip:{code}@{ACME}", "SipDomain": ACME, "SipUsername": user, **params}  # fmt: skip
        return Call(self.world, **given)

    def dial(self, caller: str = MOBILE) -> Call:
        """Someone calls the number for codes."""
        return Call(self.world, "voice", From=caller, To=CODES)

    def signed_in(self, agent: str = "ann") -> bool:
        return self.world.router.floor.agents[agent].signed_in


@pytest.fixture
async def here() -> AsyncIterator[Centre]:
    tasks = Tasks()
    ann = replace(desk("ann"), extension="501")
    yield Centre(table(ann, desk("bob")), tasks)
    await tasks.close()


# ---------------------------------------------------------------- codes


async def test_a_sip_phone_that_twilio_let_in_is_its_agent(here: Centre) -> None:
    call = here.sip("*45")
    assert call.words == "You are signed out."
    assert not here.signed_in()
    assert here.sip("%2A45").words == "You are signed in."
    assert here.sip("*46").words == "You are paused."
    assert here.sip("*46").words == "Pause is off."
    assert here.sip("*49").words == "Taking calls is on."
    assert here.signed_in()
    call.hang_up()
    assert here.feature_codes.status()["conversations"] == 4


@pytest.mark.parametrize("params", [{"SipUsername": ""}, {"SipUsername": "bob"}, {"SipDomain": "evil.example"}])  # fmt: skip
async def test_what_a_sip_phone_says_of_itself_proves_nothing(
    here: Centre, params: dict[str, str]
) -> None:
    """`From` is ann's in each case; Twilio's word for who was let in is another or none."""
    call = here.sip("*45", **params)
    assert here.signed_in("ann")
    if params.get("SipUsername") == "bob":
        assert not here.signed_in("bob")
    else:
        assert call.words == "Key in your extension, then press the pound key."


async def test_a_mobile_calls_in_and_says_who_it_is_by_extension_and_pin(here: Centre) -> None:
    call = here.dial()
    assert call.words == "Key in the code, such as star 4 5."
    gather = call.asks
    assert gather is not None
    assert gather.get("finishOnKey") == "#"
    assert "Key in your extension" in call.key("*45")
    assert "Key in your code" in call.key("501")
    assert call.key(PIN) == twiml.NOT_NOW_HERE  # until the PIN is looked up
    assert await call.moved() == "You are signed out."
    assert not here.signed_in()
    call.hang_up()
    assert here.feature_codes.status() == {"conversations": 0, "wrong_pins": 0, "lockouts": 0}


async def test_wrong_pins_are_counted_and_end_the_call(here: Centre) -> None:
    call = here.dial()
    call.key("*45")
    for _ in range(2):
        call.key("501")
        call.key("1111")
        assert "That was not right" in await call.moved()
    call.key("501")
    call.key("1111")
    assert await call.moved() == "That was not right. Goodbye."
    assert call.asks is None
    assert here.signed_in()
    assert here.feature_codes.status()["wrong_pins"] == 3


async def test_no_code_nothing_keyed_and_other_numbers_of_a_sip_phone(here: Centre) -> None:
    assert here.dial().key("*99") == twiml.NO_SUCH_CODE
    assert here.dial().key("") == twiml.NO_SUCH_CODE
    assert here.sip("00441632960000").words == twiml.NO_SUCH_CODE, "no way out to other numbers"
    silent = here.dial()
    silent.key("*45")
    assert silent.key("") == "Goodbye."
    assert here.signed_in()


async def test_twilio_asks_twice_and_nothing_happens_twice(here: Centre) -> None:
    call = here.sip("*45")
    assert call.ask("code") == call.document
    assert not here.signed_in()
    other = here.dial()
    gather = other.asks
    assert gather is not None
    token = gather.attrib["action"].rpartition("=")[2]
    other.key("*46")
    assert other.ask("keyed", token, Digits="*45") == other.document
    assert other.ask("keyed", "", Digits="1") == other.document
    other.hang_up()
    assert "Hangup" in other.ask("keyed", token, Digits="*45")
    assert "Hangup" in other.ask("voice")
    assert [type(event) for event in here.talking.heard].count(PersonLeft) == 1


async def test_a_call_whose_end_is_never_told_is_over_in_time(here: Centre) -> None:
    call = here.dial()
    here.world.run(LONGEST_DIALOGUE + 1.0)
    assert isinstance(here.talking.heard[-1], PersonLeft)
    assert here.world.peer.asks[-1][1] == EndCall(sid=call.sid)


async def test_too_many_at_once_are_asked_to_try_later(here: Centre) -> None:
    for _ in range(people.MOST_DIALOGUES):
        here.dial()
    assert here.dial().words == twiml.NOT_NOW


async def test_strangers_leave_sip_phones_their_share(here: Centre) -> None:
    for _ in range(people.MOST_DIALOGUES):
        here.dial()
    assert here.dial().words == twiml.NOT_NOW
    assert "signed" in here.sip("*45").words


async def test_a_caller_who_is_gone_when_more_is_to_be_said(here: Centre) -> None:
    call = here.dial()
    call.key("*45")
    call.key("501")
    here.world.peer.trouble = lambda _ask: (ApiResult(outcome=ApiOutcome.REFUSED, status=400, code=21220), False)  # fmt: skip
    call.key(PIN)
    await call.moved()
    here.world.run(1.0)
    assert isinstance(here.talking.heard[-1], PersonLeft)
    assert here.feature_codes.status()["conversations"] == 0


async def test_what_twilio_is_too_busy_for_is_asked_again(here: Centre) -> None:
    call = here.dial()
    call.key("*45")
    call.key("501")
    busy = [
        ApiResult(outcome=ApiOutcome.REFUSED, status=429, code=20429),
        ApiResult(outcome=ApiOutcome.NOT_SENT),
    ]
    here.world.peer.trouble = lambda _ask: (busy.pop(), False) if busy else None
    call.key(PIN)
    await call.moved()
    here.world.run(3.0)
    moves = [ask for _, ask in here.world.peer.asks if isinstance(ask, RedirectCall)]
    assert [move.twiml for move in moves] == [call.document] * 3
    # The peer knows no such call: refused at last, and over with that.
    assert isinstance(here.talking.heard[-1], PersonLeft)


def test_everything_that_is_said_has_words() -> None:
    said = [value for name, value in vars(prompts).items() if name.isupper()]
    said += [verification.ASK, verification.AGAIN, verification.THANKS, verification.GOODBYE]
    for phrase in said:
        for sound in phrase:
            assert sound in phone_dialogues.WORDS, sound
    code = [*prompts.CODE_IS, "digits/4", "digits/2", "silence/1", *prompts.CODE_IS, "digits/4"]
    assert list(phone_dialogues.sentences(code)) == ["The code is 4. 2.", "The code is 4."]
    assert list(phone_dialogues.sentences(["no-such-sound"])) == []


def test_the_driver_talks_to_people() -> None:
    pbx = TwilioPbx(PBX, settings(), post=lambda _: None, table=table(desk("ann")))
    assert isinstance(pbx, HasPhoneDialogues)


# ---------------------------------------------------------------- mobiles

CONFIG = (
    f"pbx:\n  cloud: {{driver: twilio, account_sid: {ACCOUNT}, auth_token: t0p, "
    f"public_url: 'https://calls.example.com', numbers: {{'{NUMBER}': support}}, "
    f"caller_id: '{NUMBER}', codes: '{CODES}'}}\n"
    "numbers: {region: GB, countries: [GB]}\n"
)
AGENTS = f"agents: {{ann: {{extension: '501', devices: {{phone: sip/ann@{ACME}}}}}}}\n"
QUEUES = "queues: {support: {agents: [ann], on_nobody: wait}}\n"


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[tuple[Centre, MobileService]]:
    read = loaded(tmp_path, pbx=CONFIG, agents=AGENTS, queues=QUEUES)
    tasks = Tasks()

    def make(world: World, talking: Talking) -> MobileService:
        parts = MobileServiceParts(
            board=world.router.board,
            post=world.post,
            pbxes=CallingPbxes({PBX: talking}, lambda _name: True),
            store=MemoryStore(),
            now=SystemClock().now,
            spawn=tasks.spawn,
        )
        return MobileService(read.numbers, read.table, dialling_pbxes(read.pbxes), parts)

    place = Centre(read.table, tasks, make)
    assert place.mobiles is not None
    yield place, place.mobiles
    await tasks.close()


def register(mobiles: MobileService) -> VerificationStarted:
    made = mobiles.register("ann", MOBILE, by="ann", via="api")
    assert isinstance(made, VerificationStarted), made
    return made


def devices(place: Centre) -> list[str]:
    return [device.number for device in place.world.router.floor.table.agents["ann"].devices if device.number]  # fmt: skip


async def test_a_mobile_is_called_and_proved_by_its_code(
    centre: tuple[Centre, MobileService],
) -> None:
    place, mobiles = centre
    started = register(mobiles)
    place.world.peer.phones[MOBILE] = Phone(key=started.code, hangs_up_after=None)
    place.world.run(20.0)
    [line] = place.world.peer.lines.values()
    assert line.number == MOBILE
    assert line.heard == ["Key in your code, then press the pound key.", "Thank you. Goodbye."]
    assert line.over
    assert devices(place) == [MOBILE]
    assert isinstance(place.talking.heard[-1], PersonLeft)
    # From now on it rings for callers, and asks for key 1.
    place.world.peer.phones[MOBILE] = Phone(hangs_up_after=None)
    caller = place.world.peer.call()
    place.world.run(10.0)
    assert (caller.sid, f"sip:ann@{ACME}") in place.world.peer.talks
    assert [ask.to for _, ask in place.world.peer.asks if isinstance(ask, PlaceCall)].count(
        MOBILE
    ) == 2


async def test_a_voicemail_proves_nothing(centre: tuple[Centre, MobileService]) -> None:
    place, mobiles = centre
    register(mobiles)
    place.world.peer.phones[MOBILE] = Phone(key=None)
    place.world.run(120.0)
    [line] = place.world.peer.lines.values()
    assert line.over
    assert devices(place) == []
    assert mobiles.status()["unverified"] == 1


@pytest.mark.parametrize(
    ("phone", "why"),
    [
        (Phone(refuses=("busy", "486")), LegEnd.BUSY),
        (Phone(refuses=("failed", "404")), LegEnd.UNREACHABLE),
        (Phone(answers_after=None), LegEnd.NO_ANSWER),
    ],
)
async def test_a_mobile_that_does_not_answer(
    centre: tuple[Centre, MobileService], phone: Phone, why: LegEnd
) -> None:
    place, mobiles = centre
    place.world.peer.phones[MOBILE] = phone
    register(mobiles)
    place.world.run(90.0)
    ends = [event for event in place.talking.heard if isinstance(event, NumberFailed)]
    assert [end.why for end in ends] == [why]
    assert not [event for event in place.talking.heard if isinstance(event, NumberAnswered)]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            ApiResult(outcome=ApiOutcome.REFUSED, status=400, code=21211, detail="no"),
            LegEnd.UNREACHABLE,
        ),
        (ApiResult(outcome=ApiOutcome.NOT_SENT, detail="no"), LegEnd.FAILED),
        (ApiResult(outcome=ApiOutcome.UNKNOWN, detail="no"), LegEnd.FAILED),
    ],
)
async def test_a_call_that_twilio_does_not_make(
    centre: tuple[Centre, MobileService], answer: ApiResult, why: LegEnd
) -> None:
    place, mobiles = centre
    place.world.peer.trouble = lambda _ask: (answer, False)
    register(mobiles)
    place.world.run(90.0)
    ends = [event for event in place.talking.heard if isinstance(event, NumberFailed)]
    assert [end.why for end in ends] == [why]


async def test_the_token_of_a_verification_call_is_good_for_that_call_only(
    centre: tuple[Centre, MobileService],
) -> None:
    place, mobiles = centre
    started = register(mobiles)
    place.world.peer.phones[MOBILE] = Phone(answers_after=3.0, key=started.code)
    place.world.run(2.0)
    [placed] = [ask for _, ask in place.world.peer.asks if isinstance(ask, PlaceCall)]
    stranger = {"AccountSid": ACCOUNT, "CallSid": "CA" + "e" * 32, "CallStatus": "in-progress"}
    for part in ("agent", "offer"):
        said = place.world.control.handlers.answer(part, placed.token, stranger, place.world.now)
        assert twiml.NOTHING_HERE in said
    place.world.run(20.0)
    assert devices(place) == [MOBILE]
    [line] = place.world.peer.lines.values()
    again = {**stranger, "CallSid": line.sid}
    said = place.world.control.handlers.answer("agent", placed.token, again, place.world.now)
    assert "<Gather" not in said


async def test_a_call_that_was_given_up_and_rings_after_all_is_ended(
    centre: tuple[Centre, MobileService],
) -> None:
    place, mobiles = centre
    place.world.peer.trouble = lambda _ask: (ApiResult(outcome=ApiOutcome.UNKNOWN), False)
    register(mobiles)
    place.world.run(90.0)
    assert [type(event) for event in place.talking.heard] == [NumberFailed]
    [placed] = [ask for _, ask in place.world.peer.asks if isinstance(ask, PlaceCall)]
    late = {"AccountSid": ACCOUNT, "CallSid": "CA" + "e" * 32, "CallStatus": "ringing"}
    place.world.control.handlers.answer("offer", placed.token, late, place.world.now)
    assert place.world.peer.asks[-1][1] == EndCall(sid=late["CallSid"])
    late["CallStatus"] = "in-progress"
    said = place.world.control.handlers.answer("agent", placed.token, late, place.world.now)
    assert "<Gather" not in said
    assert [type(event) for event in place.talking.heard] == [NumberFailed]


async def test_a_verification_call_keeps_to_the_calls_per_second(
    centre: tuple[Centre, MobileService],
) -> None:
    place, _ = centre
    for number in range(3):
        place.talking.call_number(CallNumber(pbx=PBX, ref=f"r{number}", number=f"+44740012345{number}"))  # fmt: skip
    place.talking.call_number(CallNumber(pbx=PBX, ref="r0", number="+447400123450"))
    place.talking.call_number(CallNumber(pbx=PBX, ref="bad", number="sip:ann@evil.example"))
    place.world.run(3.0)
    times = [at for at, ask in place.world.peer.asks if isinstance(ask, PlaceCall)]
    assert len(times) == 3
    failed = [event.ref for event in place.talking.heard if isinstance(event, NumberFailed)]
    assert failed == ["bad"]


async def test_a_mobile_registers_itself_by_calling_in(
    centre: tuple[Centre, MobileService],
) -> None:
    """*48 with extension and PIN from the mobile: the code is read to it, then it is called."""
    place, mobiles = centre
    call = place.dial()
    call.key("*48")
    call.key("501")
    call.key(PIN)
    words = await call.moved()
    code = "".join(sign for sign in words.partition("|")[0] if sign.isdigit())
    assert words.startswith("The code is")
    assert len(code) == 6
    assert mobiles.status()["unverified"] == 1
    call.hang_up()
