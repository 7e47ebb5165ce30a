"""Every state and every event: no exception, a legal state after it, and nonsense changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from callrouter.core.agents.agent_availability import status_of
from callrouter.core.leg_reports import TABLE
from callrouter.core.requests import REQUESTS
from callrouter.core.state import CallState, LegState, OfferState
from callrouter.model.agent_status import AgentStatus
from callrouter.model.events import (
    CallArrived,
    CallerLeft,
    CallerTransferred,
    ConnectFailed,
    ConnectFault,
    ConnectSucceeded,
    DeviceState,
    DeviceSwitchRequested,
    Event,
    LegAccepted,
    LegAnswered,
    LegEnd,
    LegEnded,
    LegEvent,
    LegPickedUpElsewhere,
    LegRang,
    OutsideCallEnded,
    PauseRequested,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
    TransferKind,
)
from callrouter.model.routing_table import PauseEnd, PauseSpec
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table

# ---------------------------------------------------------------- offers

OFFER = "b-2"


def deaf() -> Play:
    """c1 is offered to ann (and to nobody else); her phone obeys no order, and connects hang."""
    spec = agent("ann", desk("ann", confirm=True), mobile("ann", ring_after=10))
    play = Play(table(spec, queue("q", "ann", wrap_up=9), queue("w", "bob")))
    pbx = play.pbxes["office"]
    pbx.deaf |= {"PJSIP/ann"}
    pbx.connects = False
    play.phone("ann").is_dead()
    return play.call("c1", "q")


def accepted(play: Play) -> Play:
    play.feed(LegAccepted(offer=OFFER, device="desk"))
    return play


def talking(play: Play) -> Play:
    accepted(play).feed(ConnectSucceeded(call="c1", offer=OFFER))
    return play.on(5)


def closing(play: Play) -> Play:
    return play.pause("ann")


def ended(play: Play) -> Play:
    closing(play).feed(LegEnded(offer=OFFER, device="desk", why=LegEnd.HUNG_UP))
    return play


OFFERS: dict[OfferState, Callable[[Play], Play]] = {
    OfferState.RINGING: lambda play: play,
    OfferState.ACCEPTED: accepted,
    OfferState.TALKING: talking,
    OfferState.CLOSING: closing,
    OfferState.ENDED: ended,
}
LEG_EVENTS: list[LegEvent] = [
    LegRang(offer=OFFER, device="desk"),
    LegAnswered(offer=OFFER, device="desk"),
    LegAccepted(offer=OFFER, device="desk"),
    *(LegEnded(offer=OFFER, device="desk", why=why) for why in LegEnd),
    LegPickedUpElsewhere(offer=OFFER, device="desk", endpoint="PJSIP/bob"),
]
R, A, T, C, E = OfferState
AFTER: dict[tuple[OfferState, type], OfferState] = {
    (R, LegRang): R,
    (R, LegAnswered): R,
    (R, LegAccepted): A,
    (R, LegEnded): R,  # the mobile rings now
    (R, LegPickedUpElsewhere): R,  # key 1 is still to come
    (A, LegRang): A,
    (A, LegAnswered): A,
    (A, LegAccepted): A,
    (A, LegEnded): E,
    (A, LegPickedUpElsewhere): A,
    (T, LegRang): T,
    (T, LegAnswered): T,
    (T, LegAccepted): T,
    (T, LegEnded): E,
    (T, LegPickedUpElsewhere): T,
    (C, LegRang): C,
    (C, LegAnswered): C,
    (C, LegAccepted): C,
    (C, LegEnded): E,
    (C, LegPickedUpElsewhere): C,
}


def test_the_table_of_offers_is_whole() -> None:
    kinds = {type(event) for event in LEG_EVENTS}
    assert set(TABLE) == {(state, kind) for state in OfferState for kind in kinds}


@pytest.mark.parametrize("state", OfferState)
@pytest.mark.parametrize("event", LEG_EVENTS, ids=lambda e: f"{type(e).__name__} {e}"[:60])
def test_each_leg_event_in_each_state_of_an_offer(state: OfferState, event: LegEvent) -> None:
    play = OFFERS[state](deaf())
    offer = play.router.floor.offers.get(OFFER)
    assert (offer.state if offer else OfferState.ENDED) is state
    notes = len(play.oddities())
    before = picture(play)
    play.feed(event)
    offer = play.router.floor.offers.get(OFFER)
    after = AFTER.get((state, type(event)), OfferState.ENDED)
    assert (offer.state if offer else OfferState.ENDED) is after
    if state in {C, E} and not isinstance(event, LegEnded | LegRang):
        assert len(play.oddities()) > notes
        assert picture(play) == before
    if state in {A, T} and isinstance(event, LegPickedUpElsewhere):
        assert len(play.oddities()) > notes
        assert picture(play) == before


@pytest.mark.parametrize("event", LEG_EVENTS, ids=lambda e: f"{type(e).__name__} {e}"[:60])
@pytest.mark.parametrize("leg", [LegState.PLANNED, LegState.ENDED])
def test_no_event_of_a_leg_that_is_not_there_changes_anything(
    leg: LegState, event: LegEvent
) -> None:
    """`mobile` has not been rung yet, or is over; nothing may come from it."""
    play = deaf()
    device = "mobile"
    if leg is LegState.ENDED:
        device = "desk"
        play.feed(LegEnded(offer=OFFER, device="desk", why=LegEnd.DECLINED))
    event = replace(event, device=device)
    before = picture(play)
    play.feed(event)
    assert picture(play) == before
    assert play.oddities()


def picture(play: Play) -> tuple[object, ...]:
    """All that an impossible event must leave alone."""
    floor = play.router.floor
    return (
        {c.id: (c.state, sorted(c.offers), sorted(c.tried)) for c in floor.calls.values()},
        {
            o.id: (o.state, o.rang, [leg.state for leg in o.legs.values()])
            for o in floor.offers.values()
        },
        {
            a.id: (a.status.state, a.misses, a.pause, dict(a.failure_streaks))
            for a in floor.agents.values()
        },
        floor.timers.keys(),
    )


# ---------------------------------------------------------------- calls


def gone(play: Play) -> Play:
    play.feed(CallerLeft(call="c1"))
    return play


CALLS: dict[CallState, Callable[[Play], Play]] = {
    CallState.WAITING: lambda play: play,
    CallState.CONNECTING: accepted,
    CallState.TALKING: talking,
    CallState.ENDED: gone,
}
CALL_EVENTS: list[Event] = [
    CallerLeft(call="c1"),
    ConnectSucceeded(call="c1", offer=OFFER),
    ConnectSucceeded(call="c1", offer="other"),
    ConnectFailed(call="c1", offer="other", why=ConnectFault.FAILED),
    *(ConnectFailed(call="c1", offer=OFFER, why=why) for why in ConnectFault),
    *(CallerTransferred(call="c1", kind=kind) for kind in TransferKind),
    CallArrived(call="c1", pbx="office", queue="q"),
    OutsideCallEnded(call="c1"),
    OutsideCallEnded(call="c1", returns=True),
]
MEANS: dict[tuple[CallState, str], CallState] = {
    (CallState.CONNECTING, f"ConnectSucceeded {OFFER}"): CallState.TALKING,
    (CallState.CONNECTING, f"ConnectFailed {OFFER}"): CallState.WAITING,
    (CallState.CONNECTING, f"ConnectFailed {OFFER} gone"): CallState.ENDED,
    (CallState.ENDED, "CallArrived"): CallState.WAITING,
    **{(state, "CallerLeft"): CallState.ENDED for state in CallState},
    **{(state, "CallerTransferred"): CallState.ENDED for state in CallState},
}


@pytest.mark.parametrize("state", CallState)
@pytest.mark.parametrize("event", CALL_EVENTS, ids=lambda e: f"{e}"[:70])
def test_each_call_event_in_each_state_of_a_call(state: CallState, event: Event) -> None:
    play = CALLS[state](deaf())
    before, notes = picture(play), len(play.oddities())
    play.feed(event)
    words = [type(event).__name__]
    if isinstance(event, ConnectSucceeded | ConnectFailed):
        words.append(event.offer)
    if isinstance(event, ConnectFailed) and event.why is ConnectFault.CALLER_GONE:
        words.append("gone")
    means = MEANS.get((state, " ".join(words)))
    call = play.router.floor.calls.get("c1")
    assert (call.state if call else CallState.ENDED) is (means or state)
    if means is None:
        assert picture(play) == before
        assert len(play.oddities()) > notes


# ---------------------------------------------------------------- people

PEOPLE: dict[AgentStatus, Callable[[Play], Play]] = {
    AgentStatus.SIGNED_OUT: lambda play: play.sign_out("ann"),
    AgentStatus.AVAILABLE: lambda play: play,
    AgentStatus.RINGING: lambda play: play.call("c1", "q"),
    AgentStatus.ON_CALL: lambda play: play.call("c1", "q").accepts("ann"),
    AgentStatus.WRAP_UP: lambda play: (
        play.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann")
    ),
    AgentStatus.PAUSED: lambda play: play.pause("ann"),
}
S = AgentStatus


def status(play: Play) -> AgentStatus:
    return status_of(play.router.floor, play.agent("ann"))


BECOMES: dict[tuple[AgentStatus, type], AgentStatus] = {
    (S.SIGNED_OUT, SignedIn): S.AVAILABLE,
    (S.AVAILABLE, SignedOut): S.SIGNED_OUT,
    (S.RINGING, SignedOut): S.SIGNED_OUT,
    (S.WRAP_UP, SignedOut): S.SIGNED_OUT,
    (S.PAUSED, SignedOut): S.SIGNED_OUT,
    (S.AVAILABLE, PauseRequested): S.PAUSED,
    (S.RINGING, PauseRequested): S.PAUSED,
    (S.WRAP_UP, PauseRequested): S.PAUSED,
    (S.PAUSED, Resumed): S.AVAILABLE,
    (S.WRAP_UP, ReadyPressed): S.AVAILABLE,
}
LATER: dict[type, AgentStatus] = {SignedOut: S.SIGNED_OUT, PauseRequested: S.PAUSED}
"""What a request made during a call comes to when the call is over."""


def test_the_table_of_requests_is_whole() -> None:
    for actions in REQUESTS.values():
        assert actions.keys() == set(AgentStatus)


@pytest.mark.parametrize("state", PEOPLE)
@pytest.mark.parametrize("kind", list(REQUESTS))
def test_each_request_in_each_activity(state: AgentStatus, kind: type) -> None:
    play = PEOPLE[state](Play(table(queue("q", "ann", wrap_up=9))))
    assert status(play) is state
    play.feed(kind(agent="ann"))
    play.on()
    assert status(play) is BECOMES.get((state, kind), state)
    if state is S.ON_CALL:
        play.on(5).agent_hangs_up("ann")
        assert status(play) is LATER.get(kind, S.WRAP_UP)
    play.on(60)
    expected = play.agent("ann").signed_in and play.agent("ann").pause is None
    assert bool(play.agent("ann").open) == (expected and not play.ringing())


def deaf_and_stopped(play: Play) -> Play:
    """ann's phone rings on although her caller has gone."""
    play.pbxes["office"].deaf |= {"PJSIP/ann"}
    play.phone("ann").is_dead()
    return play.call("c1", "q").caller_hangs_up("c1")


