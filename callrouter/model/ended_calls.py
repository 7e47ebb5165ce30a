"""Calls that have ended, kept for a PBX whose old messages could be mistaken for new calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OverRow:
    """A call that had ended by `at` (epoch seconds). `call` is the PBX's name for it."""

    at: float
    pbx: str
    call: str
