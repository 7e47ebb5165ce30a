"""Two daemons on one SQLite file would write over each other's states: the second does not start."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from callrouter.store.file_lock import DatabaseLock
from callrouter.store.location import File, StoreError
from tests.daemon.process import Place, started


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cr-") as made:
        yield Path(made)


def a_place(folder: Path, name: str, database: Path) -> Place:
    (folder / name).mkdir()
    place = Place(folder / name)
    text = (place.config / "callrouter.yaml").read_text()
    place.write("callrouter", f"{text}database: {database}\n")
    return place


def test_the_second_does_not_start_while_the_first_runs(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "same").symlink_to(folder / "data")
    first = a_place(folder, "first", folder / "data" / "a.db")
    second = a_place(folder, "second", folder / "same" / "a.db")
    third = a_place(folder, "third", folder / "data" / "b.db")
    with started(first) as daemon:
        refused = second.call("run")
        assert refused.returncode == 2, refused
        assert (
            f"the database {folder}/data/a.db is used by another callrouter "
            f"(pid {daemon.process.pid}, for {first.config})"
        ) in refused.stderr
        assert "give each configuration a `database` of its own" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert first.call("status").returncode == 0, "the first is not disturbed"
        with started(third):
            pass
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        with started(second) as next_one:
            assert next_one.stop() == 0
    with started(first) as daemon:
        assert daemon.stop() == 0


def test_where_no_lock_can_be_made_the_store_says_what_is_wrong(tmp_path: Path) -> None:
    DatabaseLock(File(tmp_path / "nowhere" / "a.db"), "x").close()
    assert not (tmp_path / "nowhere").exists()


def test_the_lock_is_private_and_follows_no_link(tmp_path: Path) -> None:
    lock = DatabaseLock(File(tmp_path / "a.db"), "pid 1, for /x")
    with pytest.raises(StoreError, match=r"used by another callrouter \(pid 1, for /x\)"):
        DatabaseLock(File(tmp_path / "a.db"), "pid 2, for /y")
    assert (tmp_path / "a.db.lock").stat().st_mode & 0o777 == 0o600
    lock.close()
    DatabaseLock(File(tmp_path / "a.db"), "pid 2, for /y").close()
    (tmp_path / "b.db.lock").symlink_to(tmp_path / "elsewhere")
    DatabaseLock(File(tmp_path / "b.db"), "x").close()
    assert not (tmp_path / "elsewhere").exists()
