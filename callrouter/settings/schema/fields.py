"""The types of single values: what is allowed, and how to explain it to a person.

Every type ends in `Expected`, so that users never see pydantic's own wording. The types that have
to do with telephones are in `callrouter.settings.schema.phone_fields`.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

from callrouter.model.hours import DayOff
from callrouter.model.text import phrase
from callrouter.settings.schema.durations import (
    DURATION_PATTERN,
    LONGEST_DAYS,
    LONGEST_STORED_DAYS,
    parse_duration,
)
from callrouter.settings.schema.sizes import LARGEST, SIZE_PATTERN, SMALLEST, parse_size
from callrouter.settings.yaml.substitution import Substituted

NAME_PATTERN: Final = "^[a-z0-9][a-z0-9_-]{0,63}$"
_DAY: Final = 86400
_LIKE_IPV4: Final = re.compile("[0-9.]+")


_WORDS: Final[dict[str, str]] = {}
"""What values must be, with the codes of the words: pydantic gives back plain text."""


_SCHEMAS: Final[dict[str, CoreSchema]] = {}
"""What values must be, as pydantic checks it, by the words for it."""


def fits(words: str, value: str) -> bool:
    """Whether a text would do where a value must be what these words say."""
    try:
        SchemaValidator(_SCHEMAS[words]).validate_python(value)
    except (KeyError, ValidationError):
        return False
    return True


def words_expected(text: str) -> str:
    """Return the words of an error of the type ``expected`` with their code, if they have one."""
    return _WORDS.get(text, text)


def one_of(choices: str) -> str:
    """Return the words for choices that are joined by ``|``."""
    return phrase("expected-choice", "{choices_or}", choices_or=choices.split("|"))


def address_such_as(example: str) -> str:
    """Return the words for an address of the web."""
    return phrase("expected-address", "an address such as {example}", example=example)


class Expected:
    """Replaces any error of a value by ``phrase``, as in "priority must be `phrase`, not 0".

    `kind` selects the hints for common mistakes: ``text`` (missing quotes), ``form`` (a text that is
    parsed later: no number would do in quotes), ``int`` (superfluous quotes or leading zeros), another kind known to `hints.value`, or the choices joined by ``|``.
    """

    def __init__(self, words: str, kind: str = "text") -> None:
        self.phrase = words
        self.kind = kind
        _WORDS[words] = words

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Wrap the schema of the value; see pydantic, "Custom types"."""
        schema = _SCHEMAS[self.phrase] = handler(source)
        return core_schema.custom_error_schema(
            schema,
            custom_error_type="expected",
            custom_error_message=self.phrase,
            custom_error_context={"kind": self.kind},
        )


def _number_of_variable(value: object) -> object:
    """Return the number if a ``${NAME}``, which always yields text, consists of digits.

    Any other value, and a number of more than 9 digits, is returned unchanged.
    """
    if isinstance(value, Substituted) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value


def digits_as_text(value: object) -> object:
    """Return a number as text: an agent called ``1001`` may be written without quotes in a list.

    Any other value is returned unchanged, also true and false.
    """
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("blank")
    return text


def real_address(host: str) -> str:
    """Return a host as it is.

    Raises:
        ValueError: it looks like an IP address and is none, such as ``10.0.0.300``.
    """
    if ":" in host or _LIKE_IPV4.fullmatch(host):
        ipaddress.ip_address(host)
    return host


def _real_listen_address(text: str) -> str:
    real_address(text.rpartition(":")[0].strip("[]"))
    return text


FromVariable: Final = BeforeValidator(_number_of_variable)

NAME_IS: Final = phrase(
    "expected-name",
    "small letters, digits, '-' and '_' ({most} at most, a letter or digit first)",
    most=64,
)
Name = Annotated[str, Field(pattern=NAME_PATTERN), Expected(NAME_IS, "name")]
ListedName = Annotated[
    str,
    BeforeValidator(digits_as_text),
    Field(pattern=NAME_PATTERN),
    Expected(NAME_IS, "member"),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": NAME_PATTERN}, {"type": "integer", "minimum": 0}]}
    ),
]
Text = Annotated[
    str,
    Field(min_length=1, max_length=200),
    AfterValidator(_not_blank),
    Expected(
        phrase("expected-text-length", "a text of {least} to {most} characters", least=1, most=200)
    ),
]
Secret = Annotated[
    str,
    Field(min_length=1, max_length=1000),
    Expected(phrase("expected-text", "a text, not empty")),
]
Token = Annotated[
    str,
    Field(min_length=16, max_length=1000),
    Expected(phrase("expected-long-text", "a text of at least {least} characters", least=16)),
]
Hash = Annotated[
    str,
    Field(pattern=r"^\$argon2id\$.+$", max_length=500),
    Expected(phrase("expected-hash", "a hash made by 'callrouter passwd' ($argon2id$…)")),
]
FilePath = Annotated[
    str,
    Field(min_length=1, max_length=4000, pattern="^[^\\x00]+$"),
    Expected(phrase("expected-file", "the name of a file")),
]
Bool = Annotated[
    bool, Expected(phrase("expected-choice", "{choices_or}", choices_or=("true", "false")), "bool")
]
NotYet = Annotated[
    Literal[False], Expected(phrase("expected-false", "false in this version"), "off")
]

