"""The configuration in force, and how a new one is applied while calls are active."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from callrouter.api.access.tokens import ApiTokens
from callrouter.api.context import ConfigReadResult, ConfigState
from callrouter.background import beside_calls, keep_for_good, without_collection
from callrouter.clock import Clock
from callrouter.daemon.config_watch import EVERY, Watch
from callrouter.daemon.held_changes import Holding, left_of_quiet, say_held
from callrouter.daemon.last_good import Start
from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.model.events import ConfigReloaded, Event
from callrouter.model.routing_table import Table
from callrouter.model.staged_reload import steps
from callrouter.model.text import counted
from callrouter.settings import ConfigError, Settings, load_snapshot
from callrouter.settings.config_change import Change
from callrouter.settings.config_files import (
    ConfigFiles,
    ConfigSnapshot,
    content_digests,
    contents_only,
    owner_name,
    read_snapshot,
)
from callrouter.settings.config_history import HISTORY_FOLDER, ConfigHistory
from callrouter.settings.diff.settings_diff import bounded, changes, differences
from callrouter.settings.removals import gone_queues, losses, occupied
from callrouter.settings.state_location import state_folder

logger = logging.getLogger(__name__)

_PAUSE: Final = 0.002
"""Seconds between two steps of a large change, so that calls and other work get their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The content of the files at one moment, and what it changes.

    Attributes:
        settings: The settings in the files.
        snapshot: The files.
        lines: Everything that they change, in words.
        applied: Those of the lines that take effect without a restart.
        restart: What differs from the settings at the start and needs a restart, in words.
        losses: The losses that must be confirmed, wherever callers are waiting.
        removed_queues: The queues that go.
    """

    settings: Settings
    snapshot: ConfigSnapshot
    lines: tuple[str, ...]
    applied: tuple[str, ...]
    restart: tuple[str, ...]
    losses: tuple[str, ...]
    removed_queues: tuple[str, ...]


class Additions(Protocol):
    """A source of routing table entries that are in no file."""

    def begin_reload(self, numbers: NumberSettings, table: Table) -> tuple[Table, Table]:
        """Start applying new settings. Returns the table in force and the table to apply.

        No other table may be posted until `end_reload`.
        """

    def end_reload(self) -> None:
        """The new settings have been applied."""


class Configuration:
    """Holds the settings in force.

    A valid change takes effect at once: the routing table as an event, the API tokens directly.
    Changes that need a restart are logged. An invalid change has no effect and is logged until it
    is corrected. A change that removes a lot waits for confirmation (`callrouter.daemon.held_changes`).
    Applied changes are recorded (see `callrouter.settings.config_history`).

    Args:
        folder: where the files are.
        environ: the environment, for values that the files take from it.
        start: what was read at the start.
        clock: the time.
        post: receives each new routing table.
        tokens: the API tokens in force, which a change replaces.
        callers: returns the number of callers in each queue now.
        additions: adds entries to the tables built from files while the daemon runs.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        start: Start,
        clock: Clock,
        *,
        post: Callable[[Event], None],
        tokens: ApiTokens,
        callers: Callable[[], Mapping[str, int]],
        additions: Additions | None = None,
    ) -> None:
        settings = self.settings = start.settings
        self.state = ConfigState(
            folder=str(folder),
            loaded_at=clock.now(),
            problems=start.problems,
            warnings=settings.warnings,
            held=start.held,
            last_good=bool(start.problems or start.held),
        )
        self._post = post
        self._tokens = tokens
        self._callers = callers
        self._additions = additions
        self._holding = Holding(self.state, clock)
        self._started_with = settings
        self._folder = folder
        self._environ = environ
        self._clock = clock
        self._files = start.files
        self._at_start = start.snapshot
        self._watch = Watch(folder, start.snapshot)
        self._place = folder.resolve()
        self._reading = asyncio.Lock()
        self._reads = 0
        """How often a reload has read the files by itself."""
        self.past = ConfigHistory(state_folder(folder, settings.database, environ) / HISTORY_FOLDER)

    def say_start(self) -> None:
        """Log that the files could not be used at the start, if so."""
        if not self.state.last_good:
            return
        for problem in self.state.problems:
            logger.error("%s", problem)
        if self.state.held:
            say_held(self.state)
        logger.error(
            "started with the last good configuration, and not with the files in %s, which %s",
            self.state.folder,
            f"have {counted(len(self.state.problems), 'mistake')}; mended, they are taken up within 2 s"
            if self.state.problems
            else "have lost something",
        )

    async def follow(self, folder_replaced: Callable[[], None]) -> None:
        """Apply changes of the files until cancelled.

        Args:
            folder_replaced: called when another folder has replaced ours: a symbolic link now
                points elsewhere.
        """
        async with self._reading:
            await asyncio.to_thread(self._begin_history)
        while True:
            await asyncio.sleep(EVERY)
            try:
                reads = self._reads
                snapshot = await asyncio.to_thread(self._watch.changed)
                if snapshot is not None:
                    # While the watch read, a person may have asked for a reload, which reads newer
                    # files. The older ones must not be applied after them.
                    overtaken = self._reading.locked() or self._reads != reads
                    await self.reload(snapshot=None if overtaken else snapshot)
                if self._folder.resolve() != self._place:
                    self._place = self._folder.resolve()
                    folder_replaced()
                self._holding.say()
            except Exception:
                # After a fault of ours here, later changes must still be noticed.
                logger.exception("the configuration could not be looked at")

    async def reload(
        self,
        *,
        asked: bool = False,
        who: str = "",
        confirm: bool | None = None,
        snapshot: ConfigSnapshot | None = None,
    ) -> ConfigReadResult:
        """Read the files and apply them.

        Args:
            asked: a person is waiting for the answer.
            who: that person; empty: the owners of the changed files.
            confirm: confirms a change that removes a lot. Default: true if a person asks.
            snapshot: the files, if they have been read already.
        """
        confirm = asked if confirm is None else confirm
        async with self._reading:
            try:
                # In a thread: reading ten thousand agents takes seconds, and calls arrive in the
                # meantime.
                reading = await asyncio.to_thread(self._read, snapshot)
                if confirm and self._lost(reading):
                    reading = await self._when_quiet(reading)
            except ConfigError as error:
                self._refuse(error)
                await asyncio.to_thread(self._keep_held, {}, ())
                return ConfigReadResult(problems=error.problems)
            lost = self._lost(reading)
            if lost and not confirm:
                self.state.problems = ()
                self._holding.begin(lost)
                await asyncio.to_thread(self._keep_held, reading.snapshot.files, lost)
                return ConfigReadResult(
                    changes=reading.lines, warnings=reading.settings.warnings, held=lost
                )
            was_bad = bool(self.state.problems)
            await self._accept(reading)
            await asyncio.to_thread(self._remember, reading, who)
        for line in lost:
            logger.warning("configuration: confirmed%s: %s", f" by {who}" if who else "", line)
        if was_bad:
            logger.info("the configuration is good again")
        for line in reading.applied:  # `_accept` logs the others
            logger.info("configuration: %s", line)
        if asked and not reading.lines:
            logger.info("configuration: read again, nothing has changed")
        return ConfigReadResult(changes=reading.lines, warnings=reading.settings.warnings)

    async def diff(self, folder: Path | None) -> ConfigReadResult:
        """Return what the files in `folder` (None: our own) would change if they replaced ours."""
        # Drop the result of the read before the garbage collector runs again.
        with without_collection():
            try:
                reading = await asyncio.to_thread(self._compare, folder or self._folder)
            except ConfigError as error:
                return ConfigReadResult(problems=error.problems)
            outcome = ConfigReadResult(
                changes=reading.lines,
                warnings=reading.settings.warnings,
                held=() if folder is not None else self._lost(reading),
            )
            del reading
        return outcome

    def _lost(self, reading: Reading) -> tuple[str, ...]:
        """Return the losses of a change that still need confirmation."""
        if self.settings.removals_at_once:
            return ()
        in_use = occupied(self.settings.table, reading.settings.table, self._callers())
        return (*in_use, *reading.losses)

    async def _when_quiet(self, reading: Reading) -> Reading:
        """Return the files once they have been stable for a while, or attempts run out.

        Raises:
            ConfigError: the files have mistakes by then.
        """
        for _ in range(2):
            left = await asyncio.to_thread(left_of_quiet, self._folder, self._clock.now())
            if not left:
                break
            await asyncio.sleep(left)
            reading = await asyncio.to_thread(self._read)
        return reading

    # ------------------------------------------------------------ in a thread

    def _read(self, snapshot: ConfigSnapshot | None = None) -> Reading:
        """Read settings that may be applied and may therefore be stored."""
        with _applied_beside_calls():
            if snapshot is None:
                self._reads += 1
                snapshot = read_snapshot(self._folder)
            return self._reading_of(snapshot)

    def _compare(self, folder: Path) -> Reading:
        """Read settings only to see what they would change."""
        return self._reading_of(read_snapshot(folder))

    def _reading_of(self, snapshot: ConfigSnapshot) -> Reading:
        old, started = self.settings, self._started_with
        with beside_calls():
            settings = load_snapshot(
                snapshot, environ=self._environ, now=self._clock.now(), base=self._folder
            )
            settings = replace(settings, table=settings.table.reusing(old.table))
            found = differences(old, settings)
            lines = [str(each) for each in found]
            since_start = found if old is started else differences(started, settings)
            return Reading(
                settings=settings,
                snapshot=snapshot,
                lines=bounded(lines),
                applied=bounded([each.text for each in found if not each.needs_restart]),
                restart=tuple(each.text for each in since_start if each.needs_restart),
                losses=losses(
                    old.table,
                    settings.table,
                    before=self._files,
                    after=snapshot.files,
                    lines=lines,
                ),
                removed_queues=tuple(gone_queues(old.table, settings.table)),
            )

    def _keep_held(self, files: ConfigFiles, lines: tuple[str, ...]) -> None:
        """Store what is held back, for a later run."""
        try:
            self.past.hold(files, lines)
        except OSError as error:
            logger.warning("what is held back cannot be noted in %s (%s)", self.past.place, error)

    def _remember(self, reading: Reading, who: str) -> None:
        before, self._files = self._files, reading.snapshot.files
        try:
            self.past.hold({}, ())
            self.past.add(
                at=self._clock.now(),
                who=who or _owners(before, self._files, self._folder),
                how="reload" if who else "file",
                lines=reading.lines,
                files=self._files,
                removed_queues=reading.removed_queues,
            )
        except OSError as error:
            _cannot_keep(self.past, error)

    def _begin_history(self) -> None:
        """Continue where the last run ended. Edits made in between are recorded as a change too."""
        try:
            before = self.past.begin(self._files)
            if self.state.held:
                self.past.hold(self._at_start.files, self.state.held)
            if before is None or contents_only(before) == content_digests(self._files):
                return
            lines, removed = self._since_last_run()
            self.past.add(
                at=self._clock.now(),
                who=_owners({}, self._files, self._folder),
                how="start",
                lines=lines,
                files=self._files,
                removed_queues=removed,
            )
        except OSError as error:
            _cannot_keep(self.past, error)

    def _since_last_run(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what has changed since the last run, in words, and the queues removed since."""
        try:
            with _applied_beside_calls():
                snapshot = self.past.snapshot(self._folder, self.past.head() or {})
                old = load_snapshot(snapshot, environ=self._environ)
                lines = bounded(changes(old, self._started_with))
                return lines, tuple(gone_queues(old.table, self._started_with.table))
        except (ConfigError, OSError):
            return ("changed while the daemon was not running",), ()

    # ------------------------------------------------------------ on the loop

    def _refuse(self, error: ConfigError) -> None:
        self.state.problems = error.problems
        self._holding.end()
        for problem in error.problems:
            logger.error("%s", problem)
        logger.error(
            "the configuration in %s has %s; what was in force stays in force",
            self._folder,
            counted(error.count, "mistake"),
        )

    async def _accept(self, reading: Reading) -> None:
        new = reading.settings
        if self._additions is None:
            before, after = self.settings.table, new.table
        else:
            before, after = self._additions.begin_reload(new.numbers, new.table)
        if after != before:
            with _applied_beside_calls():
                for table in steps(before, after):
                    self._post(ConfigReloaded(table=table, more=table is not after))
                    await asyncio.sleep(_PAUSE)
        if self._additions is not None:
            self._additions.end_reload()
        self.settings = new
        for what in reading.restart:
            if what not in self.state.needs_restart:
                logger.warning("configuration: %s; it counts after a restart", what)
        self.state.needs_restart = reading.restart
        self.state.problems = ()
        self.state.last_good = False
        self._holding.end()
        self.state.warnings = new.warnings
        self.state.loaded_at = self._clock.now()
        self._tokens.use(new.http.api_tokens)


class Door:
    """Gives the API access to the configuration (`callrouter.api.context.Files`)."""

    def __init__(self, config: Configuration) -> None:
        self._config = config

    async def diff(self, folder: Path | None) -> ConfigReadResult:
        """See `Configuration.diff`."""
        return await self._config.diff(folder)

    async def reload(self, who: str, *, confirm: bool = True) -> ConfigReadResult:
        """See `Configuration.reload`."""
        return await self._config.reload(asked=True, who=who, confirm=confirm)

    def changes(self) -> list[Change]:
        """Return the recorded changes, newest first. Reads files, so do not call it on the loop."""
        return self._config.past.changes()


@contextmanager
def _applied_beside_calls() -> Iterator[None]:
    """Read or apply settings that stay, without delaying calls on the loop.

    Use this only for settings that will be in force: all objects present at the end are kept for
    good.
    """
    with beside_calls():
        try:
            yield
        finally:
            keep_for_good()


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


def _cannot_keep(past: ConfigHistory, error: OSError) -> None:
    logger.warning(
        "the change is in force, but the history of changes cannot be kept in %s (%s)",
        past.place,
        error.strerror or error,
    )
