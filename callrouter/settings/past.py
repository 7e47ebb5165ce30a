"""The configurations that were in force before: who changed what and when, and the files as they were.

A folder for the owner alone, since files may have secrets in them:

    files/SHA256        what a file said, once however many changes it is part of
    changes/000017.json a change: when, who, how, in words, and which files before and after
    head.json           which files are in force
    rollback.json       what a rollback that is not taken up yet has put in place
    held.json           the files that have lost something and wait for a second sign, and what it is
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pwd
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from callrouter import files as safely
from callrouter.files import Folder

KEPT: Final = 200
"""Changes that are kept."""
FOLDER: Final = "history"
MOST: Final = 16 * 1024 * 1024
"""Bytes of a configuration file, and of what is kept about a change."""
MOST_FILES: Final = 1_000
"""Files of one configuration, in what is kept."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_RIGHTS: Final = 0o644
"""The rights that a file which is put back may have: only its owner may write to it."""
SYSTEM_STATE: Final = Path("/var/lib/callrouter")
"""Where systemd's ``StateDirectory=callrouter`` is."""


@dataclass(frozen=True, slots=True)
class File:
    """A configuration file: what it says, its rights, and the name of its owner."""

    content: bytes
    mode: int
    owner: str

    @property
    def digest(self) -> str:
        """The name under which the content is kept."""
        return hashlib.sha256(self.content).hexdigest()


Files: TypeAlias = Mapping[str, File]
Listing: TypeAlias = dict[str, tuple[str, int]]
"""The digest and the rights of each file, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that was applied. `how` is ``file``, ``reload``, ``start`` or ``rollback to before N``."""

    number: int
    at: float
    who: str
    how: str
    lines: tuple[str, ...]
    before: Listing
    after: Listing


def is_ours(path: Path) -> bool:
    """Whether a name in the folder is that of a configuration file."""
    return path.suffix in {".yaml", ".yml"} and not path.name.startswith(".")


def take(folder: Path) -> dict[str, File]:
    """The configuration files as they are now; those that cannot be read are left out.

    As root, so is one that a user other than root has had lead out of their own folders.
    """
    found: dict[str, File] = {}
    with suppress(OSError):
        for path in sorted(filter(is_ours, folder.iterdir())):
            with suppress(OSError):
                content, status = safely.read(path, MOST)
                found[path.name] = File(
                    content, stat.S_IMODE(status.st_mode), owner_name(status.st_uid)
                )
    return found


