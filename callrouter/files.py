"""Reading and writing files in folders where another user may put things in the way.

Commands such as `callrouter rollback` and `callrouter dialplan` are run by root and write into folders of
the daemon's or of Asterisk's user. Nothing that such a user does with names, links or folders there may
have root write, read or give away anything outside: a folder is held open by its descriptor, names are
plain names in it, links are followed only where root or the owner of all that follows has put them, a new
file is made under a name that cannot be foreseen, and rights and owners are set on descriptors.

For a process that is not root's, the rights of its user are the limit, and links are followed as usual.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final, Self

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_LINKS: Final = 40
"""Symbolic links on one way, as in path_resolution(7)."""
_NAME_MOST: Final = 255


class UnsafeError(OSError):
    """What is asked for would be done where another user decides what it does."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(errno.EPERM, why, path)


def is_plain(name: str) -> bool:
    """Whether a name is that of something in a folder, and does not lead out of it."""
    return (
        0 < len(os.fsencode(name)) <= _NAME_MOST
        and name not in {".", ".."}
        and not set(name) & {"/", "\0"}
    )


class Folder:
    """A folder that is held open: it stays the same one whatever its name is made to lead to."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._fd = descriptor
        self.path = path
        """Its name when it was opened, for messages."""

    @classmethod
    def open(cls, path: Path, *, make: int | None = None) -> Self:
        """Open the folder at `path`.

        Args:
            path: where it is.
            make: the rights with which folders on the way are made that are not there; None: none is.
                As root they get the owner of the folder they are made in.

        Raises:
            UnsafeError: as root, there is something on the way that another user can turn elsewhere.
            OSError: it is not there, or no folder.
        """
        if os.geteuid() != 0:
            if make is not None:
                for place in reversed(
                    [path, *path.parents]
                ):  # `parents=True` would not use the mode
                    if not place.exists():
                        place.mkdir(mode=make, exist_ok=True)
            return cls(os.open(path, _FOLDER & ~os.O_NOFOLLOW), path)
        return cls(_walk(path, make), path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    @property
    def owner(self) -> tuple[int, int]:
        """Its user and group."""
        status = os.fstat(self._fd)
        return status.st_uid, status.st_gid

    def chmod(self, mode: int) -> None:
        """Set its rights."""
        os.fchmod(self._fd, mode)

    def chmod_of(self, name: str, mode: int) -> None:
        """Set the rights of a file in it, no link.

        The file is not opened: to close it would end locks that SQLite has on it (fcntl_locking(2)).

        Raises:
            UnsafeError: as root, it is not the folder's owner's.
            OSError: it is no file, or not ours.
        """
        held = os.open(self._plain(name), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        with _closing(held):
            status = os.fstat(held)
            shown = str(self.path / name)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "is not a file", shown)
            if self.owner[0] not in {0, status.st_uid}:
                raise UnsafeError(shown, "is another user's")
            Path(f"/proc/self/fd/{held}").chmod(mode)

    # ------------------------------------------------------------ looking

    def names(self) -> list[str]:
        """What is in it, sorted."""
        with os.scandir(self._fd) as found:
            return sorted(item.name for item in found)

    def status(self, name: str) -> os.stat_result:
        """What stands under a name, a link not followed."""
        return os.stat(self._plain(name), dir_fd=self._fd, follow_symlinks=False)

    def read(self, name: str, most: int) -> bytes:
        """What a file in it says.

        Raises:
            UnsafeError: as root, the file is a further name of one that is not the folder's owner's.
            OSError: it is not there, a link, no file, or has more than `most` bytes.
        """
        return self.read_with_status(name, most)[0]

    def read_with_status(self, name: str, most: int) -> tuple[bytes, os.stat_result]:
        """What a file says, and its owner and rights; raises like `read`."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        with _named(self.path / name):
            descriptor = os.open(self._plain(name), flags, dir_fd=self._fd)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            shown = str(self.path / name)
            if not stat.S_ISREG(status.st_mode):  # a pipe would hang us
                raise OSError(errno.EINVAL, "is not a file", shown)
            owner = self.owner[0]
            if os.geteuid() == 0 and status.st_nlink > 1 and owner not in {0, status.st_uid}:
                raise UnsafeError(shown, "is a file of another user's by a second name")
            content = file.read(most + 1)
        if len(content) > most:
            raise OSError(errno.EFBIG, f"is larger than {most} bytes", shown)
        return content, status

    # ------------------------------------------------------------ writing

    def write(
        self, name: str, content: bytes, mode: int, owner: tuple[int, int] | None = None
    ) -> None:
        """Put a file in its place in one step, with its rights before it has its name.

        Args:
            name: its name; what stands there, a link too, is replaced.
            content: what it shall say.
            mode: its rights.
            owner: as root, whose it is to be; None: the folder's owner's.

        Raises:
            OSError: it can't be written; what was there is there still.
        """
        self._plain(name)
        part = f".{name[:100]}.{secrets.token_hex(8)}"
        descriptor = self.create(part)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                if os.geteuid() == 0:
                    os.fchown(descriptor, *(owner or self.owner))
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            os.rename(part, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except BaseException:
            with suppress(OSError):
                self.remove(part)
            raise

    def create(self, name: str, mode: int = 0o600) -> int:
        """A new, empty file; gives its descriptor, for writing.

        Raises:
            FileExistsError: there is something of that name, be it a link that leads nowhere.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with _named(self.path / name):
            return os.open(self._plain(name), flags, mode, dir_fd=self._fd)

    def remove(self, name: str) -> None:
        """Take a file or a link away."""
        os.unlink(self._plain(name), dir_fd=self._fd)

    def folder(self, name: str, *, make: int | None = None) -> Folder:
        """A folder in it, no link; made with these rights, and as root with our owner, if need be."""
        self._plain(name)
        return Folder(_enter(self._fd, name, make, self.path), self.path / name)

    def remove_folder(self, name: str) -> None:
        """Take an empty folder away."""
        os.rmdir(self._plain(name), dir_fd=self._fd)

    def _plain(self, name: str) -> str:
        if not is_plain(name):
            raise UnsafeError(f"{self.path}/{name}", "is not a plain name")
        return name


@contextmanager
def located(path: Path) -> Iterator[tuple[Folder, str]]:
    """The folder in which a file is, and its name there, after all links that may be followed.

    Raises:
        UnsafeError: as root, a link on the way is one that another user can turn elsewhere.
        OSError: the folder is not there.
    """
    if os.geteuid() != 0:
        path = path.resolve()
        with Folder.open(path.parent) as folder:
            yield folder, path.name
        return
    owner = 0
    for _ in range(_LINKS):
        with Folder.open(path.parent) as folder:
            here = folder.owner[0]
            _no_step(owner, here, path)
            try:
                status = folder.status(path.name)
            except FileNotFoundError:
                status = None
            if status is None or not stat.S_ISLNK(status.st_mode):
                yield folder, path.name
                return
            owner = here or status.st_uid
            path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def read(path: Path, most: int) -> tuple[bytes, os.stat_result]:
    """What a file says, and its owner and rights; raises like `located` and `Folder.read`."""
    with located(path) as (folder, name):
        return folder.read_with_status(name, most)


def write(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Put a file in its place; a link stays one, and what it leads to is replaced.

    Raises like `located` and `Folder.write`.
    """
    with located(path) as (folder, name):
        folder.write(name, content, mode, owner)


def read_file(path: Path, most: int) -> bytes | None:
    """The first `most` bytes of a file, links followed; None: it is none, but a pipe, a device or a folder.

    A pipe would hang us, were it not opened without waiting.

    Raises:
        OSError: it is not there, or not to be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most)


# ---------------------------------------------------------------- the way to a folder, for root


def _walk(path: Path, make: int | None) -> int:
    """A descriptor of the folder at `path`, with no step from a user's folder to another user's."""
    todo = list(reversed(path.absolute().parts[1:]))
    links = 0
    here = os.open("/", _FOLDER)
    try:
        owner = os.fstat(here).st_uid
        while todo:
            there = _look(here, todo.pop(), make, path)
            with _closing(there):
                status = os.fstat(there)
                _no_step(owner, status.st_uid, path)
                owner = status.st_uid
                if stat.S_ISLNK(status.st_mode):
                    target = PurePosixPath(os.readlink("", dir_fd=there))
                    links += 1
                    _check_link(target, owner, links, path)
                    following = os.open("/" if target.is_absolute() else ".", _FOLDER, dir_fd=here)
                    todo += reversed([part for part in target.parts if part != "/"])
                else:
                    following = os.open(".", _FOLDER, dir_fd=there)
            os.close(here)
            here = following
    except BaseException:
        os.close(here)
        raise
    return here


def _no_step(owner: int, inner: int, path: Path) -> None:
    """Refuse what lies in a folder of a user's, not root's, and is another user's."""
    if owner not in {0, inner}:
        raise UnsafeError(str(path), f"leads out of a folder of user {owner}'s")


def _check_link(target: PurePosixPath, owner: int, links: int, path: Path) -> None:
    if links > _LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if target.is_absolute() and owner != 0:
        raise UnsafeError(str(path), f"is a link of user {owner}'s")


def _look(folder: int, name: str, make: int | None, path: Path) -> int:
    """A descriptor of what stands under a name, a link as such; a folder is made if wanted."""
    try:
        with _named(path):
            return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        if make is None:
            raise
    return _enter(folder, name, make, path)


def _enter(folder: int, name: str, make: int | None, path: Path) -> int:
    """A descriptor of a folder in a folder, no link; made if it is not there and `make` is given."""
    made = False
    with _named(path):
        if make is not None:
            with suppress(FileExistsError):
                os.mkdir(name, make, dir_fd=folder)
                made = True
        descriptor = os.open(name, _FOLDER, dir_fd=folder)
    try:
        if os.geteuid() == 0:
            status, above = os.fstat(descriptor), os.fstat(folder)
            # Empty, or it is another folder of root's that was moved to this name.
            if made and status.st_uid == 0 and not _any_in(descriptor):
                os.fchown(descriptor, above.st_uid, above.st_gid)
            else:
                _no_step(above.st_uid, status.st_uid, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Have an error name the whole path, and not only the last part of it."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def _any_in(folder: int) -> bool:
    with os.scandir(folder) as found:
        return next(found, None) is not None


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)