ALIKE: dict[AgentStatus, tuple[AgentStatus, Callable[[Play], Play]]] = {
    S.NO_PHONE: (S.AVAILABLE, lambda play: play.phone_is("ann", DeviceState.UNREACHABLE)),
    S.PRIVATE_CALL: (S.AVAILABLE, lambda play: play.phone_is("ann", DeviceState.IN_USE)),
    S.CLOSING: (S.AVAILABLE, deaf_and_stopped),
    S.RESERVED: (S.RINGING, lambda play: silent(play).call("c1", "q")),
}
"""Statuses in which a request does the same as in another one."""


def silent(play: Play) -> Play:
    play.phone("ann").is_dead()
    return play


@pytest.mark.parametrize("state", ALIKE)
def test_phones_and_private_calls_make_no_difference_to_requests(state: AgentStatus) -> None:
    like, reached = ALIKE[state]
    play = reached(Play(table(queue("q", "ann", wrap_up=9))))
    assert status(play) is state
    assert play.agent("ann").status is state
    for actions in REQUESTS.values():
        assert actions[state] is actions[like]


def test_every_status_is_reached() -> None:
    assert {*PEOPLE, *ALIKE} == set(AgentStatus)


@pytest.mark.parametrize("state", PEOPLE)
@pytest.mark.parametrize("on", [False, True])
def test_switching_a_device_in_each_activity_changes_no_wish_and_cuts_nothing(
    state: AgentStatus, on: bool
) -> None:
    play = PEOPLE[state](Play(table(queue("q", "ann", wrap_up=9))))
    legs, before = list(play.pbxes["office"].legs), picture(play)[0]
    play.feed(DeviceSwitchRequested(agent="ann", device="desk", on=on, by="ann"))
    play.on()
    off = S.NO_PHONE if state is S.AVAILABLE and not on else state
    assert status(play) is off
    assert list(play.pbxes["office"].legs) == legs
    assert picture(play)[0] == before
    assert bool(play.agent("ann").open) == (on and state is S.AVAILABLE)
    assert ("desk" in play.agent("ann").devices_off) is not on


