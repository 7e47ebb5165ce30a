from __future__ import annotations

import pytest

from tests.store.server import running_server

server = pytest.fixture(scope="session")(running_server)
