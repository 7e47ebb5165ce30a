"""`python -m tests.cluster_chaos`: break routers, links, clocks and the database for half an hour, by seed."""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys

from callrouter.lab import Install, find_asterisk
from tests.cluster_chaos.cluster_faults import ALL
from tests.cluster_chaos.cluster_run import cluster_chaos, new_network
from tests.cluster_chaos.network import why_not


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster_chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", action="append", default=[], choices=sorted(ALL))
    parser.add_argument("--routers", type=int, default=3, choices=(1, 2, 3))
    parser.add_argument("--agents", type=int, default=4, help="at each Asterisk")
    asked = parser.parse_args()
    problem = why_not()
    if problem:
        sys.stderr.write(f"The cluster cannot be tried here: {problem}\n")
        return 2
    install = asyncio.run(_asterisk())  # before the network is another one: it may be fetched
    network = new_network()

    async def run() -> list[str]:
        task = asyncio.current_task()
        assert task is not None
        # As Ctrl-C does: everything is ended and removed on the way out.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        _, bad = await cluster_chaos(
            install,
            network,
            asked.seconds,
            asked.seed,
            only=asked.only,
            routers=asked.routers,
            agents=asked.agents,
            keep=f"/tmp/callrouter-cluster-chaos-{asked.seed}.log",
        )
        return bad

    try:
        return 1 if asyncio.run(run()) else 0
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("\ninterrupted; all is removed\n")
        return 130
    finally:
        network.close()


async def _asterisk() -> Install:
    return await find_asterisk(print)


if __name__ == "__main__":
    raise SystemExit(main())
