"""What is wrong in the files is said by codes to the last part, so that the page says it in its language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from callrouter.model.text import Phrase
from callrouter.settings import Problem, changes
from tests.settings.cases import ENVIRON, loaded, problems

SETTINGS = Path(__file__).parents[2] / "callrouter" / "settings"
WORDS = re.compile(r"[A-Za-z][a-z]*(?:[ ,]+[a-z']+){2,}")
"""Three words in a row: a name or an example of a file is shorter, or in quotes."""
REPORTS = {"error", "warning", "_bad"}


def without_code(sentence: str) -> Iterator[str]:
    """Yield the parts of a sentence that are English and have no code."""
    if not isinstance(sentence, Phrase):
        if WORDS.search(re.sub("'[^']*'", "", sentence)):
            yield sentence
        return
    for value in sentence.values.values():
        if isinstance(value, str):
            yield from without_code(value)


def in_english(found: list[Problem]) -> list[str]:
    return [
        part for each in found for text in (each.text, each.hint) for part in without_code(text)
    ]


def test_a_part_without_code_is_found() -> None:
    inner = Phrase("it is short", "weak-short")
    assert list(without_code(Phrase("a: it is short", "a", why=inner))) == []
    assert list(without_code(Phrase("a: it is short", "a", why=str(inner)))) == ["it is short"]


QUEUE = "queues:\n  support: {{agents: [alice, bob], {}}}\n"
ALERT = 'destinations: {{ops: {{webhook: "https://x.example/", secret: {secret}}}}}\nalerts: [{{name: a, to: [ops], {alert}}}]\n'
SECRET = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


@pytest.mark.parametrize(
    "hours",
    ["mon", "mo-fri 09:00-17:00 x", "xyz 09:00-17:00", "mon 09:00-12:00, tue 13:00-14:00",
     "mon 09:00", "mon 09:00-09:00", "mon 9-25:00", "mon 09:00-24:30", "mon " + "x" * 300],
)  # fmt: skip
def test_hours(tmp_path: Path, hours: str) -> None:
    found = problems(tmp_path, queues=QUEUE.format(f'hours: "{hours}"'))
    assert found
    assert in_english(found) == []


@pytest.mark.parametrize(
    "alert",
    ['when: "> 5"', 'when: "longst_wait > 2m"', "when: longest_wait", "when: longest_wait 2m",
     'when: "waiting => 5"', 'when: "waiting ! 5"', 'when: "waiting > 2 and < 5"',
     'when: "waiting >"', 'when: "longest_wait > x"', 'when: "waiting > 99999999"',
     'when: "waiting >= 0"', 'when: "service_level > 100"',
     'when: "waiting > 5", clear: "5"', 'when: "waiting > 5", clear: "idle < 2"',
     'when: "waiting > 5", clear: "< 9"', 'when: "waiting > 5", queues: []',
     'when: "waiting > 5", quiet: "never"'],
)  # fmt: skip
def test_alarms(tmp_path: Path, alert: str) -> None:
    found = problems(tmp_path, alerts=ALERT.format(secret=SECRET, alert=alert))
    assert found
    assert in_english(found) == []


def test_a_secret_of_another_form(tmp_path: Path) -> None:
    found = problems(tmp_path, alerts=ALERT.format(secret="short", alert='when: "waiting > 5"'))
    assert [each.text for each in found] == ["secret must be whsec_ and 24 to 64 bytes in base64"]
    assert in_english(found) == []


@pytest.mark.parametrize(
    "device",
    ["SIP/1001", "PJSP/1001", "Local/1001", "PJSIP/a/b", "PJSIP/1:2", "Custom/x",
     "{endpoint: PJSIP/1, state: SIP/1}", "{endpoint: PJSIP/1, state: none}"],
)  # fmt: skip
def test_phones(tmp_path: Path, device: str) -> None:
    pbx = "pbx:\n  office: {driver: asterisk, username: u, secret: 0kdfj3-sdf-23dj-2}\n"
    found = problems(
        tmp_path, pbx=pbx, agents=f"agents:\n  alice: {{devices: {{d: {device}}}}}\n  bob: {{}}\n"
    )
    assert found
    assert in_english(found) == []


@pytest.mark.parametrize(
    "keys",
    ["policy: linnear", "policy: ringall", 'show: "{que}"', 'show: "{name"', "timezone: Europe/Londn",
     'holidays: ["2026-02-30"]', 'holidays: ["2026-12-27..2026-12-24"]', 'name: "a\\nb"', "[a, b]: 1",
     "<<: 1", "agents: [~]", "hours: *x", "skills: {french: 101}"],
)  # fmt: skip
def test_queues(tmp_path: Path, keys: str) -> None:
    found = problems(tmp_path, queues=f"queues:\n  support: {{{keys}}}\n")
    assert found
    assert in_english(found) == []


@pytest.mark.parametrize(
    "reference",
    ["${", "${a b}", "${NO_SUCH}", "${file:no-such}", "${file:bad}", "${file:large}"],
)
@pytest.mark.parametrize("key", ["host", "secret"])
def test_references(tmp_path: Path, reference: str, key: str) -> None:
    (tmp_path / "bad").write_bytes(b"\xff")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    pbx = f'pbx:\n  office: {{driver: asterisk, username: u, {key}: "{reference}"}}\n'
    found = problems(tmp_path, pbx=pbx)
    assert found
    assert in_english(found) == []


@pytest.mark.parametrize(
    "url",
    ["host=a dbname=b", "postgresql://a b/c", "postgresql://a@b@c/d", "postgresql://h",
     "postgresql://h/a%2Fb", "postgresql://h:99999/d", "postgresql://h[/d", "postgresql://h/d?x=1",
     "postgresql://h/d?sslmode=x", "postgresql://h/d?port=1&port=2", "postgresql://h/d"],
)  # fmt: skip
def test_databases(tmp_path: Path, url: str) -> None:
    found = problems(tmp_path, more=f"database: '{url}'\n")
    assert [part for part in in_english(found) if " -m pip " not in part] == []


@pytest.mark.parametrize(
    "text",
    [b"a\xff", b"a: \x01", b"- a\n", b"a: b\n---\nc: d\n", b"transfers: {outside: ['+1999999999999999']}",
     b"transfers: {outside: ['+999']}", b"transfers: {outside: ['+44'], ring_for: 1s}",
     b"history: {keep: 30d, numbers: {keep: 60d}}",
     b"http: {api_tokens: [{name: a, role: supervisor, token: 0123456789abcdef, queues: []}]}"],
)  # fmt: skip
def test_other_files(tmp_path: Path, text: bytes) -> None:
    found = problems(tmp_path, ENVIRON, more=text)
    assert found
    assert in_english(found) == []


def test_warnings(tmp_path: Path) -> None:
    tokens = ", ".join(
        f"{{name: t{n}, role: metrics, token: {token}}}"
        for n, token in enumerate(
            ("xK3-pq81Zz_w5Rt2", "abcdefghijklmnopqrstuvwx", "password-password")
        )
    )
    settings = loaded(
        tmp_path,
        agents="agents:\n  alice: {devices: {d: {endpoint: PJSIP/1, enabled: false}}}\n  bob: {}\n"
        "  carol: {devices: {d: {endpoint: PJSIP/2, hours: mon 09:00-10:00}}}\n  dave: {devices: {d: {endpoint: PJSIP/3, hours: mon 09:00-10:00}}}\n",
        queues="queues:\n  support: {agents: [carol, dave], hours: tue 09:00-10:00}\n"
        "  sales: {shifts: [{hours: mon 00:00-24:00, agents: [alice]}]}\n",
        http=f"http: {{tls: {{certificate: no.pem, key: no.pem}}, api_tokens: [{tokens}]}}\n",
        transfers="transfers: {outside: ['+44']}\n",
    )
    assert len(settings.warnings) > 6
    assert in_english(list(settings.warnings)) == []


def test_no_report_is_written_without_a_code() -> None:
    """Each text that is reported is a phrase, or made elsewhere: never a sentence on the spot."""
    found = []
    for path in sorted(SETTINGS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in REPORTS:
                found += [f"{path.name}:{text.lineno}" for text in node.args if is_sentence(text)]
    assert found == []


def is_sentence(text: ast.expr) -> bool:
    """Whether an expression is a text, also an f-string, with a blank in it."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return any(isinstance(part, ast.Constant) and " " in str(part.value) for part in parts)


