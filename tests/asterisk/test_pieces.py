"""The parts of the driver that do no I/O, without an Asterisk."""

from __future__ import annotations

import asyncio
import random

import pytest

from callrouter.core.router import Router
from callrouter.model.events import DeviceState, LegEnd, LegEnded, PauseRequested, PbxSnapshot
from callrouter.model.routing_table import AgentSpec, Table
from callrouter.pbx.asterisk import contract, fallback, leg_ends
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.ami.messages import parse
from callrouter.pbx.asterisk.ami.replies import ListRows
from callrouter.pbx.asterisk.lookups import phone_queries
from callrouter.pbx.asterisk.lookups.channel_queries import ChannelQueries
from callrouter.pbx.asterisk.tracking import channel_lists
from callrouter.pbx.asterisk.tracking.arrival import arrival, first_entry
from callrouter.pbx.asterisk.tracking.channels import CallerState, LegChannel
from callrouter.pbx.asterisk.tracking.phone_states import PhoneStates
from callrouter.pbx.asterisk.tracking.tracker import Tracker
from callrouter.tasks import Tasks
from tests.asterisk.floor import PBX, desk, mobile, person, queue, staff, table
from tests.fuzz.amistream import Heard

DIAL = "PJSIP/{number}@carrier"


def router(spec: Table, *unreachable: str) -> Router:
    made = Router(spec, rng=random.Random(1), run_id="b", now=1.0)
    endpoints = {
        device.endpoint: DeviceState.UNREACHABLE
        if device.endpoint in unreachable
        else DeviceState.IDLE
        for agent in spec.agents.values()
        for device in agent.devices
        if device.endpoint
    }
    made.handle(PbxSnapshot(pbx=PBX, endpoints=endpoints), 1.0)
    return made


def no_phones(_agent: str) -> frozenset[str]:
    return frozenset()


def people() -> list[AgentSpec]:
    return [
        *staff(3),
        person("m1", mobile("m1", "+447700900123")),
        person("b1", desk("b1", "1009", enabled=False), desk("b1", "1001")),
    ]


def test_available_devices_are_those_of_the_agents_who_are_here_in_order() -> None:
    rules = queue("support", {"a3": 1, "a1": 2, "a2": 2, "m1": 9, "b1": 9})
    made = router(table(people(), rules), "PJSIP/1002")
    assert fallback.available_devices(made.board, "support", PBX, DIAL) == (
        "PJSIP/1003&PJSIP/1001",
        "PJSIP/447700900123@carrier",
    )
    made.handle(PauseRequested(agent="a3"), 2.0)
    made.handle(PauseRequested(agent="m1"), 2.0)
    assert fallback.available_devices(made.board, "support", PBX, DIAL) == (
        "PJSIP/1001",
        fallback.NONE,
    )


def test_available_devices_fit_into_a_header() -> None:
    rules = queue("support", [f"a{n}" for n in range(1, 400)])
    made = router(table(staff(399), rules))
    desks, mobiles = fallback.available_devices(made.board, "support", PBX, DIAL)
    assert 850 < len(desks) <= fallback.LONGEST
    assert desks.startswith("PJSIP/1001&PJSIP/1002&")
    assert not desks.endswith("&")
    assert mobiles == fallback.NONE


def test_only_news_is_told() -> None:
    made = router(table(staff(2), queue("support", ["a1"]), queue("sales", ["a2"])))
    told = fallback.FallbackDevices(made.board, PBX, DIAL)
    assert len(list(told.changes())) == 6
    assert list(told.changes()) == []
    made.handle(PauseRequested(agent="a1"), 2.0)
    assert [action["Variable"] for action in told.changes()] == [
        "CALLROUTER_DESKS_support",
        "CALLROUTER_MOBILES_support",
        "CALLROUTER_STAMP_support",
    ]
    told.forget()
    assert len(list(told.changes())) == 6


