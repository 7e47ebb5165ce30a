"""Devices: hours, switched on and off, changed in mid-call, and left alone when they fail in a row."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callrouter.core.agents.unavailability_text import device_lines, why_not
from callrouter.core.requests import refusal
from callrouter.model.agent_status import AgentState
from callrouter.model.commands import Ring
from callrouter.model.events import DeviceState, DeviceSwitchRequested, LegEnd
from callrouter.model.hours import Hours, parse_spans
from callrouter.model.notices import AgentDeviceSwitched, AgentStatusChanged
from callrouter.model.routing_table import Table
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table

MONDAY = 1_700_438_400.0  # Monday 2023-11-20 00:00 UTC
HOUR = 3600.0


def hours(text: str, zone: str = "UTC") -> Hours:
    return Hours(parse_spans(text), ZoneInfo(zone) if zone != "UTC" else UTC)


def both(**more: Any) -> Table:
    """Ann with a desk phone and a mobile that ring together."""
    return table(
        agent("ann", desk("ann"), mobile("ann", **more)), queue("q", "ann bob:5", "priority")
    )


def rung(play: Play) -> list[tuple[float, str]]:
    """When which device of ann was rung."""
    return [
        (at, order.device)
        for at, order in play.log
        if isinstance(order, Ring) and order.agent == "ann"
    ]


# ---------------------------------------------------------------- hours


def office_hours(zone: str = "UTC") -> Table:
    specs = agent("ann", mobile("ann", hours=hours("mon-fri 08:00-18:00", zone)))
    return table(specs, queue("q", "ann", ring_for=20))


def test_a_device_rings_within_its_hours_only() -> None:
    play = Play(office_hours(), now=MONDAY + 7 * HOUR)
    assert play.state("ann") is AgentState.OFFLINE
    assert device_lines(play.router.floor, play.agent("ann")) == [
        "mobile (office): outside its hours"
    ]
    play = Play(office_hours(), now=MONDAY + 9 * HOUR)
    assert play.state("ann") is AgentState.AVAILABLE


def test_hours_that_begin_while_a_caller_waits_ring_at_that_minute() -> None:
    play = Play(office_hours(), now=MONDAY + 7.9 * HOUR).call("c1", "q")
    play.until(MONDAY + 8 * HOUR - 1)
    assert play.ringing() == {}
    play.until(MONDAY + 8 * HOUR)
    assert play.rings() == [(MONDAY + 8 * HOUR, "ann")]


def test_hours_that_end_let_a_call_finish_and_ring_no_other() -> None:
    play = Play(office_hours(), now=MONDAY + 17.9 * HOUR).call("c1", "q").accepts("ann")
    play.until(MONDAY + 18.1 * HOUR)
    assert play.talking() == {"ann": "c1"}
    play.call("c2", "q").agent_hangs_up("ann").on(60)
    assert play.ringing() == {}
    assert play.state("ann") is AgentState.OFFLINE
    play.until(MONDAY + 32 * HOUR)
    assert play.rings(call="c2")[0] == (MONDAY + 32 * HOUR, "ann")


def test_a_device_whose_hours_end_before_its_ring_after_is_not_rung() -> None:
    phones = (desk("ann"), mobile("ann", ring_after=10, hours=hours("mon 08:00-18:00")))
    play = Play(table(agent("ann", *phones), queue("q", "ann")), now=MONDAY + 18 * HOUR - 5)
    play.call("c1", "q").on(15)
    assert [device for _, device in rung(play)] == ["desk"]
    assert play.ringing() == {"ann": "c1"}


def test_hours_are_those_of_the_zone_also_where_the_clock_is_changed() -> None:
    """Berlin puts the clock forward on Sunday 2024-03-31: 08:00 is 07:00 UTC before, 06:00 after."""
    saturday = 1_711_756_800.0  # 2024-03-30 00:00 UTC
    spec = agent("ann", mobile("ann", hours=hours("daily 08:00-09:00", "Europe/Berlin")))
    play = Play(table(spec, queue("q", "ann")), now=saturday)
    play.until(saturday + 48 * HOUR)
    changes = [r for r in play.notices(AgentStatusChanged, agent="ann") if r.at > saturday]
    assert [(record.at - saturday) / HOUR for record in changes] == [7, 8, 30, 31]


def test_a_reload_gives_a_device_other_hours_at_once() -> None:
    play = Play(office_hours(), now=MONDAY + 7 * HOUR).call("c1", "q")
    spec = agent("ann", mobile("ann", hours=hours("daily 06:00-20:00")))
    play.reload(table(spec, queue("q", "ann", ring_for=20)))
    assert play.ringing() == {"ann": "c1"}
    play.accepts("ann").on(1).agent_hangs_up("ann")
    play.reload(table(agent("ann", mobile("ann")), queue("q", "ann")))
    play.until(MONDAY + 20.5 * HOUR)
    assert play.state("ann") is AgentState.AVAILABLE


# ---------------------------------------------------------------- on and off


def switch(play: Play, device: str, *, on: bool, by: str = "ann") -> Play:
    play.feed(DeviceSwitchRequested(agent="ann", device=device, on=on, by=by))
    return play.on()


def test_a_device_that_is_switched_off_is_not_rung_and_the_others_are() -> None:
    play = switch(Play(both()), "mobile", on=False)
    play.call("c1", "q")
    assert rung(play) == [(0, "desk")]
    switched = play.notices(AgentDeviceSwitched)[0]
    assert (switched.device, switched.on, switched.by) == ("mobile", False, "ann")
    assert device_lines(play.router.floor, play.agent("ann")) == [
        "mobile (office): switched off by ann"
    ]


def test_it_survives_a_reload_and_is_taken_back_by_on() -> None:
    play = switch(Play(both()), "mobile", on=False).reload(both(ring_after=0.5))
    play.call("c1", "q").on(1).accepts("ann").on(1).agent_hangs_up("ann")
    assert [device for _, device in rung(play)] == ["desk"]
    switch(play, "mobile", on=True).call("c2", "q").on(1)
    assert [device for _, device in rung(play)] == ["desk", "desk", "mobile"]


def test_switching_off_the_only_device_makes_unavailable_and_on_offers_at_once() -> None:
    play = Play(table(queue("q", "ann")))
    switch(play, "desk", on=False, by="").call("c1", "q").on(5)
    assert play.state("ann") is AgentState.OFFLINE
    assert why_not(play.router.floor, play.agent("ann")) == ["desk (office): switched off"]
    assert rung(switch(play, "desk", on=True)) == [(5, "desk")]


def test_a_call_on_a_device_that_is_switched_off_goes_on() -> None:
    play = Play(table(queue("q", "ann", wrap_up=5))).call("c1", "q").accepts("ann")
    switch(play, "desk", on=False).on(10)
    assert play.talking() == {"ann": "c1"}
    play.agent_hangs_up("ann").call("c2", "q").on(30)
    assert play.ringing() == {}


def test_what_can_not_be_switched_is_refused() -> None:
    spec = agent("ann", desk("ann", enabled=False))
    play = Play(table(spec, queue("q", "ann")))
    event = DeviceSwitchRequested(agent="ann", device="desk", on=True)
    assert "switched off in the configuration" in refusal(play.router.floor, event)
    event = replace(event, device="car")
    assert refusal(play.router.floor, event) == "ann has no device 'car'; there are: desk"
    play.feed(event)
    assert play.notices(AgentDeviceSwitched) == []


def test_switching_to_what_it_is_already_changes_nothing() -> None:
    play = switch(Play(both()), "mobile", on=True)
    assert play.notices(AgentDeviceSwitched) == []


# ---------------------------------------------------------------- reloads in mid-call


def test_a_device_that_is_taken_out_finishes_its_call() -> None:
    play = Play(both()).call("c1", "q")
    pbx = play.pbxes["office"]
    pbx.press_1(next(leg for leg in pbx.legs.values() if leg.ring.device == "mobile"))
    play.on(1).reload(table(agent("ann", desk("ann")), queue("q", "ann bob:5", "priority")))
    play.on(100)
    assert play.talking() == {"ann": "c1"}
    play.agent_hangs_up("ann")
    assert play.state("ann") is AgentState.AVAILABLE
    assert not play.router.floor.offers


def test_a_number_that_changes_before_its_turn_is_rung_as_it_is_then() -> None:
    play = Play(both(ring_after=10)).call("c1", "q").on(5)
    play.reload(both(ring_after=10, number="+44999")).on(5)
    orders = [order.number for _, order in play.log if isinstance(order, Ring) and order.number]
    assert orders == ["+44999"]


def test_a_device_that_goes_before_its_turn_is_not_rung() -> None:
    play = Play(both(ring_after=10)).call("c1", "q").on(5)
    play.reload(table(agent("ann", desk("ann")), queue("q", "ann bob:5", "priority"))).on(10)
    assert rung(play) == [(0, "desk")]
    assert play.ringing() == {"ann": "c1"}


def test_a_device_that_is_put_back_is_not_still_switched_off() -> None:
    play = switch(Play(both()), "mobile", on=False)
    play.reload(table(agent("ann", desk("ann")), queue("q", "ann bob:5", "priority")))
    play.reload(both()).call("c1", "q")
    assert sorted(device for _, device in rung(play)) == ["desk", "mobile"]


# ---------------------------------------------------------------- refusing and failing in a row


def test_a_phone_that_refuses_in_a_row_is_rested_and_the_others_of_its_agent_ring() -> None:
    play = Play(table(agent("ann", desk("ann"), mobile("ann")), queue("q", "ann", retry_after=0)))
    play.phone("ann").says(LegEnd.BUSY)
    play.phone("ann", "mobile").is_voicemail(after=0, listens=1)
    play.call("c1", "q").until(1)
    play.phone("ann", "mobile").lets_it_ring()
    assert play.failures("ann") == 2
    assert device_lines(play.router.floor, play.agent("ann")) == [
        "desk (office): refused 2 calls in a row; rung again in 2 s"
    ]
    assert play.state("ann") is AgentState.RINGING
    assert play.told("ann") == [], "whoever presses do-not-disturb knows it"


def test_a_mobile_with_a_voicemail_is_rested_from_the_second_time_on_and_its_agent_told() -> None:
    play = Play(both())
    play.phone("ann").picks_up(after=5)
    play.phone("ann", "mobile").is_voicemail(after=1, listens=3)
    for number in range(3):
        play.call(f"c{number}", "q").on(10).agent_hangs_up("ann").on(10)
    assert [device for _, device in rung(play)] == ["desk", "mobile", "desk", "mobile", "desk"]
    assert play.told("ann") == [
        "mobile was answered without key 1, twice in a row: it is not rung for 1 min"
    ]
    assert device_lines(play.router.floor, play.agent("ann")) == [
        "mobile (office): was answered without key 1, twice in a row; rung again in 34 s"
    ]
    assert play.agent("ann").misses == 0


@pytest.mark.parametrize(
    "why", [LegEnd.UNREACHABLE, LegEnd.FAILED, LegEnd.UNAVAILABLE, LegEnd.NOT_ACCEPTED]
)
def test_the_rests_of_a_mobile_grow_up_to_a_bound_and_cost_no_caller_anything(why: LegEnd) -> None:
    specs = (agent("ann", mobile("ann")), queue("q", "ann bob:5", "priority"))
    play = Play(table(*specs))
    play.phone("ann", "mobile").says(why)
    play.phone("bob").picks_up()
    for number in range(300):
        play.call(f"c{number}", "q").on(1)
        assert play.talking() == {"bob": f"c{number}"}, "the next agent, at once"
        play.agent_hangs_up("bob").on(19)
    times = [at for at, _ in rung(play)]
    gaps = [round(after - before) for before, after in pairwise(times)]
    assert gaps[:6] == [20, 60, 120, 240, 480, 900]
    assert set(gaps[5:]) == {900}


@pytest.mark.parametrize("endpoint", ["Local/1001@from-internal/n", "PJSIP/2004@branch"])
def test_an_extension_that_forwards_to_a_voicemail_is_rested_as_a_mobile_is(endpoint: str) -> None:
    forwards = replace(desk("ann"), endpoint=endpoint, confirm=True)
    play = Play(table(agent("ann", forwards), queue("q", "ann bob:5", "priority")))
    play.phone("ann").is_voicemail(after=1, listens=3)
    play.phone("bob").picks_up()
    for number in range(4):
        play.call(f"c{number}", "q").on(10).agent_hangs_up("bob").on(10)
    assert [round(at) for at, _ in rung(play)] == [0, 20], "and then not for a minute"
    assert play.told("ann") == [
        "desk was answered without key 1, twice in a row: it is not rung for 1 min"
    ]


def test_key_1_makes_a_mobile_good_again() -> None:
    play = Play(table(agent("ann", mobile("ann")), queue("q", "ann", retry_after=5)))
    phone = play.phone("ann", "mobile")
    phone.says(LegEnd.NOT_ACCEPTED)
    play.call("c1", "q").until(20)
    assert play.failures("ann", "mobile") == 2
    phone.picks_up(after=1, key_1=1)
    play.until(70).agent_hangs_up("ann")
    assert play.failures("ann", "mobile") == 0
    phone.says(LegEnd.NOT_ACCEPTED)
    play.call("c2", "q").on(1)
    assert play.router.floor.cooldowns == {}, "once is no row"


@pytest.mark.parametrize("key", [LegEnd.DECLINED, LegEnd.WRONG_KEY])
def test_a_refusal_by_a_key_shows_that_somebody_is_there(key: LegEnd) -> None:
    play = Play(table(agent("ann", mobile("ann")), queue("q", "ann", retry_after=5)))
    phone = play.phone("ann", "mobile")
    phone.says(LegEnd.NOT_ACCEPTED)
    play.call("c1", "q").until(1)
    phone.says(key)
    play.until(6)
    assert play.failures("ann", "mobile") == 1
    assert play.told("ann") == []


def test_a_leg_that_the_router_ends_itself_counts_as_not_accepted() -> None:
    """The PBX does not say so: the time for key 1 is the core's."""
    play = Play(table(agent("ann", mobile("ann")), queue("q", "ann", ring_for=60)))
    play.phone("ann", "mobile").picks_up(after=1)
    play.call("c1", "q").until(26)
    assert play.failures("ann", "mobile") == 1
    assert play.outcomes("ann") == ["not accepted"]


