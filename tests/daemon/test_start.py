"""What a start loads before callers are served: nothing that can come after."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATER = {
    *("aiohttp", "prometheus_client", "sqlalchemy", "alembic", "twilio", "psycopg", "requests"),
    *("click", "rich", "argon2"),
}


@pytest.mark.parametrize(
    "modules",
    ["callrouter.daemon.main, callrouter.pbx.asterisk.driver", "callrouter.settings"],
)
def test_what_is_not_loaded(modules: str) -> None:
    code = f"import sys, {modules}; print(*sorted({{n.partition('.')[0] for n in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert LATER & set(done.stdout.split()) == set()
