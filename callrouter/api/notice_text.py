"""Records in words: names for the fields of `detail`, and one readable line per record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from callrouter.model.commands import Happened, Note, Record
from callrouter.model.text import clean, counted, mask

Json: TypeAlias = dict[str, Any]

_H = Happened
DETAIL: Final[Mapping[Happened, tuple[str, ...]]] = {
    _H.ENTERED: ("position", "caller_number", "caller_name", "waited_s", "refused"),
    _H.OFFERED: ("policy", "idle_s", "priority", "left_out"),
    _H.RANG: (),
    _H.SHARED: ("device", "why"),
    _H.OFFER_ENDED: ("outcome", "rang_s"),
    _H.ACCEPTED: ("device",),
    _H.CONNECTED: ("wait_s", "rang_s"),
    _H.REQUEUED: ("why",),
    _H.MOVED: ("to_queue", "to_agent", "to_priority", "by"),
    _H.REPLACED: ("caller_number", "caller_name"),
    _H.ABANDONED: ("position", "first_position", "wait_s", "how"),
    _H.TAKEN: ("position", "first_position", "wait_s", "how"),
    _H.COMPLETED: ("by", "wait_s", "talk_s", "first_position", "ended_by"),
    _H.TRANSFERRED: ("transfer", "to", "wait_s", "talk_s", "first_position", "by"),
    _H.HELD: ("hold", "by"),
    _H.CONSULTED: ("colleague", "what"),
    _H.PASSED: ("to", "by"),
    _H.LEFT: ("result", "target", "position", "first_position", "wait_s", "by"),
    _H.SIGNED_IN: ("by",),
    _H.SIGNED_OUT: ("signed_in_s", "by"),
    _H.PAUSED: ("reason", "by"),
    _H.RESUMED: ("reason", "by"),
    _H.WRAP_UP: ("wrap_up_s",),
    _H.WRAP_UP_ENDED: (),
    _H.DEVICE: ("device", "switched", "by"),
    _H.NUMBER_REFUSED: ("device", "then_shown"),
    _H.FREED: ("device", "channel", "by"),
    _H.DEVICE_FAILED: ("device", "why", "in_a_row", "rest_s"),
    _H.TOLD: ("message",),
    _H.RELOADING: ("agents", "queues"),
    _H.RELOADED: ("agents", "queues"),
    _H.RULE: ("rule",),
    _H.SHIFT: ("members",),
    _H.DRAINED: (),
    _H.RENAMED: ("was",),
    _H.STATE: ("state", "why"),
}
"""Names of the positions of `Record.detail`; ``_s`` means seconds."""


def moment(at: float | None) -> str | None:
    """Return epoch seconds as ISO 8601 in UTC, to the millisecond: ``2026-11-21T21:53:07.123Z``."""
    if at is None:
        return None
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def seconds(value: float) -> float:
    """Return a duration for the API: never negative, to the millisecond."""
    return max(0.0, round(value, 3))


def named(record: Record) -> Json:
    """Return a record for the API, without empty fields."""
    names = DETAIL[record.kind]
    # Do not drop fields of a core that reports more than we have names for.
    names += tuple(f"detail_{n}" for n in range(len(names), len(record.detail)))
    view: Json = {"kind": record.kind.value, "at": moment(record.at)}
    for name in ("call", "queue", "agent", "offer"):
        if value := getattr(record, name):
            view[name] = value
    for name, value in zip(names, record.detail, strict=False):
        if value != "":
            view[name] = seconds(value) if isinstance(value, float) else value
    return view


def said(item: Record | Note) -> str:
    """Return one line for the log, safe to show: numbers masked, control characters removed."""
    if isinstance(item, Note):
        return clean(item.text)
    detail = dict.fromkeys(DETAIL[item.kind], "")
    detail |= dict(zip(DETAIL[item.kind], map(_word, item.detail), strict=False))
    return clean(_LINES[item.kind](item, detail))


def _word(value: str | float) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1f}" if value < 10 else str(int(value))


def _entered(r: Record, d: Mapping[str, str]) -> str:
    number = mask(d["caller_number"]) or "number withheld"
    in_line = d["position"] not in {"", "0"}
    at = f"at position {d['position']}" if in_line else f"and found it {d['refused'] or 'full'}"
    return f"call {r.call} entered {r.queue} {at} ({number})"


def _left(r: Record, d: Mapping[str, str]) -> str:
    way = f", to {d['target']}" if d["target"] else ""
    return f"call {r.call} left {r.queue} after {d['wait_s']} s: {d['result']}{way}{_by(d['by'])}"


def _moved(r: Record, d: Mapping[str, str]) -> str:
    to = [f"to queue {d['to_queue']}"] if d["to_queue"] else []
    to += [f"to agent {d['to_agent']} first"] if d["to_agent"] else []
    to += [f"to priority {d['to_priority']}"] if d["to_priority"] not in {"", "0"} else []
    return f"call {r.call} was moved {', '.join(to)}{_by(d['by'])}"


def _failed(r: Record, d: Mapping[str, str]) -> str:
    again = f"; rung again in {d['rest_s']} s" if d["rest_s"] not in {"", "0.0"} else ""
    row = f", {d['in_a_row']} times in a row" if d["in_a_row"] not in {"", "1"} else ""
    return f"call {r.call} at {r.agent}'s {d['device']}: {d['why']}{row}{again}"


def _by(who: str) -> str:
    return f" (by {who})" if who else ""


def _why(reason: str) -> str:
    return f": {reason}" if reason else ""


_LINES: Final[Mapping[Happened, Callable[[Record, Mapping[str, str]], str]]] = {
    _H.ENTERED: _entered,
    _H.OFFERED: lambda r, d: f"call {r.call} offered to {r.agent} (by {d['policy']})",
    _H.RANG: lambda r, _: f"call {r.call} rings at {r.agent}",
    _H.SHARED: lambda r, d: (
        f"call {r.call} is offered to others besides {r.agent} ({d['device']}: {d['why']})"
    ),
    _H.OFFER_ENDED: lambda r, d: (
        f"call {r.call} no longer offered to {r.agent}: {d['outcome']} after {d['rang_s']} s"
    ),
    _H.ACCEPTED: lambda r, d: (
        f"call {r.call} accepted by {r.agent}" + (f" on {d['device']}" if d["device"] else "")
    ),
    _H.CONNECTED: lambda r, d: f"call {r.call} talks to {r.agent} after {d['wait_s']} s",
    _H.REQUEUED: lambda r, d: f"call {r.call} waits again in {r.queue}{_why(d['why'])}",
    _H.MOVED: _moved,
    _H.REPLACED: lambda r, d: (
        f"call {r.call}: {mask(d['caller_number']) or 'number withheld'} has taken over its place"
        + (f", transferred by {r.agent}" if r.agent else "")
    ),
    _H.ABANDONED: lambda r, d: f"call {r.call} hung up in {r.queue} after {d['wait_s']} s",
    _H.TAKEN: lambda r, d: f"call {r.call} was taken out of {r.queue} by another program",
    _H.COMPLETED: lambda r, d: (
        f"call {r.call} completed: {d['talk_s']} s with {r.agent or 'no agent'}, "
        + (f"ended by {d['ended_by']}" if d["ended_by"] else f"{d['by']} hung up first")
    ),
    _H.TRANSFERRED: lambda r, d: (
        f"call {r.call} transferred by {r.agent}"
        + (f" to {mask(d['to'])}" if d["to"] else "")
        + f" after {d['talk_s']} s{_by(d['by'])}"
    ),
    _H.HELD: lambda r, d: (
        f"call {r.call} is {'' if d['hold'] == 'on' else 'not '}on hold ({r.agent}){_by(d['by'])}"
    ),
    _H.CONSULTED: lambda r, d: f"call {r.call}: {r.agent} asks {d['colleague']}: {d['what']}",
    _H.PASSED: lambda r, d: (
        f"call {r.call} was put through by {r.agent} to {d['to']}{_by(d['by'])}"
    ),
    _H.LEFT: _left,
    _H.SIGNED_IN: lambda r, d: f"agent {r.agent} signed in{_by(d['by'])}",
    _H.SIGNED_OUT: lambda r, d: f"agent {r.agent} signed out{_by(d['by'])}",
    _H.PAUSED: lambda r, d: f"agent {r.agent} paused{_why(d['reason'])}{_by(d['by'])}",
    _H.RESUMED: lambda r, d: f"agent {r.agent} is back from the break{_by(d['by'])}",
    _H.WRAP_UP: lambda r, d: f"agent {r.agent} in wrap-up for {d['wrap_up_s']} s",
    _H.WRAP_UP_ENDED: lambda r, _: f"agent {r.agent} ended wrap-up",
    _H.DEVICE: lambda r, d: (
        f"agent {r.agent}: {d['device']} switched {d['switched']}{_by(d['by'])}"
    ),
    _H.FREED: lambda r, d: (
        f"agent {r.agent}: {d['channel'] or 'what is'} on {d['device']} counts as no call{_by(d['by'])}"
    ),
    _H.DEVICE_FAILED: _failed,
    _H.NUMBER_REFUSED: lambda r, d: (
        f"call {r.call} at {r.agent}'s {d['device']}: the carrier refused the number shown"
        + ("; rung again with the business's" if d["then_shown"] == "business" else "")
    ),
    _H.TOLD: lambda r, d: f"agent {r.agent} is told: {d['message']}",
    _H.RULE: lambda r, d: f"call {r.call}: rule '{d['rule']}' applies",
    _H.RENAMED: lambda r, d: (
        f"{'queue ' + r.queue if r.queue else 'agent ' + r.agent} was called {d['was']} before"
    ),
    _H.DRAINED: lambda r, _: (
        f"queue {r.queue}, which was taken out, has served its last caller and is gone"
    ),
    _H.SHIFT: lambda r, d: f"queue {r.queue}: another shift, {counted(d['members'], 'agent')}",
    _H.STATE: lambda r, d: f"agent {r.agent} is {d['state']}{_why(d['why'])}",
    _H.RELOADING: lambda _, d: (
        f"routing table partly in force: {counted(d['agents'], 'agent')}, {counted(d['queues'], 'queue')}"
    ),
    _H.RELOADED: lambda _, d: (
        f"routing table in force: {counted(d['agents'], 'agent')}, {counted(d['queues'], 'queue')}"
    ),
}
