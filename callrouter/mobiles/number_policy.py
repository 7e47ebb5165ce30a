"""Which phone numbers may be registered: from typed text to E.164, or the reason for refusal.

The `phonenumbers` library is lenient (letters, Arabic digits, ``;phone-context=``). So its input is
checked first, and only its E.164 result is used. Its number types do not cover everything expensive
(it takes satellite phones for mobiles), so calling codes that belong to no country are refused
separately. Countries are those of the number and not of the calling code: +1 is not only the United
States.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, TypeAlias

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType, shortnumberinfo

from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.model.phone_numbers import E164
from callrouter.model.text import phrase

_SHORTEST_MOBILE: Final = len("+1234567")
_LONGEST_TEXT: Final = 40
_MOST_DIGITS: Final = 17
"""15 digits of E.164, and two for a 00 in front."""
_WRITTEN: Final = re.compile(r"[0-9+(][0-9+() .-]*")
_WITH_LETTERS: Final = re.compile(r"[0-9+(][A-Za-z0-9+() .-]*")
_EXTENSION: Final = re.compile(
    r"(?i)[0-9)\s]\s*(?:;\s*ext|ext|extn|x|durchwahl|#)[.:=\s]*[0-9]+\s*$"
)
_PLUS: Final = re.compile(r"[ (]*\+[^+]*")
_DRAMA: Final = re.compile(r"\+447700900[0-9]{3}")
"""Mobile numbers that Ofcom reserves for drama. They ring no phone and are accepted for trials.

`phonenumbers` does not consider them valid, although it accepts those of other countries.
"""
_EMERGENCY: Final = frozenset({"000", "110", "112", "118", "119", "911", "999"})
"""Emergency numbers that people dial abroad as well. Never a mobile, whatever the region."""

_SATELLITE_NETWORK: Final = (
    "satellite",
    phrase("kind-satellite-network", "a number of an international or satellite network"),
)
_NO_COUNTRY: Final = {
    "+800": ("freephone", phrase("kind-intl-freephone", "an international freephone number")),
    "+808": ("shared-cost", phrase("kind-intl-shared-cost", "an international shared-cost number")),
    "+870": ("satellite", phrase("kind-inmarsat", "a satellite number (Inmarsat)")),
    "+878": ("personal-number", phrase("kind-universal-personal", "a universal personal number")),
    "+881": ("satellite", phrase("kind-satellite", "a satellite number")),
    "+882": _SATELLITE_NETWORK,
    "+883": _SATELLITE_NETWORK,
    "+888": ("not-allowed", phrase("kind-disaster-relief", "a number of disaster relief")),
    "+979": ("premium", phrase("kind-intl-premium", "an international premium-rate number")),
}
_KINDS: Final = {
    PhoneNumberType.PREMIUM_RATE: ("premium", phrase("kind-premium", "a premium-rate number")),
    PhoneNumberType.SHARED_COST: (
        "shared-cost",
        phrase("kind-shared-cost", "a shared-cost number"),
    ),
    PhoneNumberType.PERSONAL_NUMBER: (
        "personal-number",
        phrase("kind-personal", "a personal number, which costs extra"),
    ),
    PhoneNumberType.TOLL_FREE: ("freephone", phrase("kind-freephone", "a freephone number")),
    PhoneNumberType.UAN: ("uan", phrase("kind-uan", "a company's universal access number")),
    PhoneNumberType.PAGER: ("pager", phrase("kind-pager", "a pager")),
    PhoneNumberType.VOICEMAIL: ("voicemail", phrase("kind-voicemail", "a voicemail")),
    PhoneNumberType.VOIP: ("voip", phrase("kind-voip", "an internet telephony number")),
    PhoneNumberType.UNKNOWN: ("unknown-type", phrase("kind-unknown", "a number of no known kind")),
}
_TYPES: Final = {
    PhoneNumberType.MOBILE: frozenset({"mobile"}),
    PhoneNumberType.FIXED_LINE: frozenset({"fixed-line"}),
    # In North America the two can't be told apart.
    PhoneNumberType.FIXED_LINE_OR_MOBILE: frozenset({"mobile", "fixed-line"}),
}
_TYPE_WORDS: Final = {
    "mobile": phrase("kind-mobiles", "mobiles"),
    "fixed-line": phrase("kind-fixed-lines", "fixed lines"),
}


@dataclass(frozen=True, slots=True)
class AcceptedNumber:
    """A number that may be registered, in E.164, and its country."""

    number: str
    country: str


@dataclass(frozen=True, slots=True)
class RefusedNumber:
    """A number that is refused. `kind` is stable; `text` is the reason, for people."""

    kind: str
    text: str


Verdict: TypeAlias = AcceptedNumber | RefusedNumber

_UNKNOWN_COUNTRY: Final = phrase(
    "number-unknown-country", "no country has numbers that begin like this"
)
_EMERGENCY_NUMBER: Final = RefusedNumber(
    "emergency", phrase("number-emergency", "that is an emergency number")
)
_TOO_MANY_DIGITS: Final = RefusedNumber(
    "too-long", phrase("number-too-many-digits", "too many digits for a phone number")
)
_NATIONAL_NUMBER: Final = RefusedNumber(
    "no-country",
    phrase(
        "number-no-country",
        "the number has no country: begin it with + and the country, such as +44",
    ),
)


def read_number(text: str, settings: NumberSettings) -> Verdict:
    """Check a number as typed by a person."""
    fault = _written_wrongly(text)
    if fault is not None:
        return fault
    digits = "".join(c for c in text if c.isdigit())
    international = bool(_PLUS.fullmatch(text))
    if not international and digits.startswith("00"):
        international, digits = True, digits.removeprefix("00")
    fault = _no_persons_number(digits, settings.region, international=international)
    if fault is not None:
        return fault
    try:
        # The brackets of "+44 (0)20" are parsed with the rest; blanks have no meaning.
        parsed = phonenumbers.parse(
            f"+{digits}" if international else digits, None if international else settings.region
        )
    except NumberParseException as error:
        return _unreadable(error, settings.region)
    return _judge(parsed, settings)


def is_mobile_form(number: str) -> bool:
    """Whether a number is E.164 and has the 7 digits that any mobile has at least."""
    return len(number) >= _SHORTEST_MOBILE and E164.fullmatch(number) is not None


def form_fault(number: str) -> str:
    """What is wrong with the form of a configured number; empty if it is valid.

    Its country and type are not checked: for a configured number they are the supervisors' choice.
    """
    if not is_mobile_form(number):
        return phrase(
            "number-not-international", "not an international number such as +447700900123"
        )
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        return _UNKNOWN_COUNTRY
    fault = _impossible(parsed)
    if fault:
        return fault[1]
    return (
        "" if _e164(parsed) == number else phrase("number-not-in-form", "not in international form")
    )


def high_cost(number: str) -> str:
    """What makes calls to a number (E.164) expensive or impossible, in words; empty if nothing."""
    special = _no_country(number)
    if special is not None:
        return special[1]
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        return ""
    kind = _KINDS.get(phonenumbers.number_type(parsed))
    return kind[1] if kind is not None and kind[0] in {"premium", "shared-cost"} else ""


def country_of(number: str) -> str:
    """The country of a number (E.164) as two letters; empty if it has none."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except NumberParseException:
        return ""


