"""A user of this machine who wants root to write, read or give away something, and what is not theirs."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

USER = 4321
SECRET = "only root may read this"


class Place:
    """``outside`` is root's alone, ``theirs`` belongs to the user; ``etc`` is root's and open to read."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.outside, self.theirs, self.etc = base / "outside", base / "theirs", base / "etc"
        for folder, mode in ((self.outside, 0o700), (self.theirs, 0o755), (self.etc, 0o755)):
            folder.mkdir()
            folder.chmod(mode)
        os.chown(self.theirs, USER, USER)
        (self.outside / "passwd").write_text(SECRET)
        (self.outside / "passwd").chmod(0o600)
        (self.outside / "folder").mkdir(mode=0o755)
        (self.outside / "folder/inner.yaml").write_text(SECRET)
        self._before = self.outside_now()

    def outside_now(self) -> dict[str, tuple[int, int, int, str]]:
        """Everything that is root's alone: rights, owner, content."""
        found = {}
        for path in [self.outside, *sorted(self.outside.rglob("*"))]:
            status = path.lstat()
            said = path.read_text() if stat.S_ISREG(status.st_mode) else ""
            found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, said)
        return found

    def untouched(self) -> None:
        """Nothing of root's was changed, and no file that the user can read says what it says."""
        assert self.outside_now() == self._before
        for path in self.theirs.rglob("*"):
            status = path.lstat()
            small = status.st_size < 1_000_000 and status.st_nlink == 1
            read_by_them = status.st_uid == USER or status.st_mode & stat.S_IROTH
            if stat.S_ISREG(status.st_mode) and small and read_by_them:
                assert SECRET not in path.read_text(errors="replace"), path


def start(act: Callable[[], None]) -> int:
    """Do something as the user, in a process of their own; gives its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)
        act()
        status = 0
    finally:
        os._exit(status)


def do(act: Callable[[], None]) -> None:
    """Do something as the user."""
    _, status = os.waitpid(start(act), 0)
    assert status == 0


@contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Something that the user does over and over, as quickly as they can."""

    def over_and_over() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with suppress(OSError):
                act()

    child = start(over_and_over)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
