"""Resyncs the account state with the REST API: at the start, after a gap, and periodically.

Why a list of calls alone proves nothing: Twilio calls its lists eventually consistent. A call that
began a second ago may be missing, and one that has ended may still be shown. So the two directions
are treated differently.

- *Missing.* A call counts as gone only if two resyncs in a row have not found it and we have known
  it for a while. Both together are longer than the lag. Waiting costs little, because the webhooks
  have nearly always reported the end already; this is for the case that all of them were lost.
- *Unknown.* Calls are adopted once only, when the driver comes into step after a start. Later, an
  unknown call in a list is either too new or has just ended, and its own next webhook decides.
  Calls that are remembered as ended are never adopted.

Nothing about a call is stored by us. The names of Twilio's queues and conferences and the labels of
participants say who a caller is and where they wait (`callrouter.pbx.twilio.calls_and_legs`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from callrouter.model.commands import Ring
from callrouter.model.events import CallArrived, LegEnd
from callrouter.model.routing_table import DEFAULT_PRIORITY, DeviceSpec
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.calls_and_legs import (
    TwilioCaller,
    TwilioCallerState,
    TwilioLeg,
    TwilioLegState,
    decode_conference_name,
    decode_label,
    decode_queue_name,
)
from callrouter.pbx.twilio.legs import address
from callrouter.pbx.twilio.rest.api_requests import CallInProgress, EndCall
from callrouter.settings import TwilioSettings

YOUNG: Final = 15.0
"""Seconds for which a call may be missing from Twilio's lists."""
MISSED_RESYNCS: Final = 2
"""Number of consecutive resyncs without a call after which it counts as gone."""


def drop_vanished(account: AccountState, found: Sequence[CallInProgress]) -> None:
    """Drop callers and legs that have vanished: every callback that reported it was lost.

    Args:
        account: the state of the account. Its time must be that of the lists.
        found: all calls in progress, according to the REST API.
    """
    there = {call.sid for call in found}
    for caller in list(account.callers.values()):
        caller.missed_resyncs = 0 if caller.sid in there else caller.missed_resyncs + 1
        if caller.missed_resyncs >= MISSED_RESYNCS and account.now - caller.state_since > YOUNG:
            account.counts["vanished callers"] += 1
            account.caller_left(caller.sid)
    for leg in list(account.legs.values()):
        if not leg.sid or not leg.picked_up:
            continue  # it has a deadline of its own, and a ringing call is not in progress
        leg.missed_resyncs = 0 if leg.sid in there else leg.missed_resyncs + 1
        if leg.missed_resyncs >= MISSED_RESYNCS:
            account.counts["vanished legs"] += 1
            account.end_leg(leg, LegEnd.HUNG_UP)


def adopt(account: AccountState, settings: TwilioSettings, found: Sequence[CallInProgress]) -> None:
    """Take over the waiting callers and conversations from before this run.

    Posts no events: the owner posts a snapshot afterwards. A caller who dialled a number that is
    not ours belongs to another router and is left alone.

    Args:
        account: the state of the account, as after a start.
        settings: the numbers of the account and their queues.
        found: all calls in progress and all ringing phones, according to the REST API.
    """
    adoption = _Adoption(account, settings)
    conferences: dict[str, list[CallInProgress]] = {}
    for call in found:
        if call.conference:
            conferences.setdefault(call.conference, []).append(call)
        elif call.queue:
            adoption.adopt_waiting(call)
    for name, participants in conferences.items():
        adoption.adopt_conversation(name, participants)
    adoption.stop_ringing_phones(found)
    by_sid = {call.sid: call for call in found}
    for call in found:
        if call.parent in by_sid:
            adoption.adopt_dial(by_sid[call.parent], call)


