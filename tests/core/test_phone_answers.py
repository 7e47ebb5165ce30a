"""What a phone's answer means: by what happened, and not by one code."""

from __future__ import annotations

import pytest

from callrouter.core.agents import unavailability_text
from callrouter.model.agent_status import AgentState
from callrouter.model.call_notices import CallRequeued, OfferShared
from callrouter.model.events import LegEnd
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table

CODES = (LegEnd.BUSY, LegEnd.DECLINED, LegEnd.UNAVAILABLE)


def two(**rules: object) -> Play:
    return Play(table(queue("q", "ann bob:5", "priority", **rules)))


def on_mobiles(**rules: object) -> Play:
    parts = (agent("ann", mobile("ann")), agent("bob", mobile("bob")))
    return Play(table(*parts, queue("q", "ann bob:5", "priority", **rules)))


# ---------------------------------------------------------------- how long it rang


@pytest.mark.parametrize("code", CODES)
def test_a_phone_that_ends_most_of_its_ring_itself_has_missed_the_call(code: LegEnd) -> None:
    play = two()
    play.phone("ann").says(code, after=18).rings = True
    play.call("c1", "q").until(18)
    assert play.outcomes("ann") == ["no answer"]
    assert (play.agent("ann").misses, play.failures("ann")) == (1, 0)


@pytest.mark.parametrize("code", CODES)
def test_three_such_misses_pause_the_agent(code: LegEnd) -> None:
    play = Play(table(queue("q", "ann", retry_after=1)))
    play.phone("ann").says(code, after=19).rings = True
    play.call("c1", "q").until(61)
    assert play.state("ann") is AgentState.PAUSED


@pytest.mark.parametrize("code", CODES)
def test_a_quick_refusal_is_what_it_says(code: LegEnd) -> None:
    play = two()
    play.phone("ann").says(code, after=1).rings = True
    play.call("c1", "q").until(1)
    assert play.outcomes("ann") == [code.value]
    assert (play.agent("ann").misses, play.failures("ann")) == (0, 1)


def test_a_second_device_has_its_own_share_of_the_ring() -> None:
    spec = agent("ann", desk("ann"), desk("ann", id="soft", endpoint="PJSIP/soft", ring_after=12))
    play = Play(table(spec, queue("q", "ann bob:5", "priority")))
    play.phone("ann").says(LegEnd.BUSY, after=1).rings = True
    play.phone("ann", "soft").says(LegEnd.BUSY, after=17).rings = True
    play.call("c1", "q").until(18)
    assert play.outcomes("ann") == ["no answer"]


@pytest.mark.parametrize("code", [LegEnd.UNAVAILABLE, LegEnd.UNREACHABLE, LegEnd.HUNG_UP])
def test_a_network_that_ends_a_long_ring_has_reached_the_mobile(code: LegEnd) -> None:
    play = on_mobiles(ring_for=45)
    for _ in range(2):
        play.phone("ann", "mobile").says(code, after=20).rings = True
        play.call("c1", "q").on(20)
        assert play.ringing() == {"bob": "c1"}
        play.caller_hangs_up("c1").on(1)
    assert play.outcomes("ann") == ["no answer", "no answer"]
    assert (play.agent("ann").misses, play.failures("ann", "mobile")) == (2, 0)
    assert play.state("ann") is AgentState.AVAILABLE


@pytest.mark.parametrize("code", [LegEnd.UNAVAILABLE, LegEnd.UNREACHABLE, LegEnd.HUNG_UP])
def test_a_mobile_that_rang_is_never_left_alone_for_minutes(code: LegEnd) -> None:
    play = on_mobiles()
    for _ in range(3):
        play.phone("ann", "mobile").says(code, after=2).rings = True
        play.call("c1", "q").on(2).caller_hangs_up("c1").on(10)
    assert play.outcomes("ann") == ["unavailable"] * 3
    assert max(play.router.floor.cooldowns.values(), default=0.0) <= play.now + 10


def test_a_mobile_that_did_not_ring_was_not_reached() -> None:
    play = on_mobiles()
    play.phone("ann", "mobile").says(LegEnd.UNAVAILABLE, after=2)
    play.call("c1", "q").on(2)
    assert play.agent("ann").failure_streaks["mobile"].words() == "could not be reached"


# ---------------------------------------------------------------- nothing at all


