"""Calls that are over, as a PBX that can be deceived by old news remembers them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OverRow:
    """A call that was over at a moment (epoch seconds); `call` is the name that its PBX has for it."""

    at: float
    pbx: str
    call: str
