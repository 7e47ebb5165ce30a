"""What a start does not load: optional packages, and those that are rarely needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

RARE = {"alembic", "twilio", "psycopg", "requests", "click", "rich", "matplotlib"}
HTTP_AND_DATABASE = {"aiohttp", "prometheus_client", "sqlalchemy", "argon2"}


@pytest.mark.parametrize(
    ("modules", "missing"),
    [
        ("callrouter.daemon.main, callrouter.pbx.asterisk.driver", RARE),
        ("callrouter.settings", RARE | HTTP_AND_DATABASE),  # for the commands
    ],
)
def test_what_is_not_loaded(modules: str, missing: set[str]) -> None:
    code = f"import sys, {modules}; print(*sorted({{n.partition('.')[0] for n in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert missing & set(done.stdout.split()) == set()
