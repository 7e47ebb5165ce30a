"""Two daemons as processes: one dies, stands still, is stopped or hands over, and the other serves."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psycopg
import pytest

from callrouter.cluster.lease_link import LeaseLink
from callrouter.cluster.lease_queries import ask_to_hand_over
from callrouter.store.location import Address
from tests.cluster.pair import FAILOVER, TAKEN, Node, pair, seconds_until
from tests.daemon.process import until
from tests.store.server import PostgresServer

pytestmark = pytest.mark.timeout(180)  # they start processes and a database


def states(node: Node) -> dict[str, tuple[str, str]]:
    return {row["id"]: (row["state"], str(row["reason"])) for row in node.ask("agents")}


def calls(node: Node) -> list[str]:
    return [row["id"] for row in node.ask("calls")]


def sign_in(node: Node, agent: str, reason: str = "") -> None:
    node.ask(f"agents/{agent}/sign-in", {})
    if reason:
        node.ask(f"agents/{agent}/pause", {"reason": reason})


def test_followed(tmp_path: Path, server: PostgresServer) -> None:
    """Each time the other serves, with the agents' states and the line as they were."""
    url = server.database()
    line = [["c1", "support"], ["c2", "support"], ["c3", "support"]]
    with pair(tmp_path, url, {"found": line}) as (north, south):
        assert north.daemon is not None
        assert south.daemon is not None
        for agent, reason in (("alice", "lunch"), ("bob", "training")):
            sign_in(north, agent, reason)
        before, waiting = states(north), calls(north)
        assert sorted(waiting) == ["c1", "c2", "c3"]
        time.sleep(0.3)  # what a killed router can lose: 50 ms

        # Stands still: the other serves, and the first steps down when it goes on.
        north.daemon.signal(signal.SIGSTOP)
        took = seconds_until(south.daemon, "in step")
        assert took < FAILOVER
        assert "(epoch 2): north has not renewed its lease" in south.log
        assert states(south) == before
        assert calls(south) == waiting
        north.daemon.signal(signal.SIGCONT)
        north.daemon.wait_for("north steps down (its epoch was 1)")
        north.daemon.wait_for("south is active (epoch 2)")

        # Handed over: the first serves again, in the same process.
        link = LeaseLink(Address(url))
        assert ask_to_hand_over(link, "main", "north")
        south.daemon.wait_for("south hands pool main over to north")
        gone = seconds_until(north.daemon, "in step", count=2)
        assert gone < 3.0
        assert "(epoch 3): south has given it back" in north.log
        assert states(north) == before
        assert calls(north) == waiting
        south.daemon.wait_for("north is active (epoch 3)")

        # Killed.
        north.daemon.signal(signal.SIGKILL)
        assert seconds_until(south.daemon, "in step", count=2) < FAILOVER
        assert "(epoch 4): north has not renewed its lease" in south.log
        assert states(south) == before

        # Stopped: it gives the lease back, and the other has it at once.
        with north.run() as again:
            again.wait_for("south is active (epoch 4)")
            south.daemon.signal(signal.SIGTERM)
            assert seconds_until(again, "in step") < 3.0
            assert "(epoch 5): south has given it back" in again.log
            assert south.daemon.wait() == 0
            assert states(north) == before
            link.close()


def test_fenced_store(tmp_path: Path, server: PostgresServer) -> None:
    """Also if its process does not know yet: the database does."""
    url = server.database()
    with pair(tmp_path, url) as (north, _south):
        assert north.daemon is not None
        with psycopg.connect(url, autocommit=True) as link:
            link.execute("UPDATE callrouter_cluster.pools SET epoch = epoch + 1, holder_run = 'x'")
            sign_in(north, "alice")
            north.daemon.wait_for("north steps down")
            rows = link.execute("SELECT count(*) FROM agents WHERE agent = 'alice'").fetchone()
            assert rows == (0,)
        until(lambda: "nothing more is written" in north.log or "has taken the pool" in north.log)


def test_no_database(tmp_path: Path) -> None:
    server = PostgresServer()
    try:
        server.start()
        url = server.database()
        with pair(tmp_path, url) as (north, south):
            assert north.daemon is not None
            assert south.daemon is not None
            server.stop()
            north.daemon.wait_for("the lease cannot be renewed, and calls go on")
            south.daemon.wait_for("this standby cannot take over")
            time.sleep(4.0)
            sign_in(north, "alice")
            status = north.ask("status")["cluster"]
            assert (status["role"], status["state"], status["lease_s"]) == ("active", "bad", 0.0)
            server.start()
            north.daemon.wait_for("the lease is looked after again")
            until(lambda: north.ask("status")["cluster"]["state"] == "good")
            time.sleep(1.0)
            assert TAKEN not in south.log
            assert "steps down" not in north.log
    finally:
        server.close()
