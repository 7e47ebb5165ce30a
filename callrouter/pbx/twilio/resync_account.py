"""Resyncs the account state with the REST API: at the start, after a gap, and periodically.

The API lags behind (Twilio calls its lists eventually consistent), so a list alone proves nothing
about a recent call. A call counts as gone only if two resyncs in a row have not found it, and only
if we have known it for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from callrouter.model.commands import Ring
from callrouter.model.events import CallArrived, LegEnd
from callrouter.model.routing_table import DEFAULT_PRIORITY
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

YOUNG = 15.0
"""Seconds for which a call may be missing from Twilio's lists."""
LOOKS = 2
"""Number of consecutive resyncs without a call after which it counts as gone."""


def miss(account: AccountState, found: Sequence[CallInProgress]) -> None:
    """Drop callers and legs that have vanished: every callback that reported it was lost."""
    there = {one.sid for one in found}
    for caller in list(account.callers.values()):
        caller.missed_resyncs = 0 if caller.sid in there else caller.missed_resyncs + 1
        if caller.missed_resyncs >= LOOKS and account.now - caller.state_since > YOUNG:
            account.counts["vanished callers"] += 1
            account.caller_left(caller.sid)
    for leg in list(account.legs.values()):
        if not leg.sid or not leg.picked_up:
            continue  # it has a deadline of its own, and a ringing call is not in progress
        leg.missed_resyncs = 0 if leg.sid in there else leg.missed_resyncs + 1
        if leg.missed_resyncs >= LOOKS:
            account.counts["vanished legs"] += 1
            account.end_leg(leg, LegEnd.HUNG_UP)


def adopt(account: AccountState, settings: TwilioSettings, found: Sequence[CallInProgress]) -> None:
    """Take over the waiting callers and conversations from before this run. Posts no events.

    Waiting callers are in Twilio queues named after ours. Conversations are in conferences, whose
    names and labels identify caller and agent. A caller who dialled a number that is not ours
    belongs to another router.
    """
    rooms: dict[str, list[CallInProgress]] = {}
    for one in found:
        if one.conference:
            rooms.setdefault(one.conference, []).append(one)
        elif one.queue and one.called_number in settings.numbers and _new(account, one):
            queue, priority = decode_queue_name(one.queue, account.table.queues)
            _take(account, one, queue or settings.numbers[one.called_number], priority)
    for room, people in rooms.items():
        _adopt_talk(account, settings, room, people)
    _silence(account, settings, found)
    by_sid = {one.sid: one for one in found}
    for one in found:
        parent = by_sid.get(one.parent)
        if (
            parent is not None
            and parent.called_number in settings.numbers
            and _new(account, parent)
        ):
            _adopt_dial(account, settings, parent, one)


def _silence(
    account: AccountState, settings: TwilioSettings, found: Sequence[CallInProgress]
) -> None:
    """Stop phones that have been ringing since before this run.

    Their tokens are lost, so they could not be connected. Until they stop, their agents could be
    rung for another call.
    """
    phones = {
        device.number or address(device.endpoint)
        for agent in account.table.agents.values()
        for device in agent.devices
        if account.name in device.pbxes
    }
    for one in found:
        ours = one.ringing and one.caller_number == settings.caller_id
        if ours and one.called_number in phones:
            account.counts["phones from before stopped"] += 1
            account.send_request(EndCall(sid=one.sid), lambda _answer: None)


def _new(account: AccountState, one: CallInProgress) -> bool:
    return one.sid not in account.callers and one.sid not in account.ended_calls


def _take(
    account: AccountState, one: CallInProgress, queue: str, priority: int = DEFAULT_PRIORITY
) -> TwilioCaller:
    arrived = CallArrived(
        call=f"{account.name}-{one.sid}",
        pbx=account.name,
        queue=queue,
        caller_number=one.caller_number,
        called_number=one.called_number,
        priority=priority,
        entered_at=one.started_at,
        queued_at=one.queued_at,
    )
    caller = TwilioCaller(arrived, one.sid, state_since=account.now)
    caller.first_entered_at = one.started_at or account.now
    caller.queued_at = one.queued_at or caller.first_entered_at
    account.callers[one.sid] = caller
    account.counts["adopted"] += 1
    return caller


def _adopt_talk(
    account: AccountState, settings: TwilioSettings, room: str, people: Sequence[CallInProgress]
) -> None:
    sid, offer = decode_conference_name(room)
    caller_side = next((one for one in people if one.sid == sid), None)
    agent_side = next((one for one in people if one.label), None)
    if caller_side is None or agent_side is None or not _new(account, caller_side):
        return
    queue = settings.numbers.get(caller_side.called_number)
    if queue is None:
        return
    caller = _take(account, caller_side, queue)
    leg = _adopt_leg(account, caller, offer, agent_side)
    caller.start_connecting(leg)
    caller.state, caller.conference_name = TwilioCallerState.TALKING, room
    for other in people:
        if other.label and other is not agent_side:
            caller.consulted_leg = _adopt_leg(account, caller, f"{offer}-besides", other)


def _adopt_dial(
    account: AccountState,
    settings: TwilioSettings,
    caller_side: CallInProgress,
    phone: CallInProgress,
) -> None:
    """Adopt a conversation over a `<Dial>`.

    The phone's address is all that identifies the agent.
    """
    for agent in account.table.agents.values():
        for device in agent.devices:
            here = account.name in device.pbxes and device.endpoint
            if here and address(device.endpoint) == phone.called_number:
                caller = _take(account, caller_side, settings.numbers[caller_side.called_number])
                named = replace(phone, label=f"{agent.id}|{device.id}")
                leg = _adopt_leg(account, caller, f"before-{phone.sid}", named)
                caller.start_connecting(leg)
                caller.state, caller.conference_name, leg.in_group_dial = (
                    TwilioCallerState.TALKING,
                    "",
                    True,
                )
                return


def _adopt_leg(
    account: AccountState, caller: TwilioCaller, offer: str, found: CallInProgress
) -> TwilioLeg:
    """Adopt an agent's leg in an earlier conversation.

    The agent is busy, whatever the call is about.
    """
    agent, device = decode_label(found.label)
    leg = TwilioLeg(
        _ring(account, caller, offer, agent, device), f"before-{found.sid}", account.now
    )
    leg.sid, leg.state, leg.picked_up, leg.rang = found.sid, TwilioLegState.ACCEPTED, True, True
    account.legs[leg.key] = leg
    return leg


def _ring(account: AccountState, caller: TwilioCaller, offer: str, agent: str, device: str) -> Ring:
    """Reconstruct the command that an adopted leg must have come from, as far as it matters."""
    return Ring(
        pbx=account.name,
        call=caller.arrived.call,
        offer=offer,
        agent=agent,
        device=device,
        endpoint="",
        number="",
        confirm=False,
        ring_for=0.0,
        queue=caller.arrived.queue,
        queue_name=caller.arrived.queue,
        caller_number=caller.arrived.caller_number,
        caller_name="",
    )
