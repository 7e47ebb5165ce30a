"""The tables of pools and their nodes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.text import Text

from callrouter.cli.tables import layout
from callrouter.cli.tables.layout import Column, clock_time, plain, since
from callrouter.model.text import clock_duration

if TYPE_CHECKING:
    from callrouter.api.schemas.cluster_answers import (
        ClusterJson,
        ClusterNodeJson,
        ClusterPoolJson,
    )

_DIGEST: Final = 8
"""Characters of a configuration's digest that are shown: enough to compare by eye."""
_COLUMNS: Final = (
    Column("Node", flexible=1, least=12),
    Column("Role"),
    Column("For", right=True),
    Column("Seen", right=True, drop=1),
    Column("Config", drop=3),
    Column("Version", drop=4),
    Column("Address", flexible=2, drop=2, least=16),
    Column("Machine", flexible=3, drop=5, least=8),
)


def cluster(view: ClusterJson, width: int, now: datetime) -> list[Text]:
    """Return each pool: which node is active since when, its nodes, and whatever is wrong.

    Args:
        view: as the API returns it.
        width: columns of the terminal.
        now: when it was requested.
    """
    if not view["pools"]:
        return [Text("no pool is in this database yet: no daemon with cluster: has run with it")]
    lines: list[Text] = []
    for pool in view["pools"]:
        lines += [Text(""), *_pool(pool, width, now)] if lines else _pool(pool, width, now)
    return lines


def _pool(pool: ClusterPoolJson, width: int, now: datetime) -> list[Text]:
    rows = [_row(node, now) for node in pool["nodes"]]
    table = layout.table(_COLUMNS, rows, width) if rows else [Text("no node", style="dim")]
    return [_heading(pool), *table, *_trouble(pool)]


def _heading(pool: ClusterPoolJson) -> Text:
    made = Text(f"pool {plain(pool['pool']).plain}: ", style="bold")
    if pool["active"] is None:
        return made.append("no node is active", style="bold red")
    made.append_text(plain(pool["active"]))
    made.append(f" is active since {clock_time(pool['since'])}, take-over {pool['epoch']}")
    if pool["hand_to"]:
        made.append(f", being handed over to {plain(pool['hand_to']).plain}", style="yellow")
    return made


def _row(node: ClusterNodeJson, now: datetime) -> list[Text]:
    role = node["role"]
    digest = Text(node["config"][:_DIGEST], style="bold red" if node["config_differs"] else "")
    return [
        plain(node["name"]),
        Text(role, style={"active": "green", "away": "bold red"}.get(role, "")),
        Text("" if role == "away" else since(node["since"], now)),
        Text(clock_duration(node["seen_s"])),
        digest,
        plain(node["version"]),
        plain(node["url"]),
        plain(node["host"]),
    ]


def _trouble(pool: ClusterPoolJson) -> Iterator[Text]:
    for text in pool["trouble"]:
        yield Text("! ", style="bold red") + plain(text)
    for node in pool["nodes"]:
        for text in node["trouble"]:
            yield Text("! ", style="bold red") + plain(f"{node['name']}: {text}")
