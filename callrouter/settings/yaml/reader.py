"""Parses YAML into plain values that know where they were written.

A strict subset of YAML: no anchors, aliases, merge keys or tags (so nothing can grow beyond its
text), one document, and none of the surprises of YAML 1.1: ``on``, ``no``, ``12:30``, ``08``,
``1_000`` and dates are text. An integer is written in decimal digits, without ``+`` or leading
zeros, so that phone numbers and extensions stay as written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

import yaml

from callrouter.model.text import phrase
from callrouter.settings.errors.hiding import is_secret
from callrouter.settings.errors.problems import Findings, Source, odd_blank, quoted
from callrouter.settings.yaml.substitution import Substituted, SubstitutionError

MAX_DEPTH: Final = 20

# The C parser is about ten times faster; both produce the same events.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_WORDS: Final[dict[str, bool | None]] = {
    "true": True,
    "false": False,
    "null": None,
    "Null": None,
    "NULL": None,
    "~": None,
    "": None,
}
_INT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(
    r"-?(?:(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,2})?"
)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]")
_TIMES: Final = re.compile(r"[0-9]:[0-9]{2}-[0-9]{1,2}:[0-9]{2}")
_ALIAS: Final = phrase(
    "yaml-write-again", "write the value again; or put a text that begins with * in quotes"
)
_DROPPED: Final = object()
"""Stands for a value that was reported and is treated as not written."""


class Mark(Protocol):
    """A place in a file; line and column count from 0."""

    @property
    def line(self) -> int: ...  # noqa: D102
    @property
    def column(self) -> int: ...  # noqa: D102


class Section(dict[str, object]):
    """A mapping as written. `at` has the places of every key and value, including dropped ones."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, tuple[Mark, Mark]] = {}


class Items(list[object]):
    """A list as written, with the places of its items; `thinned` if an invalid one was removed."""

    __slots__ = ("at", "thinned")

    def __init__(self) -> None:
        super().__init__()
        self.at: list[Mark] = []
        self.thinned = False


class _StopError(Exception):
    """The rest of the file is not worth reading."""


