"""Runs of the router, recorded as the events it took and when, and played again.

`python -m tests.replay.runs FILE` plays a recorded run through a new core and prints a digest of the
commands: the test does so in processes of their own, where names hash differently.
"""

from __future__ import annotations

import hashlib
import pickle
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path

from callrouter.core.router import Router
from callrouter.model.events import Event
from callrouter.model.notices import Output
from callrouter.model.routing_table import Table


@dataclass
class Run:
    """What a core was made of, and all that it was told."""

    table: Table
    rng: int
    run_id: str
    began: float
    events: list[tuple[float, Event]] = field(default_factory=list)

    def router(self) -> Router:
        return Router(self.table, rng=random.Random(self.rng), run_id=self.run_id, now=self.began)


def played(run: Run) -> Iterable[Output]:
    """The commands that a new core gives on a run's events."""
    router = run.router()
    for now, event in run.events:
        yield from router.handle(event, now)


def digest(commands: Iterable[Output]) -> tuple[int, str]:
    """How many commands, and a digest that does not depend on how names hash."""
    count, made = 0, hashlib.sha256()
    for count, command in enumerate(commands, 1):  # noqa: B007
        made.update(plain(command).encode())
    return count, made.hexdigest()


def plain(value: object) -> str:
    if isinstance(value, frozenset | set):
        return "{" + ",".join(sorted(map(plain, value))) + "}"
    if isinstance(value, tuple | list):
        return "(" + ",".join(map(plain, value)) + ")"
    if is_dataclass(value):
        inner = ",".join(f"{one.name}={plain(getattr(value, one.name))}" for one in fields(value))
        return f"{type(value).__name__}({inner})"
    return repr(value)


if __name__ == "__main__":
    recorded: Run = pickle.loads(Path(sys.argv[1]).read_bytes())
    sys.stdout.write(repr(digest(played(recorded))))
