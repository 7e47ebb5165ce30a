"""The lists of calls, the story of one, and who was spoken to since."""

from __future__ import annotations

import random

import pytest
import sqlalchemy as sa

from callrouter.record.rows import (
    CallOutcome,
    ConsultationRow,
    ConversationEnd,
    ConversationKind,
    DecisionRow,
    HoldRow,
    HowIn,
    OfferResult,
    StayOutcome,
)
from callrouter.reports.catalog import make
from callrouter.reports.periods import read_period
from callrouter.reports.report import Report
from callrouter.reports.request import ALL, ReportError, ReportRequest, Scope
from tests.reports.random_record import (
    call_row,
    conversation_row,
    offer_row,
    put,
    random_record,
    stay_row,
)
from tests.reports.site import LONDON, NOW, SITE, local

AT = local("2026-11-27 10:00")


def made(
    link: sa.Connection, what: str, period: str = "2026-11-27", *, scope: Scope = ALL,
    queue: str = "", agent: str = "", call: str = "", most: int = 10_000,
) -> Report:  # fmt: skip
    asked = ReportRequest(
        what=what, period=read_period(period, NOW, LONDON), queue=queue, agent=agent, call=call, most=most
    )  # fmt: skip
    return make(asked, SITE, scope, link)


def abandoned_call(link: sa.Connection, call: str, at: float, key: str, **stay: object) -> None:
    number = f"+44207946000{key[-1]}" if key else ""
    put(
        link,
        "calls",
        [call_row(call, at, number_key=key, caller_number=number, outcome=CallOutcome.ABANDONED)],
    )
    usual = {"left_at": at + 30, "wait_s": 30.0, "outcome": StayOutcome.ABANDONED, "position": 2}
    put(link, "stays", [stay_row(call, at, **(usual | stay))])


def answered_call(link: sa.Connection, call: str, at: float, key: str, agent: str) -> None:
    put(
        link,
        "calls",
        [call_row(call, at, number_key=key, agent=agent, outcome=CallOutcome.ANSWERED)],
    )
    put(
        link,
        "stays",
        [stay_row(call, at, outcome=StayOutcome.ANSWERED, wait_s=5.0, left_at=at + 5, agent=agent)],
    )
    put(
        link,
        "conversations",
        [conversation_row(call, at + 5, agent=agent, ended_at=at + 65, talk_s=60.0)],
    )


def test_callers_who_were_spoken_to_since_are_known_with_the_agent(link: sa.Connection) -> None:
    abandoned_call(link, "1.1", AT, "k1")
    abandoned_call(link, "1.2", AT + 100, "k1", wait_s=3.0, left_at=AT + 103)
    answered_call(link, "1.3", AT + 3600, "k1", "robert")  # bob, under the id he had then
    answered_call(link, "1.4", local("2026-11-28 09:00"), "k1", "alice")
    abandoned_call(link, "2.1", AT + 200, "k2")
    answered_call(link, "2.0", AT - 7200, "k2", "alice")  # before, which does not count
    abandoned_call(link, "3.1", AT + 300, "")
    report = made(link, "abandoned")
    rows = {str(row["call"]): row for row in report.rows}
    assert [str(row["call"]) for row in report.rows] == ["3.1", "2.1", "1.2", "1.1"]
    for call in ("1.1", "1.2"):
        assert rows[call]["called_back_by"] == "bob"
        assert rows[call]["called_back_at"] == AT + 3605
    assert (rows["1.1"]["calls_since"], rows["1.2"]["calls_since"]) == (3, 2)
    assert rows["2.1"]["called_back_by"] is None
    assert (rows["2.1"]["calls_since"], rows["3.1"]["calls_since"]) == (0, None)
    assert (rows["1.2"]["short"], rows["1.2"]["within"]) == (True, True)
    assert (rows["1.1"]["short"], rows["1.1"]["within"]) == (False, False)
    assert report.total is not None
    assert (report.total["queue"], report.total["called_back_by"]) == ("4 calls", "2 spoken to")
    few = made(link, "abandoned", most=2)
    assert [str(row["call"]) for row in few.rows] == ["3.1", "2.1"]
    assert few.notes[0].startswith("These are the last 2 abandoned calls; there are more")
    [one] = [made(link, "abandoned", most=1).total]
    assert one is not None
    assert one["queue"] == "1 call"


