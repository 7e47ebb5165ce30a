"""The account itself: what must not be is seen, and what may be is not called a fault."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos import account as books
from tests.cluster_chaos.crowd import Visitor
from tests.cluster_chaos.ledger import CUT, Ledger, Strike, ledger

TALK: dict[str, Any] = {"heard": {"caller": 5.0}, "ended_by": "us"}


def dialog(at: float, ended: float | None, number: int = 0, **more: Any) -> Any:
    """A call at a phone, in the way in which `callrouter.lab.Dialog` tells of it."""
    heard = more.pop("heard", {})
    known: dict[str, Any] = {
        "invite_at": at,
        "ended_at": ended,
        "answered_at": at,
        "ended_by": "them",
        "final_code": 200,
        "state": "up" if ended is None else "ended",
        "peer_number": str(number),
        "peer_name": "Support",
        "heard_since": heard,
        "heard": set(heard),
    }
    return SimpleNamespace(**known | more)


def rang(at: float, ended: float | None, number: int = 0) -> Any:
    return dialog(at, ended, number, answered_at=None)


def visitor(at: float = 0.0, ended: float | None = 20.0, number: int = 0, **more: Any) -> Visitor:
    place, hung_up = more.pop("place", "north"), more.pop("hung_up", False)
    served = {"heard": {"1101": at + 5.0}} if more.pop("served", True) else {}
    made = dialog(at, ended, number, **served | more)
    return Visitor(str(number), made, None, None, hung_up, place=place)


def of(
    callers: list[Visitor],
    strikes: tuple[Strike, ...] = (),
    away: bool = False,
    **phones: list[Any],
) -> Ledger:
    """The account of these callers, and of what came to phones such as `d1101`."""
    place = SimpleNamespace(gone=set(), was_away=lambda _: away)
    site: Any = SimpleNamespace(
        desks=[SimpleNamespace(name=name[1:], incoming=calls) for name, calls in phones.items()],
        many=True,
        exchanges=dict.fromkeys(("north", "south", "west"), place),
    )
    return ledger(site, callers, strikes)


def test_a_caller_who_heard_an_agent_was_connected() -> None:
    made = of([visitor()], d1101=[dialog(4, 20, **TALK)])
    assert made.ends == {books.CONNECTED: 1}
    assert made.bad() == []
    nameless = dialog(4, 20, peer_name="", **TALK)
    assert of([visitor()], d1101=[nameless]).ends == {books.FALLBACK: 1}


def test_a_caller_who_was_ended_unheard_is_lost_and_one_who_waits_at_the_end_is_stuck() -> None:
    assert of([visitor(served=False)]).ends == {books.LOST: 1}
    assert of([visitor(served=False, ended=None)]).ends == {books.WAITING: 1}
    assert of([visitor(served=False, hung_up=True)]).bad() == []


@pytest.mark.parametrize(
    ("at", "by", "trunk", "end"),
    [
        (4.1, "us", {"north", "west"}, CUT),  # with the answer
        (3.0, "us", {"north", "west"}, CUT),
        (5.0, "us", {"north", "west"}, books.LOST),  # they had a second to hear each other
        (4.1, "them", {"north", "west"}, books.LOST),  # ended by a router or an Asterisk
        (4.1, "us", {"north", "south"}, books.LOST),
        (4.1, "us", set(), books.LOST),
    ],
)
def test_a_caller_whose_agent_hangs_up_unheard_over_a_cut_trunk_is_not_lost_by_a_router(
    at: float, by: str, trunk: set[str], end: str
) -> None:
    cut = Strike("trunk cut", "answered", at, over=9.0, apart=frozenset(trunk))
    phone = dialog(4, 9, ended_by=by)
    assert of([visitor(served=False)], (cut,), d1301=[phone]).ends == {end: 1}
    dead = Strike(
        "Asterisk killed", "between", at, over=9.0, apart=cut.apart, cut_off=frozenset({"west"})
    )
    assert of([visitor(served=False)], (dead,), d1301=[phone]).ends == {books.LOST: 1}


def test_two_phones_at_once_for_one_caller_are_one_too_many() -> None:
    made = of([visitor()], d1101=[rang(2, 9)], d1201=[dialog(4, 20, **TALK)])
    assert len(made.rung_twice) == 1
    one_by_one = of([visitor()], d1101=[rang(2, 4.1)], d1201=[dialog(4, 20, **TALK)])
    assert one_by_one.bad() == []


def test_the_same_phone_twice_at_once_is_one_too_many() -> None:
    made = of([visitor()], d1101=[rang(2, 9), dialog(4, 20, **TALK)])
    assert (len(made.rung_twice), len(made.double_rung)) == (1, 1)


def test_a_phone_that_talks_is_rung_for_no_other() -> None:
    callers = [visitor(), visitor(1, 30, 1)]
    made = of(callers, d1101=[dialog(4, 20, **TALK), dialog(10, 30, 1, **TALK)])
    assert len(made.double_rung) == 1
    unseen = Strike("cut", "between", 8.0, over=12.0, cut_off=frozenset({"north"}))
    assert (
        of(callers, (unseen,), d1101=[dialog(4, 20, **TALK), dialog(10, 30, 1, **TALK)]).bad() == []
    )


def test_a_conversation_that_neither_side_ended_was_cut() -> None:
    cut = dialog(4, 20, **TALK | {"ended_by": "them"})
    assert len(of([visitor()], d1101=[cut]).cut_talks) == 1
    assert of([visitor(hung_up=True)], d1101=[cut]).bad() == []


@pytest.mark.parametrize(("second", "overtaken"), [(6.0, 0), (9.0, 1)])
def test_an_earlier_caller_is_rung_for_first(second: float, overtaken: int) -> None:
    callers = [visitor(0), visitor(3, 30, 1)]
    made = of(callers, d1101=[dialog(second, 20, **TALK)], d1201=[dialog(5.5, 30, 1, **TALK)])
    assert len(made.overtaken) == overtaken


@pytest.mark.parametrize(
    ("island", "by", "overtaken"),
    [("west", "", 0), ("west", "Support", 1), ("south", "", 1), ("", "", 1)],
)
def test_the_fallback_of_an_asterisk_that_no_router_reaches_knows_no_other_callers(
    island: str, by: str, overtaken: int
) -> None:
    callers = [visitor(0), visitor(3, 30, 1, place="west")]
    cut = Strike("cut", "between", 2.0, over=20.0, cut_off=frozenset({island}))
    own = dialog(5.5, 30, 1, peer_name=by, **TALK)
    made = of(callers, (cut,), d1101=[dialog(9, 20, **TALK)], d1301=[own])
    assert len(made.overtaken) == overtaken


@pytest.mark.parametrize(
    ("apart", "overtaken"),
    [({"north", "west"}, 0), ({"north", "south"}, 1), ({"south", "west"}, 1), (set(), 1)],
)
def test_an_agent_behind_a_cut_trunk_rings_for_callers_who_can_be_connected(
    apart: set[str], overtaken: int
) -> None:
    """A caller of north came earlier; a phone of west rang for one of south."""
    callers = [visitor(0), visitor(3, 30, 1, place="south")]
    cut = Strike("cut", "between", 2.0, over=20.0, apart=frozenset(apart))
    made = of(callers, (cut,), d1101=[dialog(9, 20, **TALK)], d1301=[dialog(5.5, 30, 1, **TALK)])
    assert len(made.overtaken) == overtaken


def test_a_harness_that_stood_still_proves_nothing() -> None:
    made = of([visitor()], d1101=[dialog(4, 20, **TALK)])
    made.lag = 1.2
    assert made.bad()[0].startswith("no proof: the harness itself stood still for 1.2 s")


@pytest.mark.parametrize(("offered", "late"), [(14.9, 0), (15.1, 1), (10.2, 1)])
def test_the_next_offer_counts_from_the_fault(offered: float, late: int) -> None:
    """An order of the last moment is none of the next router's."""
    struck = Strike("active killed", "ringing", 10.0, over=20.0, fails_over=True)
    made = of([visitor(9)], (struck,), d1101=[dialog(offered, 20, **TALK)])
    assert len(made.slow) == late
    assert "active killed" in made.table()
