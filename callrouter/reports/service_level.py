"""The service level: which share of the calls was answered in time, by five definitions.

The definitions are those that ICMI lists ("Service Level: Definitions and Calculations"); vendors
choose one of them, seldom saying which. They differ only in what becomes of abandoned calls, so the
difference between any two can be named call by call. `docs/figures.md` has the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from callrouter.model.text import phrase
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


def differences(counts: LevelCounts) -> list[str]:
    """Return a sentence for each definition that differs from the strict one, and by which calls.

    Nothing if there are no calls, or no abandoned ones: then all definitions agree.
    """
    strict = counts.level(Definition.STRICT)
    if strict is None:
        return []
    found: list[str] = []
    for definition, leaves_out, calls in (
        (Definition.ABANDONS_IGNORED, True, _abandoned_within(counts)),
        (Definition.ABANDONS_POSITIVE, False, _abandoned_within(counts)),
        (Definition.ANSWERED_ONLY, True, _abandoned(counts)),
        (Definition.SHORT_CREDIT, False, _abandoned_short(counts)),
    ):
        if calls is None:
            continue
        level, name, right = counts.level(definition), definition.value, f"{strict:.1f} %"
        shown = phrase("no-figure", "no figure") if level is None else f"{level:.1f} %"
        if leaves_out:
            text = (
                "{definition} ({level}) leaves out the {calls}, which strict ({strict}) counts as not "
                "answered in time"
            )
            line = phrase(
                "note-leaves-out", text, definition=name, level=shown, calls=calls, strict=right
            )
        else:
            text = (
                "{definition} ({level}) counts as good the {calls}, which strict ({strict}) counts as "
                "not answered in time"
            )
            line = phrase(
                "note-counts-as-good", text, definition=name, level=shown, calls=calls, strict=right
            )
        found.append(line)
    return found


def _abandoned(counts: LevelCounts) -> str | None:
    one, more = "{count_many} call abandoned", "{count_many} calls abandoned"
    n = counts.abandoned
    return phrase("calls-abandoned", one, more, count=n, count_many=n) if n else None


def _abandoned_within(counts: LevelCounts) -> str | None:
    one = "{count_many} call abandoned within the time"
    more = "{count_many} calls abandoned within the time"
    n = counts.abandoned_within
    return phrase("calls-abandoned-within", one, more, count=n, count_many=n) if n else None


def _abandoned_short(counts: LevelCounts) -> str | None:
    one = "{count_many} call short and abandoned"
    more = "{count_many} calls short and abandoned"
    n = counts.abandoned_short
    return phrase("calls-abandoned-short", one, more, count=n, count_many=n) if n else None
