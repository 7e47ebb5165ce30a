"""The control socket: a Unix socket that the daemon and the command line find in the same place.

Imports neither aiohttp nor the configuration, so that `callrouter status` starts quickly.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import hashlib
import itertools
import os
import pwd
import socket
import stat
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SYSTEM_FOLDER: Final = Path("/run/callrouter")
TMP: Final = Path("/tmp")  # noqa: S108 - whose a folder in it is, is looked at
_LOOKED_AT: Final = 100_000
"""Number of names in it that are examined."""
CONNECT_WITHIN: Final = 2.0
"""Seconds for a daemon to accept a connection."""
_LONGEST: Final = 107  # struct sockaddr_un of unix(7) has 108 bytes including the terminator


class ControlSocketError(Exception):
    """The socket cannot be used; `str()` says why and what to do."""


class AlreadyRunning(ControlSocketError):  # noqa: N818 - named for what happened
    """A daemon for this configuration is already running.

    Args:
        pid: its process id; 0: not known.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(f"the daemon for this configuration is already running (pid {pid})")
        self.pid = pid


def socket_name(folder: Path) -> str:
    """Return the socket's name for a configuration folder.

    It is the same however the path is written.
    """
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()
    return f"{digest[:16]}.sock"


def candidates(folder: Path, environ: Mapping[str, str]) -> list[Path]:
    """Return the possible paths of the socket, best first.

    A daemon under systemd has ``RUNTIME_DIRECTORY`` and the shell of its operator does not, so a
    client tries all of them.
    """
    if explicit := environ.get("CALLROUTER_SOCKET"):
        return [Path(explicit)]
    folders = []
    if runtime := environ.get("RUNTIME_DIRECTORY"):
        folders.append(Path(runtime.split(":")[0]))
    if own := environ.get("XDG_RUNTIME_DIR"):
        folders.append(Path(own) / "callrouter")
    folders += [SYSTEM_FOLDER, _of_user(), *_stand_ins()]
    name = socket_name(folder)
    return [place / name for place in dict.fromkeys(folders)]


def socket_path(folder: Path, environ: Mapping[str, str]) -> Path:
    """Return the path at which a daemon started now creates its socket.

    Args:
        folder: the configuration folder.
        environ: the environment; ``CALLROUTER_SOCKET`` decides if it is set.

    Returns:
        The first usable one of `candidates`. If another user has taken all of ours, a path in a new
        folder, which `candidates` finds as well.
    """
    places = candidates(folder, environ)
    for place in places:
        usable = (
            _writable(SYSTEM_FOLDER) if place.parent == SYSTEM_FOLDER else not _taken(place.parent)
        )
        if usable or "CALLROUTER_SOCKET" in environ:
            return place
    return Path(tempfile.mkdtemp(prefix=f"{_of_user().name}-", dir=TMP)) / places[0].name


def _of_user() -> Path:
    return TMP / f"callrouter-{os.getuid()}"


def _stand_ins() -> list[Path]:
    """Return our own alternatives to `_of_user`, which another user may have created before us.

    Looks at `_LOOKED_AT` names of the folder at most. Empty if it cannot be read.
    """
    start = f"{_of_user().name}-"
    try:
        with os.scandir(TMP) as entries:
            names = [entry.name for entry in itertools.islice(entries, _LOOKED_AT)]
    except OSError:
        return []
    places = [TMP / name for name in sorted(names) if name.startswith(start)]
    return [place for place in places if not _taken(place)]


def _taken(folder: Path) -> bool:
    """Return whether a name in the shared temporary folder is occupied by others or no folder.

    Only folders directly in ``/tmp`` can be taken; False for all others, and for names that are
    free.
    """
    if folder.parent != TMP:
        return False
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    return status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode)


def _writable(folder: Path) -> bool:
    return os.access(folder if folder.exists() else folder.parent, os.W_OK | os.X_OK)


# ---------------------------------------------------------------- client side


