"""Reads and writes files in directories that another user controls.

Commands such as `callrouter rollback` and `callrouter dialplan` run as root and write into
directories of the daemon's or Asterisk's user. Whatever such a user does there with names, links or
directories must not make root read, write or give away anything outside. Therefore:

- a directory is held open by its descriptor, and names are plain names in it;
- links are followed only if root or the owner of everything below has made them;
- a new file is created under an unpredictable name;
- permissions and owners are set on descriptors.

A process that is not root is limited by its user's permissions, and follows links as usual.
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
"""Most symbolic links followed on one path, as in path_resolution(7)."""
_NAME_MOST: Final = 255
_RENAME_EXCHANGE: Final = 2  # linux/fs.h


class UnsafeError(OSError):
    """The operation would take effect in a place that another user controls."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(errno.EPERM, why, path)


class FileChangedError(OSError):
    """A file is not as it was when it was read."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.ESTALE, "has changed in the meantime", path)


def is_plain(name: str) -> bool:
    """Whether a name is that of a directory entry and does not lead out of the directory.

    Empty names, ``.`` and ``..`` are refused, and so are names with a slash or a zero byte, or of
    more than 255 bytes.
    """
    return (
        0 < len(os.fsencode(name)) <= _NAME_MOST
        and name not in {".", ".."}
        and not set(name) & {"/", "\0"}
    )


class Folder:
    """A directory held open. It stays the same one even if its name is redirected."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._fd = descriptor
        self.path = path
        """Its path when it was opened, for messages."""

    @classmethod
    def open(cls, path: Path, *, make: int | None = None) -> Self:
        """Open the directory at `path`.

        Args:
            path: where it is.
            make: mode of missing directories on the way, which are then created; None: none is created.
                As root, they get the owner of the directory they are created in.

        Raises:
            UnsafeError: as root, something on the way can be redirected by another user.
            OSError: it is missing, or not a directory.
        """
        if os.geteuid() != 0:
            if make is not None:
                # `parents=True` would ignore the mode.
                for place in reversed([path, *path.parents]):
                    if not place.exists():
                        place.mkdir(mode=make, exist_ok=True)
            return cls(os.open(path, _FOLDER & ~os.O_NOFOLLOW), path)
        return cls(_walk(path, make), path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor.

        At most once: a second call raises OSError, or closes a descriptor that another file has got
        since. Better use the folder in a `with` block.
        """
        os.close(self._fd)

    @property
    def owner(self) -> tuple[int, int]:
        """Its user and group id."""
        status = os.fstat(self._fd)
        return status.st_uid, status.st_gid

    def chmod(self, mode: int) -> None:
        """Set its permissions.

        The directory is reached by its descriptor, so no link can redirect this.

        Raises:
            OSError: it belongs to another user.
        """
        os.fchmod(self._fd, mode)

    def chmod_of(self, name: str, mode: int) -> None:
        """Set the permissions of a file in it. Links are not followed.

        The file is not opened, because closing it would release locks that SQLite holds on it
        (fcntl_locking(2)).

        Raises:
            UnsafeError: it is not a plain name; or, as root, the file does not belong to the
                directory's owner, who is not root.
            OSError: it is not a regular file, or belongs to another user.
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
        """The names in it, sorted.

        Files, links and directories, without ``.`` and ``..``.
        """
        with os.scandir(self._fd) as found:
            return sorted(item.name for item in found)

    def status(self, name: str) -> os.stat_result:
        """The status of a name. Links are not followed.

        Raises:
            UnsafeError: it is not a plain name.
            OSError: there is no such name.
        """
        return os.stat(self._plain(name), dir_fd=self._fd, follow_symlinks=False)

    def read(self, name: str, most: int) -> bytes:
        """The content of a file in it.

        Raises:
            UnsafeError: see `read_with_status`.
            OSError: see `read_with_status`.
        """
        return self.read_with_status(name, most)[0]

    def read_with_status(self, name: str, most: int) -> tuple[bytes, os.stat_result]:
        """The content of a file and its status.

        Raises:
            UnsafeError: it is not a plain name; or, as root, the file is a hard link to one that
                the directory's owner does not own.
            OSError: it is missing, a link, not a regular file, or larger than `most` bytes.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        with _named(self.path / name):
            descriptor = os.open(self._plain(name), flags, dir_fd=self._fd)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            shown = str(self.path / name)
            if not stat.S_ISREG(status.st_mode):  # a pipe would block
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
        """Write a file atomically. It has its permissions before it has its name.

        Args:
            name: its name. A file or link of this name is replaced.
            content: its content.
            mode: its permissions.
            owner: as root, its user and group; None: those of the directory.

        Raises:
            UnsafeError: it is not a plain name.
            OSError: it can't be written. An earlier file is unchanged.
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

    def replace(
        self,
        name: str,
        content: bytes,
        mode: int,
        owner: tuple[int, int] | None,
        expected: bytes | None,
    ) -> None:
        """Write a file atomically, but only if it still has the content that is expected.

        The two files are exchanged, and the earlier one is looked at when no program finds it by
        its name any more. Where the file system cannot do that, it is looked at just before.
        Args like `write`; `expected` is the content, None if there is no file of this name.

        Raises:
            FileChangedError: it has another content, or is there or is gone; it is as it was.
            OSError: see `write`.
        """
        part = f".{self._plain(name)[:100]}.{secrets.token_hex(8)}"
        self.write(part, content, mode, owner)
        try:
            if expected is None:
                os.link(part, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
                return
            self._expect(name, name, expected)
            if not _exchange(self._fd, part, name):
                os.rename(part, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
                return
            try:
                self._expect(part, name, expected)
            except FileChangedError:
                _exchange(self._fd, part, name)
                raise
        except FileExistsError as error:
            raise FileChangedError(str(self.path / name)) from error
        finally:
            with suppress(OSError):
                self.remove(part)

    def _expect(self, name: str, shown: str, expected: bytes) -> None:
        with suppress(OSError):  # it is gone, has grown, or is no file any more
            if self.read(name, len(expected)) == expected:
                return
        raise FileChangedError(str(self.path / shown))

    def create(self, name: str, mode: int = 0o600) -> int:
        """Create an empty file. Returns its descriptor, for writing.

        Raises:
            UnsafeError: it is not a plain name.
            FileExistsError: the name is in use, even if only by a dangling link.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with _named(self.path / name):
            return os.open(self._plain(name), flags, mode, dir_fd=self._fd)

    def remove(self, name: str) -> None:
        """Remove a file or a link.

        Raises:
            UnsafeError: it is not a plain name.
            OSError: it is missing, a directory, or may not be removed.
        """
        os.unlink(self._plain(name), dir_fd=self._fd)

    def folder(self, name: str, *, make: int | None = None) -> Folder:
        """A directory in it, not a link. With `make` it is created with that mode if it is missing.

        As root, a new directory gets the owner of this one.

        Raises:
            UnsafeError: it is not a plain name; or, as root, it belongs to another user than this
                directory, which is not root's.
            OSError: it is missing, or is not a directory.
        """
        self._plain(name)
        return Folder(_enter(self._fd, name, make, self.path), self.path / name)

    def remove_folder(self, name: str) -> None:
        """Remove an empty directory.

        Raises:
            UnsafeError: it is not a plain name.
            OSError: it is missing, not empty, a link, or no directory.
        """
        os.rmdir(self._plain(name), dir_fd=self._fd)

    def _plain(self, name: str) -> str:
        if not is_plain(name):
            raise UnsafeError(f"{self.path}/{name}", "is not a plain name")
        return name


@contextmanager
def located(path: Path) -> Iterator[tuple[Folder, str]]:
    """The directory of a file and its name there, after following all links that may be followed.

    Raises:
        UnsafeError: as root, a link on the way can be redirected by another user.
        OSError: the directory is missing.
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
    """The content of a file and its status. Raises like `located` and `Folder.read`."""
    with located(path) as (folder, name):
        return folder.read_with_status(name, most)


def write(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Write a file atomically. A link is kept, and its target is replaced.

    Raises like `located` and `Folder.write`.
    """
    with located(path) as (folder, name):
        folder.write(name, content, mode, owner)


def read_file(path: Path, most: int) -> bytes | None:
    """The first `most` bytes of a file, following links; None if it is not a regular file.

    It is opened in non-blocking mode, because a pipe would otherwise block.

    Raises:
        OSError: it is missing, or can't be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most)


# ---------------------------------------------------------------- the way to a folder, for root


def _walk(path: Path, make: int | None) -> int:
    """A descriptor of the directory at `path`, with no step from one user's directory to another's.

    The path is walked name by name from the root, with the current directory held open. Each name
    is opened without following a link, and checked by its descriptor. So what was checked is what
    is used, even if another user renames or replaces directories in the meantime.
    """
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
    """Refuse what belongs to another user but lies in a directory of a user who is not root."""
    if owner not in {0, inner}:
        raise UnsafeError(str(path), f"leads out of a folder of user {owner}'s")


def _check_link(target: PurePosixPath, owner: int, links: int, path: Path) -> None:
    if links > _LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if target.is_absolute() and owner != 0:
        raise UnsafeError(str(path), f"is a link of user {owner}'s")


def _look(folder: int, name: str, make: int | None, path: Path) -> int:
    """A descriptor of a name, which may be a link. Creates a directory if `make` is set."""
    try:
        with _named(path):
            return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        if make is None:
            raise
    return _enter(folder, name, make, path)


def _enter(folder: int, name: str, make: int | None, path: Path) -> int:
    """A descriptor of a directory in a directory, not a link. Creates it if `make` is set."""
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
            # It must be empty. Otherwise another of root's directories was moved to this name.
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
    """Make an error report the whole path and not only its last part."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def _exchange(folder: int, one: str, other: str) -> bool:
    """Exchange two names of a folder (renameat2(2)); False: the system or the disk cannot."""
    import ctypes  # noqa: PLC0415 - rarely needed

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if rename(folder, os.fsencode(one), folder, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    if (number := ctypes.get_errno()) not in {errno.ENOSYS, errno.EINVAL}:
        raise OSError(number, os.strerror(number), other)
    return False


def _any_in(folder: int) -> bool:
    with os.scandir(folder) as found:
        return next(found, None) is not None


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)
