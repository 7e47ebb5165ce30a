"""A call as its notices describe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile
from typing import Any, Final, TypeAlias

from callrouter.core.state import Membership
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEnd,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    CallPutThrough,
    CallRequeued,
    ConversationStarted,
    ConversationTransferred,
    OfferAccepted,
    OfferDecided,
    WaitingCallMoved,
)
from callrouter.model.commands import Result
from callrouter.model.notices import CallNotice
from callrouter.record.rows import StayOutcome

DECISIONS: Final = 100
"""Number of recent decisions kept for each call."""
STEPS: Final = 5 * DECISIONS
"""Recent steps kept for each call: an offer is decided, made, rings, is accepted and ends."""
NOTICES: Final = 50
"""Number of recent notices shown with a call."""

Members: TypeAlias = Mapping[str, Membership]

Step: TypeAlias = tuple[int, CallNotice | OfferDecided, Members]
"""One item about a call: its serial number over all items, the item and, for a decision, the
members of the queue. The serial number is 0 if it is not kept.
"""

NO_MEMBERS: Final[Members] = {}


@dataclass(slots=True)
class LoggedCall:
    """What is known of a call, and the steps that led there.

    Attributes:
        call: its id.
        began: epoch seconds of the first notice.
        serial: the serial number of the first notice, over all calls.
        queue: the queue it is in, or was in last.
        entered_at: first entry of the call into any queue.
        priority: 1 is first; None: not known.
        state: ``waiting`` while the call is active, then the kind of the notice that ended it.
        result: why it left the queue: a `Result`, or ``ended`` if a supervisor ended it; empty: it
            did not leave its queue.
        agent: who has or had it; empty: no agent.
        wait: seconds it waited; None: it still waits.
        talk: seconds of the conversation; None: there was none, or it goes on.
        ended_at: epoch seconds; None while the call is active.
        entered: whether it has entered a queue. Before that, only rules have applied to it.
        kept: notices and steps, oldest first. Notices without a serial number are stored bare:
            every offer makes five.
        left_out: number of steps no longer kept.
        in_record: of an earlier run: its steps are in the record alone.
    """

    call: str
    began: float
    serial: int
    queue: str = ""
    entered_at: float = 0.0
    caller_number: str = ""
    caller_name: str = ""
    priority: int | None = None
    state: str = "waiting"
    result: str = ""
    agent: str = ""
    wait: float | None = None
    talk: float | None = None
    ended_at: float | None = None
    entered: bool = False
    kept: list[CallNotice | Step] = field(default_factory=list)
    left_out: int = 0
    in_record: bool = False

    @property
    def found(self) -> bool:
        """Whether it was found waiting or talking, so that the record may know how it began."""
        first = self.steps()[0][1] if self.kept else None
        return isinstance(first, CallEntered) and first.waited_s is not None and not first.refused

    def shorten(self) -> None:
        """Drop the oldest steps beyond the limit.

        `STEPS` are left. Call it only if there are more.
        """
        self.left_out += len(self.kept) - STEPS
        del self.kept[:-STEPS]

    def steps(self) -> list[Step]:
        """Return all steps, oldest first.

        A notice that was stored bare gets the serial number 0 and no members.
        """
        return [item if isinstance(item, tuple) else (0, item, NO_MEMBERS) for item in self.kept]

    def last_queue(self) -> str:
        """Return the queue of the last step; empty: none is named.

        Decides who may see the explanation of the call. Unlike `queue`, it is also known of a
        call that has entered none, if a step names one.
        """
        return next((item.queue for _, item, _ in reversed(self.steps()) if item.queue), "")

    def notices(self) -> list[CallNotice]:
        """Return the latest notices since the call first entered a queue, oldest first.

        There are `NOTICES` at most, and no decisions. If steps are no longer kept, the entry may be
        among them, so all that is left is returned.
        """
        found = [step[1] for step in self.steps()]
        notices = [notice for notice in found if isinstance(notice, CallNotice)]
        if not self.left_out:
            notices = list(dropwhile(lambda item: not isinstance(item, CallEntered), notices))
        return notices[-NOTICES:]

    def enter(self, notice: CallEntered, priority: int | None, entered_at: float | None) -> None:
        """Note that the call has entered a queue.

        Args:
            notice: says so.
            priority: the call's priority at that time; None: not known.
            entered_at: its first entry; None: not known, so it is that of the first notice of one.
        """
        if not self.entered:
            self.entered, self.entered_at = True, notice.at
        self.queue = notice.queue
        self.state, self.result, self.wait = "waiting", "", None
        self.caller_number, self.caller_name = notice.caller_number, notice.caller_name
        if entered_at is not None:
            self.priority, self.entered_at = priority, entered_at

    def follow(self, notice: CallNotice) -> None:
        """Take over what a notice says of an active call.

        Kinds that change none of the fields are ignored. Entries go to `enter` instead.
        """
        change = _CHANGES.get(type(notice))
        if change is not None:
            change(self, notice)


def replayed(call: str, kept: Sequence[CallNotice | Step]) -> LoggedCall:
    """Return a call as its notices and steps describe it, of which there is at least one.

    Args:
        call: its id.
        kept: as in `LoggedCall`. It becomes the call's own.
    """
    first = kept[0][1] if isinstance(kept[0], tuple) else kept[0]
    made = LoggedCall(call, first.at, kept[0][0] if isinstance(kept[0], tuple) else 0)
    for item in kept:
        notice = item[1] if isinstance(item, tuple) else item
        if isinstance(notice, CallEntered):
            facts = notice.facts
            priority, entered = (
                (None, None) if facts is None else (facts.priority, facts.first_entered_at)
            )
            made.ended_at = None
            made.enter(notice, priority, entered)
        elif isinstance(notice, CallNotice):
            made.follow(notice)
    made.kept = list(kept)
    if len(made.kept) > 2 * STEPS:
        made.shorten()
    return made


# ---------------------------------------------------------------- what a notice changes


def _accepted(call: LoggedCall, notice: OfferAccepted) -> None:
    call.agent = notice.agent


def _connected(call: LoggedCall, notice: ConversationStarted) -> None:
    call.agent, call.wait = notice.agent, notice.wait_s


def _requeued(call: LoggedCall, _: CallRequeued) -> None:
    call.agent, call.wait = "", None


def _moved(call: LoggedCall, notice: WaitingCallMoved) -> None:
    call.queue = notice.queue
    if notice.to_priority:
        call.priority = notice.to_priority


def _put_through(call: LoggedCall, notice: CallPutThrough) -> None:
    call.queue, call.agent = notice.queue, notice.to


def _ended(call: LoggedCall, notice: CallEnd) -> None:
    call.state, call.ended_at, call.wait = notice.kind, notice.at, notice.wait_s


def _left_queue(call: LoggedCall, notice: CallLeftQueue) -> None:
    _ended(call, notice)
    ended = notice.by and notice.result is Result.CLOSED
    call.result = StayOutcome.ENDED.value if ended else notice.result.value


def _talked(call: LoggedCall, notice: CallCompleted | ConversationTransferred) -> None:
    _ended(call, notice)
    call.agent = notice.agent or call.agent
    call.talk = notice.talk_s


_CHANGES: Final[Mapping[type[CallNotice], Callable[[LoggedCall, Any], None]]] = {
    OfferAccepted: _accepted,
    ConversationStarted: _connected,
    CallRequeued: _requeued,
    WaitingCallMoved: _moved,
    CallPutThrough: _put_through,
    CallAbandoned: _ended,
    CallMovedAway: _ended,
    CallLeftQueue: _left_queue,
    CallCompleted: _talked,
    ConversationTransferred: _talked,
}
