"""One spelling for the number a phone calls from, however a trunk writes it."""

from __future__ import annotations

from typing import Final

from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    format_number,
    is_possible_number,
    is_valid_number,
    parse,
)

FEWEST_OUTSIDE: Final = 7
"""Fewest digits of a number that is not an internal extension."""


def one_spelling(number: str, region: str) -> str:
    """A caller's number in E.164, so that ``+44…``, ``0044…``, ``44…`` and ``0…`` are one phone.

    Args:
        number: digits, with or without a plus, as claimed by a trunk.
        region: the home country, such as ``GB``; empty if unknown.

    Returns:
        the number, unchanged if it is an extension or can't be a number at all.
    """
    digits = number.lstrip("+")
    if len(digits) < FEWEST_OUTSIDE:
        return number
    readings = [f"+{digits}"] if number.startswith("+") else [number, f"+{digits}"]
    possible = ""
    for text in readings:
        try:
            parsed = parse(text, region or None)
        except NumberParseException:
            continue
        if is_valid_number(parsed):
            return format_number(parsed, PhoneNumberFormat.E164)
        if is_possible_number(parsed):
            possible = possible or format_number(parsed, PhoneNumberFormat.E164)
    return possible or digits.lstrip("0")
