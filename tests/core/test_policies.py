"""Who is called first: each policy, lists of policies, and what is a turn."""

from __future__ import annotations

from collections import Counter

import pytest

from callrouter.core import lane_membership
from callrouter.core.index.lanes import LaneKey
from callrouter.model.events import LegEnd
from callrouter.policies import REGISTRY, reads_busy_share, reads_turn
from callrouter.policies.base import Candidate, Needs
from tests.core.playbook import Play
from tests.core.tables import queue, table

CHI_SQUARE_9_DF_999 = 27.877
"""A fair die of 10 sides exceeds this once in 1,000 times (any table of the distribution)."""


def serve(play: Play, count: int, *, talk: float = 10.0, gap: float = 1.0) -> list[str]:
    """So many calls, one after the other; who took them."""
    who = []
    for _ in range(count):
        name = f"c{len(play.history)}"
        play.call(name, "q")
        (agent,) = play.ringing()
        play.accepts(agent).on(talk).agent_hangs_up(agent).on(gap)
        who.append(agent)
    return who


def test_longest_idle_takes_the_one_who_has_been_free_longest() -> None:
    play = Play(table(queue("q", "ann bob cat")), signed_in="")
    for name in ("cat", "ann", "bob"):
        play.sign_in(name).on(10)
    assert serve(play, 4) == ["cat", "ann", "bob", "cat"]


def test_priority_takes_the_lowest_level_first_and_ties_go_to_the_longest_idle() -> None:
    play = Play(table(queue("q", "ann:50 bob:1 cat:1", "priority")), signed_in="")
    for name in ("ann", "cat", "bob"):
        play.sign_in(name).on(10)
    assert serve(play, 3) == ["cat", "bob", "cat"]
    play.pause("bob").pause("cat")
    assert serve(play, 1) == ["ann"]


class LeastBusy:
    """A policy as another package could bring it."""

    name = "least-busy"
    draws = False
    rings_all = False

    def rank(self, candidate: Candidate, _needs: Needs) -> float:
        return candidate.busy_share


class LeastBusyThatSaysSo(LeastBusy):
    reads_busy_share = True


def test_which_policies_rank_by_turns_or_by_the_busy_share() -> None:
    assert {name for name in REGISTRY if reads_turn(name)} == {"round-robin"}
    assert {name for name in REGISTRY if reads_busy_share(name)} == {
        "average-utilization",
        "max-utilization",
    }
    assert not reads_turn("nosuch")


@pytest.mark.parametrize(
    ("policy", "next_one"), [(LeastBusyThatSaysSo(), "bob"), (LeastBusy(), "ann")]
)
def test_a_policy_of_another_package_gets_the_busy_share_if_it_says_that_it_reads_it(
    policy: LeastBusy, next_one: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REGISTRY, "least-busy", policy)
    play = Play(table(queue("q", "ann bob", "least-busy")))
    assert serve(play, 1, talk=600.0) == ["ann"]
    assert serve(play, 1, talk=60.0) == ["bob"]
    assert (play.agent("ann").busy_share > 0.1) is (next_one == "bob")
    assert serve(play, 1) == [next_one]


def test_round_robin_goes_by_the_file_first_and_then_by_the_last_turn() -> None:
    play = Play(table(queue("q", "cat ann bob", "round-robin")))
    assert serve(play, 7) == ["cat", "ann", "bob", "cat", "ann", "bob", "cat"]


def test_round_robin_counts_a_missed_offer_as_a_turn_and_a_withdrawn_one_not() -> None:
    play = Play(table(queue("q", "ann bob cat", "round-robin", ring_for=5)))
    play.call("c1", "q").on(5)
    assert play.ringing() == {"bob": "c1"}, "ann let it ring"
    play.pause("bob").accepts("cat").agent_hangs_up("cat").resume("bob")
    play.caller_hangs_up("c1") if "c1" in play.pbxes["office"].callers else None
    play.on(10)
    assert serve(play, 3) == ["bob", "ann", "cat"], "bob's offer was taken back: still his turn"


def test_ring_all_rings_everyone_and_the_first_to_accept_takes_the_call() -> None:
    play = Play(table(queue("q", "ann bob cat", "ring-all")))
    play.call("c1", "q")
    assert play.ringing() == {"ann": "c1", "bob": "c1", "cat": "c1"}
    play.accepts("bob")
    assert play.talking() == {"bob": "c1"}
    assert play.ringing() == {}
    assert {order.why.value for _, order in play.stops()} == {"answered elsewhere"}


