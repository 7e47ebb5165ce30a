"""Records applied changes of the configuration, and what is held back, for later runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from callrouter.background import beside_calls
from callrouter.clock import Clock
from callrouter.config_source.start_config import StartConfig
from callrouter.daemon.config_reading import ConfigReading
from callrouter.settings import ConfigError, Settings, load_snapshot
from callrouter.settings.config_change import Change
from callrouter.settings.config_files import (
    ConfigFiles,
    content_digests,
    contents_only,
    owner_name,
)
from callrouter.settings.config_history import ConfigHistory
from callrouter.settings.diff.settings_diff import bounded, changes
from callrouter.settings.removals import gone_queues

logger = logging.getLogger(__name__)


class ChangeRecorder:
    """Writes the history of changes. Every method reads or writes files: call them in a thread.

    A history that cannot be written is logged and stops no change.

    Args:
        history: The history.
        folder: The configuration folder.
        environ: The environment.
        start: What the daemon was started with.
        clock: The time.
        on_files_changed: Called with the owners of files that were changed without a request, with
            ``file`` or ``start``, and with the change in words.

    Attributes:
        history: The history.
        files: The files in force.
    """

    def __init__(
        self,
        history: ConfigHistory,
        folder: Path,
        environ: Mapping[str, str],
        start: StartConfig,
        clock: Clock,
        *,
        on_files_changed: Callable[[str, str, tuple[str, ...]], None],
    ) -> None:
        self._on_files_changed = on_files_changed
        self.history = history
        self.files = start.files
        self._at_start = start.snapshot
        self._folder = folder
        self._environ = environ
        self._clock = clock

    def hold(self, files: ConfigFiles, lines: tuple[str, ...]) -> None:
        """Store what is held back, for a later run.

        Args:
            files: The files that are held back; empty: nothing is held back any more.
            lines: What they have lost, in words.
        """
        try:
            self.history.hold(files, lines)
        except OSError as error:
            logger.warning(
                "what is held back cannot be noted in %s (%s)", self.history.place, error
            )

    def record(self, reading: ConfigReading, who: str, how: str) -> Change | None:
        """Record a change that is in force now.

        Args:
            reading: The change.
            who: The person who asked for it; empty: the owners of the changed files.
            how: See `Change`.

        Returns:
            The change; None: nothing has changed, or the history cannot be written.
        """
        before, self.files = self.files, reading.snapshot.files
        owners = "" if who else _owners(before, self.files, self._folder)
        if owners:
            self._on_files_changed(owners, "file", reading.lines)
        try:
            self.history.hold({}, ())
            return self.history.add(
                at=self._clock.now(),
                who=who or owners,
                how=how,
                lines=reading.lines,
                files=self.files,
                removed_queues=reading.removed_queues,
            )
        except OSError as error:
            self._warn(error)
            return None

    def begin(self, settings: Settings, held: tuple[str, ...]) -> None:
        """Continue where the last run ended. Edits made in between are recorded as a change too.

        Args:
            settings: The settings that the daemon was started with.
            held: What of the files was held back at the start.
        """
        try:
            before = self.history.begin(self.files)
            if held:
                self.history.hold(self._at_start.files, held)
            if before is None or contents_only(before) == content_digests(self.files):
                return
            lines, removed = self._since_last_run(settings)
            owners = _owners({}, self.files, self._folder)
            self._on_files_changed(owners, "start", lines)
            self.history.add(
                at=self._clock.now(),
                who=owners,
                how="start",
                lines=lines,
                files=self.files,
                removed_queues=removed,
            )
        except OSError as error:
            self._warn(error)

    def _since_last_run(self, settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what has changed since the last run, in words, and the queues removed since."""
        try:
            with beside_calls():
                snapshot = self.history.snapshot(self._folder, self.history.head() or {})
                old = load_snapshot(snapshot, environ=self._environ)
                found = (
                    bounded(changes(old, settings)),
                    tuple(gone_queues(old.table, settings.table)),
                )
                del old, snapshot  # before the collector runs again
                return found
        except (ConfigError, OSError):
            return ("changed while the daemon was not running",), ()

    def _warn(self, error: OSError) -> None:
        logger.warning(
            "the change is in force, but the history of changes cannot be kept in %s (%s)",
            self.history.place,
            error.strerror or error,
        )


def _owners(before: ConfigFiles, after: ConfigFiles, folder: Path) -> str:
    """Return the owners of the changed files. A deleted file counts for the folder's owner."""
    owners = {
        file.owner
        for name, file in after.items()
        if name not in before or before[name].content != file.content
    }
    if not owners:
        try:
            owners = {owner_name(folder.stat().st_uid)}
        except OSError:
            return "unknown"
    return ", ".join(sorted(owners))
