"""The Asterisk driver: AMI messages in, events out; commands in, AMI actions out.

This module puts the parts together and passes things on. What is known of channels is in
`tracking`, what is written in `execution`, what is asked in `lookups`; `resync` decides when events
are handled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from callrouter.clock import SystemClock
from callrouter.model.call_notices import CallEntered, OfferDecided, WaitingCallMoved
from callrouter.model.commands import PbxCommand
from callrouter.model.events import Event, PbxLost
from callrouter.model.ivr import CallNumber, PhoneEvent, Say
from callrouter.model.notices import CallNotice, Notice, Oddity
from callrouter.model.routing_table import Table
from callrouter.pbx.asterisk import contract, link_report
from callrouter.pbx.asterisk.ami import AmiClient, AmiMessage, AmiTiming
from callrouter.pbx.asterisk.blf import BlfLamps
from callrouter.pbx.asterisk.caller_variables import CallerVariables
from callrouter.pbx.asterisk.diagnostics.login_check import LoginCheck
from callrouter.pbx.asterisk.dialogues import AsteriskDialogues, language
from callrouter.pbx.asterisk.epoch_keeper import STANDBY_EVENTS, EpochKeeper, LeftoverEpoch
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter
from callrouter.pbx.asterisk.execution.executor import Executor, RingOptions
from callrouter.pbx.asterisk.execution.write_gate import UNACKED_WITHIN
from callrouter.pbx.asterisk.fallback import FallbackDevices
from callrouter.pbx.asterisk.forged_events import ForgedEvents
from callrouter.pbx.asterisk.heartbeat import BEAT, Heartbeat
from callrouter.pbx.asterisk.lamp_places import LampPlaces
from callrouter.pbx.asterisk.login import ami_account
from callrouter.pbx.asterisk.lookups.channel_queries import ChannelQueries
from callrouter.pbx.asterisk.lookups.phone_queries import RegisteredContacts
from callrouter.pbx.asterisk.queue_log_writer import QueueLogWriter
from callrouter.pbx.asterisk.resync import Resync
from callrouter.pbx.asterisk.tracking.channels import CallerChannel, ContactFork, LegChannel
from callrouter.pbx.asterisk.tracking.tracker import Tracker
from callrouter.pbx.interface import ALONE, Authority, DeviceBoard, PbxHealth, Post
from callrouter.queue_log.log_lines import CallChannels, may_have_lines
from callrouter.queue_log.translator import QueueLogTranslator
from callrouter.settings import AsteriskSettings
from callrouter.tasks import Tasks

logger = logging.getLogger(__name__)

CREATED_WITHIN: Final = 0.25
"""Seconds within which the channel of a failed Originate appears, if it was created."""

PICKUP_WITHIN: Final = 0.1
"""Seconds to wait for news that a colleague picked up, after the ringing channel has ended."""

SILENT_FOR: Final = 2.0
"""Seconds for a phone to start ringing after another one at the same endpoint has refused."""


class AsteriskPbx:
    """One Asterisk, reached over AMI. See `callrouter.pbx.interface.Pbx`.

    `listen` must receive every notice of the router: it writes queue_log, and keeps the queue
    stored on the caller's channel up to date. The tracker's requests arrive at the methods of
    `tracking.channels.TrackerOutput`.

    Attributes:
        name: the PBX's name in the configuration.
        client: the AMI session.
        tracker: what is known of calls, legs and phones.
        executor: turns commands into actions.
        queue_log: writes queue_log.
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
        authority: Authority = ALONE,
    ) -> None:
        """Prepare everything. Nothing is connected before `run`.

        Args:
            name: the PBX's name.
            settings: address, account and how phones are rung.
            post: receives every event.
            table: the routing table, with the phones.
            board: tells which devices are available, for the fallback and the lamps.
            run_id: a word that no earlier run of the daemon used.
            authority: tells whether this router may act. One that is not active connects and stays
                silent until `activate`.
        """
        self.name = name
        self._authority = authority
        clustered = authority is not ALONE
        self._post = post
        self._settings = settings
        self._table = table
        self._tasks = Tasks()
        self._clock = SystemClock()
        self._board = board
        self._outage = link_report.Outage(name, post, authority)
        self.client = AmiClient(
            ami_account(settings),
            on_event=self._on_event,
            on_up=self._on_up,
            on_down=self._on_down,
            on_failed=self._outage.attempt_failed,
            event_names=contract.EVENTS,
            event_mask=contract.CLASSES if authority.active else STANDBY_EVENTS,
            timing=AmiTiming(unacked_timeout=UNACKED_WITHIN) if clustered else None,
            on_forged=self._on_forged,
            user_events=contract.USER_EVENTS,
        )
        self._epochs = EpochKeeper(name, self.client, authority, self._tasks) if clustered else None
        self._writer = self._epochs.writer if self._epochs else ActionWriter(name, self.client)
        self._outbound = actions.outbound_routes(settings)
        self._registered = RegisteredContacts(self.client, self._tasks)
        self.tracker = Tracker(name, self, self._clock, self._own_phones)
        self._variables = CallerVariables(self._writer, self.tracker, self._clock)
        self.executor = self._make_executor()
        self._queries = ChannelQueries(
            self.client, self.tracker, self.executor, self._writer, self._tasks
        )
        self._fallback = FallbackDevices(
            board, name, self._outbound[0] if self._outbound else "", self.tracker.phones.states
        )
        self._lamp_places = LampPlaces(name, table)
        self._blf = BlfLamps(board, self._writer.send, lambda: self.in_step, self._lamp_places)
        self._dialogues = self._make_dialogues()
        self._resync = self._make_resync()
        self._forged = ForgedEvents(name, self.resync)
        self.queue_log = QueueLogWriter(
            name, self._writer.send_later, lambda: self._writer.up, self._clock
        )
        self._queue_log_lines = QueueLogTranslator(self.queue_log.add, board.signed_in, table)
        self._login_check = LoginCheck(
            self.client, self._writer, self.queue_log.use if settings.queue_log else None
        )
        self._heartbeat = self._make_heartbeat(run_id)
        if self._epochs is not None:
            self._epochs.use(self._heartbeat.next_tick, self._resync.link_up, self.resync)
        self._leftover = LeftoverEpoch(self._writer, lambda: self._heartbeat.another_serves)
        self._watch_phones()

    def _order_epoch(self) -> int:
        """The epoch that legs and connects carry; 0: none."""
        return self._epochs.gate.epoch if self._epochs is not None else 0

    def _make_executor(self) -> Executor:
        settings = self._settings
        return Executor(
            self._writer,
            self.tracker,
            RingOptions(
                dial_numbers=self._outbound,
                shown=actions.ShownNumber(settings.caller_id, always=settings.show == "business"),
                contacts=self._registered.of,
                language=self._language,
            ),
            post=self._post,
            resync=self.resync,
            on_connecting=self._check_connect,
            epoch=self._order_epoch,
        )

    def _make_dialogues(self) -> AsteriskDialogues:
        phones = self.tracker.phones
        return AsteriskDialogues(
            self.name,
            self._writer,
            self._outbound[0] if self._outbound else "",
            self._settings.caller_id,
            is_own=lambda endpoint: endpoint in phones.watched,
            endpoint_at=phones.endpoint_at,
        )

    def _make_resync(self) -> Resync:
        return Resync(
            self.client,
            self.tracker,
            writer=self._writer,
            queries=self._queries,
            registered=self._registered,
            dialogues=self._dialogues,
            tasks=self._tasks,
            post=self._post,
            acknowledge=self.acknowledge,
            on_in_step=self._on_in_step,
            dials=bool(self._outbound),
        )

    def _make_heartbeat(self, run_id: str) -> Heartbeat:
        return Heartbeat(
            self.name,
            run_id,
            self._writer,
            in_step=lambda: self.in_step,
            on_beat=self._on_beat,
            on_globals_lost=self._publish_fallback_again,
            check_dialplan=self._check_dialplan,
            resync=self.resync,
            read_epoch=self._epochs.read_back if self._epochs is not None else tuple,
        )

    @property
    def in_step(self) -> bool:
        """Whether the core knows the calls and phones as Asterisk has them."""
        return self._resync.in_step

    @property
    def drift(self) -> int:
        """Number of differences found by resyncs that no event had announced."""
        return self._resync.drift

    # ------------------------------------------------------------ life cycle and health

    async def run(self) -> None:
        """Connect and stay connected until cancelled.

        Calls in progress are not touched, at the start or at the end.
        """
        beating = self._tasks.spawn(self._heartbeat.run(), f"{self.name}: heartbeat")
        if self._epochs is not None:
            self._tasks.spawn(self._epochs.run(), f"{self.name}: reading the epoch")
        try:
            await self.client.run()
        finally:
            beating.cancel()
            self._blf.close()
            self.queue_log.close()
            if self._epochs is not None and not self._authority.sure():
                self._epochs.stand_down("it ends, and another one may be active")
            await self.client.close()
            await self._tasks.close()

    def claim(self, *, handed_over: bool = False) -> None:
        """Make this Asterisk obey this router. See `callrouter.pbx.interface.ClusterPbx`."""
        if self._epochs is not None:
            self._epochs.claim(contract.CLASSES, handed_over=handed_over)

    def activate(self) -> None:
        """Serve this Asterisk from now on. See `callrouter.pbx.interface.ClusterPbx`."""
        if self._epochs is not None:
            self._epochs.claim(contract.CLASSES)
            self._epochs.may_serve.set()

    def health(self) -> PbxHealth:
        """The current health of this driver.

        Its faults include exceptions of whatever reads AMI events, which the AMI client counts.
        """
        standby = self._epochs is not None and not self._epochs.active
        missing = self._login_check.missing if self.client.up else ()
        strays = self.tracker.leg_tracker.strays
        fenced = self._epochs.counts(older_legs=strays) if self._epochs is not None else {}
        refused = link_report.refused_counts(self.executor, self.queue_log)
        return PbxHealth(
            up=self.client.up if standby else self.in_step,
            comparing=self.client.up and not standby and not self.in_step,
            missing=missing,
            detail=link_report.state_text(
                self.client, standby=standby, in_step=self.in_step, missing=missing
            ),
            drift=self.drift,
            counts={**self._forged.counts(), **refused, **fenced},
            faults=self._resync.faults
            + self._heartbeat.faults
            + self.client.counters.handler_errors,
            link=link_report.link_counts(self.client),
        )

    def resync(self, why: str) -> None:
        """Resync everything with Asterisk. Calls that are already right are not affected."""
        if self._writer.up:
            self._resync.request(why)

    # ------------------------------------------------------------ the routing table

    def use(self, table: Table) -> None:
        """Use a new routing table: watch the phones that it names.

        Callers of a renamed queue get its new name stored on their channels.
        """
        before, self._table = self._table, table
        if self._settings.queue_log:
            self._queue_log_lines.use(before, table)
        self._lamp_places.use(table)
        self._variables.rename_queues(before, table)
        if table.agents is not before.agents and self._watch_phones() and self.in_step:
            self.resync("the configuration names other phones")

    def _watch_phones(self) -> bool:
        """Watch the phones in the routing table. Return whether they are others than before."""
        devices = [device for device in self._table.devices_on(self.name) if device.endpoint]
        self._registered.use(devices)
        return self.tracker.phones.use(devices)

    def _own_phones(self, agent: str) -> AbstractSet[str]:
        """The phones on which an agent is rung, by whatever route."""
        spec = self._table.agents.get(agent)
        watched = self.tracker.phones.watched
        devices = spec.devices_on(self.name) if spec is not None else ()
        watches = (watched[device.endpoint] for device in devices if device.endpoint in watched)
        return frozenset().union(*(watch.phones for watch in watches))

    def _language(self, agent: str) -> str:
        spec = self._table.agents.get(agent)
        return language(spec.language) if spec is not None else ""

    # ------------------------------------------------------------ from Asterisk

    def _on_up(self) -> None:
        self._outage.over()
        (self._epochs or self._resync).link_up()

    def _on_down(self, why: str) -> None:
        if self._epochs is not None:
            self._epochs.link_lost()
            if not self._epochs.active and not self.in_step:
                return  # a standby serves no calls, so the core misses none
        self._resync.link_lost()
        self.tracker.link_lost()
        self._dialogues.link_lost()
        logger.debug("%s: out of step: %s", self.name, why)
        self._post(PbxLost(pbx=self.name, why=why))

    def _on_event(self, message: AmiMessage) -> None:
        if self._epochs is not None and not self._epochs.heard(message):
            return
        self._login_check.on_event(message)
        if message.name == "ContactStatus":
            self._registered.on_contact_status(message)
            return
        self._resync.handle(message)
        self._dialogues.handle(message)

    def _on_forged(self, name: str) -> None:
        self._forged.dropped(name)

    def _on_in_step(self, devices: Mapping[str, str]) -> None:
        """The core has the first snapshot of this connection."""
        if self._epochs is not None:
            self._epochs.adopt(self.tracker.legs.values())
        self.queue_log.write()
        self._publish_fallback_again()
        self._heartbeat.beat()  # from here on, callers know that there is a router
        self._blf.refresh(devices)
        self._tasks.spawn(self._read_hints(), f"{self.name}: hints")
        self._tasks.spawn(self._login_check.run(), f"{self.name}: checking permissions")
        if self._epochs is None:
            self._leftover.look()

    # ------------------------------------------------------------ once a second, or seldom

    def _on_beat(self) -> None:
        self._dialogues.advance(BEAT)
        self._writer.send(*self._fallback.changes())

    def _publish_fallback_again(self) -> None:
        """Asterisk may have lost its global variables: publish what the fallback would ring."""
        self._fallback.forget()
        self._writer.send(*self._fallback.usual_music())

    def _check_dialplan(self) -> None:
        self._tasks.spawn(self._login_check.check_dialplan(), f"{self.name}: dialplan")
        self._tasks.spawn(self._read_hints(), f"{self.name}: hints")
        if self._epochs is not None:
            self._tasks.spawn(self._epochs.check_dialplan_again(), f"{self.name}: epochs")

    async def _read_hints(self) -> None:
        self._blf.show(await self._lamp_places.read(self.client))

    def _check_connect(self, caller: CallerChannel) -> None:
        self._queries.check_connect(caller)

    # ------------------------------------------------------------ requests of the tracker

    def post(self, event: Event) -> None:
        """Pass an event of the tracker to the core."""
        self._post(event)

    def acknowledge(self, caller: CallerChannel) -> None:
        """Mark a caller's channel as known to a router."""
        priority = self._board.priority(self.tracker.call_id(caller.uid))
        self._variables.acknowledge(caller, priority)

    def unknown_caller(self, uid: str) -> None:
        """A caller is waiting that the router does not know: an event was lost."""
        self._resync.unknown_caller(uid)

    def back_from_fallback(self, uid: str) -> None:
        """A caller has come back from the fallback because no phone answered."""
        self._resync.caller_returned(uid)

    def expect_in_dialplan(self, person: str) -> None:
        """A person has been given the place of a waiting channel and may not stand there yet."""
        self.executor.expect_in_dialplan(person)

    def leave_instead(self, left: str, person: str) -> None:
        """A person was put into the place of a channel that may just have been told to leave."""
        self.executor.leave_instead(left, person)

    def stop_leg(self, leg: LegChannel) -> None:
        """Hang up the channel of a leg that is to be stopped."""
        self._writer.send(actions.stop(leg))

    def end_leg_unless_picked_up(self, leg: LegChannel) -> None:
        """Wait briefly in case a leg without a channel turns up on another phone."""
        ended = self.tracker.leg_tracker.not_picked_up
        asyncio.get_running_loop().call_later(PICKUP_WITHIN, ended, leg)

    def end_leg_unless_created(self, leg: LegChannel) -> None:
        """Wait briefly in case the channel of a failed Originate turns up."""
        ended = self.tracker.leg_tracker.not_created
        asyncio.get_running_loop().call_later(CREATED_WITHIN, ended, leg)

    def stop_silent_legs(self, fork: ContactFork) -> None:
        """Give the remaining phones at an endpoint a moment to ring, then stop them."""
        stop = self.tracker.leg_answers.stop_silent
        asyncio.get_running_loop().call_later(SILENT_FOR, stop, fork)

    def release_leg(self, leg: LegChannel) -> None:
        """A leg's channel now serves a call that is not ours: no resync may take it for a leg."""
        self._writer.send(actions.setvar(leg.uid, "CALLROUTER_OFFER", ""))

    def hang_up_stray(self, uid: str) -> None:
        """Hang up a channel that was picked up as if it were one of our legs."""
        self._queries.hang_up_stray(uid)

    def hang_up_if_forwarded(self, uid: str) -> None:
        """Hang up a channel if Asterisk created it for a call that a phone redirected."""
        self._queries.hang_up_if_forwarded(uid)

    def find_caller(self, caller: CallerChannel) -> None:
        """Ask Asterisk where a caller is, unless an event explains it first."""
        self._queries.find_caller(caller)

    # ------------------------------------------------------------ from the router

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        """Execute the commands of one event in a single write.

        While the link is down they are dropped; the next snapshot lets the core correct the
        difference.
        """
        self.executor.execute(commands)

    def listen(self, notice: Notice) -> None:
        """Keep the caller's channel up to date, and write queue_log."""
        if isinstance(notice, OfferDecided | Oddity):
            return
        if self._writer.up:
            self._blf.listen(notice)
            if isinstance(notice, CallEntered | WaitingCallMoved):
                self._variables.listen(notice, self._table.queues)
        if self._settings.queue_log and may_have_lines(notice):
            call = notice.call if isinstance(notice, CallNotice) else ""
            self._queue_log_lines.listen(notice, self.call_channels(call))
        if isinstance(notice, CallEntered):
            self.tracker.caller_tracker.entry_is_logged(notice.call)

    def listen_elsewhere(self, notice: Notice) -> None:
        """Keep the lamps of queues right. Everything else is for the Asterisk that has the call."""
        if isinstance(notice, CallNotice) and self._writer.up:
            self._blf.queue_changed(notice.queue)

    def call_channels(self, call: str) -> CallChannels:
        """The channels of a call. Its name is the channel with which it entered.

        Another channel may carry the call by now, after an attended transfer.
        """
        caller = self.tracker.caller_tracker.caller_of(call)
        named = self.tracker.ids.entered_as(call)
        if caller is None:
            return CallChannels(named)
        return CallChannels(named, caller.leg, caller.logged)

    # ------------------------------------------------------------ dialogues at phones

    def report_phone_events(self, report: Callable[[PhoneEvent], None]) -> None:
        """Report dialled feature codes to `report`, and everything that follows from them."""
        self._dialogues.listen(report)

    def say(self, command: Say) -> None:
        """Play sounds in a phone dialogue, then read digits or hang up."""
        self._dialogues.say(command)

    def call_number(self, command: CallNumber) -> None:
        """Call an outside number to verify it."""
        self._dialogues.call_number(command)
