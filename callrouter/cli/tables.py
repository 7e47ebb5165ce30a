"""What the daemon says, as tables for people. Texts from outside never reach rich as markup."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from callrouter.cli.cells import caller, plain, state
from callrouter.cli.words import clock_time, duration, excerpt, many, parse, since

Json: TypeAlias = dict[str, Any]
Shown: TypeAlias = list[RenderableType]

_WHOLE = frozenset({"Call", "Agent", "Queue", "From", "Ended", "Device", "Phone"})
"""Columns whose words people copy: never broken in two."""

LATELY = timedelta(minutes=15)
MOST_TOLD = 10
"""Of what agents were told within `LATELY`, so much is shown beneath their table."""

WIDE = 100
"""From this many columns on there is room for names and details."""


def plain_table(*columns: str | tuple[str, str]) -> Table:
    """A table without lines; a column given as ``(name, "right")`` holds numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        name, justify = (column, "left") if isinstance(column, str) else column
        right = justify == "right"
        table.add_column(
            name,
            justify="right" if right else "left",
            no_wrap=right or name in _WHOLE,
            overflow="fold",
        )
    return table


# ---------------------------------------------------------------- status


HELD = "none of these changes is in force; put the files right, or confirm them with `callrouter reload`"
"""What to do about a configuration that has lost something."""


def status(view: Json) -> Shown:
    """The daemon, its PBXes, its configuration, and how much is going on."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    running = duration(view["uptime_s"])
    table.add_row(
        "callrouter", plain(f"{view['version']}, running for {running} (pid {view['pid']})")
    )
    for name, pbx in sorted(view["pbx"].items()):
        table.add_row(f"pbx {name}", state(pbx["state"], pbx["detail"]))
    table.add_row("http", plain(view["listen"]))
    table.add_row("calls", plain(_calls_in_words(view["calls"])))
    table.add_row("agents", plain(_agents_in_words(view["agents"])))
    table.add_row("config", _config(view["config"]))
    shown: Shown = [table]
    for title, key in (("mistakes", "problems"), ("warnings", "warnings")):
        if view["config"][key]:
            shown.append(Text(f"\n{title} in the configuration", style="bold"))
            for item in view["config"][key]:
                lines = problem(item) if key == "problems" else problem(item)[:1]
                shown.extend(map(plain, lines))
    if held := view["config"].get("held"):
        shown.append(Text("\nheld back in the configuration", style="bold"))
        shown.extend(map(plain, held))
        shown.append(plain(HELD))
    if view.get("store") is not None:
        shown.extend(_store(view["store"]))
    shown.extend(_itself(view))
    if view.get("faults"):
        shown.append(Text(f"\n{many(view['faults'], 'fault')} so far: see the log", style="red"))
    return shown


def _itself(view: Json) -> Iterator[Text]:
    """What the daemon has found wrong with itself, if anything."""
    loop, kept = view.get("loop") or {}, view.get("invariants") or {}
    for name, pbx in sorted(view["pbx"].items()):
        if pbx.get("drift"):
            text = f"{many(pbx['drift'], 'difference')} from {name} that nobody had announced"
            yield Text(f"\n{text}", style="yellow")
    closed = (view.get("reception") or {}).get("outside_closed_s", 0)
    if closed:
        text = f"wrong PINs from outside: none is taken from there for {math.ceil(closed / 60)} min"
        yield Text(f"\n{text}", style="red")
    if loop.get("held_up"):
        text = f"held up {many(loop['held_up'], 'time')}, {loop['longest_ms']} ms at most, by"
        yield Text(f"\n{text}", style="yellow") + plain(f" {loop['by']}")
    if kept.get("breaches"):
        text = f"{many(kept['breaches'], 'time')} something did not hold that always must; mended:"
        yield Text(f"\n{text}", style="red") + plain(f" {kept['last_breach']}")


def _store(store: Json) -> Iterator[Text]:
    """What is wrong with keeping agents' states and the like, if anything."""
    if store["state"] != "good":
        yield Text(f"\nagents' states are not being saved in {store['database']}", style="red")
        yield plain(str(store["problem"]))
        if store["unsaved"]:
            yield plain(f"{store['unsaved']} wait to be saved, and will be once that is possible")
    if store["lost"]:
        yield Text(f"{many(store['lost'], 'entry', 'entries')} of the audit are lost", style="red")


