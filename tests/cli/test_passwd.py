from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from callrouter.cli.commands.secret import why_not
from callrouter.cli.main import cli


def test_a_line_on_standard_input_makes_a_hash() -> None:
    result = CliRunner().invoke(cli, ["passwd"], input="83164\n")
    assert result.exit_code == 0
    assert result.output.startswith("$argon2id$")
    assert PasswordHasher().verify(result.output.strip(), "83164")


def test_what_is_refused_makes_none() -> None:
    result = CliRunner().invoke(cli, ["passwd"], input="12345\n")
    assert result.exit_code != 0
    assert "argon2" not in result.output


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing"),
        ("8316", "too short"),
        ("0" * 8, "too easily"),
        ("12345", "too easily"),
        ("98765", "too easily"),
        ("13579", "too easily"),
        ("89012", "too easily"),
        ("121212", "too easily"),
        ("123123", "too easily"),
        ("11122", "too easily"),
        ("831648" * 4, "too long"),
        ("secret", "too short"),
        ("aaaaaaaaaa", "too simple"),
        ("٣٤٥٦٧", "too short"),
    ],
)
def test_short_and_trivial_ones_are_refused(text: str, why: str) -> None:
    assert why_not(text).startswith(why)


@pytest.mark.parametrize("text", ["83164", "190277", "correct horse"])
def test_others_are_taken(text: str) -> None:
    assert why_not(text) == ""
