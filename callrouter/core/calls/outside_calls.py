"""An agent passes a caller on to a number outside, which costs money and is therefore limited.

The conversation is over for the agent then, and the call for the core. The PBX rings the number and,
if it is not reached, puts the caller back into the queue, where the agent is asked first. It does so
without the core, so that a restart in between costs no caller. The core only keeps who is outside, to
limit how many that are; after a gap the snapshot tells.
"""

from __future__ import annotations

from typing import Final

from callrouter.core.agents import agent_messages
from callrouter.core.calls import bridging, queueing
from callrouter.core.floor import Floor
from callrouter.core.offers import ringing
from callrouter.core.state import Call, CallerOutside
from callrouter.model.call_requests import ConversationRequested
from callrouter.model.commands import DialOutside, StopReason
from callrouter.model.events import OutsideCallEnded, PbxSnapshot, TransferKind
from callrouter.model.text import mask, phrase

_HOUR: Final = 3600.0


def refusal(floor: Floor, call: Call, event: ConversationRequested) -> str:
    """Why a caller can't be passed on to a number outside now; empty if they can.

    Args:
      floor: the state of the core.
      call: a call in conversation, on a PBX that is in step.
      event: the request, with a number.
    """
    rules = floor.table.outside
    if event.queue or event.agent:
        return phrase("say-one-place", "say one place: a queue, an agent, or a number outside")
    if not rules.allowed:
        return phrase(
            "outside-off",
            "callers are not passed on to numbers outside here (transfers: outside is not set)",
        )
    why = floor.outside.refusals.get(call.pbx, "")
    if why:
        return phrase(
            "pbx-cannot-dial-outside",
            "{pbx} can't pass a caller on to a number outside: {why}",
            pbx=call.pbx,
            why=why,
        )
    if not rules.permits(event.number):
        allowed = ", ".join(rules.allowed)
        return phrase(
            "outside-not-permitted",
            "{number} is not among the numbers allowed here: {allowed}",
            number=mask(event.number),
            allowed=allowed,
        )
    if len(floor.outside.calls) >= rules.at_once:
        return phrase(
            "outside-too-many",
            "{now} callers are with numbers outside, and no more may be at "
            "once (transfers: at_once)",
            now=len(floor.outside.calls),
        )
    return _too_often(floor, call)


def _too_often(floor: Floor, call: Call) -> str:
    assert call.winner is not None  # noqa: S101 - the call is in the TALKING state
    agent, most = call.winner.agent.id, floor.table.outside.per_hour
    times = [at for at, who in floor.outside.dialled if who == agent and at > floor.now - _HOUR]
    if len(times) < most:
        return ""
    text = "{agent} may pass on {most} callers to numbers outside in an hour (transfers: per_hour)"
    no = phrase("outside-too-often", text, agent=agent, most=most)
    if not most:
        return no
    minutes = _minutes(times[-most] + _HOUR - floor.now)
    return phrase("no-again-minutes", "{no}; again in {minutes} min", no=no, minutes=minutes)


def _minutes(seconds: float) -> int:
    return max(1, round(seconds / 60))


def dial(floor: Floor, call: Call, number: str, by: str) -> None:
    """Pass a caller on to a number outside, and release the agent.

    Args:
      floor: the state of the core.
      call: a call in conversation, for which `refusal` has no reason.
      number: the number (E.164).
      by: who asked for it.
    """
    offer = call.winner
    assert offer is not None  # noqa: S101 - the call is in the TALKING state
    rules, agent = floor.table.outside, offer.agent.id
    ringing.drop_consultation(floor, call, StopReason.WITHDRAWN)
    bridging.record_transfer(floor, call, TransferKind.BLIND, number, by)
    floor.transferred_by.pop(call.id, None)  # should the caller come back, the agent comes first
    floor.outside.calls[call.id] = CallerOutside(call.pbx, agent, number)
    dialled = floor.outside.dialled
    while dialled and dialled[0][0] <= floor.now - _HOUR:
        dialled.popleft()
    dialled.append((floor.now, agent))
    floor.order(
        DialOutside(pbx=call.pbx, call=call.id, number=number, agent=agent, ring_for=rules.ring_for)
    )
    ringing.hang_up_agent(floor, offer)
    queueing.forget(floor, call)


def ended(floor: Floor, event: OutsideCallEnded) -> None:
    """A caller is no longer with a number outside. The agent is told if they come back."""
    call = floor.outside.calls.pop(event.call, None)
    if call is None:
        floor.report_oddity(f"call {event.call} is not with a number outside, and that ends")
        return
    agent = floor.agent_named(call.agent) if event.returns else None
    if agent is not None:
        text = agent_messages.outside_not_reached(mask(call.number))
        agent_messages.send_message(floor, agent, text)


def compare(floor: Floor, seen: PbxSnapshot) -> None:
    """The callers of a PBX who are outside are those that its snapshot shows."""
    for name in [name for name, call in floor.outside.calls.items() if call.pbx == seen.pbx]:
        del floor.outside.calls[name]
    for item in seen.outside:
        floor.outside.calls[item.call] = CallerOutside(seen.pbx, item.agent, item.number)
