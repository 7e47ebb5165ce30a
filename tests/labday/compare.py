"""Sets what reports say beside what the phones saw."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.labday.second import Figures
from tests.labday.span import Span


def flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the figures of a row by the names of its columns: ``wait_s.mean``."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def moment(text: str) -> float:
    """Return a time of an answer in epoch seconds."""
    return datetime.fromisoformat(text).timestamp()


class Differences:
    """What does not agree, and how many figures were compared."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.compared = 0

    def row(self, where: str, said: Mapping[str, Any] | None, seen: Figures) -> None:
        """Compare a row of a report with the figures of the phones."""
        if said is None:
            self.found.append(f"{where}: there is no such row")
            return
        values = flat(said)
        for name, span in seen.items():
            self.compared += 1
            value = values.get(name)
            if isinstance(value, str) and isinstance(span, Span):
                value = moment(value)
            if isinstance(span, Span):
                if not span.holds(value):
                    self.found.append(
                        f"{where}: {name} is {value}, seen {span.low:.3f} to {span.high:.3f}"
                    )
            elif value != span:
                self.found.append(f"{where}: {name} is {value!r}, seen {span!r}")

    def same(self, where: str, said: object, seen: object) -> None:
        """Compare what must be equal."""
        self.compared += 1
        if said != seen:
            self.found.append(f"{where}: {said!r}, seen {seen!r}")
