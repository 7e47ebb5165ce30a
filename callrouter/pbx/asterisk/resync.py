"""Brings the tracker into step with Asterisk, after a gap and once a minute.

Reading the lists takes several round trips, and events go on arriving. The first time, they are
buffered and replayed after the snapshot: the core cannot handle news of a call it has not seen.
While in step, they are handled as they arrive, and whatever they touch keeps the state they gave
it: a resync never undoes an event (see `tracking.channel_lists`). A replayed event may already be
included in the lists, which is harmless, because handling an event twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from callrouter.pbx.asterisk.ami import AmiClient, AmiDown, AmiError, AmiMessage, AmiRejected
from callrouter.pbx.asterisk.dialogues import AsteriskDialogues
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter
from callrouter.pbx.asterisk.lookups import channel_queries, phone_queries
from callrouter.pbx.asterisk.lookups.channel_queries import ChannelQueries
from callrouter.pbx.asterisk.lookups.phone_queries import RegisteredContacts
from callrouter.pbx.asterisk.tracking import channel_lists
from callrouter.pbx.asterisk.tracking.channel_lists import TrackedItem
from callrouter.pbx.asterisk.tracking.channels import CallerChannel
from callrouter.pbx.asterisk.tracking.tracker import Tracker
from callrouter.pbx.interface import Post
from callrouter.tasks import Tasks

logger = logging.getLogger(__name__)

RETRY_AFTER: Final = 2.0
"""Seconds from a failed resync to the next attempt."""

MAX_BUFFERED: Final = 50_000
"""Maximum number of events buffered while the first lists are being read."""

_SHOWN: Final = 5
"""Number of items named in a log line. The rest are only counted."""


class Resync:
    """Reads the lists, compares, and passes events on at the right time.

    Attributes:
        in_step: whether the core knows the calls and phones as Asterisk has them.
        drift: number of differences found, since the start, that no event had announced.
        faults: exceptions of the tracker or of a resync. Each was logged.
    """

    def __init__(
        self,
        client: AmiClient,
        tracker: Tracker,
        *,
        writer: ActionWriter,
        queries: ChannelQueries,
        registered: RegisteredContacts,
        dialogues: AsteriskDialogues,
        tasks: Tasks,
        post: Post,
        acknowledge: Callable[[CallerChannel], None],
        on_in_step: Callable[[Mapping[str, str]], None],
        dials: bool = False,
    ) -> None:
        """Compare on request. Nothing is read before `link_up`.

        Args:
            client: reads the lists.
            tracker: is brought into step.
            writer: logs complaints.
            queries: finds channels whose row cannot be read.
            registered: reads which phones are registered.
            dialogues: is told which channels there are.
            tasks: owns the task of a resync.
            post: receives the snapshots.
            acknowledge: called for each caller who is not marked as known to a router.
            on_in_step: called after the first snapshot of each connection, with the states of all devices.
            dials: whether this PBX has a dial_number.
        """
        self.in_step = False
        self.drift = 0
        self.faults = 0
        self._client = client
        self._tracker = tracker
        self._writer = writer
        self._queries = queries
        self._registered = registered
        self._dialogues = dialogues
        self._tasks = tasks
        self._post = post
        self._acknowledge = acknowledge
        self._on_in_step = on_in_step
        self._dials = dials
        self._buffer: deque[AmiMessage] | None = None
        """Events received before the first snapshot. They are replayed after it."""
        self._task: asyncio.Task[None] | None = None
        self._once_more = False
        self._returned: set[str] = set()
        """Calls that came back from the fallback.

        The next resync finds them, and they are not drift.
        """

    # ------------------------------------------------------------ when

    def link_up(self) -> None:
        """The link is up: buffer events and read everything."""
        self._buffer = deque()
        self.request("connected")

    def link_lost(self) -> None:
        """The link is down: from now on, events are missed."""
        self.in_step = False
        self._buffer = None
        self._once_more = False
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def request(self, why: str) -> None:
        """Resync everything with Asterisk. Calls that are already right are not affected.

        If a resync is running, another one follows it. Nothing happens while the link is down,
        since everything is read when it is up again.

        Args:
            why: the reason, for the log.
        """
        if not self._client.up:
            return
        if self._task is not None and not self._task.done():
            self._once_more = True
            return
        logger.debug("%s: comparing with Asterisk: %s", self._tracker.pbx, why)
        self._task = self._tasks.spawn(self._run(), f"{self._tracker.pbx}: resync")

    def unknown_caller(self, uid: str) -> None:
        """A caller waits that the router does not know: an event was lost.

        It counts as drift, and a resync finds the caller.
        """
        self.drift += 1
        self.request(f"{uid} waits unheard")

    def caller_returned(self, uid: str) -> None:
        """A caller has come back from the fallback because no phone answered.

        A resync finds the caller, who is no drift.
        """
        self._returned.add(self._tracker.call_id(uid))
        self.request(f"{uid} is back from the fallback")

    # ------------------------------------------------------------ events

    def handle(self, message: AmiMessage) -> None:
        """Handle an event now, or after the first snapshot."""
        if self._buffer is None:
            self._track(message)
            return
        self._buffer.append(message)
        if len(self._buffer) > MAX_BUFFERED:
            # in a flood, another resync costs less than a long buffer
            self._buffer.clear()
            self._once_more = True

    def _track(self, message: AmiMessage) -> None:
        """Handle a message. A failure of the tracker is our bug, and we recover by a resync."""
        try:
            self._tracker.handle(message)
        except Exception:
            self.faults += 1
            logger.exception("%s: failed on %r; comparing again", self._tracker.pbx, message)
            self.request("a fault in the driver")

    def _replay(self, message: AmiMessage) -> None:
        """Replay an event that arrived while the lists were read.

        They may already include its effect.
        """
        known = message.get("Uniqueid") in self._tracker.callers
        if known and message.get("UserEvent") == "CallrouterCall":
            return
        self._track(message)

    # ------------------------------------------------------------ reading and comparing

    async def _run(self) -> None:
        """Read all lists and compare; repeat while another resync has been requested."""
        try:
            while True:
                self._once_more = False
                await self._read_and_compare()
                if not self._once_more:
                    return
        except AmiError as error:
            self._failed(error)
        except Exception:
            self.faults += 1
            logger.exception("%s: comparing failed; trying again", self._tracker.pbx)
            self._try_again()
        finally:
            self._tracker.end_comparison()

    async def _read_and_compare(self) -> None:
        self._tracker.begin_comparison()
        channels = await self._client.list(channel_lists.LIST_CHANNELS)
        devices = await self._client.list(channel_lists.LIST_DEVICES)
        if not channels.whole:
            await self._queries.keep_existing(channels, self._dialogues.channels())
        unlisted, cannot_dial = await asyncio.gather(
            self._read_phones(devices),
            channel_queries.why_no_outside_call(self._client, dials=self._dials),
        )
        self._compare(channels, devices, unlisted, cannot_dial)

    async def _read_phones(self, devices: list[AmiMessage]) -> dict[str, str]:
        """Query what no list contains: hints, registered phones, and states that are not cached."""
        phones = self._tracker.phones
        phones.set_hints(await phone_queries.hints(self._client, phones.hints()))
        await self._registered.refresh(most=phone_queries.AT_START)
        listed = {message.get("Device") for message in devices}
        return await phone_queries.states(self._client, phones.unlisted(listed))

    def _compare(
        self,
        channels: list[AmiMessage],
        devices: list[AmiMessage],
        unlisted: dict[str, str],
        cannot_dial: str,
    ) -> None:
        """Apply the lists, tell the core, then replay the events that were buffered."""
        first = not self.in_step
        before = channel_lists.tracked_items(self._tracker)
        channel_lists.apply_lists(self._tracker, channels, devices, unlisted, after_gap=first)
        if not first:
            self._count_drift(before ^ channel_lists.tracked_items(self._tracker))
            listed = {message.get("Uniqueid") for message in channels}
            self._dialogues.compare(listed | self._tracker.touched)
        # Only what concerns phones is taken from the buffer before the snapshot, so that the core
        # does not ring a phone that is already in another call. Calls come after it: the core
        # cannot handle news of a call it has not seen.
        for message in self._buffer or ():
            self._tracker.handle_phones_only(message)
        self.in_step = True
        snapshot = channel_lists.snapshot(self._tracker, cannot_dial=cannot_dial)
        self._post(snapshot)
        for caller in [one for one in self._tracker.callers.values() if not one.acknowledged]:
            self._acknowledge(caller)
        buffered, self._buffer = self._buffer or deque(), None
        for message in buffered:
            self._replay(message)
        self._registered.refresh_rest()
        if first:
            logger.info(
                "%s: in step: %d calls, %d legs, %d phones watched",
                self._tracker.pbx,
                len(snapshot.calls),
                len(snapshot.legs),
                len(snapshot.endpoints),
            )
            self._warn_of_missing_phones()
            self._on_in_step({one.get("Device"): one.get("State") for one in devices})

    def _count_drift(self, differences: set[TrackedItem]) -> None:
        """Count and log drift: events were lost, or one was misunderstood."""
        unexplained = {item for item in differences if item.name not in self._returned}
        self._returned.clear()
        if unexplained:
            self.drift += len(unexplained)
            shown = sorted({f"{item.kind} {item.name}" for item in unexplained})
            more = " …" if len(shown) > _SHOWN else ""
            logger.warning(
                "%s: no event had announced: %s%s",
                self._tracker.pbx,
                ", ".join(shown[:_SHOWN]),
                more,
            )

    def _warn_of_missing_phones(self) -> None:
        missing = self._tracker.phones.missing()
        if missing:
            logger.warning(
                "%s: %s %s not known to Asterisk: check the phones under agents: and in pjsip.conf",
                self._tracker.pbx,
                ", ".join(missing[:_SHOWN]) + (" …" if len(missing) > _SHOWN else ""),
                "is" if len(missing) == 1 else "are",
            )

    # ------------------------------------------------------------ failures

    def _failed(self, error: AmiError) -> None:
        if isinstance(error, AmiDown):
            return
        hint = ""
        if isinstance(error, AmiRejected):
            hint = "the user in manager_callrouter.conf needs write=call and read=call,user"
        self._writer.complain(f"can't compare calls and phones with Asterisk: {error}", hint)
        self._try_again()

    def _try_again(self) -> None:
        if not self.in_step:
            self._buffer = deque()
        asyncio.get_running_loop().call_later(
            RETRY_AFTER, self.request, "the last comparison failed"
        )
