"""Holds queue_log of the day against what the phones saw. Nothing here imports callrouter.

The lines are read by what Asterisk's documentation says of each event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from tests.labday.compare import Differences
from tests.labday.second import Phones
from tests.labday.seen import Ring, Stay, Visit

WAIT_AT: Final = {"CONNECT": 0, "ABANDON": 2, "EXITWITHTIMEOUT": 2}
"""Where an event has the seconds of the wait."""
TALK_AT: Final = {"COMPLETECALLER": 1, "COMPLETEAGENT": 1, "BLINDTRANSFER": 3}
OF_RINGING: Final = {
    "missed": "RINGNOANSWER", "declined": "RINGNOANSWER", "unreached": "RINGNOANSWER",
    "withdrawn": "RINGCANCELED",
}  # fmt: skip
OF_DUTY: Final = {
    "in": "AGENTLOGIN", "out": "AGENTLOGOFF", "pause": "PAUSEALL", "resume": "UNPAUSEALL",
}  # fmt: skip


class Line(NamedTuple):
    """A line of the file."""

    at: float
    call: str
    queue: str
    agent: str
    event: str
    values: list[str]


class Seen(NamedTuple):
    """A line that must be there: the event, its queue and agent, and the seconds that it has."""

    event: str
    queue: str
    agent: str
    seconds: float | None = None


def read_lines(text: str) -> list[Line]:
    """Return the lines of a file."""
    found = []
    for row in text.splitlines():
        at, call, queue, agent, event, *values = row.split("|")
        found.append(Line(float(at), call, queue, agent, event, values))
    return found


def compare_log(text: str, phones: Phones, found: Differences) -> None:
    """Note where a file differs from what the phones saw."""
    lines = read_lines(text)
    number_of = {
        line.call: f"+{line.values[1].lstrip('+')}" for line in lines if line.event == "ENTERQUEUE"
    }
    for visit in phones.day.visits:
        own = [
            line
            for line in lines
            if number_of.get(line.call) == visit.number and not line.event.startswith("RING")
        ]
        _compare_call(own, list(_seen(phones, visit)), visit.number, phones, found)
    rung = Counter((line.agent, line.event) for line in lines if line.event.startswith("RING"))
    results = ((ring.agent, OF_RINGING.get(phones.result(ring), "")) for ring in phones.day.rings)
    found.same("queue_log: rung in vain", rung, Counter(one for one in results if one[1]))
    events = set(OF_DUTY.values())
    duty = Counter((line.agent, line.event) for line in lines if line.event in events)
    asked = Counter((agent, OF_DUTY[what]) for _, agent, what, _ in phones.day.duty)
    found.same("queue_log: duty", duty, asked)


def _compare_call(
    own: list[Line], seen: list[Seen], number: str, phones: Phones, found: Differences
) -> None:
    where = f"queue_log {number}"
    said = [(line.event, line.queue, _agent(line)) for line in own]
    found.same(where, said, [(one.event, one.queue, one.agent) for one in seen])
    for line, one in zip(own, seen, strict=False):
        place = WAIT_AT.get(line.event, TALK_AT.get(line.event))
        if place is None or one.seconds is None or line.event != one.event:
            continue
        found.compared += 1
        value = float(line.values[place])
        if abs(value - one.seconds) > 2 * phones.gauge.limit + 1.0:  # whole seconds
            found.found.append(f"{where}: {line.event} has {value} s, seen {one.seconds:.3f}")


def _agent(line: Line) -> str:
    return "" if line.agent == "NONE" else line.agent


def _seen(phones: Phones, visit: Visit) -> Iterator[Seen]:
    """Yield what the file must say of a caller."""
    stays, rings = phones.stays[visit.number], phones.of(visit)
    for number, stay in enumerate(stays):
        yield Seen("ENTERQUEUE", stay.queue, "")
        talked = {began for _, began, _ in stay.talks}
        for ring in _answered(rings, stay, visit, number):
            assert ring.talked is not None
            yield Seen("CONNECT", stay.queue, ring.agent, ring.talked - stay.entered)
            if ring.talked in talked:
                given = number + 1 < len(stays) and stays[number + 1].how == "transfer"
                event = "COMPLETEAGENT" if ring.by_agent else "COMPLETECALLER"
                length = min(ring.ended, visit.ended) - ring.talked
                yield Seen("BLINDTRANSFER" if given else event, stay.queue, ring.agent, length)
        if stay.outcome == "abandoned":
            yield Seen("ABANDON", stay.queue, "", stay.wait)
        elif stay.outcome == "timeout":
            yield Seen("EXITWITHTIMEOUT", stay.queue, "", stay.wait)


def _answered(rings: Iterable[Ring], stay: Stay, visit: Visit, number: int) -> list[Ring]:
    """Return the phones that were answered in a stay, also those that broke off, in order."""
    later = visit.moves[number + 1 :]
    edge = later[0][0] if later else visit.ended
    taken = (
        ring for ring in rings if ring.talked is not None and stay.entered <= ring.talked < edge
    )
    return sorted(taken, key=lambda ring: ring.talked or 0.0)
