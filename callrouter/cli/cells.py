"""What stands in the cells of tables: texts from outside, states in their colours."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from callrouter.logs import clean

STYLES: Mapping[str, str] = {
    "available": "green",
    "reserved": "yellow",
    "ringing": "yellow",
    "on-call": "cyan",
    "wrap-up": "blue",
    "paused": "magenta",
    "offline": "dim",
    "waiting": "yellow",
    "connecting": "cyan",
    "talking": "cyan",
    "up": "green",
    "down": "bold red",
    "good": "green",
    "bad": "bold red",
    "abandoned": "red",
}

_NAME = 40
"""Characters of a caller's name or number that are shown."""


def plain(text: object) -> Text:
    """A text from outside: no markup, no control characters."""
    return Text(clean(str(text or "")))


def state(word: str, note: str = "") -> Text:
    """A state in its colour, with a word of explanation behind it."""
    made = Text(clean(word), style=STYLES.get(word, ""))
    if note:
        made.append(f" {clean(note)}", style="dim")
    return made


def caller(view: Mapping[str, object], *, named: bool) -> Text:
    """Who calls, as they say themselves: the number, and with `named` the name behind it."""
    number, name = str(view.get("caller_number") or ""), str(view.get("caller_name") or "")
    if not number:
        return Text(clean(name)[:_NAME] or "withheld")
    made = Text(clean(number)[:_NAME])
    if named and name and name != number:
        made.append(f" {clean(name)[:_NAME]}", style="dim")
    return made
