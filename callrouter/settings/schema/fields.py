"""The types of single values: what is allowed, and how to explain it to a person.

Every type ends in `Expected`, so that users never see pydantic's own wording.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from callrouter.model.hours import DayOff
from callrouter.settings.builders.number_parsing import PATTERN as NUMBER_PATTERN
from callrouter.settings.builders.number_parsing import WRITTEN as WRITTEN_NUMBER
from callrouter.settings.builders.number_parsing import read_number, read_pattern
from callrouter.settings.schema.durations import DURATION_PATTERN, LONGEST_DAYS, parse_duration
from callrouter.settings.yaml.substitution import Substituted

NAME_PATTERN: Final = "^[a-z0-9][a-z0-9_-]{0,63}$"
_DAY: Final = 86400


class Expected:
    """Replaces any error of a value by ``phrase``, as in "priority must be `phrase`, not 0".

    `kind` selects the hints for common mistakes: ``text`` (missing quotes), ``int`` (superfluous
    quotes or leading zeros), another kind known to `hints.value`, or the choices joined by ``|``.
    """

    def __init__(self, phrase: str, kind: str = "text") -> None:
        self.phrase = phrase
        self.kind = kind

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Wrap the schema of the value; see pydantic, "Custom types"."""
        return core_schema.custom_error_schema(
            handler(source),
            custom_error_type="expected",
            custom_error_message=self.phrase,
            custom_error_context={"kind": self.kind},
        )


def _number_from_outside(value: object) -> object:
    """``${NAME}`` always yields text; accept digits where a number is expected."""
    if isinstance(value, Substituted) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value


