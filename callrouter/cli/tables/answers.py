"""Displays the daemon's answers. Texts from outside never reach rich as markup."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from callrouter.cli.output_text import HELD, excerpt
from callrouter.cli.tables import agent_table, call_table
from callrouter.cli.tables.layout import clock_time, plain, state
from callrouter.model.text import clock_duration, counted

if TYPE_CHECKING:
    from callrouter.api.schemas.call_answers import QueueJson
    from callrouter.api.schemas.cluster_answers import ClusterStatusJson
    from callrouter.api.schemas.config_answers import ConfigStatusJson, MistakeJson
    from callrouter.api.schemas.status_answers import (
        AlertStatusJson,
        QueueLogStatusJson,
        StatusJson,
        StoreStatusJson,
    )
    from callrouter.api.schemas.vocabulary import AgentStateName

Shown: TypeAlias = list[RenderableType]

# ---------------------------------------------------------------- status


def status(view: StatusJson, queues: Sequence[QueueJson] = ()) -> Shown:
    """Return the totals, then the daemon, its PBXes, its configuration and whatever is wrong.

    Args:
        view: the answer of ``/api/status``.
        queues: the queues, to say who waits.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    if queues:
        table.add_row("waiting", plain(call_table.floor(queues)))
    table.add_row("calls", plain(_calls_in_words(view["calls"])))
    table.add_row("agents", plain(_agents_in_words(view["agents"])))
    running = clock_duration(view["uptime_s"])
    table.add_row(
        "callrouter", plain(f"{view['version']}, running for {running} (pid {view['pid']})")
    )
    for name, pbx in sorted(view["pbx"].items()):
        table.add_row(f"pbx {name}", state(pbx["state"], pbx["detail"]))
    table.add_row("http", plain(view["listen"]))
    table.add_row("config", _config(view["config"]))
    shown: Shown = [table, *_cluster(view.get("cluster"))]
    if problems := view["config"]["problems"]:
        shown.append(Text("\nmistakes in the configuration", style="bold"))
        shown.extend(plain(line) for item in problems for line in problem(item))
    if warnings := view["config"]["warnings"]:
        shown.append(Text("\nwarnings in the configuration", style="bold"))
        shown.extend(plain(_located(item)) for item in warnings)
    if held := view["config"].get("held"):
        shown.append(Text("\nheld back in the configuration", style="bold"))
        shown.extend(map(plain, held))
        shown.append(plain(HELD))
    if (store := view.get("store")) is not None:
        shown.extend(_store(store))
    if (record := view.get("record")) is not None and record["lost"]:
        text = f"{counted(record['lost'], 'row')} of the record of calls could not be kept"
        shown.append(Text(f"{text}: the database was away for too long", style="red"))
    if (queue_log := view.get("queue_log")) is not None:
        shown.extend(_queue_log(queue_log))
    shown.extend(_alarms(view.get("alerts", [])))
    shown.extend(_undelivered(view))
    shown.extend(faults_found(view))
    if faults := view.get("faults"):
        shown.append(Text(f"\n{counted(faults, 'fault')} so far: see the log", style="red"))
    return shown


def _cluster(cluster: ClusterStatusJson | None) -> Iterator[Text]:
    """Yield which part the daemon has in its cluster, if it belongs to one."""
    if cluster is not None:
        said = f"{cluster['node']} is {cluster['role']} for pool {cluster['pool']}"
        trouble = f"; {cluster['problem']}" if cluster.get("problem") else ""
        ready = counted(cluster["standbys"], "standby")
        yield Text("cluster     ", style="bold") + plain(f"{said}, {ready}{trouble}")


def _alarms(alerts: Sequence[AlertStatusJson]) -> Iterator[Text]:
    """Yield the alarms that are on, if any, under a heading."""
    if alerts:
        yield Text("\nalarms", style="bold red")
    for alert in alerts:
        quiet = "; quiet hours, not sent" if alert["quiet"] else ""
        yield plain(f"{alert['text']}; since {clock_time(alert['since'])}{quiet}")


def _undelivered(view: StatusJson) -> Iterator[Text]:
    """Yield a line for each destination that does not take its events, or has lost some."""
    outbox = view.get("outbox")
    for name, line in outbox["destinations"].items() if outbox is not None else ():
        if line["trouble"]:
            waits = f"; {counted(line['waiting'], 'event')} for it, tried again"
            waits += (
                f" (the oldest {clock_duration(line['oldest_s'])} old)" if line["oldest_s"] else ""
            )
            yield Text(f"\ndestination {name}: ", style="yellow") + plain(
                f"{line['trouble']}{waits}"
            )
        if line["given_up"]:
            text = f"destination {name}: {counted(line['given_up'], 'event')} given up: see the log"
            yield Text(f"\n{text}", style="red")


