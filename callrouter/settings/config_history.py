"""The history of configurations: who changed what and when, with the files as they were.

A folder with access for its owner only, since files may contain secrets:

    files/SHA256        content of a file, stored once however many changes refer to it
    changes/000017.json a change: when, who, how, in words, and the files before and after
    head.json           the files in force
    rollback.json       what a rollback not yet applied has put in place
    held.json           files whose losses must be confirmed, and those losses
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
"""Number of changes kept."""
FOLDER: Final = "history"
MOST: Final = 16 * 1024 * 1024
"""Size limit of a configuration file, and of the record of a change, in bytes."""
MOST_FILES: Final = 1_000
"""Maximum number of files in a stored configuration."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_RIGHTS: Final = 0o644
"""Permissions allowed for a restored file: only its owner may write to it."""
SYSTEM_STATE: Final = Path("/var/lib/callrouter")
"""The path of systemd's ``StateDirectory=callrouter``."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration file: its content, its permissions and the name of its owner."""

    content: bytes
    mode: int
    owner: str

    @property
    def digest(self) -> str:
        """The name under which the content is stored."""
        return hashlib.sha256(self.content).hexdigest()


ConfigFiles: TypeAlias = Mapping[str, ConfigFile]
FileDigests: TypeAlias = dict[str, tuple[str, int]]
"""Digest and permissions of each file, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An applied change. `how` is ``file``, ``reload``, ``start`` or ``rollback to before N``."""

    number: int
    at: float
    who: str
    how: str
    lines: tuple[str, ...]
    before: FileDigests
    after: FileDigests


def is_ours(path: Path) -> bool:
    """Return whether a name in the folder is that of a configuration file."""
    return path.suffix in {".yaml", ".yml"} and not path.name.startswith(".")


def take(folder: Path) -> dict[str, ConfigFile]:
    """Return the current configuration files, without those that cannot be read.

    As root, also skip a file that another user has redirected outside their own folders.
    """
    found: dict[str, ConfigFile] = {}
    with suppress(OSError):
        for path in sorted(filter(is_ours, folder.iterdir())):
            with suppress(OSError):
                content, status = safely.read(path, MOST)
                found[path.name] = ConfigFile(
                    content, stat.S_IMODE(status.st_mode), owner_name(status.st_uid)
                )
    return found


def owner_name(uid: int) -> str:
    """Return a user's name, or the number if there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def listing(files: ConfigFiles) -> FileDigests:
    """Return the listing of files."""
    return {name: (file.digest, file.mode) for name, file in files.items()}


def says(files: FileDigests) -> dict[str, str]:
    """Return a listing without permissions: what decides whether two are the same."""
    return {name: digest for name, (digest, _) in files.items()}


def places(folder: Path, database: str, environ: Mapping[str, str]) -> list[Path]:
    """Return the possible locations of a configuration's state, best first."""
    found = [folder if "://" in database else (folder / database).parent]
    if state := environ.get("STATE_DIRECTORY"):
        found.append(Path(state.split(":")[0]))
    own = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "/")) / ".local/state"
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    found.append(Path(own) / "callrouter" / digest)  # one for each configuration
    return found


def state_folder(folder: Path, database: str, environ: Mapping[str, str]) -> Path:
    """Return the folder for a configuration's state: the first writable location."""
    candidates = places(folder, database, environ)
    for place in candidates[:-1]:
        if os.access(place, os.W_OK | os.X_OK):
            return place
    return candidates[-1]


def find(folder: Path, database: str, environ: Mapping[str, str]) -> ConfigHistory | None:
    """Return the history left by a daemon of this configuration, wherever it could be stored.

    Raises:
        PermissionError: there is one, but we may not read it.
    """
    for place in (*places(folder, database, environ), SYSTEM_STATE):
        if (place / FOLDER / "head.json").exists():
            return ConfigHistory(place / FOLDER)
    return None


