"""Two daemons of one pool, as processes, in front of one PostgreSQL."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.daemon.process import Daemon, Place, started

NAMES = ("north", "south")
TAKEN = "takes pool main over"
STANDBY = "is a standby of pool main"
FAILOVER = 5.0
"""Seconds within which a standby serves, when the active router dies."""


class Node:
    """One of the two."""

    def __init__(self, folder: Path, name: str, url: str, scene: Mapping[str, Any]) -> None:
        folder.mkdir()
        self.name = name
        self.place = Place(folder)
        text = (self.place.config / "callrouter.yaml").read_text()
        cluster = f"cluster: {{name: {name}, pool: main}}\n"
        self.place.write("callrouter", f"{text}database: '{url}'\n{cluster}")
        self.scene = scene
        self.daemon: Daemon | None = None

    @contextmanager
    def run(self) -> Iterator[Daemon]:
        with started(self.place, self.scene) as daemon:
            self.daemon = daemon
            yield daemon

    @property
    def log(self) -> str:
        assert self.daemon is not None
        return self.daemon.log

    def ask(self, path: str, body: object = None) -> Any:
        """Ask over HTTP, with the token of the configuration."""
        request = Request(
            f"http://127.0.0.1:{self.place.port}/api/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Bearer 0123456789abcdef",
                "Content-Type": "application/json",
            },
        )
        with urlopen(request, timeout=20) as answer:
            return json.load(answer)


@contextmanager
def pair(
    folder: Path, url: str, scene: Mapping[str, Any] | None = None
) -> Iterator[tuple[Node, Node]]:
    """The first is active and the second a standby."""
    first, second = (Node(folder / name[0], name, url, scene or {}) for name in NAMES)
    with ExitStack() as running:
        running.enter_context(first.run()).wait_for("in step")
        daemon = running.enter_context(second.run())
        daemon.wait_for("north is active")
        yield first, second


def seconds_until(daemon: Daemon, text: str, count: int = 1, within: float = 30.0) -> float:
    """How long it takes until the log has `text` so many times."""
    begin = time.monotonic()
    while daemon.log.count(text) < count:
        assert time.monotonic() - begin < within, daemon.log
        assert daemon.process.poll() is None, daemon.log
        time.sleep(0.01)
    return time.monotonic() - begin
