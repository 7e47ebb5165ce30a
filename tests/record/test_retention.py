"""What is deleted from the record, when, and that a wrong clock deletes nothing."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from callrouter.model.call_notices import CallEntered, OfferDecided, PlaceHandedOver
from callrouter.record import sql
from callrouter.record.call_steps import MemberList, StepItem, pack_steps, unpack_steps
from callrouter.record.own_values import write_value
from callrouter.record.retention import BELIEVED_AFTER, EVERY, Retention
from callrouter.record.row_codec import row_values
from callrouter.record.rows import DecisionRow, GapKind, GapRow, MemberListRow, RunRow
from callrouter.settings.loaded import HistorySettings, NumberRetention
from callrouter.store.database import Server, server_at
from callrouter.store.location import File, Place
from tests.record.rows import (
    call_row,
    conversation_row,
    fill,
    offer_row,
    state_row,
    stay_row,
)
from tests.store.world import Clock

DAY = 86_400.0
NUMBER = "441632960123"
KEEP = HistorySettings(
    keep=30 * DAY,
    decisions=10 * DAY,
    numbers=NumberRetention(keep=5 * DAY, then="mask"),
    max_size=10**12,
)


class Kept:
    """A record, what deletes from it, and a clock."""

    def __init__(self, place: Place, clock: Clock, settings: HistorySettings = KEEP) -> None:
        self.clock, self.settings = clock, settings
        self.server: Server = server_at(place, clock.now)
        self.link = self.server.open()
        self.begin()

    def begin(self) -> None:
        """The daemon is started."""
        self.retention = Retention(lambda: self.settings, self.clock.now, self.clock.at)

    def one_pass(self) -> int:
        """Go through the next pass. Returns the number of its steps."""
        self.clock.at += self.retention.due_in()
        steps = 0
        while self.retention.due_in() < EVERY / 2:
            self.clock.at += self.retention.due_in()
            self.retention.work(self.link)
            steps += 1
        return steps

    def names(self, table: sa.TableClause, column: str = "call") -> list[Any]:
        with self.link.begin():
            return sorted(self.link.execute(sa.select(table.c[column])).scalars())

    def caller(self, call: str) -> tuple[str, str, str]:
        calls = sql.CALLS
        chosen = sa.select(calls.c.caller_number, calls.c.caller_name, calls.c.number_key)
        with self.link.begin():
            number, name, key = self.link.execute(chosen.where(calls.c.call == call)).one()
        return number, name, key

    def steps(self, call: str) -> list[Any]:
        table = sql.DECISIONS
        with self.link.begin():
            found = self.link.execute(sa.select(table.c.steps).where(table.c.call == call))
            return [
                step.notice for packed in found.scalars() for step in unpack_steps(bytes(packed))
            ]


def steps_row(call: str, at: float) -> DecisionRow:
    entered = CallEntered(
        at=at, call=call, queue="support", position=1, caller_number=NUMBER, caller_name="Ann Other"
    )
    other = PlaceHandedOver(
        at=at, call=call, queue="support", agent="ann", caller_number=NUMBER, caller_name="Eve"
    )
    packed = pack_steps([StepItem(1, entered, None), StepItem(2, other, None)])
    return DecisionRow(call=call, part=0, began_at=at, ended_at=at + 60, steps=packed)


def whole_call(call: str, at: float) -> list[object]:
    return [
        call_row(call, at, caller_number=NUMBER, caller_name="Ann Other"),
        stay_row(call, 0, at),
        offer_row(f"o-{call}", call, at),
        conversation_row(call, 0, at),
        steps_row(call, at),
    ]


CHILDREN = [sql.CALLS, sql.STAYS, sql.OFFERS, sql.CONVERSATIONS, sql.DECISIONS]


def test_calls_older_than_keep_go_with_all_that_belongs_to_them(
    place: Place, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    now = clock.at
    fill(
        place,
        *whole_call("old", now - 31 * DAY),
        *whole_call("young", now - 1 * DAY),
        call_row("never-ended", now - 40 * DAY, ended_at=None, outcome=None),
        call_row("live", now - 60, ended_at=None, outcome=None),
        state_row(1, "ann", now - 40 * DAY, until=now - 31 * DAY),
        state_row(2, "ann", now - 31 * DAY, until=now - 29 * DAY),
        state_row(3, "ann", now - 35 * DAY),
        GapRow(run="a", n=0, kind=GapKind.ROUTER_DOWN, began_at=now - 40 * DAY,
               ended_at=now - 39 * DAY, table_name="", rows_lost=0),
        RunRow(run="a", started_at=now - 50 * DAY, alive_at=now - 40 * DAY, stopped_at=None),
        RunRow(run="b", started_at=now - 39 * DAY, alive_at=now, stopped_at=None),
    )  # fmt: skip
    kept = Kept(place, clock)
    with caplog.at_level(logging.INFO):
        kept.one_pass()
    for table in CHILDREN:
        assert "old" not in kept.names(table)
        assert "young" in kept.names(table)
    assert kept.names(sql.CALLS) == ["live", "young"]
    assert kept.names(sql.AGENT_STATES, "serial") == [2, 3]
    assert kept.names(sql.RECORD_GAPS, "run") == []
    assert kept.names(sql.RUNS, "run") == ["b"]
    assert kept.retention.deleted["calls"] == 2
    [line] = [record.getMessage() for record in caplog.records if "deleted" in record.getMessage()]
    assert line == "history: deleted 2 calls older than 30d and 1 state of agents"


def test_reasons_go_before_their_calls(place: Place, clock: Clock) -> None:
    now = clock.at
    fill(place, *whole_call("a", now - 11 * DAY), *whole_call("b", now - 9 * DAY))
    kept = Kept(place, clock)
    kept.one_pass()
    assert kept.names(sql.DECISIONS) == ["b"]
    assert kept.names(sql.CALLS) == ["a", "b"]


def decided(call: str, at: float, members: MemberList) -> DecisionRow:
    made = OfferDecided(
        at=at, call=call, queue="support", agent="ann", offer=f"o-{call}", policy=(), available=1,
        ranked=(), waiting=1, waited_s=0.0, tried=(), by_agent=False, preferred=False, drawn=0,
    )  # fmt: skip
    steps = pack_steps([StepItem(1, made, members)])
    return DecisionRow(call=call, part=0, began_at=at, ended_at=at, steps=steps)


def test_lists_of_members_go_with_the_last_step_that_names_them(place: Place, clock: Clock) -> None:
    """Also with a restart in between, and not with the steps of an hour in which few calls came."""
    lists = [MemberList("support", {name: (0, {})}) for name in ("ann", "bob", "cat")]
    rows = [MemberListRow(digest=one.digest, queue=one.queue, members=one.text) for one in lists]
    first, second, never = rows
    fill(place, *rows)
    kept = Kept(place, clock)
    kept.one_pass()  # uses are noted from now on

    def use(call: str, which: int) -> None:
        row = row_values(decided(call, clock.at, lists[which]))
        with kept.link.begin():
            kept.link.execute(sa.insert(sql.DECISIONS), row)

    for day in range(30):
        use(f"a{day}", 0)
        if day < 3:
            use(f"b{day}", 1)
        if day == 10:
            kept.begin()
        kept.one_pass()
        clock.at += DAY
    # Steps are kept for 10 days, and a week more, in case some are written late.
    assert kept.names(sql.MEMBER_LISTS, "digest") == [first.digest]
    assert kept.retention.deleted["member-lists"] == 2
    assert {second.digest, never.digest}.isdisjoint(kept.names(sql.MEMBER_LISTS, "digest"))
    for _ in range(18):
        clock.at += DAY
        kept.one_pass()
    assert kept.names(sql.MEMBER_LISTS, "digest") == []


def test_notes_about_lists_that_were_written_by_hand_delete_none(
    place: Place, clock: Clock
) -> None:
    one = MemberList("support", {"ann": (0, {})})
    fill(place, MemberListRow(digest=one.digest, queue=one.queue, members=one.text))
    kept = Kept(place, clock)
    with kept.link.begin():
        write_value(kept.link, "member-lists", '{"seen": "x", "used": 3}')
    kept.one_pass()
    assert kept.names(sql.MEMBER_LISTS, "digest") == [one.digest]


@pytest.mark.parametrize("then", ["mask", "hash", "drop"])
def test_numbers_and_names_change_everywhere_after_a_while(
    place: Place, clock: Clock, then: Any
) -> None:
    now = clock.at
    fill(
        place,
        *whole_call("a", now - 6 * DAY),
        *whole_call("b", now - 4 * DAY),
        call_row("withheld", now - 7 * DAY, caller_number="", caller_name=""),
    )
    kept = Kept(place, clock, replace(KEEP, numbers=NumberRetention(keep=5 * DAY, then=then)))
    kept.one_pass()
    number, name, key = kept.caller("a")
    assert name == ""
    assert kept.caller("b") == (NUMBER, "Ann Other", "")
    assert kept.caller("withheld") == ("", "", "")
    if then == "drop":
        assert (number, key) == ("", "")
    else:
        assert number == ("…123" if then == "mask" else f"#{key[:12]}")
        assert len(key) == 24
    for notice in kept.steps("a"):
        assert (notice.caller_number, notice.caller_name) == (number, "")
    assert {notice.caller_number for notice in kept.steps("b")} == {NUMBER}
    before = kept.retention.deleted["numbers"]
    kept.begin()
    kept.one_pass()
    assert kept.caller("a") == (number, "", key)
    assert (before, kept.retention.deleted["numbers"]) == (1, 0)


def test_one_caller_has_one_code_in_all_calls_and_runs(place: Place, clock: Clock) -> None:
    now = clock.at
    fill(place, *whole_call("a", now - 6 * DAY), *whole_call("b", now - 5.5 * DAY))
    kept = Kept(place, clock)
    kept.one_pass()
    kept.link.close()
    fill(place, *whole_call("c", now - 5.2 * DAY))
    kept = Kept(place, clock)
    kept.one_pass()
    assert kept.caller("a") == kept.caller("b") == kept.caller("c")
    assert kept.caller("a")[2]


def test_another_setting_is_applied_to_what_was_changed_before(place: Place, clock: Clock) -> None:
    fill(place, *whole_call("a", clock.at - 6 * DAY))
    kept = Kept(place, clock)
    kept.one_pass()
    _, _, key = kept.caller("a")
    kept.settings = replace(KEEP, numbers=NumberRetention(keep=5 * DAY, then="hash"))
    kept.one_pass()
    assert kept.caller("a") == (f"#{key[:12]}", "", key)
    kept.settings = replace(KEEP, numbers=NumberRetention(keep=5 * DAY, then="drop"))
    kept.one_pass()
    assert kept.caller("a") == ("", "", "")
    assert {notice.caller_number for notice in kept.steps("a")} == {""}


def test_the_size_limit_deletes_the_calls_that_ended_first(
    place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.at
    rows = [row for n in range(100) for row in whole_call(f"c{n:02}", now - 2 * DAY + n * 60)]
    old_state = state_row(1, "ann", now - 4 * DAY, until=now - 3 * DAY)
    fill(place, *rows, old_state, state_row(2, "ann", now - 3 * DAY))
    kept = Kept(place, clock, replace(KEEP, max_size=1000))
    monkeypatch.setattr("callrouter.record.retention_steps.record_size", lambda _: 2000)
    kept.one_pass()
    left = kept.names(sql.CALLS)
    assert left == [f"c{n:02}" for n in range(52, 100)]  # 97 % of the limit are left
    assert kept.names(sql.DECISIONS) == left
    assert kept.names(sql.AGENT_STATES, "serial") == [2]
    monkeypatch.setattr("callrouter.record.retention_steps.record_size", lambda _: 1000)
    kept.one_pass()
    assert kept.names(sql.CALLS) == left


def test_the_room_of_what_was_deleted_is_given_back(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a SQLite file: PostgreSQL keeps its room for new rows."""
    monkeypatch.setattr("callrouter.record.retention_steps._PAGES", 8)
    now = clock.at
    place = File(tmp_path / "callrouter.db")
    fill(place, *[row for n in range(300) for row in whole_call(f"c{n}", now - 40 * DAY + n)])
    kept = Kept(place, clock)

    def pages(name: str) -> int:
        with kept.link.begin():
            return int(kept.link.exec_driver_sql(f"PRAGMA {name}").scalar_one())

    before = pages("page_count")
    kept.one_pass()
    assert kept.names(sql.CALLS) == []
    assert pages("freelist_count") <= 8
    assert before - pages("page_count") == kept.retention.deleted["pages"] > 30


