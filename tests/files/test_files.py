"""Root reads and writes nothing where another user decides what that is."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from callrouter.files import Folder, UnsafeError, is_plain, read, write
from tests.files.hostile import USER, Place, do, meanwhile

TIMES = 300


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a.yaml", True), (".a", True), ("..a", True), ("é" * 127, True), ("a" * 255, True),
        ("", False), (".", False), ("..", False), ("a/b", False), ("/a", False), ("../a", False), ("a\0", False),
        ("a" * 256, False), ("é" * 128, False),
    ],
)  # fmt: skip
def test_plain_names(name: str, plain: bool) -> None:
    assert is_plain(name) is plain


@pytest.mark.parametrize("name", ["../outside/x", "..", ".", "", "/etc/x", "a/b"])
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    with Folder.open(tmp_path) as folder:
        for ask in (
            folder.remove,
            folder.create,
            folder.status,
            folder.folder,
            folder.remove_folder,
        ):
            with pytest.raises(UnsafeError):
                ask(name)
        with pytest.raises(UnsafeError):
            folder.read(name, 1)
        with pytest.raises(UnsafeError):
            folder.write(name, b"", 0o600)


def test_a_user_of_their_own_may_follow_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link/a", b"1", 0o640)
    assert (tmp_path / "real/a").read_bytes() == b"1"
    assert stat.S_IMODE((tmp_path / "real/a").stat().st_mode) == 0o640
    (tmp_path / "b").symlink_to("real/a")
    write(tmp_path / "b", b"2", 0o600)
    assert (tmp_path / "b").is_symlink()
    assert read(tmp_path / "b", 10)[0] == b"2"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "link", "real"]


def test_links_of_roots_are_followed(place: Place) -> None:
    (place.etc / "real").mkdir()
    (place.etc / "there").symlink_to(place.etc / "real")
    (place.etc / "b").symlink_to("there/b")
    write(place.etc / "there/a", b"1", 0o600)
    write(place.etc / "b", b"2", 0o600)
    assert (place.etc / "real/a").read_bytes() == b"1"
    assert (place.etc / "real/b").read_bytes() == b"2"
    (place.etc / "theirs").symlink_to(place.theirs)
    write(place.etc / "theirs/c", b"3", 0o600)
    assert (place.theirs / "c").stat().st_uid == USER


def test_links_of_theirs_lead_nowhere(place: Place) -> None:
    def links() -> None:
        (place.theirs / "folder").symlink_to(place.outside / "folder")
        (place.theirs / "up").symlink_to("../outside/folder")
        (place.theirs / "own").mkdir()
        (place.theirs / "inner").symlink_to("own")
        (place.theirs / "a").symlink_to(place.outside / "passwd")
        (place.theirs / "b").symlink_to("../outside/passwd")
        (place.theirs / "loop").symlink_to("loop")

    do(links)
    for way in ("folder/x", "up/x", "folder/inner.yaml", "a", "b", "loop", "loop/x"):
        with pytest.raises(OSError, match=r"leads out|is a link|Too many"):
            write(place.theirs / way, b"x", 0o644)
        with pytest.raises(OSError, match=r"leads out|is a link|Too many"):
            read(place.theirs / way, 1_000)
        with pytest.raises(OSError, match=r"leads out|is a link|Too many|Not a directory|No such"):
            Folder.open(place.theirs / way / "new", make=0o755)
    write(place.theirs / "inner/x", b"x", 0o644)
    assert (place.theirs / "own/x").stat().st_uid == USER
    place.untouched()


def test_further_names_pipes_and_giants(place: Place) -> None:
    os.link(place.outside / "passwd", place.theirs / "hard")  # where the kernel lets users do that
    do(lambda: os.mkfifo(place.theirs / "pipe"))
    (place.theirs / "giant").touch()
    os.truncate(place.theirs / "giant", 1 << 40)
    with Folder.open(place.theirs) as folder:
        with pytest.raises(UnsafeError):
            folder.read("hard", 1_000)
        with pytest.raises(OSError, match="is not a file"):
            folder.read("pipe", 1_000)
        with pytest.raises(OSError, match="larger than"):
            folder.read("giant", 1_000)
        folder.write("pipe", b"x", 0o600)
        folder.write("hard", b"x", 0o644)
    (place.outside / "passwd").chmod(0o600)
    place.untouched()


def test_a_folder_made_for_them_is_theirs(place: Place) -> None:
    with Folder.open(place.theirs / "a/b", make=0o750) as folder:
        folder.write("c", b"", 0o640)
    for path in ("a", "a/b", "a/b/c"):
        assert (place.theirs / path).stat().st_uid == USER
    assert stat.S_IMODE((place.theirs / "a/b").stat().st_mode) == 0o750


def test_a_name_that_is_in_use_is_not_created(place: Place) -> None:
    """Neither a file nor a link, wherever it leads: what is created is new."""
    do((place.theirs / "file").touch)
    do(lambda: (place.theirs / "dangling").symlink_to(place.outside / "new"))
    do(lambda: (place.theirs / "link").symlink_to(place.outside / "passwd"))
    with Folder.open(place.theirs) as folder:
        for name in ("file", "dangling", "link"):
            with pytest.raises(FileExistsError):
                folder.create(name)
    assert not (place.outside / "new").exists()
    place.untouched()


def test_part_files_that_are_replaced(place: Place) -> None:
    """What is written gets another file's place, link or folder while it is being written."""

    def replace() -> None:
        for name in os.listdir(place.theirs):
            if name.startswith(".target"):
                os.symlink(place.outside / "passwd", place.theirs / "link")
                os.rename(place.theirs / "link", place.theirs / name)

    with meanwhile(replace), Folder.open(place.theirs) as folder:
        for n in range(TIMES):
            with suppress(OSError):
                folder.write("target", b"%d" % n * 10_000, 0o644)
    place.untouched()


def test_a_part_file_that_is_replaced_at_the_worst_moment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right before its owner is set: that of what was written is set, not of what has its name."""
    asked = os.geteuid

    def replace() -> None:
        for name in os.listdir(place.theirs):
            if name.startswith(".target"):
                os.symlink(place.outside / "passwd", place.theirs / "link")
                os.rename(place.theirs / "link", place.theirs / name)

    def replaced() -> int:
        do(replace)
        return asked()

    with Folder.open(place.theirs) as folder:
        monkeypatch.setattr(os, "geteuid", replaced)
        folder.write("target", b"x", 0o644)
        monkeypatch.undo()
    assert (place.theirs / "target").is_symlink(), "it was replaced in time"
    place.untouched()


def test_a_folder_that_is_replaced(place: Place) -> None:
    """A folder of theirs and a link to one of root's take turns under one name."""

    def take_turns() -> None:
        for make in (os.mkdir, lambda path: os.symlink(place.outside / "folder", path)):
            make(place.theirs / "next")
            os.rename(place.theirs / "next", place.theirs / "now")
            with suppress(OSError):
                os.rename(place.theirs / "now", place.theirs / f"old{os.urandom(8).hex()}")

    written = refused = 0
    with meanwhile(take_turns):
        for n in range(TIMES * 6):
            try:
                if n % 3 == 0:
                    write(place.theirs / "now/inner.yaml", b"x", 0o644)
                elif n % 3 == 1:
                    Folder.open(place.theirs / "now/a", make=0o777).close()
                else:
                    assert read(place.theirs / "now/inner.yaml", 100)[0] == b"x"
                written += 1
            except OSError:
                refused += 1
    assert written
    assert refused
    place.untouched()
