"""A device that was picked up and is asked for key 1 holds the caller back for a few seconds only."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callrouter.model.agent_status import AgentState
from callrouter.model.call_notices import OfferShared
from callrouter.model.call_requests import CallEndRequested, CallMoveRequested
from callrouter.model.commands import StopReason
from callrouter.model.events import (
    CallArrived,
    CallerEnd,
    CallerLeft,
    LegAccepted,
    LegAnswered,
    LegEnd,
    LegEnded,
    PbxSnapshot,
    SeenCall,
    SeenLeg,
)
from callrouter.model.outcomes import ShareReason
from callrouter.model.routing_table import KeepWaiting, ToDialplan
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table


def play_of(members: str = "ann bob:5 cat:9", **rules: object) -> Play:
    """Ann has a mobile; the others desk phones."""
    rules = {"ring_for": 20, **rules}
    return Play(table(agent("ann", mobile("ann")), queue("q", members, "priority", **rules)))


def asked(play: Play, key_1: float | None = None) -> Play:
    """Ann's mobile is picked up after 2 s, and others have been rung as well since 8 s."""
    play.phone("ann", "mobile").picks_up(after=2, key_1=key_1)
    return play.call("c1", "q").until(8)


# ---------------------------------------------------------------- the rule


def test_after_six_seconds_the_next_agent_is_offered_the_call_as_well() -> None:
    play = play_of()
    play.phone("ann", "mobile").picks_up(after=2)
    play.call("c1", "q").until(7.9)
    assert play.ringing() == {"ann": "c1"}
    play.until(8)
    assert play.ringing() == {"ann": "c1", "bob": "c1"}
    (shared,) = play.notices(OfferShared)
    assert (shared.agent, shared.device) == ("ann", "mobile")
    assert shared.why is ShareReason.NOT_ACCEPTED_YET
    play.until(25)
    assert play.ringing() == {"ann": "c1", "bob": "c1"}, "one more, not all"


@pytest.mark.parametrize("seconds", [0.0, 2.0, 15.0])
def test_the_queue_says_how_long_it_is_asked_alone(seconds: float) -> None:
    play = play_of(ask_alone_for=seconds)
    play.phone("ann", "mobile").picks_up(after=2)
    play.call("c1", "q").until(2 + seconds)
    assert play.rings("bob") == [(2 + seconds, "bob")]


def test_key_1_twenty_seconds_after_the_answer_takes_the_call() -> None:
    play = asked(play_of(), key_1=20)
    play.until(22)
    assert play.talking() == {"ann": "c1"}
    assert play.outcomes("bob") == ["lost"]
    assert [stop.why for _, stop in play.stops()] == [StopReason.ANSWERED_ELSEWHERE]
    assert (play.agent("bob").misses, play.failures("bob")) == (0, 0)


def test_whoever_accepts_first_has_the_call_and_the_mobile_is_charged_nothing() -> None:
    play = asked(play_of())
    play.accepts("bob")
    assert play.talking() == {"bob": "c1"}
    assert play.outcomes("ann") == ["lost"]
    assert [stop.why for _, stop in play.stops()] == [StopReason.ANSWERED_ELSEWHERE]
    assert (play.agent("ann").misses, play.failures("ann", "mobile")) == (0, 0)


def test_the_device_says_how_long_key_1_is_waited_for() -> None:
    spec = agent("ann", mobile("ann", accept_within=40))
    play = Play(table(spec, queue("q", "ann", ring_for=10)))
    play.phone("ann", "mobile").picks_up(after=2, key_1=39)
    play.call("c1", "q").until(41)
    assert play.talking() == {"ann": "c1"}


def test_two_mobiles_of_one_agent_have_their_own_time() -> None:
    one, two = mobile("ann", accept_within=10), mobile("ann", id="other", number="+442")
    play = Play(table(agent("ann", one, two), queue("q", "ann", ring_for=60)))
    play.phone("ann", "mobile").picks_up(after=1)
    play.phone("ann", "other").picks_up(after=5, key_1=20)
    play.call("c1", "q").until(11)
    assert play.failures("ann", "mobile") == 1
    assert play.outcomes("ann") == []
    play.until(25)
    assert play.talking() == {"ann": "c1"}


def test_an_agent_who_is_asked_stays_reserved() -> None:
    play = asked(play_of())
    play.call("c2", "q")
    assert play.ringing() == {"ann": "c1", "bob": "c1", "cat": "c2"}
    assert play.state("ann") is AgentState.RINGING


