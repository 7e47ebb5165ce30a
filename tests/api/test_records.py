from __future__ import annotations

import pytest

from callrouter.api.notice_text import DETAIL, moment, named, said
from callrouter.model.commands import Happened, Note, Record


@pytest.mark.parametrize("kind", list(Happened))
def test_every_kind_has_names_and_a_line(kind: Happened) -> None:
    detail = tuple(f"d{n}" for n in range(len(DETAIL[kind])))
    record = Record(kind=kind, at=0.5, call="c1", queue="q", agent="a", detail=detail)
    assert set(DETAIL[kind]) <= named(record).keys()
    line = said(record)
    assert "\n" not in line
    assert line[0].islower()
    # A core that tells less, or more, than it used to must not cost a line of the log.
    assert said(Record(kind=kind, at=0.5))
    assert said(Record(kind=kind, at=0.5, detail=("x",) * 9))
    assert named(Record(kind=kind, at=0.5, detail=("x",) * 9))


def test_a_note_is_cleaned() -> None:
    assert said(Note(text="a\x1b[2Jb\n")) == "a\ufffd[2Jb\ufffd"


def test_a_moment() -> None:
    assert moment(1_763_761_987.1239) == "2025-11-21T21:53:07.123Z"
    assert moment(None) is None


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            Record(
                kind=Happened.ENTERED, at=0, call="c1", queue="q", detail=(2, "+442079460018", "")
            ),
            "call c1 entered q at position 2 (+44…018)",
        ),
        (
            Record(kind=Happened.ENTERED, at=0, call="c1", queue="q", detail=(0, "", "")),
            "call c1 entered q and found it full (number withheld)",
        ),
        (
            Record(
                kind=Happened.LEFT,
                at=0,
                call="c1",
                queue="q",
                detail=("timeout", "queue:sales", 1, 2, 61.26),
            ),
            "call c1 left q after 61 s: timeout, to queue:sales",
        ),
        (
            Record(kind=Happened.MOVED, at=0, call="c1", queue="q", detail=("sales", "bob", 0)),
            "call c1 was moved to queue sales, to agent bob first",
        ),
        (
            Record(kind=Happened.PAUSED, at=0, agent="bob", detail=("", "")),
            "agent bob paused",
        ),
        (
            Record(
                kind=Happened.TRANSFERRED,
                at=0,
                call="c1",
                agent="bob",
                detail=("blind", "+442079460018", 1.0, 2.0, 1),
            ),
            "call c1 transferred by bob to +44…018 after 2.0 s",
        ),
    ],
)
def test_lines(record: Record, line: str) -> None:
    assert said(record) == line
