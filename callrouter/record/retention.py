"""Deletes from the record what `history:` no longer keeps, in small steps between other writes.

A pass over the record begins a minute after the start, and then every hour. Each of its steps is a
transaction of a few milliseconds, whose size follows how long the last one took; between two steps
the writing thread writes what has come in. So neither calls nor reports wait for a deletion.

**A clock that is wrong deletes nothing.** The time that deletions go by is stored. If the clock is
more than a week ahead of it, which is so after a long time without a router as well as with a wrong
clock, deletions go on by the stored time until the clock has been believed for a day.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import sqlalchemy as sa

from callrouter.model.text import counted, listed
from callrouter.record.own_values import read_value, write_value
from callrouter.record.retention_steps import (
    DeleteBySize,
    DeleteCalls,
    DeleteDecisions,
    DeleteGaps,
    DeleteMemberLists,
    DeleteStates,
    GiveBackSpace,
    ReplaceNumbers,
    RetentionStep,
)
from callrouter.settings.loaded import HistorySettings
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.sizes import format_size

logger = logging.getLogger(__name__)

FIRST_AFTER: Final = 60.0
"""Seconds from the start to the first pass: the start itself has more important work."""
EVERY: Final = 3600.0
"""Seconds between two passes."""
PAUSE: Final = 0.05
"""Seconds between two steps of a pass."""
AHEAD: Final = 7 * 86_400.0
"""Seconds by which the clock may be ahead of the time of the last pass, which was believed."""
BELIEVED_AFTER: Final = 86_400.0
"""Seconds after which a clock that is further ahead is believed."""
_LONG: Final = 0.02
"""Seconds after which a step is made smaller …"""
_SHORT: Final = 0.005
"""… and up to which it is made larger."""
_LEAST: Final = 4
_MOST: Final = 500
_COUNTED: Final = (
    *("acts", "calls", "calls-by-size", "states", "gaps", "decisions", "member-lists"),
    *("numbers", "pages"),
)
_BELIEVED: Final = "deleted-up-to"
_DOUBTED: Final = "clock-doubted-since"


class Retention:
    """Decides what is deleted when, and counts it.

    Args:
        settings: returns the `history` in force, which a reload may change.
        now: the time.
        started_at: when this run began.
        further: returns steps for rows of other parts that are older than a time.

    Attributes:
        deleted: rows deleted since the start, by what they are: ``calls``, ``decisions`` and so on;
            ``numbers`` counts the calls whose caller's number was replaced.
    """

    def __init__(
        self,
        settings: Callable[[], HistorySettings],
        now: Callable[[], float],
        started_at: float,
        further: Callable[[float], Iterable[RetentionStep]] = lambda _before: (),
    ) -> None:
        self._settings = settings
        self._now = now
        self._further = further
        self.deleted: Counter[str] = Counter(dict.fromkeys(_COUNTED, 0))
        self._due = started_at + FIRST_AFTER
        self._pass: Iterator[RetentionStep] | None = None
        self._step: RetentionStep | None = None
        self._most = 50
        self._handled: Counter[str] = Counter()
        self._in_force: HistorySettings | None = None
        self._numbers = ReplaceNumbers()
        self._lists = DeleteMemberLists()
        self._warned = False

    def due_in(self) -> float:
        """Return the seconds until the next step, at least 0.

        A changed `history` begins a pass at the next step.
        """
        return max(0.0, self._due - self._now())

    def work(self, link: sa.Connection) -> None:
        """Take the step that is due, in a transaction of its own; nothing if none is.

        Call it in the thread that writes. An error of the database ends the pass; the next one
        begins again from what is there.
        """
        if self._now() < self._due:
            return
        try:
            more = self._next(link)
        except BaseException:
            self._pass = self._step = None
            self._due = self._now() + EVERY
            raise
        self._due = self._now() + (PAUSE if more else EVERY)

    def _next(self, link: sa.Connection) -> bool:
        """Take a step. Returns whether the pass goes on."""
        settings = self._settings()
        if self._pass is None or self._in_force != settings:
            self._in_force = settings
            with link.begin():
                now = self._believed(link)
            self._pass = iter(self._steps(settings, now))
            self._step = next(self._pass)
            return True
        step = self._step
        if step is None:
            self._report(settings)
            self._pass = None
            return False
        began = self._now()
        with link.begin():
            handled, done = step.take(link, self._most)
        took = self._now() - began
        self._handled[step.what] += handled
        # All keys are there from the start: the loop reads this while the thread counts.
        self.deleted[step.what] += handled
        if took > _LONG:
            self._most = max(_LEAST, self._most // 2)
        elif took < _SHORT and not done:
            self._most = min(_MOST, self._most * 2)
        if done:
            self._step = next(self._pass, None)
        return True

    def _steps(self, settings: HistorySettings, now: float) -> list[RetentionStep]:
        """Return the steps of a pass: whole calls first, so that the others find less."""
        oldest = now - settings.keep
        by_size = DeleteBySize(settings.max_size)
        return [
            DeleteCalls(oldest),
            by_size,
            DeleteStates(lambda: max(oldest, by_size.deleted_up_to)),
            DeleteGaps(oldest),
            *self._further(oldest),
            DeleteDecisions(now - settings.decisions),
            self._lists.of(now - settings.decisions, now),
            self._numbers.of(settings.numbers.then, now - settings.numbers.keep),
            GiveBackSpace(),
        ]

    # ------------------------------------------------------------ the clock

    def _believed(self, link: sa.Connection) -> float:
        """Return the time that this pass goes by, and store it."""
        now = self._now()
        believed = _number(read_value(link, _BELIEVED))
        if believed is None or now <= believed + AHEAD:
            write_value(link, _DOUBTED, None)
            write_value(link, _BELIEVED, repr(now))
            self._warned = False
            return now
        doubted = _number(read_value(link, _DOUBTED))
        if doubted is None or not doubted <= now:
            doubted = now
            write_value(link, _DOUBTED, repr(now))
        if now >= doubted + BELIEVED_AFTER:
            write_value(link, _DOUBTED, None)
            write_value(link, _BELIEVED, repr(now))
            return now
        if not self._warned:
            self._warned = True
            text = (
                "this machine's clock is %s after the time up to which the record was kept in "
                "order: if that is right, what is older than history allows is deleted in %s; if "
                "not, set the clock and restart callrouter"
            )
            ahead = format_duration(round(now - believed))
            logger.warning(text, ahead, format_duration(round(doubted + BELIEVED_AFTER - now)))
        return believed

    # ------------------------------------------------------------ in words

    def _report(self, settings: HistorySettings) -> None:
        """Log one line about a pass that has deleted something."""
        handled, self._handled = self._handled, Counter()
        words = []
        calls = handled["calls"]
        if calls:
            words.append(f"{counted(calls, 'call')} older than {format_duration(settings.keep)}")
        if handled["calls-by-size"]:
            size = format_size(settings.max_size)
            words.append(f"{counted(handled['calls-by-size'], 'oldest call')} above {size}")
        if handled["states"]:
            words.append(counted(handled["states"], "state") + " of agents")
        if handled["decisions"]:
            kept = format_duration(settings.decisions)
            words.append(
                f"the reasons of {counted(handled['decisions'], 'call')} older than {kept}"
            )
        text = [f"deleted {listed(words)}"] if words else []
        if handled["numbers"]:
            done = {"mask": "masked", "hash": "hashed", "drop": "deleted"}[settings.numbers.then]
            text.append(f"{done} the caller's number of {counted(handled['numbers'], 'call')}")
        if text:
            logger.info("history: %s", "; ".join(text))


def _number(text: str | None) -> float | None:
    """Return a stored time; None: there is none, or it was written by hand and makes no sense."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
