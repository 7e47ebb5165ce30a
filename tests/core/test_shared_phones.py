"""Phones that several PBXes can ring: one phone with one state, whichever PBX rings it."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import pytest

from callrouter.core.agents import shared_phones
from callrouter.core.agents.agent_availability import available_through, status_of
from callrouter.core.agents.agent_rows import row_of
from callrouter.core.agents.unavailability_text import why_not
from callrouter.model.agent_status import AgentState, AgentStatus
from callrouter.model.call_requests import ConversationAction, ConversationRequested
from callrouter.model.commands import Disregard, Ring
from callrouter.model.events import AgentRestored, DeviceState, EndpointChanged, LegEnd, PhoneFreed
from callrouter.model.routing_table import AgentSpec, DeviceSpec
from tests.core.playbook import Play
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