def _config(config: Json) -> Text:
    note = f"{config['folder']}, in force since {clock_time(config['loaded_at'])}"
    if config.get("last_good"):
        note += "; the last good configuration, since the start"
    if config.get("held"):
        note += "; the files have lost something, and none of their changes was taken up"
    if config["problems"]:
        note += "; the files have mistakes and were not taken up"
    if config["needs_restart"]:
        note += f"; after a restart: {', '.join(config['needs_restart'])}"
    return state(config["state"], note)


def _calls_in_words(calls: Json) -> str:
    if not any(calls.values()):
        return "none"
    return ", ".join(f"{count} {word}" for word, count in calls.items() if count)


def _agents_in_words(agents: Json) -> str:
    if not any(agents.values()):
        return "none configured"
    return ", ".join(f"{count} {word}" for word, count in agents.items() if count)


def problem(item: Json) -> list[str]:
    """A mistake in the configuration, as `callrouter check` prints it, and the line as it is written."""
    written = item.get("source_line") or ""
    shown = f"    {excerpt(written, item['column'])}"
    return [_located(item), *([shown] if written.strip() else [])]


def _located(item: Json) -> str:
    place = item["file"]
    if item["line"]:
        place += f":{item['line']}:{item['column']}"
    return f"{place}: {item['text']}" + (f" ({item['hint']})" if item["hint"] else "")


# ---------------------------------------------------------------- queues


def queues(views: Sequence[Json], width: int) -> Shown:
    """All queues, and beneath them who waits."""
    if not views:
        return [Text("no queues")]
    wide = width >= WIDE
    table = plain_table(
        "Queue",
        *(["Name"] if wide else []),
        *((name, "right") for name in ("Wait", "Longest", "Talk", "Free", "Busy", "Away")),
        *((name, "right") for name in ("Today", "Answered", "Lost")),
    )
    for view in views:
        agents = {word: len(names) for word, names in view["agents"].items()}
        today = view["today"]
        table.add_row(
            plain(view["id"]),
            *([plain(view["name"])] if wide else []),
            Text(str(len(view["waiting"])), style="yellow" if view["waiting"] else ""),
            duration(view["longest_wait_s"]) if view["waiting"] else "",
            str(view["talking"]),
            Text(str(agents["available"]), style="green" if agents["available"] else ""),
            str(sum(agents[w] for w in ("reserved", "ringing", "on-call", "wrap-up"))),
            str(agents["paused"] + agents["offline"]),
            str(today["entered"]),
            str(today["answered"]),
            str(today["abandoned"]),
        )
    return [table, Text(""), *_waiting(views, wide=wide)]


def _waiting(views: Iterable[Json], *, wide: bool) -> Shown:
    table = plain_table(
        *("Queue", ("Place", "right"), _caller_column(wide), ("Waits", "right")),
        *([("Prio", "right")] if wide else []),
        *("Now", "Call"),
    )
    for view in views:
        for call in view["waiting"]:
            now = state(call["state"], ", ".join(call["ringing"]))
            table.add_row(
                plain(view["id"]),
                str(call["position"]),
                caller(call, named=wide),
                duration(call["wait_s"]),
                *([str(call["priority"])] if wide else []),
                now,
                plain(call["call"]),
            )
    return [table] if table.row_count else [Text("nobody waits")]


# ---------------------------------------------------------------- agents


def agents(views: Sequence[Json], width: int, now: datetime) -> Shown:
    """All agents."""
    if not views:
        return [Text("no agents")]
    wide = width >= WIDE
    table = plain_table(
        "Agent",
        *(["Name"] if wide else []),
        "State",
        ("For", "right"),
        ("Today", "right"),
        "Phones",
        "Queues",
    )
    for view in views:
        table.add_row(
            plain(view["id"]),
            *([plain(view["name"])] if wide else []),
            state(view["state"], _explained(view, wide=wide)),
            since(view["since"], now),
            str(view["calls_today"]),
            plain(", ".join(map(_phone, view["devices"])) or "none"),
            plain(", ".join(f"{q['id']} {q['priority']}" for q in view["queues"]) or "none"),
        )
    return [table, Text(""), plain(_agents_in_words(_by_state(views))), *_told(views, now)]


def _told(views: Iterable[Json], now: datetime) -> Shown:
    """What agents were told lately, the last thing first."""
    lately = [
        (parse(item["at"]), view["id"], item["text"])
        for view in views
        for item in view["messages"]
        if now - parse(item["at"]) < LATELY
    ]
    lines = [f"{at.astimezone():%H:%M}  {who}: {text}" for at, who, text in sorted(lately)[::-1]]
    return [Text("\ntold lately", style="bold"), *map(plain, lines[:MOST_TOLD])] if lines else []


