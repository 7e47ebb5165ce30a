"""Keeps the variables on callers' channels up to date.

The variables are the record of a call. A router that was restarted, and a second one that takes
over, find every caller by them: call, queue, priority, and the times of entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from callrouter.clock import SystemClock
from callrouter.model.call_notices import CallEntered, WaitingCallMoved
from callrouter.model.routing_table import DEFAULT_PRIORITY, QueueSpec, Table
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter
from callrouter.pbx.asterisk.fallback import music_class
from callrouter.pbx.asterisk.tracking.arrival import SAME_CLOCK_WITHIN
from callrouter.pbx.asterisk.tracking.channels import CallerChannel
from callrouter.pbx.asterisk.tracking.tracker import Tracker

_SWITCH_MUSIC: Final = "0-0"
"""An announcement of nothing, which makes the waiting loop start the queue's music again."""


class CallerVariables:
    """Writes what is known of callers to their channels."""

    def __init__(self, writer: ActionWriter, tracker: Tracker, clock: SystemClock) -> None:
        self._writer = writer
        self._tracker = tracker
        self._clock = clock

    def acknowledge(self, caller: CallerChannel, priority: int | None) -> None:
        """Mark a channel as known to a router: it then tolerates 15 s of silence, not 5 s.

        Args:
            caller: the channel. Nothing happens if it is no longer a caller's.
            priority: the priority that the core gave the call; None if it does not know the call.
        """
        if caller.uid not in self._tracker.callers:
            return
        self._tracker.caller_tracker.acknowledged(caller)
        mark = self._mark(caller)
        self._writer.send_later(actions.setvar(caller.uid, "CALLROUTER_CALL", mark))
        priority = caller.arrived.priority if priority is None else priority
        if priority != DEFAULT_PRIORITY:
            self.set_priority(caller, priority)

    def set_priority(self, caller: CallerChannel, priority: int) -> None:
        """Store a priority on the channel, so that a call that returns to a queue keeps it.

        Args:
            caller: the channel.
            priority: 1 (first) to 100 (last).
        """
        self._writer.send_later(actions.setvar(caller.uid, "CALLROUTER_RANK", str(priority)))

    def _mark(self, caller: CallerChannel) -> str:
        """The call's id, and the stamps of its first entry and of the entry into its queue."""
        now, arrived = self._clock.now(), caller.arrived
        first = now if arrived.entered_at is None else arrived.entered_at
        queued = first if caller.queued_at is None else caller.queued_at
        stamps = [self._clock.stamp(first)]
        if queued > first + 1.0:
            stamps.append(self._clock.stamp(queued))
        return " ".join((self._tracker.call_id(caller.uid), *stamps)).strip()

    def listen(
        self, notice: CallEntered | WaitingCallMoved, queues: Mapping[str, QueueSpec]
    ) -> None:
        """Store the queue of a call that has entered one, or was moved.

        Args:
            notice: what the core has told.
            queues: the queues of the routing table.
        """
        caller = self._tracker.caller_tracker.caller_of(notice.call)
        if caller is None:
            return
        if isinstance(notice, WaitingCallMoved) and notice.to_priority:
            self.set_priority(caller, notice.to_priority)
        # The call may have been moved within its queue: then it continues its stay.
        stay_began = (
            notice.at - (notice.waited_s or 0.0) if isinstance(notice, CallEntered) else None
        )
        self.queue_entered(caller, notice.queue, at=notice.at, stay_began=stay_began, queues=queues)

    def queue_entered(
        self,
        caller: CallerChannel,
        queue: str,
        *,
        at: float,
        stay_began: float | None,
        queues: Mapping[str, QueueSpec],
    ) -> None:
        """A call has entered a queue. Store it, so that a restarted router finds the call there.

        Args:
            caller: its channel.
            queue: the queue.
            at: when this was told (epoch seconds).
            stay_began: when the stay in the queue began; None if the call only continues a stay.
            queues: the queues of the routing table.
        """
        before = caller.queued_at
        if queue == caller.queue and (
            stay_began is None or before is None or abs(stay_began - before) <= SAME_CLOCK_WITHIN
        ):
            return
        music = [music_class(queues.get(name)) for name in (caller.queue, queue)]
        queued_at = at if stay_began is None else stay_began
        self._tracker.caller_tracker.queue_changed(caller, queue, queued_at)
        changes = {
            "CALLROUTER_QUEUE": queue,
            "CALLROUTER_QUEUED": f"{queued_at + self._tracker.clock_ahead:.3f}",
            "CALLROUTER_CALL": self._mark(caller),
        }
        if music[0] != music[1] and self._tracker.caller_tracker.is_waiting(caller):
            changes["CALLROUTER_TELL"] = _SWITCH_MUSIC
        self._writer.send(*(actions.setvar(caller.uid, *change) for change in changes.items()))

    def rename_queues(self, before: Table, table: Table) -> None:
        """Store the new name of a renamed queue on its callers' channels.

        A restarted router must find them under that name.
        """
        if table.queues is before.queues:
            return
        names = {
            spec.renamed_from: spec.id
            for spec in table.queues.values()
            if spec.renamed_from and spec.renamed_from not in table.queues
        }
        for caller in self._tracker.callers.values() if names else ():
            if caller.queue in names:
                name = names[caller.queue]
                self._tracker.caller_tracker.queue_changed(caller, name, caller.queued_at)
                self._writer.send(actions.setvar(caller.uid, "CALLROUTER_QUEUE", name))
