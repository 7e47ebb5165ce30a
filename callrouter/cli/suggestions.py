"""Did you mean …: the closest right word for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import click

MOST = 3
"""Maximum number of suggestions."""


def near(word: str, known: Iterable[str]) -> list[str]:
    """Return the known words closest to a wrong one, closest first, ignoring case.

    Args:
        word: the wrong word.
        known: the right ones.

    Returns:
        `MOST` words at most: similar ones, then those that begin with `word`.
    """
    by_small = {item.lower(): item for item in known}
    small = word.lower()
    found = get_close_matches(small, by_small, n=MOST, cutoff=0.6)
    if len(small) >= 3:
        starting = sorted(item for item in by_small if item.startswith(small))
        found += [item for item in starting if item not in found]
    return [by_small[item] for item in found[:MOST]]


def meant(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'alice' or 'alina'?``; empty if nothing is close."""
    return meaning(near(word, known))


def meaning(words: Iterable[str]) -> str:
    """Return the same for words already found."""
    said = " or ".join(f"'{word}'" for word in words)
    return f"did you mean {said}?" if said else ""


class SuggestingGroup(click.Group):
    """A group that suggests the closest command for an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the words name.

        Args:
            ctx: click's context.
            args: the words. The first is the name.

        Raises:
            click.UsageError: there is none of this name. It suggests the closest one.
        """
        name = args[0]
        is_word = not ctx.resilient_parsing and not name.startswith("-")
        if is_word and self.get_command(ctx, name) is None:
            hint = meant(name, self.list_commands(ctx))
            text = f"No such command '{name}'." + sentence(hint)
            raise click.UsageError(text, ctx)
        return super().resolve_command(ctx, args)


class SuggestingChoice(click.Choice):  # type: ignore[type-arg]  # generic since click 8.2
    """One of a few words; for any other, the closest one is suggested."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word as it is.

        Raises:
            click.BadParameter: it is none of the words; if one is close, it is suggested.
        """
        if isinstance(value, str) and value not in self.choices:
            hint = meant(value, self.choices)
            if hint:
                said = ", ".join(f"'{item}'" for item in self.choices)
                self.fail(f"'{value}' is not one of {said}.{sentence(hint)}", param, ctx)
        return super().convert(value, param, ctx)


def sentence(hint: str) -> str:
    """Return a hint as a sentence to append; empty for none."""
    return f" {hint[:1].upper()}{hint[1:]}" if hint else ""
