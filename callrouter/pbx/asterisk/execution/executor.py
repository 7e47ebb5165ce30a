"""Executes the core's commands: which actions each one needs, and what a refusal of them means.

The tracker is updated in the same step that writes an action, before Asterisk has answered, and the
channel is recorded in `moved`. So an event that follows finds the tracker in its new state, and a
resync whose lists were requested earlier cannot undo the command. An action is never repeated just
because its answer is missing, since it may have been executed. The state of the channel is queried
instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from callrouter.model.commands import (
    Announce,
    Connect,
    Consult,
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
from callrouter.model.events import ConnectFailed, ConnectFault, LegEnd
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import (
    AmiBadValue,
    AmiClient,
    AmiError,
    AmiRejected,
    AmiReply,
    AmiTimeout,
)
from callrouter.pbx.asterisk.execution import actions as orders
from callrouter.pbx.asterisk.execution import redirects
from callrouter.pbx.asterisk.sanitize import clean_number
from callrouter.pbx.asterisk.tracking.channels import (
    CallerChannel,
    CallerState,
    ContactFork,
    LegChannel,
)
from callrouter.pbx.asterisk.tracking.tracker import Tracker
from callrouter.pbx.base import Post

logger = logging.getLogger(__name__)

Told: TypeAlias = Callable[[AmiReply | AmiError], None]
Step: TypeAlias = tuple[orders.Action, Told | None]

_QUIET = 60.0
"""Seconds during which the same message is not logged again."""

_HEARD_WITHIN = 0.02
"""Seconds in which the event that explains why a channel is gone has come."""

_URGENT: dict[type[PbxCommand], int] = {Connect: 0, Ring: 1}
"""Urgent commands go first: two people are waiting to be connected, or a phone to ring."""


class Executor:
    """Writes AMI actions, batched where possible, and handles Asterisk's answers.

    Args:
        session: the link to Asterisk.
        mirror: the calls and legs, which each command updates.
        post: receives events.
        dial_numbers: how outside numbers are dialled, the first choice first.
        shown: what agents' phones show of callers.
        resync: compares everything with Asterisk again; takes the reason.
        contacts: returns the dial strings of the phones registered at an endpoint. With fewer than
            two, the endpoint itself is dialled.
        language: returns the language of the prompts for an agent.
        connecting: called for each caller who is being connected.
    """

    def __init__(
        self,
        session: AmiClient,
        tracker: Tracker,
        *,
        post: Post,
        dial_numbers: Sequence[str],
        shown: orders.ShownNumber,
        resync: Callable[[str], None],
        contacts: Callable[[str], Sequence[str]],
        language: Callable[[str], str],
        connecting: Callable[[CallerChannel], None],
    ) -> None:
        self._session = session
        self._tracker = tracker
        self._post = post
        self._dial_numbers = dial_numbers
        self._shown = shown
        self._language = language
        self._resync = resync
        self._contacts = contacts
        self._connecting = connecting
        self._leaving: dict[str, tuple[str, Leave]] = {}
        """Callers who were told to leave within the last second, by channel, with their queue."""
        self._moves = redirects.Redirects(self.write, self.complain)
        self._complained: dict[str, float] = {}
        self._later: list[Step] = []
        self.trunks_failed = 0
        """Calls to agents' phones that continued on the next of several trunks."""
        self.numbers_refused = 0
        """Calls to agents' phones that the carrier refused because of the caller's number."""

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        """Execute the commands of one event in a single write.

        Does nothing while the link is down.
        """
        if not self._session.up:
            return
        steps = [
            step
            for command in sorted(commands, key=lambda command: _URGENT.get(type(command), 2))
            for step in self._steps(command)
        ]
        self.write(steps)

    def send(self, *actions: orders.Action) -> None:
        """Write actions together."""
        self.write([(action, None) for action in actions])

    def later(self, action: orders.Action, told: Told | None = None) -> None:
        """Queue an action that is not urgent. It is written with others after the current event.

        Each write wakes Asterisk's thread for this link, so batching halves the cost.
        """
        if not self._later:
            asyncio.get_running_loop().call_soon(self._write_later)
        self._later.append((action, told))

    def _write_later(self) -> None:
        steps, self._later = self._later, []
        self.write(steps)

    def _steps(self, command: PbxCommand) -> Iterator[Step]:
        tracker = self._tracker
        match command:
            case Ring():
                yield from self._ring(command)
            case StopRing():
                yield from self._stop(command)
            case Connect():
                yield from self._connect(command)
            case Requeue():
                caller = tracker.callers.get(tracker.uid(command.call))
                if caller is not None and caller.where is not CallerState.WAITING:
                    tracker.moved.add(caller.uid)
                    caller.where, caller.leg = CallerState.WAITING, ""
                    yield self._back_to_the_music(caller)
            case SetHold() | Consult() | PutThrough():
                pass  # phones do this themselves; our snapshots do not claim to support hold
            case Announce():
                yield from self._announce(command)
            case Disregard():
                # The event that follows must come after those being handled now, so it is not
                # posted from here.
                loop = asyncio.get_running_loop()
                loop.call_soon(tracker.phones.disregard, command.endpoint)
            case Leave():
                uid = tracker.uid(command.call)
                # The caller is forgotten before Asterisk confirms the move: whatever they do from
                # now on is no news for the core, which has finished with the call.
                tracker.moved.add(uid)
                caller = tracker.callers.pop(uid, None)
                yield from self.leave(uid, caller.queue if caller else "unknown", command)

    def _stop(self, command: StopRing) -> Iterator[Step]:
        uid = contract.leg_id(command.offer, command.device)
        leg = self._tracker.leg(command.offer, command.device)
        leg = leg or LegChannel(uid, command.offer, command.device)
        for one in list(leg.fork.legs) if leg.fork is not None else [leg]:
            one.stop = command.why if one.fork is None else one.stop or command.why
            yield orders.stop(one), None

    def _announce(self, command: Announce) -> Iterator[Step]:
        caller = self._tracker.callers.get(self._tracker.uid(command.call))
        if caller is not None and caller.where is CallerState.WAITING:
            tell = f"{command.position}-{command.minutes}"
            yield orders.setvar(caller.uid, "CALLROUTER_TELL", tell), None

    def _ring(self, command: Ring) -> Iterator[Step]:
        contacts = self._contacts(command.endpoint) if command.endpoint else ()
        if len(contacts) < 2:
            yield self._ring_one(command)
            return
        fork = ContactFork()
        for place, contact in enumerate(contacts, start=1):
            yield self._ring_one(command, contact, place, fork)

    def _ring_one(
        self,
        command: Ring,
        contact: str = "",
        place: int = 1,
        fork: ContactFork | None = None,
        *,
        shown: orders.ShownNumber | None = None,
        trunk: int = 0,
    ) -> Step:
        """Ring a device, or one `contact` of several registered at its endpoint."""
        shown = self._shown if shown is None else shown
        uid = contract.leg_id(command.offer, command.device, place)
        leg = LegChannel(uid, command.offer, command.device, agent=command.agent, call=command.call)
        if fork is not None:
            fork.add(leg)
        if command.number:
            self._goes_outside(leg, command, shown, place, trunk)
        self._tracker.legs[uid] = leg
        self._tracker.moved.add(uid)
        try:
            action = orders.originate(
                command,
                self._dial_numbers[trunk] if self._dial_numbers else "",
                shown=shown,
                language=self._language(command.agent),
                contact=contact,
                uid=uid,
            )
            leg.route = str(action["Channel"]).startswith(orders.ROUTE)
        except (AmiBadValue, LookupError, ValueError) as error:
            fault = AmiBadValue(str(error))
            asyncio.get_running_loop().call_soon(self._placed_or_not, leg, fault)
            return {"Action": "Ping"}, None
        return action, lambda reply: self._placed_or_not(leg, reply)

    def _goes_outside(
        self, leg: LegChannel, command: Ring, shown: orders.ShownNumber, place: int, trunk: int
    ) -> None:
        """Prepare the two retries of an outside call.

        If the carrier refuses the caller's number, the call is repeated once with the business's
        number. If the trunk fails, the call goes to the next trunk, if there is one.
        """
        clock = self._tracker.clock
        leg.outside = clock.now() if clock is not None else 0.0
        if shown.caller_id and not shown.always and clean_number(command.caller_number):
            leg.again = partial(self._show_the_business, command, shown.caller_id, place + 1, trunk)
        if trunk + 1 < len(self._dial_numbers):
            leg.next_trunk = partial(self._use_trunk, command, shown, place + 1, trunk + 1)

    def _use_trunk(self, command: Ring, shown: orders.ShownNumber, place: int, trunk: int) -> None:
        self.trunks_failed += 1
        self.complain(
            f"a call to an agent's phone failed by dial_number {trunk} of {len(self._dial_numbers)}",
            "it is rung by the next; is that trunk registered, does the provider answer?",
        )
        self.write([self._ring_one(command, place=place, shown=shown, trunk=trunk)])

    def _show_the_business(self, command: Ring, caller_id: str, place: int, trunk: int) -> None:
        self.numbers_refused += 1
        self.complain(
            "the carrier refused a call to an agent's phone that shows its caller's number",
            "it is rung again with caller_id; show: business shows that at once",
        )
        shown = orders.ShownNumber(caller_id, always=True)
        self.write([self._ring_one(command, place=place, shown=shown, trunk=trunk)])

    def _placed_or_not(self, leg: LegChannel, reply: AmiReply | AmiError) -> None:
        """Handle the first answer to an Originate.

        If it is refused, the leg has failed. If there is no answer, the phone may be ringing all
        the same, so resync to find out.
        """
        if isinstance(reply, AmiRejected | AmiBadValue):
            self.complain(
                f"can't ring a phone: {reply}",
                "check write=originate of the user in manager_callrouter.conf, and that "
                "extensions.conf includes extensions_callrouter.conf",
            )
            self._tracker.leg_gone(leg, LegEnd.FAILED)
        elif isinstance(reply, AmiTimeout):
            self._resync("an Originate was not answered")

    def _connect(self, command: Connect) -> Iterator[Step]:
        tracker = self._tracker
        caller = tracker.callers.get(tracker.uid(command.call))
        leg = tracker.leg(command.offer, command.device)

        def failed(why: ConnectFault) -> None:
            self._post(ConnectFailed(call=command.call, offer=command.offer, why=why))

        if caller is None or leg is None:
            fault = ConnectFault.CALLER_GONE if caller is None else ConnectFault.LEG_GONE
            asyncio.get_running_loop().call_soon(failed, fault)
            return
        tracker.moved |= {caller.uid, leg.uid}
        caller.where, caller.leg, leg.caller = CallerState.CONNECTING, leg.uid, caller.uid
        caller.offer = leg.offer
        yield from self._connect_now(caller, leg.uid, failed)
        self._connecting(caller)

    def _connect_now(
        self, caller: CallerChannel, leg: str, failed: Callable[[ConnectFault], None]
    ) -> Iterator[Step]:
        uid = caller.uid

        def told(reply: AmiReply | AmiError) -> None:
            if not isinstance(reply, AmiRejected):
                return
            if redirects.gone(reply):
                # By an attended transfer another channel may have the place: word of it may still be on its way.
                asyncio.get_running_loop().call_later(_HEARD_WITHIN, gone)
            else:
                failed(ConnectFault.FAILED)

        def gone() -> None:
            if not self._connects(caller, leg):
                return
            if caller.uid == uid:
                failed(ConnectFault.CALLER_GONE)
            else:
                self.write([*self._connect_now(caller, leg, failed)])

        setvar, redirect = orders.connect(caller, leg)
        yield setvar, None
        yield self._moves.begin(
            redirects.PendingRedirect(
                redirect,
                wanted=lambda: self._connects(caller, leg),
                moved_away=lambda: self._tracker.gone_elsewhere(caller),
                told=told,
            )
        )

    def _connects(self, caller: CallerChannel, leg: str) -> bool:
        known = self._tracker.callers.get(caller.uid) is caller
        return known and caller.where is CallerState.CONNECTING and caller.leg == leg

    def connect_again(self, caller: CallerChannel) -> None:
        """Redirect the caller again. A connect was not executed, but both channels exist."""
        leg = caller.leg
        setvar, redirect = orders.connect(caller, leg)
        move = self._moves.begin(
            redirects.PendingRedirect(
                redirect,
                wanted=lambda: self._connects(caller, leg),
                moved_away=lambda: self._tracker.gone_elsewhere(caller),
            )
        )
        self.write([(setvar, None), move])

    def _back_to_the_music(self, caller: CallerChannel) -> Step:
        def wanted() -> bool:
            known = self._tracker.callers.get(caller.uid) is caller
            return known and caller.where is CallerState.WAITING

        return self._moves.begin(
            redirects.PendingRedirect(
                orders.redirect(caller.uid, contract.AGAIN, caller.queue),
                wanted=wanted,
                moved_away=lambda: self._tracker.gone_elsewhere(caller),
                until_out_of=frozenset({contract.CONNECT}),
            )
        )

    def leave(self, uid: str, queue: str, command: Leave) -> Iterator[Step]:
        """Let a caller leave, unless another program has moved them already."""
        if command.result is not Result.ANSWERED:
            self._leaving[uid] = queue, command
            loop = asyncio.get_running_loop()
            loop.call_later(redirects.LOOK_AGAIN, self._leaving.pop, uid, None)
        *before, redirect = orders.leave(uid, queue, command)
        for action in before:
            yield action, None
        # After a conversation the dialplan continues by itself. Only a caller who is still waiting
        # would be stuck, so only then is the move checked.
        waits = command.result is not Result.ANSWERED
        yield self._moves.begin(
            redirects.PendingRedirect(
                redirect,
                wanted=lambda: uid not in self._tracker.callers,
                until_out_of=contract.IN_LINE if waits else frozenset(),
            )
        )

    def stepped_in(self, person: str) -> None:
        """A person has been given the place of a waiting channel and may not stand there yet."""
        self._moves.comes(person)

    def leave_instead(self, line: str, person: str) -> None:
        """A person has the place of a channel. If that was just told to leave, they leave as it was to."""
        queue, command = self._leaving.pop(line, ("", None))
        if command is not None:
            self.stepped_in(person)
            self.write([*self.leave(person, queue, command)])

    # ------------------------------------------------------------ writing

    def write(self, steps: Sequence[Step]) -> None:
        """Write actions together.

        An action that cannot be sent fails without affecting the others.
        """
        if not steps:
            return
        try:
            futures = self._session.send([action for action, _ in steps])
        except AmiBadValue as error:
            if len(steps) > 1:
                for step in steps:
                    self.write([step])
                return
            action, told = steps[0]
            self.complain(f"{action['Action']} was not sent: {error}")
            if told is not None:
                told(error)
            return
        for future, (action, told) in zip(futures, steps, strict=True):
            future.add_done_callback(self._answered(action, told))

    def _answered(
        self, action: orders.Action, told: Told | None
    ) -> Callable[[asyncio.Future[AmiReply]], None]:
        def done(future: asyncio.Future[AmiReply]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if isinstance(error, AmiRejected) and "ermission" in str(error):
                name = str(action["Action"])
                self.complain(
                    f"Asterisk does not permit {name}",
                    f"the user in manager_callrouter.conf needs write={contract.NEEDS.get(name, '?')}",
                )
            if told is None:
                return
            if error is None:
                told(future.result())
            elif isinstance(error, AmiError):
                told(error)

        return done

    def complain(self, text: str, hint: str = "") -> None:
        """Log an error, at most once a minute for the same text."""
        self._complain(logging.ERROR, text, hint)

    def complain_mildly(self, text: str) -> None:
        """Log a warning, at most once a minute for the same text."""
        self._complain(logging.WARNING, text, "")

    def _complain(self, level: int, text: str, hint: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._complained.get(text, -_QUIET) < _QUIET:
            return
        if len(self._complained) > 100:
            self._complained.clear()
        self._complained[text] = now
        logger.log(level, "%s: %s%s", self._tracker.pbx, text, f"; {hint}" if hint else "")