def find(folder: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the socket of a daemon running for this configuration, or None.

    Raises:
        ControlSocketError: there is one, and it belongs to another user.
    """
    denied: Path | None = None
    for place in candidates(folder, environ):
        try:
            if _is_trusted(place.parent) and peer(place) is not None:
                return place
        except PermissionError:
            denied = denied or place
    if denied is not None:
        raise ControlSocketError(f"not allowed to use {denied}: {_who_may(denied)}")
    return None


def _who_may(place: Path) -> str:
    """Say, as far as can be seen, who may use a socket that we may not, and what to do."""
    elsewhere = "or ask over HTTP, with --url and a token"
    with contextlib.suppress(OSError, KeyError):
        status = place.parent.stat()
        users = dict.fromkeys(("root", pwd.getpwuid(status.st_uid).pw_name))
        if status.st_mode & stat.S_IXGRP:
            group = grp.getgrgid(status.st_gid).gr_name
            return (
                f"only {', '.join(users)} and the members of group {group} may; have yourself put into it "
                f"(usermod -aG {group} NAME, then log in again), {elsewhere}"
            )
        return (
            f"only {' and '.join(users)} may, unless the configuration names a group (socket: group); "
            f"run this as one of them, {elsewhere}"
        )
    return f"run this as root or as the user the daemon runs as, {elsewhere}"


def _is_trusted(folder: Path) -> bool:
    """Return whether only a trusted user can have created a socket in `folder`.

    In a parent folder where all users may create folders (``/tmp``), the owner must be us or root.
    """
    try:
        status = folder.lstat()
        everyones = folder.parent.stat().st_mode & stat.S_IWOTH
    except FileNotFoundError:
        return False
    return not everyones or (stat.S_ISDIR(status.st_mode) and status.st_uid in {0, os.getuid()})


def peer(path: Path) -> int | None:
    """Return the process id of the listener at `path`; None: no process listens there.

    Raises:
        PermissionError: a process may listen there, but we have no access.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_WITHIN)
        try:
            probe.connect(os.fspath(path))
        except PermissionError:
            raise
        except TimeoutError:
            pass  # too busy or suspended to accept a connection, but it is there
        except OSError:
            return None
        with contextlib.suppress(OSError):
            raw = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("3i", raw)[0])
    return 0


def peer_user(path: Path) -> int | None:
    """Return the id of the user who listens at `path`; None: no process does.

    None as well if we may not connect, or if the listener does not accept within `CONNECT_WITHIN`
    seconds.
    """
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.settimeout(CONNECT_WITHIN)
        probe.connect(os.fspath(path))
        raw = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int(struct.unpack("3i", raw)[1])
    return None


# ---------------------------------------------------------------- daemon side


@dataclass(slots=True)
class ControlSocket:
    """The listening socket of this daemon, and the lock that excludes a second one.

    Attributes:
        path: where the socket is.
        listener: it listens already and does not block.
        lock: file descriptor of the lock file beside the socket.
        aliases: symbolic links to the socket, made by `also_for`.
        own_folder: whether its folder is ours, so that its permissions may be changed.
    """

    path: Path
    listener: socket.socket
    lock: int
    aliases: list[Path] = field(default_factory=list)
    own_folder: bool = True
    note: str = ""
    """A remark about its location; empty: none."""

    def open_to(self, gid: int) -> None:
        """Let the members of a group connect, in addition to our own user and root.

        A folder chosen by a person (``CALLROUTER_SOCKET``) keeps its permissions.

        Raises:
            OSError: we are not in that group.
        """
        if self.own_folder:
            _give(self.path.parent, gid)
            self.path.parent.chmod(0o710)
        _give(self.path, gid)
        self.path.chmod(0o660)

    def also_for(self, folder: Path) -> None:
        """Make the socket reachable for the folder our symbolic link now points to as well.

        A failure is ignored: the socket still works under its first name. A name that another
        daemon uses is left alone.

        Args:
            folder: the configuration folder as it is now. Clients derive the name of the socket
                from it.
        """
        alias = self.path.with_name(socket_name(folder))
        if alias == self.path or alias in self.aliases:
            return
        with contextlib.suppress(OSError):
            if alias.is_symlink() or peer(alias) is None:  # free, or left by a dead daemon
                alias.unlink(missing_ok=True)
                alias.symlink_to(self.path.name)
                self.aliases.append(alias)

    def release(self) -> None:
        """Remove the socket and its lock.

        Files that are gone already are skipped.

        Raises:
            OSError: it was released before.
        """
        for path in (*self.aliases, self.path, self.path.with_suffix(".lock")):
            with contextlib.suppress(OSError):
                path.unlink()
        self.listener.close()
        os.close(self.lock)