# ---------------------------------------------------------------- as written


def _written_wrongly(text: str) -> RefusedNumber | None:
    """Why a text is not written like a phone number; None if it is."""
    if not text.strip():
        return RefusedNumber(
            "empty", phrase("number-empty", "give a number, such as +447700900123")
        )
    if len(text) > _LONGEST_TEXT:
        return RefusedNumber("too-long", phrase("number-too-long", "too long for a phone number"))
    kinds = {unicodedata.category(c) for c in text}
    if kinds & {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}:
        return RefusedNumber(
            "hidden-character",
            phrase("number-hidden-character", "it has an invisible character"),
        )
    if any(c.isdigit() and not c.isascii() for c in text):
        return RefusedNumber(
            "foreign-digits", phrase("number-foreign-digits", "write the digits as 0 to 9")
        )
    if text.strip()[0] in "*#":
        return RefusedNumber(
            "code", phrase("number-is-code", "that is a code for a telephone system, not a number")
        )
    if _EXTENSION.search(text):
        return RefusedNumber(
            "extension",
            phrase("number-with-extension", "a number with an extension can't be called by itself"),
        )
    if not _WRITTEN.fullmatch(text.strip()) or not any(map(str.isdigit, text)):
        if _WITH_LETTERS.fullmatch(text.strip()) and re.search("[A-Za-z]", text):
            return RefusedNumber(
                "letters", phrase("number-letters", "write digits in place of letters")
            )
        text = phrase(
            "number-characters",
            "only digits, blanks, brackets, dots and dashes can stand in a "
            "number, and a + in front",
        )
        return RefusedNumber("not-a-number", text)
    if "+" in text and not _PLUS.fullmatch(text):
        return RefusedNumber(
            "not-a-number", phrase("number-plus", "a + can only be the first character")
        )
    return None


