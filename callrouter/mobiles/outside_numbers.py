"""Which numbers outside a caller may be passed on to: from typed text to E.164, or why not.

Toll fraud wants just this: calls at others' cost to numbers that earn from being called. So a number
is parsed like an own mobile (`number_policy`), which refuses emergency numbers, short codes and all
that costs more than a call to a person, and it must begin as the configuration says.

Calling codes are shared: +1 is also Jamaica and twenty other countries of the Caribbean whose numbers
cost many times as much, +44 is also Jersey and the Isle of Man, +7 is also Kazakhstan. So what is
allowed covers these others only if it has at least three digits after the calling code.
"""

from __future__ import annotations

from typing import Final

import phonenumbers

from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.mobiles.number_policy import (
    AcceptedNumber,
    RefusedNumber,
    Verdict,
    high_cost,
    read_number,
)
from callrouter.model.routing_table import OutsideTransfers
from callrouter.model.text import phrase

_MOST_DIGITS: Final = 15  # of E.164
_EVERYWHERE: Final = tuple(sorted(phonenumbers.SUPPORTED_REGIONS))
_MAIN: Final = {1: frozenset({"US", "CA"})}
"""The main countries of a calling code, where those are several."""
_NONE: Final = frozenset({"ZZ", "001"})
"""What `phonenumbers` says of a calling code that is not assigned, or belongs to no country."""
_ENOUGH: Final = 3
"""Digits after the calling code with which a beginning means what it says, whatever the country."""


def read_outside_number(text: str, rules: OutsideTransfers, region: str) -> Verdict:
    """Check a number to which a caller is to be passed on, as typed by a person.

    Args:
        text: whatever was typed.
        rules: what is allowed.
        region: the country (two letters) of numbers without ``+``; empty: none.
    """
    if not rules.allowed:
        return RefusedNumber(
            "outside-off",
            phrase(
                "outside-off",
                "callers are not passed on to numbers outside here (transfers: outside is not set)",
            ),
        )
    verdict = read_number(text, NumberSettings(region=region, countries=_EVERYWHERE))
    if isinstance(verdict, RefusedNumber):
        return verdict
    if any(_covers(begin, verdict) for begin in rules.allowed):
        return verdict
    allowed = ", ".join(rules.allowed)
    return RefusedNumber(
        "number-not-allowed",
        phrase(
            "outside-beginning",
            "numbers that begin like this are not allowed here (allowed: {allowed})",
            allowed=allowed,
        ),
    )


def _covers(begin: str, verdict: AcceptedNumber) -> bool:
    """Whether a beginning that is allowed covers a number."""
    if not verdict.number.startswith(begin):
        return False
    code = phonenumbers.parse(verdict.number).country_code or 0
    if len(begin) - len(f"+{code}") >= _ENOUGH:
        return True
    main = frozenset({phonenumbers.region_code_for_country_code(code)})
    return verdict.country in _MAIN.get(code, main)


def beginning_fault(begin: str) -> str:
    """What is wrong with a beginning that is to be allowed; empty if nothing is.

    Args:
        begin: ``+`` and digits.
    """
    if len(begin) > len("+") + _MOST_DIGITS:
        return phrase("beginning-too-long", "too many digits for a phone number")
    if not any(_is_country(begin[1 : 1 + length]) for length in (1, 2, 3)):
        return phrase("beginning-of-no-country", "no country has numbers that begin like this")
    expensive = high_cost(begin)
    return phrase("that-is-expensive", "that is {what}", what=expensive) if expensive else ""


def _is_country(digits: str) -> bool:
    if not digits or digits.startswith("0"):
        return False
    return phonenumbers.region_code_for_country_code(int(digits)) not in _NONE
