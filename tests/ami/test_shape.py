"""Which events count as Asterisk's own: the exact shape, and nothing that a number of 79 characters can forge."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import (
    AmiCounters,
    AmiMessage,
    AmiTiming,
    event_guard,
    event_shapes,
)
from callrouter.pbx.asterisk.ami.connection import AmiConnection
from callrouter.pbx.asterisk.ami.event_guard import Remainder, UserEventCheck, Verdict
from callrouter.pbx.asterisk.ami.messages import parse
from tests.asterisk.genuine import genuine
from tests.chaos.proxy import foreign

DIALPLAN = (Path(__file__).parents[2] / "dialplan/extensions_callrouter.conf").read_text()
MOST = 79
"""Characters of a number or an extension that Asterisk keeps."""


USER_EVENTS = UserEventCheck(contract.USER_EVENTS)


def judge(name: bytes, event: bytes) -> Verdict:
    return event_guard.judge(name, event, USER_EVENTS)


def raw(name: str, *more: str, uid: str = "1.1", channel: str = "PJSIP/x-1") -> bytes:
    return genuine(name, uid, channel, *more).removesuffix(b"\r\n\r\n")


def test_every_event_of_the_dialplan_is_known_with_its_context() -> None:
    found: dict[str, set[str]] = {}
    context = ""
    for line in DIALPLAN.splitlines():
        if name := re.match(r"\[([\w-]+)\]", line):
            context = name[1]
        elif not line.startswith(";"):
            for event in re.findall(r"UserEvent\((Callrouter\w+)", line):
                found.setdefault(event, set()).add(context)
    assert contract.USER_EVENTS.contexts == found


@pytest.mark.parametrize("more", [(), ("Tenantid: t",), ("ChanVariable: a=b", "ChanVariable: c=d")])
def test_what_asterisk_writes_is_taken(more: tuple[str, ...]) -> None:
    assert judge(b"Newchannel", raw("Newchannel", *more)) is Verdict.WHOLE
    ended = raw("Hangup", *more, "Cause: 16", "Cause-txt: Normal Clearing", "TechCause: 200")
    assert judge(b"Hangup", ended) is Verdict.WHOLE
    stamped = raw("Newstate", *more).replace(
        b"\r\nChannel:", b"\r\nTimestamp: 1700000000.000001\r\nSystemName: a b\r\nChannel:", 1
    )
    assert judge(b"Newstate", stamped) is Verdict.WHOLE


def user_event(name: str, context: str) -> bytes:
    return raw("UserEvent", f"UserEvent: {name}", "A: b").replace(b"nowhere", context.encode())


@pytest.mark.parametrize(
    ("context", "verdict"),
    [
        ("callrouter", Verdict.WHOLE),
        ("from-trunk", Verdict.ODD),
        ("callrouter-fallback-user", Verdict.ODD),
        ("callrouter-person", Verdict.ODD),
    ],
)
def test_an_event_of_ours_counts_from_its_own_context(context: str, verdict: Verdict) -> None:
    assert judge(b"UserEvent", user_event("CallrouterCall", context)) is verdict


def test_user_events_of_others_are_passed_over() -> None:
    assert judge(b"UserEvent", user_event("Theirs", "from-trunk")) is Verdict.FOREIGN
    action = b"Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: Theirs\r\nChannel: x"
    assert judge(b"UserEvent", action) is Verdict.FOREIGN
    assert judge(b"UserEvent", action.replace(b"Theirs", b"CallrouterCall")) is Verdict.ODD
    hello = b"Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: CallrouterHello\r\nActionID: x"
    assert judge(b"UserEvent", hello) is Verdict.WHOLE


@pytest.mark.parametrize("field", ["CallerIDNum", "ConnectedLineNum", "Exten"])
@pytest.mark.parametrize("name", ["Newchannel", "Newexten", "Hangup"])
def test_an_event_that_ends_in_a_number_is_cut_short(name: str, field: str) -> None:
    whole = raw(name, "Cause: 16", "Cause-txt: x")
    head = whole[: whole.index(f"\r\n{field}: ".encode()) + len(field) + 4]
    assert event_shapes.is_cut(head)
    assert not event_shapes.is_cut(whole)
    rest = Remainder(head)
    assert not rest.ends_with(b"Event: Hangup\r\nUniqueid: 1.1\r\nLinkedid: 1.1")
    assert rest.ends_with(b"X: y" + whole[len(head) :])


@pytest.mark.parametrize("name", ["Newchannel", "Hangup", "UserEvent"])
def test_an_event_that_ends_in_the_name_of_a_local_channel_is_cut_short(name: str) -> None:
    whole = raw(name, "Cause: 16", "Cause-txt: x", channel="Local/1@x-1;1")
    head, tail = whole[: whole.index(b"@x")], whole[whole.index(b"@x") :]
    assert judge(name.encode(), head) is Verdict.CUT
    rest = Remainder(head)
    assert not rest.ends_with(b"Event: Hangup\r\nUniqueid: 1.1\r\nLinkedid: 1.1")
    assert rest.ends_with(tail)


def test_a_phone_that_rings_and_a_contact_are_taken_as_asterisk_writes_them() -> None:
    prefix = raw("DialState", "DialStatus: RINGING")
    dest = re.sub(rb"\r\n(?=[A-Z]\w+: )(?!Privilege|DialStatus)", b"\r\nDest", prefix)
    assert judge(b"DialState", dest) is Verdict.WHOLE
    both = (
        prefix.removesuffix(b"\r\nDialStatus: RINGING") + dest[dest.index(b"\r\nDestChannel: ") :]
    )
    assert judge(b"DialState", both) is Verdict.WHOLE
    short = b"Event: DialState\r\nPrivilege: call,all\r\nDestUniqueid: 1.1\r\nDialStatus: RINGING"
    assert judge(b"DialState", short) is Verdict.ODD
    contact = (
        b"Event: ContactStatus\r\nPrivilege: system,all\r\nURI: sip:1001@127.0.0.1\r\n"
        b"ContactStatus: Reachable\r\nAOR: 1001\r\nEndpointName: 1001\r\nRoundtripUsec: 1"
    )
    assert judge(b"ContactStatus", contact) is Verdict.WHOLE
    assert (
        judge(b"ContactStatus", contact.replace(b"URI: sip:1001@127.0.0.1\r\n", b"")) is Verdict.ODD
    )


def test_each_header_left_out_doubled_or_moved_is_odd() -> None:
    lines = raw("Newchannel").split(b"\r\n")
    for at in range(1, len(lines) - 1):
        missing = b"\r\n".join(lines[:at] + lines[at + 1 :])
        swapped = b"\r\n".join([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])
        strange = b"\r\n".join([*lines[:at], b"X: y", *lines[at:]])
        for bad in (missing, swapped, strange):
            assert judge(b"Newchannel", bad) is not Verdict.WHOLE


# ------------------------------------------------------------ whole streams


class Stream:
    """A link that takes what Asterisk sends, and what becomes of it."""

    def __init__(self) -> None:
        self.events: list[AmiMessage] = []
        self.forged: list[str] = []
        self.counters = AmiCounters()
        self.link = AmiConnection(
            wanted=contract.EVENTS,
            counters=self.counters,
            on_event=self.events.append,
            on_lost=lambda _why, _live: None,
            timing=AmiTiming(),
            on_forged=self.forged.append,
            user_events=contract.USER_EVENTS,
        )
        self.link.closed = False
        self.link.data_received(b"Asterisk Call Manager/11.0.0\r\n")
        self.link.live = True

    def feed(self, data: bytes) -> list[str]:
        """The names and channels of what was believed."""
        self.events.clear()
        self.link.data_received(data)
        return [f"{event.name} {event.get('Uniqueid')}" for event in self.events]


def hostile(event: bytes, **values: str) -> bytes:
    """The event with other values, as much of each as Asterisk keeps."""
    for key, value in values.items():
        before, _, after = event.partition(f"\r\n{key}: ".encode())
        kept = value[:MOST].encode() + after[after.index(b"\r\n") :]
        event = b"".join((before, f"\r\n{key}: ".encode(), kept))
    return event


BITS = [
    "\r\n\r\n",
    "\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\nChannel: PJSIP/1001-1\r\nUniqueid: 9.9\r\nx:",
    "\r\n\r\nEvent: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: A/1\r\nState: INVALID\r\n",
    "\r\n\r\nEvent: UserEvent\r\nPrivilege: user,all\r\nUserEvent: CallrouterCode\r\nCode: *45",
    "1\r\nLinkedid: 1\r\n\r\nEvent: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly",
    "1\r\nCallerIDName: \r\nConnectedLineNum: \r\nConnectedLineName: \r\nLanguage: ",
    "ok",
]


@pytest.mark.parametrize("name", ["Newchannel", "Newexten", "Hangup", "UserEvent"])
async def test_no_three_hostile_values_of_one_event_make_another(name: str) -> None:
    more = {
        "Hangup": ("Cause: 16", "Cause-txt: x"),
        "UserEvent": ("UserEvent: Theirs",),
    }.get(name, ())
    after = genuine("Newstate", "2.2", "PJSIP/y-1")
    for number, connected, exten in product(BITS, repeat=3):
        if (number, connected, exten) == ("ok", "ok", "ok"):
            continue
        stream = Stream()
        data = hostile(
            genuine(name, "1.1", "PJSIP/x-1", *more),
            CallerIDNum=number,
            ConnectedLineNum=connected,
            Exten=exten,
        )
        assert stream.feed(data + after) == ["Newstate 2.2"], (number, connected, exten)
        assert stream.counters.forged_events >= ("\r\n\r\n" in number + connected + exten)


async def test_a_flood_of_genuine_events_is_taken_as_it_is() -> None:
    stream = Stream()
    got = stream.feed(b"".join(foreign(n) for n in range(800)))
    assert len(got) == 500  # VarSet, Newexten and RTCPSent are none that the router reads
    assert stream.forged == []


async def test_a_list_row_that_is_not_whole_is_left_out_and_told() -> None:
    stream = Stream()
    data, [future] = stream.link._pending.expect([{"Action": "Status"}], 5.0, is_list=True)
    number = re.search(rb"ActionID: (\S+)", data)
    assert number is not None
    more = "Type: PJSIP|DNID: |EffectiveConnectedLineNum: 1|EffectiveConnectedLineName: 1|TimeToHangup: 0"
    more += (
        "|BridgeID: |Application: Wait|Data: 5|Nativeformats: (ulaw)|Readformat: ulaw|Readtrans: "
    )
    more += "|Writeformat: ulaw|Writetrans: |Callgroup: 0|Pickupgroup: 0|Seconds: 1|Variable: A=1"
    more += f"|ActionID: {number[1].decode()}"
    row = genuine("Status", "1.1", "PJSIP/x-1", *more.split("|")).replace(b"call,all", b"Call")
    bad = hostile(row, CallerIDNum=f"1{BITS[1]}")
    double = row.replace(b"Variable: A=1", b"Variable: A=1\r\nVariable: A=2")
    end = (
        b"Event: StatusComplete\r\nActionID: %s\r\nEventList: Complete\r\nListItems: 3\r\n\r\n"
        % number[1]
    )
    stream.link.data_received(row + bad + double + end)
    assert future.done()
    rows = future.result()
    assert [message.get("Uniqueid") for message in rows] == ["1.1"]
    assert not rows.whole
    assert stream.events == []


def test_the_shortest_event_that_would_be_believed_is_too_long_for_a_number() -> None:
    shortest = b"\r\n\r\nEvent: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/1\r\nState: INVALID\r\n"
    assert len(shortest) > MOST
    assert judge(b"DeviceStateChange", shortest.strip()) is Verdict.WHOLE
    assert parse(shortest.strip()).get("State") == "INVALID"