class ConfigHistory:
    """The history of one configuration. Only the daemon writes to it."""

    def __init__(self, place: Path) -> None:
        self.place = place

    # ------------------------------------------------------------ reading

    def changes(self) -> list[Change]:
        """Return the stored changes, newest first. Damaged ones are skipped."""
        found = []
        with suppress(FileNotFoundError), self._opened("changes") as folder:
            names = [name for name in folder.names() if name.endswith(".json")]
            for name in sorted(names, reverse=True)[: 2 * KEPT]:
                with suppress(ValueError, KeyError, TypeError, FileNotFoundError):
                    found.append(_change(json.loads(folder.read(name, MOST))))
        return found

    def change(self, number: int) -> Change | None:
        """Return one change."""
        return next((change for change in self.changes() if change.number == number), None)

    def head(self) -> FileDigests | None:
        """Return the files in force; None before the first start."""
        with (
            suppress(ValueError, KeyError, TypeError, AttributeError, FileNotFoundError),
            self._opened() as folder,
        ):
            return _listing(json.loads(folder.read("head.json", MOST)))
        return None

    def held(self) -> dict[str, str] | None:
        """Return the files whose losses must be confirmed; None: there are none."""
        with suppress(ValueError, KeyError, TypeError, OSError):
            view = json.loads((self.place / "held.json").read_bytes())
            return {str(name): str(digest) for name, digest in view["files"].items()}
        return None

    def held_lines(self) -> tuple[str, ...]:
        """Return those losses in words."""
        with suppress(ValueError, KeyError, TypeError, OSError):
            view = json.loads((self.place / "held.json").read_bytes())
            return tuple(map(str, view["lines"]))
        return ()

    def content(self, digest: str) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: it is not stored, or the stored content is damaged.
        """
        with self._opened("files") as folder:
            content = folder.read(digest, MOST)
        if hashlib.sha256(content).hexdigest() != digest:
            shown = str(self.place / "files" / digest)
            raise OSError(errno.EIO, "is damaged: it is not what was put there", shown)
        return content

    def has(self, digest: str) -> bool:
        """Return whether this content is stored."""
        try:
            self.content(digest)
        except PermissionError:
            raise
        except OSError:
            return False
        return True

    @contextmanager
    def laid_out(self, files: FileDigests) -> Iterator[Path]:
        """Provide a temporary folder with these files.

        Raises:
            OSError: one of them is not stored.
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
        """Open the folder, or one inside it."""
        with Folder.open(self.place) as place:
            if not inner:
                yield place
                return
            with place.folder(inner) as folder:
                yield folder

    # ------------------------------------------------------------ writing

    def begin(self, files: ConfigFiles) -> FileDigests | None:
        """Create the folder. Returns the files last in force; None if this is the first time."""
        with Folder.open(self.place, make=0o700) as place:
            place.chmod(0o700)
            for name in ("files", "changes"):
                with place.folder(name, make=0o700) as folder:
                    folder.chmod(0o700)
        # It may be inside a folder under version control, and it contains secrets.
        self._write(".gitignore", b"*\n")
        before = self.head()
        if before is None:
            self._keep(files)
            self._write_head(listing(files))
        return before

    def add(
        self, *, at: float, who: str, how: str, lines: tuple[str, ...], files: ConfigFiles
    ) -> Change | None:
        """Record an applied change; None if nothing has changed.

        A change caused by a rollback is attributed to the person who rolled back.
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

    def announce(self, *, who: str, how: str, files: ConfigFiles) -> None:
        """Record that a rollback is about to put these files in place."""
        note = {"who": who, "how": how, "after": says(listing(files))}
        self._write("rollback.json", json.dumps(note).encode())

    def hold(self, files: ConfigFiles, lines: tuple[str, ...]) -> None:
        """Record files with unconfirmed losses, which are not in force.

        Without lines, there are none.
        """
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

    def _keep(self, files: ConfigFiles) -> None:
        for file in files.values():
            if not self.has(file.digest):
                self._write(file.digest, file.content, "files")

    def _write_head(self, files: FileDigests) -> None:
        self._write("head.json", json.dumps(files).encode())

    def set_aside(self, name: str, content: bytes) -> Path:
        """Keep the content of a configuration file that was never in force. Returns its path."""
        self._write(f"aside-{name}", content)
        return self.place / f"aside-{name}"

    def _write(self, name: str, content: bytes, inner: str = "") -> None:
        with self._opened(inner) as folder:
            folder.write(name, content, 0o600)

    def _forget(self, kept: list[Change]) -> None:
        """Delete all but these changes, and the files they do not need."""
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
    """Put a configuration file in place atomically, with its permissions from the start.

    A symbolic link stays one, and its target is replaced. An existing file keeps its permissions
    and owner. A new file gets the folder's owner and those permissions of `mode` that are safe.

    Raises:
        OSError: it cannot be written, or, as root, another user has redirected it elsewhere; the
            existing file is unchanged.
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
    """Delete a configuration file; of a link, the link itself."""
    with Folder.open(folder) as place:
        place.remove(name)


def _listing(view: Any) -> FileDigests:
    """Return a listing from its stored form.

    Raises:
        ValueError: it contains what no listing of ours contains.
    """
    if not isinstance(view, dict) or len(view) > MOST_FILES:
        raise ValueError("not a list of files")
    found: FileDigests = {}
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
