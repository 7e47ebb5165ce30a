"""The columns of the table `agents` that hold more than a plain value, written as JSON or by name.

What cannot be ours is left out when it is read: the database may have been edited by hand, or
written by a later version.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import Any, Final

from callrouter.model.agent_row import QueueTotal
from callrouter.model.agent_status import AgentState, PendingRequest
from callrouter.model.device_failures import DeviceFailure, FailureStreak
from callrouter.model.text import phrase_data, stored_phrase


@dataclass(frozen=True, slots=True)
class Packing:
    """The column of a field, and both directions between the field's value and the text in it.

    `unpack` never raises: it leaves out what it cannot read.
    """

    column: str
    pack: Callable[[Any], str]
    unpack: Callable[[str], Any]


def _pack_devices_off(devices: Mapping[str, tuple[str, float]]) -> str:
    """``{id: [by, at]}``.

    `at` is in epoch seconds.
    """
    return json.dumps(devices, sort_keys=True)


def _unpack_devices_off(text: str) -> dict[str, tuple[str, float]]:
    found = _json(text)
    if not isinstance(found, dict):
        return {}
    return {
        device: (str(item[0]), float(item[1]))
        for device, item in found.items()
        if isinstance(item, list) and len(item) == 2 and _is_time(item[1])
    }


def _pack_messages(messages: Sequence[tuple[float, str]]) -> str:
    """``[[at, text], …, {"phrases": [phrase, …]}]``, with a phrase or null for each text.

    The oldest comes first, and `at` is in epoch seconds. Versions that know no phrases read the texts.
    """
    phrases = [phrase_data(text) for _, text in messages]
    return json.dumps([*messages, {"phrases": phrases}] if any(phrases) else messages)


def _unpack_messages(text: str) -> tuple[tuple[float, str], ...]:
    found = _json(text)
    if not isinstance(found, list):
        return ()
    match found:
        case [*found, {"phrases": [*phrases]}]:
            pass
        case _:
            phrases = []
    return tuple(
        (float(item[0]), stored_phrase(str(item[1]), data))
        for item, data in zip_longest(found, phrases[: len(found)])
        if isinstance(item, list) and len(item) == 2 and _is_time(item[0])
    )


def _pack_failures(streaks: Mapping[str, FailureStreak]) -> str:
    """``{id: [kind, count, address, until]}``, with the name of a `DeviceFailure` as the kind.

    `until` is in epoch seconds.
    """
    return json.dumps(
        {
            device: (streak.kind.name, streak.count, streak.address, streak.until)
            for device, streak in sorted(streaks.items())
        }
    )


def _unpack_failures(text: str) -> dict[str, FailureStreak]:
    found = _json(text)
    if not isinstance(found, dict):
        return {}
    return {
        device: FailureStreak(DeviceFailure[item[0]], item[1], str(item[2]), float(item[3]))
        for device, item in found.items()
        if isinstance(item, list)
        and len(item) == 4
        and isinstance(item[0], str)
        and item[0] in DeviceFailure.__members__
        and type(item[1]) is int
        and _is_time(item[3])
    }


def _pack_totals(totals: Mapping[str, QueueTotal]) -> str:
    """``{queue: [calls, talk_s]}``."""
    return json.dumps(totals, sort_keys=True)


def _unpack_totals(text: str) -> dict[str, QueueTotal]:
    found = _json(text)
    if not isinstance(found, dict):
        return {}
    return {
        queue: QueueTotal(max(0, item[0]), max(0.0, float(item[1])))
        for queue, item in found.items()
        if isinstance(item, list) and len(item) == 2 and type(item[0]) is int and _is_time(item[1])
    }


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _pack_member(member: Enum | None) -> str:
    """The value of an enum's member; empty for None."""
    return "" if member is None else str(member.value)


def _unpack_pending(text: str) -> PendingRequest | None:
    return next((one for one in PendingRequest if one.value == text), None)


def _unpack_state(text: str) -> AgentState | None:
    return next((one for one in AgentState if one.value == text), None)


AGENT_COLUMNS: Final = {
    "pending": Packing("pending", _pack_member, _unpack_pending),
    "shown": Packing("shown", _pack_member, _unpack_state),
    "devices_off": Packing("devices_off", _pack_devices_off, _unpack_devices_off),
    "messages": Packing("messages", _pack_messages, _unpack_messages),
    "queue_totals": Packing("queue_totals", _pack_totals, _unpack_totals),
    "failure_streaks": Packing("strikes", _pack_failures, _unpack_failures),
}
"""By field of `AgentRow`."""
