"""Explains PyYAML's syntax errors to a person.

The texts matched are from scanner.c and parser.c of libyaml and from scanner.py and parser.py of
PyYAML, which differ a little.
"""

from __future__ import annotations

from typing import Final

import yaml

from callrouter.settings.errors.problems import quoted

_INDENT: Final = "is something indented too little or too far?"
_MEANINGS: Final[tuple[tuple[str, str, str], ...]] = (
    ("mapping values are not allowed", "a ':' is not allowed here", "put the text in quotes, or mend the indentation"),
    ("could not find expected ':'", "a ':' is missing after the key", "write key: value"),
    ("unexpected end of stream", "this quote is never closed", ""),
    ("unexpected document separator", "this quote is never closed", ""),
    ("indicator", "wrong indentation", _INDENT),
    ("expected key", "wrong indentation", _INDENT),
    ("<block end>", "wrong indentation", _INDENT),
    ("document start", "wrong indentation", _INDENT),
    ("',' or", "a ',' or a closing bracket is missing", ""),
    ("node content", "a key or a value is missing here", ""),
    ("incompatible YAML", "this version of YAML is not supported", "take the %YAML line out"),
    ("escape", "no such escape in a text in double quotes", "write \\\\ for a backslash, or use single quotes"),
    ("undefined tag", "tags (!) are not supported", "put a text that begins with ! in quotes"),
    ("alias", "aliases (*) are not supported", "put a text that begins with * in quotes"),
    ("anchor", "anchors (&) are not supported", "put a text that begins with & in quotes"),
    ("tag", "tags (!) are not supported", "put a text that begins with ! in quotes"),
)  # fmt: skip


def explain(error: yaml.YAMLError, text: str, lines: list[str]) -> tuple[int, int, str, str]:
    """Return line and column (from 1), what is wrong, and what would be right.

    The hint may be empty. The place may be above the one in the error: where the construct begins.
    """
    line, column = _place(error, text)
    if not any(rest.strip() for rest in lines[line:]):
        # At the end of the file; the place where the construct began is more helpful.
        context = getattr(error, "context_mark", None)
        line, column = (context.line, context.column) if context else (len(lines) - 1, 0)
    if not any(rest.strip() for rest in lines[line:]):
        line = max((i for i, each in enumerate(lines) if each.strip()), default=0)
        column = max(lines[line].rfind("["), lines[line].rfind("{"), 0)
    here = lines[line][column : column + 1] if lines else ""
    why, hint = _meaning(error, here)
    opened = getattr(error, "context_mark", None)
    if opened is not None and "',' or" in str(getattr(error, "problem", "")) and opened.line < line:
        # The parser reads on until something cannot belong to the construct.
        why = "a ',' or a closing bracket is missing"
        hint = (
            f"is the '{lines[opened.line][opened.column]}' of line {opened.line + 1} never closed?"
        )
    if "flow" in str(getattr(error, "context", None)) and "${" in lines[line]:
        hint = "inside { } or [ ] put ${...} in quotes"
    return line + 1, column + 1, why, hint


def _place(error: yaml.YAMLError, text: str) -> tuple[int, int]:
    problem = str(getattr(error, "problem", ""))
    names = ["problem_mark", "context_mark"]
    if any(sign in problem for sign in ("unexpected end", "document separator", "expected ':'")):
        names.reverse()
    for name in names:
        mark = getattr(error, name, None)
        if mark is not None:
            return mark.line, mark.column
    before = text[: getattr(error, "position", 0)]
    return before.count("\n"), len(before) - before.rfind("\n") - 1


def _meaning(error: yaml.YAMLError, here: str) -> tuple[str, str]:
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", ""))
    context = str(getattr(error, "context", None) or "")
    if here == "\t":
        return "a tab is not allowed here", "indent with spaces"
    if here == ":" and "expected" in problem:
        return "a key is missing before ':'", ""
    if "cannot start any token" in problem:
        return f"a text cannot begin with {quoted(here)}", "put it in quotes"
    if "flow" in context and here in {"", "[", "{"} and "node content" in problem:
        return "this bracket is never closed", ""
    for part in (problem, context):
        for sign, why, hint in _MEANINGS:
            if sign in part:
                return why, hint
    return f"not YAML: {problem or 'unreadable'}", ""
