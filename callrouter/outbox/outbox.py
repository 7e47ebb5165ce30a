"""Keeps events until they are delivered: in the database, in order for each call, tried again.

Why none is lost: an event is stored by the store's own thread as soon as it is added, and its row is
deleted only after the destination has answered that it took it. So after a `kill -9` it is sent
again, with the same id: at least once. Only events of the last tenth of a second before a
`kill -9` may be missing, because nothing that a call waits for may wait for a disk. Those were not
sent either (`STORED_FIRST`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from callrouter.model.text import counted
from callrouter.outbox.delivery_queue import MOST, Attempt, DeliveryQueue, Outcome
from callrouter.outbox.destinations import Destination
from callrouter.outbox.outbox_rows import OutboxRow
from callrouter.outbox.payloads import iso_time

logger = logging.getLogger(__name__)

STORED_FIRST: Final = 0.1
"""Seconds that the database has to store an event before it is sent. So what a receiver knows is known
here after a `kill -9` too: a call that it was told of gets its end, and an alarm is not raised again."""
_LOGGED: Final = 10
"""Events given up that are all logged; after that one in a hundred."""
_IN_A_HUNDRED: Final = 100
_LARGEST: Final = 64 * 1024
"""Bytes of an event."""
_LOOK_EVERY: Final = 60.0
"""Seconds after which a destination is looked up again that may have been taken out of the files."""

Send = Callable[[Destination, OutboxRow], Awaitable[Attempt]]
"""Makes one attempt. It never takes longer than half a minute and raises nothing."""


class OutboxStore(Protocol):
    """Where events are stored. Nothing waits for the writing."""

    def put(self, row: OutboxRow) -> None:
        """Store an event, or what has changed of it."""

    def forget(self, row: OutboxRow) -> None:
        """Delete an event."""

    async def load(self) -> list[OutboxRow]:
        """Return what is stored; wait for the database."""


@dataclass(slots=True)
class _Line:
    """A destination's events and what became of earlier ones."""

    queue: DeliveryQueue
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    counts: Counter[str] = field(default_factory=Counter)
    trouble: str = ""
    """What the last attempt met; empty: it was delivered."""


