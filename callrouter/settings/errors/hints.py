"""Suggests the right value where the written one reveals what was meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Final

import phonenumbers

from callrouter.model.hours import DAYS, parse_spans
from callrouter.model.phone_numbers import withheld
from callrouter.model.text import phrase
from callrouter.settings.errors.hiding import is_secret, without_secret
from callrouter.settings.errors.problems import Nearest, did_you_mean, quoted
from callrouter.settings.schema.durations import (
    LONGEST_DAYS,
    LONGEST_STORED_DAYS,
    parse_duration,
)
from callrouter.settings.schema.number_parsing import known_country, read_number
from callrouter.settings.schema.sizes import LARGEST, SMALLEST, format_size, parse_size

_YES: Final = frozenset({"yes", "on", "y", "true", "1"})
_NO: Final = frozenset({"no", "off", "n", "false", "0"})
_SPOKEN: Final = re.compile(
    r"([0-9]{1,6}) ?(s|m|h|d)(?:ec|ecs|econd|econds|in|ins|inute|inutes|r|rs|our|ours|ay|ays)?"
)
_LONG: Final = re.compile(r"([1-9][0-9]{0,3})(weeks?|w|months?|mo|years?|y)")
_DAYS: Final = {
    **dict.fromkeys(("w", "week", "weeks"), 7),
    **dict.fromkeys(("mo", "month", "months"), 30),
    **dict.fromkeys(("y", "year", "years"), 365),
}
_NO_DAY: Final = 4000
"""A smaller number without a unit was meant as days: nothing is stored for an hour."""
_NO_SIZE: Final = 1000
"""A smaller number without a unit was meant as gigabytes."""
_SPOKEN_SIZE: Final = re.compile(r"([0-9]{1,6}(?:[.,][0-9]{1,3})?) ?([mgt])(i?)(?:b|bytes?)?")
_COMPARED: Final = re.compile(r" *(==|=>|=<|≥|≤) *(0|[1-9][0-9]{0,4}) *")
_SIGNS: Final = {"==": "=", "=>": ">=", "=<": "<=", "≥": ">=", "≤": "<="}
_PLACE: Final = re.compile(r"[A-Za-z0-9.-]{1,253}:[0-9]{1,5}")
_DATE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_FIRST: Final = re.compile(r"([0-9]{1,2})([./])([0-9]{1,2})\2([0-9]{4})")
_COUNTRIES: Final = {"UK": "GB", "EN": "GB", "EL": "GR", "USA": "US", "GER": "DE", "DEU": "DE"}
"""Codes that people take for those of ISO 3166-1."""
_MOST_OF_HOURS: Final = 200
_NUMBER: Final = 7
"""Digits from which on a number is a telephone's, and not the beginning of one."""
_DASHES: Final = re.compile(" ?[-\u2010-\u2015\u2212] ?| to ")
_DAY_NAMES: Final = re.compile(
    r"\b(mo|tu|we|th|fr|sa|su)(?:n|e|d|u|i|t|nday|esday|dnesday|ursday|iday|turday|es|ur|urs)?\b"
)
_DAY_OF: Final = {day[:2]: day for day in DAYS}
_DAYS_OF: Final = {
    "24/7": "daily 00:00-24:00",
    "weekday": "mon-fri",
    "workday": "mon-fri",
    "weekend": "sat-sun",
    "every day": "daily",
    "everyday": "daily",
}
_SETS_OF_DAYS: Final = re.compile(rf"\b({'|'.join(_DAYS_OF)})s?\b")
_TIME_OF_DAY: Final = re.compile(
    r"(?<![0-9:])([0-9]{1,2})(?:[:.]([0-9]{2}))? ?([ap]\.?m\.?)?(?![0-9:])"
)
_NO_BLANK: Final = re.compile(r"([A-Za-z0-9_-]+):(\S.*)")
_MOST_OF_AN_EXTENSION: Final = 6
_WHERE: Final = ("queue:", "dialplan:")

PEERS: Final = {
    "ringall": "ring-all",
    "ring-to-all": "ring-all",
    "leastrecent": "longest-idle",
    "longest-idle-agent": "longest-idle",
    "rrmemory": "round-robin",
    "rrordered": "round-robin",
    "roundrobin": "round-robin",
    "fewestcalls": "fewest-calls",
    "agent-with-fewest-calls": "fewest-calls",
    "agent-with-least-talk-time": "least-talk-time",
    "top-down": "linear",
    "sequentially-by-agent-order": "linear",
    "wrandom": "weighted-random",
    "penalty": "priority",
    "least-utilized": "average-utilization",
    "most-utilized": "max-utilization",
}
"""Names of our policies in app_queue, mod_callcenter and LiveAgent."""


