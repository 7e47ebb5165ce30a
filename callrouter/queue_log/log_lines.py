"""Translates the core's notices into lines of Asterisk's queue_log, as app_queue writes them.

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
from typing import Any, Final, NamedTuple

from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    ConversationStarted,
    ConversationTransferred,
    OfferEnded,
    WaitingCallMoved,
)
from callrouter.model.commands import Result
from callrouter.model.events import LegEnd, TransferKind
from callrouter.model.notices import (
    AgentPaused,
    AgentResumed,
    AgentSignedIn,
    AgentSignedOut,
    CallNotice,
    Notice,
)
from callrouter.model.outcomes import EndedBy, OfferEnd

NONE = "NONE"

_UNFIT = re.compile("[|\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_RANG_IN_VAIN = frozenset(LegEnd) - {LegEnd.FAILED, LegEnd.NUMBER_REFUSED}
_CANCELLED = frozenset({OfferEnd.CALLER_GONE, OfferEnd.WITHDRAWN})


class CallChannels(NamedTuple):
    """A telephone system's own names for the channels of a call.

    Attributes:
        caller: the channel with which the call entered, by which reports name the call.
        agent: the agent's channel, if there is one.
        entry_logged: whether an earlier run of the router has logged that the call entered.
    """

    caller: str = ""
    agent: str = ""
    entry_logged: bool = False


NO_CHANNELS: Final = CallChannels()
"""For a notice that concerns no call."""


@dataclass(frozen=True, slots=True)
class QueueLogLine:
    """One line without its time. Empty columns become ``NONE``."""

    event: str
    parameters: tuple[str, ...] = ()
    queue: str = ""
    call: str = ""
    agent: str = ""

    def text(self, at: float) -> str:
        """The line as Asterisk's logger writes it, with its newline.

        Args:
            at: time of the event (epoch seconds). A file has whole seconds.
        """
        columns = (self.call, self.queue, self.agent)
        named = (clean(column) or NONE for column in columns)
        values = (clean(value) for value in self.parameters)
        # Asterisk ends the event's column even if no parameter follows.
        return "|".join((str(int(at)), *named, self.event, "|".join(values))) + "\n"

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
class LineContext:
    """What a notice does not contain: channels, and the queues of an agent.

    Attributes:
        channels: the channels of the call.
        agent: the text for the agent column.
        queues: the queues of the agent.
    """

    channels: CallChannels = NO_CHANNELS
    agent: str = ""
    queues: Sequence[str] = ()


def lines(notice: Notice, context: LineContext) -> list[QueueLogLine]:
    """The lines for a notice.

    Args:
        notice: what happened.
        context: what the notice does not contain.

    Returns:
        One line or none for most notices; one per queue of the agent for sign-ins and pauses.
    """
    make = _MAKERS.get(type(notice))
    return [] if make is None else make(notice, context)


def may_have_lines(notice: Notice) -> bool:
    """Whether notices of this kind give lines at all. Most do not."""
    return type(notice) in _MAKERS


def clean(text: str) -> str:
    """Text that cannot end a column or a line, at most 80 characters."""
    return " ".join(_UNFIT.sub(" ", text).split())[:80]


def _whole(value: float, scale: int = 1) -> str:
    return str(max(0, int(value * scale)))


def _of_call(
    notice: CallNotice, context: LineContext, event: str, *values: str, agent: str = ""
) -> QueueLogLine:
    return QueueLogLine(
        event, values, queue=notice.queue, call=context.channels.caller, agent=agent
    )


def member_line(event: str, queue: str, agent: str) -> QueueLogLine:
    """``ADDMEMBER`` or ``REMOVEMEMBER``, as app_queue writes it for the AMI action QueueAdd."""
    return QueueLogLine(event, ("",), queue=queue, call="MANAGER", agent=agent)


def _entered(notice: CallEntered, context: LineContext) -> list[QueueLogLine]:
    if (
        context.channels.entry_logged or not notice.position
    ):  # the queue was full or closed: it never waited
        return []
    values = ("", notice.caller_number, str(notice.position), notice.caller_name)
    return [_of_call(notice, context, "ENTERQUEUE", *values)]


def _moved(notice: WaitingCallMoved, context: LineContext) -> list[QueueLogLine]:
    if not notice.to_queue:
        return []
    return [_of_call(notice, context, "ENTERQUEUE", "", "", "1")]


def _offer_ended(notice: OfferEnded, context: LineContext) -> list[QueueLogLine]:
    if notice.outcome in _RANG_IN_VAIN:
        event = "RINGNOANSWER"
    elif notice.outcome in _CANCELLED:
        event = "RINGCANCELED"
    else:
        return []
    milliseconds = _whole(notice.rang_s, 1000)
    return [_of_call(notice, context, event, milliseconds, agent=context.agent)]


def _connected(notice: ConversationStarted, context: LineContext) -> list[QueueLogLine]:
    values = (_whole(notice.wait_s), context.channels.agent, _whole(notice.rang_s))
    return [_of_call(notice, context, "CONNECT", *values, agent=context.agent)]


def _completed(notice: CallCompleted, context: LineContext) -> list[QueueLogLine]:
    event = "COMPLETEAGENT" if notice.by is EndedBy.AGENT else "COMPLETECALLER"
    return [_of_call(notice, context, event, *_times(notice), agent=context.agent)]


def _times(notice: CallCompleted | ConversationTransferred) -> tuple[str, str, str]:
    """Hold time, talk time, and the position at which the call entered the queue."""
    return _whole(notice.wait_s), _whole(notice.talk_s), str(notice.first_position)


def _transferred(notice: ConversationTransferred, context: LineContext) -> list[QueueLogLine]:
    if notice.transfer is TransferKind.BLIND:
        extension, _, where = notice.to.partition("@")
        event, values = "BLINDTRANSFER", (extension, where)
    else:
        event, values = "ATTENDEDTRANSFER", ("BRIDGE", notice.to)
    return [_of_call(notice, context, event, *values, *_times(notice), agent=context.agent)]


def _waited(notice: CallAbandoned | CallMovedAway | CallLeftQueue) -> tuple[str, str, str]:
    """Position now, position at the entry, and the wait."""
    return str(notice.position), str(notice.first_position), _whole(notice.wait_s)


def _abandoned(notice: CallAbandoned, context: LineContext) -> list[QueueLogLine]:
    return [_of_call(notice, context, "ABANDON", *_waited(notice))]


def _moved_away(notice: CallMovedAway, context: LineContext) -> list[QueueLogLine]:
    return [_of_call(notice, context, "WITHDRAW", *_waited(notice), notice.how.value)]


def _left(notice: CallLeftQueue, context: LineContext) -> list[QueueLogLine]:
    match notice.result:
        case Result.TIMEOUT:
            return [_of_call(notice, context, "EXITWITHTIMEOUT", *_waited(notice))]
        case Result.NOBODY:
            return [_of_call(notice, context, "EXITEMPTY", *_waited(notice))]
        case Result.CLOSED:
            reason = notice.result.value
            return [_of_call(notice, context, "WITHDRAW", *_waited(notice), reason)]
        case _:  # full: app_queue writes nothing either
            return []


def _signed_in(notice: AgentSignedIn, context: LineContext) -> list[QueueLogLine]:
    added = [member_line("ADDMEMBER", queue, context.agent) for queue in context.queues]
    return [QueueLogLine("AGENTLOGIN", (notice.by,), agent=context.agent), *added]


def _signed_out(notice: AgentSignedOut, context: LineContext) -> list[QueueLogLine]:
    removed = [member_line("REMOVEMEMBER", queue, context.agent) for queue in context.queues]
    values = (notice.by, _whole(notice.signed_in_s))
    return [*removed, QueueLogLine("AGENTLOGOFF", values, agent=context.agent)]


def _pause(notice: AgentPaused | AgentResumed, context: LineContext) -> list[QueueLogLine]:
    event = "PAUSE" if isinstance(notice, AgentPaused) else "UNPAUSE"
    reason = (notice.reason,)
    each = [
        QueueLogLine(event, reason, queue=queue, agent=context.agent) for queue in context.queues
    ]
    return [*each, QueueLogLine(f"{event}ALL", reason, agent=context.agent)]


_MAKERS: Mapping[type[Notice], Callable[[Any, LineContext], list[QueueLogLine]]] = {
    CallEntered: _entered,
    WaitingCallMoved: _moved,
    OfferEnded: _offer_ended,
    ConversationStarted: _connected,
    CallCompleted: _completed,
    ConversationTransferred: _transferred,
    CallAbandoned: _abandoned,
    CallMovedAway: _moved_away,
    CallLeftQueue: _left,
    AgentSignedIn: _signed_in,
    AgentSignedOut: _signed_out,
    AgentPaused: _pause,
    AgentResumed: _pause,
}