def test_one_after_the_other_may_be_asked() -> None:
    parts = [agent(name, mobile(name)) for name in ("ann", "bob", "cat")]
    play = Play(table(*parts, queue("q", "ann bob:2 cat:3", "priority")))
    for name in ("ann", "bob", "cat"):
        play.phone(name, "mobile").picks_up(after=1)
    play.call("c1", "q").until(20)
    assert [at for at, _ in play.rings()] == [0, 7, 14]
    play.accepts("ann")
    assert play.talking() == {"ann": "c1"}
    assert play.ringing() == {}


def test_a_key_that_refuses_ends_the_sharing() -> None:
    play = asked(play_of())
    (leg,) = [leg for leg in play.pbxes["office"].legs.values() if leg.ring.agent == "ann"]
    play.pbxes["office"].end_leg(leg, LegEnd.DECLINED)
    play.on(1)
    assert play.ringing() == {"bob": "c1"}, "bob's ring counts alone again"


def test_who_pressed_2_at_the_mobile_and_rings_at_the_desk_is_rung_alone() -> None:
    spec = agent("ann", desk("ann"), mobile("ann"))
    play = Play(table(spec, queue("q", "ann bob:5", "priority", ring_for=30)))
    play.phone("ann", "mobile").picks_up(after=1)
    play.phone("ann", "mobile").end = (4, LegEnd.DECLINED)
    play.call("c1", "q").until(12)
    assert play.ringing() == {"ann": "c1"}
    assert play.notices(OfferShared) == []


def test_when_all_others_have_refused_they_come_again_while_the_mobile_is_asked() -> None:
    play = play_of("ann bob:5", retry_after=2)
    play.phone("bob").says(LegEnd.DECLINED, after=1)
    asked(play).until(14)
    assert [at for at, _ in play.rings("bob")] == [8, 11, 14]
    assert play.rings("ann") == [(0, "ann")]


def test_a_preferred_agent_who_is_asked_is_not_waited_for() -> None:
    play = play_of(prefer_for=60)
    play.phone("ann", "mobile").picks_up(after=2)
    play.call("c1", "q", agent="ann").until(8)
    assert play.ringing() == {"ann": "c1", "bob": "c1"}


# ---------------------------------------------------------------- every state and every event


def _caller_leaves(play: Play) -> None:
    play.caller_hangs_up("c1")


def _caller_is_taken(play: Play) -> None:
    del play.pbxes["office"].callers["c1"]
    play.feed(CallerLeft(call="c1", how=CallerEnd.MOVED_AWAY))


def _ended_by_supervisor(play: Play) -> None:
    play.feed(CallEndRequested(call="c1"))


def _to_cat(play: Play) -> None:
    play.feed(CallMoveRequested(call="c1", agent="cat"))


def _first(play: Play) -> None:
    play.feed(CallMoveRequested(call="c1", priority=1))


def _both(play: Play) -> None:
    """Two acceptances before the PBX has carried anything out."""
    for name in ("ann", "bob"):
        pbx, leg = play._leg_of(name)
        pbx.press_1(leg)
    play.on()


EVENTS: dict[str, tuple[Callable[[Play], object], dict[str, str], dict[str, str]]] = {
    # what happens, who is rung then, who talks then
    "caller leaves": (_caller_leaves, {}, {}),
    "caller is taken": (_caller_is_taken, {}, {}),
    "ended by a supervisor": (_ended_by_supervisor, {}, {}),
    "moved to an agent": (_to_cat, {"cat": "c1"}, {}),
    "another priority": (_first, {"ann": "c1", "bob": "c1"}, {}),
    "the asked one pauses": (lambda play: play.pause("ann"), {"bob": "c1"}, {}),
    "the asked one signs out": (lambda play: play.sign_out("ann"), {"bob": "c1"}, {}),
    "the other pauses": (lambda play: play.pause("bob"), {"ann": "c1", "cat": "c1"}, {}),
    "the asked one accepts": (lambda play: play.accepts("ann"), {}, {"ann": "c1"}),
    "the other accepts": (lambda play: play.accepts("bob"), {}, {"bob": "c1"}),
    "both at once": (_both, {}, {"ann": "c1"}),
}


@pytest.mark.parametrize("what", EVENTS)
def test_each_event_while_two_are_asked(what: str) -> None:
    act, ringing, talking = EVENTS[what]
    play = asked(play_of())
    assert play.ringing() == {"ann": "c1", "bob": "c1"}
    act(play)
    play.on()
    assert (play.ringing(), play.talking()) == (ringing, talking)
    for name in ("ann", "bob"):
        assert (play.agent(name).misses, play.failures(name)) == (0, 0)


