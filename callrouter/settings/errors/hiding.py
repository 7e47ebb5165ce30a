"""Decides how much of a line or text from a file may be shown: nothing that could be a secret.

If the key of a secret is mistyped, the secret still follows it. So a line is cut off after every
word that resembles such a key, with or without a colon, and a line that may continue the value of a
line above is not shown at all. It is better to hide too much than too little.

Every search is linear in the length of a line, and long lines are skipped: see `LONGEST`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

SECRET_KEYS: Final = frozenset(
    {
        "secret",
        "password",
        "pin",
        "token",
        "auth_token",
        "other_auth_token",
        "api_key",
        "api_secret",
        "client_secret",
        "database",
    }
)
"""Keys whose values never appear in a message, a repr or a quoted line."""
CONTAINERS: Final = frozenset({"api_tokens"})
"""Keys of lists whose items contain secrets along with public fields."""

SHOWN: Final = 200
"""Maximum number of characters quoted from a line."""
LONGEST: Final = 2_000
"""Longer lines are not quoted: searching them for secrets would take too long."""
HIDDEN: Final = "…"

_ABOVE: Final = 200
"""Lines above that are searched for a secret that continues: a private key has fifty."""
_WORD: Final = re.compile(r"[\w-]+")
_STEMS: Final = re.compile(
    r"secret|passw(?:or[dt]|d)?|passphrase|token|credential|api[-_]?key|private[-_]?key|"
    r"(?<![a-z0-9])(?:pin|pni|ipn|pwd|pass|database)(?![a-z])"
)
_SHORT: Final = frozenset({"pass", "pwd", "pw", "pin", "pins", "auth", "pni", "ipn", "pinn", "pim"})
_PUBLIC: Final = frozenset({"pauses"})
"""Keys that resemble one of a secret and are none; a test finds them all."""
_URL: Final = re.compile(r"://(\S++)")
_EMPTY: Final = re.compile(r""" *: *(?:""|'') *""")
"""A value that is there, and empty."""
_ENTRY: Final = re.compile(r"(?<![\w-])[\w-]++[\"']? *+:(?: |$)")
_MORE_OF_NAME: Final = re.compile(r"[a-z]{0,3}|[-_][a-z_-]+")
"""What may follow the stem of a secret's key and still belong to the name, as in `passwords`."""
_LETTERS: Final = re.compile(r"[a-z_-]+")
_QUOTED: Final = re.compile(r"'([^']*)'")
_SYNTAX: Final = frozenset({"${", "$${", "}"})
_COMPARABLE: Final = 40_000
"""Maximum number of lines when comparing two versions of a file."""
_NO_SECRET: Final = frozenset({"config: database", 'config: "database"', "config: 'database'"})
"""Lines in which the key of a secret is a value."""
_COMPARED: Final = 50
"""Words of a hidden line that are searched for in a message."""


def cut(text: str) -> int:
    """Return where the part that may be a secret begins.

    Returns the length of the text if there is none.
    """
    return min(_login(text), _secret_behind_a_name(text))


def _login(text: str) -> int:
    """Return where a URL's user and password begin (RFC 3986, 3.2.1).

    Without either, returns the length of the text.
    """
    for match in _URL.finditer(text):
        if "@" in match[1]:
            return match.start(1)
    return len(text)


def _secret_behind_a_name(text: str) -> int:
    for match in _WORD.finditer(text):
        rest_of_line = text[match.end() : match.end() + 8].lstrip("\"' \t")[:1]
        end = _end_of_name(match[0][:80].lower(), has_colon=rest_of_line in {":", "="})
        if end is not None:
            start = match.end() if end >= len(match[0]) else match.start() + end
            if rest_of_line and start == match.end():
                start += (
                    text[start : start + 8].find(rest_of_line) + 1 if rest_of_line in ":=" else 0
                )
            # Nothing to hide if only brackets and punctuation follow.
            return start if _WORD.search(text, start) else len(text)
    return len(text)


def without_secret(text: str) -> str:
    """Return a text without the parts that may be secrets.

    A ``…`` stands for what is cut off. Only the text itself is looked at; for a line of a file,
    `excerpt` also looks at the lines above.
    """
    kept = cut(text)
    return text if kept == len(text) else f"{text[:kept]} {HIDDEN}"


