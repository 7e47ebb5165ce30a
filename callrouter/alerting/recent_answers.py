"""The service level of now: which calls of the last half hour were answered in time. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

from callrouter.model.call_notices import (
    CallAbandoned,
    CallLeftQueue,
    ConversationStarted,
)
from callrouter.model.commands import Result
from callrouter.model.notices import Notice, QueueRenamed

WINDOW: Final = 30 * 60.0
"""Seconds that count as now."""
LEAST: Final = 5
"""With fewer calls there is no service level: one call would make it 0 or 100 percent."""
_MOST: Final = 20_000
"""Calls of a queue that are kept."""
_NOT_WAITED: Final = frozenset({Result.FULL, Result.CLOSED})


class RecentAnswers:
    """What became of the calls of each queue within the last `WINDOW` seconds.

    A call counts when its wait in the queue is over: answered, abandoned, or sent away by a rule after
    it had waited. One that found the queue closed or full does not count.
    """

    def __init__(self) -> None:
        self._waits: dict[str, deque[tuple[float, float, bool]]] = {}
        """By queue: when it was decided, the wait in seconds, and whether an agent answered."""

    def listen(self, notice: Notice) -> None:
        """Note a call whose wait is over. Cheap: it is called for every notice."""
        kind = type(notice)
        if kind is ConversationStarted or kind is CallAbandoned or kind is CallLeftQueue:
            self._add(notice)
        elif isinstance(notice, QueueRenamed) and notice.former_id in self._waits:
            self._waits[notice.queue] = self._waits.pop(notice.former_id)

    def _add(self, notice: Notice) -> None:
        assert isinstance(notice, ConversationStarted | CallAbandoned | CallLeftQueue)  # noqa: S101
        if isinstance(notice, CallLeftQueue) and notice.result in _NOT_WAITED:
            return
        waits = self._waits.get(notice.queue)
        if waits is None:
            waits = self._waits[notice.queue] = deque(maxlen=_MOST)
        while waits and waits[0][0] < notice.at - WINDOW:
            waits.popleft()
        waits.append((notice.at, notice.wait_s, isinstance(notice, ConversationStarted)))

    def level(self, queue: str, within: float, overdue: int, now: float) -> float | None:
        """Return the percentage of calls answered within a time; None: too few calls.

        Args:
            queue: the queue.
            within: the time in seconds.
            overdue: how many callers wait for longer than that now. They are missed already.
            now: epoch seconds.
        """
        waits = self._waits.get(queue, deque())
        while waits and waits[0][0] < now - WINDOW:
            waits.popleft()
        count = len(waits) + overdue
        if count < LEAST:
            return None
        good = sum(answered and wait <= within for _, wait, answered in waits)
        return 100.0 * good / count
