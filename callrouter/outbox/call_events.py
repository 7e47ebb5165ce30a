"""Makes events for other programs from the core's notices. Pure.

A call is announced from its first entry on, and each call that was announced gets exactly one
``call.ended``. `OpenCallRow` keeps what its end must name, also over a restart. A notice that ends a
stay is the end of the call only if no entry into another queue follows it in the same step of the
core, so notices are handled in batches, each of whole steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    CallPutThrough,
    CallRequeued,
    ConversationStarted,
    ConversationTransferred,
    OfferEnded,
    OfferMade,
    PlaceHandedOver,
    WaitingCallMoved,
)
from callrouter.model.notices import (
    AgentPaused,
    AgentResumed,
    AgentSignedIn,
    AgentSignedOut,
    CallNotice,
    Notice,
)
from callrouter.model.outcomes import RequeueReason
from callrouter.model.phone_numbers import withheld
from callrouter.outbox.outbox_rows import OpenCallRow
from callrouter.outbox.payloads import iso_time

Data: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MadeEvent:
    """An event: its kind, what it is about, and its content.

    `queue` is empty for an event of an agent. Events with the same `order_key` stay in order.
    """

    name: str
    order_key: str
    queue: str
    at: float
    data: Data


@dataclass(frozen=True, slots=True)
class _Ending:
    """The end of a stay, which is that of the call unless an entry follows."""

    notice: CallNotice
    how_on: str
    """How the call goes on if it enters another queue."""
    data: Data


class CallEvents:
    """Follows calls and agents. Every method belongs to the loop.

    Args:
        save: stores what is known of a call that was announced, or deletes it (None).
    """

    def __init__(self, save: Callable[[str, OpenCallRow | None], None]) -> None:
        self._save = save
        self._calls: dict[str, OpenCallRow] = {}
        self._endings: dict[str, _Ending] = {}
        self._made: list[MadeEvent] = []

    def restore(self, rows: Iterable[OpenCallRow]) -> None:
        """Take over the calls that were announced by an earlier run and had not ended."""
        for row in rows:
            self._calls.setdefault(row.call, row)

    def open_calls(self) -> tuple[str, ...]:
        """The calls that were announced and have not ended."""
        return tuple(self._calls)

    def forget_all(self) -> None:
        """No program wants to hear of calls any more."""
        for call in list(self._calls):
            self._drop(call)

    def lost(self, call: str, at: float) -> list[MadeEvent]:
        """A call that was announced is no more: it ended while the router was down."""
        known = self._calls.get(call)
        if known is not None:
            self._end(known, at, {"outcome": "unknown"})
        return self._take()

    def handle(self, notices: Iterable[Notice]) -> list[MadeEvent]:
        """Return the events of a batch of notices, in their order."""
        for notice in notices:
            handler = _HANDLERS.get(type(notice))
            if handler is not None:
                handler(self, notice)
        for call, ending in list(self._endings.items()):
            known = self._known(ending.notice)
            del self._endings[call]
            self._end(known, ending.notice.at, ending.data)
        return self._take()

    def _take(self) -> list[MadeEvent]:
        made, self._made = self._made, []
        return made

    # ------------------------------------------------------------ calls

    def _known(self, notice: CallNotice) -> OpenCallRow:
        """Return what is known of a call. One of which nothing is known began with this notice."""
        known = self._calls.get(notice.call)
        if known is None:
            known = OpenCallRow(
                call=notice.call,
                queue=notice.queue,
                number="",
                name="",
                entered_at=notice.at,
                queued_at=notice.at,
            )
        return known

    def _keep(self, row: OpenCallRow) -> None:
        self._calls[row.call] = row
        self._save(row.call, row)

    def _drop(self, call: str) -> None:
        if self._calls.pop(call, None) is not None:
            self._save(call, None)

    def _tell(self, name: str, known: OpenCallRow, at: float, data: Data) -> None:
        common = {
            "call": known.call,
            "queue": known.queue,
            "number": known.number or None,
            "name": known.name or None,
        }
        self._made.append(MadeEvent(name, f"call {known.call}", known.queue, at, common | data))

    def _end(self, known: OpenCallRow, at: float, data: Data) -> None:
        answered = bool(known.agent) or known.connected_at is not None or known.talk_s > 0
        self._drop(known.call)
        rest = {
            "outcome": "unknown",
            "agent": known.agent or None,
            "answered": answered,
            "result": None,
            "ended_by": None,
            "transferred_to": None,
            "entered_at": iso_time(known.entered_at),
            "wait_s": _seconds(known.wait_s),
            "talk_s": _seconds(known.talk_s),
            "offers": known.offers,
            "transfers": known.transfers,
        }
        self._tell("call.ended", known, at, rest | data)

    def _entered(self, notice: CallEntered) -> None:
        ending = self._endings.pop(notice.call, None)
        known = self._calls.get(notice.call)
        found = notice.waited_s is not None and notice.refused is None
        if known is not None and ending is None and found and known.queue == notice.queue:
            return  # announced by an earlier run; it waits or talks on
        how = ending.how_on if ending is not None else "new"
        if found and how == "new":
            how = "found"
        waited = (notice.waited_s or 0.0) if found else 0.0
        if known is None:
            known = self._known(notice)
            known = replace(known, entered_at=notice.at - waited)
        known = replace(
            known,
            queue=notice.queue,
            number="" if withheld(notice.caller_number) else notice.caller_number,
            name=notice.caller_name,
            queued_at=notice.at - waited,
            connected_at=None,
        )
        self._keep(known)
        refused = None if notice.refused is None else notice.refused.value
        data = {"how": how, "position": notice.position, "refused": refused}
        self._tell("call.entered", known, notice.at, data)

    def _handed_over(self, notice: PlaceHandedOver) -> None:
        """Another caller has the place from now on."""
        number = "" if withheld(notice.caller_number) else notice.caller_number
        self._keep(replace(self._known(notice), number=number, name=notice.caller_name))

    def _moved_on(self, notice: WaitingCallMoved) -> None:
        known = self._known(notice)
        if not notice.to_queue or known.queue == notice.queue:
            return
        waited = known.wait_s + max(0.0, notice.at - known.queued_at)
        known = replace(known, queue=notice.queue, wait_s=waited, queued_at=notice.at)
        self._keep(known)
        data = {"how": "moved", "position": 0, "refused": None}
        self._tell("call.entered", known, notice.at, data)

    def _offered(self, notice: OfferMade) -> None:
        known = self._known(notice)
        known = replace(known, queue=notice.queue, offers=known.offers + 1)
        self._keep(known)
        data = {"agent": notice.agent, "offer": notice.offer}
        self._tell("call.offered", known, notice.at, data)

    def _offer_ended(self, notice: OfferEnded) -> None:
        data = {
            "agent": notice.agent,
            "offer": notice.offer,
            "outcome": notice.outcome.value,
            "rang_s": _seconds(notice.rang_s),
        }
        known = self._calls.get(notice.call)
        if known is not None:  # not after the end of the call
            self._tell("call.offer_ended", known, notice.at, data)

    def _connected(self, notice: ConversationStarted) -> None:
        known = self._known(notice)
        known = replace(
            known,
            queue=notice.queue,
            agent=notice.agent or known.agent,
            agent_before=known.agent,
            connected_at=notice.at,
            wait_s=known.wait_s + notice.wait_s,
        )
        self._keep(known)
        data = {
            "agent": notice.agent,
            "offer": notice.offer,
            "wait_s": _seconds(notice.wait_s),
            "rang_s": _seconds(notice.rang_s),
        }
        self._tell("call.connected", known, notice.at, data)

    def _requeued(self, notice: CallRequeued) -> None:
        known = self._known(notice)
        if known.connected_at is not None:
            talked = max(0.0, notice.at - known.connected_at)
            at_once = notice.why is RequeueReason.HUNG_UP_AT_ONCE
            known = replace(
                known,
                agent=known.agent_before if at_once else known.agent,
                talk_s=known.talk_s + (0.0 if at_once else talked),
                # The stay goes on, and its next conversation counts the whole wait again.
                wait_s=known.wait_s - max(0.0, known.connected_at - known.queued_at),
                queued_at=known.queued_at + talked,
                connected_at=None,
            )
            self._keep(known)
        self._tell("call.requeued", known, notice.at, {"reason": notice.why.value})

    def _put_through(self, notice: CallPutThrough) -> None:
        known = self._known(notice)
        talk_s = max(0.0, notice.at - (known.connected_at or notice.at))
        data = {
            "agent": notice.agent or known.agent or None,
            "transfer": "put-through",
            "to": notice.to,
            "talk_s": _seconds(talk_s),
        }
        self._tell("call.transferred", known, notice.at, data)
        known = replace(
            known,
            agent=notice.to,
            agent_before=known.agent,
            transfers=known.transfers + 1,
            connected_at=notice.at,
            talk_s=known.talk_s + talk_s,
        )
        self._keep(known)

    def _transferred(self, notice: ConversationTransferred) -> None:
        known = self._after_talk(notice, notice.agent, notice.wait_s, notice.talk_s)
        known = replace(known, transfers=known.transfers + 1)
        self._keep(known)
        data = {
            "agent": notice.agent or known.agent or None,
            "transfer": notice.transfer.value,
            "to": notice.to,
            "talk_s": _seconds(notice.talk_s),
        }
        self._tell("call.transferred", known, notice.at, data)
        end = {"outcome": "answered", "ended_by": "agent", "transferred_to": notice.to}
        self._endings[notice.call] = _Ending(notice, "transfer", end)

    def _completed(self, notice: CallCompleted) -> None:
        self._keep(self._after_talk(notice, notice.agent, notice.wait_s, notice.talk_s))
        end = {"outcome": "answered", "ended_by": notice.by.value}
        self._endings[notice.call] = _Ending(notice, "new", end)

    def _after_talk(
        self, notice: CallNotice, agent: str, wait_s: float, talk_s: float
    ) -> OpenCallRow:
        """Return a call with its last conversation. The present run may know a part of it only."""
        known = self._known(notice)
        if known.connected_at is None:
            wait = known.wait_s + wait_s
        else:
            wait, talk_s = known.wait_s, max(0.0, notice.at - known.connected_at)
        return replace(
            known,
            queue=notice.queue,
            agent=agent or known.agent,
            wait_s=wait,
            talk_s=known.talk_s + talk_s,
            connected_at=None,
        )

    def _left(self, notice: CallLeftQueue) -> None:
        known = self._known(notice)
        self._keep(replace(known, queue=notice.queue, wait_s=known.wait_s + notice.wait_s))
        by_person = "supervisor" if notice.by else None
        end = {"outcome": "left", "result": notice.result.value, "ended_by": by_person}
        self._endings[notice.call] = _Ending(notice, "overflow", end)

    def _gone(self, notice: CallAbandoned | CallMovedAway) -> None:
        known = self._known(notice)
        self._keep(replace(known, queue=notice.queue, wait_s=known.wait_s + notice.wait_s))
        hung_up = type(notice) is CallAbandoned
        end = {
            "outcome": "abandoned" if hung_up else "moved-away",
            "ended_by": "caller" if hung_up else None,
        }
        self._endings[notice.call] = _Ending(notice, "new", end)

    # ------------------------------------------------------------ agents

    def _agent(self, name: str, notice: Any, reason: str | None = None) -> None:
        data = {"agent": notice.agent, "reason": reason or None, "by": notice.by or None}
        key = f"agent {notice.agent}"
        self._made.append(MadeEvent(name, key, "", notice.at, data))

    def _signed_in(self, notice: AgentSignedIn) -> None:
        self._agent("agent.signed_in", notice)

    def _signed_out(self, notice: AgentSignedOut) -> None:
        self._agent("agent.signed_out", notice)

    def _paused(self, notice: AgentPaused) -> None:
        self._agent("agent.paused", notice, notice.reason)

    def _resumed(self, notice: AgentResumed) -> None:
        self._agent("agent.resumed", notice, notice.reason)


def _seconds(value: float) -> float:
    return round(max(0.0, value), 3)


_HANDLERS: Final[Mapping[type[Notice], Callable[[CallEvents, Any], None]]] = {
    CallEntered: CallEvents._entered,
    PlaceHandedOver: CallEvents._handed_over,
    WaitingCallMoved: CallEvents._moved_on,
    OfferMade: CallEvents._offered,
    OfferEnded: CallEvents._offer_ended,
    ConversationStarted: CallEvents._connected,
    CallRequeued: CallEvents._requeued,
    CallPutThrough: CallEvents._put_through,
    ConversationTransferred: CallEvents._transferred,
    CallCompleted: CallEvents._completed,
    CallLeftQueue: CallEvents._left,
    CallAbandoned: CallEvents._gone,
    CallMovedAway: CallEvents._gone,
    AgentSignedIn: CallEvents._signed_in,
    AgentSignedOut: CallEvents._signed_out,
    AgentPaused: CallEvents._paused,
    AgentResumed: CallEvents._resumed,
}
FOLLOWED: Final = frozenset(_HANDLERS)
"""The kinds of notices of which events are made."""
