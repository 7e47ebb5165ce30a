"""The configuration in force, and how a new one is applied while calls are active."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from callrouter.api.access.sessions import Sessions
from callrouter.api.access.tokens import ApiTokens
from callrouter.api.context import ConfigReadResult, ConfigState
from callrouter.background import without_collection
from callrouter.clock import Clock
from callrouter.config_source.config_sources import DatabaseSource, history_of
from callrouter.config_source.current_settings import cannot_be_read
from callrouter.config_source.start_config import StartConfig
from callrouter.daemon.change_recorder import ChangeRecorder
from callrouter.daemon.config_reading import (
    ConfigReading,
    InForce,
    compare,
    for_good_beside_calls,
)
from callrouter.daemon.config_watch import EVERY, ConfigWatch
from callrouter.daemon.held_changes import HeldChanges, left_of_quiet, say_held
from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.model.events import ConfigReloaded, Event
from callrouter.model.routing_table import Table
from callrouter.model.staged_reload import steps
from callrouter.model.text import counted
from callrouter.settings import ConfigError
from callrouter.settings.config_change import Change
from callrouter.settings.config_files import ConfigSnapshot
from callrouter.settings.removals import removals_with_callers
from callrouter.store.location import StoreError

logger = logging.getLogger(__name__)

_PAUSE: Final = 0.002
"""Seconds between two steps of a large change, so that calls and other work get their turn."""

TakeUp: TypeAlias = Callable[[ConfigReading, str, str, tuple[str, ...]], Awaitable[Change | None]]
"""Applies a reading: who changed the files, how, and which losses the person has confirmed."""


class TableAdditions(Protocol):
    """A source of routing table entries that are in no file."""

    def begin_reload(self, numbers: NumberSettings, table: Table) -> tuple[Table, Table]:
        """Start applying new settings. Returns the table in force and the table to apply.

        No other table may be posted until `end_reload`.
        """

    def end_reload(self) -> None:
        """The new settings have been applied.

        Called on the loop after the last table was posted. Other tables may be posted from now on.
        """


class LiveConfig:
    """Holds the settings in force.

    A valid change takes effect at once: the routing table as an event, the API tokens directly.
    Changes that need a restart are logged. An invalid change has no effect and is logged until it
    is corrected. A change that removes a lot waits for confirmation (`callrouter.daemon.held_changes`).
    Applied changes are recorded (see `callrouter.settings.config_history`).
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        start: StartConfig,
        clock: Clock,
        *,
        post: Callable[[Event], None],
        tokens: ApiTokens,
        sessions: Sessions,
        callers: Callable[[], Mapping[str, int]],
        additions: TableAdditions | None = None,
        on_folder_replaced: Callable[[], None] = lambda: None,
        on_files_changed: Callable[[str, str, tuple[str, ...]], None] = lambda *_: None,
    ) -> None:
        """Begin with the settings that the daemon is started with.

        Args:
            folder: The configuration folder.
            environ: The environment for ``${NAME}``.
            start: What the daemon is started with.
            clock: The time.
            post: Receives each new routing table, as an event.
            tokens: The API tokens in force.
            sessions: Who is logged in at the page.
            callers: Returns the number of callers in each queue now.
            additions: Adds entries to the tables built from files.
            on_files_changed: See `ChangeRecorder`.
            on_folder_replaced: Called when another folder has replaced ours (a symbolic link now
                points elsewhere).
        """
        settings = self.settings = start.settings
        self.state = ConfigState(
            folder=str(folder),
            loaded_at=clock.now(),
            problems=start.problems,
            warnings=settings.warnings,
            held=start.held,
            last_good=bool(start.problems or start.held or start.away),
            in_database=isinstance(start.source, DatabaseSource),
            version=0 if start.problems else start.snapshot.version,
            away=start.away,
        )
        self.source = start.source
        self._post = post
        self._tokens = tokens
        self._sessions = sessions
        self._callers = callers
        self._additions = additions
        self._on_folder_replaced = on_folder_replaced
        self._held_changes = HeldChanges(self.state, clock)
        self._started_with = settings
        self.folder = folder
        self._environ = environ
        self._clock = clock
        self._watch = ConfigWatch(start.source, start.snapshot)
        self._place = folder.resolve()
        self._reading = asyncio.Lock()
        self._reads = 0
        """How often a reload has read the files by itself."""
        self.history = history_of(start.source, settings.database, environ)
        self._recorder = ChangeRecorder(
            self.history, folder, environ, start, clock, on_files_changed=on_files_changed
        )

    def say_start(self) -> None:
        """Log that the files could not be used at the start, if so, and which are not read at all.

        Nothing is logged if the files in the folder are in force.
        """
        if isinstance(self.source, DatabaseSource):
            for name in self.source.unread_files():
                logger.warning("%s is not read: the configuration is in the database", name)
        if not self.state.last_good:
            return
        for problem in self.state.problems:
            logger.error("%s", problem)
        if self.state.held:
            say_held(self.state)
        if self.state.away:
            text = (
                "started with the last good configuration; that in the database cannot be read: %s"
            )
            logger.error(text, self.state.away)
            return
        logger.error(
            "started with the last good configuration, and not with the files in %s, which %s",
            self.state.folder,
            f"have {counted(len(self.state.problems), 'mistake')}; once fixed, they are loaded within 2 s"
            if self.state.problems
            else "have lost something",
        )

    async def follow(self) -> None:
        """Apply changes of the files until cancelled.

        First it records what was changed between the last run and this one. A fault of ours is
        logged and does not end it.
        """
        async with self._reading:
            await asyncio.to_thread(self._recorder.begin, self._started_with, self.state.held)
        while True:
            await asyncio.sleep(EVERY)
            try:
                reads = self._reads
                snapshot = await asyncio.to_thread(self._watch.changed)
                self._say_away()
                if snapshot is not None:
                    # While the watch read, a person may have asked for a reload, which reads newer
                    # files. The older ones must not be applied after them.
                    overtaken = self._reading.locked() or self._reads != reads
                    await self.reload(snapshot=None if overtaken else snapshot)
                if self.folder.resolve() != self._place:
                    self._place = self.folder.resolve()
                    self._on_folder_replaced()
                self._held_changes.say()
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
                if confirm and self._lost_by_others(reading) and not reading.snapshot.version:
                    reading = await self._when_quiet(reading)
            except ConfigError as error:
                self._refuse(error)
                await asyncio.to_thread(self._recorder.hold, {}, ())
                return ConfigReadResult(problems=error.problems)
            except StoreError as error:
                return ConfigReadResult(problems=(cannot_be_read(error),))
            lost = self._lost_by_others(reading)
            if lost and not confirm:
                self.state.problems = ()
                self._held_changes.begin(lost)
                await asyncio.to_thread(self._recorder.hold, reading.snapshot.files, lost)
                return ConfigReadResult(
                    changes=reading.lines, warnings=reading.settings.warnings, held=lost
                )
            await self._take_up(reading, who, "reload" if who else "file", lost)
        if asked and not reading.lines:
            logger.info("configuration: read again, nothing has changed")
        return ConfigReadResult(changes=reading.lines, warnings=reading.settings.warnings)

    @asynccontextmanager
    async def editing(self) -> AsyncIterator[TakeUp]:
        """Keep all others from applying files while a person's edit is checked and written.

        Yields:
            What applies a reading of the written files, records it and returns the change.
        """
        async with self._reading:
            yield self._take_up

    async def _take_up(
        self, reading: ConfigReading, who: str, how: str, lost: tuple[str, ...]
    ) -> Change | None:
        """Apply a reading and record it; None: nothing has changed, or it cannot be recorded."""
        was_bad = bool(self.state.problems)
        await self._accept(reading)
        change = await asyncio.to_thread(self._recorder.record, reading, who, how)
        if self.state.in_database and change is not None:
            self.state.version = change.number
        for line in lost:
            logger.warning("configuration: confirmed%s: %s", f" by {who}" if who else "", line)
        if was_bad:
            logger.info("the configuration is good again")
        for line in reading.applied:  # `_accept` logs the others
            logger.info("configuration: %s", line)
        return change

    async def diff(self, folder: Path | None) -> ConfigReadResult:
        """Return what the files in `folder` (None: our own) would change if they replaced ours.

        Nothing is applied or recorded. Mistakes in the files are in the answer and are not raised.
        ``held`` is always empty for another folder.
        """
        # Drop the result of the read before the garbage collector runs again.
        with without_collection():
            try:
                reading = await asyncio.to_thread(self._compare, folder)
            except ConfigError as error:
                return ConfigReadResult(problems=error.problems)
            except StoreError as error:
                return ConfigReadResult(problems=(cannot_be_read(error),))
            outcome = ConfigReadResult(
                changes=reading.lines,
                warnings=reading.settings.warnings,
                held=() if folder is not None else self._lost_by_others(reading),
            )
            del reading
        return outcome

    def lost(self, reading: ConfigReading) -> tuple[str, ...]:
        """Return the losses of a change that still need confirmation."""
        if self.settings.removals_at_once:
            return ()
        in_use = removals_with_callers(self.settings.table, reading.settings.table, self._callers())
        return (*in_use, *reading.losses)

    def _lost_by_others(self, reading: ConfigReading) -> tuple[str, ...]:
        """Return the losses of files that others have put in place, which still need confirmation.

        What a version in the database takes away was confirmed when it was stored, but for callers: only
        the router that has them knows of them.
        """
        if reading.snapshot.confirmed or (
            reading.snapshot.version and self.settings.removals_at_once
        ):
            return ()
        if reading.snapshot.version:
            old, new = self.settings.table, reading.settings.table
            return removals_with_callers(old, new, self._callers())
        return self.lost(reading)

    async def _when_quiet(self, reading: ConfigReading) -> ConfigReading:
        """Return the files once they have been stable for a while, or attempts run out.

        Raises:
            ConfigError: the files have mistakes by then.
        """
        for _ in range(2):
            left = await asyncio.to_thread(left_of_quiet, self.folder, self._clock.now())
            if not left:
                break
            await asyncio.sleep(left)
            reading = await asyncio.to_thread(self._read)
        return reading

    # ------------------------------------------------------------ in a thread

    def _read(self, snapshot: ConfigSnapshot | None = None) -> ConfigReading:
        """Read settings that may be applied and may therefore be stored."""
        with for_good_beside_calls():
            if snapshot is None:
                self._reads += 1
                snapshot = self.source.snapshot()
            return self.reading_of(snapshot)

    def _compare(self, folder: Path | None) -> ConfigReading:
        """Read settings only to see what they would change."""
        source = self.source
        return self.reading_of(source.snapshot() if folder is None else source.as_if(folder))

    def reading_of(self, snapshot: ConfigSnapshot) -> ConfigReading:
        """Return the settings in the files of a snapshot, and what they would change.

        It takes as long as a reload: call it in a thread.

        Raises:
            ConfigError: the files have mistakes.
        """
        now_used = InForce(
            settings=self.settings, files=self._recorder.files, at_start=self._started_with
        )
        return compare(
            snapshot,
            now_used,
            environ=self._environ,
            now=self._clock.now(),
            base=self.folder,
        )

    # ------------------------------------------------------------ on the loop

    def _refuse(self, error: ConfigError) -> None:
        self.state.problems = error.problems
        self._held_changes.end()
        for problem in error.problems:
            logger.error("%s", problem)
        where = self.folder if not self.state.in_database else "the database"
        logger.error(
            "the configuration in %s has %s; what was in force stays in force",
            where,
            counted(error.count, "mistake"),
        )

    def _say_away(self) -> None:
        """Say when the configuration in the database cannot be read any more, and when it can again."""
        away = self.source.trouble if isinstance(self.source, DatabaseSource) else ""
        before, self.state.away = self.state.away, away
        if away and not before:
            logger.error("newer configurations in the database cannot be read: %s", away)
        elif before and not away:
            logger.info("the configuration in the database can be read again")
            self.state.last_good = bool(self.state.problems or self.state.held)

    async def _accept(self, reading: ConfigReading) -> None:
        new = reading.settings
        if self._additions is None:
            before, after = self.settings.table, new.table
        else:
            before, after = self._additions.begin_reload(new.numbers, new.table)
        if after != before:
            with for_good_beside_calls():
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
        self._held_changes.end()
        self.state.warnings = new.warnings
        self.state.loaded_at = self._clock.now()
        self.state.version = reading.snapshot.version
        self._tokens.use(new.http.api_tokens)
        self._sessions.use(new)


class ConfigAccess:
    """Gives the API access to the configuration (`callrouter.api.context.ConfigFilesAccess`)."""

    def __init__(self, config: LiveConfig) -> None:
        self._config = config

    async def diff(self, folder: Path | None) -> ConfigReadResult:
        """See `LiveConfig.diff`."""
        return await self._config.diff(folder)

    async def reload(self, who: str, *, confirm: bool = True) -> ConfigReadResult:
        """See `LiveConfig.reload`.

        A person always asks here. `confirm` says whether the request also confirms a change that
        removes a lot.
        """
        return await self._config.reload(asked=True, who=who, confirm=confirm)

    def changes(self) -> list[Change]:
        """Return the recorded changes, newest first. Reads files, so do not call it on the loop."""
        return self._config.history.changes()