class _Adoption:
    """Adopts the calls of one account."""

    def __init__(self, account: AccountState, settings: TwilioSettings) -> None:
        self._account = account
        self._settings = settings

    def adopt_waiting(self, call: CallInProgress) -> None:
        """Adopt a caller in a Twilio queue, whose name says which of our queues it is.

        The queue may have been removed or renamed since. Then the caller waits in the queue of the
        number that they called.
        """
        if self._is_new_caller(call):
            queue, priority = decode_queue_name(call.queue, self._account.table.queues)
            self._add_caller(call, queue or self._queue_of(call), priority)

    def adopt_conversation(self, name: str, participants: Sequence[CallInProgress]) -> None:
        """Adopt a conversation in a conference.

        The conference's name contains the caller's SID and the offer. Participants with a label are
        agents: the first has the caller, another is consulted.
        """
        sid, offer = decode_conference_name(name)
        caller_side = next((call for call in participants if call.sid == sid), None)
        agents = [call for call in participants if call.label]
        if caller_side is None or not agents or not self._is_new_caller(caller_side):
            return
        caller = self._add_caller(caller_side, self._queue_of(caller_side))
        caller.start_connecting(self._add_leg(caller, offer, agents[0]))
        caller.state, caller.conference_name = TwilioCallerState.TALKING, name
        for other in agents[1:]:
            caller.consulted_leg = self._add_leg(caller, f"{offer}-besides", other)

    def adopt_dial(self, caller_side: CallInProgress, phone: CallInProgress) -> None:
        """Adopt a conversation over a `<Dial>`, which has no names and labels of ours.

        The phone's address is all that identifies the agent.
        """
        device = self._device_at(phone.called_number)
        if device is None or not self._is_new_caller(caller_side):
            return
        caller = self._add_caller(caller_side, self._queue_of(caller_side))
        labelled = replace(phone, label=f"{device.agent}|{device.id}")
        leg = self._add_leg(caller, f"before-{phone.sid}", labelled)
        leg.in_group_dial = True
        caller.start_connecting(leg)
        caller.state, caller.conference_name = TwilioCallerState.TALKING, ""

    def stop_ringing_phones(self, found: Sequence[CallInProgress]) -> None:
        """Stop phones that have been ringing since before this run.

        Their tokens are lost, so they could not be connected. Until they stop, their agents could
        be rung for another call.
        """
        phones = {device.number or address(device.endpoint) for device in self._devices()}
        for call in found:
            ours = call.ringing and call.caller_number == self._settings.caller_id
            if ours and call.called_number in phones:
                self._account.counts["phones from before stopped"] += 1
                self._account.send_request(EndCall(sid=call.sid), lambda _result: None)

    def _is_new_caller(self, call: CallInProgress) -> bool:
        """Whether this is a caller of ours who is neither known nor remembered as gone."""
        account = self._account
        known = call.sid in account.callers or call.sid in account.ended_calls
        return call.called_number in self._settings.numbers and not known

    def _queue_of(self, call: CallInProgress) -> str:
        return self._settings.numbers[call.called_number]

    def _devices(self) -> Iterator[DeviceSpec]:
        return self._account.table.devices_on(self._account.name)

    def _device_at(self, phone_address: str) -> DeviceSpec | None:
        for device in self._devices():
            if device.endpoint and address(device.endpoint) == phone_address:
                return device
        return None

    def _add_caller(
        self, call: CallInProgress, queue: str, priority: int = DEFAULT_PRIORITY
    ) -> TwilioCaller:
        account = self._account
        arrived = CallArrived(
            call=account.call_id(call.sid),
            pbx=account.name,
            queue=queue,
            caller_number=call.caller_number,
            called_number=call.called_number,
            priority=priority,
            entered_at=call.started_at,
            queued_at=call.queued_at,
        )
        caller = TwilioCaller(arrived, call.sid, state_since=account.now, logged=True)
        caller.first_entered_at = call.started_at or account.now
        caller.queued_at = call.queued_at or caller.first_entered_at
        account.callers[call.sid] = caller
        account.counts["adopted"] += 1
        return caller

    def _add_leg(self, caller: TwilioCaller, offer: str, call: CallInProgress) -> TwilioLeg:
        """Add an agent's leg in an earlier conversation. The agent is busy, whatever it is about.

        Its token is not one that any URL contains, so no webhook can claim to be about it.
        """
        agent, device = decode_label(call.label)
        ring = _reconstructed_ring(self._account.name, caller, offer, agent, device)
        leg = TwilioLeg(ring, token=f"before-{call.sid}", place_by=self._account.now)
        leg.sid, leg.state = call.sid, TwilioLegState.ACCEPTED
        leg.picked_up = leg.rang = True
        self._account.legs[leg.key] = leg
        return leg


def _reconstructed_ring(
    pbx: str, caller: TwilioCaller, offer: str, agent: str, device: str
) -> Ring:
    """The command that an adopted leg must have come from, as far as it matters."""
    arrived = caller.arrived
    return Ring(
        pbx=pbx,
        call=arrived.call,
        offer=offer,
        agent=agent,
        device=device,
        endpoint="",
        number="",
        confirm=False,
        ring_for=0.0,
        queue=arrived.queue,
        queue_name=arrived.queue,
        caller_number=arrived.caller_number,
        caller_name="",
    )