def test_max_wait_lets_both_finish_and_no_other_is_rung() -> None:
    play = play_of(max_wait=10, on_max_wait=ToDialplan("voicemail", "s"))
    asked(play).until(15)
    assert play.ringing() == {"ann": "c1", "bob": "c1"}
    play.until(27)
    assert play.outcomes("ann") == ["not accepted"]
    play.until(28)
    assert play.left("c1") is not None
    assert play.rings("cat") == []


def test_max_wait_before_the_mobile_was_asked_for_long_rings_no_other() -> None:
    play = play_of(max_wait=5, on_max_wait=KeepWaiting())
    asked(play)
    assert play.ringing() == {"ann": "c1", "bob": "c1"}, "wait: it never strikes"
    play = play_of(max_wait=5)
    asked(play)
    assert play.ringing() == {"ann": "c1"}


def test_a_gap_in_the_link_changes_nothing_of_it() -> None:
    play = asked(play_of())
    play.lose().until(12)
    play.back()
    assert play.ringing() == {"ann": "c1", "bob": "c1"}
    play.accepts("ann")
    assert play.talking() == {"ann": "c1"}
    assert play.outcomes("bob") == ["lost"]


# ---------------------------------------------------------------- a router that is started again


def found(*legs: SeenLeg) -> PbxSnapshot:
    arrived = CallArrived(call="c1", pbx="office", queue="q", entered_at=90.0)
    return PbxSnapshot(pbx="office", calls=(SeenCall(arrived=arrived),), legs=legs)


def seen(who: str, device: str, **how: bool) -> SeenLeg:
    return SeenLeg(offer=f"old-{who}", device=device, agent=who, call="c1", **how)


MOBILE = seen("ann", "mobile", answered=True)
DESK = seen("bob", "desk")


@pytest.mark.parametrize("legs", [(MOBILE, DESK), (DESK, MOBILE)])
def test_both_are_taken_over_in_whatever_order_they_are_found(legs: tuple[SeenLeg, ...]) -> None:
    play = _restarted(*legs)
    assert {a: o.id for a, o in play.find("c1").offers.items()} == {
        "ann": "old-ann",
        "bob": "old-bob",
    }
    assert play.stops() == []
    play.feed(LegAccepted(offer="old-ann", device="mobile"))
    assert [(stop.offer, stop.why) for _, stop in play.stops()] == [
        ("old-bob", StopReason.ANSWERED_ELSEWHERE)
    ]


def test_of_two_that_were_picked_up_neither_is_stopped() -> None:
    parts = (agent("ann", mobile("ann")), agent("bob", mobile("bob")))
    play = _restarted(MOBILE, seen("bob", "mobile", answered=True), parts=parts)
    assert play.find("c1").offers.keys() == {"ann", "bob"}
    assert play.stops() == []


def test_of_two_that_only_ring_one_goes_on() -> None:
    play = _restarted(DESK, seen("cat", "desk"))
    assert len(play.find("c1").offers) == 1
    assert len(play.stops()) == 1


def test_after_a_restart_key_1_has_its_time_again_and_no_more() -> None:
    play = _restarted(MOBILE)
    play.until(106)
    assert "bob" in play.find("c1").offers, "asked alone for six seconds"
    play.until(125)
    assert play.outcomes("ann") == ["not accepted"]


def _restarted(*legs: SeenLeg, parts: tuple[object, ...] = ()) -> Play:
    spec = table(*(parts or (agent("ann", mobile("ann")),)), queue("q", "ann bob cat", ring_for=60))  # type: ignore[arg-type]
    play = Play(spec, now=100.0, up=False)
    fake = play.pbxes["office"]
    snapshot = found(*legs)
    play.feed(PbxSnapshot(pbx="office", calls=snapshot.calls, legs=legs, endpoints=fake.endpoints))
    return play


def test_a_word_of_the_answer_that_comes_twice_starts_nothing_anew() -> None:
    play = asked(play_of())
    offer = play.agent("ann").offers.copy().popitem()[1].id
    play.feed(LegAnswered(offer=offer, device="mobile"))
    play.until(27)
    assert play.outcomes("ann") == ["not accepted"], "25 s after the first"


def test_its_end_while_the_other_rings_leaves_the_other_alone() -> None:
    play = asked(play_of())
    offer = next(iter(play.agent("ann").offers))
    play.pbxes["office"].legs = {
        key: leg for key, leg in play.pbxes["office"].legs.items() if leg.ring.agent != "ann"
    }
    play.feed(LegEnded(offer=offer, device="mobile", why=LegEnd.HUNG_UP))
    assert play.ringing() == {"bob": "c1"}
    assert play.failures("ann", "mobile") == 1
