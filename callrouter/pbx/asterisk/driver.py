"""The Asterisk driver: AMI messages in, events out; commands in, AMI actions out."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from callrouter.clock import SystemClock
from callrouter.model.call_notices import CallEntered, OfferDecided, WaitingCallMoved
from callrouter.model.commands import PbxCommand
from callrouter.model.events import Event, PbxLost
from callrouter.model.ivr import CallNumber, PhoneEvent, Say
from callrouter.model.notices import CallNotice, Notice, Oddity
from callrouter.model.routing_table import DEFAULT_PRIORITY, Table
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import (
    AmiAccount,
    AmiClient,
    AmiDown,
    AmiError,
    AmiMessage,
    AmiRejected,
)
from callrouter.pbx.asterisk.blf import BlfLamps
from callrouter.pbx.asterisk.diagnostics.login_check import LoginCheck
from callrouter.pbx.asterisk.dialogues import AsteriskDialogues, language
from callrouter.pbx.asterisk.entry_time import SAME_CLOCK_WITHIN
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.execution.executor import Executor
from callrouter.pbx.asterisk.fallback import FallbackDevices, music_class
from callrouter.pbx.asterisk.forged_events import ForgedEvents
from callrouter.pbx.asterisk.lookups import contacts, phone_queries
from callrouter.pbx.asterisk.lookups.channel_queries import ChannelQueries
from callrouter.pbx.asterisk.lookups.contacts import RegisteredContacts
from callrouter.pbx.asterisk.queue_log.call_names import QueueLogTranslator
from callrouter.pbx.asterisk.queue_log.writer import QueueLogWriter
from callrouter.pbx.asterisk.tracking import channel_lists as survey
from callrouter.pbx.asterisk.tracking.channels import (
    CallerChannel,
    CallerState,
    ContactFork,
    LegChannel,
)
from callrouter.pbx.asterisk.tracking.tracker import Tracker
from callrouter.pbx.base import DeviceBoard, PbxHealth, Post
from callrouter.settings import AsteriskSettings
from callrouter.tasks import Tasks

logger = logging.getLogger(__name__)

BEAT = 1.0
"""Seconds between two updates of the tick, by which the dialplan knows that the router is alive."""

DIALPLAN_EVERY = 20.0
"""Seconds between two checks that our dialplan is loaded."""

COMPARE_EVERY = 60.0
"""Seconds between two routine resyncs, which look for drift that no event announced."""


AGAIN_AFTER = 2.0
"""Seconds from a failed resync to the next attempt."""

MOVES_WITHIN = 0.1
"""Seconds to wait for news that a colleague picked up, after the ringing channel has ended."""

SILENT_FOR = 2.0
"""Seconds for a phone to start ringing after another one at the same endpoint has refused."""

MOST_KEPT = 50_000
"""Maximum number of events buffered while the first lists are being read."""


class AsteriskPbx:
    """One Asterisk, reached over AMI. See `callrouter.pbx.base.Pbx`.

    `listen` must receive every record of the router: it writes queue_log, and keeps the queue
    stored on the caller's channel up to date.

    Args:
        name: as in the configuration.
        settings: the account, and how phones are dialled.
        post: receives the events.
        table: the routing table, with the phones.
        board: tells which devices are available, for the fallback and the lamps.
        run_id: a word that no earlier run used.
    """

    def __init__(
        self,
        name: str,
        settings: AsteriskSettings,
        *,
        post: Post,
        table: Table,
        board: DeviceBoard,
        run_id: str = "",
    ) -> None:
        self.name = name
        self.in_step = False
        self.drift = 0
        self.faults = 0
        self._post = post
        self._settings = settings
        self._tasks = Tasks()
        self._run_id = run_id
        self._beats = 0
        self._tick = ""
        self._buffer: deque[AmiMessage] | None = None
        """Events received before the first snapshot. They are replayed after it."""
        self._syncing: asyncio.Task[None] | None = None
        self._sync_again = False
        self._returned: set[str] = set()
        """Calls that came back from the fallback.

        The next resync finds them, and they are not drift.
        """
        self._board = board
        self._clock = SystemClock()
        self.tracker = Tracker(name, self, self._clock, own_phones=self._own_phones)
        self.session = AmiClient(
            account(settings),
            on_event=self._on_event,
            on_up=self._on_up,
            on_down=self._on_down,
            event_names=contract.EVENTS,
            event_mask=contract.CLASSES,
            on_forged=self._on_forged,
            user_events=contract.USER_EVENTS,
        )
        self._forged = ForgedEvents(name)
        self._ways = actions.ways(settings)
        self._contacts = RegisteredContacts(self.session, self._tasks)
        self.executor = Executor(
            self.session,
            self.tracker,
            post=post,
            dial_numbers=self._ways,
            shown=actions.ShownNumber(settings.caller_id, always=settings.show == "business"),
            resync=self.resync,
            contacts=self._contacts.of,
            language=self._language,
            connecting=self._connecting,
        )
        self._channel_queries = ChannelQueries(
            self.session, self.tracker, self.executor, tasks=self._tasks
        )
        self._fallback = FallbackDevices(
            board, name, self._ways[0] if self._ways else "", self.tracker.phones.states
        )
        self._blf = BlfLamps(board, self.executor.send, lambda: self.in_step)
        self._dialogues = AsteriskDialogues(
            name,
            self.executor,
            self._ways[0] if self._ways else "",
            settings.caller_id,
            own=lambda endpoint: endpoint in self.tracker.phones.watched,
            at=self.tracker.phones.endpoint_at,
        )
        self._table = Table()
        self.queue_log = QueueLogWriter(
            name, self.executor.later, lambda: self.session.up, self._clock
        )
        self._login_check = LoginCheck(self.session, self.executor, self.queue_log.use)
        self._journal = QueueLogTranslator(self.queue_log.add, board.signed_in)
        self._looking_again = False
        """Whether a resync is already scheduled because an event was dropped."""
        self.use(table)

    def people(self, heard: Callable[[PhoneEvent], None]) -> None:
        """Report dialled feature codes to `heard`, and everything that follows from them."""
        self._dialogues.listen(heard)

    def say(self, command: Say) -> None:
        """Play sounds in a phone dialogue, then read digits or hang up."""
        self._dialogues.say(command)

    def call_number(self, command: CallNumber) -> None:
        """Call an outside number to verify it."""
        self._dialogues.call_number(command)

    # ------------------------------------------------------------ life cycle

    async def run(self) -> None:
        """Connect and stay connected until cancelled. Calls in progress are not touched."""
        beat = self._tasks.spawn(self._beat(), f"{self.name}: heartbeat")
        try:
            await self.session.run()
        finally:
            beat.cancel()
            self._blf.close()
            self.queue_log.close()
            await self.session.close()
            await self._tasks.close()

    def health(self) -> PbxHealth:
        """The current health of this driver."""
        where = f"Asterisk at {self._settings.host}:{self._settings.port}"
        if not self.session.up:
            where = self.session.last_error or f"{where}: connecting"
        elif not self.in_step:
            where = f"{where}: comparing calls and phones"
        missing = self._login_check.missing if self.session.up else ()
        if missing and self.in_step:
            where = f"{where}; dialplan context missing: {', '.join(missing)}"
        return PbxHealth(
            up=self.in_step,
            missing=missing,
            detail=where,
            drift=self.drift,
            counts={**self._forged.counts(), **self._refused()},
            faults=self.faults,
        )

    def _refused(self) -> dict[str, int]:
        counts = {
            contract.NUMBERS_REFUSED: self.executor.numbers_refused,
            contract.NEXT_TRUNK: self.executor.trunks_failed,
        }
        return {what: count for what, count in counts.items() if count}

    def use(self, table: Table) -> None:
        """Use a new routing table: watch the phones that it names."""
        before, self._table = self._table, table
        self._journal.use(before, table)
        if table.queues is not before.queues:
            self._rename_queues(table)
        if table.agents is before.agents:
            return
        devices = [
            device
            for agent in table.agents.values()
            for device in agent.devices
            if device.endpoint and self.name in device.pbxes
        ]
        self._contacts.use(devices)
        if self.tracker.phones.use(devices) and self.in_step:
            self.resync("the configuration names other phones")

    def _rename_queues(self, table: Table) -> None:
        """Store the new name of a renamed queue on its callers' channels.

        A restarted router must find them under that name.
        """
        names = {
            spec.renamed_from: spec.id
            for spec in table.queues.values()
            if spec.renamed_from and spec.renamed_from not in table.queues
        }
        for caller in self.tracker.callers.values() if names else ():
            if caller.queue in names:
                caller.queue = names[caller.queue]
                self.executor.send(actions.setvar(caller.uid, "CALLROUTER_QUEUE", caller.queue))

    def resync(self, why: str) -> None:
        """Resync everything with Asterisk. Calls that are already right are not affected."""
        if not self.session.up:
            return
        if self._syncing is not None and not self._syncing.done():
            self._sync_again = True
            return
        logger.debug("%s: comparing with Asterisk: %s", self.name, why)
        self._syncing = self._tasks.spawn(self._survey(), f"{self.name}: survey")

    def _on_up(self) -> None:
        self._buffer = deque()
        self.resync("connected")

    def _on_down(self, why: str) -> None:
        self.in_step = False
        self._buffer = None
        self._sync_again = False
        self.tracker.lost()
        self._dialogues.lost()
        if self._syncing is not None:
            self._syncing.cancel()
            self._syncing = None
        logger.debug("%s: out of step: %s", self.name, why)
        self._post(PbxLost(pbx=self.name, why=why))

    async def _beat(self) -> None:
        """Update the tick for the dialplan's dead-man switch, and regularly look for drift."""
        while True:
            if self.in_step:
                self._beat_now()
            else:
                self._tick = ""
            await asyncio.sleep(BEAT)

    def _beat_now(self) -> None:
        try:
            self._beat_once()
        except Exception:
            # Without a heartbeat, every caller would leave for the fallback.
            self.faults += 1
            logger.exception("%s: the heartbeat failed; going on", self.name)

    def _beat_once(self) -> None:
        before = [self._login_check.look_at_tick(self._tick, self._forgotten)] if self._tick else []
        self._beats += 1
        self._dialogues.beat(BEAT)
        self._tick = f"{self._run_id}-{self._beats}"
        self.executor.write([*before, (actions.setvar("", "CALLROUTER_TICK", self._tick), None)])
        self.executor.send(*self._fallback.changes())
        if self._beats % max(1, round(DIALPLAN_EVERY / BEAT)) == 0:
            self._tasks.spawn(self._login_check.look_at_dialplan(), f"{self.name}: dialplan")
        if self._beats % max(1, round(COMPARE_EVERY / BEAT)) == 0:
            self.resync("looking for drift")

    def _forgotten(self) -> None:
        """Asterisk has lost its global variables: publish again what the fallback would ring."""
        self._fallback.forget()
        self.executor.send(*self._fallback.usual_music())

    # ------------------------------------------------------------ resync

    async def _survey(self) -> None:
        """Read all lists and compare; repeat while another resync has been requested."""
        try:
            while True:
                self._sync_again = False
                self.tracker.moved.clear()
                self.tracker.unreadable = frozenset()
                self.tracker.comparing = True
                channels = await self.session.list(survey.STATUS)
                devices = await self.session.list(survey.DEVICES)
                if not channels.whole:
                    await self._channel_queries.keep_those_there(
                        channels, self._dialogues.channels()
                    )
                unlisted = await self._look_at_phones(devices)
                self._compared(channels, devices, unlisted)
                if not self._sync_again:
                    return
        except AmiError as error:
            self._survey_failed(error)
        except Exception:
            self.faults += 1
            logger.exception("%s: comparing failed; trying again", self.name)
            self._survey_again()
        finally:
            self.tracker.comparing = False

    async def _look_at_phones(self, devices: list[AmiMessage]) -> dict[str, str]:
        """Query what no list contains: hints, registered phones, and states that are not cached."""
        phones = self.tracker.phones
        phones.know_hints(await phone_queries.hints(self.session, phones.hints()))
        await self._contacts.refresh(most=contacts.AT_START)
        listed = {message.get("Device") for message in devices}
        return await phone_queries.states(self.session, phones.unlisted(listed))

    def _own_phones(self, agent: str) -> AbstractSet[str]:
        """The phones on which an agent is rung, by whatever route."""
        spec = self._table.agents.get(agent)
        watched = self.tracker.phones.watched
        devices = spec.devices if spec is not None else ()
        judged = (watched[device.endpoint] for device in devices if device.endpoint in watched)
        return frozenset().union(*(how.phones for how in judged))

    def _compared(
        self, channels: list[AmiMessage], devices: list[AmiMessage], unlisted: dict[str, str]
    ) -> None:
        """Take in the lists, then replay the events that arrived while they were read.

        Replaying is idempotent. While in step, events were handled as they arrived, and whatever
        they concerned keeps the state they gave it: a resync never undoes an event.
        """
        first = not self.in_step
        before = survey.known(self.tracker)
        survey.take_in(self.tracker, channels, devices, unlisted, anew=first)
        if not first:
            self._drifted(before ^ survey.known(self.tracker))
            listed = {message.get("Uniqueid") for message in channels}
            self._dialogues.compare(listed | self.tracker.moved)
        # Only what concerns phones is taken from the buffer before the snapshot, so that the core
        # does not ring a phone that is already in another call. Calls come after it: the core
        # cannot handle news of a call it has not seen.
        for message in self._buffer or ():
            self.tracker.phone_moved(message)
        self.in_step = True
        snapshot = survey.snapshot(self.tracker)
        self._post(snapshot)
        for caller in [caller for caller in self.tracker.callers.values() if not caller.taken]:
            self.taken(caller)
        buffered, self._buffer = self._buffer or deque(), None
        for message in buffered:
            self._replay(message)
        self._contacts.refresh_rest()
        if first:
            self.queue_log.write()
            logger.info(
                "%s: in step: %d calls, %d legs, %d phones watched",
                self.name,
                len(snapshot.calls),
                len(snapshot.legs),
                len(snapshot.endpoints),
            )
            self._missing_phones()
            self._forgotten()
            self._beat_now()  # from here on, callers know that there is a router
            self._blf.refresh()
            self._tasks.spawn(self._login_check.run(), f"{self.name}: checking permissions")

    def _drifted(self, differences: set[survey.TrackedItem]) -> None:
        """Count and log drift: events were lost, or one was misunderstood."""
        differences = {found for found in differences if found[1] not in self._returned}
        self._returned.clear()
        if differences:
            self.drift += len(differences)
            shown = sorted({f"{kind} {name}" for kind, name, _ in differences})
            more = " …" if len(shown) > 5 else ""
            logger.warning("%s: nobody had announced: %s%s", self.name, ", ".join(shown[:5]), more)

    def _replay(self, message: AmiMessage) -> None:
        """Replay an event that arrived while the lists were read.

        They may already include its effect.
        """
        known = message.get("Uniqueid") in self.tracker.callers
        if known and message.get("UserEvent") == "CallrouterCall":
            return
        self._handle(message)

    def _handle(self, message: AmiMessage) -> None:
        """Handle a message. A failure of the tracker is our bug, and we recover by a resync."""
        try:
            self.tracker.handle(message)
        except Exception:
            self.faults += 1
            logger.exception("%s: failed on %r; comparing again", self.name, message)
            self.resync("a fault in the driver")

    def _survey_failed(self, error: AmiError) -> None:
        if isinstance(error, AmiDown):
            return
        hint = ""
        if isinstance(error, AmiRejected):
            hint = "the user in manager_callrouter.conf needs write=call and read=call,user"
        self.executor.complain(f"can't compare calls and phones with Asterisk: {error}", hint)
        self._survey_again()

    def _survey_again(self) -> None:
        if not self.in_step:
            self._buffer = deque()
        self._later(AGAIN_AFTER, lambda: self.resync("the last comparison failed"))

    def _missing_phones(self) -> None:
        missing = self.tracker.phones.missing()
        if missing:
            logger.warning(
                "%s: %s %s not known to Asterisk: check the phones under agents: and in pjsip.conf",
                self.name,
                ", ".join(missing[:5]) + (" …" if len(missing) > 5 else ""),
                "is" if len(missing) == 1 else "are",
            )

    # ------------------------------------------------------------ events

    def _on_forged(self, name: str) -> None:
        """An event was dropped as not genuine. Resync to learn what really happened.

        Unreadable rows of a resync do not cause another one, and neither do events sent by other
        programs.
        """
        self._forged.seen(name)
        if name in {"Status", "UserEvent"} or self._looking_again:
            return
        self._looking_again = True
        self._later(self._forged.pause(), self._look_again)

    def _look_again(self) -> None:
        self._looking_again = False
        self.resync("an event was not as Asterisk writes it")

    def _on_event(self, message: AmiMessage) -> None:
        self._login_check.heard(message)
        if message.name == "ContactStatus":
            self._contacts.heard(message)
            return
        if self._buffer is not None:
            self._buffer.append(message)
            if (
                len(self._buffer) > MOST_KEPT
            ):  # in a flood, another resync costs less than a long buffer
                self._buffer.clear()
                self._sync_again = True
        else:
            self._handle(message)
        self._dialogues.handle(message)

    def post(self, event: Event) -> None:
        """Pass an event of the tracker to the core."""
        self._post(event)

    def taken(self, caller: CallerChannel) -> None:
        """Mark the channel as accepted: it now tolerates 15 s of router silence, not 5 s."""
        if caller.uid in self.tracker.callers:
            caller.taken = True
            self.executor.later(actions.setvar(caller.uid, "CALLROUTER_CALL", self._taken(caller)))
            known = self._board.priority(self.tracker.call_id(caller.uid))
            priority = caller.arrived.priority if known is None else known
            if priority != DEFAULT_PRIORITY:
                self._ranks(caller, priority)

    def _ranks(self, caller: CallerChannel, priority: int) -> None:
        """Store a priority on the channel, so that a call that returns to a queue keeps it."""
        self.executor.later(actions.setvar(caller.uid, "CALLROUTER_RANK", str(priority)))

    def _taken(self, caller: CallerChannel) -> str:
        """The call's id, and the stamps of its first entry and of the entry into its queue."""
        now, arrived = self._clock.now(), caller.arrived
        first = now if arrived.entered_at is None else arrived.entered_at
        queued = first if caller.queued_at is None else caller.queued_at
        stamps = [self._clock.stamp(first)]
        if queued > first + 1.0:
            stamps.append(self._clock.stamp(queued))
        return " ".join((self.tracker.call_id(caller.uid), *stamps)).strip()

    def unheard(self, uid: str) -> None:
        """A caller is waiting that the router does not know: an event was lost."""
        self.drift += 1
        self.resync(f"{uid} waits unheard")

    def stepped_in(self, person: str) -> None:
        """A person has been given the place of a waiting channel and may not stand there yet."""
        self.executor.stepped_in(person)

    def leaves_instead(self, line: str, person: str) -> None:
        """A person was put into the place of a channel that may just have been told to leave."""
        self.executor.leave_instead(line, person)

    def back(self, uid: str) -> None:
        """A caller has come back from the fallback because no phone answered."""
        self._returned.add(self.tracker.call_id(uid))
        self.resync(f"{uid} is back from the fallback")

    def stop_now(self, leg: LegChannel) -> None:
        """Stop a leg that was to be stopped before its channel existed."""
        self.executor.send(actions.stop(leg))

    def gone_unless_moved(self, leg: LegChannel) -> None:
        """Wait briefly in case a leg without a channel turns up on another phone."""
        self._later(MOVES_WITHIN, lambda: self.tracker.not_moved(leg))

    def stop_silent(self, fork: ContactFork) -> None:
        """Give the remaining phones at an endpoint a moment to ring, then stop them."""
        self._later(SILENT_FOR, lambda: self.tracker.stop_silent(fork))

    def stray(self, uid: str) -> None:
        """Hang up a channel that was picked up as if it were one of our legs."""
        self._channel_queries.stray(uid)

    def let_go(self, leg: LegChannel) -> None:
        """A leg's channel now serves a call that is not ours: no resync may take it for a leg."""
        self.executor.send(actions.setvar(leg.uid, "CALLROUTER_OFFER", ""))

    def forwarded(self, uid: str) -> None:
        """Hang up a channel if Asterisk created it for a call that a phone redirected."""
        self._channel_queries.forwarded(uid)

    def look_at(self, caller: CallerChannel) -> None:
        """Ask Asterisk where a caller is, unless an event explains it first."""
        self._channel_queries.look_at(caller)

    # ------------------------------------------------------------ commands and records

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        """Execute the commands of one event in a single write."""
        self.executor.execute(commands)

    def _connecting(self, caller: CallerChannel) -> None:
        self._channel_queries.connecting(caller)

    def _language(self, agent: str) -> str:
        spec = self._table.agents.get(agent)
        return language(spec.language) if spec is not None else ""

    def listen(self, notice: Notice) -> None:
        """Keep the caller's channel up to date, and write queue_log."""
        if isinstance(notice, OfferDecided | Oddity):
            return
        if self.session.up:
            self._blf.listen(notice)
            if isinstance(notice, CallEntered | WaitingCallMoved):
                self._follow(notice)
        call = notice.call if isinstance(notice, CallNotice) else ""
        uid = self.tracker.uid(call)
        # the id with which the call entered, whatever channel carries it now
        named = self.tracker.ids.entered_as(call)
        self._journal.listen(notice, named, self.tracker.callers.get(uid))

    def _follow(self, item: CallEntered | WaitingCallMoved) -> None:
        """The call has entered a queue.

        Store it on the channel so that a restarted router finds it there.
        """
        caller = self.tracker.callers.get(self.tracker.uid(item.call))
        if caller is None:
            return
        if isinstance(item, WaitingCallMoved) and item.to_priority:
            self._ranks(caller, item.to_priority)
        queued_at = _stay_began(item)
        before = caller.queued_at
        if item.queue == caller.queue and (
            queued_at is None or before is None or abs(queued_at - before) <= SAME_CLOCK_WITHIN
        ):
            return
        music = [music_class(self._table.queues.get(q)) for q in (caller.queue, item.queue)]
        caller.queue = item.queue
        caller.queued_at = item.at if queued_at is None else queued_at
        changes = {
            "CALLROUTER_QUEUE": item.queue,
            "CALLROUTER_QUEUED": f"{caller.queued_at + self.tracker.ahead:.3f}",
            "CALLROUTER_CALL": self._taken(caller),
        }
        if music[0] != music[1] and caller.where is CallerState.WAITING:
            # plays no announcement, and switches to the music of the new queue
            changes["CALLROUTER_TELL"] = "0-0"
        self.executor.send(*(actions.setvar(caller.uid, *change) for change in changes.items()))

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, action)


def _stay_began(item: CallEntered | WaitingCallMoved) -> float | None:
    """When the stay in the queue began; None if the call may have been moved within its queue."""
    return item.at - (item.waited_s or 0.0) if isinstance(item, CallEntered) else None


def account(settings: AsteriskSettings) -> AmiAccount:
    """The AMI account for these settings."""
    tls = ssl.create_default_context(cafile=settings.ca) if settings.tls else None
    return AmiAccount(
        host=settings.host,
        port=settings.port,
        username=settings.username,
        secret=settings.secret,
        tls=tls,
    )