def _by_state(views: Iterable[Json]) -> Json:
    found: Json = {}
    for view in views:
        found[view["state"]] = found.get(view["state"], 0) + 1
    return found


def _explained(view: Json, *, wide: bool, exact: bool = False) -> str:
    """The word or two that a state needs."""
    notes = []
    if view["state"] == "wrap-up" and view["wrap_up_s"] is not None:
        notes.append(f"{duration(view['wrap_up_s'])} more")
    elif view["state"] == "offline" and view["signed_in"]:
        notes.append("signed in, no phone can ring")
    elif view["reason"]:
        notes.append(view["reason"])
    elif view["call"] and wide:
        notes.append(view["call"])
    if view["state"] == "paused" and view["until"]:
        notes = [" ".join([*notes, _ends(view["until"], view["then"])])]
    notes += _who(view, exact=exact)
    if view["pending"]:
        notes.append(f"{view['pending']} after this call")
    return ", ".join(notes)


def _who(view: Json, *, exact: bool) -> list[str]:
    """Who paused them or signed them out (`exact`: when), unless it was the agent."""
    away = view["state"] == "paused" or not view["signed_in"]
    if not away or view["by"] in {None, view["id"]}:
        return []
    return [f"by {view['by']}" + (f" at {clock_time(view['by_at'])[:5]}" if exact else "")]


def _ends(until: str, then: str) -> str:
    """``until 11:17``; what comes then where it is more than being back."""
    more = ", then signed out" if then == "sign-out" else ""
    return f"until {clock_time(until)[:5]}{more}"


def _phone(device: Json) -> str:
    return f"{device['id']} ({device['trouble']})" if device["trouble"] else str(device["id"])


def agent(view: Json, now: datetime, *, messages: bool) -> Shown:
    """One agent, in a sentence; with `messages` what they were told last too."""
    who = f"{view['id']} ({view['name']})" if view["name"] != view["id"] else view["id"]
    text = f"{who} is {view['state']}"
    age = since(view["since"], now)
    text += f" for {age}" if age not in {"", "0 s"} else ""
    note = _explained(view, wide=False, exact=True)
    text += f": {note}" if note else ""
    lines: Shown = [plain(text)]
    if messages:
        lines += [
            plain(f"  told {parse(item['at']).astimezone():%d %b %H:%M}: {item['text']}")
            for item in view["messages"]
        ]
    if view["signed_in"] and view["state"] == "offline":
        lines += [plain(f"  {reason}") for reason in view["why_not"]]
    return lines


# ---------------------------------------------------------------- calls


def calls(views: Sequence[Json], width: int) -> Shown:
    """Calls that are on."""
    if not views:
        return [Text("no calls")]
    wide = width >= WIDE
    table = plain_table(
        *("Call", "Queue", _caller_column(wide), "State", ("Wait", "right"), ("Talk", "right")),
        *([("Prio", "right")] if wide else []),
    )
    for view in views:
        who = view["agent"] or ", ".join(offer["agent"] for offer in view["offers"])
        place = f"place {view['position']}" if view["position"] and not who else ""
        table.add_row(
            plain(view["id"]),
            plain(view["queue"]),
            caller(view, named=wide),
            state(view["state"], who or place),
            duration(view["wait_s"]),
            duration(view["talk_s"]),
            *([str(view["priority"])] if wide else []),
        )
    return [table]


def _caller_column(wide: bool) -> str:
    """Where there is no room for names the number is never broken in two."""
    return "Caller" if wide else "From"


def ended_calls(views: Sequence[Json], width: int) -> Shown:
    """Calls that are over, the last one first."""
    if not views:
        return [Text("no calls have ended since the daemon was started")]
    wide = width >= WIDE
    table = plain_table(
        *("Ended", "Call", "Queue", _caller_column(wide), "How", ("Wait", "right")),
        *([("Talk", "right")] if wide else []),
    )
    today = parse(views[0]["ended_at"]).astimezone().date()
    for view in views:
        when = parse(view["ended_at"]).astimezone()
        table.add_row(
            when.strftime("%H:%M:%S" if when.date() == today else "%m-%d %H:%M"),
            plain(view["id"]),
            plain(view["queue"]),
            caller(view, named=wide),
            state(view["state"], view["agent"] or view["result"] or ""),
            duration(view["wait_s"]),
            *([duration(view["talk_s"])] if wide else []),
        )
    return [table]
