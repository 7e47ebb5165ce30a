"""Calls that come in wrongly: a word, a count, and the caller is not lost."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from callrouter.api.calllog.totals import CallTotals
from callrouter.daemon.notice_log import log_notice
from callrouter.model.commands import Result
from callrouter.model.notices import Oddity
from callrouter.model.routing_table import Rule
from callrouter.reports.service_level import Target
from tests.core.playbook import Play
from tests.core.tables import agent, desk, queue, table


def said(play: Play) -> list[tuple[str, str]]:
    return [(item.mistake, item.text) for _, item in play.log if isinstance(item, Oddity)]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("suport", "; did you mean 'support'?"),
        ("'sup port'", "; did you mean 'support'?"),
        ("zzz", ""),
    ],
)
def test_a_queue_that_does_not_exist(
    name: str, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    play = Play(table(queue("support", "ann"), queue("sales", "bob"))).call("c", name)
    left = play.left("c")
    assert left is not None
    assert (left.result, left.target, play.ringing()) == (Result.CLOSED, None, {})
    shown = f"'{name}'".replace("''", "'")
    assert said(play) == [("queue", f"call c arrived for {shown}, which is not a queue{hint}")]
    counts = CallTotals(lambda: UTC, lambda _queue: Target())
    with caplog.at_level(logging.INFO):
        for _, item in play.log:
            if isinstance(item, Oddity):
                log_notice(item)
                counts.count(item)
    assert [(r.levelname, "which is not a queue" in r.message) for r in caplog.records] == [
        ("ERROR", True)
    ]
    assert counts.mistakes == {"queue": 1}


def test_an_agent_who_does_not_exist() -> None:
    play = Play(table(queue("q", "ann bob"))).call("c", "q", agent="bub")
    assert play.find("c").first_agent == ""
    assert said(play) == [
        ("agent", "call c asks for agent 'bub', who does not exist; did you mean 'bob'?")
    ]


def test_what_the_driver_refused_is_said() -> None:
    play = Play(table(queue("q", "ann"))).call("c", "q", refused=(("tag", "no good"),))
    assert said(play) == [("tag", "call c: no good")]
    assert play.ringing() == {"ann": "c"}


def skilled(name: str, **skills: int) -> Any:
    return agent(name, desk(name), skills=skills)


def test_skills_that_the_dialplan_asks_for() -> None:
    people = (skilled("ann", french=1), skilled("bob", french=3))
    play = Play(table(*people, queue("q", "ann bob", skills={"french": 1}, policy="priority")))
    play.call("c", "q", skills={"french": 2})
    assert (play.ringing(), said(play)) == ({"bob": "c"}, [])
    play.call("d", "q", skills={"fench": 2})
    assert play.ringing() == {"bob": "c", "ann": "d"}
    assert said(play) == [
        ("skills", "call d asks for skill 'fench', which no agent has; did you mean 'french'?")
    ]


def test_a_rule_counts_more_than_the_dialplan() -> None:
    people = (skilled("ann", french=1, billing=1), skilled("bob", french=3, billing=1))
    rule = Rule(name="easy", skills={"french": 1})
    spec = replace(table(*people, queue("q", "ann bob", policy="priority")), rules=(rule,))
    play = Play(spec).call("c", "q", skills={"french": 3, "billing": 1})
    assert play.find("c").skills == {"french": 1, "billing": 1}
    assert play.ringing() == {"ann": "c"}
