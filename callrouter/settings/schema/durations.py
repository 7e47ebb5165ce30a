"""Durations: ``20s``, ``5m``, ``1h30m``, ``7d``, ``250ms``; a bare number means seconds."""

from __future__ import annotations

import re
from typing import Final

DURATION_PATTERN: Final = (
    r"^(?=[0-9])(?:[0-9]+(?:\.[0-9]+)?d)?(?:[0-9]+(?:\.[0-9]+)?h)?(?:[0-9]+(?:\.[0-9]+)?m(?!s))?"
    r"(?:[0-9]+(?:\.[0-9]+)?s)?(?:[0-9]+(?:\.[0-9]+)?ms)?$"
)
_WHOLE: Final = re.compile(DURATION_PATTERN)
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|d|h|m|s)")
_BARE: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_SECONDS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_LONGEST_TEXT: Final = 40
LONGEST_DAYS: Final = 366
"""The longest duration allowed in a file, except for how long something is stored …"""
LONGEST_STORED_DAYS: Final = 3660
"""… which is ten years at most."""


def parse_duration(value: object) -> float:
    """Return the seconds of a duration as written in a file.

    Units go from large to small, each at most once. The caller checks bounds; a text cannot be
    negative.

    Raises:
        ValueError: it is not a duration.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ValueError("not a duration")
    if _BARE.fullmatch(value):
        return float(value)
    if not _WHOLE.fullmatch(value):
        raise ValueError("not a duration")
    parts = _PART.findall(value)
    # Divide milliseconds instead of multiplying: 300 / 1000 is 0.3, 300 * 0.001 is not.
    return sum(float(n) / 1000 if unit == "ms" else float(n) * _SECONDS[unit] for n, unit in parts)


def format_duration(seconds: float) -> str:
    """Return ``1m30s`` for ``90``, rounded to milliseconds.

    What rounds to nothing is ``0s``. `parse_duration` reads the result.
    """
    rest = round(seconds * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