Priority = Annotated[
    int,
    Field(ge=1, le=100),
    Expected(
        phrase("expected-whole", "a whole number from {least} to {most}", least=1, most=100), "int"
    ),
]
Skill = Annotated[
    int,
    Field(ge=0, le=100),
    Expected(
        phrase("expected-whole", "a whole number from {least} to {most}", least=0, most=100), "int"
    ),
]
Capacity = Annotated[
    int,
    Field(ge=1, le=10),
    FromVariable,
    Expected(
        phrase("expected-whole", "a whole number from {least} to {most}", least=1, most=10), "int"
    ),
]
Percent = Annotated[
    int,
    Field(ge=1, le=100),
    FromVariable,
    Expected(
        phrase(
            "expected-percent", "a whole number from {least} to {most} (percent)", least=1, most=100
        ),
        "int",
    ),
]
Count = Annotated[
    int,
    Field(ge=0, le=1_000_000),
    FromVariable,
    Expected(phrase("expected-count", "a whole number, 0 or more"), "int"),
]
Seed = Annotated[int, FromVariable, Expected(phrase("expected-integer", "a whole number"), "int")]
Port = Annotated[
    int,
    Field(ge=1, le=65535),
    FromVariable,
    Expected(
        phrase("expected-whole", "a whole number from {least} to {most}", least=1, most=65535),
        "int",
    ),
]
AtOnce = Annotated[
    Annotated[int, Field(ge=1, le=10_000), FromVariable] | Literal["all"],
    Expected(phrase("expected-count-or-all", "a whole number from 1, or all"), "int"),
]

_DURATION_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": DURATION_PATTERN},
    ]
}
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(ge=0, le=LONGEST_DAYS * _DAY),
    Expected(
        phrase(
            "expected-duration",
            "a duration such as {examples_or}",
            examples_or=("20s", "5m", "1h30m"),
        ),
        "duration",
    ),
    WithJsonSchema(_DURATION_SCHEMA),
]
LongerThanZero = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(gt=0, le=LONGEST_DAYS * _DAY),
    Expected(
        phrase(
            "expected-duration-above-0",
            "a duration longer than 0, such as {examples_or}",
            examples_or=("20s", "5m", "1h30m"),
        ),
        "duration",
    ),
    WithJsonSchema(_DURATION_SCHEMA),
]
LastAgent = Annotated[
    Annotated[float, BeforeValidator(parse_duration), Field(gt=0, le=LONGEST_DAYS * _DAY)]
    | Literal["never"],
    Expected(
        phrase(
            "expected-duration-or-never",
            "a duration longer than 0 such as {example}, or never",
            example="8h",
        ),
        "duration",
    ),
    WithJsonSchema({"anyOf": [*_DURATION_SCHEMA["anyOf"], {"const": "never"}]}),
]
StoredFor = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(ge=_DAY, le=LONGEST_STORED_DAYS * _DAY),
    Expected(
        phrase("expected-days", "a duration of at least 1d, such as {example}", example="90d"),
        "stored-for",
    ),
    WithJsonSchema(_DURATION_SCHEMA),
]
StoredForOrNot = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(ge=0, le=LONGEST_STORED_DAYS * _DAY),
    Expected(
        phrase("expected-duration", "a duration such as {examples_or}", examples_or=("90d",)),
        "stored-for",
    ),
    WithJsonSchema(_DURATION_SCHEMA),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    Field(ge=SMALLEST, le=LARGEST),
    Expected(
        phrase(
            "expected-size",
            "a size from 10MB to 100TB, such as {examples_or}",
            examples_or=("500MB", "20GB"),
        ),
        "size",
    ),
    WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN}),
]
# Twilio signs this URL. Without TLS, an eavesdropper could read a signature and reuse it.
PublicUrl = Annotated[
    str,
    Field(
        pattern=r"^(?:https://[A-Za-z0-9._-]{1,253}|http://(?:127\.0\.0\.1|localhost))"
        r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,200})?$"
    ),
    Expected(address_such_as("https://calls.example.com")),
]
# Our URL for browsers. On a private network it may be without TLS.
SiteUrl = Annotated[
    str,
    Field(pattern=r"^https?://[A-Za-z0-9._-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,200})?$"),
    Expected(address_such_as("https://calls.example.com")),
]
MailAddress = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}$"),
    Expected(
        phrase("expected-mail", "a mail address such as {example}", example="sam@example.com")
    ),
]
Claim = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_:./-]{1,100}$"),
    Expected(phrase("expected-claim", "the name of a claim, such as {example}", example="email")),
]
Scope = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_:./-]{1,200}$"),
    Expected(phrase("expected-scope", "a scope, such as {example}", example="profile")),
]
Host = Annotated[
    str,
    Field(pattern="^[A-Za-z0-9._:-]{1,253}$"),
    AfterValidator(real_address),
    Expected(phrase("expected-host", "a host name or an IP address")),
]
Listen = Annotated[
    str,
    Field(pattern=r"^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253}):(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$"),
    AfterValidator(_real_listen_address),
    Expected(phrase("expected-listen", "an address and a port such as {example}", example="127.0.0.1:8080")),
]  # fmt: skip
PolicyName = Annotated[
    str,
    Field(min_length=1, max_length=100),
    Expected(
        phrase("expected-policy", "the name of a policy, such as {example}", example="priority"),
        "form",
    ),
]
Database = Annotated[
    str,
    Field(pattern=r"^(?:postgresql://.+|[^:]+|[^/]*:[^/].*)$", max_length=1000),
    Expected(phrase("expected-database", "the name of a SQLite file, or postgresql://…")),
]
Role = Annotated[
    Literal["agent", "supervisor", "admin"],
    Expected(one_of("agent|supervisor|admin"), "agent|supervisor|admin"),
]
TokenRole = Annotated[
    Literal["metrics", "agent", "supervisor", "admin"],
    Expected(one_of("metrics|agent|supervisor|admin"), "metrics|agent|supervisor|admin"),
]
SignInWord = Annotated[
    Literal["manual", "always"], Expected(one_of("manual|always"), "manual|always")
]
PauseEndWord = Annotated[
    Literal["tell", "resume", "sign-out"],
    Expected(one_of("tell|resume|sign-out"), "tell|resume|sign-out"),
]
RemovalsWord = Annotated[
    Literal["confirm", "at-once"], Expected(one_of("confirm|at-once"), "confirm|at-once")
]
NumberFateWord = Annotated[
    Literal["mask", "hash", "drop"], Expected(one_of("mask|hash|drop"), "mask|hash|drop")
]
QueueLogWord = Annotated[
    Literal["asterisk", "file", "both", "off"],
    Expected(one_of("asterisk|file|both|off"), "asterisk|file|both|off"),
]
ConfigWord = Annotated[
    Literal["files", "database"], Expected(one_of("files|database"), "files|database")
]
ApprovalWord = Annotated[
    Literal["none", "supervisor"], Expected(one_of("none|supervisor"), "none|supervisor")
]


