from __future__ import annotations

from typing import Any

from callrouter.demo.sentences import Story
from tests.demo.test_figures import T, record


def told(story: Story, kind: str, at: float, **more: Any) -> str:
    line = story.take(record(kind, at, **more))
    return line.text if line else ""


def entered(story: Story, call: str = "c", at: float = 0.0, queue: str = "support") -> str:
    return told(
        story, "entered", at, call=call, queue=queue, position=1, caller_number="+441632960001"
    )


def offered(story: Story, agent: str, at: float, **more: Any) -> str:
    wanted = {"call": "c", "queue": "support", "policy": "priority", "idle_s": 34.0, "priority": 1}
    return told(story, "offered", at, agent=agent, **{**wanted, **more})


def test_a_call_from_its_arrival_to_its_end() -> None:
    story = Story(T)
    assert entered(story) == "support: +441632960001 calls, position 1"
    assert offered(story, "bob", 0.0) == "support → bob: first by priority 1, idle 34 s"
    ids = {"call": "c", "queue": "support", "agent": "bob"}
    assert told(story, "connected", 2.1, wait_s=2.1, **ids) == (
        "support: bob connected with +441632960001 after 2.1 s"
    )
    assert told(story, "completed", 9.0, by="agent", talk_s=7.0, **ids) == (
        "support: +441632960001 and bob talked 7 s; the agent hung up"
    )
    assert [line.text for line in story.decisions] == [
        "support → bob: first by priority 1, idle 34 s"
    ]
    assert story.decisions[0].seconds == 0.0


def test_why_an_agent_comes_after_waiting() -> None:
    story = Story(T)
    entered(story)
    story.take(record("wrap-up-ended", 12.0, agent="bob"))
    assert offered(story, "bob", 12.0, idle_s=0.0) == (
        "support → bob: free again, and +441632960001 is next (waited 12 s)"
    )


def test_why_the_next_one_is_rung() -> None:
    story = Story(T)
    entered(story)
    offered(story, "bob", 0.0)
    ended = {"call": "c", "queue": "support", "agent": "bob", "rang_s": 10.0}
    assert told(story, "offer-ended", 10.0, outcome="no answer", **ended) == (
        "support: bob did not answer (10 s)"
    )
    assert offered(story, "carol", 10.0, priority=2) == (
        "support → carol: next after bob; priority 2, idle 34 s"
    )
    assert told(story, "offer-ended", 11.0, outcome="lost", **ended) == ""


def test_all_at_once_is_one_decision() -> None:
    story = Story(T)
    entered(story)
    for agent in ("frank", "grace", "henry"):
        offered(story, agent, 0.0, policy="ring-all")
    assert [line.text for line in story.decisions] == ["support → frank, grace, henry: all at once"]


def test_what_strangers_send_cannot_move_the_cursor() -> None:
    story = Story(T)
    line = story.take(
        record("entered", call="c", queue="support", caller_number="\x1b[2J+44", position=1)
    )
    assert line is not None
    assert "\x1b" not in line.text


def test_kinds_unknown_to_this_version_are_passed_over() -> None:
    story = Story(T)
    assert story.take(record("rang", call="c", queue="support", agent="bob")) is None
    assert story.take(record("something-new", call="c")) is None
    assert told(story, "abandoned", 5.0, call="never-seen", queue="sales", wait_s=5.0) == (
        "sales: a caller gave up after 5 s"
    )
