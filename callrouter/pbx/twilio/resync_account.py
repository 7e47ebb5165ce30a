"""Resyncs the ledger with the REST API: at the start, after a gap, and periodically.

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
from callrouter.pbx.twilio.api_requests import End, Found
from callrouter.pbx.twilio.calls_and_legs import (
    Caller,
    Leg,
    LegState,
    Stand,
    read_label,
    read_place,
    read_room,
)
from callrouter.pbx.twilio.ledger import Ledger
from callrouter.pbx.twilio.legs import address
from callrouter.settings import TwilioSettings

YOUNG = 15.0
"""Seconds for which a call may be missing from Twilio's lists."""
LOOKS = 2
"""Number of consecutive resyncs without a call after which it counts as gone."""


def miss(ledger: Ledger, found: Sequence[Found]) -> None:
    """Drop callers and legs that have vanished: every callback that reported it was lost."""
    there = {one.sid for one in found}
    for caller in list(ledger.callers.values()):
        caller.missed_looks = 0 if caller.sid in there else caller.missed_looks + 1
        if caller.missed_looks >= LOOKS and ledger.now - caller.since > YOUNG:
            ledger.counts["vanished callers"] += 1
            ledger.caller_gone(caller.sid)
    for leg in list(ledger.legs.values()):
        if not leg.sid or not leg.picked_up:
            continue  # it has a deadline of its own, and a ringing call is not in progress
        leg.missed_looks = 0 if leg.sid in there else leg.missed_looks + 1
        if leg.missed_looks >= LOOKS:
            ledger.counts["vanished legs"] += 1
            ledger.ended(leg, LegEnd.HUNG_UP)


def adopt(ledger: Ledger, settings: TwilioSettings, found: Sequence[Found]) -> None:
    """Take over the waiting callers and conversations from before this run. Posts no events.

    Waiting callers are in Twilio queues named after ours. Conversations are in conferences, whose
    names and labels identify caller and agent. A caller who dialled a number that is not ours
    belongs to another router.
    """
    rooms: dict[str, list[Found]] = {}
    for one in found:
        if one.conference:
            rooms.setdefault(one.conference, []).append(one)
        elif one.queue and one.called_number in settings.numbers and _new(ledger, one):
            queue, priority = read_place(one.queue, ledger.table.queues)
            _take(ledger, one, queue or settings.numbers[one.called_number], priority)
    for room, people in rooms.items():
        _adopt_talk(ledger, settings, room, people)
    _silence(ledger, settings, found)
    by_sid = {one.sid: one for one in found}
    for one in found:
        parent = by_sid.get(one.parent)
        if parent is not None and parent.called_number in settings.numbers and _new(ledger, parent):
            _adopt_dial(ledger, settings, parent, one)


def _silence(ledger: Ledger, settings: TwilioSettings, found: Sequence[Found]) -> None:
    """Stop phones that have been ringing since before this run.

    Their tokens are lost, so they could not be connected. Until they stop, their agents could be
    rung for another call.
    """
    phones = {
        device.number or address(device.endpoint)
        for agent in ledger.table.agents.values()
        for device in agent.devices
        if ledger.name in device.pbxes
    }
    for one in found:
        ours = one.ringing and one.caller_number == settings.caller_id
        if ours and one.called_number in phones:
            ledger.counts["phones from before stopped"] += 1
            ledger.ask(End(sid=one.sid), lambda _answer: None)


def _new(ledger: Ledger, one: Found) -> bool:
    return one.sid not in ledger.callers and one.sid not in ledger.gone


def _take(ledger: Ledger, one: Found, queue: str, priority: int = DEFAULT_PRIORITY) -> Caller:
    arrived = CallArrived(
        call=f"{ledger.name}-{one.sid}",
        pbx=ledger.name,
        queue=queue,
        caller_number=one.caller_number,
        called_number=one.called_number,
        priority=priority,
        entered_at=one.started_at,
        queued_at=one.queued_at,
    )
    caller = Caller(arrived, one.sid, since=ledger.now)
    caller.first = one.started_at or ledger.now
    caller.queued = one.queued_at or caller.first
    ledger.callers[one.sid] = caller
    ledger.counts["adopted"] += 1
    return caller


def _adopt_talk(
    ledger: Ledger, settings: TwilioSettings, room: str, people: Sequence[Found]
) -> None:
    sid, offer = read_room(room)
    caller_side = next((one for one in people if one.sid == sid), None)
    agent_side = next((one for one in people if one.label), None)
    if caller_side is None or agent_side is None or not _new(ledger, caller_side):
        return
    queue = settings.numbers.get(caller_side.called_number)
    if queue is None:
        return
    caller = _take(ledger, caller_side, queue)
    leg = _adopt_leg(ledger, caller, offer, agent_side)
    caller.to_talk(leg)
    caller.stand, caller.room = Stand.TALKING, room
    for other in people:
        if other.label and other is not agent_side:
            caller.consult = _adopt_leg(ledger, caller, f"{offer}-besides", other)


def _adopt_dial(ledger: Ledger, settings: TwilioSettings, caller_side: Found, phone: Found) -> None:
    """Adopt a conversation over a `<Dial>`.

    The phone's address is all that identifies the agent.
    """
    for agent in ledger.table.agents.values():
        for device in agent.devices:
            here = ledger.name in device.pbxes and device.endpoint
            if here and address(device.endpoint) == phone.called_number:
                caller = _take(ledger, caller_side, settings.numbers[caller_side.called_number])
                named = replace(phone, label=f"{agent.id}|{device.id}")
                leg = _adopt_leg(ledger, caller, f"before-{phone.sid}", named)
                caller.to_talk(leg)
                caller.stand, caller.room, leg.dialled = Stand.TALKING, "", True
                return


def _adopt_leg(ledger: Ledger, caller: Caller, offer: str, found: Found) -> Leg:
    """Adopt an agent's leg in an earlier conversation.

    The agent is busy, whatever the call is about.
    """
    agent, device = read_label(found.label)
    leg = Leg(_ring(ledger, caller, offer, agent, device), f"before-{found.sid}", ledger.now)
    leg.sid, leg.state, leg.picked_up, leg.rang = found.sid, LegState.ACCEPTED, True, True
    ledger.legs[leg.key] = leg
    return leg


def _ring(ledger: Ledger, caller: Caller, offer: str, agent: str, device: str) -> Ring:
    """Reconstruct the command that an adopted leg must have come from, as far as it matters."""
    return Ring(
        pbx=ledger.name,
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
