from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.daemon.conftest import place as place  # noqa: PLC0414 - a fixture
from tests.daemon.process import Daemon, Place, started

SCENE = {
    "calls": [
        ["c1", "support", "+442079460018", "[bold red]evil[/] \x1b[31m\u202eana"],
        ["c2", "support", "", ""],
        ["c3", "desk", "1234", "Internal"],
    ]
}


@pytest.fixture
def running(place: Place) -> Iterator[Daemon]:
    """A daemon with two callers waiting in support, and one ringing at the front desk."""
    with started(place, SCENE) as daemon:
        daemon.wait_for("call c3 entered")
        yield daemon
