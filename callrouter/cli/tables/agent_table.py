"""The table of agents: one line each, those who matter most now first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from rich.text import Text

from callrouter.cli.tables import layout
from callrouter.cli.tables.layout import Column, clock_time, parse, plain, since, state
from callrouter.model.text import clock_duration, counted

if TYPE_CHECKING:
    from callrouter.api.schemas.agent_answers import AgentJson, DeviceJson
    from callrouter.api.schemas.call_answers import CallJson
    from callrouter.api.schemas.vocabulary import AgentStateName

ORDER: Final[tuple[AgentStateName, ...]] = (
    "ringing",
    "reserved",
    "on-call",
    "wrap-up",
    "available",
    "paused",
    "offline",
)
"""States, from the one that will change next to the least relevant."""
LATELY: Final = timedelta(minutes=15)
MOST_TOLD: Final = 10
"""Number of messages (those to agents within `LATELY`) shown below the table."""

_COLUMNS: Final = (
    Column("Agent"),
    Column("Name", flexible=4, drop=3, least=10),
    Column("State", flexible=1, least=36),
    Column("For", right=True),
    Column("Today", right=True, drop=1),
    Column("Phones", flexible=2, drop=2, least=12),
    Column("Queues", flexible=3, drop=4, least=12),
)


def agents(
    views: Sequence[AgentJson],
    width: int,
    now: datetime,
    calls: Mapping[str, CallJson] | None = None,
    height: int | None = None,
) -> list[Text]:
    """Return all agents, with the number in each state.

    Args:
        views: as the API returns them.
        width: columns of the terminal.
        now: when they were requested.
        calls: the active calls by id, to show who an agent is connected to.
        height: lines of the terminal. If there are too few for one line each, the agents are shown
            side by side.
    """
    if not views:
        return [Text("no agents")]
    views = sorted(views, key=_place)
    head = _heading(views)
    rows = [_row(view, now, calls or {}) for view in views]
    lines = [head, Text(""), *layout.table(_COLUMNS, rows, width)]
    told = _told(views, now)
    if height is None or len(lines) + len(told) <= height:
        return [*lines, *told]
    if len(lines) <= height:
        return lines
    cells = [_short(view, now) for view in views]
    dense = layout.grid(cells, width)
    return [head, Text(""), *_fit(dense, cells, height - 2, width)]


def _place(view: AgentJson) -> tuple[int, str]:
    known = view["state"] in ORDER
    return (ORDER.index(view["state"]) if known else len(ORDER), str(view["id"]))


def _heading(views: Sequence[AgentJson]) -> Text:
    count = Counter(view["state"] for view in views)
    made = Text(f"{counted(len(views), 'agent', zero='0')}: ", style="bold")
    parts = [state(word, "") for word in ORDER if count[word]]
    for n, (part, word) in enumerate(zip(parts, [w for w in ORDER if count[w]], strict=True)):
        made.append(f"{', ' if n else ''}{count[word]} ")
        made.append_text(part)
    return made


def _row(view: AgentJson, now: datetime, calls: Mapping[str, CallJson]) -> list[Text]:
    return [
        plain(view["id"]),
        plain(view["name"] if view["name"] != view["id"] else ""),
        state(view["state"], explained(view, calls=calls)),
        Text(since(view["since"], now)),
        Text(str(view["calls_today"])),
        plain(", ".join(map(_phone, view["devices"])) or "none"),
        plain(", ".join(f"{q['id']} {q['priority']}" for q in view["queues"]) or "none"),
    ]


def _short(view: AgentJson, now: datetime) -> Text:
    made = Text(f"{plain(view['id']).plain} ").append_text(state(view["state"]))
    age = since(view["since"], now)
    return made.append(f" {age}", style="dim") if age else made


def _fit(lines: list[Text], cells: Sequence[Text], height: int, width: int) -> list[Text]:
    """Return as many agents as fit; the heading has the number in each state.

    `lines` are all agents as a grid, made from `cells`. If they do not fit, the last line says how
    many are left out.
    """
    if len(lines) <= height:
        return lines
    across = -(-len(cells) // max(1, len(lines)))
    shown = max(0, height - 1) * across
    more = Text(f"… and {len(cells) - shown} more", style="dim")
    return [*layout.grid(cells[:shown], width), more]


def _told(views: Iterable[AgentJson], now: datetime) -> list[Text]:
    """Return recent messages to agents, latest first, without those that a state implies.

    Recent means within `LATELY`; at most `MOST_TOLD` are listed. There is no heading if there are
    none.
    """
    lately = [
        (parse(item["at"]), view["id"], item["text"])
        for view in views
        for item in view["messages"]
        if now - parse(item["at"]) < LATELY
        and item["at"] not in {view.get("by_at"), view.get("signed_in_at")}
    ]
    lines = [f"{at.astimezone():%H:%M}  {who}: {text}" for at, who, text in sorted(lately)[::-1]]
    if not lines:
        return []
    return [Text(""), Text("recent messages", style="bold"), *map(plain, lines[:MOST_TOLD])]


# ---------------------------------------------------------------- one agent


def explained(view: AgentJson, *, calls: Mapping[str, CallJson], exact: bool = False) -> str:
    """Return the few words that explain a state, such as ``lunch until 11:17, by sam``.

    Args:
        view: the agent.
        calls: the active calls by id, to name the caller the agent is connected to.
        exact: whether to say when another person changed the state.
    """
    notes = []
    if view["state"] == "wrap-up" and view["wrap_up_s"] is not None:
        notes.append(f"{clock_duration(view['wrap_up_s'])} more")
    elif view["state"] == "offline" and view["signed_in"]:
        notes.append("signed in, no phone can ring")
    elif view["reason"]:
        notes.append(view["reason"])
    elif (call := calls.get(view["call"] or "")) is not None:
        notes.append(_with(call))
    if view["state"] == "paused" and view["until"]:
        notes = [" ".join([*notes, _ends(view["until"], view["then"])])]
    notes += _who(view, exact=exact)
    if view["pending"]:
        notes.append(f"{view['pending']} after this call")
    return ", ".join(notes)


def _with(call: CallJson) -> str:
    """Return the queue and the caller of a call."""
    who = call["caller_number"] or call["caller_name"] or "number withheld"
    return f"{call['queue']}, {who}"


def _who(view: AgentJson, *, exact: bool) -> list[str]:
    """Return who paused them or signed them out (`exact`: also when), unless it was the agent."""
    away = view["state"] == "paused" or not view["signed_in"]
    if not away or view["by"] in {None, view["id"]}:
        return []
    return [f"by {view['by']}" + (f" at {clock_time(view['by_at'])[:5]}" if exact else "")]


def _ends(until: str, then: str | None) -> str:
    """Return ``until 11:17``, and what follows unless the agent is simply back."""
    more = ", then signed out" if then == "sign-out" else ""
    return f"until {clock_time(until)[:5]}{more}"


def _phone(device: DeviceJson) -> str:
    known = device.get("addresses") or {}  # a daemon of an earlier version does not say
    notes = [part for part in (", ".join(known), device["trouble"]) if part]
    return f"{device['id']} ({'; '.join(notes)})" if notes else str(device["id"])


def agent(view: AgentJson, now: datetime, *, messages: bool) -> list[Text]:
    """Return one agent in a sentence.

    Args:
        view: the agent.
        now: when it was requested.
        messages: whether to add what the agent was told lately.
    """
    who = f"{view['id']} ({view['name']})" if view["name"] != view["id"] else view["id"]
    text = f"{who} is {view['state']}"
    age = since(view["since"], now)
    text += f" for {age}" if age not in {"", "0 s"} else ""
    note = explained(view, calls={}, exact=True)
    text += f": {note}" if note else ""
    lines = [plain(text)]
    for device in view["devices"]:
        known = device.get("addresses") or {}
        if known:
            where = ", ".join(f"{pbx} {address}" for pbx, address in known.items())
            lines.append(plain(f"  {device['id']}: {where}"))
    if messages:
        lines += [
            plain(f"  message of {parse(item['at']).astimezone():%d %b %H:%M}: {item['text']}")
            for item in view["messages"]
        ]
    if view["signed_in"] and view["state"] == "offline":
        lines += [plain(f"  {reason}") for reason in view["why_not"]]
    return lines
