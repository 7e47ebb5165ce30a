from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.process import Place


@pytest.fixture
def place() -> Iterator[Place]:
    # Not tmp_path: its name may be too long for a Unix socket.
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield Place(Path(folder))