def test_a_caller_is_found_by_the_number_while_that_is_kept(link: sa.Connection) -> None:
    """Calls have a code in place of the number only after the time in `history: numbers`."""
    own, other = "+442079460001", "+442079460002"
    put(
        link,
        "calls",
        [
            call_row("1.1", AT, caller_number=own, number_key="", outcome=CallOutcome.ABANDONED),
            call_row("1.2", AT + 600, caller_number=other, number_key=""),
            call_row("1.3", AT + 900, caller_number=own, number_key=""),
        ],
    )
    gone = {"left_at": AT + 30, "wait_s": 30.0, "outcome": StayOutcome.ABANDONED}
    put(link, "stays", [stay_row("1.1", AT, **gone)])
    put(
        link,
        "conversations",
        [
            conversation_row("1.2", AT + 605, agent="alice", ended_at=AT + 665, talk_s=60.0),
            conversation_row("1.3", AT + 905, agent="bob", ended_at=AT + 965, talk_s=60.0),
        ],
    )
    [row] = made(link, "abandoned").rows
    assert (row["calls_since"], row["called_back_at"], row["called_back_by"]) == (
        1,
        AT + 905,
        "bob",
    )


def test_a_caller_who_came_back_in_the_same_call_was_spoken_to(sqlite_link: sa.Connection) -> None:
    abandoned_call(sqlite_link, "1.1", AT, "k1")
    put(
        sqlite_link,
        "stays",
        [
            stay_row(
                "1.1", AT + 60, n=1, how_in=HowIn.RE_ENTRY, outcome=StayOutcome.ANSWERED, wait_s=1.0
            )
        ],
    )
    put(sqlite_link, "conversations", [conversation_row("1.1", AT + 61, agent="carol")])
    (row,) = made(sqlite_link, "abandoned").rows
    assert (row["called_back_by"], row["called_back_at"], row["calls_since"]) == (
        "carol",
        AT + 61,
        0,
    )


@pytest.mark.parametrize("seed", range(2))
def test_the_lists_are_what_brute_force_finds(link: sa.Connection, seed: int) -> None:
    period = read_period("2026-11-27", NOW, LONDON)
    record = random_record(seed, period.from_, period.to, calls=150)
    record.store(link)
    chance = random.Random(seed)
    calls = sorted(
        (c for c in record.calls if period.from_ <= c.entered_at < period.to),
        key=lambda c: (c.entered_at, c.call), reverse=True,
    )  # fmt: skip
    assert [row["call"] for row in made(link, "calls").rows] == [c.call for c in calls]
    inside = {s.call for s in record.stays if s.queue in {"support", "helpdesk"}}
    assert [row["call"] for row in made(link, "calls", queue="support").rows] == [
        c.call for c in calls if c.call in inside
    ]
    talked = {t.call for t in record.conversations if t.agent in {"bob", "robert"}}
    assert [row["call"] for row in made(link, "calls", agent="bob").rows] == [
        c.call for c in calls if c.call in talked
    ]
    key = {c.call: c.number_key for c in record.calls}
    for row in made(link, "abandoned").rows:
        own, left = key[str(row["call"])], float(str(row["abandoned_at"]))
        later = [
            t for t in record.conversations if own and key[t.call] == own and t.started_at > left
        ]
        first = min(later, key=lambda t: t.started_at, default=None)
        assert row["called_back_at"] == (None if first is None else first.started_at)
        since = sum(c.entered_at > left for c in record.calls if c.number_key == own)
        assert row["calls_since"] == (since if own else None)
    gone = [
        s
        for s in record.stays
        if s.outcome is StayOutcome.ABANDONED and period.from_ <= s.entered_at < period.to
    ]
    assert len(made(link, "abandoned").rows) == len(gone)
    named = chance.choice(calls)
    assert made(link, "call", call=named.call).title == f"Call {named.call}"


