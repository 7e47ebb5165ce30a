"""Translates the core's records into lines of Asterisk's queue_log, as app_queue writes them.

Pure functions, following apps/app_queue.c and main/logger.c of Asterisk 22. The agent column holds
the agent's name, as app_queue's holds the member's name, or the id if two agents have the same
name. Times are whole seconds and never negative, except where app_queue writes milliseconds. If an
agent hangs up at once and the caller returns to the queue, there is a CONNECT without a
COMPLETEAGENT, since the call goes on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from callrouter.model.commands import Happened, Record, Result
from callrouter.model.events import LegEnd, TransferKind

NONE = "NONE"

_UNFIT = re.compile("[|\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_RANG_IN_VAIN = frozenset(end.value for end in LegEnd) - {
    LegEnd.FAILED.value,
    LegEnd.NUMBER_REFUSED.value,
}
_CANCELLED = frozenset({"caller gone", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its time, which Asterisk adds. Empty columns become ``NONE``."""

    event: str
    parameters: tuple[str, ...] = ()
    queue: str = ""
    call: str = ""
    agent: str = ""

    def action(self, at: float | None = None) -> dict[str, str]:
        """The AMI action that writes the line.

        Args:
            at: time of the event (epoch seconds), if it differs from the time of writing. It is
                appended as one more parameter, ``at=1795839848``.
        """
        late = () if at is None else (f"at={int(at)}",)
        return {
            "Action": "QueueLog",
            "Queue": clean(self.queue) or NONE,
            "Event": self.event,
            "Uniqueid": clean(self.call) or NONE,
            "Interface": clean(self.agent) or NONE,
            "Message": "|".join(clean(value) for value in (*self.parameters, *late)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a record does not contain: channels, and the queues of an agent.

    Attributes:
        uid: the caller's channel.
        leg: the agent's channel.
        agent: the text for the agent column.
        queues: the queues of the agent.
        again: whether the call was already logged as waiting by an earlier run of the router.
    """

    uid: str = ""
    leg: str = ""
    agent: str = ""
    queues: Sequence[str] = ()
    again: bool = False


def lines(record: Record, context: Context) -> list[Line]:
    """The lines for a record. Most records give one line or none."""
    make = _MAKERS.get(record.kind)
    return [] if make is None else make(record, context)


def clean(text: str) -> str:
    """Text that cannot end a column or a line, at most 80 characters."""
    return " ".join(_UNFIT.sub(" ", text).split())[:80]


def _whole(value: str | float, scale: int = 1) -> str:
    return str(max(0, int(float(value) * scale)))


def _of_call(record: Record, context: Context, event: str, *values: str, agent: str = "") -> Line:
    return Line(event, values, queue=record.queue, call=context.uid, agent=agent)


def member_line(event: str, queue: str, agent: str) -> Line:
    """``ADDMEMBER`` or ``REMOVEMEMBER``, as app_queue writes it for the AMI action QueueAdd."""
    return Line(event, ("",), queue=queue, call="MANAGER", agent=agent)


def _entered(record: Record, context: Context) -> list[Line]:
    place, number, name = (str(value) for value in record.detail[:3])
    if context.again or place == "0":  # 0: the queue was full and the call never waited
        return []
    return [_of_call(record, context, "ENTERQUEUE", "", number, place, name)]


def _moved(record: Record, context: Context) -> list[Line]:
    if not record.detail[0]:
        return []
    return [_of_call(record, context, "ENTERQUEUE", "", "", "1")]


def _offer_ended(record: Record, context: Context) -> list[Line]:
    outcome, seconds = str(record.detail[0]), record.detail[1]
    if outcome in _RANG_IN_VAIN:
        event = "RINGNOANSWER"
    elif outcome in _CANCELLED:
        event = "RINGCANCELED"
    else:
        return []
    return [_of_call(record, context, event, _whole(seconds, 1000), agent=context.agent)]


def _connected(record: Record, context: Context) -> list[Line]:
    wait, ring = record.detail[:2]
    values = (_whole(wait), context.leg, _whole(ring))
    return [_of_call(record, context, "CONNECT", *values, agent=context.agent)]


def _completed(record: Record, context: Context) -> list[Line]:
    by, hold, talk, place = record.detail[:4]
    event = "COMPLETEAGENT" if by == "agent" else "COMPLETECALLER"
    values = (_whole(hold), _whole(talk), _whole(place))
    return [_of_call(record, context, event, *values, agent=context.agent)]


def _transferred(record: Record, context: Context) -> list[Line]:
    kind, to, hold, talk, place = record.detail[:5]
    times = (_whole(hold), _whole(talk), _whole(place))
    if kind == TransferKind.BLIND.value:
        extension, _, where = str(to).partition("@")
        event, values = "BLINDTRANSFER", (extension, where, *times)
    else:
        event, values = "ATTENDEDTRANSFER", ("BRIDGE", str(to), *times)
    return [_of_call(record, context, event, *values, agent=context.agent)]


def _gone(record: Record, context: Context) -> list[Line]:
    place, first, wait, how = record.detail[:4]
    values = (_whole(place), _whole(first), _whole(wait))
    if record.kind is Happened.TAKEN:
        return [_of_call(record, context, "WITHDRAW", *values, str(how))]
    return [_of_call(record, context, "ABANDON", *values)]


def _left(record: Record, context: Context) -> list[Line]:
    result, _target, place, first, wait = record.detail[:5]
    values = (_whole(place), _whole(first), _whole(wait))
    match result:
        case Result.TIMEOUT.value:
            return [_of_call(record, context, "EXITWITHTIMEOUT", *values)]
        case Result.NOBODY.value:
            return [_of_call(record, context, "EXITEMPTY", *values)]
        case Result.CLOSED.value:
            return [_of_call(record, context, "WITHDRAW", *values, str(result))]
        case _:  # full: app_queue writes nothing either
            return []


def _signed_in(record: Record, context: Context) -> list[Line]:
    added = [member_line("ADDMEMBER", queue, context.agent) for queue in context.queues]
    return [Line("AGENTLOGIN", (str(record.detail[0]),), agent=context.agent), *added]


def _signed_out(record: Record, context: Context) -> list[Line]:
    seconds, by = record.detail[:2]
    removed = [member_line("REMOVEMEMBER", queue, context.agent) for queue in context.queues]
    return [*removed, Line("AGENTLOGOFF", (str(by), _whole(seconds)), agent=context.agent)]


def _pause(record: Record, context: Context) -> list[Line]:
    event = "PAUSE" if record.kind is Happened.PAUSED else "UNPAUSE"
    reason = (str(record.detail[0]),)
    each = [Line(event, reason, queue=queue, agent=context.agent) for queue in context.queues]
    return [*each, Line(f"{event}ALL", reason, agent=context.agent)]


_MAKERS: Mapping[Happened, Callable[[Record, Context], list[Line]]] = {
    Happened.ENTERED: _entered,
    Happened.MOVED: _moved,
    Happened.OFFER_ENDED: _offer_ended,
    Happened.CONNECTED: _connected,
    Happened.COMPLETED: _completed,
    Happened.TRANSFERRED: _transferred,
    Happened.ABANDONED: _gone,
    Happened.TAKEN: _gone,
    Happened.LEFT: _left,
    Happened.SIGNED_IN: _signed_in,
    Happened.SIGNED_OUT: _signed_out,
    Happened.PAUSED: _pause,
    Happened.RESUMED: _pause,
}
