"""Rules for calls on arrival: what they mean, what is refused, what is warned of."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.model.hours import Hours, parse_spans
from callrouter.model.routing_table import Comparison, NumberPattern, Rule
from callrouter.settings.schema.number_parsing import read_pattern
from tests.settings.cases import AGENTS, loaded, told, warned

QUEUES = "queues:\n  support: {agents: [alice, bob]}\n  sales: {agents: [bob]}\n"


def rules(folder: Path, *written: str) -> tuple[Rule, ...]:
    text = "rules:\n" + "".join(f"  - {rule}\n" for rule in written)
    return loaded(folder, queues=QUEUES, rules=text).table.rules


def errors(folder: Path, *written: str) -> list[str]:
    text = "rules:\n" + "".join(f"  - {rule}\n" for rule in written)
    return [line.removeprefix("rules.yaml:") for line in told(folder, queues=QUEUES, rules=text)]


def warnings(folder: Path, *written: str, agents: str = AGENTS) -> list[str]:
    text = "rules:\n" + "".join(f"  - {rule}\n" for rule in written)
    found = warned(folder, queues=QUEUES, rules=text, agents=agents)
    return [line.removeprefix("rules.yaml:") for line in found]


def test_the_example_of_the_interface(tmp_path: Path) -> None:
    [vip] = rules(
        tmp_path,
        '{name: VIP, when: {caller: ["+44 20 7946 0018", "+33*"], queue: support},'
        " then: {priority: 1, agent: alice}}",
    )
    assert vip == Rule(
        name="VIP",
        callers=(NumberPattern("+442079460018"), NumberPattern("+33", prefix=True)),
        queues=frozenset({"support"}),
        priority=1,
        agent="alice",
    )


def test_every_key_one_or_several_in_order(tmp_path: Path) -> None:
    one, two, three = rules(
        tmp_path,
        "{name: one, when: {caller: +33*, called: 100, queue: support, hours: sat 09:00-10:00,"
        " tag: on}, then: {queue: sales, tag: 'yes', skills: {french: 2, on: 0}}}",
        "{name: two, when: {called: [100, '0044 20'], queue: [support, sales], tag: [a, b],"
        " hours: [sat 09:00-10:00, 'mon 09:00-12:00, 13:00-14:00']}, then: {agent: bob}}",
        "{name: three, then: {priority: 100}}",
    )
    zone = one.hours.zone if one.hours else None
    assert zone is not None
    assert one == Rule(
        name="one",
        callers=(NumberPattern("+33", prefix=True),),
        called=(NumberPattern("100"),),
        queues=frozenset({"support"}),
        tags=frozenset({"on"}),
        hours=Hours(parse_spans("sat 09:00-10:00"), zone),
        queue="sales",
        tag="yes",
        skills={"french": 2, "on": 0},
    )
    assert two.called == (NumberPattern("100"), NumberPattern("+4420"))
    assert (two.queues, two.tags) == (frozenset({"support", "sales"}), frozenset({"a", "b"}))
    assert two.hours == Hours(parse_spans("sat 09:00-10:00; mon 09:00-12:00, 13:00-14:00"), zone)
    assert three == Rule(name="three", priority=100)


def test_none_at_all(tmp_path: Path) -> None:
    assert loaded(tmp_path, rules="rules:\n").table.rules == ()
    assert loaded(tmp_path, rules="rules: []\n").table.rules == ()


@pytest.mark.parametrize(
    ("written", "digits", "prefix"),
    [
        ("+44 20 7946 0018", "+442079460018", False),
        ("+44.20-7946 0018", "+442079460018", False),
        ("0044 20 7946 0018", "+442079460018", False),
        ("(+44) 20 7946 0018", "+442079460018", False),
        ("(020) 7946 0018", "02079460018", False),
        ("(0)20 7946 0018", "02079460018", False),
        ("+33*", "+33", True),
        ("0033 1*", "+331", True),
        ("+33 *", "+33", True),
        ("+*", "+", True),
        ("00*", "+", True),
        ("0*", "0", True),
        ("1001", "1001", False),
    ],
)
def test_numbers(written: str, digits: str, prefix: bool) -> None:
    assert read_pattern(written) == NumberPattern(digits, prefix)


@pytest.mark.parametrize(
    "written",
    ["", " ", "+", "00", "*", "**", "+33**", "*33", "+3*3", "++33", "33+", "+44 (0)20 7946", "0044 ( 0 )20",
     "abc", "sip:100", "100#", "٣٣", "+33\n", "1" * 41, "-", "()*", "+33/1", "\u00a033"],
)  # fmt: skip
def test_no_numbers(written: str) -> None:
    with pytest.raises(ValueError, match="not a phone number"):
        read_pattern(written)


NUMBER = 'must be a phone number such as "+44 20 7946 0018", or how one begins, such as "+33*"'
ERRORS = [
    ("5", "2:5: item 1 of rules must be a mapping (key: value), not 5"),
    ("{then: {priority: 1}}", "2:5: item 1 of rules has no 'name' (add a line 'name: …')"),
    ("{name: a}", "2:5: item 1 of rules has no 'then' (add a line 'then: …')"),
    ("{name: 5, then: {priority: 1}}", '2:12: name must be a text of 1 to 200 characters, not 5 (put it in quotes: "5")'),
    ("{name: a, then: {}}", "2:21: then changes nothing (give it priority, queue, agent, tag or skills)"),
    ("{name: a, then: {skills: {}}}", "2:21: then changes nothing (give it priority, queue, agent, tag or skills)"),
    ("{name: a, then: 5}", "2:21: then must be a mapping (key: value), not 5"),
    ("{name: a, then: {priority: 0}}", "2:32: priority must be a whole number from 1 to 100, not 0"),
    ("{name: a, then: {skills: {french: x}}}", "2:39: skill french must be a whole number from 0 to 100, not 'x'"),
    ("{name: a, then: {queue: sale}}", "2:29: unknown queue 'sale' (did you mean 'sales'?)"),
    ("{name: a, then: {agent: alcie}}", "2:29: unknown agent 'alcie' (did you mean 'alice'?)"),
    ("{name: a, then: {agent: [alice]}}", "2:29: agent must be small letters"),
    ("{name: a, then: {prioriti: 1, tag: x}}", "2:22: unknown key 'prioriti' (did you mean 'priority'?)"),
    ("{name: a, whn: {}, then: {tag: x}}", "2:15: unknown key 'whn' (did you mean 'when'?)"),
    ("{name: a, when: {calller: x}, then: {tag: x}}", "2:22: unknown key 'calller' (did you mean 'caller'?)"),
    ("{name: a, when: [], then: {tag: x}}", "2:21: when must be a mapping (key: value), not a list"),
    ("{name: a, when: {caller: abc}, then: {tag: x}}", f"2:30: caller {NUMBER}, not 'abc'"),
    ("{name: a, when: {caller: 1.5}, then: {tag: x}}", f"2:30: caller {NUMBER}, not 1.5"),
    ("{name: a, when: {caller: '*'}, then: {tag: x}}", f"2:30: caller {NUMBER}, not '*'"),
    ("{name: a, when: {caller: -5}, then: {tag: x}}", f"2:30: caller {NUMBER}, not -5"),
    ("{name: a, when: {called: [100, +44 (0)20]}, then: {tag: x}}", f"2:36: item 2 of called {NUMBER}, not '+44 (0)20'"),
    ("{name: a, when: {called: {}}, then: {tag: x}}", f"2:30: called {NUMBER}, not a mapping"),
    ("{name: a, when: {caller: []}, then: {tag: x}}", "2:30: caller names none (write a value, or take the key out)"),
    ("{name: a, when: {queue: []}, then: {tag: x}}", "2:29: queue names none (write a value, or take the key out)"),
    ("{name: a, when: {queue: suport}, then: {tag: x}}", "2:29: unknown queue 'suport' (did you mean 'support'?)"),
    ("{name: a, when: {queue: [sales, suport]}, then: {tag: x}}", "2:37: unknown queue 'suport' (did you mean 'support'?)"),
    ("{name: a, when: {hours: mon 9-5}, then: {tag: x}}", "2:29: hours: '9' is not a time of day, such as '09:00'"),
    ("{name: a, when: {hours: [mon 09:00-10:00, mo]}, then: {tag: x}}", "2:47: hours: 'mo' is not days and times, such as 'mon-fri 09:00-17:30'"),
    ("{name: a, when: {tag: 5}, then: {tag: x}}", '2:27: tag must be a text of 1 to 200 characters, not 5 (put it in quotes: "5")'),
    ("{name: a, when: {caller: *33}, then: {tag: x}}", "2:30: aliases (*) are not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "message"), ERRORS)
def test_errors(tmp_path: Path, rule: str, message: str) -> None:
    [line] = errors(tmp_path, rule)
    assert line.startswith(message), line


def test_names_stand_once_and_the_section_is_a_list(tmp_path: Path) -> None:
    rule = "{name: VIP, then: {priority: 1}}"
    other = "{name: VIP, when: {tag: x}, then: {priority: 1}}"
    assert errors(tmp_path, rule, other) == [
        "3:12: rule 'VIP' appears twice (first in rules.yaml:2)"
    ]
    [line] = told(tmp_path, rules="rules: {VIP: {}}\n")
    assert line == (
        'rules.yaml:1:8: rules must be a list such as [{name: VIP, when: {caller: "+33*"},'
        " then: {priority: 1}}], not a mapping"
    )


def test_an_agent_must_be_in_a_queue(tmp_path: Path) -> None:
    agents = AGENTS + "  carol: {devices: {d: PJSIP/3}}\n"
    text = "rules: [{name: x, then: {agent: carol}}]\n"
    message = "rules.yaml:1:33: agent 'carol' is in no queue (name one who serves the calls)"
    assert told(tmp_path, agents=agents, rules=text) == [message]
    # A shift or a step is enough.
    for key in ("shifts: [{hours: mon 09:00-10:00, ", "widen: [{after: 1m, "):
        queues = f"queues:\n  support:\n    agents: [alice, bob]\n    {key}agents: [carol]}}]\n"
        assert told(tmp_path, agents=agents, rules=text, queues=queues) == []
    # With a mistake in a queue nobody knows.
    queues = "queues: {support: {agents: {alice: 1, bob: 1, carol: 0}}}\n"
    [line] = told(tmp_path, agents=agents, rules=text, queues=queues)
    assert "priority of carol" in line


def test_warnings(tmp_path: Path) -> None:
    assert warnings(
        tmp_path,
        "{name: a, when: {queue: [support, sales]}, then: {agent: alice}}",
        "{name: b, when: {queue: support, tag: x}, then: {agent: alice, queue: sales}}",
        "{name: c, when: {queue: sales}, then: {agent: alice, queue: support}}",
        "{name: d, then: {agent: alice}}",
    ) == [
        "2:62: agent 'alice' is not in sales (and will not be tried there)",
        "3:61: agent 'alice' is not in sales (and will not be tried there)",
    ]


def test_an_agent_switched_off(tmp_path: Path) -> None:
    agents = AGENTS + "  carol: {enabled: false}\n"
    rule = "{name: a, then: {agent: carol}}"
    assert warnings(tmp_path, rule, agents=agents) == [
        "2:29: agent 'carol' is switched off (the rule does without)"
    ]
    [made] = loaded(tmp_path, queues=QUEUES, rules=f"rules: [{rule}]\n", agents=agents).table.rules
    assert made.agent == ""


def test_rules_that_never_apply(tmp_path: Path) -> None:
    assert warnings(
        tmp_path,
        "{name: a, when: {caller: ['+33*', '+44*'], queue: [sales, support]}, then: {priority: 1}}",
        "{name: b, when: {caller: ['+33*'], queue: [sales, support]}, then: {priority: 1}}",
        "{name: c, when: {caller: ['0044*', +33 *], queue: [support, sales]}, then: {priority: 2}}",
        "{name: d, when: {hours: mon 09:00-10:00}, then: {priority: 1}}",
        "{name: e, when: {hours: [mon 09:00-10:00]}, then: {tag: x}}",
        "{name: f, then: {tag: x}}",
        "{name: g, when: {caller: +34*}, then: {tag: x}}",
    ) == [
        "4:5: rule 'c' never applies: 'a' takes its calls (see rules.yaml:2)",
        "6:5: rule 'e' never applies: 'd' takes its calls (see rules.yaml:5)",
        "8:5: rule 'g' never applies: 'f' takes its calls (see rules.yaml:7)",
    ]


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ('"> 20"', Comparison(">", 20)),
        ('">20"', Comparison(">", 20)),
        ('">= 3"', Comparison(">=", 3)),
        ('"< 5"', Comparison("<", 5)),
        ('"<= 0"', Comparison("<=", 0)),
        ('"= 7"', Comparison("=", 7)),
        ("0", Comparison("=", 0)),
        ("12", Comparison("=", 12)),
    ],
)
def test_how_many_wait(tmp_path: Path, written: str, wanted: Comparison) -> None:
    [rule] = rules(
        tmp_path, f"{{name: busy, when: {{waiting: {written}}}, then: {{queue: sales}}}}"
    )
    assert rule.waiting == wanted


@pytest.mark.parametrize(
    "written", ['"> x"', '"20 <"', '"> -1"', '"=> 3"', "-1", "1.5", '""', '"> 1000000"', "[3]"]
)
def test_no_number_of_callers(tmp_path: Path, written: str) -> None:
    text = f"rules:\n  - {{name: busy, when: {{waiting: {written}}}, then: {{queue: sales}}}}\n"
    found = told(tmp_path, rules=text)
    assert any("waiting must be a number of callers such as 0" in line for line in found), found


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("020 7946 0018", NumberPattern("+442079460018")),
        ("02079460018", NumberPattern("+442079460018")),
        ("442079460018", NumberPattern("+442079460018")),
        ("+44 (0)20 7946 0018", NumberPattern("+442079460018")),
        ("020*", NumberPattern("+4420", prefix=True)),
        ("4420*", NumberPattern("4420", prefix=True, also="+4420")),
        ("10*", NumberPattern("10", prefix=True)),
        ("1001", NumberPattern("1001")),
        ("withheld", NumberPattern("")),
    ],
)
def test_numbers_of_the_home_country(tmp_path: Path, written: str, wanted: NumberPattern) -> None:
    text = f"rules:\n  - {{name: a, when: {{caller: '{written}'}}, then: {{priority: 1}}}}\n"
    loaded_rules = loaded(tmp_path, rules=text, site="numbers: {region: GB}\n").table.rules
    assert [rule.callers for rule in loaded_rules] == [(wanted,)]
