from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from callrouter.demo.figures import Figures
from callrouter.demo.screen import Picture, clock, milliseconds
from callrouter.demo.sentences import Story
from callrouter.model.text import clock_duration
from tests.demo.test_figures import T, moment
from tests.demo.test_story import entered, offered


def agent(name: str, state: str, call: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "state": state,
        "call": call,
        "reason": None,
        "signed_in": True,
        "since": moment(T),
        **more,
    }


def waiting(count: int) -> list[dict[str, Any]]:
    return [
        {
            "call": f"w{n}",
            "position": n,
            "caller_number": f"+44163296{n:04}",
            "wait_s": 30.0 - n,
            "ringing": ["bob"] if n == 1 else [],
        }
        for n in range(1, count + 1)
    ]


def queue(name: str, waits: int) -> dict[str, Any]:
    agents = {"available": ["alice"]}
    return {"id": name, "waiting": waiting(waits), "talking": 1, "agents": agents}


def picture(waits: int = 2) -> Picture:
    story, figures = Story(T), Figures()
    entered(story)
    offered(story, "bob", 0.0)
    figures.waits.append(2.5)
    figures.reactions.extend([0.003, 0.005])
    return Picture(
        title="on Asterisk 22.10.1",
        join=[" Be an agent: …", " Be a caller: …", " Ask it: …"],
        figures=figures,
        story=story,
        now=T + 62,
        agents=[
            agent("alice", "available"),
            agent("bob", "ringing", "w1"),
            agent("carol", "on-call", "t1"),
            agent("dave", "paused", reason="coffee"),
            agent("erin", "wrap-up"),
            agent("frank", "offline", signed_in=False),
            agent("you", "offline"),
            agent("grace", "reserved"),
            agent("henry", "new"),
        ],
        queues=[queue("support", waits), queue("sales", 0), queue("front-desk", waits)],
        calls={
            "w1": {
                "caller_number": "+441632960001",
                "queue": "support",
                "offers": [{"agent": "bob", "devices": {"desk": "ended", "mobile": "ringing"}}],
            },
            "t1": {"caller_number": "", "queue": "sales", "offers": []},
        },
    )


def drawn(shown: Picture, width: int, height: int) -> list[str]:
    out = StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system=None)
    console.print(shown, height=height)
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (160, 50)])
def test_a_frame_fits_and_says_it_all(width: int, height: int) -> None:
    lines = drawn(picture(), width, height)
    assert len(lines) == height
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    for word in (
        "01:02",
        "wait median 2.5 s worst 2.5 s",
        "median 4 ms",
        "→ bob",
        "coffee",
        "no phone yet",
        "withheld",
        "first by priority 1, idle 34 s",
        "Ask it",
    ):
        assert word in text, word


def test_a_long_line_of_callers_is_cut_and_counted() -> None:
    text = "\n".join(drawn(picture(waits=40), 80, 24))
    assert " +3" in text
    assert "40 wait" in text


def test_a_tiny_terminal_is_no_error() -> None:
    assert drawn(picture(), 40, 10)


@pytest.mark.parametrize(
    ("seconds", "digits", "text"),
    [(None, 0, "-"), (7.4, 0, "7 s"), (7.44, 1, "7.4 s"), (125.0, 0, "2:05")],
)
def test_durations(seconds: float | None, digits: int, text: str) -> None:
    assert clock_duration(seconds, digits=digits, unknown="-") == text


def test_other_words() -> None:
    assert milliseconds(None) == "-"
    assert milliseconds(0.0042) == "4 ms"
    assert clock(125.9) == "02:05"