def faults_found(view: StatusJson) -> Iterator[Text]:
    """Yield the faults that the daemon has found in itself, if any.

    Counters that an older daemon does not report count as 0. Each text begins with an empty line.
    """
    for name, pbx in sorted(view["pbx"].items()):
        if pbx.get("drift"):
            text = f"{counted(pbx['drift'], 'difference')} from {name} that no event had announced"
            yield Text(f"\n{text}", style="yellow")
        if pbx.get("faults"):
            text = f"{counted(pbx['faults'], 'fault')} of the driver of {name}: see the log"
            yield Text(f"\n{text}", style="red")
        if trouble := _link_trouble(pbx.get("link", {})):
            yield Text(f"\nlink to {name}: {trouble}", style="yellow")
        forged = pbx.get("counts", {}).get("forged events")
        if forged:
            text = f"{counted(forged, 'event')} from {name} not as Asterisk writes them; they did nothing"
            yield Text(f"\n{text}", style="yellow")
    reception = view.get("reception")
    if reception is not None and (closed := reception.get("outside_closed_s", 0)):
        text = f"wrong PINs from outside: none is taken from there for {math.ceil(closed / 60)} min"
        yield Text(f"\n{text}", style="red")
    if (loop := view.get("loop")) is not None and loop["held_up"]:
        text = f"held up {counted(loop['held_up'], 'time')}, {loop['longest_ms']} ms at most, by"
        yield Text(f"\n{text}", style="yellow") + plain(f" {loop['by']}")
    if (kept := view.get("invariants")) is not None and kept["breaches"]:
        text = f"{counted(kept['breaches'], 'time')} an invariant was violated and corrected; the last:"
        yield Text(f"\n{text}", style="red") + plain(f" {kept['last_breach']}")


_LINK_TROUBLE: Final = {
    "ami_timeouts": "timeout",
    "ami_reconnects": "reconnect",
    "ami_refused_logins": "refused login",
}
"""The counters of a link that are shown to people, and the word for one of each."""


def _link_trouble(link: Mapping[str, int]) -> str:
    shown = {word: link.get(name, 0) for name, word in _LINK_TROUBLE.items()}
    return ", ".join(counted(count, word) for word, count in shown.items() if count)


def _queue_log(file: QueueLogStatusJson) -> Iterator[Text]:
    """Yield the problems of writing queue_log into a file, if any."""
    if file["problem"]:
        yield Text(f"\nqueue_log is not being written: {file['problem']}", style="red")
        yield plain(f"{counted(file['waiting'], 'line')} of it, in order to be written later")
    if file["lost"]:
        yield Text(f"{counted(file['lost'], 'line')} of queue_log could not be kept", style="red")


def _store(store: StoreStatusJson) -> Iterator[Text]:
    """Yield the problems of storing agents' states and other data, if any."""
    if store["state"] != "good":
        yield Text(f"\nagents' states are not being saved in {store['database']}", style="red")
        yield plain(str(store["problem"]))
        if store["unsaved"]:
            yield plain(f"{store['unsaved']} wait to be saved, and will be once that is possible")
    if store["lost"]:
        yield Text(
            f"{counted(store['lost'], 'entry', 'entries')} of the audit could not be kept",
            style="red",
        )


def _config(config: ConfigStatusJson) -> Text:
    note = f"{config['folder']}, in force since {clock_time(config['loaded_at'])}"
    if config.get("source") == "database":
        number = config["version"]
        note += f"; version {number} of the database" if number else "; from the database"
    if config.get("away"):
        note += f"; newer versions cannot be read now: {config['away']}"
    if config.get("differs_from"):
        note += f"; not the configuration of {config['differs_from']}, which is active"
    if config.get("last_good"):
        note += "; the last good configuration, since the start"
    if config.get("held"):
        note += "; the files have lost something, and none of their changes was taken up"
    if config["problems"]:
        note += "; the files have mistakes and were not taken up"
    if config["needs_restart"]:
        note += f"; after a restart: {', '.join(config['needs_restart'])}"
    return state(config["state"], note)


def _calls_in_words(calls: Mapping[Literal["waiting", "connecting", "talking"], int]) -> str:
    if not any(calls.values()):
        return "none"
    return ", ".join(f"{count} {word}" for word, count in calls.items() if count)


def _agents_in_words(agents: Mapping[AgentStateName, int]) -> str:
    if not any(agents.values()):
        return "none configured"
    places = {word: n for n, word in enumerate(agent_table.ORDER)}
    words = sorted(agents, key=lambda word: places.get(word, len(places)))
    return ", ".join(f"{agents[word]} {word}" for word in words if agents[word])


def problem(item: MistakeJson) -> list[str]:
    """Return a configuration mistake as `callrouter check` prints it, and the line as written.

    There is one line alone if the answer has no written line.
    """
    written = item.get("source_line") or ""
    shown = f"    {excerpt(written, item['column'])}"
    return [_located(item), *([shown] if written.strip() else [])]


def _located(item: MistakeJson) -> str:
    place = item["file"]
    if item["line"]:
        place += f":{item['line']}:{item['column']}"
    return f"{place}: {item['text']}" + (f" ({item['hint']})" if item["hint"] else "")
