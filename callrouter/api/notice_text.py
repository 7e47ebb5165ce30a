"""Notices as JSON and as lines of the log.

This and `callrouter.api.explain` are the only places where notices become words. Nothing parses
the words again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from callrouter.api.json_values import Json, moment, seconds
from callrouter.model.agent_status import AgentStatus
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallerIdRefused,
    CallLeftQueue,
    CallMovedAway,
    CallPutThrough,
    CallRequeued,
    ConsultationChanged,
    ConversationStarted,
    ConversationTransferred,
    DeviceFailed,
    HoldChanged,
    OfferAccepted,
    OfferEnded,
    OfferMade,
    OfferRang,
    OfferShared,
    PlaceHandedOver,
    RuleApplied,
    WaitingCallMoved,
    WrapUpStarted,
)
from callrouter.model.commands import Result
from callrouter.model.device_failures import DeviceFailure
from callrouter.model.events import LegEnd
from callrouter.model.notices import (
    AgentDeviceSwitched,
    AgentNotified,
    AgentPaused,
    AgentRenamed,
    AgentResumed,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    Notice,
    Oddity,
    PrivateCallDisregarded,
    QueueDrained,
    QueueRenamed,
    ShiftChanged,
    TablePartlyReloaded,
    TableReloaded,
    WrapUpEnded,
)
from callrouter.model.routing_table import target_text
from callrouter.model.text import clean, counted, mask

_Kind = TypeVar("_Kind", bound=Notice)


# ---------------------------------------------------------------- values


def policy_text(policy: Iterable[str]) -> str:
    """Return the policies of a queue, the first one first: ``priority > longest-idle``."""
    return " > ".join(policy)


# ---------------------------------------------------------------- JSON


class _Shown(NamedTuple):
    """How the API shows a field: its name there, and a function that converts the value."""

    name: str
    convert: Callable[[Any], Any]


def _plain(value: object) -> object:
    if isinstance(value, float):
        return seconds(value)
    return value.value if isinstance(value, Enum) else value


def _on_off(on: bool) -> str:
    return "on" if on else "off"


def _failure(why: LegEnd | DeviceFailure) -> str:
    return "hung up at once" if why is DeviceFailure.DROPPED else why.value


_STATUS_REASONS: Final = {
    AgentStatus.SIGNED_OUT: "signed out",
    AgentStatus.NO_PHONE: "no phone can ring",
    AgentStatus.PRIVATE_CALL: "private call",
}
"""Tell apart statuses that have the same state in the API."""


def _status_reason(notice: AgentStatusChanged) -> str:
    return notice.pause_reason or _STATUS_REASONS.get(notice.status, "")


_SHOWN: Final[Mapping[tuple[type[Notice], str], _Shown]] = {
    (OfferMade, "policy"): _Shown("policy", policy_text),
    (CallLeftQueue, "target"): _Shown("target", target_text),
    (DeviceFailed, "why"): _Shown("why", _failure),
    (DeviceFailed, "cooldown_s"): _Shown("rest_s", seconds),
    (CallerIdRefused, "rung_again"): _Shown(
        "then_shown", lambda again: "business" if again else "none"
    ),
    (HoldChanged, "on"): _Shown("hold", _on_off),
    (AgentDeviceSwitched, "on"): _Shown("switched", _on_off),
    (AgentRenamed, "former_id"): _Shown("was", str),
    (QueueRenamed, "former_id"): _Shown("was", str),
}
"""Fields that the API shows under another name or in another form. The API's names are stable."""

_SUBJECTS: Final = ("call", "queue", "agent", "offer")
"""What a notice is about. These fields come first in its JSON form."""

_FOR_THE_RECORD: Final = "facts"
"""A field that the API does not show: calls themselves have what is in it."""


def as_json(notice: Notice) -> Json:
    """Return a notice for the API, without empty fields.

    The keys are `kind`, `at`, then what the notice is about, then its other fields.
    """
    view: Json = {"kind": notice.kind, "at": moment(notice.at)}
    for name in _SUBJECTS:
        if subject := getattr(notice, name, ""):
            view[name] = subject
    if isinstance(notice, AgentStatusChanged):
        view["state"] = notice.status.state.value
        if why := _status_reason(notice):
            view["why"] = why
        return view
    for name, shown in _DETAILS[type(notice)]:
        value = getattr(notice, name)
        if value is not None and (converted := shown.convert(value)) != "":
            view[shown.name] = converted
    return view


