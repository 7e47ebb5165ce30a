"""The record is read: ended calls by pages, periods, one call, agents' states."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.record.record_reader import CallFilter, Cursor, RecordReader
from callrouter.record.rows import CallOutcome
from callrouter.store.location import File, Place, StoreError
from tests.record.rows import call_row, conversation_row, fill, offer_row, state_row, stay_row


def test_ended_calls_come_by_pages_latest_first(place: Place) -> None:
    fill(
        place,
        *(call_row(f"c{n}", 100.0 + n // 2) for n in range(7)),
        call_row("live", 50.0, ended_at=None, outcome=None),
    )
    reader = RecordReader(place)
    seen: list[str] = []
    after = None
    while page := reader.ended_calls(CallFilter(), after, most=3):
        seen += [row.call for row in page]
        after = Cursor(page[-1].ended_at or 0.0, page[-1].call)
    assert seen == ["c6", "c5", "c4", "c3", "c2", "c1", "c0"]
    reader.close()


def test_ended_calls_are_filtered(place: Place) -> None:
    fill(
        place,
        call_row("a", 100.0),
        stay_row("a", 0, 100.0, queue="sales"),
        stay_row("a", 1, 120.0),
        call_row(
            "b", 200.0, outcome=CallOutcome.ABANDONED, agent="", caller_number="", number_key="k"
        ),
        stay_row("b", 0, 200.0),
        offer_row("o1", "b", 201.0, agent="bob"),
    )
    reader = RecordReader(place)

    def found(wanted: CallFilter) -> list[str]:
        return [row.call for row in reader.ended_calls(wanted)]

    assert found(CallFilter(queues=["sales"])) == ["a"]
    assert found(CallFilter(queues=[])) == []
    assert found(CallFilter(agent="bob")) == ["b"]
    assert found(CallFilter(agent="ann")) == ["a"]
    assert found(CallFilter(begin=150.0)) == ["b"]
    assert found(CallFilter(end=150.0)) == ["a"]
    assert found(CallFilter(outcome=CallOutcome.ABANDONED)) == ["b"]
    assert found(CallFilter(numbers=["441632960000"])) == ["a"]
    assert found(CallFilter(numbers=["441632960000"], number_key="k")) == ["b", "a"]
    reader.close()


def test_a_call_is_found_by_a_part_of_its_id(place: Place) -> None:
    fill(place, *(call_row(f"17{n}.{n}%", 100.0 + n) for n in range(3)))
    reader = RecordReader(place)
    assert reader.find("last") == ["172.2%"]
    assert reader.find("171.1%") == ["171.1%"]
    assert reader.find("170") == ["170.0%"]
    assert reader.find(".2%") == ["172.2%"]
    assert reader.find("17") == ["172.2%", "171.1%", "170.0%"]
    assert reader.find("%") == ["172.2%", "171.1%", "170.0%"], "it is no wildcard"
    assert reader.find("7") == []
    assert reader.find("17\0") == []
    assert reader.story("170.0%\0") is None
    assert reader.find("") == []
    reader.close()


def test_the_story_of_a_call_is_whole(place: Place) -> None:
    fill(
        place,
        call_row("a", 100.0),
        stay_row("a", 1, 130.0),
        stay_row("a", 0, 100.0),
        offer_row("o2", "a", 131.0),
        offer_row("o1", "a", 101.0),
        conversation_row("a", 0, 105.0),
        call_row("b", 100.0),
    )
    reader = RecordReader(place)
    story = reader.story("a")
    assert story is not None
    assert [stay.n for stay in story.stays] == [0, 1]
    assert [offer.offer for offer in story.offers] == ["o1", "o2"]
    assert [item.started_at for item in story.conversations] == [105.0]
    assert story.call == call_row("a", 100.0), "a row is read as it was written"
    assert reader.story("c") is None
    reader.close()


def test_a_period_has_what_began_in_it(place: Place) -> None:
    fill(
        place,
        *(stay_row(f"c{n}", 0, 100.0 + n, queue="sales" if n % 2 else "support") for n in range(6)),
    )
    reader = RecordReader(place)
    assert [row.call for row in reader.stays(101.0, 104.0)] == ["c1", "c2", "c3"]
    assert [row.call for row in reader.stays(101.0, 104.0, ["sales"])] == ["c1", "c3"]
    reader.close()


def test_states_of_a_period_include_what_lasts_from_before(place: Place) -> None:
    fill(
        place,
        state_row(1, "ann", 10.0, until=20.0),
        state_row(2, "ann", 20.0, until=120.0, state="paused"),
        state_row(3, "bob", 30.0, until=40.0),
        state_row(4, "ann", 120.0),
        state_row(5, "cid", 90.0),
        state_row(6, "ann", 220.0),
        state_row(7, "cid", 100.0),
    )
    reader = RecordReader(place)
    assert [row.serial for row in reader.agent_states(100.0, 200.0)] == [2, 4, 5, 7]
    assert [row.serial for row in reader.agent_states(100.0, 200.0, ["ann"])] == [2, 4]
    assert {name: row.serial for name, row in reader.states_at(100.0).items()} == {
        "ann": 2,
        "bob": 3,
        "cid": 5,
    }
    assert reader.states_at(100.0, serial=8, agents=["cid"])["cid"].serial == 7
    assert reader.states_at(100.0, serial=7, agents=["cid"])["cid"].serial == 5
    reader.close()


def test_a_database_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none\.db cannot be read: unable to open"):
        RecordReader(File(tmp_path / "none.db")).story("a")
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="has not made its tables"):
        RecordReader(File(tmp_path / "empty.db")).story("a")
