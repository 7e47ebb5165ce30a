"""An attended transfer onto a waiting call: another person takes over its place."""

from __future__ import annotations

from callrouter.core.state import CallState
from callrouter.model.call_notices import CallAbandoned, PlaceHandedOver
from callrouter.model.commands import Ring, StopRing
from callrouter.model.events import CallerReplaced
from tests.core.playbook import Play
from tests.core.tables import queue, table

OTHER = CallerReplaced(call="c1", caller_number="+442079460018", caller_name="Eve", agent="ann")


def waits() -> Play:
    """c1 is the first of two in line, and bob's phone rings for it."""
    play = Play(table(queue("q", "ann bob")), signed_in="bob")
    return play.call("c1", "q", caller_number="1001").call("c2", "q").on(3)


def test_the_place_and_what_rings_for_it_are_kept() -> None:
    play = waits()
    orders = [o for o in play.feed(OTHER) if isinstance(o, Ring | StopRing)]
    assert orders == []
    assert play.waiting("q") == ["c1", "c2"]
    assert play.ringing() == {"bob": "c1"}
    call = play.find("c1")
    assert (call.caller_number, call.caller_name, call.entered_at) == ("+442079460018", "Eve", 0)
    assert play.notices(CallAbandoned) == []
    assert len(play.notices(PlaceHandedOver)) == 1


def test_who_transferred_the_caller_is_the_last_choice_for_them() -> None:
    play = waits()
    play.feed(OTHER)
    play.pause("bob").sign_in("ann")
    assert play.ringing() == {"ann": "c2"}, "ann has just given c1 away"


def test_the_one_who_is_rung_for_it_already_may_take_it() -> None:
    play = waits()
    play.feed(CallerReplaced(call="c1", agent="bob"))
    play.accepts("bob")
    assert play.talking() == {"bob": "c1"}


def test_in_a_talk_only_the_caller_is_another() -> None:
    play = waits()
    play.accepts("bob")
    play.feed(OTHER)
    assert play.find("c1").state is CallState.TALKING
    assert play.talking() == {"bob": "c1"}


def test_of_a_call_that_is_over_it_says_nothing() -> None:
    play = waits()
    play.caller_hangs_up("c1")
    play.feed(OTHER)
    assert any("CallerReplaced" in note for note in play.oddities())
