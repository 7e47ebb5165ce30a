"""``callrouter cluster``: which router is active for which pool, and handing a pool over."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

import click

from callrouter.cli.commands.query import (
    client_for,
    console,
    exit_on_refusal,
    json_option,
    local_now,
    show_on,
)
from callrouter.cli.output_text import CommandFailed
from callrouter.cli.suggestions import SuggestingGroup
from callrouter.clock import SystemClock

if TYPE_CHECKING:
    from callrouter.api.schemas.cluster_answers import ClusterJson, HandOverJson
    from callrouter.cli.daemon_client import DaemonClient

HAND_OVER_WITHIN: Final = 15.0
"""Seconds for the other node to become active."""
_LOOK_EVERY: Final = 0.2
_now: Final = SystemClock().now


@click.group(
    cls=SuggestingGroup,
    invoke_without_command=True,
    short_help="Show which router is active, or hand over to another.",
)
@json_option
@click.pass_context
def cluster(context: click.Context, *, as_json: bool) -> None:
    """Show the pools of the database: which node is active since when, and which could take over."""
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError("--json belongs after hand-over")
        return
    view = _Daemon(client_for(context)).read()
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
        return
    from callrouter.cli.tables import cluster_table  # noqa: PLC0415 - only here

    out = console()
    show_on(out, cluster_table.cluster(view, out.width, local_now()))


@cluster.command("hand-over", short_help="Let another node take a pool over.")
@click.option("--to", metavar="NODE", help="The node. Default: the standby that is readiest.")
@click.option("--pool", metavar="POOL", help="The pool. Default: that of the daemon that is asked.")
@json_option
@click.pass_context
def hand_over(context: click.Context, *, to: str | None, pool: str | None, as_json: bool) -> None:
    """Let another node take a pool over, and wait until it is active.

    Callers wait on in their places and conversations go on. The node that was active becomes a
    standby.
    """
    source = _Daemon(client_for(context))
    began = _now()
    order = source.hand_over(pool, to)
    if not as_json:
        before = order["active"] or "no node"
        click.echo(f"pool {order['pool']}: {order['to']} takes over from {before}")
    _wait(source, order)
    took = _now() - began
    if as_json:
        click.echo(json.dumps({**order, "took_s": round(took, 1)}, indent=2))
    else:
        click.echo(f"{order['to']} is active for pool {order['pool']}, after {took:.1f} s")


def _wait(source: _Daemon, order: HandOverJson) -> None:
    """Wait until the node has taken over.

    Raises:
        CommandFailed: it has not (exit status 1).
    """
    until = _now() + HAND_OVER_WITHIN
    now = order["active"]
    while _now() < until:
        time.sleep(_LOOK_EVERY)
        try:
            pools = source.read()["pools"]
        except CommandFailed:
            continue  # the daemon that we ask is the one that changes its role
        for pool in pools:
            if pool["pool"] == order["pool"]:
                now = pool["active"]
                if now == order["to"] and pool["epoch"] > order["epoch"]:
                    return
    raise CommandFailed(
        1,
        f"{order['to']} has not taken pool {order['pool']} over within {HAND_OVER_WITHIN:.0f} s; "
        f"{now or 'no node'} is active: see `callrouter cluster`",
    )


class _Daemon:
    """The cluster as a daemon tells of it."""

    def __init__(self, client: DaemonClient) -> None:
        self._client = client

    def read(self) -> ClusterJson:
        with exit_on_refusal():
            view: ClusterJson = self._client.get("cluster")
        return view

    def hand_over(self, pool: str | None, to: str | None) -> HandOverJson:
        body = {name: value for name, value in (("pool", pool), ("to", to)) if value is not None}
        with exit_on_refusal():
            order: HandOverJson = self._client.post("cluster", "hand-over", body=body)
        return order