def _no_persons_number(digits: str, region: str, *, international: bool) -> RefusedNumber | None:
    """Why digits can't be a person's number in any country; None if they can."""
    if digits in _EMERGENCY or (
        region and not international and shortnumberinfo.is_emergency_number(digits, region)
    ):
        return _EMERGENCY_NUMBER
    if len(digits) > _MOST_DIGITS:
        return _TOO_MANY_DIGITS
    special = _no_country(f"+{digits}") if international else None
    if special is not None:
        return RefusedNumber(
            special[0], phrase("number-is-kind", "that is {kind}", kind=special[1])
        )
    if not international and len(digits) <= 6:
        return RefusedNumber(
            "short-code", phrase("number-too-short", "too short: a short code or an extension")
        )
    if not international and not region:
        return _NATIONAL_NUMBER
    return None


def _unreadable(error: NumberParseException, region: str) -> RefusedNumber:
    match error.error_type:
        case NumberParseException.INVALID_COUNTRY_CODE:
            if region:
                return RefusedNumber("no-country", _UNKNOWN_COUNTRY)
            return _NATIONAL_NUMBER
        case NumberParseException.TOO_LONG:
            return _TOO_MANY_DIGITS
        case NumberParseException.TOO_SHORT_NSN | NumberParseException.TOO_SHORT_AFTER_IDD:
            return RefusedNumber(
                "too-short", phrase("number-too-few-digits", "too few digits for a phone number")
            )
        case _:
            return RefusedNumber(
                "not-a-number", phrase("number-is-none", "that is not a phone number")
            )


# ---------------------------------------------------------------- what it is


def _judge(parsed: PhoneNumber, settings: NumberSettings) -> Verdict:
    """Classify a number, and decide whether it may be registered."""
    number = _e164(parsed)
    if _DRAMA.fullmatch(number):
        return _allowed(PhoneNumberType.MOBILE, number, "GB", settings)
    country = phonenumbers.region_code_for_number(
        parsed
    ) or phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    national = str(parsed.national_number)
    if shortnumberinfo.is_emergency_number(national, country):
        return _EMERGENCY_NUMBER
    fault = _impossible(parsed)
    if fault:
        return RefusedNumber(fault[0], fault[1])
    if not phonenumbers.is_valid_number(parsed) or not is_mobile_form(number):
        return RefusedNumber(
            "no-number", phrase("number-does-not-exist", "there is no such number in its country")
        )
    return _allowed(phonenumbers.number_type(parsed), number, country, settings)


def _allowed(type_: int, number: str, country: str, settings: NumberSettings) -> Verdict:
    kind = _KINDS.get(type_)
    if kind is not None:
        return RefusedNumber(kind[0], phrase("number-is-kind", "that is {kind}", kind=kind[1]))
    if country not in settings.allowed:
        allowed = ", ".join(settings.allowed) or "none"
        return RefusedNumber(
            "country",
            phrase(
                "number-country",
                "numbers of {country} are not allowed here (allowed: {allowed})",
                country=country,
                allowed=allowed,
            ),
        )
    wanted = settings.types or tuple(_TYPE_WORDS)
    if not _TYPES[type_] & set(wanted):
        words: str = _TYPE_WORDS[wanted[0]]
        for name in wanted[1:]:
            words = phrase("and", "{first} and {second}", first=words, second=_TYPE_WORDS[name])
        return RefusedNumber(
            "type", phrase("number-types", "only {kinds} are allowed here", kinds=words)
        )
    return AcceptedNumber(number, country)


def _impossible(parsed: PhoneNumber) -> tuple[str, str] | None:
    """Why no number can have these digits, as a kind and in words; None if one can."""
    possible = phonenumbers.ValidationResult
    match phonenumbers.is_possible_number_with_reason(parsed):
        case possible.TOO_SHORT | possible.IS_POSSIBLE_LOCAL_ONLY:
            return "too-short", phrase(
                "number-too-few-for-country", "too few digits for a number of its country"
            )
        case possible.TOO_LONG:
            return "too-long", phrase(
                "number-too-many-for-country", "too many digits for a number of its country"
            )
        case possible.INVALID_COUNTRY_CODE:
            return "no-country", _UNKNOWN_COUNTRY
        case possible.INVALID_LENGTH:
            return "no-number", phrase(
                "number-length", "no number of its country has so many digits"
            )
        case _:
            return None


def _no_country(number: str) -> tuple[str, str] | None:
    """The kind of number, if its calling code belongs to no country; None otherwise."""
    return _NO_COUNTRY.get(number[:4])


def _e164(parsed: PhoneNumber) -> str:
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