ENDS = {
    PauseEnd.TELL: AgentStatus.PAUSED,
    PauseEnd.RESUME: AgentStatus.AVAILABLE,
    PauseEnd.SIGN_OUT: AgentStatus.SIGNED_OUT,
}


@pytest.mark.parametrize("then", PauseEnd)
@pytest.mark.parametrize("state", PEOPLE)
def test_the_longest_length_of_a_pause_from_each_activity(
    state: AgentStatus, then: PauseEnd
) -> None:
    """Asked for in any activity: it holds, and ends as its reason says, measured from its beginning."""
    spec = replace(
        table(queue("q", "ann", wrap_up=9)),
        pauses={"lunch": PauseSpec(reason="lunch", longest=600.0, then=then)},
    )
    play = PEOPLE[state](Play(spec))
    play.feed(PauseRequested(agent="ann", reason="lunch"))
    if state is S.ON_CALL:
        play.on(100).agent_hangs_up("ann")
    if state is S.SIGNED_OUT:
        assert play.on(2000).told("ann") == []
        return
    begun = play.agent("ann").paused_at
    assert begun is not None
    play.until(begun + 599)
    assert status(play) is S.PAUSED
    if not play.gone("c1"):
        play.caller_hangs_up("c1")
    play.until(begun + 600)
    assert status(play) is ENDS[then]
    assert len(play.told("ann")) == 1
