"""The types of single values that have to do with telephones; see `callrouter.settings.schema.fields`."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from callrouter.model.text import phrase
from callrouter.settings.schema.fields import Expected, FromVariable, digits_as_text, one_of
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
    Expected(
        phrase(
            "expected-phone",
            "a phone such as {example} (letters, digits and . _ @ + - * after the /)",
            example="PJSIP/1001",
        ),
        "phone",
    ),
]
# A device's state source is parsed later, where mistakes can be explained more precisely.
StateSource = Annotated[
    str,
    Field(min_length=1, max_length=160),
    Expected(
        phrase(
            "expected-state",
            "a state such as {examples_or}",
            examples_or=("hint:1001@ext-local", "Custom:DND1001"),
        ),
        "form",
    ),
]
# Printable, without characters that would end the quoted value of a Variable header.
AlertInfo = Annotated[
    str,
    Field(pattern=r"^[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}$"),
    Expected(
        phrase(
            "expected-header",
            "the value of a header such as {example} (no quotes or backslashes)",
            example="<http://localhost>;info=ring3",
        )
    ),
]
PhoneCode = Annotated[
    str,
    Field(pattern=r"^(?:[*#]?[0-9]{1,6}|none)$"),
    Expected(phrase("expected-code", 'a code such as "*45" (in quotes), or none')),
]
Contacts = Annotated[Literal["all", "first"], Expected(one_of("all|first"), "all|first")]
Extension = Annotated[
    str,
    BeforeValidator(digits_as_text),
    Field(pattern="^[0-9]{1,12}$"),
    Expected(
        phrase("expected-digits", "1 to 12 digits such as {example}", example="1001"), "digits"
    ),
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
    Expected(
        phrase(
            "expected-language",
            "a language as the PBX names its sounds, such as {examples_or}",
            examples_or=("en", "de_AT"),
        )
    ),
]
PhoneNumber = Annotated[
    str,
    AfterValidator(read_number),
    Expected(
        phrase(
            "expected-number",
            "an international number such as {example}, or a national one of numbers.region",
            example="+447700900123",
        )
    ),
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
    Expected(
        phrase(
            "expected-comparison",
            "a number of callers such as {examples_or}",
            examples_or=("0", '"> 20"', '"<= 3"'),
        ),
        "comparison",
    ),
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
    Expected(phrase("expected-account-sid", "an account SID (AC and 32 characters 0-9 a-f)")),
]
ApiKeySid = Annotated[
    str,
    Field(pattern="^SK[0-9a-f]{32}$"),
    Expected(phrase("expected-key-sid", "the SID of an API key (SK and 32 characters 0-9 a-f)")),
]
MediaUrl = Annotated[
    str,
    Field(pattern=r"^https?://[^\s<>\"]{1,1000}$"),
    Expected(
        phrase(
            "expected-sound",
            "the address of a sound file, such as {example}",
            example="https://example.com/music.mp3",
        )
    ),
]
ContextName = Annotated[
    str,
    Field(pattern="^[A-Za-z0-9_.-]{1,79}$"),
    Expected(phrase("expected-name-like", "a name such as {example}", example="voicemail")),
]
CallsPerSecond = Annotated[
    float,
    Field(ge=0.1, le=100),
    FromVariable,
    Expected(
        phrase("expected-decimal", "a number from {least} to {most}", least=0.1, most=100), "int"
    ),
]


def _call_number(text: str) -> str:
    read_pattern(text)
    return text


CallNumber = Annotated[
    str,
    BeforeValidator(digits_as_text),
    AfterValidator(_call_number),
    Expected(
        phrase(
            "expected-caller",
            "a phone number such as {number}, or how one begins, such as {prefix}",
            number='"+44 20 7946 0018"',
            prefix='"+33*"',
        ),
        "number",
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
    Expected(phrase("expected-dial-string", "a dial string with exactly one {part}, such as {example}", part="{number}", example="PJSIP/{number}@carrier")),
]  # fmt: skip
MusicClass = Annotated[
    str,
    Field(pattern="^[A-Za-z0-9_.-]{1,79}$"),
    Expected(
        phrase(
            "expected-music",
            "the name of a music class of the PBX, such as {example}",
            example="default",
        )
    ),
]
Country = Annotated[
    str,
    Field(pattern="^[A-Z]{2}$"),
    AfterValidator(known_country),
    Expected(
        phrase(
            "expected-country", "a country of two capital letters, such as {example}", example="GB"
        ),
        "country",
    ),
]
Show = Annotated[
    Literal["caller", "business"], Expected(one_of("caller|business"), "caller|business")
]
NumberFormat = Annotated[
    Literal["e164", "plus", "national", "00"],
    Expected(one_of("e164|plus|national|00"), "e164|plus|national|00"),
]
DialNumbers = Annotated[
    list[DialNumber],
    Field(min_length=1, max_length=5),
]
RingAllWord = Annotated[Literal["each", "dial"], Expected(one_of("each|dial"), "each|dial")]
NumberType = Annotated[
    Literal["mobile", "fixed-line"], Expected(one_of("mobile|fixed-line"), "mobile|fixed-line")
]

_PLACES: Final = (
    r"hangup|queue:[a-z0-9][a-z0-9_-]{0,63}|dialplan:[A-Za-z0-9_.-]{1,79},"
    r"[A-Za-z0-9_.*#+@-]{1,79},(?:[1-9][0-9]{0,5}|[A-Za-z][A-Za-z0-9_-]{0,78})"
)
Target = Annotated[
    str,
    Field(pattern=f"^(?:{_PLACES})$"),
    Expected(
        phrase(
            "expected-choice",
            "{choices_or}",
            choices_or=("dialplan:CONTEXT,EXTENSION,PRIORITY", "queue:NAME", "hangup"),
        ),
        "target",
    ),
]
TargetOrWait = Annotated[
    str,
    Field(pattern=f"^(?:wait|{_PLACES})$"),
    Expected(
        phrase(
            "expected-choice",
            "{choices_or}",
            choices_or=("dialplan:CONTEXT,EXTENSION,PRIORITY", "queue:NAME", "hangup", "wait"),
        ),
        "target",
    ),
]
