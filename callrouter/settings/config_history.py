"""The history of configurations: who changed what and when, with the files as they were.

A folder with access for its owner only, since files may contain secrets:

    files/SHA256        content of a file, stored once however many changes refer to it
    changes/000017.json a change: when, who, how, in words, and the files before and after
    head.json           the files in force
    rollback.json       what a rollback or a save not yet applied has put in place
    held.json           files whose losses must be confirmed, and those losses
"""

from __future__ import annotations

import errno
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from callrouter.files import Folder
from callrouter.model.text import phrase_data, stored_phrase
from callrouter.settings.config_change import (
    Change,
    change_view,
    read_change,
    read_digests,
    stored_lines,
)
from callrouter.settings.config_files import (
    MOST_BYTES,
    ConfigFile,
    ConfigFiles,
    ConfigSnapshot,
    FileDigests,
    content_digests,
    contents_only,
    file_digests,
    stored_snapshot,
)
from callrouter.settings.state_location import SYSTEM_STATE, state_candidates

KEPT: Final = 200
"""Number of changes kept."""
HISTORY_FOLDER: Final = "history"


def find_history(folder: Path, database: str, environ: Mapping[str, str]) -> ConfigHistory | None:
    """Return the history left by a daemon of this configuration, wherever it could be stored.

    Args:
        folder: The configuration folder.
        database: The configured database.
        environ: See `state_candidates`.

    Raises:
        PermissionError: There is one, but we may not read it.
    """
    for place in (*state_candidates(folder, database, environ), SYSTEM_STATE):
        if (place / HISTORY_FOLDER / "head.json").exists():
            return ConfigHistory(place / HISTORY_FOLDER)
    return None