@lru_cache(maxsize=4096)
def _end_of_name(word: str, *, has_colon: bool) -> int | None:
    """Return how much of a word is the name of a secret's key; None: it is not such a name.

    `word` is in small letters. With `has_colon` (a ``:`` or ``=`` follows), less similarity is
    enough.
    """
    if word in SECRET_KEYS or word in CONTAINERS or word in _SHORT:
        return len(word)
    if word in _PUBLIC:
        return None
    stem = _STEMS.search(word)
    if stem is not None:
        # `secretx7Kq9` is a key with its secret attached; `password-reset` may be a queue's name.
        whole = _MORE_OF_NAME.fullmatch(word, stem.end()) is not None
        return len(word) if whole else stem.end()
    least = 0.7 if has_colon else 0.8
    if len(word) < 2 or (len(word) < 4 and not has_colon):
        return None
    if difflib.get_close_matches(word, SECRET_KEYS, 1, least):
        return len(word)
    name = _LETTERS.match(word)
    if name is not None and name.end() < len(word) and word[name.end()].isdigit():
        return _end_of_name(name[0], has_colon=has_colon)
    if has_colon:
        # `passx`, and `my_tokne`.
        parts = [part for part in re.split("[-_]", word) if len(part) > 3]
        near = any(difflib.get_close_matches(part, SECRET_KEYS | _SHORT, 1, 0.8) for part in parts)
        return len(word) if near else None
    return None


def is_secret(key: str) -> bool:
    """Return whether a key names a secret, or was meant to.

    Similar keys count, in small or capital letters. Only the first 80 characters are looked at.
    """
    return _end_of_name(key[:80].lower(), has_colon=True) is not None


# ---------------------------------------------------------------- lines


def part_shown(lines: Sequence[str], number: int) -> int | None:
    """Return how many characters of line `number` (from 1) may be shown; None: nothing at all.

    Nothing is shown of a line longer than `LONGEST`, or of one that may continue a secret above.
    """
    line = lines[number - 1]
    if len(line) > LONGEST or _goes_on(lines, number - 1):
        return None
    return cut(line)


