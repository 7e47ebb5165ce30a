"""Tables and paragraphs at any width: nothing is broken in two, and nothing is cut without a sign."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time

import pytest
from rich.text import Text

from callrouter.cli.output_text import paragraph, print_text
from callrouter.cli.tables import call_table, layout
from callrouter.cli.tables.layout import Column
from tests.cli.examples import a_call, a_queue
from tests.daemon.process import Daemon, Place

COLUMNS = (Column("Id"), Column("What", flexible=1), Column("Count", right=True, drop=1))


def lines(width: int, *rows: tuple[str, str, str]) -> list[str]:
    return [
        one.plain for one in layout.table(COLUMNS, [[Text(c) for c in row] for row in rows], width)
    ]


def test_a_table_that_fits_is_left_alone() -> None:
    assert lines(80, ("a", "short", "7")) == ["Id  What   Count", "a   short      7"]


def test_a_flexible_column_gives_way_and_shows_it() -> None:
    [head, row] = lines(24, ("alice", "a text that is too long", "7"))
    assert row == "alice  a text th…      7"
    assert len(head) <= 24


def test_then_a_column_goes() -> None:
    assert lines(14, ("alice", "abcdefgh", "7")) == ["Id     What", "alice  abcdef…"]


def test_a_column_that_says_little_goes_before_one_that_says_much_is_shortened() -> None:
    columns = (Column("Id"), Column("What", flexible=1, least=12), Column("Prio", drop=1))
    rows = [[Text("a"), Text("talking bob"), Text("50")]]
    for width, text in (
        (21, "a   talking bob  50"),
        (20, "a   talking bob"),
        (15, "a   talking bob"),
        (12, "a   talking…"),
    ):
        assert layout.table(columns, rows, width)[1].plain.rstrip() == text


def test_at_80_columns_numbers_and_states_of_calls_are_whole() -> None:
    call = a_call(agent="alice", queue="front-desk", state="connecting", position=None)
    ended = a_call(agent="alice", queue="front-desk", state="completed", ended_at="2026-11-28T08:00:00Z")  # fmt: skip
    for lines, words in (
        (call_table.calls([call], 80), "connecting alice"),
        (call_table.ended_calls([ended], 80), "completed alice"),
    ):
        row = lines[1].plain
        assert all(
            part in row for part in ("office-1795839848.363", "front-desk", "+442079460018", words)
        )
        assert len(row) <= 80
        assert "…" not in row


def test_a_column_with_nothing_in_it_is_left_out() -> None:
    assert lines(80, ("a", "short", "")) == ["Id  What", "a   short"]


def test_names_of_two_cells_a_character_stand_under_each_other() -> None:
    made = layout.table(
        COLUMNS, [[Text("李雷"), Text("x"), Text("1")], [Text("bob"), Text("y"), Text("2")]], 40
    )
    assert {line.cell_len for line in made[1:]} == {made[1].cell_len}


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_paragraph_breaks_between_words_and_keeps_its_indent(width: int) -> None:
    text = "  agents.yaml:12:3: unknown queue 'support-team-101' (did you mean 'support'?)"
    made = paragraph(text, width, 4).splitlines()
    assert " ".join(" ".join(made).split()) == text.strip()
    assert all(line.startswith("  ") for line in made)
    assert all(line.startswith("      ") for line in made[1:])
    assert all(len(line) <= max(width, 26) for line in made)
    assert paragraph(text, None) == text


def test_queues_at_80_columns_have_whole_headings_and_every_caller() -> None:
    made = [
        line.plain for line in call_table.queues([a_queue("support", 15), a_queue("sales", 0)], 80)
    ]
    for word in ("Today", "Answered", "Lost", "Longest"):
        assert word in made[0].split()
    assert max(map(len, made)) <= 80
    assert sum("+442079460018" in line for line in made) == 15


def test_a_low_screen_says_how_many_callers_it_does_not_show() -> None:
    views = [a_queue("support", 15), *(a_queue(f"q{n}", 0) for n in range(9))]
    made = [line.plain for line in call_table.queues(views, 80, 18)]
    assert len(made) <= 18
    hidden = [line for line in made if line.startswith("…")]
    shown = sum("+442079460018" in line for line in made)
    assert hidden
    assert f"and {15 - shown} more callers wait" in made[-1] or shown == 15


def test_the_floor_in_a_sentence() -> None:
    assert call_table.floor([a_queue("a", 0)]) == "no caller waits"
    assert call_table.floor([a_queue("a", 1)]) == "1 caller waits in a, for 1:30"
    assert call_table.floor([a_queue("a", 2)]) == "2 callers wait in a, the longest for 1:30"
    two = call_table.floor([a_queue("a", 2), a_queue("b", 1)])
    assert two.startswith("3 callers wait in 2 queues, the longest for 1:30 in ")


@pytest.mark.parametrize("command", ["status", "agents", "queues"])
def test_watch_writes_on_a_dumb_terminal(place: Place, running: Daemon, command: str) -> None:
    """Where the screen cannot be cleared, one look follows the other."""
    master, slave = pty.openpty()
    env = {**os.environ, **place.environ, "TERM": "dumb", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [sys.executable, "-m", "callrouter", command, "--watch"],
        stdout=slave, stderr=slave, stdin=slave, env=env,
    )  # fmt: skip
    os.close(slave)
    seen = b""
    until = time.monotonic() + 20
    try:
        while seen.count(b"agents") < 2 and time.monotonic() < until and b"Queue" not in seen:
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 65536)
    finally:
        process.terminate()
        process.wait()
        os.close(master)
    assert b"\x1b[" not in seen
    assert b"support" in seen or b"waiting" in seen


@pytest.mark.parametrize("command", ["agent", "call", "device", "demo", "why-not", "init", "token"])
def test_no_word_of_a_usage_is_broken(place: Place, command: str) -> None:
    shown = place.call(command, "--help", env={"COLUMNS": "80"}).stdout
    assert not any(line.rstrip().endswith(("-", "|")) for line in shown.splitlines())
    assert max(map(len, shown.splitlines())) <= 80


def test_diff_and_history_are_wrapped_between_words_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    line = (
        "support: on_max_wait dialplan:voicemail,support,1 -> dialplan:voicemail,everything-else,1"
    )
    print_text(line)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert max(map(len, said)) <= 80
    assert " ".join(" ".join(said).split()) == line