class ConfigHistory:
    """The history of one configuration.

    Only the daemon writes to it, except for `announce` and `set_aside`, which the command rollback
    calls.

    Every method reads or writes files. Those that write raise OSError if they cannot.
    """

    def __init__(self, place: Path) -> None:
        self.place = place

    # ------------------------------------------------------------ reading

    def changes(self) -> list[Change]:
        """Return the stored changes, newest first. Damaged ones are skipped.

        At most the latest 2 * `KEPT` are read. Without a history, there are none.

        Raises:
            OSError: The history cannot be read.
        """
        found = []
        with suppress(FileNotFoundError), self._opened("changes") as folder:
            names = [name for name in folder.names() if name.endswith(".json")]
            for name in sorted(names, reverse=True)[: 2 * KEPT]:
                with suppress(ValueError, KeyError, TypeError, FileNotFoundError):
                    found.append(read_change(json.loads(folder.read(name, MOST_BYTES))))
        return found

    def change(self, number: int) -> Change | None:
        """Return the change with this number; None: it is not stored (any more).

        All stored changes are read for it.

        Raises:
            OSError: The history cannot be read.
        """
        return next((change for change in self.changes() if change.number == number), None)

    def head(self) -> FileDigests | None:
        """Return the files in force; None before the first start.

        A damaged record counts as none.

        Raises:
            OSError: It is there but cannot be read.
        """
        with (
            suppress(ValueError, KeyError, TypeError, AttributeError, FileNotFoundError),
            self._opened() as folder,
        ):
            return read_digests(json.loads(folder.read("head.json", MOST_BYTES)))
        return None

    def held(self) -> dict[str, str] | None:
        """Return the digests of the files whose losses must be confirmed; None: there are none.

        A record that is damaged or cannot be read counts as none: unlike `head`, this raises no
        OSError.
        """
        with suppress(ValueError, KeyError, TypeError, OSError):
            view = json.loads((self.place / "held.json").read_bytes())
            return {str(name): str(digest) for name, digest in view["files"].items()}
        return None

    def held_lines(self) -> tuple[str, ...]:
        """Return the losses that must be confirmed, in words.

        They belong to the files of `held`, and are empty where that is None.
        """
        with suppress(ValueError, KeyError, TypeError, OSError):
            view = json.loads((self.place / "held.json").read_bytes())
            return stored_lines(view["lines"], view.get("phrases"))
        return ()

    def content(self, digest: str) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: It is not stored, or the stored content is damaged.
        """
        with self._opened("files") as folder:
            content = folder.read(digest, MOST_BYTES)
        if hashlib.sha256(content).hexdigest() != digest:
            shown = str(self.place / "files" / digest)
            raise OSError(errno.EIO, "is damaged: it is not what was put there", shown)
        return content

    def has(self, digest: str) -> bool:
        """Return whether this content is stored and intact.

        Raises:
            PermissionError: We may not read it.
        """
        try:
            self.content(digest)
        except PermissionError:
            raise
        except OSError:
            return False
        return True

    def snapshot(self, folder: Path, files: FileDigests) -> ConfigSnapshot:
        """Return the configuration folder as it was when it held these files.

        Raises:
            OSError: One of them is not stored, or the stored content is damaged.
        """
        kept = {
            name: ConfigFile(self.content(digest), mode, "")
            for name, (digest, mode) in files.items()
        }
        return stored_snapshot(folder, kept)

    @contextmanager
    def laid_out(self, files: FileDigests) -> Iterator[Path]:
        """Provide a temporary folder with these files, for a daemon to compare with its own.

        Raises:
            OSError: One of them is not stored.
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
        """Create the folder for a daemon that starts with these files.

        Returns:
            The files last in force; None if this is the first time.
        """
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
            self._write_head(file_digests(files))
        return before

    def add(
        self,
        *,
        at: float,
        who: str,
        how: str,
        lines: tuple[str, ...],
        files: ConfigFiles,
        removed_queues: tuple[str, ...],
    ) -> Change | None:
        """Record an applied change.

        A change that was announced is attributed to the person who announced it.

        Args:
            at: See `Change`, as for the arguments that are not described here.
            who: See `Change`.
            how: See `Change`.
            lines: See `Change`.
            files: The files in force now.
            removed_queues: See `Change`.

        Returns:
            The change; None if nothing has changed.
        """
        before, after = self.head() or {}, file_digests(files)
        if not lines and contents_only(before) == contents_only(after):
            return None
        self._keep(files)
        note = self._rollback()
        if note is not None and note["after"] == contents_only(after):
            who = str(note["who"])
            how = stored_phrase(str(note["how"]), note.get("how_phrase"))
        self.withdraw()
        kept = self.changes()
        change = Change(
            number=kept[0].number + 1 if kept else 1,
            at=at,
            who=who,
            how=how,
            lines=lines,
            before=before,
            after=after,
            removed_queues=removed_queues,
        )
        self._write(f"{change.number:06}.json", json.dumps(change_view(change)).encode(), "changes")
        self._write_head(after)
        self._forget([change, *kept])
        return change

    def announce(self, *, who: str, how: str, files: ConfigFiles) -> None:
        """Record that a person is about to put these files in place.

        `add` then attributes the change to `who`, if it leads to exactly these files.
        """
        after = content_digests(files)
        note = {"who": who, "how": how, "how_phrase": phrase_data(how), "after": after}
        self._write("rollback.json", json.dumps(note).encode())

    def withdraw(self) -> None:
        """Forget what was announced: the files were not put in place."""
        with suppress(OSError), self._opened() as folder:
            folder.remove("rollback.json")

    def hold(self, files: ConfigFiles, lines: tuple[str, ...]) -> None:
        """Record files with unconfirmed losses, which are not in force.

        Without lines, there are none.
        """
        if lines:
            phrases = [phrase_data(line) for line in lines]
            note = {"files": content_digests(files), "lines": lines, "phrases": phrases}
            self._write("held.json", json.dumps(note).encode())
        else:
            with suppress(FileNotFoundError), self._opened() as folder:
                folder.remove("held.json")

    def _rollback(self) -> dict[str, Any] | None:
        with suppress(ValueError, OSError), self._opened() as folder:
            note = json.loads(folder.read("rollback.json", MOST_BYTES))
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
        """Keep the content of a configuration file that was never in force, and return its path.

        There is one such copy for each name: a later one replaces it. It is never forgotten with
        old changes.
        """
        self._write(f"aside-{name}", content)
        return self.place / f"aside-{name}"

    def _write(self, name: str, content: bytes, inner: str = "") -> None:
        with self._opened(inner) as folder:
            folder.write(name, content, 0o600)

    def _forget(self, kept: list[Change]) -> None:
        """Delete all but these changes, and the files they do not need.

        `kept` has the newest first, and its first `KEPT` remain. A file that cannot be deleted
        stays.
        """
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
