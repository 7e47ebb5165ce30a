"""The types of single values that have to do with telephones; see `callrouter.settings.schema.fields`."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from callrouter.settings.schema.fields import Expected, FromVariable, digits_as_text
from callrouter.settings.schema.number_parsing import (
    BEGINNING,
    known_country,
    read_beginning,
    read_number,
    read_pattern,
)
from callrouter.settings.schema.number_parsing import PATTERN as NUMBER_PATTERN
from callrouter.settings.schema.number_parsing import WRITTEN as WRITTEN_NUMBER

COMPARISON_PATTERN: Final = r"^(<=|>=|<|>|=)? ?(0|[1-9][0-9]{0,4})$"


def _comparison(text: str) -> str:
    text = text.strip()
    if not re.fullmatch(COMPARISON_PATTERN, text) or text in {"<0", "< 0"}:
        raise ValueError("no comparison")  # a count is never below 0
    return text


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
    BeforeValidator(digits_as_text),
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
NumberBeginning = Annotated[
    str,
    AfterValidator(read_beginning),
    Expected('how international numbers begin, such as "+44" or "+1 212 555 0100"', "number"),
    WithJsonSchema({"type": "string", "pattern": BEGINNING}),
]
"""``+`` and digits after parsing."""
Comparison = Annotated[
    str,
    BeforeValidator(digits_as_text),
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
    FromVariable,
    Expected("a number from 0.1 to 100", "int"),
]


def _call_number(text: str) -> str:
    read_pattern(text)
    return text


CallNumber = Annotated[
    str,
    BeforeValidator(digits_as_text),
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
MusicClass = Annotated[
    str,
    Field(pattern="^[A-Za-z0-9_.-]{1,79}$"),
    Expected("the name of a music class of the PBX, such as default"),
]
Country = Annotated[
    str,
    Field(pattern="^[A-Z]{2}$"),
    AfterValidator(known_country),
    Expected("a country of two capital letters, such as GB", "country"),
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