@pytest.mark.parametrize(
    ("cause", "status", "reason", "end"),
    [
        ("17", "486", "", LegEnd.BUSY),
        ("21", "603", "", LegEnd.DECLINED),
        ("23", "302", "", LegEnd.DECLINED),
        ("19", "480", "", LegEnd.UNAVAILABLE),
        ("1", "404", "", LegEnd.UNREACHABLE),
        ("34", "503", "", LegEnd.UNREACHABLE),
        ("0", "", "", LegEnd.UNAVAILABLE),
        ("0", "", "5", LegEnd.BUSY),
        ("17", "", "", LegEnd.BUSY),
        ("20", "", "", LegEnd.UNREACHABLE),
    ],
)
def test_why_a_leg_ended(cause: str, status: str, reason: str, end: LegEnd) -> None:
    assert leg_ends.leg_end(cause, status, reason) is end


def test_leg_ids() -> None:
    assert contract.leg_id("k3x9-12", "my-desk") == "cr-k3x9-12-my-desk.1"
    assert contract.leg_id("k3x9-12", "my-desk", 3) == "cr-k3x9-12-my-desk.3"
    assert contract.offer_of("cr-k3x9-12-my-desk.1") == "k3x9-12"
    assert contract.is_far_half(contract.far_half_id("k3x9-12", "desk"))
    assert not contract.is_far_half(contract.leg_id("k3x9-12", "desk"))
    assert contract.offer_of("1795303093.93") == ""


def test_what_a_302_makes() -> None:
    name = "Local/1003@lab-phones-00000000;1"
    assert contract.is_forwarded(name, "1003", "AppDial2")
    assert not contract.is_forwarded(name, "0207", "AppDial2")  # somebody's click to dial
    assert not contract.is_forwarded(name, "1003", "Dial")
    assert not contract.is_forwarded(name.replace(";1", ";2"), "1003", "AppDial2")
    assert not contract.is_forwarded("PJSIP/1003-00000001", "1003", "AppDial2")


def test_the_shell_of_a_channel_that_was_moved_into_a_bridge_is_no_leg() -> None:
    """Asterisk keeps one now and then, with the variables of the leg that it was."""

    class Deaf:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    status = (
        "Event: Status\r\nChannel: {}/1001-00000001\r\nUniqueid: 1.2\r\nChannelStateDesc: Down\r\n"
        "Context: callrouter-offer\r\nVariable: CALLROUTER_OFFER=b-1\r\n"
        "Variable: CALLROUTER_DEVICE=desk\r\n"
    )
    for name, legs in (("PJSIP", 1), ("Surrogate/PJSIP", 0)):
        tracker = Tracker(PBX, Deaf(), own_phones=no_phones)  # type: ignore[arg-type]
        channel_lists.apply_lists(
            tracker, [parse(status.format(name).encode())], [], {}, after_gap=True
        )
        assert len(channel_lists.snapshot(tracker).legs) == legs


def test_a_caller_whose_row_cannot_be_read_is_kept_if_the_channel_says_that_it_is_there() -> None:
    tracker = Heard().tracker
    for uid in ("1.1", "1.2"):
        call = f"Event: UserEvent\r\nUserEvent: CallrouterCall\r\nUniqueid: {uid}\r\nCallQueue: support"
        tracker.handle(parse(call.encode()))
    tracker.keep(["1.2"])
    channel_lists.apply_lists(tracker, [], [], {}, after_gap=True)
    assert [seen.arrived.call for seen in channel_lists.snapshot(tracker).calls] == [f"{PBX}-1.2"]


def test_an_arrival_with_nonsense_in_it() -> None:
    channel = parse(b"Event: X\r\nCallerIDNum: <unknown>\r\nCallerIDName: <unknown>")
    values = {"Queue": "support", "Priority": "101", "Entered": "nan"}
    event = arrival(PBX, "c", channel, lambda key: values.get(key, ""))
    assert (event.caller_number, event.caller_name) == ("", "")
    assert event.priority == 50
    assert event.entered_at is None
    assert isinstance(channel, AmiMessage)


