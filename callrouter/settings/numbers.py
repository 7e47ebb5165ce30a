"""Phone numbers as written in rules, in the one spelling in which they are compared."""

from __future__ import annotations

import re
from typing import Final

from callrouter.model.table import NumberPattern

PATTERN: Final = r"^(?=.*[0-9+])[ (]*\+?[ (]*(?:[0-9][0-9 .()-]*)?\*?$"
"""For editors; `read_pattern` looks more closely."""

_WRITTEN: Final = re.compile(r"[ (]*(?:\+[ (]*)?(?:[0-9][0-9 .()-]*)?\*?")
_IGNORED: Final = str.maketrans("", "", " .()-")
_NOT_DIALLED: Final = re.compile(r"\( *0 *\)")
_LONGEST: Final = 40


def read_pattern(text: str) -> NumberPattern:
    """Read a number, or the beginning of one and a ``*``.

    Spaces, dots, dashes and brackets say nothing; a leading ``00`` is a ``+``. A number without either
    stays as it is, for nobody can know the country of those who dial it.

    Raises:
        ValueError: it is neither; also for ``+44 (0)20``, of which the ``(0)`` is not dialled.
    """
    digits = text.translate(_IGNORED)
    prefix = digits.endswith("*")
    digits = digits.removesuffix("*")
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    least = 1 if digits.startswith("+") and not prefix else 0
    if (
        not _WRITTEN.fullmatch(text)
        or not least < len(digits) <= _LONGEST
        or (digits.startswith("+") and _NOT_DIALLED.search(text))
    ):
        raise ValueError("not a phone number")
    return NumberPattern(digits, prefix)
