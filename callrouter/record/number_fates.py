"""What becomes of a caller's number in the record once `history: numbers: keep` is over.

A number can be tested against its code by a person who has the database with its key, so a code is
a pseudonym and not the number's absence. `drop` leaves neither.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

from callrouter.model.text import mask
from callrouter.settings.loaded import NumberFate

_DIGITS: Final = 24
"""Hexadecimal digits of a code, 96 bits: two numbers with the same one will not be seen."""
_SHOWN: Final = 12
"""Digits shown in place of a hashed number."""
_MASKED: Final = re.compile(r"(?:\+[0-9]{2})?….{1,3}")
_HASHED: Final = re.compile(r"#[0-9a-f]{12}")


def number_key(secret: bytes, number: str) -> str:
    """Return the code by which a caller's calls are found once the number is gone: HMAC-SHA256.

    Args:
        secret: the key, which is the database's own.
        number: the number in its canonical form; empty: withheld, which has an empty code.
    """
    if not number:
        return ""
    return hmac.new(secret, number.encode(), hashlib.sha256).hexdigest()[:_DIGITS]


@dataclass(frozen=True, slots=True)
class StoredNumber:
    """A caller's number as it stands in a row, and the code beside it."""

    number: str
    key: str


@dataclass(frozen=True, slots=True)
class NumberChange:
    """Replaces numbers as `history: numbers: then` says.

    Attributes:
        then: what becomes of them.
        secret: the key for their codes.
    """

    then: NumberFate
    secret: bytes

    def replaced(self, stored: StoredNumber) -> StoredNumber:
        """Return what takes the place of a number. Replacing it again changes nothing.

        A number that was masked or hashed by an earlier setting is not known any more; it can only
        be dropped, or shown by the code that it has.
        """
        if self.then == "drop" or not stored.number:
            return StoredNumber("", "" if self.then == "drop" else stored.key)
        if _is_plain(stored.number):
            key = number_key(self.secret, stored.number)
            shown = mask(stored.number) if self.then == "mask" else f"#{key[:_SHOWN]}"
            return StoredNumber(shown, key)
        if self.then == "hash" and stored.key:
            return StoredNumber(f"#{stored.key[:_SHOWN]}", stored.key)
        return stored

    def text(self, number: str) -> str:
        """Return what takes the place of a number in the steps of a call, which have no code."""
        return self.replaced(StoredNumber(number, "")).number


def _is_plain(number: str) -> bool:
    return _MASKED.fullmatch(number) is None and _HASHED.fullmatch(number) is None