class Counted:
    """A clock that shows a time, and has noted one moment."""

    def __init__(self, at: float, noted: float | None = None) -> None:
        self.at, self.noted = at, noted

    def now(self) -> float:
        return self.at

    def stamp(self, at: float) -> str:
        return f"b-{at}"

    def moment(self, stamp: str) -> float | None:
        return self.noted if stamp else None


@pytest.mark.parametrize(
    ("entered", "now", "noted", "expected"),
    [
        ("990", "1000", None, 990.0),  # one clock, or two that agree
        ("990", "1003", None, 990.0),
        ("", "", None, None),
        ("990", "", None, 990.0),  # a dialplan of an earlier version
        ("4590", "4600", None, 990.0),  # Asterisk's clock is an hour ahead
        ("-2610", "1000", None, None),
        ("90", "100", None, 990.0),  # and one that is behind
        ("4600", "1000", None, 4600.0),
        ("90", "1000", 990.0, 990.0),  # it was set while the caller waited
        ("4600", "1000", 990.0, 990.0),
        ("991", "1000", 990.0, 991.0),
        ("", "", 990.0, 990.0),
    ],
)
def test_when_a_caller_entered_by_our_own_clock(
    entered: str, now: str, noted: float | None, expected: float | None
) -> None:
    values = {"Entered": entered, "Now": now, "Since": "b-1" if noted is not None else ""}
    found = first_entry(Counted(1000.0, noted), lambda key: values.get(key, ""))
    assert found == expected


def test_a_leg_that_comes_after_the_gap_before_which_it_was_ordered_is_ended() -> None:
    ended: list[str] = []

    class Sink:
        def hang_up_stray(self, uid: str) -> None:
            ended.append(uid)

    tracker = Tracker(PBX, Sink(), own_phones=no_phones)  # type: ignore[arg-type]
    for uid in ("1700000000.1", "cr-b-7-desk"):
        text = f"Event: Newchannel\r\nUniqueid: {uid}\r\nChannel: PJSIP/1001-00000001\r\n"
        tracker.handle(parse(text.encode()))
    assert ended == ["cr-b-7-desk"]


@pytest.mark.parametrize("created", [True, False])
def test_a_failed_originate_may_be_reported_before_the_channel_that_says_why(created: bool) -> None:
    told: list[object] = []
    waiting: list[LegChannel] = []

    class Sink:
        def post(self, event: object) -> None:
            told.append(event)

        def end_leg_unless_created(self, leg: LegChannel) -> None:
            waiting.append(leg)

    tracker = Tracker(PBX, Sink(), own_phones=no_phones)  # type: ignore[arg-type]
    leg = LegChannel("cr-b-7-desk.1", "b-7", "desk")
    tracker.leg_tracker.add(leg)
    tracker.handle(
        parse(
            b"Event: OriginateResponse\r\nActionID: cr-b-7-desk.1\r\nResponse: Failure\r\n"
            b"Reason: 0\r\nUniqueid: cr-b-7-desk.1\r\n"
        )
    )
    assert waiting == [leg]
    assert not told
    channel = "\r\nUniqueid: cr-b-7-desk.1\r\nChannel: PJSIP/1001-00000001\r\n"
    if created:
        tracker.handle(parse(f"Event: Newchannel{channel}".encode()))
        tracker.leg_tracker.not_created(leg)
        assert not told
        tracker.handle(parse(f"Event: Hangup{channel}Cause: 17\r\nTechCause: 486\r\n".encode()))
    tracker.leg_tracker.not_created(leg)
    why = LegEnd.BUSY if created else LegEnd.UNREACHABLE
    assert told == [LegEnded(offer="b-7", device="desk", why=why)]


