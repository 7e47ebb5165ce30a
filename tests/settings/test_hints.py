"""What a message says to write is right, and would be taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.settings import ConfigError, Problem, load
from callrouter.settings.loaded import AsteriskSettings

PBX = (
    "pbx: {office: {driver: asterisk, username: u, secret: 0123456789abcdef, "
    "dial_number: 'PJSIP/{number}@c'}}\n"
)


def problems(tmp_path: Path, text: str) -> list[Problem]:
    (tmp_path / "all.yaml").write_text(text)
    try:
        load(tmp_path, environ={})
    except ConfigError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("1002", "write PJSIP/1002"),
        ('"1002"', "write PJSIP/1002"),
        ("+447700900123", 'an outside number is written {number: "+447700900123"}'),
        ("447700900123", 'an outside number is written {number: "+447700900123"}'),
        ('"00447700900123"', 'an outside number is written {number: "+447700900123"}'),
        ('"+44 7700 900123"', 'an outside number is written {number: "+447700900123"}'),
        ('"+44 (0)7700-900123"', 'an outside number is written {number: "+447700900123"}'),
        ('"07700900123"', ""),
        ("1e3", ""),
        ("PJSIP/", ""),
    ],
)
def test_a_phone(tmp_path: Path, written: str, hint: str) -> None:
    text = PBX + "queues: {q: {agents: [ann]}}\nagents: {ann: {devices: {desk: %s}}}\n"
    [problem] = problems(tmp_path, text % written)
    assert problem.hint == hint
    assert "quotes" not in str(problem)
    better = hint.removeprefix("write ").removeprefix("an outside number is written ")
    if better:
        assert problems(tmp_path, text % better) == []


def test_a_national_number_for_a_phone(tmp_path: Path) -> None:
    text = (
        PBX
        + "numbers: {region: GB}\nqueues: {q: {agents: [ann]}}\nagents: {ann: {devices: {m: %s}}}\n"
    )
    [problem] = problems(tmp_path, text % "07700 900123")
    assert problem.hint == 'an outside number is written {number: "+447700900123"}'
    assert problems(tmp_path, text % '{number: "+447700900123"}') == []


@pytest.mark.parametrize(
    ("key", "written", "hint"),
    [
        ("waiting", '"== 3"', 'write "= 3"'),
        ("waiting", '"=> 3"', 'write ">= 3"'),
        ("waiting", '"≤3"', 'write "<= 3"'),
        ("waiting", "-1", ""),
        ("waiting", "1.5", ""),
        ("waiting", "true", ""),
        ("waiting", '"< 0"', ""),
        ("caller", "Withheld", "write withheld"),
        ("caller", "anonymous", "write withheld"),
        ("called", "unknown", "write withheld"),
        ("caller", "[withheld, Private]", "write withheld"),
        ("caller", "bob", ""),
    ],
)
def test_a_condition_of_a_rule(tmp_path: Path, key: str, written: str, hint: str) -> None:
    text = PBX + "queues: {q: {}}\nrules: [{name: a, when: {%s: %s}, then: {priority: 1}}]\n"
    [problem] = problems(tmp_path, text % (key, written))
    assert problem.hint == hint
    if hint:
        assert problems(tmp_path, text % (key, hint.removeprefix("write "))) == []


def test_blanks_about_a_comparison_say_nothing(tmp_path: Path) -> None:
    text = (
        PBX
        + "queues: {q: {}}\nrules: [{name: a, when: {waiting: ' >= 3 '}, then: {priority: 1}}]\n"
    )
    assert problems(tmp_path, text) == []


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("mon\u2013fri 09:00\u201317:00", "write mon-fri 09:00-17:00"),
        ("Mo-Fr 9-17", "write mon-fri 09:00-17:00"),
        ("Monday to Friday 9am - 5.30pm", "write mon-fri 09:00-17:30"),
        ("tues,thurs 12am-12pm; wednesday 08.00-09.00", "write tue,thu 00:00-12:00; wed 08:00-09:00"),
        ("09:00-17:00", "write daily 09:00-17:00"),
        ("24/7", "write daily 00:00-24:00"), ("Weekdays 9am-5pm", "write mon-fri 09:00-17:00"),
        ("weekend 10-16", "write sat-sun 10:00-16:00"), ("every day 9-17", "write daily 09:00-17:00"),
        ("mon 13pm-25:00", ""), ("mon-fri", ""), ("moday 9-17", ""), ("noon-midnight", ""),
    ],
)  # fmt: skip
def test_hours_as_people_write_them(tmp_path: Path, written: str, hint: str) -> None:
    [problem] = problems(tmp_path, PBX + f"queues: {{q: {{hours: '{written}'}}}}\n")
    assert problem.hint == hint


@pytest.mark.parametrize("key", ["last_agent", "max_wait", "ring_for"])
def test_a_duration_that_is_too_long(tmp_path: Path, key: str) -> None:
    text = PBX + "queues: {q: {%s: %s}}\n"
    [problem] = problems(tmp_path, text % (key, "400d"))
    assert problem.hint == "at most 366d"
    assert problems(tmp_path, text % (key, "366d")) == []


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("SIP/{number}@c", "write PJSIP/{number}@c"),
        ("sip/carrier/{number}", "write PJSIP/{number}@carrier"),
        ("PJSIP/carrier/{number}", "another PBX's extension is PJSIP/{number}@carrier"),
        ("PSJIP/{number}@c", "did you mean PJSIP/{number}@c?"),
        ("Local/{number}", "does not say where in the dialplan"),
    ],
)
def test_a_way_out_that_asterisk_cannot_dial(tmp_path: Path, written: str, text: str) -> None:
    pbx = "pbx: {office: {driver: asterisk, username: u, secret: 0123456789abcdef, number_format: plus, dial_number: %s}}\n"
    [one] = problems(tmp_path, pbx % f"'{written}'")
    [second] = problems(tmp_path, pbx % f"['Local/{{number}}@b/n', '{written}']")
    assert text in one.text
    assert text in second.text
    assert second.column > one.column


def test_ways_out_that_are_none(tmp_path: Path) -> None:
    pbx = "pbx: {office: {driver: asterisk, username: u, secret: 0123456789abcdef, dial_number: []}}\n"
    [problem] = problems(tmp_path, pbx)
    assert "one dial string such as PJSIP/{number}@carrier, or a list" in problem.text


def test_a_way_out_is_spelled_as_asterisk_spells_it(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(PBX.replace("PJSIP/", "local/00"))
    pbx = load(tmp_path, environ={}).pbxes["office"]
    assert isinstance(pbx, AsteriskSettings)
    assert pbx.dial_number == "Local/00{number}@c"


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        ("queues: {q: {auto_answer: true}}", "it is a key of a device"),
        ("queues: {q: {accept_within: 5s}}", "it is a key of a device"),
        ("queues: {q: {waiting: 5}}", "it is a key of a rule's when"),
        ("agents: {ann: {number: '+447700900123'}}", "it is a key of a device"),
        ("agents: {ann: {alert_info: x}}", "it is a key of a queue"),
        (
            "agents: {ann: {devices: {d: {endpoint: PJSIP/1, alert_info: x}}}}",
            "it is a key of a queue",
        ),
        ("nobody_after: 5s", "it is a key of a queue"),
        ("queues: {q: {agent: [ann]}}", "did you mean 'agents'?"),
    ],
)
def test_a_key_in_the_wrong_place(tmp_path: Path, where: str, hint: str) -> None:
    [problem] = problems(tmp_path, PBX + where + "\n")
    assert problem.hint == hint


@pytest.mark.parametrize("written", ["1e3", "10.0", "0x10"])
def test_an_extension(tmp_path: Path, written: str) -> None:
    text = PBX + "agents: {ann: {extension: %s}}\n"
    [problem] = problems(tmp_path, text % written)
    assert (problem.hint, "1 to 12 digits such as 1001" in problem.text) == ("", True)


@pytest.mark.parametrize(
    "number", ["442079460000", "0044 20 7946 0000 x", "(020) 7946 0000", "44-20-7946-0000"]
)
def test_a_number_called(tmp_path: Path, number: str) -> None:
    text = (
        f"pbx:\n  c: {{driver: twilio, account_sid: AC{'0' * 32}, auth_token: 0123456789abcdef,\n"
        "    public_url: https://x.example, caller_id: '+442079460000', numbers: {'%s': q}}\n"
        "queues: {q: {}}\n"
    )
    found = problems(tmp_path, text % number)
    assert all(p.text.startswith("a number that is called must be") for p in found)
    assert all(p.hint == "write it in quotes, with + and the country" for p in found)
    assert problems(tmp_path, text % "+44 20 7946 0000") == []


@pytest.mark.parametrize(
    ("secret", "warned"),
    [
        ("abcdefghijklmnop #def", True),
        ("abcdefghijklmnop #", False),
        ("abcdefghijklmnop # our secret", False),
        ("'abcdefghijklmnop #def'", False),
        ('"abcdefghijklmnop" #def', False),
        ("abcdefghijklmnop#def", False),
    ],
)
def test_a_secret_that_is_cut(tmp_path: Path, secret: str, warned: bool) -> None:
    text = f"pbx:\n  office:\n    driver: asterisk\n    username: u\n    secret: {secret}\n"
    (tmp_path / "all.yaml").write_text(text)
    warnings = [w for w in load(tmp_path, environ={}).warnings if "#" in w.text]
    assert [(w.line, w.text) for w in warnings] == (
        [(5, "secret ends before the #: what follows is a comment")] if warned else []
    )
    assert "def" not in "".join(map(str, warnings))


@pytest.mark.parametrize(
    ("key", "written", "hint"),
    [
        ("max_size", "20 gb", "write 20GB"),
        ("max_size", '"1,5 TB"', "write 1.5TB"),
        ("max_size", "20G", "write 20GB"),
        ("max_size", "512 mib", "write 512MiB"),
        ("max_size", "20", "write it with its unit, such as 20GB"),
        ("max_size", "20000000000", "write 20GB"),
        ("max_size", "1MB", ""),
        ("max_size", "lots", ""),
        ("keep", "400", "a bare number is seconds: write 400d for days"),
        ("keep", "1 year", "write 365d"),
        ("keep", "12w", "write 84d"),
        ("keep", "13 months", "write 390d"),
        ("keep", "90 days", "write 90d"),
        ("keep", "12h", ""),
        ("keep", "5000d", "at most 3660d"),
        ("decisions", "99 years", ""),
        ("numbers", "{keep: 1 week}", "write 7d"),
        ("numbers", "{then: hashed}", "did you mean 'hash'?"),
        ("numbers", "{than: hash}", "did you mean 'then'?"),
        ("kept", "400d", "did you mean 'keep'?"),
    ],
)
def test_how_long_calls_are_kept(tmp_path: Path, key: str, written: str, hint: str) -> None:
    text = "pbx: {sim: {driver: simulated}}\nhistory: {%s: %s}\n"
    [problem] = problems(tmp_path, text % (key, written))
    assert problem.hint == hint
    if hint.startswith("write ") and key != "numbers" and "unit" not in hint:
        assert problems(tmp_path, text % (key, hint.removeprefix("write "))) == []