class YamlReader:
    """Reads one file.

    `may_be_empty` maps the top-level keys that may have no value to their default.
    """

    def __init__(
        self,
        source: Source,
        substitute: Callable[[str, tuple[str, ...]], str],
        findings: Findings,
        may_be_empty: Mapping[str, type[Section | Items]] | None = None,
    ) -> None:
        self._source = source
        self._substitute = substitute
        self._findings = findings
        self._may_be_empty = may_be_empty or {}
        self._depth = 0
        self._keys: list[str] = []
        self._events: Iterator[Any] = iter(())

    def read(self, text: str) -> Section | None:
        """Return the file's mapping (empty for an empty file), or None if it cannot be read.

        All mistakes are added to the findings; a mapping may be returned nevertheless.
        """
        try:
            self._events = iter(yaml.parse(text, Loader=_LOADER))
            return self._stream()
        except yaml.YAMLError as error:
            line, column, why, hint = explain_syntax_error(error, text, self._source.lines)
            self._findings.error(self._source, line, column, why, hint)
        except _StopError:
            pass
        return None

    def _stream(self) -> Section | None:
        found: Section | None = Section()
        documents = 0
        for event in self._events:
            mark: Any = event.start_mark
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    text_ = phrase("yaml-second-document", "a second document begins here")
                    self._bad(mark, text_, phrase("yaml-one-document", "one is allowed"))
                    return None
            elif isinstance(event, yaml.MappingStartEvent):
                found = self._mapping(event)
            elif isinstance(event, yaml.NodeEvent) and self._value(event) is not None:
                hint = "such as 'queues:' with the queues indented below it"
                text_ = phrase("yaml-sections", "the file must consist of sections")
                self._bad(mark, text_, phrase("yaml-such-as-section", hint))
                found = None
        return found

    def _bad(self, mark: Mark, text: str, hint: str = "") -> None:
        self._findings.error(self._source, mark.line + 1, mark.column + 1, text, hint)

    def _value(self, event: Any) -> object:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            return self._scalar(event)
        if kind is yaml.MappingStartEvent:
            return self._mapping(event)
        if kind is yaml.SequenceStartEvent:
            return self._items(event)
        self._bad(event.start_mark, phrase("yaml-aliases", "aliases (*) are not supported"), _ALIAS)
        return _DROPPED

    def _enter(self, event: Any) -> None:
        self._plainly(event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._bad(
                event.start_mark,
                phrase("yaml-too-deep", "nested more than {most} deep", most=MAX_DEPTH),
            )
            raise _StopError

    def _plainly(self, event: Any) -> None:
        if event.anchor is not None:
            hint = phrase("yaml-quote-anchor", "put a text that begins with & in quotes")
            self._bad(
                event.start_mark, phrase("yaml-anchors", "anchors (&) are not supported"), hint
            )
        if event.tag is not None:
            hint = phrase("yaml-quote-tag", "put a text that begins with ! in quotes")
            self._bad(event.start_mark, phrase("yaml-tags", "tags (!) are not supported"), hint)

    def _mapping(self, start: Any) -> Section:
        self._enter(start)
        found = Section()
        for event in self._events:
            if type(event) is yaml.MappingEndEvent:
                break
            key = self._key(event)
            inner = next(self._events)
            self._keys.append(key or "")
            value = self._value(inner)
            self._keys.pop()
            if key is None:
                continue
            if key in found.at:
                first = found.at[key][0].line + 1
                self._bad(
                    event.start_mark,
                    phrase("yaml-duplicate-key", "duplicate key {key}", key=quoted(key)),
                    phrase("yaml-first-on-line", "first on line {line}", line=first),
                )
                continue
            found.at[key] = (event.start_mark, inner.start_mark)
            if value is None:
                self._empty(found, key, event.start_mark)
            elif value is not _DROPPED:
                found[key] = value
        self._depth -= 1
        return found

    def _empty(self, found: Section, key: str, mark: Mark) -> None:
        if self._depth == 1 and key in self._may_be_empty:
            found[key] = self._may_be_empty[key]()
        else:
            text = phrase("yaml-no-value", "{key} has no value", key=quoted(key))
            self._bad(mark, text, self._why_empty(key, mark))

    def _why_empty(self, key: str, mark: Mark) -> str:
        if hint := odd_blank(key):
            return hint
        if _TIMES.search(key):
            # {hours: mon 09:00-12:00, 13:00-17:00}: the comma ended the value.
            return phrase("yaml-hours-in-quotes", "put hours with a comma in quotes")
        if _FIELD.match(self._source.lines[mark.line], max(mark.column - 1, 0)):
            # show: {queue}: the braces made a mapping of the field.
            return _quote_field(f"{{{key}}}")
        return phrase("yaml-write-one", "write one, or take the key out")

    def _key(self, event: Any) -> str | None:
        mark = event.start_mark
        if type(event) is not yaml.ScalarEvent:
            if self._value(event) is not _DROPPED:
                text = "a key must be a plain name, not a mapping or a list"
                self._bad(mark, phrase("yaml-plain-key", text))
            return None
        self._plainly(event)
        if event.implicit[0] and event.value in {"", "<<"}:
            why = (
                phrase("yaml-merge-keys", "merge keys (<<) are not supported")
                if event.value
                else phrase("yaml-key-missing", "a key is missing before ':'")
            )
            self._bad(mark, why)
            return None
        return str(event.value)

    def _items(self, start: Any) -> Items:
        self._enter(start)
        found = Items()
        for event in self._events:
            if type(event) is yaml.SequenceEndEvent:
                break
            value = self._value(event)
            if value is None:
                text = phrase("yaml-empty-item", "an empty item in a list")
                hint = phrase("yaml-value-after-dash", "write a value after '-'")
                self._bad(event.start_mark, text, hint)
            if value is None or value is _DROPPED:
                found.thinned = True
            else:
                found.append(value)
                found.at.append(event.start_mark)
        self._depth -= 1
        return found

    def _scalar(self, event: Any) -> object:
        if event.tag is not None or event.anchor is not None:
            self._plainly(event)
        text: str = event.value
        value = plain_value(text) if event.implicit[0] else text
        return self._text(text, event.start_mark) if value is text else value

    def _text(self, text: str, mark: Mark) -> object:
        if "${" in text:
            try:
                text = self._substitute(text, tuple(self._keys))
            except SubstitutionError as error:
                self._bad(mark, error.text, error.hint)
                return _DROPPED
        if _CONTROL.search(text):
            secret = bool(self._keys) and is_secret(self._keys[-1])
            said = "a text must stand on one line, without control characters"
            wrong = phrase("text-on-one-line", said)
            if isinstance(text, Substituted):
                name = "${…}" if secret else quoted(text.written)
                said = "the value of {name} must stand on one line, without control characters"
                wrong = phrase("value-on-one-line", said, name=name)
            self._bad(mark, wrong)
            return _DROPPED
        return text


def plain_value(text: str) -> object:
    """Return what a text without quotes means: a number, true, false, None, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "-.0123456789":
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


# ---------------------------------------------------------------- PyYAML's syntax errors, explained to a person
# The texts matched are from scanner.c and parser.c of libyaml and from scanner.py and parser.py of
# PyYAML, which differ a little.

_FIELD: Final = re.compile(r"(?<!\$)\{(?:number|queue|name|tag|wait)\}")
"""The fields of ``dial_number`` and ``show``."""
_KEY_ALONE: Final = re.compile(r"[ -]*([A-Za-z0-9_]+)[ \r]*(?:#.*)?")
_LONGEST_LINE: Final = 1000
_INDENT: Final = phrase("yaml-indent", "is something indented too little or too far?")
_MEANINGS: Final[tuple[tuple[str, str, str], ...]] = (
    ("mapping values are not allowed", phrase("yaml-colon", "a ':' is not allowed here"), phrase("yaml-quote-or-indent", "put the text in quotes, or fix the indentation")),
    ("unexpected ':'", phrase("yaml-colon", "a ':' is not allowed here"), phrase("yaml-blank-after-colon", "write a space after it")),
    ("could not find expected ':'", phrase("yaml-colon-missing", "a ':' is missing after the key"), phrase("yaml-key-value", "write key: value")),
    ("unexpected end of stream", phrase("yaml-quote-open", "this quote is never closed"), ""),
    ("unexpected document separator", phrase("yaml-quote-open", "this quote is never closed"), ""),
    ("indicator", phrase("yaml-indentation", "wrong indentation"), _INDENT),
    ("expected key", phrase("yaml-indentation", "wrong indentation"), _INDENT),
    ("<block end>", phrase("yaml-indentation", "wrong indentation"), _INDENT),
    ("document start", phrase("yaml-indentation", "wrong indentation"), _INDENT),
    ("',' or", phrase("yaml-comma-or-bracket", "a ',' or a closing bracket is missing"), ""),
    ("node content", phrase("yaml-key-or-value-missing", "a key or a value is missing here"), ""),
    ("incompatible YAML", phrase("yaml-version", "this version of YAML is not supported"), phrase("yaml-version-out", "take the %YAML line out")),
    ("escape", phrase("yaml-escape", "no such escape in a text in double quotes"), phrase("yaml-backslash", "write \\\\ for a backslash, or use single quotes")),
    ("undefined tag", phrase("yaml-tags", "tags (!) are not supported"), phrase("yaml-quote-tag", "put a text that begins with ! in quotes")),
    ("alias", phrase("yaml-aliases", "aliases (*) are not supported"), phrase("yaml-quote-alias", "put a text that begins with * in quotes")),
    ("anchor", phrase("yaml-anchors", "anchors (&) are not supported"), phrase("yaml-quote-anchor", "put a text that begins with & in quotes")),
    ("tag", phrase("yaml-tags", "tags (!) are not supported"), phrase("yaml-quote-tag", "put a text that begins with ! in quotes")),
)  # fmt: skip


def explain_syntax_error(
    error: yaml.YAMLError, text: str, lines: list[str]
) -> tuple[int, int, str, str]:
    """Return line and column (from 1), what is wrong, and what would be right.

    The hint may be empty. The place may be above the one in the error: where the construct begins.
    """
    line, column = _place_of_error(error, text)
    if not any(rest.strip() for rest in lines[line:]):
        # At the end of the file; the place where the construct began is more helpful.
        context = getattr(error, "context_mark", None)
        line, column = (context.line, context.column) if context else (len(lines) - 1, 0)
    if not any(rest.strip() for rest in lines[line:]):
        line = max((i for i, each in enumerate(lines) if each.strip()), default=0)
        column = max(lines[line].rfind("["), lines[line].rfind("{"), 0)
    here = lines[line][column : column + 1] if lines else ""
    why, hint = _meaning_of_error(error, here)
    opened = getattr(error, "context_mark", None)
    if opened is not None and "',' or" in str(getattr(error, "problem", "")) and opened.line < line:
        # The parser reads on until something cannot belong to the construct.
        why = phrase("yaml-comma-or-bracket", "a ',' or a closing bracket is missing")
        hint = phrase(
            "yaml-never-closed",
            "is the '{bracket}' of line {line} never closed?",
            bracket=lines[opened.line][opened.column],
            line=opened.line + 1,
        )
    if "flow" in str(getattr(error, "context", None)) and "${" in lines[line]:
        hint = phrase("yaml-braces", "inside {{ }} or [ ] put ${{...}} in quotes")
    if field := _field_without_quotes(lines[line]):
        hint = _quote_field(field)
    elif "mapping values are not allowed" in str(getattr(error, "problem", "")):
        # A key without ':' is read as a text that goes on in the next line, up to the ':' there.
        above = max((n for n in range(line) if lines[n].strip()), default=0)
        if found := _KEY_ALONE.fullmatch(lines[above]):
            why = phrase("yaml-colon-missing", "a ':' is missing after the key")
            hint = phrase("write", "write {value}", value=f"{found[1]}:")
            return above + 1, found.end(1) + 1, why, hint
    return line + 1, column + 1, why, hint


def _quote_field(field: str) -> str:
    return phrase("yaml-quote-field", "put the text with {field} in quotes", field=field)


def _field_without_quotes(line: str) -> str:
    """Return a field such as ``{number}`` that stands in no quotes; empty if there is none."""
    found = _FIELD.search(line[:_LONGEST_LINE])
    if found is None:
        return ""
    before = line[: found.start()]
    return "" if before.count('"') % 2 or before.count("'") % 2 else found[0]


def _place_of_error(error: yaml.YAMLError, text: str) -> tuple[int, int]:
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


def _meaning_of_error(error: yaml.YAMLError, here: str) -> tuple[str, str]:
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", ""))
    context = str(getattr(error, "context", None) or "")
    if here == "\t":
        return phrase("yaml-tab", "a tab is not allowed here"), phrase(
            "yaml-spaces", "indent with spaces"
        )
    if here == ":" and "expected" in problem:
        return phrase("yaml-key-missing", "a key is missing before ':'"), ""
    if "cannot start any token" in problem:
        return phrase(
            "yaml-text-begins", "a text cannot begin with {character}", character=quoted(here)
        ), phrase("yaml-in-quotes", "put it in quotes")
    if "flow" in context and here in {"", "[", "{"} and "node content" in problem:
        return phrase("yaml-bracket-open", "this bracket is never closed"), ""
    for part in (problem, context):
        for sign, why, hint in _MEANINGS:
            if sign in part:
                return why, hint
    return phrase("yaml-none", "not YAML: {problem}", problem=problem or "unreadable"), ""
