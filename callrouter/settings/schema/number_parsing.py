"""Parses phone numbers from the files into their comparable form (`callrouter.model.phone_numbers`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Final

import phonenumbers

from callrouter.model.phone_numbers import E164, NOWHERE, WITHHELD, Numbering
from callrouter.model.routing_table import NumberPattern

PATTERN: Final = r"^(?:withheld|(?=.*[0-9+])[ (]*(?:\+[ (]*)?(?:[0-9][0-9 .()-]*)?\*?)$"
"""For editors; `read_pattern` is stricter."""
WRITTEN: Final = r"^(?=.*[0-9])[ (]*(?:\+[ (]*)?[0-9][0-9 .()-]*$"
"""Pattern of a whole number, for editors."""
BEGINNING: Final = r"^\+[0-9][0-9 .()-]{0,38}$"
"""Pattern of how international numbers begin."""

_WRITTEN: Final = re.compile(r"[ (]*(?:\+[ (]*)?(?:[0-9][0-9 .()-]*)?\*?")
_IGNORED: Final = str.maketrans("", "", " .()-")
_NOT_DIALLED: Final = re.compile(r"\( *0 *\)")
_LONGEST: Final = 40
_HOME: ContextVar[Numbering] = ContextVar("home", default=NOWHERE)


@lru_cache(maxsize=8)
def numbering(region: str) -> Numbering:
    """Return the numbering plan of a country (two letters); empty or unknown: none.

    The data are those of the `phonenumbers` library. None means `NOWHERE`.
    """
    data = phonenumbers.PhoneMetadata.metadata_for_region(region) if region else None
    if data is None or data.general_desc is None:
        return NOWHERE
    return Numbering(
        region=region,
        code=str(data.country_code),
        trunk=data.national_prefix or "",
        abroad=data.international_prefix or "00",
        national=data.general_desc.national_number_pattern or "",
    )


def known_country(region: str) -> str:
    """Return a country as it is.

    Raises:
        ValueError: no country with phone numbers has these two letters, such as ``UK``.
    """
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("no such country")
    return region


@contextmanager
def at_home(region: object) -> Iterator[None]:
    """Inside this block, numbers without a country belong to a region as written in the files.

    It applies to this thread or task only. What is not a text counts as no region.
    """
    token = _HOME.set(numbering(region) if isinstance(region, str) else NOWHERE)
    try:
        yield
    finally:
        _HOME.reset(token)


def read_number(text: str) -> str:
    """Parse a whole number in any common notation and return it as E.164.

    Raises:
        ValueError: it is not a number; a national one is valid only if the home country is known.
    """
    if len(text) <= _LONGEST and _WRITTEN.fullmatch(text) and "*" not in text:
        home = _HOME.get()
        number = home.form(text)
        clear = home.region or text.lstrip(" (").startswith(("+", "00"))
        if clear and E164.fullmatch(number):
            return number
    raise ValueError("not a phone number")


def read_beginning(text: str) -> str:
    """Parse how international numbers begin, and return it as ``+`` and digits.

    Raises:
        ValueError: it does not begin with ``+``, or anything but digits and blanks follows.
    """
    digits = text.translate(_IGNORED)
    if not re.fullmatch(BEGINNING, text) or _NOT_DIALLED.search(text):
        raise ValueError("not the beginning of an international number")
    return digits


def read_pattern(text: str, home: Numbering | None = None) -> NumberPattern:
    """Parse a number, a prefix followed by ``*``, or ``withheld``.

    Spaces, dots, dashes and brackets are ignored; a leading ``00`` means ``+``. Without either, it
    is a number of the home country if it can be one; otherwise it stays as it is: an extension.

    Raises:
        ValueError: it is none of these. Also for ``+44 (0)20``, whose ``(0)`` is not dialled,
            unless the whole is a valid number of a country.
    """
    home = _HOME.get() if home is None else home
    if text == WITHHELD:
        return NumberPattern("")
    digits = text.translate(_IGNORED)
    prefix = digits.endswith("*")
    digits = digits.removesuffix("*")
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    least = 1 if digits.startswith("+") and not prefix else 0
    if not _WRITTEN.fullmatch(text) or not least < len(digits) <= _LONGEST:
        raise ValueError("not a phone number")
    if digits.startswith("+") and _NOT_DIALLED.search(text):
        digits = _without_trunk(text, prefix=prefix)
    if prefix:
        first, *others = home.prefixes(digits)
        return NumberPattern(first, prefix=True, also=others[0] if others else "")
    return NumberPattern(home.form(digits) or digits)


def _without_trunk(text: str, *, prefix: bool) -> str:
    """Return a number without its bracketed trunk prefix, if it is then a number of a country.

    Raises:
        ValueError: it is not.
    """
    digits = NOWHERE.form(_NOT_DIALLED.sub("", text, count=1))
    try:
        valid = phonenumbers.is_valid_number(phonenumbers.parse(digits))
    except phonenumbers.NumberParseException:
        valid = False
    if prefix or not valid:
        raise ValueError("not a phone number")
    return digits