def value(nearest: Nearest, kind: str, written: object, queues: Collection[str]) -> str:
    """Suggest how to write a value.

    Args:
        nearest: Finds the right word for a mistyped one.
        kind: The kind of value; see `fields.Expected`.
        written: The value as written.
        queues: The names of all queues.

    Returns:
        A hint; empty: the written value does not show what was meant.
    """
    text = written if isinstance(written, str) else ""
    match kind:
        case "bool":
            word = str(written).lower()
            return write("true") if word in _YES else write("false") if word in _NO else ""
        case "off":
            return phrase("write-false-or-none", "write false, or take it out")
        case "int":
            digits = text.lstrip("+0") or "0"
            plain = text and digits.isascii() and digits.isdigit() and len(digits) < 8
            return write(digits) if plain else ""
        case "name" | "url" | "phone" | "duration" | "member" | "stored-for" | "size":
            return _OF_ANY[kind](written)
        case "comparison" | "number" | "holiday" | "country":
            return _OF_TEXT[kind](text)
        case "target":
            return _target(nearest, text, queues)
        case _:
            return nearest.hint(text, tuple(kind.split("|"))) if "|" in kind and text else ""


def write(value: str) -> str:
    """Return the advice to write a value."""
    return phrase("write", "write {value}", value=value)


def such_as(example: str) -> str:
    """Return an example as advice."""
    return phrase("such-as", "such as {example}", example=example)


def _target(nearest: Nearest, text: str, queues: Collection[str]) -> str:
    if text in queues:
        return did_you_mean(quoted(f"queue:{text}"))
    before, colon, rest = text.partition(":")
    word = nearest.hint(before + colon, _WHERE) if colon else ""
    if rest and "queue" in word:
        return did_you_mean(quoted(f"queue:{rest.strip()}"))
    return such_as("dialplan:voicemail,s,1") if before == "dialplan" else ""


def _duration(written: object) -> str:
    return _duration_up_to(LONGEST_DAYS, written)


def _stored_for(written: object) -> str:
    """Handle a duration of storage, which is often written in weeks, months or years."""
    text = written.lower().replace(" ", "") if isinstance(written, str) else ""
    found = _LONG.fullmatch(text)
    if found is not None:
        days = int(found[1]) * _DAYS[found[2]]
        return write(f"{days}d") if 0 < days <= LONGEST_STORED_DAYS else ""
    if isinstance(written, int) and not isinstance(written, bool) and 0 < written < _NO_DAY:
        text = "a bare number is seconds: write {value} for days"
        return phrase("write-days", text, value=f"{written}d")
    return _duration_up_to(LONGEST_STORED_DAYS, written)


def _duration_up_to(days: int, written: object) -> str:
    try:
        seconds = parse_duration(written)
    except ValueError:
        text = written.lower() if isinstance(written, str) else ""
        spoken = None if text.startswith("0") else _SPOKEN.fullmatch(text)
        return write(f"{spoken[1]}{spoken[2]}") if spoken else ""
    if seconds <= days * 86400:
        return ""
    return phrase("at-most", "at most {value}", value=f"{days}d")


def _size(written: object) -> str:
    """Suggest the right form of a size such as ``20 gb``, or of a number of bytes."""
    if isinstance(written, int) and not isinstance(written, bool):
        if SMALLEST <= written <= LARGEST:
            return write(format_size(written))
        if not 0 < written < _NO_SIZE:
            return ""
        text = "write it with its unit, such as {value}"
        return phrase("write-with-unit", text, value=f"{written}GB")
    text = written.strip().lower() if isinstance(written, str) else ""
    found = _SPOKEN_SIZE.fullmatch(text)
    if found is None:
        return ""
    better = f"{found[1].replace(',', '.')}{found[2].upper()}{found[3]}B"
    return write(better) if SMALLEST <= parse_size(better) <= LARGEST else ""


def _holiday(text: str) -> str:
    plain = _date_of_peers(text)
    if plain:
        return write(plain)
    if _DATE.fullmatch(text):
        return phrase("no-such-day", "there is no such day")
    first, dots, last = text.partition("..")
    if dots and _DATE.fullmatch(first) and _DATE.fullmatch(last) and last < first:
        return phrase("range-ends-first", "a range must not end before it begins")
    like = text[:1].isdigit() and (".." in text or " " in text or len(text) <= 5)
    if not like or "-" not in text:
        return ""
    forms = 'each year "12-26", a range "2026-12-24..2027-01-01", half a day "2026-12-24 13:00-"'
    return phrase("forms-of-holidays", forms)


def _date_of_peers(text: str) -> str:
    """Return ``25.12.2026`` as 2026-12-25; empty: it is no such date.

    With slashes only what can be read in one way is: ``25/12/2026``, and not ``03/04/2026``.
    """
    found = _DAY_FIRST.fullmatch(text)
    if found is None:
        return ""
    day, sign, month, year = found.groups()
    if sign != "." and int(month) > 12:
        day, month = month, day
    elif sign != "." and int(day) <= 12 and day != month:
        return ""
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return ""


def _country(text: str) -> str:
    """Suggest the code for one in small letters, or for what people take for the code."""
    code = _COUNTRIES.get(text.upper(), text.upper())
    try:
        return write(known_country(code)) if code != text else ""
    except ValueError:
        return ""


