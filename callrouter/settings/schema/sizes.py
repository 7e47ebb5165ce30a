"""Sizes of files: ``500MB``, ``20GB``, ``1.5TB``; with an ``i``, as in ``20GiB``, by powers of 1024."""

from __future__ import annotations

import re
from typing import Final

SIZE_PATTERN: Final = r"^[0-9]{1,9}(?:\.[0-9]{1,3})?(?:MB|GB|TB|MiB|GiB|TiB)$"
_WHOLE: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(MB|GB|TB|MiB|GiB|TiB)")
_BYTES: Final = {
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
SMALLEST: Final = 10 * _BYTES["MB"]
"""The smallest size allowed in a file, in bytes."""
LARGEST: Final = 100 * _BYTES["TB"]
"""The largest size allowed in a file, in bytes."""


def parse_size(value: object) -> int:
    """Return the bytes of a size as written in a file. The caller checks bounds.

    Raises:
        ValueError: it is not a size. A number without a unit is none: nothing shows whether bytes
            or gigabytes were meant.
    """
    found = _WHOLE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("not a size")
    return round(float(found[1]) * _BYTES[found[2]])


def format_size(size: float) -> str:
    """Return ``20GB`` for ``20_000_000_000``, in the largest unit of which there is at least one.

    At most three decimals are kept. Less than a megabyte is ``0.123MB``. `parse_size` reads the
    result if it is not negative.
    """
    unit = next((name for name in ("TB", "GB") if size >= _BYTES[name]), "MB")
    return f"{round(size / _BYTES[unit], 3):.10g}{unit}"
