"""`doctor`'s findings about which routers serve an Asterisk, and whether it can keep old ones off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.diagnostics.dialplan_checks import WRITE_IT
from callrouter.pbx.asterisk.diagnostics.inspection import InspectedAsterisk
from callrouter.pbx.interface import Finding

_BEATS = 1.3
"""Seconds. A router that is in step updates its tick every second."""
_SAME_START = 5.0
"""Seconds by which two readings of a router's start time may differ."""


async def check_routers(
    asterisk: InspectedAsterisk, ours: contract.RouterRun | None, *, cluster: bool
) -> AsyncIterator[Finding]:
    """Check which routers serve this Asterisk. Each updates the tick every second.

    Args:
        asterisk: the Asterisk.
        ours: the run of the router with this configuration; None if it is not running.
        cluster: whether this configuration belongs to a cluster, whose other routers may serve it.
    """
    epoch = await asterisk.variable(contract.EPOCH)
    if cluster:
        yield await _fence(asterisk, epoch)
    before = await asterisk.variable(contract.TICK)
    await asyncio.sleep(_BEATS)
    now = await asterisk.variable(contract.TICK)
    if before == now:
        if epoch and not cluster:
            yield Finding(
                None,
                f"Asterisk still obeys a router of a cluster (epoch {epoch}), and none is running",
                "a router without `cluster:` clears that when it starts",
            )
        return  # no router, or one that is not running any more
    for tick in {before, now}:
        found = contract.run_of_tick(tick)
        if found is not None and (ours is None or not _same_run(found, ours)):
            yield _other(found, epoch, cluster=cluster)
            return
    yield Finding(True, "the router of this configuration serves it")


async def _fence(asterisk: InspectedAsterisk, epoch: str) -> Finding:
    if await asterisk.variable(contract.EPOCH_EXISTS) != "1":
        return Finding(
            False,
            "the dialplan knows no epochs, so Asterisk cannot stop late orders of a router that was "
            "replaced",
            WRITE_IT,
        )
    return Finding(True, f"obeys the router of epoch {epoch}" if epoch else "obeys no router yet")


def _other(found: contract.RouterRun, epoch: str, *, cluster: bool) -> Finding:
    pid, since = found.pid, datetime.fromtimestamp(found.started_at, UTC)
    which = f"(process {pid} on its machine, running since {since:%d %b %H:%M} UTC)"
    if cluster and epoch:
        return Finding(True, f"another router of the cluster {which} serves it")
    if epoch:
        return Finding(
            False,
            f"a router of a cluster {which} serves this Asterisk, which stops the orders of others",
            "give this router the same `cluster:` and `database:`, or stop the others",
        )
    return Finding(
        False,
        f"another router {which} serves this Asterisk",
        "two would ring phones for the same callers: stop one of them",
    )


def _same_run(one: contract.RouterRun, other: contract.RouterRun) -> bool:
    return one.pid == other.pid and abs(one.started_at - other.started_at) <= _SAME_START