def claim(folder: Path, environ: Mapping[str, str]) -> ControlSocket:
    """Become the daemon of this configuration.

    Raises:
        AlreadyRunning: another one is running.
        ControlSocketError: the socket cannot be created there.
    """
    for place in candidates(folder, environ):
        with contextlib.suppress(PermissionError):
            if _is_trusted(place.parent) and (pid := peer(place)) is not None:
                raise AlreadyRunning(pid)
    path = socket_path(folder, environ)
    if len(os.fsencode(path)) > _LONGEST:
        raise ControlSocketError(
            f"the name of the control socket is too long: {path}; set CALLROUTER_SOCKET to a "
            f"name of {_LONGEST} bytes at most"
        )
    _make_folder(path.parent, mine="CALLROUTER_SOCKET" not in environ)
    try:
        lock = _lock(path)
    except OSError as error:
        raise _cannot(path, error) from error
    try:
        mine = "CALLROUTER_SOCKET" not in environ
        return ControlSocket(path, _listen(path), lock, own_folder=mine, note=_note(path))
    except OSError as error:
        os.close(lock)
        raise _cannot(path, error) from error


def _note(path: Path) -> str:
    usual = _of_user()
    if path.parent.parent != TMP or path.parent == usual:
        return ""
    return (
        f"{usual} is another user's, or no folder; the control socket is in {path.parent} instead"
    )


def _cannot(path: Path, error: OSError) -> ControlSocketError:
    return ControlSocketError(
        f"cannot make the control socket {path} ({error.strerror or error}); "
        "set CALLROUTER_SOCKET to another place"
    )


def _give(path: Path, gid: int) -> None:
    """Change the group of a file.

    Skipped if it is already right: our systemd unit forbids chown.
    """
    if path.stat().st_gid != gid:
        os.chown(path, -1, gid)


def _make_folder(folder: Path, *, mine: bool) -> None:
    """Create the folder with access for us only; an existing one must be ours.

    A folder chosen by a person (`mine` False) keeps its permissions.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if status.st_uid not in ({os.getuid()} if mine else {0, os.getuid()}):
            raise ControlSocketError(
                f"the folder {folder} belongs to another user; set CALLROUTER_SOCKET to another place"
            )
        if not stat.S_ISDIR(status.st_mode):
            raise ControlSocketError(
                f"{folder} is not a folder; set CALLROUTER_SOCKET to another place"
            )
        if mine and status.st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise _cannot(folder, error) from error


def _lock(path: Path) -> int:
    """Hold the lock beside the socket until the process ends.

    Returns:
        The file descriptor of the lock file, in which our process id is written.

    Raises:
        AlreadyRunning: another process holds the lock. Its pid is 0 if the file does not tell it.
        OSError: the file cannot be created, or it is a symbolic link.
    """
    place = path.with_suffix(".lock")
    while True:
        lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(lock, 20, 0).strip()
            os.close(lock)
            raise AlreadyRunning(int(pid) if pid.isdigit() else 0) from None
        # The previous holder may have deleted the file between our open and our lock. A lock on a
        # deleted file excludes no other process, so compare the two files.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), place.stat()):
                break
        os.close(lock)
    os.ftruncate(lock, 0)
    os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    return lock


def _listen(path: Path) -> socket.socket:
    """Listen at `path`.

    A socket file found there is left over from a dead daemon, since we hold the lock.
    """
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
        listener.listen(64)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener
