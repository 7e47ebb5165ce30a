"""What is counted at a door."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

SHOWN = 3


@dataclass(slots=True)
class Count:
    """Tries at a door, and those that came through or did harm.

    Attributes:
        tried: number of tries.
        wrong: what should not have happened, in words; empty: the door held.
        note: a figure that belongs to it, such as the growth of memory.
    """

    tried: int = 0
    wrong: list[str] = field(default_factory=list)
    note: str = ""
    began: float = field(default_factory=time.monotonic)

    def take(self, *, held: bool, what: str) -> None:
        """Count a try."""
        self.tried += 1
        if not held:
            self.wrong.append(what[:300])

    def line(self, name: str) -> str:
        """Return the row of the report."""
        took = time.monotonic() - self.began
        row = f"{name:<12} {self.tried:>8,} tried {len(self.wrong):>4} wrong {took:>6.1f} s  {self.note}"
        return "\n".join([row.rstrip(), *(f"    {what}" for what in self.wrong[:SHOWN])])
