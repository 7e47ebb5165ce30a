"""The tables of queues and calls: one line each, and every omission is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.text import Text

from callrouter.cli.tables import layout
from callrouter.cli.tables.layout import Column, caller, parse, plain, state
from callrouter.model.text import clock_duration

if TYPE_CHECKING:
    from callrouter.api.schemas.call_answers import CallJson, QueueJson

WIDE: Final = 100
"""Terminal width from which the caller's name follows the number."""

_QUEUE: Final = Column("Queue", flexible=1, least=12)
_CALLER: Final = Column("Caller", flexible=1, least=16)
"""Wide enough for a complete number."""
_QUEUES: Final = (
    _QUEUE,
    Column("Name", flexible=2, drop=9, least=12),
    Column("Waiting", right=True),
    Column("Longest", right=True),
    Column("Talking", right=True),
    Column("Free", right=True),
    Column("Busy", right=True),
    Column("Away", right=True, drop=2),
    Column("Today", right=True, drop=3),
    Column("Answered", right=True, drop=5),
    Column("Lost", right=True, drop=4),
)
_WAITING: Final = (
    _QUEUE,
    Column("Place", right=True),
    _CALLER,
    Column("Wait", right=True),
    Column("Prio", right=True, drop=2),
    Column("Now", flexible=1, least=20),
    Column("Call", drop=1),
)
_CALLS: Final = (
    Column("Call"),
    _QUEUE,
    _CALLER,
    Column("State", flexible=1, least=20),
    Column("Wait", right=True),
    Column("Talk", right=True),
    Column("Prio", right=True, drop=1),
)
_ENDED: Final = (
    Column("Ended"),
    Column("Call"),
    _QUEUE,
    _CALLER,
    Column("How", flexible=1, least=20),
    Column("Wait", right=True),
    Column("Talk", right=True, drop=1),
)


def queues(views: Sequence[QueueJson], width: int, height: int | None = None) -> list[Text]:
    """Return all queues, those with callers first, and the waiting calls below.

    Args:
        views: as the API returns them.
        width: columns of the terminal.
        height: lines of the terminal; None: as many as needed.
    """
    if not views:
        return [Text("no queues")]
    views = sorted(views, key=lambda view: (-view["longest_wait_s"], view["id"]))
    lines = layout.table(_QUEUES, [_queue(view) for view in views], width)
    waiting = _waiting(views, width)
    if height is None:
        return [*lines, Text(""), *waiting]
    # Waiting calls matter more than quiet queues, but the first three queues are always shown.
    room = max(4, height - len(waiting) - 1)
    lines = layout.fit(lines, room, "queues")
    left = height - len(lines) - 1
    return [*lines, Text(""), *layout.fit(waiting, left, "callers wait")]


def _queue(view: QueueJson) -> list[Text]:
    agents = {word: len(names) for word, names in view["agents"].items()}
    today = view["today"]
    free = view.get("free", agents["available"])  # an older daemon does not report it
    busy = sum(agents[word] for word in ("reserved", "ringing", "on-call", "wrap-up"))
    return [
        plain(view["id"]),
        plain(view["name"] if view["name"] != view["id"] else ""),
        Text(str(len(view["waiting"])), style="yellow" if view["waiting"] else ""),
        Text(clock_duration(view["longest_wait_s"]) if view["waiting"] else ""),
        Text(str(view["talking"])),
        Text(str(free), style="green" if free else ""),
        Text(str(busy)),
        Text(str(agents["paused"] + agents["offline"])),
        Text(str(today["entered"])),
        Text(str(today["answered"])),
        Text(str(today["abandoned"])),
    ]


def _waiting(views: Iterable[QueueJson], width: int) -> list[Text]:
    rows = [
        [
            plain(view["id"]),
            Text(str(call["position"])),
            caller(call, named=width >= WIDE),
            Text(clock_duration(call["wait_s"])),
            Text(str(call["priority"])),
            state(call["state"], ", ".join(call["ringing"])),
            plain(call["call"]),
        ]
        for view in views
        for call in view["waiting"]
    ]
    return layout.table(_WAITING, rows, width) if rows else [Text("no caller waits")]


def calls(views: Sequence[CallJson], width: int, height: int | None = None) -> list[Text]:
    """Return the active calls.

    Args:
        views: as the API returns them.
        width: columns of the terminal. From `WIDE` on, the caller's name follows the number.
        height: lines of the terminal; None: as many as needed.
    """
    if not views:
        return [Text("no calls")]
    rows = []
    for view in views:
        who = view["agent"] or ", ".join(offer["agent"] for offer in view["offers"])
        place = f"place {view['position']}" if view["position"] and not who else ""
        rows.append(
            [
                plain(view["id"]),
                plain(view["queue"]),
                caller(view, named=width >= WIDE),
                state(view["state"], who or place),
                Text(clock_duration(view["wait_s"])),
                Text(clock_duration(view["talk_s"])),
                Text(str(view["priority"])),
            ]
        )
    lines = layout.table(_CALLS, rows, width)
    return lines if height is None else layout.fit(lines, height, "calls")


def ended_calls(views: Sequence[CallJson], width: int, height: int | None = None) -> list[Text]:
    """Return the ended calls, latest first.

    Args:
        views: as the API returns them.
        width: columns of the terminal. From `WIDE` on, times have seconds.
        height: lines of the terminal; None: as many as needed.
    """
    if not views:
        return [Text("no calls have ended since the daemon was started")]
    today = _end(views[0]).date()
    clock = "%H:%M:%S" if width >= WIDE else "%H:%M"
    rows = []
    for view in views:
        when = _end(view)
        rows.append(
            [
                Text(when.strftime(clock if when.date() == today else "%m-%d %H:%M")),
                plain(view["id"]),
                plain(view["queue"]),
                caller(view, named=width >= WIDE),
                state(view["state"], view["agent"] or view["result"] or ""),
                Text(clock_duration(view["wait_s"])),
                Text(clock_duration(view["talk_s"])),
            ]
        )
    lines = layout.table(_ENDED, rows, width)
    return lines if height is None else layout.fit(lines, height, "calls")


def _end(view: CallJson) -> datetime:
    """Return when an ended call ended, in local time."""
    return parse(view["ended_at"] or view["entered_at"]).astimezone()


def floor(views: Sequence[QueueJson]) -> str:
    """Say how many are waiting, in a sentence: the first thing a supervisor looks for.

    The queue whose caller has waited longest is named.
    """
    waiting = [view for view in views if view["waiting"]]
    if not waiting:
        return "no caller waits"
    worst = max(waiting, key=lambda view: view["longest_wait_s"])
    count = sum(len(view["waiting"]) for view in waiting)
    longest = clock_duration(worst["longest_wait_s"])
    if count == 1:
        return f"1 caller waits in {worst['id']}, for {longest}"
    if len(waiting) == 1:
        return f"{count} callers wait in {worst['id']}, the longest for {longest}"
    return (
        f"{count} callers wait in {len(waiting)} queues, the longest for {longest} in {worst['id']}"
    )
