"""Executes the core's commands: which actions each one needs, and what a refusal of them means.

Why the tracker is told before Asterisk has answered: the event that follows a command may arrive
before the command's reply, and must find the tracker in its new state. So the tracker is changed in
the same step that writes the action, and the channel counts as touched: a resync whose lists were
requested earlier cannot undo the command.

Why nothing is repeated just because its answer is missing: it may have been executed. A second
Originate would ring a phone twice, a second Redirect could pull a caller out of a conversation. The
state of the channel is queried instead (`redirects`, `channel_queries`, a resync).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from callrouter.model.commands import (
    Announce,
    Connect,
    Consult,
    DialOutside,
    Disregard,
    Leave,
    PbxCommand,
    PutThrough,
    Requeue,
    Result,
    Ring,
    SetHold,
    StopRing,
)
from callrouter.model.events import ConnectFailed, ConnectFault, LegEnd, SeenOutside
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import (
    Action,
    AmiBadValue,
    AmiError,
    AmiNotPermitted,
    AmiRejected,
    AmiReply,
    AmiTimeout,
)
from callrouter.pbx.asterisk.execution import actions, redirects
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter, OnReply, Step
from callrouter.pbx.asterisk.sanitize import clean_number
from callrouter.pbx.asterisk.tracking.channels import (
    CallerChannel,
    ContactFork,
    LegChannel,
    OutsideCall,
)
from callrouter.pbx.asterisk.tracking.tracker import Tracker
from callrouter.pbx.interface import Post

_EXPLAINED_WITHIN: Final = 0.02
"""Seconds in which the event that explains why a channel is gone has come."""

_URGENT: Final[dict[type[PbxCommand], int]] = {Connect: 0, Ring: 1}
"""Urgent commands go first: two people are waiting to be connected, or a phone to ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingOptions:
    """How phones are rung.

    Attributes:
        dial_numbers: how outside numbers are dialled, in order of preference.
        shown: the number that outside phones show.
        contacts: returns dial strings of the phones registered at an endpoint. With fewer than two,
            the endpoint itself is dialled.
        language: returns the language of the prompts for an agent; "" for Asterisk's default.
    """

    dial_numbers: Sequence[str]
    shown: actions.ShownNumber
    contacts: Callable[[str], Sequence[str]] = lambda _endpoint: ()
    language: Callable[[str], str] = lambda _agent: ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One way to ring the phone of a command.

    Attributes:
        number: numbers the attempts and phones of one leg from 1. It is part of the channel's id.
        contact: one of several phones at the endpoint; "" for the endpoint.
        shown: the number that an outside phone shows.
        trunk: index of the outbound route.
    """

    shown: actions.ShownNumber
    number: int = 1
    contact: str = ""
    trunk: int = 0


class Executor:
    """Turns commands into actions, and refusals into events."""

    def __init__(
        self,
        writer: ActionWriter,
        tracker: Tracker,
        options: RingOptions,
        *,
        post: Post,
        resync: Callable[[str], None],
        on_connecting: Callable[[CallerChannel], None],
        epoch: Callable[[], int] = lambda: 0,
    ) -> None:
        """Execute commands on one Asterisk.

        Args:
            writer: writes the actions.
            tracker: knows the channels, and is told of every command.
            options: how phones are rung.
            post: receives failures.
            resync: starts a resync, given the reason.
            on_connecting: called for each caller who is being connected.
            epoch: returns the epoch that legs and connects carry; 0: none.
        """
        self._epoch = epoch
        self._writer = writer
        self._tracker = tracker
        self._options = options
        self._post = post
        self._resync = resync
        self._on_connecting = on_connecting
        self._leaving: dict[str, tuple[str, Leave]] = {}
        """Callers who were told to leave within the last second, by channel, with their queue."""
        self._redirects = redirects.Redirects(writer)
        self.trunks_failed = 0
        """Calls to agents' phones that continued on the next of several trunks."""
        self.numbers_refused = 0
        """Calls to agents' phones that the carrier refused because of the caller's number."""

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        """Execute the commands of one event in a single write.

        Does nothing while the link is down.
        """
        if not self._writer.up:
            return
        steps = [
            step
            for command in sorted(commands, key=lambda command: _URGENT.get(type(command), 2))
            for step in self._steps(command)
        ]
        self._writer.write(steps)

    def _steps(self, command: PbxCommand) -> Iterator[Step]:
        match command:
            case Ring():
                yield from self._ring(command)
            case StopRing():
                yield from self._stop_ring(command)
            case Connect():
                yield from self._connect(command)
            case Requeue():
                yield from self._requeue(command)
            case SetHold() | Consult() | PutThrough():
                pass  # phones do this themselves; our snapshots do not claim to support hold
            case Announce():
                yield from self._announce(command)
            case Disregard():
                # The event that follows must come after those being handled now, so it is not
                # posted from here.
                loop = asyncio.get_running_loop()
                loop.call_soon(self._tracker.phones.disregard, command.endpoint)
            case Leave():
                yield from self._leave(command)
            case DialOutside():
                yield from self._dial_outside(command)

    def _stop_ring(self, command: StopRing) -> Iterator[Step]:
        for leg in self._tracker.leg_tracker.stop(command.offer, command.device, command.why):
            yield Step(actions.stop(leg))

    def _leave(self, command: Leave) -> Iterator[Step]:
        uid = self._tracker.uid(command.call)
        caller = self._tracker.caller_tracker.leave_ordered(uid)
        queue = contract.NO_QUEUE if caller is None else caller.queue
        yield from self.leave(uid, queue, command)

    def _announce(self, command: Announce) -> Iterator[Step]:
        caller = self._tracker.caller_tracker.caller_of(command.call)
        if caller is not None and self._tracker.caller_tracker.is_waiting(caller):
            announcement = f"{command.position}-{command.minutes}"
            yield Step(actions.setvar(caller.uid, "CALLROUTER_TELL", announcement))

    # ------------------------------------------------------------ ringing

    def _ring(self, command: Ring) -> Iterator[Step]:
        contacts = self._options.contacts(command.endpoint) if command.endpoint else ()
        if len(contacts) < 2:
            yield self._ring_one(command, _Attempt(shown=self._options.shown))
            return
        fork = ContactFork()
        for number, contact in enumerate(contacts, start=1):
            attempt = _Attempt(shown=self._options.shown, number=number, contact=contact)
            yield self._ring_one(command, attempt, fork)

    def _ring_one(self, command: Ring, attempt: _Attempt, fork: ContactFork | None = None) -> Step:
        """Ring a device, or one of several phones registered at its endpoint."""
        uid = contract.leg_id(command.offer, command.device, attempt.number)
        action = self._originate(command, attempt, uid)
        is_route = not isinstance(action, AmiError) and str(action["Channel"]).startswith(
            contract.ROUTE
        )
        leg = LegChannel(
            uid=uid,
            offer=command.offer,
            device=command.device,
            agent=command.agent,
            call=command.call,
            route=is_route,
            outside=self._outside_call(command, attempt) if command.number else None,
        )
        if fork is not None:
            fork.add(leg)
        self._tracker.leg_tracker.add(leg)
        if isinstance(action, AmiError):
            asyncio.get_running_loop().call_soon(self._on_originate_reply, leg, action)
            return Step({"Action": "Ping"})
        return Step(action, partial(self._on_originate_reply, leg))

    def _originate(self, command: Ring, attempt: _Attempt, uid: str) -> Action | AmiBadValue:
        """The action that rings a device, or why it cannot be sent."""
        dial_numbers = self._options.dial_numbers
        try:
            return actions.originate(
                command,
                dial_numbers[attempt.trunk] if dial_numbers else "",
                shown=attempt.shown,
                language=self._options.language(command.agent),
                contact=attempt.contact,
                uid=uid,
                epoch=self._epoch(),
            )
        except (AmiBadValue, LookupError, ValueError) as error:
            return AmiBadValue(str(error))

    def _outside_call(self, command: Ring, attempt: _Attempt) -> OutsideCall:
        """The two retries of an outside call.

        If the carrier refuses the caller's number, the call is repeated once with the business's
        number. If the trunk fails, the call goes to the next trunk, if there is one.
        """
        clock, shown, number = self._tracker.clock, attempt.shown, attempt.number + 1
        with_own: Callable[[], None] | None = None
        if shown.caller_id and not shown.always and clean_number(command.caller_number):
            own = actions.ShownNumber(shown.caller_id, always=True)
            again = _Attempt(shown=own, number=number, trunk=attempt.trunk)
            with_own = partial(self._ring_with_own_number, command, again)
        by_next: Callable[[], None] | None = None
        if attempt.trunk + 1 < len(self._options.dial_numbers):
            again = _Attempt(shown=shown, number=number, trunk=attempt.trunk + 1)
            by_next = partial(self._ring_by_next_trunk, command, again)
        return OutsideCall(
            since=clock.now() if clock is not None else 0.0,
            ring_with_own_number=with_own,
            ring_by_next_trunk=by_next,
        )

    def _ring_by_next_trunk(self, command: Ring, attempt: _Attempt) -> None:
        self.trunks_failed += 1
        count = len(self._options.dial_numbers)
        self._writer.complain(
            f"a call to an agent's phone failed by dial_number {attempt.trunk} of {count}",
            "it is rung by the next; is that trunk registered, does the provider answer?",
        )
        self._writer.write([self._ring_one(command, attempt)])

    def _ring_with_own_number(self, command: Ring, attempt: _Attempt) -> None:
        self.numbers_refused += 1
        self._writer.complain(
            "the carrier refused a call to an agent's phone that shows its caller's number",
            "it is rung again with caller_id; show: business shows that at once",
        )
        self._writer.write([self._ring_one(command, attempt)])

    def _on_originate_reply(self, leg: LegChannel, reply: AmiReply | AmiError) -> None:
        """Handle the first answer to an Originate.

        If it is refused, the leg has failed. If there is no answer, the phone may be ringing all
        the same, so resync to find out.
        """
        if isinstance(reply, AmiRejected | AmiBadValue):
            self._writer.complain(
                f"can't ring a phone: {reply}",
                "check write=originate of the user in manager_callrouter.conf, and that "
                "extensions.conf includes extensions_callrouter.conf",
            )
            self._tracker.leg_tracker.ended(leg, LegEnd.FAILED)
        elif isinstance(reply, AmiNotPermitted):
            self._tracker.leg_tracker.forget(leg)  # no phone rings; the comparison withdraws it
            self._resync("a phone was not rung, because another router may be active")
        elif isinstance(reply, AmiTimeout):
            self._resync("an Originate was not answered")

    # ------------------------------------------------------------ connecting

    def _connect(self, command: Connect) -> Iterator[Step]:
        caller = self._tracker.caller_tracker.caller_of(command.call)
        leg = self._tracker.leg_tracker.find(command.offer, command.device)

        def failed(why: ConnectFault) -> None:
            self._post(ConnectFailed(call=command.call, offer=command.offer, why=why))

        if caller is None or leg is None:
            fault = ConnectFault.CALLER_GONE if caller is None else ConnectFault.LEG_GONE
            asyncio.get_running_loop().call_soon(failed, fault)
            return
        self._tracker.caller_tracker.connect_ordered(caller, leg)
        yield from self._connect_steps(caller, leg.uid, failed)
        self._on_connecting(caller)

    def _connect_steps(
        self, caller: CallerChannel, leg: str, failed: Callable[[ConnectFault], None]
    ) -> Iterator[Step]:
        uid = caller.uid

        def on_reply(reply: AmiReply | AmiError) -> None:
            if not isinstance(reply, AmiRejected):
                return
            if redirects.is_channel_gone(reply):
                # By an attended transfer another channel may have the place. The event that says so
                # may still be on its way.
                asyncio.get_running_loop().call_later(_EXPLAINED_WITHIN, on_gone)
            else:
                failed(ConnectFault.FAILED)

        def on_gone() -> None:
            if not self._tracker.caller_tracker.is_connecting(caller, leg):
                return
            if caller.uid == uid:
                failed(ConnectFault.CALLER_GONE)
            else:
                self._writer.write([*self._connect_steps(caller, leg, failed)])

        yield from self._redirect_to_leg(caller, leg, on_reply)

    def connect_again(self, caller: CallerChannel) -> None:
        """Redirect the caller again. A connect was not executed, but both channels exist."""
        self._writer.write([*self._redirect_to_leg(caller, caller.leg)])

    def _redirect_to_leg(
        self, caller: CallerChannel, leg: str, on_reply: OnReply | None = None
    ) -> Iterator[Step]:
        callers = self._tracker.caller_tracker
        setvar, redirect = actions.connect(caller, leg, self._epoch())
        yield Step(setvar)
        yield self._redirects.begin(
            redirects.PendingRedirect(
                redirect=redirect,
                still_wanted=lambda: callers.is_connecting(caller, leg),
                on_moved_away=lambda: callers.moved_away(caller),
                on_reply=on_reply,
            )
        )

    # ------------------------------------------------------------ back to the queue, and out of it

    def _requeue(self, command: Requeue) -> Iterator[Step]:
        caller = self._tracker.caller_tracker.caller_of(command.call)
        if caller is None or self._tracker.caller_tracker.is_waiting(caller):
            return
        self._tracker.caller_tracker.requeue_ordered(caller)
        yield self._redirects.begin(
            redirects.PendingRedirect(
                redirect=actions.redirect(caller.uid, contract.AGAIN, caller.queue),
                still_wanted=lambda: self._tracker.caller_tracker.is_waiting(caller),
                on_moved_away=lambda: self._tracker.caller_tracker.moved_away(caller),
                until_out_of=frozenset({contract.CONNECT}),
            )
        )

    def _dial_outside(self, command: DialOutside) -> Iterator[Step]:
        """Have a caller's channel dial a number outside. If that is refused, the caller comes back."""
        tracker = self._tracker.caller_tracker
        uid = self._tracker.uid(command.call)
        seen = SeenOutside(call=command.call, agent=command.agent, number=command.number)
        caller = tracker.outside_ordered(uid, seen)
        if caller is None:  # hung up, and the event that says so is on its way
            asyncio.get_running_loop().call_soon(tracker.outside_over, uid)
            return
        back = Step(actions.redirect(uid, contract.ENTRY, caller.queue))
        try:
            numbers = self._options.dial_numbers
            dial_strings = [actions.dial_string(text, command.number) for text in numbers]
        except ValueError as error:
            self._writer.complain(f"a caller is not passed on to a number outside: {error}")
            yield back
            return

        def on_reply(reply: AmiReply | AmiError) -> None:
            if isinstance(reply, AmiRejected) and not redirects.is_channel_gone(reply):
                self._writer.complain(f"a caller is not passed on to a number outside: {reply}")
                self._writer.write([back])

        for action in actions.dial_outside(caller, command, dial_strings, self._options.shown):
            yield Step(action)
        yield self._redirects.begin(
            redirects.PendingRedirect(
                redirect=actions.redirect_outside(caller, self._epoch()),
                still_wanted=lambda: uid in self._tracker.outside,
                on_moved_away=lambda: tracker.outside_over(uid),
                on_reply=on_reply,
                until_out_of=frozenset({contract.CONNECT}),
            )
        )

    def leave(self, uid: str, queue: str, command: Leave) -> Iterator[Step]:
        """Let a caller leave, unless another program has moved them already."""
        # After a conversation the dialplan continues by itself. Only a caller who is still waiting
        # would be stuck, so only then is the redirect checked.
        waits = command.result is not Result.ANSWERED
        if waits:
            self._leaving[uid] = queue, command
            loop = asyncio.get_running_loop()
            loop.call_later(redirects.CHECK_AFTER, self._leaving.pop, uid, None)
        *before, redirect = actions.leave(uid, queue, command)
        for action in before:
            yield Step(action)
        yield self._redirects.begin(
            redirects.PendingRedirect(
                redirect=redirect,
                still_wanted=lambda: uid not in self._tracker.callers,
                until_out_of=contract.IN_LINE if waits else frozenset(),
                returns=True,
            )
        )

    def leave_now(self, uid: str, queue: str, command: Leave) -> None:
        """Let a caller leave at once, outside of any event."""
        self._writer.write([*self.leave(uid, queue, command)])

    def expect_in_dialplan(self, person: str) -> None:
        """A person has been given the place of a waiting channel and may not stand there yet."""
        self._redirects.expect(person)

    def leave_instead(self, left: str, person: str) -> None:
        """A person has the place of a channel. If that was just told to leave, so is the person."""
        queue, command = self._leaving.pop(left, ("", None))
        if command is not None:
            self.expect_in_dialplan(person)
            self.leave_now(person, queue, command)
