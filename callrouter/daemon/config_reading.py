"""Reads the configuration files in a thread, and compares them with the settings in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from callrouter.background import beside_calls, keep_for_good
from callrouter.settings import Settings, load_snapshot
from callrouter.settings.config_files import ConfigFiles, ConfigSnapshot
from callrouter.settings.diff.settings_diff import bounded, differences
from callrouter.settings.removals import gone_queues, losses


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReading:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What a reading is compared with.

    Attributes:
        settings: The settings in force.
        files: The files they were read from.
        at_start: The settings that the daemon was started with.
    """

    settings: Settings
    files: ConfigFiles
    at_start: Settings


def compare(
    snapshot: ConfigSnapshot,
    now_used: InForce,
    *,
    environ: Mapping[str, str],
    now: float,
    base: Path,
) -> ConfigReading:
    """Return the settings in the files, and what they would change.

    Args:
        snapshot: The files.
        now_used: What to compare them with.
        environ: The environment for ``${NAME}``.
        now: The time (epoch seconds).
        base: The folder to which paths in the files are relative.

    Raises:
        ConfigError: The files have mistakes.
    """
    old, started = now_used.settings, now_used.at_start
    with beside_calls():
        settings = load_snapshot(snapshot, environ=environ, now=now, base=base)
        # Unchanged agents and queues stay the same objects: the core compares by identity.
        settings = replace(settings, table=settings.table.reusing(old.table))
        found = differences(old, settings)
        lines = [str(each) for each in found]
        since_start = found if old is started else differences(started, settings)
        return ConfigReading(
            settings=settings,
            snapshot=snapshot,
            lines=bounded(lines),
            applied=bounded([each.text for each in found if not each.needs_restart]),
            restart=tuple(each.text for each in since_start if each.needs_restart),
            losses=losses(
                old.table,
                settings.table,
                before=now_used.files,
                after=snapshot.files,
                lines=lines,
            ),
            removed_queues=tuple(gone_queues(old.table, settings.table)),
        )


@contextmanager
def for_good_beside_calls() -> Iterator[None]:
    """Read or apply settings that stay, without delaying calls on the loop.

    Use this only for settings that will be in force: all objects present at the end are kept for
    good.
    """
    with beside_calls():
        yield
        keep_for_good()  # not after an error: what was read then is dropped
