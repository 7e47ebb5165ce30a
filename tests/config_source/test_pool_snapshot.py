"""What of a folder's files goes into the database, and what is each router's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.config_source.pool_snapshot import of_folder
from callrouter.store.location import StoreError

MIXED = """\
# Of this router
database: "postgresql://h/d"   # where
cluster: {name: north-1}
config: files

# The telephone systems
pbx:
  office: {driver: simulated}
http:
  listen: 0.0.0.0:8080   # here
  public_url: https://calls.example.com
timezone: Europe/London
"""


def texts(folder: Path) -> dict[str, str]:
    snapshot = of_folder(folder)
    assert {name: file.content for name, file in snapshot.files.items()} == snapshot.contents
    return {name: (content or b"").decode() for name, content in snapshot.contents.items()}


def test_what_is_each_routers_own_is_left_out_and_comments_stay(tmp_path: Path) -> None:
    (tmp_path / "callrouter.yaml").write_text(MIXED)
    (tmp_path / "queues.yaml").write_text("queues: {}  # none yet\n")
    found = texts(tmp_path)
    assert sorted(found) == ["queues.yaml", "site.yaml"]
    assert found["queues.yaml"] == "queues: {}  # none yet\n"
    site = found["site.yaml"]
    for gone in ("database:", "cluster:", "config:", "listen:"):
        assert gone not in site, site
    for kept in ("# The telephone systems", "office: {driver: simulated}",
                 "  public_url: https://calls.example.com", "timezone: Europe/London"):  # fmt: skip
        assert kept in site, site


def test_a_file_of_the_router_alone_is_not_stored(tmp_path: Path) -> None:
    own = "database: postgresql://h/d\nconfig: database\nhttp: {listen: '0.0.0.0:80'}\n"
    (tmp_path / "callrouter.yaml").write_text(own)
    (tmp_path / "site.yaml").write_text("timezone: UTC\n")
    assert texts(tmp_path) == {"site.yaml": "timezone: UTC\n"}


def test_two_files_cannot_become_the_same(tmp_path: Path) -> None:
    (tmp_path / "callrouter.yaml").write_text(MIXED)
    (tmp_path / "site.yaml").write_text("timezone: UTC\n")
    with pytest.raises(StoreError, match=r"would be site\.yaml in the database, .* move these"):
        of_folder(tmp_path)


def test_a_file_that_is_no_yaml_stays_for_the_loader_to_report(tmp_path: Path) -> None:
    (tmp_path / "queues.yaml").write_text("queues: {")
    (tmp_path / "agents.yaml").write_bytes(b"\xff")
    found = of_folder(tmp_path)
    assert found.contents == {"agents.yaml": b"\xff", "queues.yaml": b"queues: {"}
