"""What the pages tell people to type is what the program takes: commands with their options, routes of the API, metrics."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from callrouter.api.operations import OPERATIONS
from callrouter.cli.main import cli

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = {
    path.name: path.read_text("utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
PRODUCT: Final = "\n".join(
    path.read_text("utf-8") for path in sorted((ROOT / "callrouter").rglob("*.py"))
)
_BLOCK: Final = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`callrouter (\s*[^`]+)`")
NO_METRICS: Final = {"north", "POOL"}
"""Names of schemas in the database."""
UNFINISHED: Final = ("missing argument", "requires an argument")
"""What is said of a command that a sentence names without all that it takes."""
WORDS: Final = {"N": "17", "CALL": "1", "DIR": "folder", "URL": "postgresql://h/d", "ROLE": "agent"}
"""What stands for a word in capitals."""


def commands() -> Iterator[tuple[str, str]]:
    """Where a page has a command line of callrouter, and the line without the program's name."""
    for page, text in PAGES.items():
        for found in _BLOCK.finditer(text):
            first = text.count("\n", 0, found.start()) + 2
            for number, line in enumerate(found[3].replace("\\\n", " ").splitlines(), first):
                shown = re.match(r"\s*(?:\$ )?callrouter (\w.*)", line)
                if found[2] in {"", "sh", "console"} and shown is not None:
                    yield f"{page}:{number}", shown[1]
        prose = _BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text)
        for found in _INLINE.finditer(prose):
            yield f"{page}:{prose.count(chr(10), 0, found.start()) + 1}", found[1]


def fault(line: str) -> str:
    """What the program says against a command line; empty if it would carry it out."""
    line = re.sub(r"[\[\]]", "", line).replace("…", "x")
    words = [WORDS.get(word, word) for word in shlex.split(line, comments=True)]
    try:
        _parse(cli, words)
    except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):  # prints help or version
        return ""
    except click.ClickException as error:
        return error.format_message()
    return ""


def _parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """Parse the words as the command does, without carrying anything out."""
    context = command.make_context(command.name, list(words), parent=parent)
    rest = [*context._protected_args, *context.args]
    if isinstance(command, click.Group) and rest:
        _, inner, after = command.resolve_command(context, rest)
        assert inner is not None
        _parse(inner, after, context)


def test_every_command_of_the_pages_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    found = list(commands())
    assert len(found) > 100
    faults = {f"{where}: callrouter {line}": fault(line) for where, line in found}
    capsys.readouterr()
    wrong = {
        at: said
        for at, said in faults.items()
        if said and not any(text in said.lower() for text in UNFINISHED)
    }
    assert not wrong


@pytest.mark.parametrize(
    "line", ["agnts", "agent alice sleep", "report queuez", "agents --wach", "why 1 2"]
)
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    said = fault(line)
    assert said
    assert not any(text in said.lower() for text in UNFINISHED)


def test_every_route_of_the_pages_is_one_of_the_api() -> None:
    known = {
        (method, re.compile(re.sub(r"\{[^}]*\}", r"[^/]+", path))) for method, path in OPERATIONS
    }
    named = {
        (page, *found)
        for page, text in PAGES.items()
        for found in re.findall(r"\b(GET|POST|PUT|DELETE) (/[a-z][^`\s?]*)", text)
        if not found[1].startswith("/hooks/")
    }
    assert len(named) > 25
    wrong = {
        item
        for item in named
        if not any(item[1] == method and path.fullmatch(item[2]) for method, path in known)
    }
    assert not wrong


def test_every_metric_of_the_pages_exists() -> None:
    named = {
        name
        for text in PAGES.values()
        for name in re.findall(r"callrouter_([a-z0-9_]+[a-z0-9])(?![a-z0-9_]*…)", text)
    }
    assert len(named) > 40
    missing = {
        name
        for name in named - NO_METRICS
        if f'"{name.removesuffix("_total")}' not in PRODUCT
        and name.removesuffix("_total").removeprefix("ami_") not in PRODUCT
    }
    assert not missing
