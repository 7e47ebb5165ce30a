"""What a message says to write is right, and would be taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.settings import ConfigError, Problem, load

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
