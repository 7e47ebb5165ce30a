"""What the router needs from an Asterisk. One set of checks, for `doctor` and for each login.

Asterisk does not report any of this. A forbidden action fails only when it is needed, an event that
the user may not read never arrives, and without the dialplan no call ever reaches the router. So
the checks ask, and cause events whose echoes they wait for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from callrouter.pbx.asterisk import contract, dialplan
from callrouter.pbx.asterisk.ami import AmiClient, AmiError, AmiMessage
from callrouter.pbx.asterisk.execution import actions

ECHO_WITHIN: Final = 2.0
"""Seconds within which an event that we cause must arrive."""

_APP_QUEUE_ACTION: Final = "QueueLog"


@dataclass(frozen=True, slots=True)
class ActionReport:
    """Which actions the user may execute.

    Attributes:
        forbidden: the missing actions, each with the `write` class that it needs.
        may_query: whether the user may read variables, without which nothing else can be checked.
        has_app_queue: False if Asterisk runs without app_queue, which is allowed: callers are
            served, but no queue_log is written.
    """

    forbidden: Mapping[str, str]
    may_query: bool = True
    has_app_queue: bool = True

    @property
    def missing_classes(self) -> list[str]:
        """The `write` classes that the user lacks."""
        return sorted(set(self.forbidden.values()))


async def check_actions(client: AmiClient) -> ActionReport:
    """Compare the actions that the user may execute with those that the router sends.

    ListCommands returns the actions of this user, and no others.

    Raises:
        AmiError: the link is down, or Asterisk does not answer.
    """
    allowed = await client.request({"Action": "ListCommands"})
    forbidden = {name: need for name, need in contract.NEEDS.items() if name not in allowed}
    may_query = "Getvar" in allowed
    has_app_queue = True
    if _APP_QUEUE_ACTION in forbidden and may_query:
        has_app_queue = await _variable(client, contract.HAS_APP_QUEUE) != "0"
        if not has_app_queue:
            del forbidden[_APP_QUEUE_ACTION]
    return ActionReport(forbidden, may_query, has_app_queue)


class EventClass(Enum):
    """A class of events that the router reads, as `read=` names it."""

    CALL = "call"
    USER = "user"


async def cause_echoes(
    client: AmiClient, device: str, states: Sequence[str], *, may_send: bool
) -> set[EventClass]:
    """Cause one event of each class. Return the classes whose echo must arrive.

    Args:
        client: the session that must receive the echoes.
        device: a custom device state.
        states: the two values that it gets. Only a change causes an event, and the state may have
            the second value from an earlier check.
        may_send: whether the user may execute the action UserEvent.
    """
    expected = set(EventClass) if may_send else {EventClass.CALL}
    if may_send:
        client.send([{"Action": "UserEvent", "UserEvent": contract.ECHO}])
    state = {"Action": "Setvar", "Variable": f"DEVICE_STATE({device})"}
    try:
        for value in states:
            await client.request(state | {"Value": value})
    except AmiError:
        expected.discard(EventClass.CALL)  # no conclusion is possible
    return expected


def echo_classes(message: AmiMessage, device: str) -> frozenset[EventClass]:
    """The class of which an event is the echo. Empty if `cause_echoes` did not cause it."""
    if message.get("UserEvent") == contract.ECHO:
        return frozenset({EventClass.USER})
    if message.name == "DeviceStateChange" and message.get("Device") == device:
        return frozenset({EventClass.CALL})
    return frozenset()


@dataclass(frozen=True, slots=True)
class ContextReport:
    """Whether our contexts are in the dialplan.

    Attributes:
        missing: those that are not there.
        unreadable: those of which nothing is known, because func_dialplan is not loaded.
    """

    missing: tuple[str, ...]
    unreadable: tuple[str, ...]


async def check_contexts(client: AmiClient) -> ContextReport:
    """Look for our contexts.

    Raises:
        AmiError: the link is down, or the user may not read variables.
    """
    found = {
        name: await _variable(client, contract.context_exists(name)) for name in contract.CONTEXTS
    }
    return ContextReport(
        missing=tuple(name for name, value in found.items() if value == "0"),
        unreadable=tuple(name for name, value in found.items() if value not in {"0", "1"}),
    )


async def is_dialplan_ours(client: AmiClient) -> bool | None:
    """Whether the dialplan is that of this version; None if that cannot be determined.

    Raises:
        AmiError: the link is down, or the user may not read variables.
        OSError: our own copy of the dialplan cannot be read.
    """
    return {"0": False, "1": True}.get(await _variable(client, dialplan.is_ours()))


async def _variable(client: AmiClient, name: str) -> str:
    reply = await client.request(actions.getvar("", name))
    return reply.get("Value")
