"""The words of the command line, made from answers of the API as its types have them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
import pytest
from rich.console import Console, RenderableType

from callrouter.api.schemas.call_answers import CallJson
from callrouter.cli.commands.call import conversation_words
from callrouter.cli.commands.change import print_outcome
from callrouter.cli.commands.device import devices_table, print_device_answer
from callrouter.cli.output_text import HELD
from callrouter.cli.tables import agent_table, answers, call_table
from tests.cli.examples import (
    a_call,
    a_config,
    a_device_answer,
    a_mistake,
    a_pbx,
    a_queue,
    a_status,
    a_store,
    an_agent,
    an_offer,
    an_outcome,
    an_own_device,
)

NOW = datetime(2026, 11, 24, 10, 40, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def text_of(*shown: RenderableType) -> str:
    console = Console(width=120, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(*shown, sep="\n")
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


# ---------------------------------------------------------------- status


def test_a_daemon_that_is_well() -> None:
    said = text_of(*answers.status(a_status(), [a_queue("support", 2)]))
    assert said.splitlines() == [
        "waiting     2 callers wait in support, the longest for 1:30",
        "calls       1 waiting, 2 talking",
        "agents      2 available, 1 offline",
        "callrouter  0.1.0, running for 2:40:00 (pid 7)",
        "pbx office  up Asterisk 22.5.2 at 127.0.0.1:5038",
        "http        http://127.0.0.1:8080",
        "config      good /etc/callrouter, in force since 08:00:00",
    ]


NO_AGENTS = dict.fromkeys(
    ("offline", "available", "reserved", "ringing", "on-call", "wrap-up", "paused"), 0
)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"calls": {"waiting": 0, "connecting": 0, "talking": 0}}, "calls       none"),
        ({"agents": NO_AGENTS}, "agents      none configured"),
        ({"faults": 1}, "1 fault so far: see the log"),
        ({"faults": 2}, "2 faults so far: see the log"),
        ({"pbx": {"office": a_pbx(state="down", detail="cut")}}, "pbx office  down cut"),
        ({"pbx": {"office": a_pbx(drift=1)}}, "1 difference from office that"),
        ({"pbx": {"office": a_pbx(faults=3)}}, "3 faults of the driver of office: see the log"),
        ({"pbx": {"office": a_pbx(counts={"forged events": 2})}}, "2 events from office not as"),
        ({"pbx": {"office": a_pbx(link={"ami_timeouts": 2})}}, "link to office: 2 timeouts"),
        ({"loop": {"held_up": 2, "longest_ms": 70, "by": "x.py"}}, "held up 2 times, 70 ms at most, by x.py"),
        ({"invariants": {"rounds": 1, "breaches": 1, "last_breach": "a call lost"}}, "a call lost"),
        (
            {"reception": {"conversations": 0, "wrong_pins": 9, "lockouts": 1, "outside_closed_s": 61}},
            "none is taken from there for 2 min",
        ),
        (
            {"store": a_store(state="bad", problem="disk full", unsaved=3)},
            "agents' states are not being saved in callrouter.db\ndisk full\n3 wait to be saved",
        ),
        ({"store": a_store(lost=1)}, "1 entry of the audit could not be kept"),
        ({"record": {"waiting": 0, "lost": 9}}, "9 rows of the record of calls could not be kept"),
        ({"config": a_config(last_good=True)}, "the last good configuration, since the start"),
        ({"config": a_config(needs_restart=["http.listen"])}, "after a restart: http.listen"),
        (
            {"config": a_config(state="bad", problems=[a_mistake()])},
            "mistakes in the configuration\nagents.yaml:3:5: unknown key 'nam' (did you mean 'name'?)",
        ),
        (
            {"config": a_config(warnings=[a_mistake(line=0, hint="")])},
            "warnings in the configuration\nagents.yaml: unknown key 'nam'",
        ),
        (
            {"config": a_config(state="held", held=["queue sales, with 3 callers"])},
            "held back in the configuration\nqueue sales, with 3 callers\nnone of these changes is in",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_daemon_is_said(more: dict[str, Any], words: str) -> None:
    assert words in text_of(*answers.status(a_status(**more)))
    if "calls" not in more and "agents" not in more:
        assert words not in text_of(*answers.status(a_status()))


def test_a_daemon_may_say_less() -> None:
    """An older one, or one in a test: sections that it lacks are not shown."""
    view = a_status()
    for section in ("store", "invariants", "loop", "reception", "faults", "mobiles", "http"):
        view.pop(section)  # type: ignore[misc]
    assert text_of(*answers.status(view)) == text_of(*answers.status(a_status()))


def test_a_mistake_with_the_line_as_written() -> None:
    mistake = a_mistake(source_line="    nam: Alice")
    assert answers.problem(mistake) == [
        "agents.yaml:3:5: unknown key 'nam' (did you mean 'name'?)",
        "    nam: Alice",
    ]


# ---------------------------------------------------------------- agents


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"state": "wrap-up", "wrap_up_s": 18.0, "reason": None}, "18 s more"),
        ({"state": "wrap-up", "wrap_up_s": 75.0, "pending": "pause"}, "1:15 more, pause after this call"),
        ({"state": "offline", "reason": "desk: not reachable"}, "signed in, no phone can ring"),
        ({"state": "on-call", "reason": None, "call": "c1", "calls": ["c1"]}, "support, +442079460018"),
        ({"state": "on-call", "reason": None, "call": "c2", "calls": ["c2"]}, ""),
        ({"state": "available", "reason": None}, ""),
        ({"until": None, "then": None, "by": None}, "lunch"),
        ({"by": "alice"}, "lunch until 11:17"),
    ],
)  # fmt: skip
def test_a_state_explained(more: dict[str, Any], words: str) -> None:
    assert agent_table.explained(an_agent(**more), calls={"c1": a_call()}) == words


def test_no_agents() -> None:
    assert text_of(*agent_table.agents([], 80, NOW)) == "no agents"


# ---------------------------------------------------------------- calls


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (a_call(), "waiting place 1"),
        (a_call(state="ringing", offers=[an_offer("bob"), an_offer("alice")]), "ringing bob, alice"),
        (a_call(state="talking", agent="bob", position=None, talk_s=65.0), "talking bob"),
        (a_call(caller_number=""), "Jane"),
        (a_call(caller_number="", caller_name=""), "withheld"),
    ],
)  # fmt: skip
def test_a_call_is_one_line(view: CallJson, words: str) -> None:
    heading, line = (one.plain for one in call_table.calls([view], 80))
    assert heading.split()[0] == "Call"
    assert words in " ".join(line.split())
    assert "12:34" in line


def test_calls_that_ended() -> None:
    views = [
        a_call(id="c3", state="left", result="timeout", ended_at="2026-11-24T10:35:00Z", talk_s=None),
        a_call(id="c2", state="completed", agent="bob", ended_at="2026-11-24T10:34:00Z", talk_s=61.0),
        a_call(id="c1", state="abandoned", ended_at="2026-11-23T23:59:00Z"),
    ]  # fmt: skip
    rows = [" ".join(one.plain.split()) for one in call_table.ended_calls(views, 100)[1:]]
    assert rows[0].startswith("10:35:00 c3 support")
    assert "left timeout" in rows[0]
    assert "completed bob" in rows[1]
    assert "1:01" in rows[1]
    assert rows[2].startswith("11-23 23:59 c1"), "another day"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "waiting in support"),
        ({"state": "talking", "agent": "bob"}, "talking with bob"),
        ({"state": "talking", "agent": "bob", "held": True}, "on hold with bob"),
        ({"state": "talking", "agent": "bob", "held": True, "consulting": "eve"}, "on hold with bob, eve is asked"),
        ({"state": "completed", "ended_at": "2026-11-24T10:35:00Z"}, "ended"),
    ],
)  # fmt: skip
def test_a_conversation_in_words(more: dict[str, Any], words: str) -> None:
    assert conversation_words(a_call(id="c1", **more)) == f"call c1: {words}"


# ---------------------------------------------------------------- phones


def test_the_phones_of_an_agent() -> None:
    views = [
        an_own_device(id="desk", kind="endpoint", address="PJSIP/1001", source="configuration", ring_after_s=0.0),
        an_own_device(hours="mon-fri 08:00-18:00"),
        an_own_device(id="mobile-2", status="waiting", trouble="a supervisor must approve it", enabled=False),
    ]  # fmt: skip
    desk, mobile, second = (" ".join(line.plain.split()) for line in devices_table(views, 120)[1:])
    assert desk == "desk PJSIP/1001 idle yes at once configuration"
    assert mobile == "mobile +447700900123 idle yes after 10 s, mon-fri 08:00-18:00 registered"
    assert "waiting a supervisor must approve it no" in second
    assert text_of(*devices_table([], 80)) == "no phones"


def test_the_code_of_a_verification_call(capsys: pytest.CaptureFixture[str]) -> None:
    print_device_answer(a_device_answer(), as_json=False)
    assert capsys.readouterr().out == (
        "calling +447700900123 (mobile): key in the code\ncode: 123456 (until 10:50:00)\n"
    )
    print_device_answer(
        a_device_answer(code=None, expires_at=None, text="forgotten", device=None), as_json=False
    )
    assert capsys.readouterr().out == "forgotten\n"


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({}, 0, "nothing would change\n"),
        ({"changes": ["agent bob is new"]}, 0, "agent bob is new\n"),
        (
            {"held": ["queue sales"]},
            0,
            f"nothing would change\nheld back: queue sales\n{HELD}\n",
        ),
        (
            {"ok": False, "problems": [a_mistake(hint="")]},
            1,
            "agents.yaml:3:5: unknown key 'nam'\n1 mistake; what is in force stays in force\n",
        ),
    ],
)
def test_what_the_files_would_change(
    capsys: pytest.CaptureFixture[str], more: dict[str, Any], status: int, said: str
) -> None:
    context = click.Context(click.Command("diff"))
    with pytest.raises(click.exceptions.Exit) as caught:
        print_outcome(context, an_outcome(**more), as_json=False, nothing="nothing would change")
    assert (caught.value.exit_code, capsys.readouterr().out) == (status, said)