def owner_name(uid: int) -> str:
    """A user's name, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def listing(files: Files) -> Listing:
    """Which files these are."""
    return {name: (file.digest, file.mode) for name, file in files.items()}


def says(files: Listing) -> dict[str, str]:
    """A listing without rights: what counts for whether two are the same."""
    return {name: digest for name, (digest, _) in files.items()}


def places(folder: Path, database: str, environ: Mapping[str, str]) -> list[Path]:
    """Where the state of a configuration may be, the best place first."""
    found = [folder if "://" in database else (folder / database).parent]
    if state := environ.get("STATE_DIRECTORY"):
        found.append(Path(state.split(":")[0]))
    own = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "/")) / ".local/state"
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    found.append(Path(own) / "callrouter" / digest)  # one for each configuration
    return found


def state_folder(folder: Path, database: str, environ: Mapping[str, str]) -> Path:
    """Where the state of a configuration is put: the first place that can be written to."""
    candidates = places(folder, database, environ)
    for place in candidates[:-1]:
        if os.access(place, os.W_OK | os.X_OK):
            return place
    return candidates[-1]


def find(folder: Path, database: str, environ: Mapping[str, str]) -> Past | None:
    """The history that a daemon of this configuration has left, wherever it was allowed to.

    Raises:
        PermissionError: there is one, and it is not for us to read.
    """
    for place in (*places(folder, database, environ), SYSTEM_STATE):
        if (place / FOLDER / "head.json").exists():
            return Past(place / FOLDER)
    return None


class Past:
    """The history of one configuration. Only the daemon adds to it; anyone may look who can read it."""

    def __init__(self, place: Path) -> None:
        self.place = place

    # ------------------------------------------------------------ looking

    def changes(self) -> list[Change]:
        """What is kept, the newest first; what is damaged is passed over."""
        found = []
        with suppress(FileNotFoundError), self._opened("changes") as folder:
            names = [name for name in folder.names() if name.endswith(".json")]
            for name in sorted(names, reverse=True)[: 2 * KEPT]:
                with suppress(ValueError, KeyError, TypeError, FileNotFoundError):
                    found.append(_change(json.loads(folder.read(name, MOST))))
        return found

    def change(self, number: int) -> Change | None:
        """One of them."""
        return next((change for change in self.changes() if change.number == number), None)

    def head(self) -> Listing | None:
        """The files in force; None before the first start."""
        with (
            suppress(ValueError, KeyError, TypeError, AttributeError, FileNotFoundError),
            self._opened() as folder,
        ):
            return _listing(json.loads(folder.read("head.json", MOST)))
        return None

    def held(self) -> dict[str, str] | None:
        """Which files have lost something and wait for a second sign; None: none do."""
        with suppress(ValueError, KeyError, TypeError, OSError):
            view = json.loads((self.place / "held.json").read_bytes())
            return {str(name): str(digest) for name, digest in view["files"].items()}
        return None

    def held_lines(self) -> tuple[str, ...]:
        """What they have lost, in words."""
        with suppress(ValueError, KeyError, TypeError, OSError):
            view = json.loads((self.place / "held.json").read_bytes())
            return tuple(map(str, view["lines"]))
        return ()

    def content(self, digest: str) -> bytes:
        """What a file said.

        Raises:
            OSError: it is not kept, or what is kept is not what was put there.
        """
        with self._opened("files") as folder:
            content = folder.read(digest, MOST)
        if hashlib.sha256(content).hexdigest() != digest:
            shown = str(self.place / "files" / digest)
            raise OSError(errno.EIO, "is damaged: it is not what was put there", shown)
        return content

    def has(self, digest: str) -> bool:
        """Whether it is kept what a file said."""
        try:
            self.content(digest)
        except PermissionError:
            raise
        except OSError:
            return False
        return True

    @contextmanager
    def laid_out(self, files: Listing) -> Iterator[Path]:
        """A folder with these files, for as long as it is looked at.

        Raises:
            OSError: one of them is not kept.
        """
        name = f"look-{secrets.token_hex(8)}"
        with self._opened() as place, place.folder(name, make=0o700) as folder:
            try:
                for file, (digest, _) in files.items():
                    folder.write(file, self.content(digest), 0o600)
                yield self.place / name
            finally:
                for file in files:
                    with suppress(OSError):
                        folder.remove(file)
                with suppress(OSError):
                    place.remove_folder(name)

    @contextmanager
    def _opened(self, inner: str = "") -> Iterator[Folder]:
        """The folder, or one in it, held open."""
        with Folder.open(self.place) as place:
            if not inner:
                yield place
                return
            with place.folder(inner) as folder:
                yield folder

    # ------------------------------------------------------------ writing

    def begin(self, files: Files) -> Listing | None:
        """Make the folder; returns the files that were in force last, None if this is the first time."""
        with Folder.open(self.place, make=0o700) as place:
            place.chmod(0o700)
            for name in ("files", "changes"):
                with place.folder(name, make=0o700) as folder:
                    folder.chmod(0o700)
        # It may lie in a folder that is under version control, and has secrets in it.
        self._write(".gitignore", b"*\n")
        before = self.head()
        if before is None:
            self._keep(files)
            self._write_head(listing(files))
        return before

    def add(
        self, *, at: float, who: str, how: str, lines: tuple[str, ...], files: Files
    ) -> Change | None:
        """A change was applied; None where it changes nothing at all.

        One that a rollback has brought about is put down to whoever rolled back.
        """
        before, after = self.head() or {}, listing(files)
        if not lines and says(before) == says(after):
            return None
        self._keep(files)
        note = self._rollback()
        if note is not None and note["after"] == says(after):
            who, how = str(note["who"]), str(note["how"])
        with suppress(OSError), self._opened() as folder:
            folder.remove("rollback.json")
        kept = self.changes()
        change = Change(
            number=kept[0].number + 1 if kept else 1,
            at=at,
            who=who,
            how=how,
            lines=lines,
            before=before,
            after=after,
        )
        self._write(f"{change.number:06}.json", json.dumps(_view(change)).encode(), "changes")
        self._write_head(after)
        self._forget([change, *kept])
        return change

    def announce(self, *, who: str, how: str, files: Files) -> None:
        """A rollback is about to put these files in place."""
        note = {"who": who, "how": how, "after": says(listing(files))}
        self._write("rollback.json", json.dumps(note).encode())

    def hold(self, files: Files, lines: tuple[str, ...]) -> None:
        """These files have lost something, and are not in force; without lines none have."""
        if lines:
            note = {"files": says(listing(files)), "lines": lines}
            self._write("held.json", json.dumps(note).encode())
        else:
            with suppress(FileNotFoundError), self._opened() as folder:
                folder.remove("held.json")

    def _rollback(self) -> dict[str, Any] | None:
        with suppress(ValueError, OSError), self._opened() as folder:
            note = json.loads(folder.read("rollback.json", MOST))
            if isinstance(note, dict) and {"who", "how", "after"} <= note.keys():
                return note
        return None

    def _keep(self, files: Files) -> None:
        for file in files.values():
            if not self.has(file.digest):
                self._write(file.digest, file.content, "files")

    def _write_head(self, files: Listing) -> None:
        self._write("head.json", json.dumps(files).encode())

    def set_aside(self, name: str, content: bytes) -> Path:
        """Keep what a configuration file says that was never in force; gives where."""
        self._write(f"aside-{name}", content)
        return self.place / f"aside-{name}"

    def _write(self, name: str, content: bytes, inner: str = "") -> None:
        with self._opened(inner) as folder:
            folder.write(name, content, 0o600)

    def _forget(self, kept: list[Change]) -> None:
        """Keep so many changes, and the files that they need."""
        if len(kept) <= KEPT:
            return
        with self._opened("changes") as folder:
            for change in kept[KEPT:]:
                with suppress(OSError):
                    folder.remove(f"{change.number:06}.json")
        needed = {
            digest
            for change in kept[:KEPT]
            for files in (change.before, change.after)
            for digest, _ in files.values()
        }
        with self._opened("files") as folder:
            for name in folder.names():
                if name not in needed:
                    with suppress(OSError):
                        folder.remove(name)


def put_back(folder: Path, name: str, content: bytes, mode: int) -> None:
    """Put a configuration file in its place in one step, with its rights from the start.

    A symbolic link stays one, and what it leads to is replaced. What is there keeps its rights and its
    owner; a new file gets the folder's owner and, of the rights `mode`, those that are safe.

    Raises:
        OSError: it can't be written, or as root it would be written where another user has it led;
            what was there is there still.
    """
    with safely.located(folder / name) as (place, real):
        owner = None
        mode &= _RIGHTS
        with suppress(FileNotFoundError):
            status = place.status(real)
            if stat.S_ISREG(status.st_mode):
                mode, owner = stat.S_IMODE(status.st_mode) & 0o777, (status.st_uid, status.st_gid)
        place.write(real, content, mode or 0o600, owner)


def take_away(folder: Path, name: str) -> None:
    """Take a configuration file away; of a link, the link."""
    with Folder.open(folder) as place:
        place.remove(name)


def _listing(view: Any) -> Listing:
    """A listing as it was written down.

    Raises:
        ValueError: it has what no listing of ours has.
    """
    if not isinstance(view, dict) or len(view) > MOST_FILES:
        raise ValueError("not a list of files")
    found: Listing = {}
    for name, (digest, mode) in view.items():
        if not (safely.is_plain(name) and is_ours(Path(name))):
            raise ValueError(f"not the name of a configuration file: {name!r}")
        if not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
            raise ValueError("not a digest")
        if not (isinstance(mode, int) and 0 <= mode <= 0o7777):
            raise ValueError("not the rights of a file")
        found[name] = (digest, mode)
    return found


def _view(change: Change) -> dict[str, Any]:
    return {
        "number": change.number,
        "at": change.at,
        "who": change.who,
        "how": change.how,
        "lines": change.lines,
        "before": change.before,
        "after": change.after,
    }


def _change(view: Any) -> Change:
    return Change(
        number=int(view["number"]),
        at=float(view["at"]),
        who=str(view["who"]),
        how=str(view["how"]),
        lines=tuple(map(str, view["lines"])),
        before=_listing(view["before"]),
        after=_listing(view["after"]),
    )
