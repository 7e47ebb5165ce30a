"""The settings of a folder for commands that read them without a daemon, wherever they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from callrouter.config_source.config_sources import DatabaseSource, FolderSource, source_of
from callrouter.config_source.version_table import NoVersionError
from callrouter.settings import ConfigError, Problem, Settings, load_snapshot
from callrouter.settings.config_files import ConfigSnapshot
from callrouter.settings.yaml.pool_files import BOOTSTRAP
from callrouter.store.location import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentConfig:
    """A configuration as it is now.

    Attributes:
        source: where it comes from.
        snapshot: the files.
        away: why the database could not be read, so that this is what this router had last in force;
            empty: it is what the source has.
    """

    source: FolderSource | DatabaseSource
    snapshot: ConfigSnapshot
    away: str = ""

    def settings(self, environ: Mapping[str, str], *, now: float | None = None) -> Settings:
        """Return the settings in the files; see `load_snapshot`.

        Raises:
            ConfigError: there are mistakes.
        """
        return load_snapshot(self.snapshot, environ=environ, now=now)

    def unread(self) -> tuple[Problem, ...]:
        """Return a warning for each file of the folder that is not read."""
        if isinstance(self.source, FolderSource):
            return ()
        text = "is not read: with config: database, this is in the database"
        hint = "delete it, or put it there with `callrouter config push`"
        return tuple(Problem(name, 0, 0, text, hint) for name in self.source.unread_files())


class ConfigAwayError(ConfigError):
    """The database with the configuration cannot be asked, so it is not known what that is."""


def current_config(folder: Path, environ: Mapping[str, str]) -> CurrentConfig:
    """Return the configuration of a folder.

    Raises:
        ConfigAwayError: the database with it cannot be asked, and there is none on the disk.
        ConfigError: it is in the database, and the router's own file has mistakes, or there is no
            version, neither in the database nor on the disk.
    """
    source = source_of(folder, environ)
    try:
        return CurrentConfig(source=source, snapshot=source.snapshot())
    except StoreError as error:
        good = source.history.last_good(folder) if isinstance(source, DatabaseSource) else None
        if good is None:
            raise no_config(error) from error
        return CurrentConfig(source=source, snapshot=good, away=str(error))


def no_config(error: StoreError) -> ConfigError:
    """Return the error of a router that has no configuration: there is none, or the database is away."""
    kind = ConfigError if isinstance(error, NoVersionError) else ConfigAwayError
    return kind([cannot_be_read(error)])


def cannot_be_read(error: StoreError) -> Problem:
    """Return the mistake of a router's own file that leads to no configuration."""
    return Problem(BOOTSTRAP, 0, 0, f"the configuration cannot be read: {error}")
