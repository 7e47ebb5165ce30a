"""Writes values as YAML text, in the style of the files: short in braces, long in blocks."""

from __future__ import annotations

import json
import re
from typing import Final

from callrouter.settings.yaml.reader import plain_value

WIDTH: Final = 100
"""Longest line that is written in braces."""
INDENT: Final = 2

_PLAIN: Final = re.compile(
    r"[A-Za-z0-9_/+.][A-Za-z0-9_/+.@$%=;<>() -]*(?::[A-Za-z0-9_/+.@$%=;<>() -]+)*"
)
"""Texts that need no quotes anywhere: no comma or bracket, and no colon before a blank."""
_ODD: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


def scalar_text(value: object, style: str = "") -> str:
    """Return a single value as text.

    Args:
        value: a text, a number, true or false.
        style: the quotes that a text had before, which it keeps; empty: quotes if it needs them.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        short = f"{value:.9f}".rstrip("0")
        return short + "0" if short.endswith(".") else short
    text = str(value)
    if style != '"' and (style != "'" and _is_plain(text)):
        return text
    single = style == "'" or (style != '"' and "\\" in text)
    if single and not _ODD.search(text):
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text, ensure_ascii=bool(_ODD.search(text)))


def _is_plain(text: str) -> bool:
    return (
        _PLAIN.fullmatch(text) is not None
        and ": " not in text
        and text[-1] not in " :"
        and plain_value(text) is text
    )


def key_text(key: str) -> str:
    """Return a key as text. A number stays without quotes, since all keys are texts."""
    return key if key.isascii() and key.isdigit() else scalar_text(key)


def inline_text(value: object) -> str:
    """Return a value on one line, mappings and lists in braces and brackets."""
    if isinstance(value, dict):
        inner = ", ".join(f"{key_text(str(k))}: {inline_text(v)}" for k, v in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline_text, value)) + "]"
    return scalar_text(value)


def value_text(value: object, indent: int, line_break: str, *, braces: bool | None = None) -> str:
    """Return a value as it follows a key's colon or a list's dash, with the blank before it.

    Args:
        value: the value.
        indent: the column (from 0) of the key, or of the dash.
        line_break: as the file has it.
        braces: write mappings in braces, or in blocks; None: whichever suits.
    """
    inline = inline_text(value)
    if not value or not isinstance(value, dict | list):
        return f" {inline}"
    fits = indent + len(inline) + 24 <= WIDTH
    inner = value.values() if isinstance(value, dict) else value
    is_simple = not any(isinstance(each, dict) for each in inner)
    if braces is True or (braces is None and fits and (is_simple or isinstance(value, list))):
        return f" {inline}"
    lines = block_lines(value, indent + INDENT)
    return line_break + line_break.join(lines)


def block_lines(value: object, indent: int) -> list[str]:
    """Return the lines of a mapping or a list in blocks, each with its indentation."""
    lines: list[str] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            rest = value_text(inner, indent, "\n")
            lines += (" " * indent + key_text(str(key)) + ":" + rest).split("\n")
    elif isinstance(value, list):
        for item in value:
            lines += item_lines(item, indent)
    return lines


def item_lines(item: object, indent: int) -> list[str]:
    """Return the lines of an item of a list in blocks; its dash stands at `indent`."""
    inline = inline_text(item)
    if isinstance(item, dict) and item and indent + len(inline) + 2 > WIDTH:
        inner = block_lines(item, indent + INDENT)
        return [" " * indent + "- " + inner[0][indent + INDENT :], *inner[1:]]
    return [" " * indent + "- " + inline]
