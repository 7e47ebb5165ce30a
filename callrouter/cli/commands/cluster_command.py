"""``callrouter cluster``: which router is active for which pool, and handing a pool over."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, Final

import click

from callrouter.cli.commands.query import (
    client_for,
    console,
    exit_on_refusal,
    json_option,
    local_now,
    show_on,
)
from callrouter.cli.daemon_client import DaemonClient, NoAnswer
from callrouter.cli.global_options import asks_remote_daemon, choose, global_options_of
from callrouter.cli.output_text import CommandFailed, print_before
from callrouter.cli.suggestions import SuggestingGroup
from callrouter.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callrouter.api.schemas.cluster_answers import ClusterJson, ClusterPoolJson, HandOverJson
    from callrouter.cluster_views import ClusterPool
    from callrouter.settings.cluster_place import ClusterPlace
    from callrouter.store.location import Address

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
    """Show the pools of the database: which node is active since when, and which could take over.

    It asks the daemon. If that does not run, it reads the database itself, and of the configuration
    only where that is: mistakes elsewhere do not matter.
    """
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError("--json belongs after hand-over")
        return
    view = _source(context).read()
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
    source = _source(context)
    began = _now()
    order = _ordered(source, pool, to)
    if not as_json:
        before = order["active"] or "no node"
        print_before([f"pool {order['pool']}: {order['to']} takes over from {before}"])
    _wait(source, order)
    took = _now() - began
    if as_json:
        click.echo(json.dumps({**order, "took_s": round(took, 1)}, indent=2))
    else:
        click.echo(f"{order['to']} is active for pool {order['pool']}, after {took:.1f} s")


def _ordered(source: _Daemon | _Database, pool: str | None, to: str | None) -> HandOverJson:
    """Order the hand-over. If the daemon does not answer, find out whether it has taken the order.

    Raises:
        CommandFailed: it was refused, or it is not known whether it was taken (exit status 3).
    """
    if isinstance(source, _Database):
        return source.hand_over(pool, to)
    before = source.read()
    try:
        return source.hand_over(pool, to)
    except NoAnswer as no:
        order = _found_out(source, before, pool or before["pool"], to)
        if order is None:
            text = "it is not known whether the order was taken: see `callrouter cluster`"
            raise CommandFailed(no.status, f"{no.message}; {text}") from no
        return order


def _found_out(
    source: _Daemon, before: ClusterJson, name: str, to: str | None
) -> HandOverJson | None:
    """Return the order for a pool as it stands, or has been carried out; None: there is no sign of it."""
    old = _pool(before, name)
    until = _now() + HAND_OVER_WITHIN
    while old is not None and _now() < until:
        time.sleep(_LOOK_EVERY)
        try:
            now = _pool(source.read(), name)
        except CommandFailed:
            continue
        if now is None:
            continue
        next_one = now["active"] if now["epoch"] > old["epoch"] else now["hand_to"]
        known = {node["name"] for node in now["nodes"]} - {old["active"]}
        if next_one in known and to in {None, next_one}:
            return {"pool": name, "active": old["active"], "to": next_one, "epoch": old["epoch"]}
    return None


def _pool(view: ClusterJson, name: str) -> ClusterPoolJson | None:
    return next((pool for pool in view["pools"] if pool["pool"] == name), None)


def _wait(source: _Daemon | _Database, order: HandOverJson) -> None:
    """Wait until the node has taken over.

    Raises:
        CommandFailed: it has not (exit status 1).
    """
    until = _now() + HAND_OVER_WITHIN
    now = order["active"]
    while _now() < until:
        time.sleep(_LOOK_EVERY)
        try:
            pool = _pool(source.read(), order["pool"])
        except CommandFailed:
            continue  # the daemon that we ask is the one that changes its role
        if pool is not None:
            now = pool["active"]
            if now == order["to"] and pool["epoch"] > order["epoch"]:
                return
    raise CommandFailed(
        1,
        f"{order['to']} has not taken pool {order['pool']} over within {HAND_OVER_WITHIN:.0f} s; "
        f"{now or 'no node'} is active: see `callrouter cluster`",
    )


# ---------------------------------------------------------------- the daemon, or the database


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


class _Database:
    """The cluster as its tables say, while no daemon of this configuration runs."""

    def __init__(self, own: ClusterPlace, address: Address) -> None:
        from callrouter.cluster.lease_link import LeaseLink  # noqa: PLC0415 - psycopg takes its time

        self._own = own
        self._link = LeaseLink(address)

    def read(self) -> ClusterJson:
        from callrouter.api.forwarding.pool_views import cluster_json  # noqa: PLC0415

        return cluster_json(self._own.name, self._own.pool, self._pools(), active=False)

    def hand_over(self, pool: str | None, to: str | None) -> HandOverJson:
        from callrouter.api.forwarding.pool_views import (  # noqa: PLC0415
            HandOverError,
            chosen,
            find_pool,
        )
        from callrouter.cluster.lease_queries import ask_to_hand_over  # noqa: PLC0415

        try:
            found = find_pool(self._pools(), pool or self._own.pool)
            node = chosen(found, to or "")
        except HandOverError as error:
            raise CommandFailed(1 if error.status == 409 else 2, str(error)) from error
        self._ask(lambda: ask_to_hand_over(self._link, found.name, node))
        active = found.active.name if found.active is not None else None
        return {"pool": found.name, "active": active, "to": node, "epoch": found.epoch}

    def _pools(self) -> Sequence[ClusterPool]:
        from callrouter.cluster.pool_reader import read_pools  # noqa: PLC0415

        found: Sequence[ClusterPool] = self._ask(lambda: read_pools(self._link))
        return found

    def _ask(self, work: Any) -> Any:
        from callrouter.store.location import StoreError  # noqa: PLC0415

        try:
            return work()
        except StoreError as error:
            raise CommandFailed(
                3, f"the daemon does not run, and the database can't be asked: {error}"
            ) from error


def _source(context: click.Context) -> _Daemon | _Database:
    """Return what can be asked about the cluster.

    Raises:
        CommandFailed: this configuration belongs to no cluster, or nothing can be asked.
    """
    if asks_remote_daemon(context):
        return _Daemon(client_for(context))
    from callrouter.api import control_socket  # noqa: PLC0415 - only here

    folder = choose(global_options_of(context).config, os.environ)
    try:
        found = control_socket.find(folder, os.environ)
    except control_socket.ControlSocketError as error:
        raise CommandFailed(3, str(error)) from error
    if found is not None:
        return _Daemon(client_for(context))
    from callrouter.cli.commands.check import mistakes  # noqa: PLC0415 - only here
    from callrouter.settings import ConfigError  # noqa: PLC0415 - pydantic takes its time
    from callrouter.settings.cluster_place import read_cluster_place  # noqa: PLC0415
    from callrouter.store.location import Address, StoreError  # noqa: PLC0415
    from callrouter.store.location import choose as place_of  # noqa: PLC0415

    try:
        own = read_cluster_place(folder, os.environ)
    except ConfigError as error:
        raise mistakes(folder, error) from error
    if own is None:
        raise CommandFailed(
            2,
            f"the configuration in {folder} belongs to no cluster; give it one with `cluster:` in "
            "callrouter.yaml",
        )
    try:
        place = place_of(own.database, folder, os.environ)
    except StoreError as error:
        raise CommandFailed(2, str(error)) from error
    if not isinstance(place, Address):
        raise CommandFailed(2, "a cluster needs a database: postgresql://…")
    return _Database(own, place)