# Days and times are parsed later, where mistakes can be explained more precisely.
HoursText = Annotated[
    str,
    Field(min_length=1, max_length=1000),
    Expected(
        phrase(
            "expected-hours", "days and times, such as {example}", example="mon-fri 09:00-17:30"
        ),
        "form",
    ),
]
_DAY_PATTERN: Final = "(?:[0-9]{4}-)?[0-9]{2}-[0-9]{2}"
_TIME_PATTERN: Final = "[0-9]{1,2}:[0-9]{2}"
_MIDNIGHT: Final = 24 * 60


_HOLIDAY: Final = re.compile(
    rf"({_DAY_PATTERN})(?:\.\.({_DAY_PATTERN}))?(?: +({_TIME_PATTERN})?-({_TIME_PATTERN})?)?"
)
_HOLIDAY_PATTERN: Final = (
    rf"^{_DAY_PATTERN}(?:\.\.{_DAY_PATTERN})?(?: +(?:{_TIME_PATTERN})?-(?:{_TIME_PATTERN})?)?$"
)
_LEAP: Final = 2024


def _holiday(value: object) -> object:
    """Return a day off; anything else is rejected for what it is.

    Raises:
        ValueError: it is not a calendar day, or ends before it begins.
    """
    found = _HOLIDAY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    first = _day(found[1])
    last = _day(found[2]) if found[2] else first
    yearly = len(found[1]) == len("12-25")
    if found[2] and len(found[1]) != len(found[2]):
        raise ValueError("one end has a year and the other has none")
    if not yearly and last < first:
        raise ValueError("it ends before it begins")
    timed = " " in found[0]
    start, end = (_minutes(found[3]) or 0, _minutes(found[4])) if timed else (0, None)
    end = _MIDNIGHT if end is None else end
    if timed and (end <= start or not (found[3] or found[4])):
        raise ValueError("it is no part of a day")
    if not yearly and first == last and not timed:
        return first
    return DayOff(first, last, yearly=yearly, start=start, end=end)


def _day(text: str) -> date:
    """Return a day; one without a year is placed in a leap year, so that 29 February is valid.

    Raises:
        ValueError: there is no such day.
    """
    return date.fromisoformat(text if len(text) > len("12-25") else f"{_LEAP}-{text}")


def _minutes(text: str | None) -> int | None:
    if not text:
        return None
    minutes = int(text[:-3]) * 60 + int(text[-2:])
    if minutes > _MIDNIGHT or int(text[-2:]) > 59:
        raise ValueError("no time of day")
    return minutes


Holiday = Annotated[
    date | DayOff,
    BeforeValidator(_holiday),
    Expected(phrase("expected-date", "a date such as {example}", example="2026-12-25"), "holiday"),
    WithJsonSchema({"type": "string", "pattern": _HOLIDAY_PATTERN}),
]