def test_numbers_are_masked_and_only_own_calls_are_listed(sqlite_link: sa.Connection) -> None:
    answered_call(sqlite_link, "1.1", AT, "k1", "alice")
    answered_call(sqlite_link, "1.2", AT + 1, "k1", "bob")
    own = Scope(frozenset({"support"}), frozenset({"alice"}), "alice", masked=True)
    (row,) = made(sqlite_link, "calls", scope=own).rows
    assert (row["call"], row["number"], row["agent"]) == ("1.1", "+44…001", "alice")
    abandoned_call(sqlite_link, "1.0", AT - 100, "k1")
    (row,) = made(sqlite_link, "abandoned", scope=own).rows
    assert (row["number"], row["called_back_by"]) == ("+44…001", "alice")
    put(
        sqlite_link,
        "offers",
        [offer_row("o1", AT + 1, call="1.1", agent="carol", result=OfferResult.NO_ANSWER)],
    )
    put(
        sqlite_link,
        "consultations",
        [
            ConsultationRow(
                call="1.1",
                n=0,
                conversation=0,
                queue="support",
                agent="alice",
                colleague="bob",
                asked_at=AT + 9,
                talked_at=None,
                ended_at=None,
                outcome="",
            )
        ],
    )
    told = str(made(sqlite_link, "call", call="1.1", scope=own).rows)
    assert "a colleague" in told
    assert "alice" in told
    assert "carol" not in told
    assert "bob" not in told
    assert (
        made(sqlite_link, "call", call="1.1", scope=own)
        .notes[0]
        .startswith("Caller +44…001 on office")
    )
    for call, scope in (("1.2", own), ("1.1", Scope(queues=frozenset({"sales"})))):
        with pytest.raises(ReportError, match="there is no call"):
            made(sqlite_link, "call", call=call, scope=scope)
    with pytest.raises(ReportError, match=r"there is no queue 'sales'; there are support"):
        made(sqlite_link, "queues", queue="sales", scope=own)


def test_the_whole_story_of_a_call(link: sa.Connection) -> None:
    put(
        link,
        "calls",
        [
            call_row(
                "17.5",
                AT,
                ended_at=AT + 300,
                outcome=CallOutcome.ANSWERED,
                wait_s=42.0,
                talk_s=200.0,
                caller_name="Ann",
            )
        ],
    )
    put(
        link,
        "stays",
        [
            stay_row(
                "17.5",
                AT,
                queue="helpdesk",
                outcome=StayOutcome.TIMEOUT,
                wait_s=30.0,
                left_at=AT + 30,
                position=1,
                target="queue:sales",
            ),
            stay_row(
                "17.5",
                AT + 30,
                n=1,
                queue="sales",
                how_in=HowIn.OVERFLOW,
                outcome=StayOutcome.ANSWERED,
                wait_s=12.0,
                left_at=AT + 42,
                first_position=2,
            ),
        ],
    )
    put(
        link,
        "offers",
        [
            offer_row(
                "o1",
                AT + 1,
                call="17.5",
                agent="alice",
                rang_at=AT + 1.2,
                ended_at=AT + 21,
                rang_s=20.0,
                result=OfferResult.NO_ANSWER,
                idle_s=190.0,
            ),
            offer_row(
                "o2",
                AT + 35,
                call="17.5",
                stay=1,
                queue="sales",
                agent="robert",
                taker="robert",
                device="desk",
                rang_at=AT + 35.2,
                accepted_at=AT + 41.5,
                ended_at=AT + 42,
                rang_s=7.0,
                result=OfferResult.ACCEPTED,
                policy="priority",
            ),
        ],
    )
    put(
        link,
        "conversations",
        [
            conversation_row(
                "17.5",
                AT + 42,
                stay=1,
                queue="sales",
                agent="robert",
                offer="o2",
                ended_at=AT + 142,
                talk_s=100.0,
                wrap_up_s=10.0,
                ended_by=ConversationEnd.PUT_THROUGH,
                to="carol",
            ),
            conversation_row(
                "17.5",
                AT + 142,
                n=1,
                stay=1,
                queue="sales",
                agent="carol",
                kind=ConversationKind.PUT_THROUGH,
                ended_at=AT + 300,
                talk_s=158.0,
                ended_by=ConversationEnd.CALLER,
            ),
        ],
    )
    put(
        link,
        "holds",
        [
            HoldRow(
                call="17.5",
                n=0,
                conversation=0,
                agent="robert",
                began_at=AT + 100,
                ended_at=AT + 120,
                by="",
            )
        ],
    )
    put(
        link,
        "consultations",
        [
            ConsultationRow(
                call="17.5",
                n=0,
                conversation=0,
                queue="sales",
                agent="robert",
                colleague="carol",
                asked_at=AT + 101,
                talked_at=AT + 110,
                ended_at=AT + 142,
                outcome="put-through",
            )
        ],
    )
    report = made(link, "call", call="17.5")
    assert [(round(float(str(r["at"])) - AT, 1), r["what"], r["queue"], r["agent"], r["after_s"], r["detail"]) for r in report.rows] == [
        (0.0, "entered", "support", None, None, "a new call; position 1, priority 50"),
        (1.0, "offered", "support", "alice", None, "by longest-idle, level 1, idle 3 min 10 s"),
        (1.2, "rang", "support", "alice", 0.2, None),
        (21.0, "offer ended", "support", "alice", 20.0, "no answer"),
        (30.0, "left", "support", None, 30.0, "max_wait was over, position 1, to queue:sales"),
        (30.0, "entered", "sales", None, None, "sent here by a rule of the queue before; position 2, priority 50"),
        (35.0, "offered", "sales", "bob", None, "by priority, level 1, idle 0 s"),
        (35.2, "rang", "sales", "bob", 0.2, None),
        (41.5, "accepted", "sales", "bob", 6.5, "on desk"),
        (42.0, "connected", "sales", "bob", 12.0, None),
        (100.0, "held", None, "bob", None, None),
        (101.0, "asked a colleague", "sales", "bob", None, "carol"),
        (110.0, "talks to the colleague", "sales", "bob", 9.0, "carol"),
        (120.0, "retrieved", None, "bob", 20.0, None),
        (142.0, "conversation ended", "sales", "bob", 100.0, "put through, to carol"),
        (142.0, "connected", "sales", "carol", None, "put through"),
        (142.0, "consultation ended", "sales", "bob", 41.0, "carol: put through"),
        (152.0, "wrap-up ended", "sales", "bob", 10.0, None),
        (300.0, "conversation ended", "sales", "carol", 158.0, "by caller"),
    ]  # fmt: skip
    assert (report.from_, report.to) == (AT, AT + 300)
    assert report.notes == (
        "Caller +442079460001 Ann on office; answered; waited 42 s, talked 3 min 20 s.",
        "The decisions behind it are not on record (any more); see history: decisions.",
    )
    put(link, "decisions", [DecisionRow(call="17.5", part=0, began_at=AT, ended_at=AT, steps=b"x")])
    for asked in ("17.5", "17", "7.5", "last"):
        again = made(link, "call", call=asked)
        assert again.notes[1] == "Why each agent was chosen: `callrouter why 17.5`."
        assert again.title == "Call 17.5"


