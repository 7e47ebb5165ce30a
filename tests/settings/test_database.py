"""The address of the database: taken, or refused with what would be right and without its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.settings.cases import loaded, told

GOOD = (
    "callrouter.db",
    "/var/lib/callrouter/states.db",
    "postgresql://u:hunter@localhost/d",
    "postgresql:///d",
    "postgresql://u@/d?host=/run/postgresql",
    "postgresql://u:hun%40ter@[::1]:5433/d?sslmode=verify-full",
    "postgresql://u:hunter@one:5432,two:5433/d?target_session_attrs=read-write&sslmode=verify-full",
    "postgresql:///?service=callrouter",
)
BAD = (
    ("postgres://u:hunter@h/d", "postgresql://…"),
    ("mysql://u:hunter@h/d", "postgresql://…"),
    ("postgresql+psycopg://u:hunter@h/d", "postgresql://…"),
    ("postgresql://u:hunter@h", "names no database"),
    ("postgresql://u:hunter@h/d/e", "has a /"),
    ("postgresql://u:hun@ter@h/d", "%40"),
    ("postgresql://u:hun:ter@h/d", "%3A"),
    ("postgresql://u:hun/ter@h/d", "%2F"),
    ("postgresql://u:hun ter@h/d", "%XX"),
    ("postgresql://u:hun#ter@h/d", "%23"),
    ("postgresql://u:hunter%zz@h/d", "%XX"),
    ("postgresql://u:hunter@h:0/d", "1 to 65535"),
    ("postgresql://u:hunter@h:port/d", "1 to 65535"),
    ("postgresql://u:hunter@h_?!/d", "no database"),
    ("postgresql://u:hunter@h;x/d", "can't be read"),
    ("postgresql://u:hunter@h/d?sslmod=require", "did you mean 'sslmode'?"),
    ("postgresql://u:hunter@h/d?sslmode=verify_full", "did you mean 'verify-full'?"),
    ("postgresql://u:hunter@h/d?sslmode=hunter", "one of disable"),
    ("postgresql://u:hunter@h/d?user=a&user=b", "appears twice"),
)


@pytest.mark.parametrize("url", GOOD)
def test_taken(tmp_path: Path, url: str) -> None:
    settings = loaded(tmp_path, rest=f"database: {url!r}\n")
    assert settings.database == url
    assert not [item for item in settings.warnings if "database server" in item.text]


@pytest.mark.parametrize(("url", "right"), BAD)
def test_refused(tmp_path: Path, url: str, right: str) -> None:
    found = " ".join(told(tmp_path, rest=f"database: {url!r}\n"))
    assert right in found
    assert "hun" not in found.replace("unknown sslmode 'hunter'", "")


@pytest.mark.parametrize("mode", ["", "?sslmode=require"])
def test_a_server_elsewhere_that_proves_nothing(tmp_path: Path, mode: str) -> None:
    settings = loaded(tmp_path, rest=f"database: 'postgresql://u:hunter@db.example/d{mode}'\n")
    (warning,) = [item for item in settings.warnings if "prove" in item.text]
    assert "verify-full" in str(warning)
    assert "hunter" not in str(warning)
