"""Builds the answer to ``why CALL`` from the journal, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from callrouter.api.explain import why_not
from callrouter.api.explain.decision_journal import Journal, Step, Trail
from callrouter.api.explain.explanation_text import NAMED, PASSED_ON
from callrouter.api.explain.offer_outcomes import Offer, offers_of, ringing_at
from callrouter.api.explain.why_agent import Look, decision, grouped
from callrouter.api.notice_text import Json, moment, seconds
from callrouter.core.floor import Floor
from callrouter.core.state import CallState
from callrouter.model.commands import Decided, Happened, Record
from callrouter.model.text import counted, first_few, rough_duration

_H: Final = Happened


async def answer(journal: Journal, floor: Floor, trail: Trail, now: float) -> Json:
    """Return everything about a call for ``GET /api/calls/{id}/why``.

    Yields to the loop in between.
    """
    steps = trail.steps()
    offers = offers_of(steps)
    outcomes: dict[str, str] = {}
    shown: list[Json] = []
    for step in steps:
        serial, told, _ = step
        if isinstance(told, Decided):
            look = Look(journal, step, told, ringing_at(offers, serial), outcomes)
            shown.append(await decision(look, offers[told.offer], now))
        elif told.kind is _H.OFFER_ENDED:
            outcomes[told.agent] = str(told.detail[0])
        else:
            if told.kind is _H.TRANSFERRED:
                outcomes[told.agent] = PASSED_ON
            text = _line(told, offers)
            if text:
                shown.append(_step(trail, told, text))
    return {
        **_head(trail, steps),
        "left_out": trail.left_out,
        "steps": shown,
        "now": await _now(floor, trail.call, now),
    }


def queue_of(trail: Trail) -> str:
    """Return the last queue of a call."""
    return next((told.queue for _, told, _ in reversed(trail.steps()) if told.queue), "")


def _head(trail: Trail, steps: Iterable[Step]) -> Json:
    """Return the facts about the call itself, from its records."""
    head: Json = {
        "call": trail.call,
        "queue": "",
        "caller_number": "",
        "caller_name": "",
        "entered_at": moment(trail.began),
        "ended_at": moment(trail.ended_at),
        "result": None,
        "agent": None,
    }
    for _, told, _ in steps:
        head["queue"] = told.queue or head["queue"]
        if isinstance(told, Record):
            if told.kind is _H.ENTERED:
                head["caller_number"], head["caller_name"] = told.detail[1], told.detail[2]
            elif told.kind is _H.CONNECTED:
                head["agent"] = told.agent
            elif told.kind in {_H.COMPLETED, _H.ABANDONED, _H.TAKEN, _H.TRANSFERRED}:
                head["result"] = told.kind.value
            elif told.kind is _H.LEFT:
                head["result"] = told.detail[0]
    if trail.ended_at is None:
        head["result"] = None
    return head


def _step(trail: Trail, record: Record, text: str) -> Json:
    return {
        "at": moment(record.at),
        "after_s": seconds(record.at - trail.began),
        "kind": record.kind.value,
        "queue": record.queue,
        "text": text,
    }


# ---------------------------------------------------------------- everything else


def _line(record: Record, offers: dict[str, Offer]) -> str:
    """Describe another event of a call; empty if an offer already covers it."""
    d = record.detail
    match record.kind:
        case _H.RULE:
            return f"rule '{d[0]}' applies"
        case _H.ENTERED:
            refused = f": the queue is {d[4]}" if len(d) > 4 else ""
            place = f"at place {d[0]}" if d[0] else f"and was not let in{refused}"
            return f"entered {record.queue} {place}"
        case _H.REQUEUED:
            return f"back in line in {record.queue}: {d[0]}"
        case _H.MOVED:
            return f"moved by a supervisor{_moved_to(d)}"
        case _H.ABANDONED:
            return (
                f"the caller hung up at place {d[0]} after {rough_duration(float(d[2]))} of waiting"
            )
        case _H.TAKEN:
            return (
                f"was taken out of the queue by another program after {rough_duration(float(d[2]))}"
            )
        case _H.LEFT:
            ended = f"{d[5]} ended the call" if len(d) > 5 else ""
            left = ended or _left(str(d[0]), str(d[1]))
            return f"left {record.queue} after {rough_duration(float(d[4]))}: {left}"
        case _H.COMPLETED | _H.TRANSFERRED if record.offer not in offers:
            # Adopted while connected, after a gap.
            return f"talked with {record.agent or 'an agent'}, over now"
        case _:
            return _seldom(record)


def _seldom(record: Record) -> str:
    if record.kind is _H.SHARED:
        device, why = record.detail
        return f"{record.agent}'s {device}: {why}; the call is offered to the next agent as well"
    if record.kind is _H.REPLACED:
        by = f" by {record.agent}" if record.agent else ""
        return f"another caller was transferred{by} to its place in line"
    return ""


def _moved_to(detail: tuple[str | int | float, ...]) -> str:
    queue, agent, priority, *by = detail
    parts = [f"to {queue}"] if queue else []
    parts += [f"to {agent} first"] if agent else []
    parts += [f"to priority {priority}"] if priority else []
    where = f" {', '.join(parts)}" if parts else ""
    return f"{where} by {by[0]}" if by else where


_LEFT: Final = {
    "timeout": "it had waited for as long as max_wait allows",
    "full": "the queue was full",
    "nobody": "no agent was there: signed in, unpaused, and with a phone that could ring for this call",
    "closed": "the queue is closed",
    "answered": "answered",
}


def _left(result: str, target: str) -> str:
    way = f"sent to {target}" if target else "sent back the way it came"
    way = "; hung up" if target == "hangup" else f"; {way}"
    return _LEFT.get(result, result) + way


async def _now(floor: Floor, name: str, now: float) -> Json | None:
    """Return why a waiting call is still waiting; None: it is not waiting."""
    call = floor.calls.get(name)
    if call is None or call.state is not CallState.WAITING:
        return None
    queue = call.queue
    place = queue.waiting.position(call)
    members = list(queue.members.values())
    groups = await grouped(
        (
            member.agent.id,
            *(why_not.reason(floor, call, member, now) or ("later", "about to be rung")),
        )
        for member in members
    )
    text = f"waits in {queue.id} for {rough_duration(now - call.queued_at)}, place {place}"
    text += f" of {len(queue.waiting)}"
    if not members:
        text += "; the queue has no agents at this hour"
    rung = sorted(call.offers)
    if rung:
        text += f"; {first_few(rung, NAMED)} {'is' if len(rung) == 1 else 'are'} being rung"
    elif members:
        text += f"; none of its {counted(len(members), 'agent')} can be rung"
    return {"text": text, "position": place, "ringing": rung, "passed_over": groups}
