from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.process import Daemon, Place, started

SCENE = {
    "calls": [
        ["c1", "support", "+442079460018", "[bold red]evil[/] \x1b[31m\u202eana"],
        ["c2", "support", "", ""],
        ["c3", "desk", "1234", "Internal"],
    ]
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    """The place of the daemon that a module's tests ask; those that change it put it back."""
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield Place(Path(folder))


@pytest.fixture(scope="module")
def running(shared: Place) -> Iterator[Daemon]:
    """A daemon with two callers waiting in support, and one ringing at the front desk."""
    with started(shared, SCENE) as daemon:
        daemon.wait_for("call c3 entered")
        yield daemon


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Where the running daemon is, if the test has one; else a place of its own."""
    if "running" in request.fixturenames:
        found: Place = request.getfixturevalue("shared")
        yield found
        return
    # Not tmp_path: its name may be too long for a Unix socket.
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield Place(Path(folder))
