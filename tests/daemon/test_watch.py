"""A change is seen within 2 s whatever way it is written; a bad file changes nothing."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callrouter.config_source.config_sources import FolderSource
from callrouter.daemon.config_watch import EVERY, QUIET, ConfigWatch
from callrouter.settings.config_files import read_snapshot
from tests.daemon.process import AGENTS, Place, started
from tests.noise import noise


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cr-") as name:
        (Path(name) / "a.yaml").write_text("a: 1\n")
        yield Path(name)


def looks(watch: ConfigWatch, count: int = QUIET + 2) -> list[bool]:
    return [watch.changed() is not None for _ in range(count)]


def seen(watch: ConfigWatch) -> bool:
    """Whether there is a change, told once, and not in the moment it is written."""
    found = looks(watch)
    assert found in ([False] * QUIET + [True, False], [False] * (QUIET + 2))
    return any(found)


def test_within_two_seconds() -> None:
    assert EVERY * (QUIET + 1) <= 1.3


def test_nothing_is_no_change(folder: Path) -> None:
    watch = ConfigWatch(FolderSource(folder))
    assert not seen(watch)
    (folder / "a.yaml").touch()
    (folder / ".a.yaml.swp").write_text("x")
    (folder / "notes.txt").write_text("x")
    assert not seen(watch)


def test_what_has_changed_since_the_files_were_read(folder: Path) -> None:
    """A daemon reads the files at its start, and makes its watch a moment later."""
    known = read_snapshot(folder)
    assert not any(looks(ConfigWatch(FolderSource(folder), known)))
    (folder / "a.yaml").write_text("a: 22\n")
    watch = ConfigWatch(FolderSource(folder), known)
    found = [watch.changed() for _ in range(QUIET + 2)]
    [snapshot] = [each for each in found if each is not None]
    assert snapshot.contents == {"a.yaml": b"a: 22\n"}


def test_in_place(folder: Path) -> None:
    watch = ConfigWatch(FolderSource(folder))
    (folder / "a.yaml").write_text("a: 22\n")
    assert seen(watch)


def test_in_place_with_the_time_set_back(folder: Path) -> None:
    watch = ConfigWatch(FolderSource(folder))
    before = (folder / "a.yaml").stat()
    (folder / "a.yaml").write_text("a: 2\n")
    os.utime(folder / "a.yaml", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert seen(watch)


def test_renamed_over(folder: Path) -> None:
    watch = ConfigWatch(FolderSource(folder))
    (folder / "a.yaml~").write_text("a: 33\n")
    (folder / "a.yaml~").rename(folder / "a.yaml")
    assert seen(watch)


def test_half_written_then_completed(folder: Path) -> None:
    watch = ConfigWatch(FolderSource(folder))
    with (folder / "a.yaml").open("w") as file:
        for part in ("a: ", "4", "4"):
            file.write(part)
            file.flush()
            assert not any(looks(watch, QUIET))
    assert watch.changed()


def test_deleted_and_recreated(folder: Path) -> None:
    watch = ConfigWatch(FolderSource(folder))
    (folder / "a.yaml").unlink()
    assert not watch.changed()
    (folder / "a.yaml").write_text("a: 55\n")
    assert seen(watch)
    (folder / "a.yaml").unlink()
    assert seen(watch)
    (folder / "a.yaml").write_text("a: 55\n")
    assert seen(watch)


def test_a_link_to_another_file(folder: Path) -> None:
    (folder / "one").write_text("a: 1\n")
    (folder / "two").write_text("a: 2\n")
    (folder / "a.yaml").unlink()
    (folder / "a.yaml").symlink_to("one")
    watch = ConfigWatch(FolderSource(folder))
    (folder / "new").symlink_to("two")
    (folder / "new").rename(folder / "a.yaml")
    assert seen(watch)
    (folder / "two").write_text("a: 3\n")
    assert seen(watch)


@pytest.mark.parametrize("inside", [False, True])
def test_a_link_to_another_folder(folder: Path, inside: bool) -> None:
    """The folder itself is a link; or its files are, through one (as Kubernetes mounts them)."""
    for name in ("r1", "r2"):
        (folder / name).mkdir()
        (folder / name / "b.yaml").write_text(f"b: {name}\n")
    (folder / "now").symlink_to("r1")
    place = folder / "now"
    if inside:
        place = folder / "mount"
        place.mkdir()
        (place / "b.yaml").symlink_to("../now/b.yaml")
    watch = ConfigWatch(FolderSource(place))
    (folder / "next").symlink_to("r2")
    (folder / "next").rename(folder / "now")
    assert seen(watch)


def test_what_a_file_refers_to(folder: Path) -> None:
    (folder / "a.yaml").write_text("secret: ${file:secrets/ami}\n")
    watch = ConfigWatch(FolderSource(folder))
    (folder / "secrets").mkdir()
    (folder / "secrets/ami").write_text("one")
    assert seen(watch)
    (folder / "secrets/ami").write_text("two")
    assert seen(watch)
    (folder / "a.yaml").write_text("secret: ${file:other}\n")
    (folder / "other").write_text("1")
    assert seen(watch)
    (folder / "other").write_text("22")
    assert seen(watch)
    (folder / "secrets/ami").write_text("three")
    assert not seen(watch)


def test_a_pipe_does_not_hang_us(folder: Path) -> None:
    watch = ConfigWatch(FolderSource(folder))
    os.mkfifo(folder / "b.yaml")
    assert seen(watch)


def test_a_folder_that_goes_and_comes(folder: Path) -> None:
    watch = ConfigWatch(FolderSource(folder))
    away = folder.with_name(folder.name + "-away")
    folder.rename(away)
    assert seen(watch)
    away.rename(folder)
    assert seen(watch)


# ---------------------------------------------------------------- the daemon


def _in_place(path: Path, text: str) -> None:
    path.write_text(text)


def _renamed(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def _slowly(path: Path, text: str) -> None:
    with path.open("w") as file:
        for part in (text[:40], text[40:]):
            file.write(part)
            file.flush()
            time.sleep(0.3)


def _anew(path: Path, text: str) -> None:
    path.unlink()
    time.sleep(0.1)
    path.write_text(text)


@pytest.mark.parametrize("write", [_in_place, _renamed, _slowly, _anew])
def test_taken_up_within_two_seconds(place: Place, write: Callable[[Path, str], None]) -> None:
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        write(place.config / "agents.yaml", AGENTS.replace("Bob Jones", "Bob Smith"))
        began, still = time.monotonic(), noise()
        daemon.wait_for("configuration: bob: name Bob Jones -> Bob Smith")
        assert time.monotonic() - began < 2 + noise(still)
        assert "mistake" not in daemon.log


def test_a_folder_that_is_a_link_is_followed_and_still_found(place: Place) -> None:
    link = place.folder / "link"
    link.symlink_to("config")
    place.environ["CALLROUTER_CONFIG"] = str(link)
    other = place.folder / "other"
    other.mkdir()
    for path in place.config.glob("*.yaml"):
        (other / path.name).write_text(path.read_text().replace("Bob Jones", "Bob Smith"))
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        (place.folder / "next").symlink_to("other")
        (place.folder / "next").rename(link)
        daemon.wait_for("configuration: bob: name Bob Jones -> Bob Smith")
        assert place.call("status").returncode == 0
        daemon.stop()
    assert not list((place.folder / "run/callrouter").glob("*.sock"))


def test_a_secret_in_a_file_is_watched(place: Place) -> None:
    (place.config / "token").write_text("0123456789abcdef")
    place.replace("callrouter", "token: 0123456789abcdef", "token: '${file:token}'")
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        (place.config / "token").write_text("fedcba9876543210")
        daemon.wait_for("configuration: api token crm changed")
        (place.config / "token").unlink()
        daemon.wait_for("what was in force stays in force")
        assert "callrouter.yaml:5:" in daemon.log
        (place.config / "token").write_text("0123456789abcdef")
        daemon.wait_for("the configuration is good again")
