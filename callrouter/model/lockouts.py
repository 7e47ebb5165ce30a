"""Lockouts after wrong PINs, as stored across a restart. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRow:
    """A lockout: its key, when it ends (epoch seconds), and how many there were in a row."""

    key: str
    until: float
    locks: int


class LockStore(Protocol):
    """Stores lockouts beyond the life of the process. No method blocks the event loop."""

    def put(self, row: LockRow) -> None:
        """Store a lockout, replacing the one with the same key.

        It is written soon, and this returns at once.
        """

    def forget(self, key: str) -> None:
        """Delete a lockout.

        Nothing happens if there is none with this key.
        """
