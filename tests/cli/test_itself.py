"""What `status` says of the daemon's own health."""

from __future__ import annotations

from typing import Any

from callrouter.cli.tables.answers import faults_found
from tests.cli.examples import a_pbx, a_status


def said(**view: Any) -> list[str]:
    return [text.plain.strip() for text in faults_found(a_status(**view))]


def test_nothing_is_said_while_all_is_well() -> None:
    loop = {"held_up": 0, "longest_ms": 0, "by": None}
    kept = {"rounds": 3, "breaches": 0, "last_breach": None}
    assert said(pbx={"office": a_pbx()}, loop=loop, invariants=kept) == []
    assert said() == []


def test_what_was_found() -> None:
    found = said(
        pbx={"office": a_pbx(drift=2)},
        loop={"held_up": 1, "longest_ms": 240, "by": "load (settings/loader.py:9)"},
        invariants={"rounds": 1, "breaches": 3, "last_breach": "2: bob\x1b has two calls"},
    )
    assert found == [
        "2 differences from office that no event had announced",
        "held up 1 time, 240 ms at most, by load (settings/loader.py:9)",
        "3 times an invariant was violated and corrected; the last: 2: bob\N{REPLACEMENT CHARACTER} has two calls",
    ]


def test_the_link_to_a_pbx_and_faults_of_its_driver() -> None:
    calm = {"ami_events": 9_000, "ami_replies": 5, "ami_connects": 1}
    assert said(pbx={"office": a_pbx(link=calm)}) == []
    link = calm | {"ami_timeouts": 2, "ami_reconnects": 1}
    assert said(pbx={"office": a_pbx(faults=3, link=link)}) == [
        "3 faults of the driver of office: see the log",
        "link to office: 2 timeouts, 1 reconnect",
    ]


def test_forged_events_and_a_door_that_is_closed_to_pins() -> None:
    found = said(
        pbx={"office": a_pbx(counts={"forged events": 7, "other": 1})},
        reception={"conversations": 0, "wrong_pins": 3, "lockouts": 0, "outside_closed_s": 61},
    )
    assert found == [
        "7 events from office not as Asterisk writes them; they did nothing",
        "wrong PINs from outside: none is taken from there for 2 min",
    ]
    assert said(reception={"conversations": 0, "wrong_pins": 3, "lockouts": 0}) == []