class Outbox:
    """Sends events to destinations.

    Args:
        store: keeps them.
        send: makes an attempt.
        destinations: returns the destinations of now, by id.
        now: returns epoch seconds.
        spawn: starts a task with a name.
        jitter: returns a random number from 0 to 1.
    """

    def __init__(
        self,
        *,
        store: OutboxStore,
        send: Send,
        destinations: Callable[[], Mapping[str, Destination]],
        now: Callable[[], float],
        spawn: Callable[[Coroutine[Any, Any, None], str], object],
        jitter: Callable[[], float],
    ) -> None:
        self._store = store
        self._send = send
        self._destinations = destinations
        self._now = now
        self._spawn = spawn
        self._jitter = jitter
        self._lines: dict[str, _Line] = {}
        self._held: list[OutboxRow] = []
        """Events of calls that were added before the stored ones could be read."""
        self._own: set[str] = set()
        """Ids of the events of this run until the stored ones are read: some of these are ours."""
        self._loaded = False
        self._closed = False
        self._serial = 0
        self._given_up = 0

    async def load(self) -> None:
        """Read the events of earlier runs and send them.

        Until the database can be read, events of calls wait for it, since an earlier one of the
        same call may be stored. Alarms do not: one may be about the database.
        """
        rows = [row for row in await self._store.load() if row.event not in self._own]
        self._own.clear()
        self._serial = max([self._serial, *(row.serial for row in rows)])
        by_destination: dict[str, list[OutboxRow]] = {}
        for row in rows:
            by_destination.setdefault(row.destination, []).append(row)
        for destination, stored in by_destination.items():
            line = self._line(destination)
            line.queue.add_stored(stored)
            line.wake.set()
        if rows:
            logger.info("%s of before the start wait to be delivered", counted(len(rows), "event"))
        self._loaded = True
        held, self._held = self._held, []
        for row in held:
            self._queue(row)

    def add(
        self, name: str, data: Mapping[str, Any], *, to: Iterable[str], order_key: str, at: float
    ) -> None:
        """Store an event and send it soon.

        Args:
            name: its kind.
            data: its content; see `callrouter.outbox.payloads`.
            to: ids of destinations; unknown ones are ignored.
            order_key: events with the same one are delivered in the order of these calls.
            at: when it happened, in epoch seconds.
        """
        known = self._destinations()
        body = json.dumps(
            {"type": name, "timestamp": iso_time(at), "data": data}, ensure_ascii=False
        )
        if len(body) > _LARGEST:
            logger.error("an event %s of %d bytes is too large; not sent", name, len(body))
        if self._closed or len(body) > _LARGEST:
            return
        event = f"evt_{secrets.token_hex(12)}"
        if not self._loaded:
            self._own.add(event)
        for destination in dict.fromkeys(to):
            if destination not in known:
                continue
            self._serial += 1
            row = OutboxRow(
                event=event,
                destination=destination,
                serial=self._serial,
                order_key=order_key,
                name=name,
                at=at,
                due=self._now() + STORED_FIRST,
                body=body,
            )
            self._store.put(row)
            if self._loaded or not name.startswith("call."):
                self._queue(row)
            else:
                self._hold(row)

    def close(self) -> None:
        """Take no more events. What is being sent is sent again after the next start."""
        self._closed = True

    def status(self) -> dict[str, Any]:
        """Return the figures for ``/api/status``, in all and by destination."""
        now = self._now()
        lines = {
            name: {
                "waiting": len(line.queue),
                "oldest_s": max(0.0, now - oldest) if (oldest := line.queue.oldest()) else None,
                "delivered": line.counts["delivered"],
                "failed_attempts": line.counts["failed"],
                "given_up": line.counts["given up"],
                "trouble": line.trouble or None,
            }
            for name, line in sorted(self._lines.items())
        }
        return {"waiting": self.waiting, "given_up": self._given_up, "destinations": lines}

    @property
    def waiting(self) -> int:
        """Number of events that are not delivered yet."""
        return len(self._held) + sum(len(line.queue) for line in self._lines.values())

    # ------------------------------------------------------------ one destination

    def _line(self, destination: str) -> _Line:
        line = self._lines.get(destination)
        if line is None:
            line = self._lines[destination] = _Line(DeliveryQueue(self._jitter))
            self._spawn(self._serve(destination, line), f"events for {destination}")
        return line

    def _queue(self, row: OutboxRow) -> None:
        line = self._line(row.destination)
        dropped = line.queue.add(row)
        if dropped is not None:
            self._give_up(line, dropped, "too many wait")
        line.wake.set()

    def _hold(self, row: OutboxRow) -> None:
        """Keep an event of a call until the stored ones can be read."""
        self._held.append(row)
        if len(self._held) > MOST:
            dropped = self._held.pop(0)
            self._give_up(self._line(dropped.destination), dropped, "too many wait")

    async def _serve(self, name: str, line: _Line) -> None:
        """Send what is due, as long as the daemon runs."""
        while not self._closed:
            destination = self._destinations().get(name)
            if destination is None:
                self._drop_all(line)
            else:
                while (row := line.queue.take(self._now())) is not None:
                    self._spawn(self._try(destination, line, row), f"event for {name}")
            due = line.queue.next_due()
            line.wake.clear()
            pause = _LOOK_EVERY if due is None else min(_LOOK_EVERY, max(0.0, due - self._now()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await line.wake.wait()

    async def _try(self, destination: Destination, line: _Line, row: OutboxRow) -> None:
        attempt = Attempt(Outcome.AWAY, "the attempt failed")
        try:
            attempt = await self._send(destination, row)
        finally:
            if not self._closed:
                self._settle(destination, line, row, attempt)
                line.wake.set()

    def _settle(
        self, destination: Destination, line: _Line, row: OutboxRow, attempt: Attempt
    ) -> None:
        if attempt.outcome is Outcome.DELIVERED:
            line.queue.delivered(row)
            self._store.forget(row)
            line.counts["delivered"] += 1
            if line.trouble:
                text = "destination %s takes events again; %d wait"
                logger.info(text, destination.id, len(line.queue))
            line.trouble = ""
            return
        line.counts["failed"] += 1
        if not line.trouble:
            text = "destination %s: %s; it is tried again for %s"
            hours = f"{destination.give_up_after / 3600:g} h"
            logger.warning(text, destination.id, attempt.detail, hours)
        line.trouble = attempt.detail
        waiting = line.queue.failed(row, attempt, self._now(), destination.give_up_after)
        if waiting is None:
            self._give_up(line, row, attempt.detail)
        else:
            self._store.put(waiting)

    def _drop_all(self, line: _Line) -> None:
        """Give up everything for a destination that is configured no more."""
        while (row := line.queue.take(float("inf"))) is not None:
            gone = Attempt(Outcome.GONE, "the destination is configured no more")
            line.queue.failed(row, gone, self._now(), 0.0)
            self._give_up(line, row, gone.detail)
        line.trouble = ""

    def _give_up(self, line: _Line, row: OutboxRow, why: str) -> None:
        self._store.forget(row)
        line.counts["given up"] += 1
        self._given_up += 1
        if self._given_up <= _LOGGED or not self._given_up % _IN_A_HUNDRED:
            logger.error(
                "event %s (%s) for %s of %s is given up after %s: %s (%d so far)",
                *(row.event, row.name, row.destination, iso_time(row.at)),
                *(counted(row.attempts + 1, "attempt"), why, self._given_up),
            )
