"""The configuration in force, and taking up another one while calls are on."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from callrouter.api.backend import ConfigState, Outcome
from callrouter.api.tokens import Tokens
from callrouter.clock import Clock
from callrouter.daemon.holding import Holding, left_of_quiet, say_held
from callrouter.daemon.lastgood import Start
from callrouter.daemon.watch import EVERY, Watch
from callrouter.model.events import ConfigReloaded, Event
from callrouter.model.steps import steps
from callrouter.model.table import Table
from callrouter.settings import ConfigError, Settings, load
from callrouter.settings.describe import bounded, changes
from callrouter.settings.losses import losses, occupied
from callrouter.settings.past import (
    FOLDER,
    Change,
    File,
    Past,
    listing,
    owner_name,
    says,
    state_folder,
    take,
)
from callrouter.turns import short_turns

logger = logging.getLogger(__name__)

_RESTART: Final = " (needs a restart)"
"""How `changes` ends a line about what is not taken up while running."""
_PAUSE: Final = 0.002
"""Seconds between two steps of a large change, for calls and whatever else comes."""
_TRIES: Final = 5
"""Readings of files that change while they are being read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the files say at one moment, and what that changes."""

    settings: Settings
    files: dict[str, File]
    lines: tuple[str, ...]
    restart: tuple[str, ...]
    losses: tuple[str, ...]
    """What of that needs a second sign, whoever waits where."""


class Additions(Protocol):
    """Something that adds to the routing table what stands in no file."""

    def begin(self, settings: Settings) -> tuple[Table, Table]:
        """Other settings are being taken up: the table in force, and the one that is to be.

        Until `end`, no other table may be posted.
        """

    def end(self) -> None:
        """They are taken up."""


class Configuration:
    """Holds the settings in force.

    A good change is in force at once: the routing table as an event, the API tokens directly. What
    needs a restart is said. A bad one changes nothing and is said, until it is mended; one that takes
    away much waits for a second sign (`callrouter.daemon.holding`). What was applied is kept (see
    `callrouter.settings.past`).
    """

    def __init__(
        self, folder: Path, environ: Mapping[str, str], start: Start, clock: Clock
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
        self.callers: Callable[[], Mapping[str, int]] = dict
        """How many callers are in each queue now."""
        self._holding = Holding(self.state, clock)
        self.moved: Callable[[], None] = lambda: None
        """Called when another folder has taken the place of ours (a symbolic link was turned)."""
        self.additions: Additions | None = None
        """What is added to the tables of files while the daemon runs."""
        self._started_with = settings
        self._folder = folder
        self._environ = environ
        self._clock = clock
        self._files = dict(start.files)
        self._watch = Watch(folder)
        self._place = folder.resolve()
        self._reading = asyncio.Lock()
        self.past = Past(state_folder(folder, settings.database, environ) / FOLDER)

    def say_start(self) -> None:
        """Log that the files could not be used at the start, if that is so."""
        if not self.state.last_good:
            return
        for problem in self.state.problems:
            logger.error("%s", problem)
        if self.state.held:
            say_held(self.state)
        logger.error(
            "started with the last good configuration, and not with the files in %s, which %s",
            self.state.folder,
            f"have {mistakes(len(self.state.problems))}; mended, they are taken up within 2 s"
            if self.state.problems
            else "have lost something",
        )

    async def follow(self, post: Callable[[Event], None], tokens: Tokens) -> None:
        """Take up changes of the files until cancelled."""
        async with self._reading:
            await asyncio.to_thread(self._begin_history)
        while True:
            await asyncio.sleep(EVERY)
            try:
                if await asyncio.to_thread(self._watch.changed):
                    await self.reload(post, tokens)
                if self._folder.resolve() != self._place:
                    self._place = self._folder.resolve()
                    self.moved()
                self._holding.say()
            except Exception:
                # A fault of ours here must not be the last change that is ever noticed.
                logger.exception("the configuration could not be looked at")

    async def reload(
        self,
        post: Callable[[Event], None],
        tokens: Tokens,
        *,
        asked: bool = False,
        who: str = "",
        confirm: bool | None = None,
    ) -> Outcome:
        """Read the files and take up what they say.

        Args:
            post: where the new routing table goes.
            tokens: the API tokens in force.
            asked: a person wants to know the answer.
            who: that person; empty: the owners of the changed files.
            confirm: this is the second sign for what takes away much. Default: it is if a person asks.
        """
        confirm = asked if confirm is None else confirm
        async with self._reading:
            try:
                # In a thread: ten thousand agents take seconds to read, and calls come in the meantime.
                reading = await asyncio.to_thread(self._read, self._folder)
                if confirm and self._lost(reading):
                    reading = await self._when_quiet(reading)
            except ConfigError as error:
                self._refuse(error)
                await asyncio.to_thread(self._keep_held, {}, ())
                return Outcome(problems=error.problems)
            lost = self._lost(reading)
            if lost and not confirm:
                self.state.problems = ()
                self._holding.begin(lost)
                await asyncio.to_thread(self._keep_held, reading.files, lost)
                return Outcome(changes=reading.lines, warnings=reading.settings.warnings, held=lost)
            was_bad = bool(self.state.problems)
            await self._accept(reading, post, tokens)
            await asyncio.to_thread(self._remember, reading, who)
        for line in lost:
            logger.warning("configuration: confirmed%s: %s", f" by {who}" if who else "", line)
        if was_bad:
            logger.info("the configuration is good again")
        for line in reading.lines:
            if not line.endswith(_RESTART):  # `_accept` warns of those
                logger.info("configuration: %s", line)
        if asked and not reading.lines:
            logger.info("configuration: read again, nothing has changed")
        return Outcome(changes=reading.lines, warnings=reading.settings.warnings)

    async def diff(self, folder: Path | None) -> Outcome:
        """What the files in `folder` (None: our own) would change, put in the place of ours."""
        # What is read is dropped before the collector may look at it.
        with _COLLECTOR.off():
            try:
                reading = await asyncio.to_thread(self._read_plainly, folder or self._folder)
            except ConfigError as error:
                return Outcome(problems=error.problems)
            outcome = Outcome(
                changes=reading.lines,
                warnings=reading.settings.warnings,
                held=() if folder is not None else self._lost(reading),
            )
            del reading
        return outcome

    def _lost(self, reading: Reading) -> tuple[str, ...]:
        """What of a change waits for a second sign."""
        if self.settings.removals_at_once:
            return ()
        in_use = occupied(self.settings.table, reading.settings.table, self.callers())
        return (*in_use, *reading.losses)

    async def _when_quiet(self, reading: Reading) -> Reading:
        """The files as they are once nothing has changed them for a while, or does not end to.

        Raises:
            ConfigError: they have mistakes by then.
        """
        for _ in range(2):
            left = await asyncio.to_thread(left_of_quiet, self._folder, self._clock.now())
            if not left:
                break
            await asyncio.sleep(left)
            reading = await asyncio.to_thread(self._read, self._folder)
        return reading

    # ------------------------------------------------------------ in a thread

    def _read(self, folder: Path) -> Reading:
        """Read what may be taken up, and so may stay."""
        with _frozen():
            return self._read_plainly(folder)

    def _read_plainly(self, folder: Path) -> Reading:
        old, started = self.settings, self._started_with
        files = take(folder)
        with short_turns():
            for _ in range(_TRIES):
                settings = load(
                    folder, environ=self._environ, now=self._clock.now(), base=self._folder
                )
                again = take(folder)
                if says(listing(files)) == says(listing(again)):
                    break
                files = again
            settings = replace(settings, table=settings.table.reusing(old.table))
            lines = tuple(changes(old, settings))
            restart = tuple(
                line.removesuffix(_RESTART)
                for line in changes(started, settings)
                if line.endswith(_RESTART)
            )
            lost = losses(old.table, settings.table, before=self._files, after=files, lines=lines)
        return Reading(settings, files, bounded(lines), restart, lost)

    def _keep_held(self, files: Mapping[str, File], lines: tuple[str, ...]) -> None:
        """Let a later run know what is held back."""
        try:
            self.past.hold(files, lines)
        except OSError as error:
            logger.warning("what is held back cannot be noted in %s (%s)", self.past.place, error)

    def _remember(self, reading: Reading, who: str) -> None:
        before, self._files = self._files, reading.files
        try:
            self.past.hold({}, ())
            self.past.add(
                at=self._clock.now(),
                who=who or _owners(before, reading.files, self._folder),
                how="reload" if who else "file",
                lines=reading.lines,
                files=reading.files,
            )
        except OSError as error:
            _cannot_keep(self.past, error)

    def _begin_history(self) -> None:
        """Start where the last run ended; what was changed in between is a change as well."""
        try:
            before = self.past.begin(self._files)
            if self.state.held:
                self.past.hold(take(self._folder), self.state.held)
            if before is None or says(before) == says(listing(self._files)):
                return
            self.past.add(
                at=self._clock.now(),
                who=_owners({}, self._files, self._folder),
                how="start",
                lines=self._since_last_run(),
                files=self._files,
            )
        except OSError as error:
            _cannot_keep(self.past, error)

    def _since_last_run(self) -> tuple[str, ...]:
        try:
            with self.past.laid_out(self.past.head() or {}) as folder, _frozen():
                old = load(folder, environ=self._environ, base=self._folder)
                return bounded(changes(old, self._started_with))
        except (ConfigError, OSError):
            return ("changed while the daemon was not running",)

    # ------------------------------------------------------------ on the loop

    def _refuse(self, error: ConfigError) -> None:
        self.state.problems = error.problems
        self._holding.end()
        for problem in error.problems:
            logger.error("%s", problem)
        logger.error(
            "the configuration in %s has %s; what was in force stays in force",
            self._folder,
            mistakes(error.count),
        )

    async def _accept(
        self, reading: Reading, post: Callable[[Event], None], tokens: Tokens
    ) -> None:
        new = reading.settings
        if self.additions is None:
            before, after = self.settings.table, new.table
        else:
            before, after = self.additions.begin(new)
        if after != before:
            with _frozen():
                for table in steps(before, after):
                    post(ConfigReloaded(table=table, more=table is not after))
                    await asyncio.sleep(_PAUSE)
        if self.additions is not None:
            self.additions.end()
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
        tokens.use(new.http.api_tokens)


class Door:
    """The configuration as the API may ask about it (`callrouter.api.backend.Files`)."""

    def __init__(
        self, config: Configuration, post: Callable[[Event], None], tokens: Tokens
    ) -> None:
        self._config = config
        self._post = post
        self._tokens = tokens

    async def diff(self, folder: Path | None) -> Outcome:
        """See `Configuration.diff`."""
        return await self._config.diff(folder)

    async def reload(self, who: str, *, confirm: bool = True) -> Outcome:
        """See `Configuration.reload`."""
        return await self._config.reload(
            self._post, self._tokens, asked=True, who=who, confirm=confirm
        )

    def changes(self) -> list[Change]:
        """The changes that are kept, the newest first. Reads files: not for the loop."""
        return self._config.past.changes()


class _Collector:
    """Python's garbage collector, off while any reading is under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readings = 0
        self._was_on = False

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within it, and within any other that overlaps it, nothing is collected."""
        with self._lock:
            if self._readings == 0:
                self._was_on = gc.isenabled()
                gc.disable()
            self._readings += 1
        try:
            yield
        finally:
            with self._lock:
                self._readings -= 1
                if self._readings == 0 and self._was_on:
                    gc.enable()


_COLLECTOR: Final = _Collector()


@contextmanager
def _frozen() -> Iterator[None]:
    """Keep the reading of a large configuration from holding up calls on the loop.

    The garbage collector would walk a million new objects. What was made stays until it is dropped,
    which needs no collector: there are no cycles in it. And the loop gets its turn within half a
    millisecond instead of Python's five.

    Only for what is taken up: whatever else waits to be collected just then stays for good as well.
    """
    with _COLLECTOR.off():
        try:
            with short_turns():
                yield
        finally:
            gc.freeze()


def _owners(before: Mapping[str, File], after: Mapping[str, File], folder: Path) -> str:
    """Whose files have changed; of one that is gone the folder's owner."""
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


def _cannot_keep(past: Past, error: OSError) -> None:
    logger.warning(
        "the change is in force, but the history of changes cannot be kept in %s (%s)",
        past.place,
        error.strerror or error,
    )


def mistakes(count: int) -> str:
    """``1 mistake``, ``2 mistakes``."""
    return f"{count} mistake{'' if count == 1 else 's'}"
