"""The configurations that were in force before: who changed what and when, and the files as they were.

A folder for the owner alone, since files may have secrets in them:

    files/SHA256        what a file said, once however many changes it is part of
    changes/000017.json a change: when, who, how, in words, and which files before and after
    head.json           which files are in force
    rollback.json       what a rollback that is not taken up yet has put in place
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

KEPT: Final = 200
"""Changes that are kept."""
FOLDER: Final = "history"
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
    """The configuration files as they are now; those that cannot be read are left out."""
    found: dict[str, File] = {}
    with suppress(OSError):
        for path in sorted(filter(is_ours, folder.iterdir())):
            with suppress(OSError):
                status = path.stat()
                if stat.S_ISREG(status.st_mode):  # a pipe would hang us
                    mode, owner = stat.S_IMODE(status.st_mode), owner_name(status.st_uid)
                    found[path.name] = File(path.read_bytes(), mode, owner)
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
        """What is kept, the newest first."""
        found = []
        for path in sorted((self.place / "changes").glob("*.json"), reverse=True):
            with suppress(ValueError, KeyError, TypeError, FileNotFoundError):
                found.append(_change(json.loads(path.read_bytes())))
        return found

    def change(self, number: int) -> Change | None:
        """One of them."""
        return next((change for change in self.changes() if change.number == number), None)

    def head(self) -> Listing | None:
        """The files in force; None before the first start."""
        with suppress(ValueError, KeyError, TypeError, FileNotFoundError):
            return _listing(json.loads((self.place / "head.json").read_bytes()))
        return None

    def content(self, digest: str) -> bytes:
        """What a file said.

        Raises:
            OSError: it is not kept.
        """
        return (self.place / "files" / digest).read_bytes()

    def has(self, digest: str) -> bool:
        """Whether it is kept what a file said."""
        return (self.place / "files" / digest).exists()

    @contextmanager
    def laid_out(self, files: Listing) -> Iterator[Path]:
        """A folder with these files, for as long as it is looked at.

        Raises:
            OSError: one of them is not kept.
        """
        folder = Path(tempfile.mkdtemp(prefix="look-", dir=self.place))
        try:
            for name, (digest, _) in files.items():
                write(folder / name, self.content(digest), 0o600, like=self.place)
            if os.geteuid() == 0:  # the daemon shall be able to read it too
                status = self.place.stat()
                os.chown(folder, status.st_uid, status.st_gid)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # ------------------------------------------------------------ writing

    def begin(self, files: Files) -> Listing | None:
        """Make the folder; returns the files that were in force last, None if this is the first time."""
        for folder in (self.place, self.place / "files", self.place / "changes"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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
        with suppress(OSError):
            (self.place / "rollback.json").unlink()
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
        self._write(f"changes/{change.number:06}.json", json.dumps(_view(change)).encode())
        self._write_head(after)
        self._forget([change, *kept])
        return change

    def announce(self, *, who: str, how: str, files: Files) -> None:
        """A rollback is about to put these files in place."""
        note = {"who": who, "how": how, "after": says(listing(files))}
        self._write("rollback.json", json.dumps(note).encode())

    def _rollback(self) -> dict[str, Any] | None:
        with suppress(ValueError, OSError):
            note = json.loads((self.place / "rollback.json").read_bytes())
            if isinstance(note, dict) and {"who", "how", "after"} <= note.keys():
                return note
        return None

    def _keep(self, files: Files) -> None:
        for file in files.values():
            if not self.has(file.digest):
                self._write(f"files/{file.digest}", file.content)

    def _write_head(self, files: Listing) -> None:
        self._write("head.json", json.dumps(files).encode())

    def _write(self, name: str, content: bytes) -> None:
        write(self.place / name, content, 0o600, like=self.place)

    def _forget(self, kept: list[Change]) -> None:
        """Keep so many changes, and the files that they need."""
        if len(kept) <= KEPT:
            return
        for change in kept[KEPT:]:
            with suppress(OSError):
                (self.place / "changes" / f"{change.number:06}.json").unlink()
        needed = {
            digest
            for change in kept[:KEPT]
            for files in (change.before, change.after)
            for digest, _ in files.values()
        }
        for path in (self.place / "files").iterdir():
            if path.name not in needed:
                with suppress(OSError):
                    path.unlink()


def write(path: Path, content: bytes, mode: int, like: Path | None = None) -> None:
    """Put a file in its place in one step, with its rights from the start.

    Args:
        path: where; a symbolic link stays one, and what it leads to is replaced.
        content: what it shall say.
        mode: its rights.
        like: whose owner it gets, where we may give files away (root).

    Raises:
        OSError: it can't be written; what was there is there still.
    """
    path = path.resolve()
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            if like is not None and os.geteuid() == 0:
                status = like.stat()
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


def _listing(view: Any) -> Listing:
    return {str(name): (str(digest), int(mode)) for name, (digest, mode) in view.items()}


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