# ---------------------------------------------------------------- the log


def log_line(notice: Notice) -> str:
    """Return one line for the log, safe to show: numbers masked, control characters removed.

    Every kind of notice has a line except `OfferDecided`, which `why` explains.

    Raises:
        KeyError: the notice is a decision.
    """
    return clean(_LINES[type(notice)](notice))


def _brief(value: float) -> str:
    """Return seconds as the log shows them: ``4.2``, ``61``.

    One decimal below ten, none above: tenths are cut off there, not rounded.
    """
    return f"{value:.1f}" if value < 10 else str(int(value))


def _number(number: str) -> str:
    return mask(number) or "number withheld"


def _by(who: str) -> str:
    return f" (by {who})" if who else ""


def _reason(reason: str) -> str:
    return f": {reason}" if reason else ""


def _entered(n: CallEntered) -> str:
    refused = n.refused.value if n.refused is not None else "full"
    at = f"at position {n.position}" if n.position else f"and found it {refused}"
    return f"call {n.call} entered {n.queue} {at} ({_number(n.caller_number)})"


def _left(n: CallLeftQueue) -> str:
    if n.by and n.result is Result.CLOSED:
        return f"call {n.call} was ended in {n.queue} after {_brief(n.wait_s)} s{_by(n.by)}"
    way = f", to {target_text(n.target)}" if n.target is not None else ""
    after = f"after {_brief(n.wait_s)} s: {n.result.value}{way}"
    return f"call {n.call} left {n.queue} {after}{_by(n.by)}"


def _moved(n: WaitingCallMoved) -> str:
    to = [f"to queue {n.to_queue}"] if n.to_queue else []
    to += [f"to agent {n.to_agent} first"] if n.to_agent else []
    to += [f"to priority {n.to_priority}"] if n.to_priority else []
    return f"call {n.call} was moved {', '.join(to)}{_by(n.by)}"


def _handed_over(n: PlaceHandedOver) -> str:
    giver = f", transferred by {n.agent}" if n.agent else ""
    return f"call {n.call}: {_number(n.caller_number)} has taken over its place{giver}"


def _offer_ended(n: OfferEnded) -> str:
    ended = f"{n.outcome.value} after {_brief(n.rang_s)} s"
    return f"call {n.call} no longer offered to {n.agent}: {ended}"


def _shared(n: OfferShared) -> str:
    why = f"({n.device}: {n.why.value})"
    return f"call {n.call} is offered to others besides {n.agent} {why}"


def _accepted(n: OfferAccepted) -> str:
    return f"call {n.call} accepted by {n.agent}" + (f" on {n.device}" if n.device else "")


def _device_failed(n: DeviceFailed) -> str:
    cooldown = _brief(n.cooldown_s)
    again = f"; rung again in {cooldown} s" if cooldown != "0.0" else ""
    row = f", {n.in_a_row} times in a row" if n.in_a_row != 1 else ""
    return f"call {n.call} at {n.agent}'s {n.device}: {_failure(n.why)}{row}{again}"


def _caller_id_refused(n: CallerIdRefused) -> str:
    again = "; rung again with the business's" if n.rung_again else ""
    return f"call {n.call} at {n.agent}'s {n.device}: the carrier refused the number shown{again}"


def _completed(n: CallCompleted) -> str:
    end = f"ended by {n.ended_by}" if n.ended_by else f"{n.by.value} hung up first"
    return f"call {n.call} completed: {_brief(n.talk_s)} s with {n.agent or 'no agent'}, {end}"


def _transferred(n: ConversationTransferred) -> str:
    to = f" to {mask(n.to)}" if n.to else ""
    return f"call {n.call} transferred by {n.agent}{to} after {_brief(n.talk_s)} s{_by(n.by)}"


def _held(n: HoldChanged) -> str:
    return f"call {n.call} is {'' if n.on else 'not '}on hold ({n.agent}){_by(n.by)}"


def _disregarded(n: PrivateCallDisregarded) -> str:
    what = f"{n.channel or 'what is'} on {n.device} counts as no call"
    return f"agent {n.agent}: {what}{_by(n.by)}"


def _status(n: AgentStatusChanged) -> str:
    return f"agent {n.agent} is {n.status.state.value}{_reason(_status_reason(n))}"


def _table(agents: int, queues: int) -> str:
    return f"{counted(agents, 'agent', zero='0')}, {counted(queues, 'queue', zero='0')}"


_Line: TypeAlias = tuple[type[Notice], Callable[[Any], str]]


