"""What a daemon starts with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from callrouter.config_source.config_sources import DatabaseSource, FolderSource
from callrouter.model.routing_table import QueueSpec
from callrouter.settings import Problem, Settings
from callrouter.settings.config_files import ConfigFiles, ConfigSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConfig:
    """What a daemon starts with.

    Attributes:
        settings: The current settings or, if `problems`, `held` or `away` is not empty, the last good
            ones.
        files: The files that they were read from.
        snapshot: The files as they are now.
        source: Where the configuration comes from.
        problems: What is wrong with the files of now.
        held: What the files in the folder have lost without confirmation.
        removed: Recently removed queues, in which callers may still be waiting.
        away: Why the database that has the configuration cannot be read; empty: it could be, or the
            configuration is in files.
    """

    settings: Settings
    files: ConfigFiles
    snapshot: ConfigSnapshot
    source: FolderSource | DatabaseSource
    problems: tuple[Problem, ...] = ()
    held: tuple[str, ...] = ()
    removed: Mapping[str, QueueSpec] = field(default_factory=dict)
    away: str = ""
