"""A router's folder whose configuration is in the database, and the pool's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from callrouter.config_source.config_sources import DatabaseSource, source_of
from callrouter.settings.config_change import Change
from callrouter.settings.config_files import ConfigFile
from callrouter.store.location import Address

SITE = "pbx: {office: {driver: simulated}}\nhttp: {public_url: 'https://calls.example.com'}\n"
AGENTS = "agents:\n  alice: {devices: {desk: PJSIP/1001}}\n  bob: {devices: {desk: PJSIP/1002}}\n"
QUEUES = "queues:\n  support: {agents: [alice, bob], on_nobody: wait}   # the big one\n"
FILES = {"site.yaml": SITE, "agents.yaml": AGENTS, "queues.yaml": QUEUES}


def bootstrap(address: Address, name: str = "north-1", more: str = "") -> str:
    return (
        f'database: "{address.url}"\n'
        f"cluster: {{name: {name}, pool: {address.pool}, url: 'http://127.0.0.1:8080'}}\n"
        f"config: database\n{more}"
    )


def node(folder: Path, address: Address, name: str = "north-1", more: str = "") -> Path:
    """A router's folder with its own file."""
    made = folder / name
    made.mkdir()
    (made / "callrouter.yaml").write_text(bootstrap(address, name, more))
    return made


def environ(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "STATE_DIRECTORY": str(folder)}


def source(folder: Path) -> DatabaseSource:
    found = source_of(folder, environ(folder))
    assert isinstance(found, DatabaseSource)
    return found


def made_files(texts: Mapping[str, str]) -> dict[str, ConfigFile]:
    return {name: ConfigFile(text.encode(), 0o640, "") for name, text in texts.items()}


def stored(
    found: DatabaseSource,
    texts: Mapping[str, str],
    *,
    who: str = "sam",
    lines: tuple[str, ...] = (),
    confirmed: bool = False,
    after: int | None = None,
) -> Change:
    """A new version, whatever the files say."""
    return found.store(
        made_files(texts),
        after=found.table.newest_number() if after is None else after,
        who=who,
        how="push",
        lines=lines,
        removed_queues=(),
        confirmed=confirmed,
    )
