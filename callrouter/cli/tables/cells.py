"""The contents of table cells: texts from outside, and states in their colours."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from callrouter.model.text import clean

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
"""Maximum number of characters shown of a caller's name or number."""


def plain(text: object) -> Text:
    """Return a text from outside, without markup or control characters."""
    return Text(clean(str(text or "")))


def state(word: str, note: str = "") -> Text:
    """Return a state in its colour, followed by a note."""
    made = Text(clean(word), style=STYLES.get(word, ""))
    if note:
        made.append(f" {clean(note)}", style="dim")
    return made


def caller(view: Mapping[str, object], *, named: bool) -> Text:
    """Return the caller's number as received; `named`: followed by the name."""
    number, name = str(view.get("caller_number") or ""), str(view.get("caller_name") or "")
    if not number:
        return Text(clean(name)[:_NAME] or "withheld")
    made = Text(clean(number)[:_NAME])
    if named and name and name != number:
        made.append(f" {clean(name)[:_NAME]}", style="dim")
    return made