def excerpt(lines: Sequence[str], number: int, column: int = 1) -> str:
    """Return line `number` (from 1) for display: at most `SHOWN` characters around `column`.

    A ``…`` stands for what is left out, and alone for a line that must be hidden. The result is
    empty if there is no such line.
    """
    if not 1 <= number <= len(lines):
        return ""
    line, kept = lines[number - 1], part_shown(lines, number)
    if kept is None:
        return HIDDEN if line.strip() else ""
    start = max(0, min(column - 1 - SHOWN // 2, kept - SHOWN)) if kept > SHOWN else 0
    shown = line[start : min(kept, start + SHOWN)]
    if start + SHOWN < kept:
        shown += HIDDEN
    elif kept < len(line):
        shown += f" {HIDDEN}"
    return (HIDDEN if start else "") + shown


def _goes_on(lines: Sequence[str], index: int) -> bool:
    """Return whether a line may continue the value of a secret on a line above."""
    indent, is_entry = _indent(lines[index]), _is_entry(lines[index])
    nearest, entry_met = True, is_entry
    for above in _above(lines, index):
        deep = _indent(above)
        if nearest and _opens(above, below_is_entry=is_entry):
            return True
        if (deep < indent or not entry_met) and _has_secret(above, below_is_entry=is_entry):
            return True
        nearest = False
        entry_met = entry_met or _is_entry(above)
        indent = min(indent, deep)
        if indent == 0 and entry_met:
            return False
    return False


def _above(lines: Sequence[str], index: int) -> Iterator[str]:
    """Yield the non-empty lines above a line, nearest first."""
    for above in reversed(lines[max(0, index - _ABOVE) : index]):
        if above.strip() and not above.lstrip().startswith("#"):
            line = above[:LONGEST].partition(" #")[0]
            if line.strip() not in _NO_SECRET:
                yield line


def _indent(line: str) -> int:
    """Return the column where a line begins; in a list, after the dash."""
    return len(line) - len(line.lstrip(" \t-?"))


def _is_entry(line: str) -> bool:
    """Return whether a line contains a key with a colon."""
    return _ENTRY.search(line[:LONGEST]) is not None


def _opens(above: str, *, below_is_entry: bool) -> bool:
    """Return whether the value of a line's last secret continues below."""
    found = list(_names(above))
    if not found:
        return False
    name, end = found[-1]
    rest = above[end:]
    if _EMPTY.fullmatch(rest):
        return False
    if _WORD.search(rest) is None:
        is_value = len(found) > 1 and _WORD.search(above, found[-2][1], end - len(name)) is None
        return not (below_is_entry and (is_value or _is_weak(name)))
    return rest.count('"') % 2 == 1 or rest.count("'") % 2 == 1


def _has_secret(above: str, *, below_is_entry: bool) -> bool:
    return any(not (below_is_entry and _is_weak(name)) for name, _ in _names(above))


def _is_weak(name: str) -> bool:
    """Return whether a name may have nested keys that are not secrets."""
    return name in CONTAINERS or (
        name not in SECRET_KEYS
        and (stem := _STEMS.search(name)) is not None
        and name[stem.end() : stem.end() + 1] in {"-", "_"}
    )


def _names(line: str) -> Iterator[tuple[str, int]]:
    """Yield the words of a line that resemble a secret's key, each with its end."""
    for match in _WORD.finditer(line):
        rest_of_line = line[match.end() : match.end() + 8].lstrip("\"' \t")[:1]
        end = _end_of_name(match[0][:80].lower(), has_colon=rest_of_line in {":", "="})
        if end is not None:
            yield match[0].lower(), match.start() + end


# ---------------------------------------------------------------- changes


def difference(name: str, before: Sequence[str], after: Sequence[str], most: int) -> list[str]:
    """Return a unified diff of two versions of a file without secrets.

    Lines beyond `most` are only counted.
    """
    found: list[str] = []
    if len(before) + len(after) > _COMPARABLE:
        return [f"--- before/{name}", f"+++ after/{name}", "… too long to be compared line by line"]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=True)
    for group in matcher.get_grouped_opcodes(3):
        (_, b1, _, a1, _), (_, _, b2, _, a2) = group[0], group[-1]
        found.append(f"@@ -{b1 + 1},{b2 - b1} +{a1 + 1},{a2 - a1} @@")
        for tag, i1, i2, j1, j2 in group:
            old = [("-" if tag != "equal" else " ", before, i) for i in range(i1, i2)]
            new = [("+", after, j) for j in range(j1, j2)] if tag != "equal" else []
            for sign, lines, at in (old + new)[: max(0, most - len(found))]:
                found.append(sign + excerpt(lines, at + 1))
        if len(found) >= most:
            found.append("… and more, which is not listed")
            break
    return [f"--- before/{name}", f"+++ after/{name}", *found] if found else []


# ---------------------------------------------------------------- messages


def without_secrets_near(text: str, lines: Sequence[str], number: int) -> str:
    """Return a message about line `number` without anything the line must not show.

    Quoted fragments of the hidden part become ``…``; if the whole line is hidden, so do its longer
    words. A message about no line, or one longer than `LONGEST`, stays as it is.
    """
    if not 1 <= number <= len(lines) or len(lines[number - 1]) > LONGEST:
        return text
    line, kept = lines[number - 1], part_shown(lines, number)
    if kept is not None:
        hidden = line[kept:]
        return _QUOTED.sub(lambda match: _fragment(match, hidden), text)
    for match in list(_WORD.finditer(line))[:_COMPARED]:
        if len(match[0]) > 3 and match[0].lower() not in SECRET_KEYS:
            text = text.replace(match[0], HIDDEN)
    return text


def _fragment(match: re.Match[str], hidden: str) -> str:
    """Return a quoted fragment unless it is from the hidden part of the line and may be secret."""
    said = match[1].rstrip(HIDDEN)
    at = hidden.find(said)
    if len(said) < 2 or said in _SYNTAX or (at < 0 and said not in ascii(hidden)):
        return match[0]
    # Another key on the line, or its value.
    key, colon, _ = hidden[:at].rstrip("\"' ").rpartition(":")
    own_key = colon and hidden[: max(at, 0)].rstrip("\"' ").endswith(":") and _ends_plainly(key)
    return match[0] if f"{said}:" in hidden or own_key else f"'{HIDDEN}'"


def _ends_plainly(text: str) -> bool:
    """Return whether a text ends with a key that does not name a secret."""
    words = _WORD.findall(text[-80:])
    return bool(words) and not is_secret(words[-1])