def hours(text: str) -> str:
    """Suggest the right form of days and times such as ``Mo-Fr 9am-5pm``; empty: none is clear."""
    better = _DASHES.sub("-", text[:_MOST_OF_HOURS].lower())
    better = _SETS_OF_DAYS.sub(lambda found: _DAYS_OF[found[1]], better)
    better = _DAY_NAMES.sub(lambda found: f"{_DAY_OF[found[1]]}", better)
    better = _TIME_OF_DAY.sub(_on_24_hours, better)
    if better[:1].isdigit():
        better = f"daily {better}"
    try:
        parse_spans(better)
    except ValueError:
        return ""
    return write(better)


def _on_24_hours(found: re.Match[str]) -> str:
    hour, minutes, half = int(found[1]), found[2] or "00", found[3]
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    return f"{hour:02}:{minutes}"


def _number(text: str) -> str:
    return write("withheld") if text and withheld(text) else ""


def _comparison(text: str) -> str:
    """Suggest the right form for a comparison written as in programs: ``== 3``, ``=> 3``."""
    found = _COMPARED.fullmatch(text)
    if found is None:
        return ""
    sign = _SIGNS.get(found[1], "")
    return write(f'"{sign} {found[2]}"') if sign else ""


def as_text(written: object, fits: Callable[[str], bool]) -> str:
    """Suggest how to write a number, or true or false, where a text belongs; empty: in no way.

    Args:
        written: The value. The spelling of a float is no longer known.
        fits: Tells whether a text would do.
    """
    text = str(written).lower()
    if fits(text):
        if isinstance(written, float):
            return phrase("put-in-quotes", "put it in quotes")
        return phrase("put-in-quotes-as", "put it in quotes: {value}", value=f'"{text}"')
    if isinstance(written, bool | float):
        return ""
    if fits(f"127.0.0.1:{text}"):
        return write(f"127.0.0.1:{text}")
    better = next((f'"{sign}{text}"' for sign in "+*" if fits(sign + text)), "")
    if better.startswith('"+') and len(text) >= _NUMBER and not _is_possible(f"+{text}"):
        return ""  # a national number without its first 0, which no + makes international
    return write(better) if better else ""


def _is_possible(number: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


def _name(written: object) -> str:
    return as_name(written) if isinstance(written, str) else ""


def as_name(text: str) -> str:
    """Suggest the nearest name; empty for what may be a secret, or has no letter of a name."""
    if without_secret(text) != text:
        return ""
    better = "".join(c if c.isalnum() and c.isascii() else "-" for c in text.lower()).strip("-")
    if not better or len(better) > 64:
        return ""
    return phrase("such-as-quoted", "such as '{example}'", example=better)


def _url(written: object) -> str:
    found = _PLACE.fullmatch(written) if isinstance(written, str) else None
    return write(f"http://{written}") if found else ""


def _phone(written: object) -> str:
    """Handle an extension or a phone number where a phone is expected.

    Up to 6 digits are an extension. The hint is empty for what is neither.
    """
    text = str(written) if isinstance(written, str | int) and not isinstance(written, bool) else ""
    if text.isascii() and text.isdigit() and len(text) <= _MOST_OF_AN_EXTENSION:
        return write(f"PJSIP/{text}")
    for one in (text, f"+{text}"):
        try:
            written_as, value = "an outside number is written {value}", read_number(one)
            return phrase("outside-number-is", written_as, value=f'{{number: "{value}"}}')
        except ValueError:
            continue
    return ""


def _member(written: object) -> str:
    if isinstance(written, dict) and len(written) == 1:
        ((name, level),) = written.items()
        if isinstance(level, int) and not is_secret(name):
            text = "write '{value}' without the '-'"
            return phrase("write-without-dash", text, value=f"{name}: {level}")
    return ""


_OF_ANY: Final[Mapping[str, Callable[[object], str]]] = {
    "name": _name,
    "url": _url,
    "phone": _phone,
    "duration": _duration,
    "member": _member,
    "stored-for": _stored_for,
    "size": _size,
}
_OF_TEXT: Final[Mapping[str, Callable[[str], str]]] = {
    "comparison": _comparison,
    "number": _number,
    "holiday": _holiday,
    "country": _country,
}


def blank(written: object) -> str:
    """Handle text where a mapping is expected: ``agents:[alice]`` is text in YAML.

    The hint is empty if the text does not look like that.
    """
    found = _NO_BLANK.fullmatch(written) if isinstance(written, str) else None
    if not found:
        return ""
    return phrase("blank-after", "put a space after {key}", key=quoted(found[1] + ":"))


def policy(nearest: Nearest, name: str, known: frozenset[str]) -> str:
    """Suggest a policy.

    Args:
        nearest: Finds the right name for a mistyped one.
        name: The name as written; it may be that of app_queue or another product.
        known: The names of the policies that are installed.

    Returns:
        A hint; empty: no policy is close.
    """
    plain = name.lower().replace("_", "-").replace(" ", "-")
    ours = PEERS.get(plain)
    if ours in known:
        return phrase("called-here", "that is {name} here;", name=quoted(ours))
    return nearest.hint(name, known)
