"""A command loads what it needs, and `--help` says what each command says of itself."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from callrouter.cli.main import LazyGroup, cli


def test_help_says_what_the_commands_say_of_themselves() -> None:
    assert isinstance(cli, LazyGroup)
    context = click.Context(cli)
    for name, (_, text) in cli.places.items():
        found = cli.get_command(context, name)
        assert found is not None
        assert (found.name, found.get_short_help_str(1000)) == (name, text)
    assert {"run", "demo", "check", "why-not"} <= set(cli.list_commands(context))
    assert cli.get_command(context, "nothing") is None


@pytest.mark.parametrize(
    ("words", "late"),
    [
        ("'--help'", {"rich", "pydantic", "yaml", "asyncio", "aiohttp", "http"}),
        ("'--config', '/nowhere', 'check'", {"rich", "asyncio", "aiohttp", "argon2", "http"}),
        ("'--config', '/nowhere', 'status'", {"pydantic", "yaml", "asyncio", "aiohttp"}),
    ],
)
def test_what_a_command_does_not_load(words: str, late: set[str]) -> None:
    code = (
        "import sys\nfrom callrouter.cli.main import main\n"
        f"sys.argv = ['callrouter', {words}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert late & set(done.stdout.split()) == set()
