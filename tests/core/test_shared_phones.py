"""Phones that several PBXes can ring: one phone with one state, whichever PBX rings it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise, permutations, product
from typing import Any

import pytest

from callrouter.core import phone_transfers
from callrouter.core.agents import shared_phones
from callrouter.core.agents.agent_availability import available_through, status_of
from callrouter.core.agents.agent_rows import row_of
from callrouter.core.agents.unavailability_text import why_not
from callrouter.core.offers import offer_failures, ringing
from callrouter.model.agent_status import AgentState, AgentStatus
from callrouter.model.call_notices import CallCompleted, ConversationTransferred
from callrouter.model.call_requests import ConversationAction, ConversationRequested
from callrouter.model.commands import Disregard, Ring
from callrouter.model.events import (
    AgentRestored,
    DeviceState,
    EndpointChanged,
    LegEnd,
    LegRang,
    PhoneFreed,
    TimePassed,
)
from callrouter.model.routing_table import AgentSpec, DeviceSpec
from tests.core.playbook import Phone, Play
from tests.core.tables import agent, desk, queue, table

NORTH, SOUTH, WEST = "north", "south", "west"
IDLE, IN_USE = DeviceState.IDLE, DeviceState.IN_USE
AWAY, BUSY = DeviceState.UNREACHABLE, DeviceState.BUSY


def both(
    name: str, home: str = NORTH, others: tuple[str, ...] = (SOUTH,), **more: Any
) -> DeviceSpec:
    """A desk phone registered at `home`, which the others ring over a trunk."""
    plain = f"PJSIP/{name}"
    addresses = {home: plain} | dict.fromkeys(others, f"{plain}@{home}")
    more.setdefault("watch_answer", False)
    return desk(name, pbxes=(home, *others), addresses=addresses, homes=(home,), **more)


def play(*agents: AgentSpec, pbxes: tuple[str, ...] = (NORTH, SOUTH), **rules: Any) -> Play:
    names = " ".join(spec.id for spec in agents)
    return Play(table(*agents, queue("q", names, **rules)), pbxes=pbxes)


def says(p: Play, pbx: str, endpoint: str, state: DeviceState) -> None:
    """A PBX tells of an endpoint."""
    p.pbxes[pbx].phone_is(endpoint, state)
    if pbx not in p.down:
        p.feed(EndpointChanged(pbx=pbx, endpoint=endpoint, state=state, channel=f"{endpoint}-1"))
    p.on()


def rung_at(p: Play) -> list[tuple[str, str]]:
    """Every ring so far: by which PBX, at which address."""
    return [(order.pbx, order.endpoint) for _, order in p.log if isinstance(order, Ring)]


# ---------------------------------------------------------------- which address


@pytest.mark.parametrize(
    ("pbx", "address"),
    [(NORTH, "PJSIP/ann"), (SOUTH, "PJSIP/ann@north"), (WEST, "PJSIP/ann@north")],
)
def test_a_caller_on_any_pbx_rings_the_phone_by_the_address_there(pbx: str, address: str) -> None:
    p = play(agent("ann", both("ann", others=(SOUTH, WEST))), pbxes=(NORTH, SOUTH, WEST))
    p.call("c1", "q", pbx=pbx)
    assert rung_at(p) == [(pbx, address)]


def test_an_agent_is_rung_once_however_many_pbxes_have_callers() -> None:
    p = play(agent("ann", both("ann")))
    p.call("c1", "q", pbx=SOUTH).call("c2", "q", pbx=NORTH)
    assert p.ringing() == {"ann": "c1"}
    p.accepts("ann").on(30)
    assert p.talking() == {"ann": "c1"}
    assert len(p.rings("ann")) == 1
    p.agent_hangs_up("ann")
    assert p.ringing() == {"ann": "c2"}
    assert rung_at(p) == [(SOUTH, "PJSIP/ann@north"), (NORTH, "PJSIP/ann")]


def test_an_agent_without_an_address_there_is_not_rung_from_there() -> None:
    p = play(agent("ann", desk("ann", pbxes=(NORTH,))), agent("bob", both("bob", home=SOUTH)))
    p.call("c1", "q", pbx=SOUTH).call("c2", "q", pbx=SOUTH)
    assert p.ringing() == {"bob": "c1"}


# ---------------------------------------------------------------- the state of the phone

STATES = (IDLE, IN_USE, BUSY, AWAY)
REACHED_BY_SOUTH = {
    # (what its home says of the phone, whether the home is in step, what south says of its trunk)
    (home, up, trunk)
    for home, up, trunk in product((IDLE, IN_USE, BUSY, AWAY), (True, False), (IDLE, AWAY))
    if trunk is IDLE and (home is IDLE or (not up and home in {BUSY, AWAY}))
}


@pytest.mark.parametrize(
    ("home", "up", "trunk"), list(product(STATES, (True, False), (IDLE, AWAY)))
)
def test_whether_south_rings_a_phone_of_norths(
    home: DeviceState, up: bool, trunk: DeviceState
) -> None:
    """The home decides while it is in step; then the trunk, and for a while the last that was seen."""
    p = play(agent("ann", both("ann")))
    says(p, SOUTH, "PJSIP/ann@north", trunk)
    says(p, NORTH, "PJSIP/ann", home)
    if not up:
        p.lose(NORTH)
    p.call("c1", "q", pbx=SOUTH)
    assert (p.ringing() == {"ann": "c1"}) is ((home, up, trunk) in REACHED_BY_SOUTH)


@pytest.mark.parametrize(
    ("home", "at_home"), [(IDLE, True), (IN_USE, False), (BUSY, False), (AWAY, False)]
)
@pytest.mark.parametrize("trunk", [IDLE, AWAY])
def test_the_trunk_says_nothing_of_the_phone_at_its_home(
    home: DeviceState, at_home: bool, trunk: DeviceState
) -> None:
    p = play(agent("ann", both("ann")))
    says(p, SOUTH, "PJSIP/ann@north", trunk)
    says(p, NORTH, "PJSIP/ann", home)
    p.call("c1", "q", pbx=NORTH)
    assert (p.ringing() == {"ann": "c1"}) is at_home


def test_a_phone_registered_at_two_pbxes_is_rung_where_it_is_reachable() -> None:
    phone = desk(
        "ann",
        pbxes=(NORTH, SOUTH),
        addresses={NORTH: "PJSIP/ann", SOUTH: "PJSIP/ann"},
        homes=(NORTH, SOUTH),
    )
    p = play(agent("ann", phone))
    says(p, NORTH, "PJSIP/ann", AWAY)
    p.call("c1", "q", pbx=NORTH)
    assert p.ringing() == {}
    p.call("c2", "q", pbx=SOUTH)
    assert p.ringing() == {"ann": "c2"}


def test_a_private_call_at_home_keeps_callers_of_every_pbx_away() -> None:
    p = play(agent("ann", both("ann")))
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.call("c1", "q", pbx=SOUTH).call("c2", "q", pbx=NORTH)
    assert p.ringing() == {}
    assert status_of(p.router.floor, p.agent("ann")) is AgentStatus.PRIVATE_CALL
    says(p, NORTH, "PJSIP/ann", IDLE)
    assert p.ringing() == {"ann": "c1"}


def test_a_private_call_that_a_supervisor_disregards_is_disregarded_at_home() -> None:
    p = play(agent("ann", both("ann")))
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.feed(PhoneFreed(agent="ann", by="sam"))
    [order] = [order for _, order in p.log if isinstance(order, Disregard)]
    assert (order.pbx, order.endpoint) == (NORTH, "PJSIP/ann")


# ---------------------------------------------------------------- a leg that its home reports as a call


def test_the_far_end_of_our_own_leg_is_no_private_call() -> None:
    p = play(agent("ann", both("ann"), capacity=2))
    p.call("c1", "q", pbx=SOUTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.accepts("ann").on(10)
    assert p.talking() == {"ann": "c1"}
    assert "in a private call" not in " ".join(why_not(p.router.floor, p.agent("ann")))
    p.call("c2", "q", pbx=NORTH)  # she takes two calls at a time
    assert p.ringing() == {"ann": "c2"}


def test_a_phone_that_still_clears_the_call_is_not_rung_and_in_no_private_call() -> None:
    p = play(agent("ann", both("ann")))
    p.call("c1", "q", pbx=SOUTH).call("c2", "q", pbx=NORTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.accepts("ann").on(10).caller_hangs_up("c1")
    assert p.ringing() == {}
    assert status_of(p.router.floor, p.agent("ann")) is AgentStatus.CLOSING
    assert why_not(p.router.floor, p.agent("ann")) == ["the phone is still clearing the last call"]
    says(p, NORTH, "PJSIP/ann", IDLE)
    assert p.ringing() == {"ann": "c2"}


@pytest.mark.parametrize("pbx", [NORTH, SOUTH])
@pytest.mark.parametrize("seen", [True, False])
def test_a_phone_that_its_home_has_not_seen_yet_is_not_rung_in_between(
    pbx: str, seen: bool
) -> None:
    """A caller hangs up a moment after the ring was ordered; INVITE and CANCEL are on the trunk."""
    p = play(agent("ann", both("ann")))
    p.call("c1", "q", pbx=SOUTH).call("c2", "q", pbx=pbx)
    p.caller_hangs_up("c1").on(0.01)
    assert len(rung_at(p)) == 1
    if seen:
        says(p, NORTH, "PJSIP/ann", IN_USE)
        p.on(1)
        assert len(rung_at(p)) == 1
        assert p.state("ann") is AgentState.RESERVED
        says(p, NORTH, "PJSIP/ann", IDLE)
    else:
        p.on(shared_phones.SEEN_WITHIN)
    assert p.ringing() == {"ann": "c2"}


def test_a_call_that_goes_on_after_ours_is_a_private_one() -> None:
    p = play(agent("ann", both("ann")))
    p.call("c1", "q", pbx=SOUTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.accepts("ann").on(10).agent_hangs_up("ann").on(shared_phones.CLEARS_WITHIN)
    assert status_of(p.router.floor, p.agent("ann")) is AgentStatus.PRIVATE_CALL
    says(p, NORTH, "PJSIP/ann", IDLE)
    assert p.state("ann") is AgentState.AVAILABLE


# ---------------------------------------------------------------- who answers


def watched(name: str) -> AgentSpec:
    return agent(name, both(name, watch_answer=True))


def test_what_answers_is_the_phone_if_its_home_sees_it_in_use() -> None:
    p = play(watched("ann"))
    p.phone("ann").picks_up(after=3)
    p.call("c1", "q", pbx=SOUTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.on(3)
    assert p.talking() == {"ann": "c1"}
    assert not p.find("c1").winner.legs["desk"].asked  # type: ignore[union-attr]


def test_a_home_may_say_so_a_moment_after_the_answer() -> None:
    p = play(watched("ann"))
    p.phone("ann").picks_up(after=3)
    p.call("c1", "q", pbx=SOUTH).on(3)
    assert p.talking() == {}
    says(p, NORTH, "PJSIP/ann", IN_USE)
    assert p.talking() == {"ann": "c1"}


def test_a_voicemail_behind_the_trunk_gets_no_caller() -> None:
    p = play(watched("ann"), watched("bob"), policy="linear")
    p.phone("ann").picks_up(after=3)
    p.call("c1", "q", pbx=SOUTH).on(3 + shared_phones.UNSEEN_FOR)
    assert p.talking() == {}
    assert p.outcomes("ann") == [LegEnd.NOT_ACCEPTED.value]
    assert p.ringing() == {"bob": "c1"}


def test_key_1_is_asked_for_while_no_home_can_be_asked() -> None:
    p = play(watched("ann"))
    p.lose(NORTH)
    p.phone("ann").picks_up(after=3, key_1=2)
    p.call("c1", "q", pbx=SOUTH)
    [ring] = [order for _, order in p.log if isinstance(order, Ring)]
    assert ring.confirm
    p.on(3)
    assert p.talking() == {}
    p.on(2)
    assert p.talking() == {"ann": "c1"}


@pytest.mark.parametrize(("pbx", "watch"), [(NORTH, True), (SOUTH, False)])
def test_key_1_is_not_asked_for_at_home_nor_where_the_files_say_no(pbx: str, watch: bool) -> None:
    p = play(agent("ann", both("ann", watch_answer=watch)))
    p.lose(SOUTH if pbx == NORTH else NORTH)
    p.phone("ann").picks_up(after=3)
    p.call("c1", "q", pbx=pbx).on(3)
    assert p.talking() == {"ann": "c1"}


# ---------------------------------------------------------------- failures


def test_a_trunk_that_does_not_get_there_is_left_alone_for_longer_each_time() -> None:
    p = play(agent("ann", both("ann")), retry_after=1)
    p.phone("ann").says(LegEnd.UNREACHABLE)
    p.call("c1", "q", pbx=SOUTH).until(200)
    at = [when for when, _ in p.rings("ann")]
    assert [round(later - before) for before, later in pairwise(at)][:5] == [
        5,
        10,
        20,
        40,
        60,
    ]


def test_the_phone_is_rung_at_home_while_the_way_through_south_is_left_alone() -> None:
    p = play(agent("ann", both("ann")))
    p.phone("ann").says(LegEnd.UNREACHABLE)
    p.call("c1", "q", pbx=SOUTH).on(1)
    assert p.failures("ann", "desk@south") == 1
    assert p.failures("ann") == 0
    assert available_through(p.router.floor, p.agent("ann")) == (NORTH,)
    p.phone("ann").lets_it_ring()
    p.call("c2", "q", pbx=NORTH)
    assert p.ringing() == {"ann": "c2"}


def test_a_trunk_that_has_failed_for_one_phone_is_not_tried_with_the_next_at_once() -> None:
    agents = [agent(name, both(name)) for name in ("ann", "bob", "cat")]
    p = play(*agents, agent("dan", both("dan", home=SOUTH, others=(NORTH,))), policy="linear")
    for name in ("ann", "bob", "cat"):
        p.phone(name).says(LegEnd.UNREACHABLE)
    p.call("c1", "q", pbx=SOUTH).on(0.1)
    assert p.ringing() == {"dan": "c1"}
    assert [endpoint for pbx, endpoint in rung_at(p) if pbx == SOUTH][:2] == [
        "PJSIP/ann@north",
        "PJSIP/dan",
    ]
    assert p.failures("bob", "desk@south") == 0
    assert why_not(p.router.floor, p.agent("bob"), p.now) == []
    p.phone("bob").lets_it_ring()
    p.call("c2", "q", pbx=SOUTH).on(0.5)
    assert "bob" not in p.ringing()
    p.on(1)
    assert p.ringing() == {"dan": "c1", "bob": "c2"}


def test_a_device_that_goes_takes_its_resting_ways_along() -> None:
    p = play(agent("ann", both("ann")), agent("bob", both("bob")), policy="linear")
    p.phone("ann").says(LegEnd.UNREACHABLE)
    p.call("c1", "q", pbx=SOUTH).on(0.1)
    assert set(p.router.floor.cooldowns) == {("ann", "desk@south"), ("bob", "desk@south")}
    p.reload(
        table(
            agent("ann", both("ann")), agent("bob", desk("bob", id="other")), queue("q", "ann bob")
        )
    )
    assert set(p.router.floor.cooldowns) == {("ann", "desk@south")}


def test_a_refusal_counts_on_every_pbx() -> None:
    p = play(agent("ann", both("ann")), retry_after=0)
    p.phone("ann").says(LegEnd.DECLINED, after=1)
    p.call("c1", "q", pbx=SOUTH).on(5)
    assert p.failures("ann") >= 2
    assert available_through(p.router.floor, p.agent("ann")) == ()


def test_a_registration_ends_the_cooldown_of_every_way_and_a_trunk_that_is_back_its_own() -> None:
    p = play(agent("ann", both("ann", others=(SOUTH, WEST))), pbxes=(NORTH, SOUTH, WEST))
    p.phone("ann").says(LegEnd.UNREACHABLE)
    p.call("c1", "q", pbx=SOUTH).on(1).caller_hangs_up("c1")
    p.call("c2", "q", pbx=WEST).on(1).caller_hangs_up("c2")
    assert (p.failures("ann", "desk@south"), p.failures("ann", "desk@west")) == (1, 1)
    says(p, SOUTH, "PJSIP/ann@north", AWAY)
    says(p, SOUTH, "PJSIP/ann@north", IDLE)
    assert (p.failures("ann", "desk@south"), p.failures("ann", "desk@west")) == (0, 1)
    says(p, NORTH, "PJSIP/ann", AWAY)
    says(p, NORTH, "PJSIP/ann", IDLE)
    assert p.failures("ann", "desk@west") == 0


def test_failures_of_ways_outlive_a_restart_and_end_with_their_address() -> None:
    p = play(agent("ann", both("ann")))
    p.phone("ann").says(LegEnd.UNREACHABLE)
    p.call("c1", "q", pbx=SOUTH).on(1)
    row = row_of(p.router.floor, p.agent("ann"), p.now)
    again = Play(
        table(agent("ann", both("ann")), queue("q", "ann")), pbxes=(NORTH, SOUTH), signed_in=""
    )
    again.feed(AgentRestored(row=row))
    assert again.failures("ann", "desk@south") == 1
    moved = both("ann")
    moved.addresses[SOUTH] = "PJSIP/ann@other"  # type: ignore[index]
    again.reload(table(agent("ann", moved), queue("q", "ann")))
    assert again.failures("ann", "desk@south") == 0


# ---------------------------------------------------------------- links


def test_losing_a_pbx_costs_its_own_calls_only() -> None:
    p = play(agent("ann", both("ann")), agent("bob", both("bob", home=SOUTH, others=(NORTH,))))
    p.call("c1", "q", pbx=NORTH).call("c2", "q", pbx=SOUTH)
    assert len(p.ringing()) == 2
    for name in ("ann", "bob"):
        p.accepts(name)
    p.on(5).lose(NORTH).on(5)
    assert len(p.talking()) == 2, "what Asterisk has connected goes on"
    who = next(name for name, call in p.talking().items() if call == "c2")
    p.caller_hangs_up("c2").call("c3", "q", pbx=SOUTH)
    assert p.ringing() == {who: "c3"}


@pytest.mark.parametrize("trunk", [IDLE, AWAY])
def test_a_home_that_does_not_run_rings_no_phone(trunk: DeviceState) -> None:
    """The trunk may look well for a while: nothing tells its PBX that the other one is gone."""
    p = play(agent("ann", both("ann")), agent("bob", both("bob", home=SOUTH)), policy="linear")
    says(p, SOUTH, "PJSIP/ann@north", trunk)
    p.lose(NORTH, stopped=True).call("c1", "q", pbx=SOUTH)
    assert p.ringing() == {"bob": "c1"}
    # Silence, where the connection was refused: whether it runs is not known any more.
    p.lose(NORTH)
    p.call("c2", "q", pbx=SOUTH)
    assert p.ringing() == ({"bob": "c1", "ann": "c2"} if trunk is IDLE else {"bob": "c1"})


def test_a_phone_rings_no_more_when_its_home_is_found_dead() -> None:
    """Its trunk has said that it rings, and says nothing more; the caller does not wait for that."""
    p = play(agent("ann", both("ann")), agent("bob", both("bob", home=SOUTH)), policy="linear")
    p.call("c1", "q", pbx=SOUTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    assert p.ringing() == {"ann": "c1"}
    p.lose(NORTH).on(1)
    assert p.ringing() == {"ann": "c1"}
    p.lose(NORTH, stopped=True).on()
    assert p.ringing() == {"bob": "c1"}
    p.lose(NORTH, stopped=True).on()
    assert len(p.rings("bob")) == 1
    p.pbxes[NORTH].phone_is("PJSIP/ann", IDLE)
    p.back(NORTH)
    assert p.router.floor.stopped == frozenset()
    p.call("c2", "q", pbx=NORTH)
    assert p.ringing() == {"bob": "c1", "ann": "c2"}


def test_a_conversation_is_left_alone_when_its_phones_home_is_found_dead() -> None:
    """Their audio may go directly from phone to phone."""
    p = play(agent("ann", both("ann")))
    p.call("c1", "q", pbx=SOUTH).accepts("ann").lose(NORTH, stopped=True).on(20)
    assert p.talking() == {"ann": "c1"}


@pytest.mark.parametrize(
    ("pbx", "silence"), [(NORTH, ringing.SILENT_FOR), (SOUTH, ringing.SILENT_WAY_FOR)]
)
def test_a_silent_trunk_holds_a_caller_back_for_a_shorter_time(pbx: str, silence: float) -> None:
    p = play(agent("ann", both("ann")), agent("bob", both("bob")), policy="linear")
    p.phone("ann").is_dead()
    p.call("c1", "q", pbx=pbx).on(silence - 0.1)
    assert rung_at(p) == [(pbx, both("ann").addresses[pbx])]
    p.on(0.2)
    assert rung_at(p)[1:] == [(pbx, both("bob").addresses[pbx])]


def test_a_trunk_that_has_brought_the_call_to_the_phones_home_is_not_silent() -> None:
    """It is the phone that is slow: it has as long as at home."""
    p = play(agent("ann", both("ann")), agent("bob", both("bob")), policy="linear", ring_for=20)
    p.phone("ann").is_dead()
    p.call("c1", "q", pbx=SOUTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.on(ringing.SILENT_FOR - 0.1)
    assert len(rung_at(p)) == 1
    p.on(0.2)
    assert rung_at(p)[1:] == [(SOUTH, "PJSIP/bob@north")]


@pytest.mark.parametrize("late", [0.0, 0.05, 0.3, 5.0])
@pytest.mark.parametrize("rang", [True, False])
def test_a_phone_is_not_silent_because_the_router_stood_still(late: float, rang: bool) -> None:
    """Its ring may have been told in time, and wait to be read behind the deadline."""
    p = play(agent("ann", both("ann")), agent("bob", both("bob")), policy="linear", ring_for=20)
    p.phone("ann").is_dead()
    p.call("c1", "q", pbx=SOUTH)
    [leg] = p.pbxes[SOUTH].legs.values()
    p.now += ringing.SILENT_WAY_FOR + late
    p.feed(TimePassed())
    assert (len(rung_at(p)) == 1) is (late > offer_failures.LATE)
    if rang:
        p.feed(LegRang(offer=leg.ring.offer, device="desk"))
    p.on(offer_failures.READS_WITHIN + 0.01)
    assert (len(rung_at(p)) == 1) is (rang and late > offer_failures.LATE)


def test_a_report_of_a_private_call_counts_for_a_minute_after_the_link_was_lost() -> None:
    p = play(agent("ann", both("ann")))
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.lose(NORTH).call("c1", "q", pbx=SOUTH).on(shared_phones.LAST_REPORT_COUNTS - 1)
    assert p.ringing() == {}
    p.on(1)
    assert p.ringing() == {"ann": "c1"}


def test_a_link_that_is_back_within_the_minute_changes_nothing() -> None:
    p = play(agent("ann", both("ann")))
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.lose(NORTH).on(30).back(NORTH).call("c1", "q", pbx=SOUTH).on(60)
    assert p.ringing() == {}


def test_callers_do_not_leave_for_want_of_agents_whose_home_is_cut_off() -> None:
    p = play(agent("ann", both("ann")), on_nobody=None, nobody_after=10)
    says(p, NORTH, "PJSIP/ann", AWAY)
    p.call("c1", "q", pbx=SOUTH).on(5)
    p.lose(NORTH)
    assert p.ringing() == {"ann": "c1"}, "it may have registered since"


def test_a_consultation_reaches_a_colleague_of_another_pbx() -> None:

    p = play(agent("ann", both("ann", home=SOUTH, others=(NORTH,))), agent("bob", both("bob")))
    p.pbxes[SOUTH].can_hold = True
    p.back(SOUTH)
    p.pause("bob").call("c1", "q", pbx=SOUTH).accepts("ann").on(5).resume("bob")
    p.feed(ConversationRequested(call="c1", action=ConversationAction.CONSULT, agent="bob"))
    p.on()
    assert rung_at(p)[-1] == (SOUTH, "PJSIP/bob@north")


def test_the_last_agent_is_tried_first_from_every_pbx() -> None:
    p = play(
        agent("ann", both("ann")),
        agent("bob", both("bob")),
        last_agent=3600.0,
        prefer_for=30.0,
        policy="linear",
    )
    p.pause("ann").call("c1", "q", pbx=NORTH, caller_number="+441").accepts("bob").on(30)
    p.agent_hangs_up("bob").resume("ann")
    p.call("c2", "q", pbx=SOUTH, caller_number="+441")
    assert p.ringing() == {"bob": "c2"}
    assert rung_at(p)[-1] == (SOUTH, "PJSIP/bob@north")


# ---------------------------------------------------------------- transfers by the phone's own keys


def test_a_phone_that_leaves_its_talk_has_passed_the_caller_on() -> None:
    """REFER at home: the caller's PBX still sees its leg, which is the trunk."""
    p = play(agent("ann", both("ann")), agent("bob", both("bob")), policy="linear", wrap_up=5)
    p.call("c1", "q", pbx=SOUTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.accepts("ann").on(20)
    says(p, NORTH, "PJSIP/ann", IDLE)
    p.on(phone_transfers.PASSED_ON_AFTER - 0.1)
    assert p.state("ann") is AgentState.ON_CALL
    p.on(0.1)
    assert p.state("ann") is AgentState.WRAP_UP
    [transfer] = p.notices(ConversationTransferred)
    assert (transfer.agent, transfer.call) == ("ann", "c1")
    p.feed(p.pbxes[SOUTH].snapshot())
    p.on(5)
    assert p.gone("c1"), "what goes on at south is not ours, in whatever snapshot"
    p.call("c2", "q", pbx=NORTH)
    assert p.ringing() == {"ann": "c2"}
    p.caller_hangs_up("c1")
    assert p.oddities() == []
    assert p.router.floor.passed_on == {}


def test_a_hang_up_that_takes_a_moment_to_arrive_is_no_transfer() -> None:
    p = play(agent("ann", both("ann")))
    p.call("c1", "q", pbx=SOUTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.accepts("ann").on(20)
    says(p, NORTH, "PJSIP/ann", IDLE)
    p.on(1).agent_hangs_up("ann").on(5)
    assert p.notices(ConversationTransferred) == []
    assert len(p.notices(CallCompleted)) == 1


def test_a_link_that_breaks_is_no_transfer() -> None:
    p = play(agent("ann", both("ann")))
    p.call("c1", "q", pbx=SOUTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.accepts("ann").on(20).lose(NORTH).on(shared_phones.LAST_REPORT_COUNTS + 10)
    assert p.talking() == {"ann": "c1"}
    assert p.state("ann") is AgentState.ON_CALL


@pytest.mark.parametrize("first", [NORTH, SOUTH])
def test_a_restart_finds_out_that_a_caller_was_passed_on(first: str) -> None:
    spec = table(agent("ann", both("ann", watch_answer=True)), queue("q", "ann"))
    p = Play(spec, pbxes=(NORTH, SOUTH))
    p.call("c1", "q", pbx=SOUTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.accepts("ann").on(20)
    p.pbxes[NORTH].phone_is("PJSIP/ann", IDLE)
    again = Play(spec, pbxes=(NORTH, SOUTH), up=False, run_id="c")
    again.pbxes = p.pbxes
    for pbx in (first, SOUTH if first == NORTH else NORTH):
        again.back(pbx)
    assert again.state("ann") is AgentState.ON_CALL
    again.on(phone_transfers.PASSED_ON_AFTER)
    assert again.state("ann") is AgentState.AVAILABLE


@pytest.mark.parametrize("order", list(permutations((NORTH, SOUTH))), ids="-".join)
@pytest.mark.parametrize("home_comes", ["once", "twice"])
def test_a_restart_keeps_the_talk_at_home_and_not_the_one_that_was_passed_on(
    order: tuple[str, str], home_comes: str
) -> None:
    """South's leg to the trunk outlives the phone's part in it; the phone talks at home by now."""
    spec = table(agent("ann", both("ann", watch_answer=True)), queue("q", "ann"))
    p = Play(spec, pbxes=(NORTH, SOUTH))
    p.call("c1", "q", pbx=SOUTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.accepts("ann").on(20)
    says(p, NORTH, "PJSIP/ann", IDLE)
    p.on(phone_transfers.PASSED_ON_AFTER).call("c2", "q", pbx=NORTH)
    [leg] = p.pbxes[NORTH].legs.values()
    p.pbxes[NORTH].press_1(leg)
    p.on(5)
    assert _callers_of(p, "ann") == ["c2"]
    again = Play(spec, pbxes=(NORTH, SOUTH), up=False, run_id="c")
    for pbx in order:
        p.pbxes[pbx].say = again.pbxes[pbx].say
    again.pbxes = p.pbxes
    for pbx in order:
        again.back(pbx)
    if home_comes == "twice":
        again.lose(NORTH).back(NORTH)
    again.on(phone_transfers.PASSED_ON_AFTER + 1).call("c3", "q", pbx=NORTH)
    again.feed(again.pbxes[SOUTH].snapshot())
    again.on(1)
    assert _callers_of(again, "ann") == ["c2"], "and neither rung nor with c1"
    assert again.gone("c1")
    assert again.oddities() == []
    again.pbxes[NORTH].end_leg(leg, LegEnd.HUNG_UP)
    again.on(1)
    assert _callers_of(again, "ann") == ["c3"]
    again.caller_hangs_up("c1")
    assert again.router.floor.passed_on == {}


def _callers_of(p: Play, name: str) -> list[str]:
    """For which callers the core keeps an agent."""
    return [offer.call.id for offer in p.agent(name).offers.values()]


# ---------------------------------------------------------------- every state and every event


def _rings(p: Play) -> None:
    p.call("c1", "q", pbx=SOUTH)


def _unseen(p: Play) -> None:
    p.call("c1", "q", pbx=SOUTH).accepts("ann")


def _talks(p: Play) -> None:
    p.call("c1", "q", pbx=SOUTH)
    says(p, NORTH, "PJSIP/ann", IN_USE)
    p.accepts("ann").on(5)


def _leaves(p: Play) -> None:
    _talks(p)
    says(p, NORTH, "PJSIP/ann", IDLE)


def _passed_on(p: Play) -> None:
    _leaves(p)
    p.on(phone_transfers.PASSED_ON_AFTER)


def _clears(p: Play) -> None:
    _talks(p)
    p.caller_hangs_up("c1")


def _cools(p: Play) -> None:
    p.phone("ann").once.append(Phone().says(LegEnd.UNREACHABLE))
    p.call("c1", "q", pbx=SOUTH)


def _private(p: Play) -> None:
    says(p, NORTH, "PJSIP/ann", IN_USE)


def _asked(p: Play) -> None:
    p.lose(NORTH).call("c1", "q", pbx=SOUTH)
    p.pbxes[SOUTH].pick_up(next(iter(p.pbxes[SOUTH].legs.values())))
    p.on()


def _cut_off(p: Play) -> None:
    _private(p)
    p.lose(NORTH)


SITUATIONS = (
    _rings, _unseen, _talks, _leaves, _passed_on, _clears, _cools, _private, _asked, _cut_off,
)  # fmt: skip


def _lose(p: Play, pbx: str) -> None:
    if pbx not in p.down:
        p.lose(pbx)


def _hangs_up(p: Play) -> None:
    for fake in p.pbxes.values():
        for call in list(fake.callers):
            fake.hang_up(call)
    p.on()


def _put_down(p: Play) -> None:
    for fake in p.pbxes.values():
        for leg in list(fake.legs.values()):
            fake.end_leg(leg, LegEnd.HUNG_UP)
    p.on()


def _reload(p: Play, phone: DeviceSpec) -> None:
    p.reload(table(agent("ann", phone), queue("q", "ann")))


HAPPENINGS = {
    **{f"home {s.value}": partial(says, pbx=NORTH, endpoint="PJSIP/ann", state=s) for s in STATES},
    **{
        f"trunk {state.value}": partial(says, pbx=SOUTH, endpoint="PJSIP/ann@north", state=state)
        for state in (IDLE, AWAY)
    },
    "north lost": partial(_lose, pbx=NORTH),
    "south lost": partial(_lose, pbx=SOUTH),
    "north stopped": lambda p: p.lose(NORTH, stopped=True),
    "south stopped": lambda p: p.lose(SOUTH, stopped=True),
    "north again": lambda p: p.back(NORTH),
    "south again": lambda p: p.back(SOUTH),
    "callers gone": _hangs_up,
    "phones down": _put_down,
    "another call at home": lambda p: p.call("c2", "q", pbx=NORTH),
    "another call at south": lambda p: p.call("c3", "q", pbx=SOUTH),
    "paused": lambda p: p.pause("ann"),
    "signed out": lambda p: p.sign_out("ann"),
    "one address only": partial(_reload, phone=desk("ann", pbxes=(NORTH,))),
    "home moved": partial(_reload, phone=both("ann", home=SOUTH, others=(NORTH,))),
    "freed": lambda p: p.feed(PhoneFreed(agent="ann", by="sam")),
}


@pytest.mark.parametrize("happens", HAPPENINGS)
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda made: made.__name__.strip("_"))
def test_whatever_happens_in_whatever_state_the_agent_is_free_in_the_end(
    situation: Callable[[Play], None], happens: str
) -> None:
    """`Play` checks all invariants after every event."""
    p = play(watched("ann"), retry_after=1)
    situation(p)
    HAPPENINGS[happens](p)  # type: ignore[operator]
    p.on(3)
    p.on(70)
    for pbx in list(p.down):
        p.back(pbx)
    _hangs_up(p)
    _put_down(p)
    for pbx, endpoint in ((NORTH, "PJSIP/ann"), (SOUTH, "PJSIP/ann@north"), (SOUTH, "PJSIP/ann")):
        says(p, pbx, endpoint, IDLE)
    says(p, NORTH, "PJSIP/ann@south", IDLE)
    if p.agent("ann").pause is not None:
        p.resume("ann")
    p.sign_in("ann").on(100)
    assert p.state("ann") is AgentState.AVAILABLE
    assert p.quiet()
    assert not p.router.floor.clearing
    assert not p.router.floor.passed_on