def test_an_unplugged_phone_is_passed_over_in_no_time_and_rung_once_it_registers() -> None:
    play = Play(table(queue("q", "ann bob:5", "priority")))
    play.phone("ann").says(LegEnd.UNREACHABLE)
    play.phone_is("bob", DeviceState.UNREACHABLE).call("c1", "q").on(1)
    assert play.ringing() == {}
    play.phone("ann").lets_it_ring()
    play.phone_is("ann", DeviceState.UNREACHABLE).phone_is("ann", DeviceState.IDLE)
    assert play.failures("ann") == 0
    assert play.router.floor.cooldowns == {}
    assert play.until(5).rings("ann")[-1] == (5, "ann"), "goes round again after retry_after"


def test_a_link_gap_holds_nothing_against_a_mobile() -> None:
    play = Play(both()).call("c1", "q").lose()
    pbx = play.pbxes["office"]
    mobile_leg = next(leg for leg in pbx.legs.values() if leg.ring.device == "mobile")
    del pbx.legs[mobile_leg.id]
    play.back()
    assert play.failures("ann", "mobile") == 0
    assert play.ringing() == {"ann": "c1"}


# ---------------------------------------------------------------- key 1


def test_a_mobile_that_is_answered_stops_no_other_phone_before_its_key() -> None:
    play = Play(both()).call("c1", "q")
    play.phone("ann", "mobile").lets_it_ring()
    pbx = play.pbxes["office"]
    leg = next(leg for leg in pbx.legs.values() if leg.ring.device == "mobile")
    pbx.pick_up(leg)
    play.on(5)
    assert play.stops() == []
    assert len(pbx.legs) == 2
    pbx.press_1(leg)
    play.on()
    assert [order.device for _, order in play.stops()] == ["desk"]
    assert play.talking() == {"ann": "c1"}


def test_nor_those_of_other_agents() -> None:
    specs = table(agent("ann", mobile("ann")), queue("q", "ann bob", "ring-all"))
    play = Play(specs)
    play.phone("ann", "mobile").is_voicemail(after=1, listens=3)
    play.phone("bob").picks_up(after=10)
    play.call("c1", "q").until(9)
    assert play.ringing() == {"bob": "c1"}
    assert play.stops() == []
    assert play.until(10).talking() == {"bob": "c1"}
