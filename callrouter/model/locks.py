"""Locks after wrong PINs, as they are kept over a restart. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRow:
    """A lock: what is locked, until when (epoch seconds), and how many there were in a row."""

    key: str
    until: float
    locks: int


class LockStore(Protocol):
    """Where locks outlive the process. Nothing here blocks the loop."""

    def put(self, row: LockRow) -> None:
        """Keep a lock, in place of the one of the same key."""

    def forget(self, key: str) -> None:
        """Keep it no longer."""

    async def load(self) -> list[LockRow]:
        """Every lock that is kept; waits until they can be read."""
