"""The account itself: what must not be is seen, and what may be is not called a fault."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos import account as books
from tests.chaos.account import Account, account
from tests.chaos.centre import LATE, MAX_WAIT, NIGHT
from tests.chaos.people import Caller
from tests.chaos.run import tracebacks

NUMBER = "441632960000"


def dialog(at: float, ended: float | None, **more: Any) -> Any:
    """A call at a phone, in the way in which `callrouter.lab.Dialog` tells of it."""
    heard = more.pop("heard", {})
    known: dict[str, Any] = {
        "invite_at": at,
        "ended_at": ended,
        "answered_at": at,
        "ended_by": "them",
        "final_code": 200,
        "state": "up" if ended is None else "ended",
        "peer_number": NUMBER,
        "peer_name": "Somebody",
        "heard_since": heard,
        "heard": set(heard),
    }
    return SimpleNamespace(**known | more)


def caller(at: float = 0.0, ended: float | None = 20.0, **more: Any) -> Caller:
    hung_up = more.pop("hung_up", False)
    return Caller(NUMBER, dialog(at, ended, **more), None, None, hung_up)


def of(callers: list[Caller], *rung: Any, sent: bytes = b"", away: bool = False) -> Account:
    """The account of these callers, and of what came to phone 1001."""
    centre: Any = SimpleNamespace(
        desks=[SimpleNamespace(name="1001", incoming=list(rung))],
        gone=set(),
        link=SimpleNamespace(sent=sent, released=[50.0]),
        was_away=lambda _: away,
    )
    return account(centre, callers)


def end(made: Account) -> str:
    ((name, count),) = made.ends.items()
    assert count == 1
    return name


def test_who_heard_an_agent_was_connected_by_whoever_rang_that_phone() -> None:
    talk = {"1001": 5.0}
    at_phone = {"heard": {"caller": 5.0}, "ended_by": "us"}
    assert end(of([caller(heard=talk)], dialog(4, 20, **at_phone))) == books.CONNECTED
    nameless = dialog(4, 20, peer_name="", **at_phone)
    assert end(of([caller(heard=talk)], nameless)) == books.FALLBACK
    assert of([caller(heard=talk)], dialog(4, 20, **at_phone)).bad() == []


def test_a_caller_who_was_ended_unheard_is_lost() -> None:
    made = of([caller()])
    assert end(made) == books.LOST
    assert "SIP 200" in made.bad()[0]


@pytest.mark.parametrize(("away", "expected"), [(True, books.OUTSIDE), (False, books.LOST)])
def test_a_caller_is_turned_away_only_by_an_asterisk_that_was_away(
    away: bool, expected: str
) -> None:
    assert end(of([caller(answered_at=None, final_code=503)], away=away)) == expected


def test_a_caller_who_still_hears_music_is_waiting_still() -> None:
    made = of([caller(ended=None)])
    assert end(made) == books.WAITING
    assert made.bad()


def test_who_hung_up_gave_up() -> None:
    made = of([caller(hung_up=True)])
    assert (end(made), made.bad()) == (books.ABANDONED, [])


def test_the_rules_send_nobody_on_before_the_time_and_keep_nobody_beyond_it() -> None:
    early, due, never = 3.0, MAX_WAIT + 1, books.LONGEST + 1
    assert of([caller(heard={LATE: early})]).untimely
    assert of([caller(heard={LATE: due}, ended=None)]).bad() == []
    assert of([caller(heard={NIGHT: early})]).bad() == []
    assert of([caller(heard={"1001": never})]).untimely


def test_a_phone_that_rings_while_it_rings_was_rung_twice() -> None:
    first, second = dialog(1, 6, answered_at=None), dialog(5, 9, answered_at=None)
    assert len(of([], first, second).double_rung) == 1
    assert of([], first, dialog(6, 9, answered_at=None)).double_rung == []
    fallback = dialog(1, 6, peer_name="", answered_at=None)
    assert len(of([], fallback, second).double_rung) == 1
    at_once = dialog(1.1, 9, answered_at=None)
    assert of([], fallback, at_once).double_rung == [], "nobody can see that in time"


def test_an_order_that_asterisk_read_late_is_counted_apart() -> None:
    fallback = dialog(48, 60, peer_name="", answered_at=None)
    late, too_long = (dialog(50.05, end, answered_at=None) for end in (50.2, 59.0))
    made = of([], fallback, late)
    assert (made.late_orders, made.double_rung) == (1, [])
    assert of([], fallback, too_long).double_rung
    assert of([], dialog(48, 60), late).double_rung, "not while the router's own call is on"


def test_a_talk_that_neither_ended_was_cut() -> None:
    talk = dialog(1, 6, heard={"caller": 2.0})
    heard = {"1001": 2.0}
    assert of([caller(heard=heard)], talk).cut_talks
    assert of([caller(heard=heard, hung_up=True)], talk).cut_talks == []


def test_an_offer_that_was_sent_twice_is_seen_on_the_wire() -> None:
    order = b"Action: Originate\r\nActionID: x\r\nChannelId: cr-b-1-desk\r\n\r\n"
    assert of([], sent=order * 2).placed_twice == ["cr-b-1-desk"]
    assert of([], sent=order).placed_twice == []


def test_the_table_names_the_faults_and_how_often_they_were_played() -> None:
    made = of([caller()])
    made.faults.update({"router killed": 3, "clock set": 1})
    lines = [line.split() for line in made.table().splitlines()]
    assert ["faults", "played", "4"] in lines
    assert ["router", "killed", "3"] in lines
    assert ["lost", "1"] in lines


def test_a_traceback_is_a_fault_unless_there_was_no_memory() -> None:
    def log(last: str) -> str:
        return f"ERROR x\nTraceback (most recent call last):\n  File a\n    b\n{last}\nINFO y\n"

    assert tracebacks(log("KeyError: 'a'")) == ["KeyError: 'a'"]
    assert tracebacks(log("MemoryError")) == []
    assert tracebacks("INFO y\n") == []
    led_to = "\nDuring handling of the above exception, another exception occurred:\n\n"
    assert (
        tracebacks(log("KeyError: 56").removesuffix("INFO y\n") + led_to + log("MemoryError")) == []
    )
    assert tracebacks(log("MemoryError").removesuffix("INFO y\n") + led_to + log("KeyError: 1"))