def test_the_losers_of_a_ring_all_are_charged_nothing() -> None:
    play = Play(table(queue("q", "ann bob cat", "ring-all", wrap_up=30, auto_pause=1)))
    idle = {name: play.agent(name).idle_since for name in ("ann", "cat")}
    play.call("c1", "q").on(3).accepts("bob")
    for name in ("ann", "cat"):
        agent = play.agent(name)
        assert agent.open, f"{name} is free again at once"
        assert (agent.misses, play.failures(name), agent.pause) == (0, 0, None)
        assert agent.idle_since == idle[name]
        assert agent.memberships["q"].turn == 0
        assert play.outcomes(name) == ["lost"]


def test_random_is_uniform_over_100_000_draws() -> None:
    names = [f"a{number}" for number in range(10)]
    play = Play(table(queue("q", " ".join(names), "random")))
    lane = lane_membership.queue_lane(
        play.router.floor, play.router.floor.queues["q"], LaneKey("office", 0)
    )
    drawn: Counter[str] = Counter()
    for _ in range(100_000):
        member = lane.idle.first(())
        assert member is not None
        drawn[member.agent.id] += 1
    chi_square = sum((drawn[name] - 10_000) ** 2 / 10_000 for name in names)
    assert chi_square < CHI_SQUARE_9_DF_999, drawn


def test_random_stays_uniform_when_some_are_passed_over() -> None:
    names = [f"a{number}" for number in range(20)]
    play = Play(table(queue("q", " ".join(names), "random")))
    lane = lane_membership.queue_lane(
        play.router.floor, play.router.floor.queues["q"], LaneKey("office", 0)
    )
    passed = set(names[:10])
    drawn: Counter[str] = Counter()
    for _ in range(50_000):
        member = lane.idle.first(passed)
        assert member is not None
        drawn[member.agent.id] += 1
    assert drawn.keys() == set(names[10:])
    assert sum((drawn[n] - 5_000) ** 2 / 5_000 for n in drawn) < CHI_SQUARE_9_DF_999, drawn


def test_random_is_uniform_over_whole_calls_while_agents_come_and_go() -> None:
    play = Play(table(queue("q", "ann bob cat dan", "random")))
    taken = Counter(serve(play, 2_000, talk=1.0, gap=0.0))
    chi_square = sum((taken[name] - 500) ** 2 / 500 for name in ("ann", "bob", "cat", "dan"))
    assert chi_square < 16.266, taken  # 3 degrees of freedom, once in 1,000


def test_a_list_of_policies_breaks_ties_from_left_to_right() -> None:
    spec = queue("q", "ann:1 bob:1 cat:2", "priority round-robin")
    assert serve(Play(table(spec)), 4) == ["ann", "bob", "ann", "bob"]


def test_priority_then_random_draws_among_the_best_level_only() -> None:
    play = Play(table(queue("q", "ann:1 bob:1 cat:2", "priority random")))
    taken = Counter(serve(play, 200, talk=2.0, gap=0.0))
    assert taken.keys() == {"ann", "bob"}
    assert min(taken.values()) > 60


@pytest.mark.parametrize("why", [LegEnd.BUSY, LegEnd.DECLINED, LegEnd.UNAVAILABLE])
def test_whoever_refused_comes_after_everyone_else(why: LegEnd) -> None:
    play = Play(table(queue("q", "ann:1 bob:2", "priority", retry_after=3)))
    play.phone("ann").says(why)
    play.phone("bob").says(why, after=2)
    play.call("c1", "q").on(5)
    assert play.rings() == [(0, "ann"), (0, "bob"), (5, "ann"), (5, "bob")]


def test_an_unanswered_offer_does_not_restart_the_idle_clock() -> None:
    play = Play(table(queue("q", "ann bob", ring_for=5)), signed_in="")
    play.sign_in("ann").on(10).sign_in("bob").on(10)
    play.call("c1", "q").on(5)
    play.accepts("bob").on(5).agent_hangs_up("bob")
    assert serve(play, 1) == ["ann"]


def test_turns_survive_a_reload() -> None:
    spec = queue("q", "ann bob cat", "round-robin")
    play = Play(table(spec))
    assert serve(play, 2) == ["ann", "bob"]
    play.reload(table(queue("q", "bob ann cat", "round-robin", ring_for=9)))
    assert serve(play, 2) == ["cat", "ann"]
