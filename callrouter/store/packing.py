"""How a field of a row that is no plain value is written as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Packing:
    """The column of a field, and both directions between the field's value and the text in it.

    `unpack` never raises: it leaves out what it cannot read.
    """

    column: str
    pack: Callable[[Any], str]
    unpack: Callable[[str], Any]
