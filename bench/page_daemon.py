"""The daemon of `bench.pageload`: `callrouter run` with a telephone system in memory that is busy.

    python -m bench.page_daemon FOLDER CALLS-A-SECOND REPORT

At its end it writes into the file REPORT how much of the processor the loop used for each message to pages, in seconds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import cast

from callrouter.api.changes import ChangeFeed
from callrouter.daemon.main import run
from callrouter.model.routing_table import Table
from callrouter.pbx.interface import Authority, DeviceBoard, Pbx, Post
from callrouter.pbx.simulated import SimulatedPbx, Spread, Traffic
from callrouter.settings import PbxSettings, SimulatedSettings

ANSWER = Spread(median=2.0, sigma=0.3, least=0.5)
TALK = Spread(median=9.0, sigma=0.4, least=3.0, most=60.0)


def traffic(calls: float, queues: int) -> Traffic:
    """Calls for every queue, that nearly all agents take at once."""
    return Traffic(
        otherwise=calls * 60.0 / queues, answer=ANSWER, talk=TALK, misses=0.01, refusals=0.01
    )


def main(folder: Path, calls: float, report: Path) -> int:
    """Run until told to stop; returns the exit status."""
    took: list[float] = []
    flush = ChangeFeed._flush

    def timed(feed: ChangeFeed) -> None:
        began = time.thread_time()
        flush(feed)
        took.append(time.thread_time() - began)

    ChangeFeed._flush = timed  # type: ignore[method-assign, assignment]

    def make(
        settings: PbxSettings, post: Post, table: Table, run_id: str, _: DeviceBoard, __: Authority
    ) -> Pbx:
        busy = traffic(calls, len(table.queues))
        own = cast("SimulatedSettings", settings)
        return SimulatedPbx(own.id, own, post=post, table=table, run_id=run_id, traffic=busy)

    status = run(folder, os.environ, make=make)
    report.write_text(json.dumps(took), "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])))