def test_what_a_change_does(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    before = loaded(
        tmp_path / "a",
        agents="agents:\n  alice: {devices: {desk: PJSIP/1}}\n  bob: {}\n",
        alerts=ALERT.format(secret=SECRET, alert='when: "waiting > 5"'),
        pauses="pauses: {lunch: {longest: 45m, then: resume}}\n",
        queues="queues:\n  support: {agents: [alice, bob]}\n  sales: {agents: [alice], on_full: hangup}\n",
    )
    after = loaded(
        tmp_path / "b",
        agents="agents:\n  alice: {devices: {desk: {endpoint: PJSIP/1, hours: mon 09:00-17:00}}, email: a@example.com}\n"
        "  carol: {renamed_from: bob}\n",
        alerts=ALERT.format(secret=SECRET, alert='when: "waiting > 6", quiet: mon 09:00-10:00'),
        hooks="webhooks: [{to: ops, events: [call.ended], queues: [support]}]\n",
        pauses="pauses: {lunch: {default: true}}\n",
        queues="queues:\n  support: {agents: [alice, carol], announce: {position: true}, timezone: Europe/Paris}\n"
        "  sales: {agents: [alice], on_full: hangup}\n",
        rules="rules: [{name: VIP, when: {}, then: {priority: 1}}]\n",
        codes='codes: {sign_in: "*65"}\n',
        http=f"http: {{api_tokens: [{{name: a, role: supervisor, token: {'xK3pq81Zzw5Rt2' * 2}, queues: [sales]}}]}}\n",
    )
    lines = changes(before, after)
    assert len(lines) > 9
    assert [line for line in lines if not isinstance(line, Phrase)] == []
    assert [part for line in lines for part in without_code(line)] == []