def _line(kind: type[_Kind], text: Callable[[_Kind], str]) -> _Line:
    """Pair a class with the function that words it, so that mypy checks one against the other."""
    return kind, text


_LINES: Final[Mapping[type[Notice], Callable[[Any], str]]] = dict(
    (
        _line(RuleApplied, lambda n: f"call {n.call}: rule '{n.rule}' applies"),
        _line(CallEntered, _entered),
        _line(WaitingCallMoved, _moved),
        _line(PlaceHandedOver, _handed_over),
        _line(
            CallAbandoned,
            lambda n: f"call {n.call} hung up in {n.queue} after {_brief(n.wait_s)} s",
        ),
        _line(
            CallMovedAway,
            lambda n: f"call {n.call} was taken out of {n.queue} by another program",
        ),
        _line(CallLeftQueue, _left),
        _line(
            OfferMade,
            lambda n: f"call {n.call} offered to {n.agent} (by {policy_text(n.policy)})",
        ),
        _line(OfferRang, lambda n: f"call {n.call} rings at {n.agent}"),
        _line(OfferShared, _shared),
        _line(OfferEnded, _offer_ended),
        _line(OfferAccepted, _accepted),
        _line(DeviceFailed, _device_failed),
        _line(CallerIdRefused, _caller_id_refused),
        _line(
            ConversationStarted,
            lambda n: f"call {n.call} talks to {n.agent} after {_brief(n.wait_s)} s",
        ),
        _line(
            CallRequeued,
            lambda n: f"call {n.call} waits again in {n.queue}{_reason(n.why.value)}",
        ),
        _line(HoldChanged, _held),
        _line(
            ConsultationChanged,
            lambda n: f"call {n.call}: {n.agent} asks {n.colleague}: {n.what.value}",
        ),
        _line(
            CallPutThrough,
            lambda n: f"call {n.call} was put through by {n.agent} to {n.to}{_by(n.by)}",
        ),
        _line(ConversationTransferred, _transferred),
        _line(CallCompleted, _completed),
        _line(AgentSignedIn, lambda n: f"agent {n.agent} signed in{_by(n.by)}"),
        _line(AgentSignedOut, lambda n: f"agent {n.agent} signed out{_by(n.by)}"),
        _line(AgentPaused, lambda n: f"agent {n.agent} paused{_reason(n.reason)}{_by(n.by)}"),
        _line(AgentResumed, lambda n: f"agent {n.agent} resumed{_by(n.by)}"),
        _line(WrapUpStarted, lambda n: f"agent {n.agent} in wrap-up for {_brief(n.wrap_up_s)} s"),
        _line(WrapUpEnded, lambda n: f"agent {n.agent} ended wrap-up"),
        _line(
            AgentDeviceSwitched,
            lambda n: f"agent {n.agent}: {n.device} switched {_on_off(n.on)}{_by(n.by)}",
        ),
        _line(PrivateCallDisregarded, _disregarded),
        _line(AgentNotified, lambda n: f"agent {n.agent} is told: {n.message}"),
        _line(AgentStatusChanged, _status),
        _line(AgentRenamed, lambda n: f"agent {n.agent} was called {n.former_id} before"),
        _line(QueueRenamed, lambda n: f"queue {n.queue} was called {n.former_id} before"),
        _line(
            ShiftChanged,
            lambda n: f"queue {n.queue}: another shift, {counted(n.members, 'agent', zero='0')}",
        ),
        _line(
            QueueDrained,
            lambda n: (
                f"queue {n.queue}, which was taken out, has served its last caller and is gone"
            ),
        ),
        _line(
            TablePartlyReloaded,
            lambda n: f"routing table partly in force: {_table(n.agents, n.queues)}",
        ),
        _line(TableReloaded, lambda n: f"routing table in force: {_table(n.agents, n.queues)}"),
        _line(Oddity, lambda n: n.text),
    )
)


def _details(kind: type[Notice]) -> tuple[tuple[str, _Shown], ...]:
    """Return the fields of a class of notices beyond its time and subjects, in order.

    Made once for each class, so that `as_json` looks at no field definitions.
    """
    names = [
        field.name
        for field in fields(kind)
        if field.name not in {"at", *_SUBJECTS, _FOR_THE_RECORD}
    ]
    return tuple((name, _SHOWN.get((kind, name), _Shown(name, _plain))) for name in names)


_DETAILS: Final = {kind: _details(kind) for kind in _LINES}
