"""What a supervisor is told about the mistakes that people make in queues.yaml, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.policies import BUILT_IN
from callrouter.settings import ConfigError, load
from tests.settings.cases import AGENTS, PBX, put

QUEUE = "queues:\n  support:\n    agents: {alice: 1, bob: 2}\n"
LEVEL = "3:21: priority of alice must be a whole number from 1 to 100, not"
RING_FOR = "4:15: ring_for must be a duration longer than 0, such as 20s, 5m or 1h30m, not"
TARGET = "4:14: on_full must be dialplan:CONTEXT,EXTENSION,PRIORITY, queue:NAME or hangup, not"
KNOWN = f"known: {', '.join(sorted(BUILT_IN))}"
MEMBER = "must be small letters, digits, '-' and '_' (64 at most, a letter or digit first), not"
ALIAS = "aliases (*) are not supported (write the value again; or put a text that begins with * in quotes)"


def level(written: str) -> str:
    return f"queues:\n  support:\n    agents: {{alice: {written}}}\n"


WRONG = [
    (level("0"), [f"{LEVEL} 0"]),
    (level("101"), [f"{LEVEL} 101"]),
    (level("high"), [f"{LEVEL} 'high'"]),
    (level("1.5"), [f"{LEVEL} 1.5"]),
    (level("-1"), [f"{LEVEL} -1"]),
    (level("true"), [f"{LEVEL} true"]),
    (level("08"), [f"{LEVEL} '08' (write 8)"]),
    (level("'1'"), [f"{LEVEL} '1' (write 1)"]),
    (level("9" * 23), [f"{LEVEL} '{'9' * 23}'"]),
    (level(""), ["3:14: 'alice' has no value (write one, or take the key out)"]),
    (
        "queues:\n  support:\n    agents:\n      - alice: 1\n      - bob: 2\n",
        [
            f"4:9: item 1 of agents {MEMBER} a mapping (write 'alice: 1' without the '-')",
            f"5:9: item 2 of agents {MEMBER} a mapping (write 'bob: 2' without the '-')",
        ],
    ),
    (
        "queues:\n  support:\n    agents: alice\n",
        [
            ("3:13: agents must be a list of agents, or a mapping such as {alice: 1, bob: 2}, "
            "not 'alice'")
        ],
    ),
    (
        "queues:\n  support:\n    agents:[alice]\n",
        [
            ("3:5: support must be a mapping (key: value), not 'agents:[alice]' "
            "(put a space after 'agents:')")
        ],
    ),
    (
        "queues:\n  support:\n    agents: [no, alcie]\n",
        [
            "3:14: unknown agent 'no' (there is none of that name in agents:)",
            "3:18: unknown agent 'alcie' (did you mean 'alice'?)",
        ],
    ),
    (f"{QUEUE}    record: yes\n", ["4:13: record must be false in this version, not 'yes' (write false, or take it out)"]),
    (f"{QUEUE}    ring_for: 1:30\n", [f"{RING_FOR} '1:30'"]),
    (f"{QUEUE}    ring_for: 20 seconds\n", [f"{RING_FOR} '20 seconds' (write 20s)"]),
    (f"{QUEUE}    ring_for: -5\n", [f"{RING_FOR} -5"]),
    (f"{QUEUE}    hours: 9:00\n", ["4:12: hours: '9:00' is not days and times, such as 'mon-fri 09:00-17:30'"]),
    (f"{QUEUE}    hours: mon-fri 9am-5pm\n", ["4:12: hours: '9am' is not a time of day, such as '09:00' (write mon-fri 09:00-17:00)"]),
    (
        f"{QUEUE}    shifts:\n      - {{hours: mon 09:00-12:00, 13:00-17:00, agents: [bob]}}\n",
        ["5:34: '13:00-17:00' has no value (put hours with a comma in quotes)"],
    ),
    (f"{QUEUE}    holidays: [2026-13-25]\n", ["4:16: item 1 of holidays must be a date such as 2026-12-25, not '2026-13-25' (there is no such day)"]),
    ("queues:\n\tsupport:\n", ["2:1: a tab is not allowed here (indent with spaces)"]),
    (
        "queues:\n  support: &x\n    agents: [alice]\n  sales:\n    <<: *x\n",
        [
            "2:12: anchors (&) are not supported (put a text that begins with & in quotes)",
            "5:5: merge keys (<<) are not supported",
            f"5:9: {ALIAS}",
        ],
    ),
    (f"{QUEUE}    ring_for: 5\n    ring_for: 6\n", ["5:5: duplicate key 'ring_for' (first on line 4)"]),
    (f"{QUEUE}    on_full: queue:suport\n", ["4:14: unknown queue 'suport' (did you mean 'support'?)"]),
    (f"{QUEUE}    on_full: support\n", [f"{TARGET} 'support' (did you mean 'queue:support'?)"]),
    (f"{QUEUE}    on_full: quue:support\n", [f"{TARGET} 'quue:support' (did you mean 'queue:support'?)"]),
    (f"{QUEUE}    on_full: dialplan:vm\n", [f"{TARGET} 'dialplan:vm' (such as dialplan:voicemail,s,1)"]),
    (f"{QUEUE}    max_wiat: 5m\n", ["4:5: unknown key 'max_wiat' (did you mean 'max_wait'?)"]),
    (f"{QUEUE}    policy: round_robin\n", [f"4:13: unknown policy 'round_robin' (did you mean 'round-robin'? {KNOWN})"]),
    (f"{QUEUE}    policy: rrmemory\n", [f"4:13: unknown policy 'rrmemory' (that is 'round-robin' here; {KNOWN})"]),
    (
        f"{QUEUE}    policy: [priority, agent-with-least-talk-time]\n",
        [f"4:24: unknown policy 'agent-with-least-talk-time' (that is 'least-talk-time' here; {KNOWN})"],
    ),
    (
        "queues:\n  support:\n    agents: {alice: 1, bob: 2\n    ring_for: 5\n",
        ["4:13: a ',' or a closing bracket is missing (is the '{' of line 3 never closed?)"],
    ),
    (
        "queues:\n  support:\n    agents: [alice]\n   ring_for: 5\n",
        ["4:4: wrong indentation (is something indented too little or too far?)"],
    ),
    (f"{QUEUE}    widen: [{{after: 60s}}]\n", ["4:13: this step changes nothing (give it at_once, agents or skills)"]),
    (
        f"{QUEUE}rules:\n  - {{name: V, when: {{caller: '+44*5'}}, then: {{priority: 101}}}}\n",
        [
            ('5:30: caller must be a phone number such as "+44 20 7946 0018", or how one begins, '
            "such as \"+33*\", not '+44*5'"),
            "5:57: priority must be a whole number from 1 to 100, not 101",
        ],
    ),
    (
        ("queues:\n  support:\n    agents: {alcie: 0, bob: 0}\n    polcy: priority\n  sales:\n"
        "    agents: [alice]\n    policy: linaer\n"),
        [
            "3:14: unknown agent 'alcie' (did you mean 'alice'?)",
            "3:21: priority of alcie must be a whole number from 1 to 100, not 0",
            "3:29: priority of bob must be a whole number from 1 to 100, not 0",
            "4:5: unknown key 'polcy' (did you mean 'policy'?)",
            f"7:13: unknown policy 'linaer' (did you mean 'linear'? {KNOWN})",
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_word_for_word(tmp_path: Path, text: str, expected: list[str]) -> None:
    put(tmp_path, {"pbx.yaml": PBX, "agents.yaml": AGENTS, "queues.yaml": text})
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ={}, policies=BUILT_IN)
    assert [str(each) for each in caught.value.problems] == [f"queues.yaml:{e}" for e in expected]
    for each in caught.value.problems:
        assert each.source_line == text.split("\n")[each.line - 1]


def test_names_that_other_yaml_takes_for_yes_and_no(tmp_path: Path) -> None:
    text = "queues:\n  on: {agents: [alice]}\n  no: {agents: [bob]}\n  08: {agents: [bob]}\n"
    put(tmp_path, {"pbx.yaml": PBX, "agents.yaml": AGENTS, "queues.yaml": text})
    assert [*load(tmp_path, environ={}).table.queues] == ["on", "no", "08"]


def test_a_thousand_laughs_cost_nothing(tmp_path: Path) -> None:
    lines = ["l0: &l0 [x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    put(tmp_path, {"pbx.yaml": PBX, "agents.yaml": AGENTS, "queues.yaml": "\n".join(lines)})
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ={})
    assert len(caught.value.problems) < 200
    assert all(each.line for each in caught.value.problems if each.file == "queues.yaml")
