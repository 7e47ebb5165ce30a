"""The service level: which share of the calls was answered in time, by five definitions.

The definitions are those that ICMI lists ("Service Level: Definitions and Calculations"); vendors
choose one of them, seldom saying which. They differ only in what becomes of abandoned calls, so the
difference between any two can be named call by call. `docs/figures.md` has the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from callrouter.settings.loaded import SHORT_ABANDON

DEFAULT_WITHIN: Final = 20.0
"""Seconds within which a call should be answered, where the queue says nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a queue aims at.

    Attributes:
        within: seconds within which a call should be answered.
        short: an abandoned call that waited less than this, in seconds, is a short one.
        percent: the share of calls that should be; None: the queue names none.
    """

    within: float = DEFAULT_WITHIN
    short: float = SHORT_ABANDON
    percent: int | None = None


class Definition(Enum):
    """How to calculate a service level. The values are the names in answers.

    `STRICT` comes first: it is held against the target, because no abandoned call improves it.
    """

    STRICT = "strict"
    ABANDONS_IGNORED = "abandons_ignored"
    ABANDONS_POSITIVE = "abandons_positive"
    ANSWERED_ONLY = "answered_only"
    SHORT_CREDIT = "short_credit"

    __hash__ = object.__hash__


@dataclass(slots=True)
class LevelCounts:
    """Counts of calls, from which every definition follows. They can be added up.

    Attributes:
        answered: answered calls.
        answered_within: those answered within the time.
        abandoned: abandoned calls.
        abandoned_within: those abandoned within the time.
        abandoned_short: those that were short.
    """

    answered: int = 0
    answered_within: int = 0
    abandoned: int = 0
    abandoned_within: int = 0
    abandoned_short: int = 0

    def add(self, other: LevelCounts) -> None:
        """Add the counts of other calls. Each kept to the time of its own queue."""
        self.answered += other.answered
        self.answered_within += other.answered_within
        self.abandoned += other.abandoned
        self.abandoned_within += other.abandoned_within
        self.abandoned_short += other.abandoned_short

    def level(self, definition: Definition) -> float | None:
        """Return the service level in percent; None: no call counts, so there is none."""
        good, of = self._share(definition)
        return 100 * good / of if of > 0 else None

    def _share(self, definition: Definition) -> tuple[int, int]:
        every = self.answered + self.abandoned
        match definition:
            case Definition.STRICT:
                return self.answered_within, every
            case Definition.ABANDONS_IGNORED:
                return self.answered_within, every - self.abandoned_within
            case Definition.ABANDONS_POSITIVE:
                return self.answered_within + self.abandoned_within, every
            case Definition.ANSWERED_ONLY:
                return self.answered_within, self.answered
            case Definition.SHORT_CREDIT:
                return self.answered_within + self.abandoned_short, every


_EFFECTS: Final = (
    (Definition.ABANDONS_IGNORED, "abandoned within the time", "leaves out"),
    (Definition.ABANDONS_POSITIVE, "abandoned within the time", "counts as good"),
    (Definition.ANSWERED_ONLY, "abandoned", "leaves out"),
    (Definition.SHORT_CREDIT, "short and abandoned", "counts as good"),
)


def differences(counts: LevelCounts) -> list[str]:
    """Return a sentence for each definition that differs from the strict one, and by which calls.

    Nothing if there are no calls, or no abandoned ones: then all definitions agree.
    """
    strict = counts.level(Definition.STRICT)
    if strict is None:
        return []
    found = []
    for definition, calls, effect in _EFFECTS:
        level = counts.level(definition)
        count = {
            "abandoned": counts.abandoned,
            "abandoned within the time": counts.abandoned_within,
            "short and abandoned": counts.abandoned_short,
        }[calls]
        if count:
            shown = "no figure" if level is None else f"{level:.1f} %"
            found.append(
                f"{definition.value} ({shown}) {effect} the {_calls(count)} {calls}, which strict "
                f"({strict:.1f} %) counts as not answered in time"
            )
    return found


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"