def _name_of_digits(value: object) -> object:
    """An agent called ``1001`` may be written without quotes in a list."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


COMPARISON_PATTERN: Final = r"^(<=|>=|<|>|=)? ?(0|[1-9][0-9]{0,4})$"


def _comparison(text: str) -> str:
    text = text.strip()
    if not re.fullmatch(COMPARISON_PATTERN, text) or text in {"<0", "< 0"}:
        raise ValueError("no comparison")  # a count is never below 0
    return text


_Number: Final = BeforeValidator(_number_from_outside)

NAME_IS: Final = "small letters, digits, '-' and '_' (64 at most, a letter or digit first)"
Name = Annotated[str, Field(pattern=NAME_PATTERN), Expected(NAME_IS)]
ListedName = Annotated[
    str,
    BeforeValidator(_name_of_digits),
    Field(pattern=NAME_PATTERN),
    Expected(NAME_IS, "member"),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": NAME_PATTERN}, {"type": "integer", "minimum": 0}]}
    ),
]
Text = Annotated[
    str, Field(min_length=1, max_length=200), Expected("a text of 1 to 200 characters")
]
Secret = Annotated[str, Field(min_length=1, max_length=1000), Expected("a text, not empty")]
Token = Annotated[
    str, Field(min_length=16, max_length=1000), Expected("a text of at least 16 characters")
]
Hash = Annotated[
    str,
    Field(pattern=r"^\$argon2id\$.+$", max_length=500),
    Expected("a hash made by 'callrouter passwd' ($argon2id$…)"),
]
FilePath = Annotated[
    str, Field(min_length=1, max_length=4000, pattern="^[^\\x00]+$"), Expected("the name of a file")
]
Bool = Annotated[bool, Expected("true or false", "bool")]
NotYet = Annotated[Literal[False], Expected("false in this version", "off")]

Priority = Annotated[int, Field(ge=1, le=100), Expected("a whole number from 1 to 100", "int")]
Skill = Annotated[int, Field(ge=0, le=100), Expected("a whole number from 0 to 100", "int")]
Capacity = Annotated[
    int, Field(ge=1, le=10), _Number, Expected("a whole number from 1 to 10", "int")
]
Percent = Annotated[
    int, Field(ge=1, le=100), _Number, Expected("a whole number from 1 to 100 (percent)", "int")
]
Count = Annotated[
    int, Field(ge=0, le=1_000_000), _Number, Expected("a whole number, 0 or more", "int")
]
Seed = Annotated[int, _Number, Expected("a whole number", "int")]
Port = Annotated[
    int, Field(ge=1, le=65535), _Number, Expected("a whole number from 1 to 65535", "int")
]
AtOnce = Annotated[
    Annotated[int, Field(ge=1, le=10_000), _Number] | Literal["all"],
    Expected("a whole number from 1, or all", "int"),
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
    Expected("a duration such as 20s, 5m or 1h30m", "duration"),
    WithJsonSchema(_DURATION_SCHEMA),
]
LongerThanZero = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(gt=0, le=LONGEST_DAYS * _DAY),
    Expected("a duration longer than 0, such as 20s, 5m or 1h30m", "duration"),
    WithJsonSchema(_DURATION_SCHEMA),
]
LastAgent = Annotated[
    Annotated[float, BeforeValidator(parse_duration), Field(gt=0, le=LONGEST_DAYS * _DAY)]
    | Literal["never"],
    Expected("a duration longer than 0 such as 8h, or never", "duration"),
    WithJsonSchema({"anyOf": [*_DURATION_SCHEMA["anyOf"], {"const": "never"}]}),
]

# Days and times are parsed later, where mistakes can be explained more precisely.
HoursText = Annotated[
    str,
    Field(min_length=1, max_length=1000),
    Expected("days and times, such as mon-fri 09:00-17:30"),
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
    """Return a day; one without a year is placed in a leap year, so that 29 February is valid."""
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
    Expected("a date such as 2026-12-25", "holiday"),
    WithJsonSchema({"type": "string", "pattern": _HOLIDAY_PATTERN}),
]

# No & , ; | $ { } ( ) quotes or spaces: each has a meaning in a dial string or in AMI.
Endpoint = Annotated[
    str,
    Field(pattern="^[A-Za-z][A-Za-z0-9]{0,15}/[A-Za-z0-9*+_.][A-Za-z0-9._@+*:/-]{0,119}$"),
    Expected("a phone such as PJSIP/1001 (letters, digits and . _ @ + - * after the /)", "phone"),
]
# A device's state source is parsed later, where mistakes can be explained more precisely.
StateSource = Annotated[
    str,
    Field(min_length=1, max_length=160),
    Expected("a state such as hint:1001@ext-local or Custom:DND1001"),
]
# Printable, without characters that would end the quoted value of a Variable header.
AlertInfo = Annotated[
    str,
    Field(pattern=r"^[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}$"),
    Expected(
        "the value of a header such as <http://localhost>;info=ring3 (no quotes or backslashes)"
    ),
]
PhoneCode = Annotated[
    str,
    Field(pattern=r"^(?:[*#]?[0-9]{1,6}|none)$"),
    Expected('a code such as "*45" (in quotes), or none'),
]
Contacts = Annotated[Literal["all", "first"], Expected("all or first", "all|first")]
Extension = Annotated[
    str,
    BeforeValidator(_name_of_digits),
    Field(pattern="^[0-9]{1,12}$"),
    Expected("1 to 12 digits such as 1001", "digits"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^[0-9]{1,12}$"},
                {"type": "integer", "minimum": 0, "maximum": 999_999_999_999},
            ]
        }
    ),
]
Language = Annotated[
    str,
    Field(pattern="^[A-Za-z]{2,3}([_-][A-Za-z0-9]{1,8}){0,3}$"),
    Expected("a language as the PBX names its sounds, such as en or de_AT"),
]
PhoneNumber = Annotated[
    str,
    AfterValidator(read_number),
    Expected("an international number such as +447700900123, or a national one of numbers.region"),
    WithJsonSchema({"type": "string", "pattern": WRITTEN_NUMBER}),
]
"""E.164 after parsing."""
Comparison = Annotated[
    str,
    BeforeValidator(_name_of_digits),
    AfterValidator(_comparison),
    Expected('a number of callers such as 0, "> 20" or "<= 3"', "comparison"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": COMPARISON_PATTERN},
                {"type": "integer", "minimum": 0, "maximum": 99_999},
            ]
        }
    ),
]


AccountSid = Annotated[
    str,
    Field(pattern="^AC[0-9a-f]{32}$"),
    Expected("an account SID (AC and 32 characters 0-9 a-f)"),
]
ApiKeySid = Annotated[
    str,
    Field(pattern="^SK[0-9a-f]{32}$"),
    Expected("the SID of an API key (SK and 32 characters 0-9 a-f)"),
]
# Twilio signs this URL. Without TLS, an eavesdropper could read a signature and reuse it.
PublicUrl = Annotated[
    str,
    Field(
        pattern=r"^(?:https://[A-Za-z0-9._-]{1,253}|http://(?:127\.0\.0\.1|localhost))"
        r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,200})?$"
    ),
    Expected("an address such as https://calls.example.com"),
]
# Our URL for browsers. On a private network it may be without TLS.
SiteUrl = Annotated[
    str,
    Field(pattern=r"^https?://[A-Za-z0-9._-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,200})?$"),
    Expected("an address such as https://calls.example.com"),
]
MediaUrl = Annotated[
    str,
    Field(pattern=r"^https?://[^\s<>\"]{1,1000}$"),
    Expected("the address of a sound file, such as https://example.com/music.mp3"),
]
ContextName = Annotated[
    str,
    Field(pattern="^[A-Za-z0-9_.-]{1,79}$"),
    Expected("a name such as voicemail"),
]
CallsPerSecond = Annotated[
    float,
    Field(ge=0.1, le=100),
    _Number,
    Expected("a number from 0.1 to 100", "int"),
]


def _call_number(text: str) -> str:
    read_pattern(text)
    return text


CallNumber = Annotated[
    str,
    BeforeValidator(_name_of_digits),
    AfterValidator(_call_number),
    Expected(
        'a phone number such as "+44 20 7946 0018", or how one begins, such as "+33*"', "number"
    ),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": NUMBER_PATTERN},
                {"type": "integer", "minimum": 0},
            ]
        }
    ),
]
DialNumber = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9]{0,15}/[A-Za-z0-9._@+:/-]{0,100}\{number\}[A-Za-z0-9._@+:/-]{0,100}$"),
    Expected("a dial string with exactly one {number}, such as PJSIP/{number}@carrier"),
]  # fmt: skip
Host = Annotated[
    str, Field(pattern="^[A-Za-z0-9._:-]{1,253}$"), Expected("a host name or an IP address")
]
Listen = Annotated[
    str,
    Field(pattern=r"^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253}):(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$"),
    Expected("an address and a port such as 127.0.0.1:8080"),
]  # fmt: skip
MusicClass = Annotated[
    str,
    Field(pattern="^[A-Za-z0-9_.-]{1,79}$"),
    Expected("the name of a music class of the PBX, such as default"),
]
PolicyName = Annotated[
    str, Field(min_length=1, max_length=100), Expected("the name of a policy, such as priority")
]
Country = Annotated[
    str, Field(pattern="^[A-Z]{2}$"), Expected("a country of two capital letters, such as GB")
]
Database = Annotated[
    str,
    Field(pattern=r"^(?:postgresql://.+|[^:]+|[^/]*:[^/].*)$", max_length=1000),
    Expected("the name of a SQLite file, or postgresql://…"),
]
Role = Annotated[
    Literal["agent", "supervisor", "admin"],
    Expected("agent, supervisor or admin", "agent|supervisor|admin"),
]
TokenRole = Annotated[
    Literal["metrics", "agent", "supervisor", "admin"],
    Expected("metrics, agent, supervisor or admin", "metrics|agent|supervisor|admin"),
]
Show = Annotated[Literal["caller", "business"], Expected("caller or business", "caller|business")]
NumberFormat = Annotated[
    Literal["e164", "plus", "national", "00"],
    Expected("e164, plus, national or 00", "e164|plus|national|00"),
]
DialNumbers = Annotated[
    list[DialNumber],
    Field(min_length=1, max_length=5),
]
RingAllWord = Annotated[Literal["each", "dial"], Expected("each or dial", "each|dial")]
SignInWord = Annotated[Literal["manual", "always"], Expected("manual or always", "manual|always")]
PauseEndWord = Annotated[
    Literal["tell", "resume", "sign-out"],
    Expected("tell, resume or sign-out", "tell|resume|sign-out"),
]
RemovalsWord = Annotated[
    Literal["confirm", "at-once"], Expected("confirm or at-once", "confirm|at-once")
]
ApprovalWord = Annotated[
    Literal["none", "supervisor"], Expected("none or supervisor", "none|supervisor")
]
NumberType = Annotated[
    Literal["mobile", "fixed-line"], Expected("mobile or fixed-line", "mobile|fixed-line")
]

_PLACES: Final = (
    r"hangup|queue:[a-z0-9][a-z0-9_-]{0,63}|dialplan:[A-Za-z0-9_.-]{1,79},"
    r"[A-Za-z0-9_.*#+@-]{1,79},(?:[1-9][0-9]{0,5}|[A-Za-z][A-Za-z0-9_-]{0,78})"
)
Target = Annotated[
    str,
    Field(pattern=f"^(?:{_PLACES})$"),
    Expected("dialplan:CONTEXT,EXTENSION,PRIORITY, queue:NAME or hangup", "target"),
]
TargetOrWait = Annotated[
    str,
    Field(pattern=f"^(?:wait|{_PLACES})$"),
    Expected("dialplan:CONTEXT,EXTENSION,PRIORITY, queue:NAME, hangup or wait", "target"),
]
