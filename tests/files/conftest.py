"""A place where a hostile user of this machine and root meet."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.files.hostile import Place


@pytest.fixture
def place() -> Iterator[Place]:
    if os.geteuid() != 0:
        pytest.skip("needs root, whose rights are what is at stake")
    base = Path(tempfile.mkdtemp(prefix="callrouter-test-", dir="/var/tmp"))
    base.chmod(0o755)
    yield Place(base)
    shutil.rmtree(base)
