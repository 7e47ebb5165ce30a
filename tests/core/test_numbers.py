"""Numbers in rules, of regular customers and in records: one form, however the trunk wrote them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callrouter.model.call_notices import CallEntered
from callrouter.model.commands import Ring
from callrouter.model.events import CallArrived, PbxSnapshot, SeenCall
from callrouter.model.routing_table import Comparison, Rule, Table
from callrouter.settings.schema.number_parsing import at_home, numbering, read_pattern
from tests.core.playbook import Play
from tests.core.tables import queue, table

GB = numbering("GB")


def ruled(*rules: Rule, **changes: object) -> Table:
    made = table(queue("q", "ann bob", "linear", ring_for=60.0, **changes), queue("vip", "bob"))
    return replace(made, rules=rules, numbering=GB)


def caller(text: str) -> Rule:
    with at_home("GB"):
        return Rule(name="VIP", callers=(read_pattern(text),), priority=1)


@pytest.mark.parametrize(
    "rule", ["+44 20 7946 0018", "020 7946 0018", "442079460018", "+44 20*", "020*", "0044 20*"]
)
@pytest.mark.parametrize(
    "shown", ["02079460018", "442079460018", "+44(0)2079460018", "0044 20 7946 0018"]
)
def test_a_rule_fits_however_it_and_the_trunk_write_the_number(rule: str, shown: str) -> None:
    play = Play(ruled(caller(rule)))
    play.call("c1", "q", caller_number=shown)
    assert play.find("c1").priority == 1
    assert play.notices(CallEntered)[0].caller_number == "+442079460018"
    play.call("c2", "q", caller_number="+33142685300")
    assert play.find("c2").priority == 50


def test_a_beginning_without_a_country_fits_extensions_as_well() -> None:
    play = Play(ruled(caller("10*")))
    play.call("c1", "q", caller_number="1001").call("c2", "q", caller_number="+10123456789")
    assert [play.find(name).priority for name in ("c1", "c2")] == [1, 50]


def test_phones_show_the_number_as_the_trunk_wrote_it() -> None:
    play = Play(ruled())
    play.call("c1", "q", caller_number="020 7946 0018")
    rings = [command for _, command in play.log if isinstance(command, Ring)]
    assert rings[0].caller_number == "020 7946 0018"


def test_one_customer_however_written_is_one_regular_and_the_withheld_are_none() -> None:
    play = Play(ruled(last_agent=3600.0, prefer_for=30.0))
    play.pause("ann").call("c1", "q", caller_number="+447700900123").accepts("bob").on(5)
    play.agent_hangs_up("bob").resume("ann")
    play.call("c2", "q", caller_number="07700 900123")
    assert play.ringing() == {"bob": "c2"}
    play.accepts("bob").on(5).agent_hangs_up("bob")
    play.pause("ann").call("c3", "q", caller_number="Anonymous", caller_name="Private").on(1)
    play.accepts("bob").on(5).agent_hangs_up("bob").resume("ann")
    play.call("c4", "q", caller_number="+266696687")
    assert play.ringing() == {"ann": "c4"}
    assert (play.find("c4").caller_number, play.find("c4").first_agent) == ("", "")
    [withheld] = play.notices(CallEntered, call="c3")
    assert (withheld.caller_number, withheld.caller_name) == ("", "")


@pytest.mark.parametrize(
    "shown",
    ["", "anonymous", "Unbekannt", "+7378742833", "sip:anonymous@anonymous.invalid", "0", "P"],
)
def test_a_rule_can_name_those_who_withhold_their_number(shown: str) -> None:
    play = Play(ruled(caller("withheld")))
    play.call("c1", "q", caller_number=shown).call("c2", "q", caller_number="1001")
    assert [play.find(name).priority for name in ("c1", "c2")] == [1, 50]


def test_the_number_that_was_called_is_compared_alike() -> None:
    with at_home("GB"):
        rule = Rule(name="line", called=(read_pattern("020 7946 0000"),), queue="vip")
    play = Play(ruled(rule))
    play.call("c1", "q", called_number="442079460000").call("c2", "q", called_number="100")
    assert [play.find(name).queue.id for name in ("c1", "c2")] == ["vip", "q"]


@pytest.mark.parametrize(
    ("sign", "goes"),
    [
        (">", [0, 0, 0, 1]),
        (">=", [0, 0, 1, 1]),
        ("<", [1, 1, 1, 1]),
        ("=", [0, 0, 1, 1]),
        ("<=", [1, 1, 1, 1]),
    ],
)
def test_a_rule_can_ask_how_many_wait(sign: str, goes: list[int]) -> None:
    """Those who are sent on do not wait here, so the line grows no further."""
    busy = Rule(name="busy", queues=frozenset({"q"}), waiting=Comparison(sign, 2), queue="vip")
    play = Play(ruled(busy)).pause("ann").pause("bob")
    sent = []
    for n in range(4):
        play.call(f"c{n}", "q")
        sent.append(int(play.find(f"c{n}").queue.id == "vip"))
    assert sent == (goes if sign != ">" else [0, 0, 0, 1])


def test_a_caller_who_was_in_line_before_a_restart_stays_there_whatever_rules_say_now() -> None:
    busy = Rule(name="busy", queues=frozenset({"q"}), waiting=Comparison(">=", 0), queue="vip")
    other = Rule(name="other", tags=frozenset({"gold"}), queue="vip", priority=7)
    play = Play(ruled(busy, other), up=False).pause("ann").pause("bob")
    seen = [
        SeenCall(
            arrived=CallArrived(call=f"c{n}", pbx="office", queue="q", entered_at=0.0, tag=tag)
        )
        for n, tag in enumerate(["", "gold"])
    ]
    play.feed(PbxSnapshot(pbx="office", calls=tuple(seen)))
    assert play.waiting("q") == ["c1", "c0"]
    assert play.find("c1").priority == 7