def test_a_call_that_is_not_on_record_is_explained(sqlite_link: sa.Connection) -> None:
    put(sqlite_link, "calls", [call_row("17.1", AT), call_row("17.2", AT + 1)])
    with pytest.raises(
        ReportError,
        match=r"there is no call '9\.9' on record \(`callrouter report calls` lists them",
    ):
        made(sqlite_link, "call", call="9.9")
    with pytest.raises(
        ReportError, match=r"several calls fit '17\.': 17\.2, 17\.1; give more of the id"
    ):
        made(sqlite_link, "call", call="17.")
    with pytest.raises(ReportError, match="report call needs the id of a call"):
        made(sqlite_link, "call")
    with pytest.raises(ReportError, match="there is no report 'quees'; there are queues, agents"):
        made(sqlite_link, "quees")


def test_calls_that_are_not_over_show_what_is_true_so_far(link: sa.Connection) -> None:
    at = NOW - 90.0
    live = {"ended_at": None, "outcome": None, "wait_s": 0.0, "talk_s": 0.0}
    put(link, "calls", [call_row(call, at, **live) for call in ("1.1", "1.2", "1.3")])
    waits = {"outcome": None, "left_at": None, "wait_s": None, "talk_s": 0.0}
    put(
        link,
        "stays",
        [stay_row("1.1", at, **waits), stay_row("1.3", at, **waits | {"talk_s": 20.0})],
    )
    put(
        link,
        "stays",
        [stay_row("1.2", at, outcome=StayOutcome.ANSWERED, wait_s=30.0, left_at=at + 30)],
    )
    put(link, "conversations", [conversation_row("1.2", at + 30, ended_at=None, talk_s=None)])
    link.execute(sa.text("UPDATE calls SET wait_s = 30 WHERE call = '1.2'"))
    found = {row["call"]: row for row in made(link, "calls", "today").rows}
    assert [(found[call]["outcome"], found[call]["wait_s"], found[call]["talk_s"]) for call in ("1.1", "1.2", "1.3")] == [
        ("waiting", 90.0, 0.0), ("talking", 30.0, 60.0), ("waiting", 70.0, 0.0),
    ]  # fmt: skip


def test_a_call_found_by_the_end_of_its_id_tells_how_far_the_search_is(
    sqlite_link: sa.Connection,
) -> None:
    year = 365 * 86_400.0
    put(sqlite_link, "calls", [call_row("17.1", AT - year), call_row("17.2", AT)])
    told: list[float] = []
    asked = ReportRequest(what="call", period=read_period("today", NOW, LONDON), call="7.1")
    assert make(asked, SITE, ALL, sqlite_link, told.append).title == "Call 17.1"
    assert len(told) == 12
    assert told == sorted(told)
    assert told[-1] == 1.0
