"""The tables of states: complete, each pair as expected, and the state set nowhere else."""

from __future__ import annotations

import ast
from itertools import product
from pathlib import Path

import pytest

from callrouter.core.calls import call_lifecycle
from callrouter.core.calls.call_lifecycle import CALLS, CallChange, advance_call
from callrouter.core.offers import offer_lifecycle
from callrouter.core.offers.offer_lifecycle import (
    LEGS,
    LIVE,
    OFFERS,
    LegChange,
    OfferChange,
    advance_leg,
    advance_offer,
)
from callrouter.core.state import Call, CallState, Leg, LegState, Offer, OfferState, Queue
from callrouter.model.routing_table import QueueSpec
from tests.core import diagrams
from tests.core.playbook import Play
from tests.core.tables import desk
from tests.core.test_tables_of_states import CALLS as CALLS_IN
from tests.core.test_tables_of_states import OFFER, deaf, picture
from tests.core.test_tables_of_states import OFFERS as OFFERS_IN

O = OfferState  # noqa: E741
OFFER_FOLLOWS: dict[tuple[OfferState, OfferChange], OfferState] = {
    (O.RINGING, OfferChange.ACCEPTED): O.ACCEPTED,
    (O.ACCEPTED, OfferChange.CONNECTED): O.TALKING,
    (O.RINGING, OfferChange.STOPPED): O.CLOSING,
    (O.ACCEPTED, OfferChange.STOPPED): O.CLOSING,
    (O.TALKING, OfferChange.STOPPED): O.CLOSING,
    (O.TALKING, OfferChange.RELEASED): O.ENDED,
    (O.CLOSING, OfferChange.RELEASED): O.ENDED,
}
OFFER_SETTLED = {
    (O.CLOSING, OfferChange.STOPPED),
    (O.ENDED, OfferChange.STOPPED),
    (O.ENDED, OfferChange.RELEASED),
}
"""Nothing follows, and nothing is odd about it."""
C = CallState
CALL_FOLLOWS: dict[tuple[CallState, CallChange], CallState] = {
    (C.WAITING, CallChange.ACCEPTED): C.CONNECTING,
    (C.CONNECTING, CallChange.CONNECTED): C.TALKING,
    (C.CONNECTING, CallChange.REQUEUED): C.WAITING,
    (C.TALKING, CallChange.REQUEUED): C.WAITING,
    (C.WAITING, CallChange.FOUND_TALKING): C.TALKING,
    (C.WAITING, CallChange.ENDED): C.ENDED,
    (C.CONNECTING, CallChange.ENDED): C.ENDED,
    (C.TALKING, CallChange.ENDED): C.ENDED,
}


def test_the_tables_are_complete() -> None:
    assert set(OFFERS) == set(product(OfferState, OfferChange))
    assert set(CALLS) == set(product(CallState, CallChange))
    assert set(LEGS) == set(product(LegState, LegChange))


def in_state(play: Play) -> tuple[Offer, Call]:
    """The offer and the call of `deaf`, which may have ended."""
    floor = play.router.floor
    return floor.offers[OFFER], floor.calls["c1"]


@pytest.mark.parametrize(("state", "change"), OFFERS)
def test_each_change_in_each_state_of_an_offer(state: OfferState, change: OfferChange) -> None:
    play = deaf()
    offer, _ = in_state(play)
    OFFERS_IN[state](play)
    assert offer.state is state
    before, notes = picture(play), len(play.router.floor.out)
    advance_offer(play.router.floor, offer, change)
    assert offer.state is OFFER_FOLLOWS.get((state, change), state)
    if (state, change) not in OFFER_FOLLOWS:
        assert picture(play) == before
        noted = len(play.router.floor.out) > notes
        assert noted is ((state, change) not in OFFER_SETTLED)


@pytest.mark.parametrize(("state", "change"), CALLS)
def test_each_change_in_each_state_of_a_call(state: CallState, change: CallChange) -> None:
    play = deaf()
    _, call = in_state(play)
    CALLS_IN[state](play)
    assert call.state is state
    before, notes = picture(play), len(play.router.floor.out)
    advance_call(play.router.floor, call, change)
    following = CALL_FOLLOWS.get((state, change), state)
    assert call.state is following
    assert (call.queue.waiting.position(call) > 0) is (following is C.WAITING)
    timers = play.router.floor.timers
    assert (timers.connect.at("c1") is not None) is (following is C.CONNECTING)
    if (state, change) not in CALL_FOLLOWS:
        assert picture(play) == before
        noted = len(play.router.floor.out) > notes
        assert noted is ((state, change) != (C.ENDED, CallChange.ENDED))


STEPS = list(LegState)


@pytest.mark.parametrize(("state", "change"), LEGS)
def test_each_change_in_each_state_of_a_leg(state: LegState, change: LegChange) -> None:
    leg = Leg(desk("ann"), "office", state=state)
    advance_leg(leg, change)
    means = {
        LegChange.PLACED: LegState.PLACED,
        LegChange.RANG: LegState.RINGING,
        LegChange.ANSWERED: LegState.ANSWERED,
        LegChange.ACCEPTED: LegState.ACCEPTED,
        LegChange.ENDED: LegState.ENDED,
    }[change]
    unplaced = state is LegState.PLANNED and means in LIVE - {LegState.PLACED}
    assert leg.state is (state if unplaced else max(state, means, key=STEPS.index))


CORE = Path(call_lifecycle.__file__).parent
SETTERS = {call_lifecycle.__file__: 1, offer_lifecycle.__file__: 2}


def test_a_state_is_set_in_the_lifecycles_alone() -> None:
    assert isinstance(Call("c", "p", Queue(QueueSpec(id="q", name="q")), 1, 0.0, 0.0).state, C)
    for path in sorted(CORE.rglob("*.py")):
        found = [
            target
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
            for top in (node.targets if isinstance(node, ast.Assign) else [node.target])
            for target in ast.walk(top)
            if isinstance(target, ast.Attribute) and target.attr == "state"
        ]
        assert len(found) == SETTERS.get(str(path), 0), path


def test_the_diagrams_of_the_docs_are_those_of_the_tables() -> None:
    _, made, _ = diagrams.parts(diagrams.PAGE.read_text("utf-8"))
    assert made.strip() == diagrams.diagrams().strip(), "run: python -m tests.core.diagrams"