def test_a_clock_a_year_ahead_deletes_nothing_for_a_day_and_nothing_once_it_is_right_again(
    place: Place, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    right = clock.at
    fill(place, *whole_call("a", right - 1 * DAY))
    kept = Kept(place, clock)
    kept.one_pass()
    clock.at = right + 365 * DAY
    kept.begin()
    for _ in range(20):
        kept.one_pass()
    assert kept.names(sql.CALLS) == ["a"]
    assert kept.names(sql.DECISIONS) == ["a"]
    assert kept.caller("a")[0] == NUMBER
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("this machine's clock is 365d")
    clock.at = right + 3600
    kept.begin()
    kept.one_pass()
    clock.at = (
        right + 365 * DAY + 2 * BELIEVED_AFTER
    )  # wrong again, and a doubt from before is gone
    kept.begin()
    kept.one_pass()
    assert kept.names(sql.CALLS) == ["a"]


def test_after_months_without_a_router_the_clock_is_believed_within_a_day(
    place: Place, clock: Clock
) -> None:
    fill(place, *whole_call("a", clock.at - 1 * DAY))
    kept = Kept(place, clock)
    kept.one_pass()
    clock.at += 90 * DAY
    kept.begin()
    for _ in range(12):
        kept.one_pass()
    kept.begin()  # also across a restart
    for _ in range(14):
        kept.one_pass()
    assert kept.names(sql.CALLS) == []


def test_a_clock_set_back_deletes_nothing_too_early(place: Place, clock: Clock) -> None:
    fill(place, *whole_call("a", clock.at - 1 * DAY))
    kept = Kept(place, clock)
    kept.one_pass()
    clock.at -= 365 * DAY
    kept.begin()
    kept.one_pass()
    assert kept.names(sql.CALLS) == ["a"]


def test_a_reload_takes_effect_with_the_next_pass(place: Place, clock: Clock) -> None:
    fill(place, *whole_call("a", clock.at - 20 * DAY))
    kept = Kept(place, clock)
    kept.one_pass()
    assert kept.names(sql.CALLS) == ["a"]
    kept.settings = replace(KEEP, keep=15 * DAY)
    kept.one_pass()
    assert kept.names(sql.CALLS) == []


def test_an_error_ends_the_pass_and_the_next_one_begins_again(place: Place, clock: Clock) -> None:
    fill(place, *whole_call("a", clock.at - 40 * DAY))
    kept = Kept(place, clock)
    clock.at += kept.retention.due_in()
    kept.retention.work(kept.link)
    kept.link.close()
    clock.at += 1
    with pytest.raises(sa.exc.SQLAlchemyError):
        kept.retention.work(kept.link)
    kept.link = kept.server.open()
    assert kept.retention.due_in() == EVERY
    kept.one_pass()
    assert kept.names(sql.CALLS) == []
