"""What `callrouter agents` says of a pause: why, who, since and until, readable at 100 columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from callrouter.api.schemas.agent_answers import AgentJson
from callrouter.cli.tables import agent_table
from tests.cli.examples import a_call, an_agent

NOW = datetime(2026, 11, 24, 10, 40, tzinfo=UTC)


def shown(*views: AgentJson, width: int = 100) -> str:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        for item in agent_table.agents(views, width, NOW):
            console.print(item)
    return capture.get()


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "paused lunch until 11:17, by sam"),
        ({"by": "alice"}, "paused lunch until 11:17"),
        ({"reason": None}, "paused until 11:17, by sam"),
        ({"by": "alice", "then": "sign-out"}, "lunch until 11:17, then"),
        ({"until": None, "then": None}, "paused lunch, by sam"),
        ({"state": "offline", "signed_in": False, "reason": None}, "offline by sam"),
        ({"state": "available", "reason": None}, "available"),
    ],
)
def test_a_pause_in_words(more: dict[str, Any], text: str) -> None:
    made = shown(an_agent(**more))
    words = " ".join(made.split())
    assert text in words
    assert "8:00" in made, "since when, as an age"
    assert all(len(line) <= 100 for line in made.splitlines())
    if more.get("by") == "alice" or more.get("state") == "available":
        assert "by " not in words


def test_at_100_columns_each_agent_is_one_line() -> None:
    lines = shown(an_agent()).splitlines()
    assert lines[0] == "1 agent: 1 paused"
    assert "Alice Martin" in lines[3]
    assert "paused lunch until 11:17, by sam" in lines[3]


def test_what_was_told_lately_stands_beneath_the_last_thing_first() -> None:
    told = [
        {"at": "2026-11-24T09:00:00Z", "text": "long ago"},
        {"at": "2026-11-24T10:32:00Z", "text": "paused by sam: lunch"},
        {"at": "2026-11-24T10:33:00Z", "text": "bob has hung up"},
        {"at": "2026-11-24T10:38:00Z", "text": "mobile could not be reached [bold]"},
    ]
    made = shown(an_agent(messages=told))
    assert "long ago" not in made
    assert "paused by sam: lunch" not in made, "the state says it already"
    first, second = made.splitlines()[-2:]
    assert first == "10:38  alice: mobile could not be reached [bold]"
    assert second == "10:33  alice: bob has hung up"
    assert "recent messages" not in shown(an_agent())


def test_one_agent_with_what_they_were_told() -> None:
    console = Console(width=100, highlight=False, color_system=None)
    item = an_agent(messages=[{"at": "2026-11-24T10:32:00Z", "text": "paused by sam: lunch"}])
    with console.capture() as capture:
        for line in agent_table.agent(item, NOW, messages=True):
            console.print(line)
    assert capture.get() == (
        "alice (Alice Martin) is paused for 8:00: lunch until 11:17, by sam at 10:32\n"
        "  message of 24 Nov 10:32: paused by sam: lunch\n"
    )
    assert len(agent_table.agent(item, NOW, messages=False)) == 1


# ---------------------------------------------------------------- a floor of 45 at 80 columns


STATES = ["offline"] * 20 + ["available"] * 12 + ["on-call"] * 8 + ["ringing"] * 3 + ["paused"] * 2


def floor() -> list[AgentJson]:
    return [
        an_agent(id=f"agent{n:02}", name=f"agent{n:02}", state=state, by=f"agent{n:02}",
             reason=None, until=None, call=f"office-1795839848.{n}" if state == "on-call" else None)
        for n, state in enumerate(STATES)
    ]  # fmt: skip


def on_screen(height: int | None, width: int = 80) -> list[str]:
    ids = [f"office-1795839848.{n}" for n in range(45)]
    calls = {name: a_call(id=name, caller_name="") for name in ids}
    return [line.plain for line in agent_table.agents(floor(), width, NOW, calls, height)]


def test_what_matters_stands_first_and_each_agent_has_a_line() -> None:
    lines = on_screen(None)
    assert lines[0] == "45 agents: 3 ringing, 8 on-call, 12 available, 2 paused, 20 offline"
    states = [line.split()[1] for line in lines[3:]]
    assert (
        states
        == ["ringing"] * 3
        + ["on-call"] * 8
        + ["available"] * 12
        + ["paused"] * 2
        + ["offline"] * 20
    )
    assert max(map(len, lines)) <= 80
    assert "on-call support, +442079460018" in lines[6]
    assert "1795839848" not in "".join(lines)


@pytest.mark.parametrize("height", [22, 12, 8, 5])
@pytest.mark.parametrize("width", [80, 120, 40])
def test_a_screen_shows_them_all_or_says_how_many_more(height: int, width: int) -> None:
    lines = on_screen(height, width)
    assert len(lines) <= height
    assert max(map(len, lines)) <= max(width, 67)
    shown = sum(line.count("agent") for line in lines[2:])
    more = int(lines[-1].split()[2]) if lines[-1].startswith("… and") else 0
    assert shown + more == 45
    assert "ringing" in lines[2]


def test_eighty_by_twenty_four_shows_all_45() -> None:
    assert not on_screen(22)[-1].startswith("…")