def test_registered_phones_are_told_apart_and_none_smuggles_in_another() -> None:
    one, two = "PJSIP/1001/sip:1001@192.0.2.1:5060;transport=tcp", "PJSIP/1001/sips:x@[2001:db8::1]"
    assert phone_queries.dialled("PJSIP/1001", f"{one}&{two}") == (one, two)
    assert phone_queries.dialled("PJSIP/1001", one) == (one,)
    assert phone_queries.dialled("PJSIP/1001", "") == ()
    assert phone_queries.dialled("PJSIP/1001", f"{one};x&Local/00900@from-internal&{two}") == (two,)
    assert phone_queries.dialled("PJSIP/1001", "PJSIP/1002/sip:1002@192.0.2.1") == ()
    many = "&".join(f"PJSIP/1001/sip:1001@192.0.2.{n}" for n in range(1, 99))
    assert len(phone_queries.dialled("PJSIP/1001", many)) == phone_queries.MOST_CONTACTS


class Slow:
    """A client whose list arrives only when the event has been handled that overtook it."""

    up = True

    def __init__(self, tracker: Tracker, overtaking: str) -> None:
        self._tracker, self._overtaking = tracker, overtaking
        self.asked: list[str] = []

    async def list(self, action: dict[str, str]) -> ListRows:
        if not self.asked:
            self._tracker.handle(parse(self._overtaking.encode()))
        self.asked.append(action["Channel"])
        return ListRows()  # the channel that was asked for has gone


@pytest.mark.parametrize("connecting", [False, True])
async def test_a_caller_replaced_while_a_list_was_on_its_way_is_not_gone(connecting: bool) -> None:
    tracker = Heard().tracker
    tracker.handle(
        parse(
            b"Event: UserEvent\r\nUserEvent: CallrouterCall\r\nUniqueid: 1.1\r\nCallQueue: support"
        )
    )
    caller = tracker.callers["1.1"]
    if connecting:
        caller.state, caller.leg = CallerState.CONNECTING, "cr-b-1-desk"
    client = Slow(
        tracker,
        "Event: AttendedTransfer\r\nTransfereeUniqueid: 2.2\r\nTransfereeChannel: PJSIP/c-2\r\n"
        "SecondTransfererUniqueid: 1.1\r\nSecondTransfererContext: callrouter\r\n",
    )
    tasks = Tasks()
    queries = ChannelQueries(client, tracker, None, None, tasks)  # type: ignore[arg-type]
    if connecting:
        queries.check_connect(caller)
    else:
        queries.find_caller(caller)
    async with asyncio.timeout(5):
        while not client.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    await tasks.close()
    assert client.asked[0] == "1.1"
    assert (caller.uid, tracker.callers.get("2.2")) == ("2.2", caller)
    assert caller.state is (CallerState.CONNECTING if connecting else CallerState.WAITING)


def test_the_oldest_channel_on_any_of_an_endpoints_phones_is_named() -> None:
    clock = [10.0]
    phones = PhoneStates(lambda _endpoint, _state: None, lambda: clock[0])
    phones.use([desk("desk", "1001", states=("PJSIP/1002",))])
    for at, uid, channel in ((30.0, "3", "PJSIP/1001-c"), (20.0, "2", "PJSIP/1002-b")):
        clock[0] = at
        phones.channel_began(uid, channel)
    assert phones.oldest_foreign_channel("PJSIP/1001") == ("PJSIP/1002-b", 20.0)
    phones.channel_ended("2")
    assert phones.oldest_foreign_channel("PJSIP/1001") == ("PJSIP/1001-c", 30.0)
    clock[0] = 30.0
    phones.apply_lists({}, {"3": "PJSIP/1001-c", "4": "PJSIP/1002-d"}, (), {"4": 25.0})
    assert phones.oldest_foreign_channel("PJSIP/1001") == ("PJSIP/1002-d", 5.0)
    phones.disregard("PJSIP/1001")
    assert phones.oldest_foreign_channel("PJSIP/1001") == ("", None)
    assert phones.channels() == {"3", "4"}
    assert phones.oldest_foreign_channel("PJSIP/none") == ("", None)
