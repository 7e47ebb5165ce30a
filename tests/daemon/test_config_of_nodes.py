"""Routers that take their configuration from one database: each by itself, whatever another lacks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.config_source.pool_house import AGENTS, QUEUES
from tests.daemon.process import NO_ASTERISK, Place, started, until
from tests.store.server import PostgresServer, running_server

SITE = (
    f"pbx: {{office: {{driver: asterisk, port: {NO_ASTERISK}, username: c, secret: not-real}}}}\n"
)
TOKEN = "http: {api_tokens: [{name: crm, role: supervisor, token: '${CRM_TOKEN}'}]}\n"


server = pytest.fixture(scope="module")(running_server)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cr-") as made:
        yield Path(made)


class Node(Place):
    """A router with a file of its own."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        (folder / name).mkdir()
        super().__init__(folder / name)
        for path in self.config.glob("*.yaml"):
            path.unlink()
        self.write(
            "callrouter",
            f'database: "{url}"\nconfig: database\nhttp: {{listen: "127.0.0.1:{self.port}"}}\n'
            f"cluster: {{name: {name}, url: 'http://127.0.0.1:{self.port}'}}\n",
        )

    def push(self, work: Path, **files: str) -> None:
        work.mkdir(exist_ok=True)
        for name, text in files.items():
            (work / f"{name}.yaml").write_text(text)
        done = self.call("config", "push", str(work), "--yes")
        assert done.returncode == 0, done


def digests(url: str) -> set[str]:
    """The digests that the nodes tell, all of a configuration from the database."""
    with psycopg.connect(url) as link:
        text = "SELECT config_digest, config_source FROM callrouter_cluster.nodes"
        found = link.execute(text).fetchall()
    assert {source for digest, source in found if digest} <= {"database"}
    return {digest for digest, _ in found}


def test_all_take_up_what_one_stores_and_one_that_cannot_says_so(
    server: PostgresServer, folder: Path
) -> None:
    url = server.database()
    north, south = Node(folder, "north-1", url), Node(folder, "north-2", url)
    refused = north.call("run")
    assert refused.returncode == 2
    assert "pool main has no configuration in" in refused.stderr
    work = folder / "work"
    north.push(work, site=SITE, agents=AGENTS, queues=QUEUES)
    secret = {"CRM_TOKEN": "0123456789abcdef-of-all"}
    with started(north, env=secret) as one, started(south) as two:
        north.push(work, queues=QUEUES.replace("wait}", "wait, ring_for: 25s}"))
        begun = time.monotonic()
        for daemon in (one, two):
            daemon.wait_for("support: ring_for 20s -> 25s")
        assert time.monotonic() - begun < 20, "within 2 s, on a machine with nothing else to do"
        until(lambda: len(digests(url)) == 1 and "" not in digests(url))
        north.push(work, site=SITE + TOKEN)
        one.wait_for("api token crm added")
        two.wait_for("site.yaml:2:")
        two.wait_for("the configuration in the database has 1 mistake; what was in force stays")
        north.push(work, agents=AGENTS + "  dora: {devices: {desk: PJSIP/1004}}\n")
        one.wait_for("dora")
        assert two.process.poll() is None
        until(lambda: len(digests(url)) == 2)
        north.push(work, site=SITE)
        two.wait_for("the configuration is good again")
        two.wait_for("dora")
        until(lambda: len(digests(url)) == 1)
        # Without the database both go on, and start again with what they had.
        server.stop()
        try:
            one.wait_for("newer configurations in the database cannot be read")
            assert two.stop() == 0
            refused = Node(folder, "north-3", url).call("run")
            assert refused.returncode == 3
            assert "the configuration cannot be read" in refused.stderr
            with started(south, ready="started with the last good configuration") as again:
                until(lambda: "3 agents" in again.log)
        finally:
            server.start()
        north.push(work, queues=QUEUES)
        one.wait_for("support: ring_for 25s -> 20s")
        assert one.stop() == 0
