"""Versions in the database: stored one after the other, by one at a time, and read as a history."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from callrouter.config_source import version_table
from callrouter.config_source.version_table import NoVersionError, OvertakenError, VersionTable
from callrouter.store.location import Address, StoreError
from tests.config_source.pool_house import (
    AGENTS,
    FILES,
    QUEUES,
    bootstrap,
    made_files,
    node,
    source,
    stored,
)


def ask(address: Address, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(address.url, autocommit=True) as link:
        link.execute(f"SET search_path TO {address.schema}".encode())
        cursor = link.execute(text.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_version_has_its_files_and_those_before(address: Address, tmp_path: Path) -> None:
    found = source(node(tmp_path, address))
    assert found.version() == 0
    first = stored(found, FILES, lines=("the first",))
    second = stored(found, {**FILES, "agents.yaml": AGENTS + "# more\n"}, who="kim")
    assert (first.number, second.number) == (1, 2)
    assert (first.before, second.before) == ({}, first.after)
    assert [(change.number, change.who) for change in found.history.changes()] == [
        (2, "kim"),
        (1, "sam"),
    ]
    assert found.history.changes() == [second, first]
    snapshot = found.snapshot()
    assert snapshot.contents["agents.yaml"] == (AGENTS + "# more\n").encode()
    assert snapshot.version == found.version() == 2
    assert snapshot.bootstrap == bootstrap(address).encode()
    assert snapshot.files["agents.yaml"].owner == "kim", "for the audit"
    before = found.history.snapshot(found.folder, second.before)
    assert before.contents["agents.yaml"] == AGENTS.encode()
    assert before.bootstrap == snapshot.bootstrap
    assert found.history.changed_at("agents.yaml") == second.at
    assert found.history.changed_at("queues.yaml") == first.at


def test_the_pools_of_a_database_have_versions_of_their_own(
    address: Address, tmp_path: Path
) -> None:
    stored(source(node(tmp_path, address)), FILES)
    other = source(node(tmp_path, replace(address, pool="elsewhere"), "south-1"))
    with pytest.raises(
        NoVersionError, match=r"pool elsewhere has no configuration .* yet; put one"
    ):
        other.snapshot()
    assert other.version() == 0
    assert not other.table.has_tables()


def test_only_one_of_two_is_stored_after_the_same_version(address: Address, tmp_path: Path) -> None:
    stored(source(node(tmp_path, address)), FILES)
    said: list[str] = []

    def save(who: str) -> None:
        found = source(tmp_path / "north-1")
        start.wait()
        try:
            stored(found, {**FILES, "agents.yaml": f"{AGENTS}# {who}\n"}, who=who, after=1)
            said.append(who)
        except OvertakenError as error:
            said.append(str(error))

    start = threading.Barrier(4)
    people = [threading.Thread(target=save, args=(who,)) for who in ("a", "b", "c", "d")]
    for person in people:
        person.start()
    for person in people:
        person.join(30)
    (winner,) = [word for word in said if len(word) == 1]
    assert sorted(said)[1:] == 3 * [f"version 2 was stored in the meantime, by {winner}"] or (
        sorted(said)[:1] + 3 * [f"version 2 was stored in the meantime, by {winner}"]
        == sorted(said)
    )
    found = source(tmp_path / "north-1")
    assert found.snapshot().contents["agents.yaml"] == f"{AGENTS}# {winner}\n".encode()


def test_old_versions_and_what_only_they_had_are_forgotten(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version_table, "KEPT", 3)
    found = source(node(tmp_path, address))
    for number in range(1, 7):
        stored(found, {**FILES, "agents.yaml": f"{AGENTS}# {number}\n"})
    assert [change.number for change in found.history.changes()] == [6, 5, 4]
    # Of agents.yaml those of 3 (before 4) to 6 are needed, and the two other files.
    assert ask(address, "SELECT count(*) FROM config_files") == [(6,)]
    oldest = found.history.changes()[-1]
    assert found.history.snapshot(found.folder, oldest.before).contents["agents.yaml"] == (
        f"{AGENTS}# 3\n".encode()
    )


def test_what_is_damaged_in_the_database_is_not_used(address: Address, tmp_path: Path) -> None:
    found = source(node(tmp_path, address))
    stored(found, FILES)
    digest = made_files(FILES)["queues.yaml"].digest
    ask(address, f"UPDATE config_files SET content = 'queues: {{}}' WHERE digest = '{digest}'")
    with pytest.raises(StoreError, match="is not what was put there"):
        found.snapshot()
    ask(address, f"DELETE FROM config_files WHERE digest = '{digest}'")
    with pytest.raises(StoreError, match=r"has lost the content of queues\.yaml"):
        found.snapshot()
    assert "has lost" not in found.trouble, "the database itself answers"
    ask(address, "UPDATE config_versions SET change = '{}'")
    with pytest.raises(StoreError, match=r"version 1 .* cannot be read") as refused:
        found.snapshot()
    assert not isinstance(refused.value, NoVersionError), "nothing is to be put in its place"
    with pytest.raises(StoreError, match=r"version 1 .* cannot be read"):
        stored(found, FILES)


def test_a_database_that_is_away_is_asked_again(address: Address) -> None:
    table = VersionTable(replace(address, url=address.url.replace("/d", "/nothing-")))
    for _ in range(2):
        with pytest.raises(StoreError, match="does not exist"):
            table.newest_number()
    table = VersionTable(address)
    assert table.newest_number() == 0
    name = address.url.partition("//")[2].partition("/")[2].partition("?")[0]
    with psycopg.connect(address.url.replace(f"/{name}", "/postgres"), autocommit=True) as link:
        link.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'callrouter configuration'"
        )
    with pytest.raises(StoreError, match="terminat"):
        table.newest_number()
    assert table.newest_number() == 0
    assert QUEUES in FILES.values()
