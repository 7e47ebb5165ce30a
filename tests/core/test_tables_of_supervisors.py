"""What supervisors can say besides the simple policies: each against a written-out expectation."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime

import pytest

from callrouter.model.call_notices import RuleApplied
from callrouter.model.call_requests import CallMoveRequested
from callrouter.model.commands import Result
from callrouter.model.hours import Hours, parse_spans
from callrouter.model.routing_table import (
    HangUp,
    MemberSpec,
    NumberPattern,
    Rule,
    ShiftSpec,
    Table,
    ToQueue,
    WidenStep,
)
from tests.core.playbook import Play
from tests.core.tables import agent, queue, table

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC).timestamp()  # a Friday


def serve(play: Play, count: int, talks: dict[str, float] | None = None) -> str:
    """So many calls one after the other; the first letters of who took them."""
    who = []
    for _ in range(count):
        play.call(f"c{len(play.history)}", "q")
        (name,) = play.ringing()
        play.accepts(name).on((talks or {}).get(name, 10.0)).agent_hangs_up(name).on(1)
        who.append(name[0])
    return "".join(who)


def extra(members: str) -> tuple[MemberSpec, ...]:
    return queue("x", members).members


def test_linear_starts_from_the_top_every_time() -> None:
    play = Play(table(queue("q", "cat ann bob", "linear")))
    assert serve(play, 20) == "c" * 20
    play.pause("cat")
    assert serve(play, 3) == "aaa"


def test_fewest_calls_is_never_more_than_one_apart() -> None:
    play = Play(table(queue("q", "ann bob cat", "fewest-calls")))
    assert serve(play, 21) == "abc" * 7
    play.sign_out("cat")
    assert serve(play, 4) == "abab"
    play.sign_in("cat")
    assert serve(play, 3) == "cca", "cat catches up, then equals go to the longest idle"


def test_FS_32_fewest_calls_and_least_talk_time_differ() -> None:
    talks = {"ann": 60.0, "bob": 5.0}
    by_calls = Play(table(queue("q", "ann bob", "fewest-calls")))
    assert serve(by_calls, 20, talks) == "ab" * 10
    by_talk = Play(table(queue("q", "ann bob", "least-talk-time")))
    assert serve(by_talk, 20, talks) == "a" + "b" * 12 + "a" + "b" * 6


def test_what_counts_by_the_day_begins_anew_at_midnight() -> None:
    late = datetime(2026, 11, 20, 23, 58, tzinfo=UTC).timestamp()
    play = Play(table(queue("q", "ann bob", "fewest-calls")), now=late)
    play.pause("bob")
    assert serve(play, 5) == "aaaaa"
    play.resume("bob").until(late + 180)
    assert play.agent("ann").memberships["q"].calls == 0
    assert serve(play, 2) == "ab", "ann has been idle longer: yesterday's calls do not count"


def test_average_utilization_prefers_who_worked_less_within_the_hour() -> None:
    play = Play(table(queue("q", "ann bob cat", "average-utilization")))
    assert serve(play, 20, {"ann": 100.0, "bob": 50.0, "cat": 50.0}) == "abcbc" * 4


def test_utilization_forgets_what_is_longer_ago_than_an_hour() -> None:
    play = Play(table(queue("q", "ann bob", "average-utilization")))
    assert serve(play, 3, {"ann": 600.0, "bob": 60.0}) == "abb"
    play.on(3700)
    assert play.agent("ann").busy_share == 0.0
    assert serve(play, 1) == "a"


def test_max_utilization_leaves_the_others_free() -> None:
    two = [agent(name, capacity=2) for name in ("ann", "bob")]
    play = Play(table(*two, queue("q", "ann bob", "max-utilization")))
    play.call("c1", "q").accepts("ann").call("c2", "q")
    assert play.ringing() == {"ann": "c2"}, "ann has one hand full and one free: she fills up first"
    play.call("c3", "q")
    assert play.ringing() == {"ann": "c2", "bob": "c3"}
    even = Play(table(*two, queue("q", "ann bob", "average-utilization")))
    even.call("c1", "q").accepts("ann").call("c2", "q")
    assert even.ringing() == {"bob": "c2"}


def test_weighted_random_draws_by_level() -> None:
    """Chances 100, 51 and 1 of 152: within four standard deviations over 20,000 draws."""
    play = Play(table(queue("q", "ann:1 bob:50 cat:100", "weighted-random")))
    play.call("c0", "q").caller_hangs_up("c0").on(1)
    (lane,) = play.router.floor.queues["q"].lanes.values()
    play.router.floor.rng = random.Random(5)
    drawn = Counter(member.agent.id for _ in range(20_000) if (member := lane.idle.first(())))
    for name, chances in (("ann", 100), ("bob", 51), ("cat", 1)):
        share = chances / 152
        deviation = (20_000 * share * (1 - share)) ** 0.5
        assert abs(drawn[name] - 20_000 * share) < 4 * deviation, drawn
    assert {lane.idle.first({"ann", "bob"}).agent.id for _ in range(50)} == {"cat"}  # type: ignore[union-attr]


def test_skills_rings_only_who_can_and_the_best_first() -> None:
    people = [
        agent("ann", skills={"french": 2}),
        agent("bob", skills={"french": 5}),
        agent("cat", skills={"german": 5}),
    ]
    play = Play(table(*people, queue("q", "ann bob cat", "skills", skills={"french": 2})))
    play.call("c1", "q")
    assert play.ringing() == {"bob": "c1"}
    play.accepts("bob").call("c2", "q")
    assert play.ringing() == {"ann": "c2"}
    play.accepts("ann").call("c3", "q")
    assert play.ringing() == {}, "cat speaks no French: the caller waits for those who do"


def test_skills_relax_by_the_time_waited() -> None:
    people = [agent("ann", skills={"french": 3}), agent("bob", skills={"french": 1}), agent("cat")]
    widen = (
        WidenStep(after=10, skills={"french": 1}),
        WidenStep(after=20, skills={"french": 0}),
    )
    play = Play(
        table(*people, queue("q", "ann bob cat", skills={"french": 3}, widen=widen, ring_for=60)),
        signed_in="bob cat",
    )
    play.call("c1", "q").until(9.9)
    assert play.ringing() == {}
    play.until(10)
    assert play.ringing() == {"bob": "c1"}
    play.pause("bob").until(20)
    assert play.ringing() == {"cat": "c1"}


def test_WZA_03_an_agent_who_becomes_free_before_their_step_opens_stays_quiet_until_then() -> None:
    widen = (WidenStep(after=10, members=extra("bob")), WidenStep(after=20, members=extra("cat")))
    play = Play(table(queue("q", "ann", widen=widen, ring_for=60)))
    for name, call in (("ann", "c1"), ("bob", "c2"), ("cat", "c3")):
        play.call(call, "q").until(play.now + 21)
        play.accepts(name)
    start = play.now
    play.call("c4", "q").agent_hangs_up("bob").until(start + 5)
    assert play.ringing() == {}, "bob is free and his step is not open"
    play.until(start + 10)
    assert play.ringing() == {"bob": "c4"}


def test_FS_27_the_first_level_stays_eligible_when_the_second_opens() -> None:
    widen = (WidenStep(after=5, members=extra("bob:2")),)
    play = Play(table(queue("q", "ann:1", "priority", widen=widen, ring_for=60, at_once=2)))
    play.call("c1", "q").until(4.9)
    assert play.ringing() == {"ann": "c1"}
    play.until(5)
    assert play.ringing() == {"ann": "c1", "bob": "c1"}
    play.accepts("bob").agent_hangs_up("bob").on(1)


def test_widening_rings_more_at_once() -> None:
    widen = (WidenStep(after=5, at_once=2), WidenStep(after=10, at_once=1_000_000))
    play = Play(table(queue("q", "ann bob cat dan", widen=widen, ring_for=60)))
    play.call("c1", "q")
    assert len(play.ringing()) == 1
    play.until(5)
    assert len(play.ringing()) == 2
    play.until(10)
    assert len(play.ringing()) == 4


def hours(text: str) -> Hours:
    return Hours(parse_spans(text), UTC)


def test_WZA_17_a_closed_queue_sends_its_callers_on() -> None:
    spec = queue("q", "ann", hours=hours("fri 10:00-11:00"), on_closed=HangUp())
    play = Play(table(spec), now=START)
    play.call("c1", "q")
    left = play.left("c1")
    assert left is not None
    assert (left.result, left.target) == (Result.CLOSED, HangUp())
    play.until(START + 3600).call("c2", "q")
    assert play.ringing() == {"ann": "c2"}
    play.until(START + 7300)
    assert not play.gone("c2"), "who waits when the queue closes is served"


def test_a_shift_replaces_the_agents_and_gives_them_back() -> None:
    shift = ShiftSpec(hours=hours("fri 10:00-11:00"), members=extra("bob"))
    play = Play(table(queue("q", "ann", "round-robin", shifts=(shift,), ring_for=60)), now=START)
    play.agent("bob")
    play.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann")
    turn = play.agent("ann").memberships["q"].turn
    play.until(START + 3590).call("c2", "q")
    assert play.ringing() == {"ann": "c2"}
    play.until(START + 3600)
    assert play.ringing() == {"ann": "c2"}, "a ring that began goes on"
    play.call("c3", "q")
    assert play.ringing()["bob"] == "c3"
    play.accepts("bob").accepts("ann").until(START + 7200)
    assert play.agent("ann").memberships["q"].turn > turn
    assert "q" not in play.agent("bob").memberships
    play.call("c4", "q").agent_hangs_up("bob").on(1)
    assert play.ringing() == {}, "bob's shift is over"
    play.agent_hangs_up("ann")
    assert play.ringing() == {"ann": "c4"}


def test_an_empty_shift_leaves_nobody() -> None:
    shift = ShiftSpec(hours=hours("fri 10:00-11:00"))
    spec = queue("q", "ann", shifts=(shift,), on_nobody=HangUp())
    play = Play(table(spec), now=START)
    play.phone("ann").lets_it_ring()
    play.pause("ann").resume("ann").call("c1", "q").accepts("ann")
    play.call("c2", "q")
    assert play.waiting("q") == ["c2"], "ann is busy and waited for"
    play.until(START + 3600)
    left = play.left("c2")
    assert left is not None
    assert left.result is Result.NOBODY


def test_TW_01_a_preferred_agent_is_the_only_one_for_a_while() -> None:
    play = Play(table(queue("q", "ann bob cat", prefer_for=15, ring_for=60)))
    play.call("c1", "q").accepts("ann").call("c0", "q", agent="ann").until(14.9)
    assert play.ringing() == {}, "bob and cat are idle, and the call is ann's for 15 s"
    play.until(15)
    assert list(play.ringing().values()) == ["c0"]
    play.call("c3", "q", agent="ann")
    play.agent_hangs_up("ann")
    assert play.ringing()["ann"] == "c3"


@pytest.mark.parametrize("how", ["pause", "sign_out"])
def test_a_preferred_agent_who_leaves_is_not_waited_for(how: str) -> None:
    play = Play(table(queue("q", "ann bob", prefer_for=60, ring_for=60)))
    play.call("c1", "q").accepts("ann").call("c2", "q", agent="ann").on(1)
    assert play.ringing() == {}
    getattr(play, how)("ann")
    play.agent_hangs_up("ann")
    assert play.ringing() == {"bob": "c2"}


def test_a_preferred_agent_who_refuses_is_not_waited_for() -> None:
    play = Play(table(queue("q", "ann bob", prefer_for=60, ring_for=5)))
    play.call("c1", "q", agent="ann")
    assert play.ringing() == {"ann": "c1"}
    play.until(5)
    assert play.ringing() == {"bob": "c1"}


def test_the_last_agent_is_tried_first_until_it_is_too_long_ago() -> None:
    play = Play(table(queue("q", "ann bob", "linear", last_agent=3600)))
    play.pause("ann").call("c1", "q", caller_number="+441").accepts("bob").on(5)
    play.agent_hangs_up("bob").resume("ann").on(60)
    play.call("c2", "q", caller_number="+441")
    assert play.ringing() == {"bob": "c2"}
    play.accepts("bob").on(5).agent_hangs_up("bob").on(3700)
    play.call("c3", "q", caller_number="+441")
    assert play.ringing() == {"ann": "c3"}
    play.call("c4", "q", caller_number="+442")
    assert play.ringing() == {"ann": "c3", "bob": "c4"}


def ruled(*rules: Rule) -> Table:
    made = table(queue("q", "ann bob", "linear", ring_for=60), queue("vip", "bob"))
    return Table(agents=made.agents, queues=made.queues, rules=rules)


def test_the_first_rule_that_fits_is_applied_and_named() -> None:
    play = Play(
        ruled(
            Rule(name="nobody", callers=(NumberPattern("+49", prefix=True),), priority=1),
            Rule(name="VIP", callers=(NumberPattern("+442079460018"),), queue="vip", priority=2),
            Rule(name="too late", priority=99),
        )
    )
    play.call("c1", "q", caller_number="0044 20 7946-0018")
    call = play.find("c1")
    assert (call.queue.id, call.priority) == ("vip", 2)
    assert [record.rule for record in play.notices(RuleApplied)] == ["VIP"]
    play.call("c2", "q", caller_number="+33 1")
    assert play.find("c2").priority == 99


def test_a_rule_can_ask_for_hours_tags_called_numbers_and_give_agent_tag_and_skills() -> None:
    rule = Rule(
        name="all",
        called=(NumberPattern("+4480", prefix=True),),
        tags=frozenset({"gold"}),
        queues=frozenset({"q"}),
        hours=hours("fri 09:00-10:00"),
        agent="bob",
        tag="seen",
        skills={},
    )
    play = Play(ruled(rule), now=START)
    asked = {"called_number": "+448001", "tag": "gold"}
    play.call("c1", "q", **asked)
    assert play.ringing() == {"bob": "c1"}
    assert play.find("c1").tag == "seen"
    for missing in ({"tag": ""}, {"called_number": "+441"}):
        play.call(f"c{missing}", "q", **{**asked, **missing})
        assert play.find(f"c{missing}").tag != "seen"
    play.until(START + 3601).call("c9", "q", **asked)
    assert play.find("c9").tag == "gold"


def test_a_rule_to_a_queue_that_is_gone_loses_nobody() -> None:
    play = Play(ruled(Rule(name="old", queue="gone")))
    play.call("c1", "q")
    left = play.left("c1")
    assert left is not None
    assert left.result is Result.CLOSED


def test_widening_counts_from_the_entry_into_the_queue_after_an_overflow() -> None:
    second = queue("r", "ann", widen=(WidenStep(after=20, members=extra("bob")),), ring_for=60)
    play = Play(table(queue("q", "cat", max_wait=15, on_max_wait=ToQueue("r")), second))
    play.call("c0", "r").accepts("ann").call("c9", "q").accepts("cat")
    start = play.now
    play.call("c1", "q").until(start + 15)
    assert play.find("c1").queue.id == "r"
    assert play.ringing() == {}
    play.until(start + 34)
    assert play.ringing() == {}
    play.until(start + 35)
    assert play.ringing() == {"bob": "c1"}


def test_a_call_moved_to_a_busy_agent_is_kept_for_them_no_longer_than_the_rules_say() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin", prefer_for=15, ring_for=60)))
    play.call("c0", "q").accepts("ann").call("b0", "q").accepts("bob").call("c1", "q").until(5)
    play.feed(CallMoveRequested(call="c1", agent="bob"))
    play.until(6).agent_hangs_up("ann").until(14.9)
    assert play.ringing() == {}, "kept for bob"
    play.until(15)
    assert play.ringing() == {"ann": "c1"}


def test_a_preferred_agent_who_signs_in_has_the_call_whatever_else_they_are_open_to() -> None:
    widen = (WidenStep(after=60, members=extra("bob")),)
    spec = queue("q", "ann", widen=widen, prefer_for=20, max_wait=None)
    play = Play(table(spec), signed_in="ann")
    play.call("c0", "q").accepts("ann").call("c1", "q", agent="bob").until(5).sign_in("bob")
    assert play.ringing() == {"bob": "c1"}


def test_a_reload_that_brings_in_preferences_keeps_nobody_waiting_for_ever() -> None:
    play = Play(table(queue("q", "ann bob", "round-robin", ring_for=60)))
    play.call("c0", "q").accepts("ann").call("b0", "q").accepts("bob")
    play.call("c1", "q", agent="bob").until(5)
    play.reload(table(queue("q", "ann bob", "round-robin", prefer_for=15, ring_for=60)))
    play.until(6).agent_hangs_up("ann").until(14.9)
    assert play.ringing() == {}, "kept for bob"
    play.until(15)
    assert play.ringing() == {"ann": "c1"}


def one_by_one(policy: str, members: str = "ann bob cat", **more: object) -> Play:
    return Play(table(queue("q", members, policy, **more)))


@pytest.mark.parametrize(
    ("policy", "members", "expected"),
    [
        ("longest-idle", "cat ann bob", "abc" * 7),
        ("round-robin", "cat ann bob", "cab" * 7),
        ("priority", "ann:1 bob:1 cat:50", "ab" * 10),
        ("priority", "ann:2 bob:1 cat:50", "b" * 20),
        ("priority round-robin", "cat:1 ann:9 bob:1", "cb" * 10),
        ("max-utilization", "ann bob cat", "a" * 20),
        ("skills", "ann bob cat", "abc" * 7),
    ],
)
def test_twenty_calls_one_after_the_other(policy: str, members: str, expected: str) -> None:
    """Everyone free at each call. `skills` without skills asked for: all equal, the longest idle."""
    play = one_by_one(policy, members)
    assert serve(play, len(expected)) == expected


def test_twenty_calls_by_skills_go_to_the_best_who_is_free() -> None:
    people = [agent("ann", skills={"fr": 2}), agent("bob", skills={"fr": 5}), agent("cat")]
    play = Play(table(*people, queue("q", "ann bob cat", "skills", skills={"fr": 1})))
    assert serve(play, 10) == "b" * 10
    play.pause("bob")
    assert serve(play, 10) == "a" * 10


def test_twenty_calls_by_ring_all_ring_everyone_every_time() -> None:
    play = one_by_one("ring-all")
    for number in range(21):
        play.call(f"c{number}", "q")
        assert sorted(play.ringing()) == ["ann", "bob", "cat"]
        taker = ("ann", "bob", "cat")[number % 3]
        play.accepts(taker).on(5).agent_hangs_up(taker).on(1)
    assert [play.agent(name).calls for name in ("ann", "bob", "cat")] == [7, 7, 7]


def test_a_hundred_calls_by_random_and_by_weight_reach_everyone() -> None:
    for policy in ("random", "weighted-random"):
        counts = Counter(serve(one_by_one(policy), 100))
        assert set(counts) == {"a", "b", "c"}
        assert max(counts.values()) < 60, counts