def test_a_phone_that_says_nothing_holds_the_caller_for_three_seconds() -> None:
    play = two()
    play.phone("ann").is_dead()
    play.call("c1", "q").until(2.9)
    assert play.ringing() == {"ann": "c1"}
    play.until(3)
    assert play.ringing() == {"ann": "c1", "bob": "c1"}, "it may yet ring"
    play.accepts("bob")
    assert play.talking() == {"bob": "c1"}
    assert play.agent("ann").misses == 0


def test_it_may_still_answer_first() -> None:
    play = two()
    play.phone("ann").is_dead()
    play.call("c1", "q").until(5).accepts("ann")
    assert play.talking() == {"ann": "c1"}
    assert play.outcomes("bob") == ["lost"]
    assert play.agent("bob").misses == 0


def test_silence_to_the_end_is_no_miss_and_the_phone_rests_longer_each_time() -> None:
    play = Play(table(queue("q", "ann", retry_after=1)))
    play.phone("ann").is_dead()
    play.call("c1", "q").until(20)
    assert play.outcomes("ann") == ["no reply"]
    assert play.agent("ann").misses == 0
    play.until(21)
    why = " ".join(unavailability_text.why_not(play.router.floor, play.agent("ann")))
    assert "does not answer; rung again in 4 s" in why
    play.until(200)
    starts = [at for at, _ in play.rings("ann")]
    assert starts == [0, 25, 55, 95, 155]
    assert play.state("ann") is not AgentState.PAUSED


def test_a_phone_that_rings_in_time_is_offered_the_call_alone() -> None:
    play = two()
    play.call("c1", "q").until(19)
    assert play.ringing() == {"ann": "c1"}
    assert play.notices(OfferShared) == []


def test_a_mobile_network_has_longer_to_find_a_phone() -> None:
    play = on_mobiles()
    play.phone("ann", "mobile").is_dead()
    play.call("c1", "q").until(19)
    assert play.ringing() == {"ann": "c1"}


# ---------------------------------------------------------------- after the pick-up


def drops(play: Play, until: float) -> list[float]:
    """Ann's phone answers at once and is gone 0.1 s later, again and again."""
    begun: list[float] = []
    while play.now < until:
        play.on(0.1)
        if "ann" in play.ringing():
            begun.append(play.rings("ann")[-1][0])
            play.accepts("ann").on(0.1)
            if "ann" in play.talking():
                play.agent_hangs_up("ann")
    return begun


def test_a_phone_that_drops_each_call_is_not_tried_again_and_again() -> None:
    play = Play(table(queue("q", "ann", retry_after=1)))
    play.call("c1", "q")
    begun = drops(play, 30)
    assert len(begun) == 4
    assert play.waiting("q") == ["c1"]
    why = " ".join(unavailability_text.why_not(play.router.floor, play.agent("ann")))
    assert "hung up right after it was picked up, 4 times in a row" in why
    assert play.agent("ann").misses == 0


def test_the_caller_goes_to_the_next_agent_in_the_same_place() -> None:
    play = two()
    play.call("c1", "q").call("c2", "q")
    play.accepts("ann").on(0.1).agent_hangs_up("ann")
    assert play.ringing()["bob"] == "c2", "bob was being rung for the second already"
    assert play.waiting("q") == ["c1", "c2"]


def test_a_caller_with_whom_no_phone_can_talk_does_not_rest_them_all() -> None:
    """Their line has a codec that no phone has: each call ends as soon as it is taken."""
    play = Play(table(queue("q", "ann bob", "round-robin", retry_after=1)))
    play.call("c1", "q")
    for _ in range(600):
        play.on(0.1)
        for name in ("ann", "bob"):
            if play.ringing().get(name) == "c1":
                play.accepts(name).on(0.1)
                if name in play.talking():
                    play.agent_hangs_up(name)
    assert len(play.rings(call="c1")) <= 10, "in a minute; it was twenty-four in half of one"
    assert play.router.floor.cooldowns == {}
    assert max(play.failures("ann"), play.failures("bob")) <= 1
    whys = [record.why.value for record in play.notices(CallRequeued)]
    assert "the caller's line" in whys[-1]
    play.call("c2", "q")
    assert "c2" in play.ringing().values(), "others are served in the meantime"


def test_a_talk_makes_good_for_what_was_dropped() -> None:
    play = Play(table(queue("q", "ann", retry_after=1)))
    play.call("c1", "q")
    drops(play, 10)
    assert play.failures("ann") > 1
    play.until(60)
    play.accepts("ann")
    assert play.failures("ann") > 1, "an answer alone proves nothing: it answered each time"
    play.on(5).agent_hangs_up("ann")
    assert play.failures("ann") == 0
