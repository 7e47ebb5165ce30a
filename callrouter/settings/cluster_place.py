"""The pool of a configuration and its database, read without what else the configuration says.

An operator who moves a pool from one machine to another needs no more than that, and a typing
mistake in a queue must not be in the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from callrouter.model.text import Phrase
from callrouter.settings.bootstrap import read_bootstrap
from callrouter.settings.builders.database_url import check_database
from callrouter.settings.config_files import ConfigSnapshot, read_snapshot
from callrouter.settings.errors.problems import ConfigError, Findings, Nearest, quoted
from callrouter.settings.loader import validate
from callrouter.settings.yaml.reader import Section
from callrouter.settings.yaml.source import Document, read_document
from callrouter.settings.yaml.substitution import Substituter

_NEEDED: Final = ("cluster", "database")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlace:
    """What ``cluster:`` and ``database:`` say of a router.

    Attributes:
        name: of the router in its pool.
        pool: its pool.
        database: the address of the database.
    """

    name: str
    pool: str
    database: str = field(repr=False)


def read_cluster_place(folder: Path, environ: Mapping[str, str]) -> ClusterPlace | None:
    """Return the pool of a configuration folder and its database; None: it belongs to no cluster.

    Args:
        folder: The configuration folder.
        environ: The environment for ``${NAME}``.

    Raises:
        ConfigError: There are mistakes in these two sections, or a file cannot be read in which they
            may be.
    """
    bootstrap = read_bootstrap(folder, environ)
    snapshot = read_snapshot(folder)
    if bootstrap is not None:
        snapshot = ConfigSnapshot(
            folder=folder, contents={}, faults={}, files={}, bootstrap=bootstrap.content, version=1
        )
    findings = Findings()
    document = read_document(snapshot, Substituter(folder, environ), findings)
    if not _has_needed(document):
        raise ConfigError(findings.errors, findings.error_count)
    for name in [name for name in document.root if name not in _NEEDED]:
        del document.root[name]
    document.findings = own = Findings()
    nearest = Nearest()
    root = validate(document, nearest)
    if root is not None and root.cluster is not None:
        check_database(root, document, nearest)
    if own.errors or root is None:
        raise ConfigError(own.errors, own.error_count)
    if root.cluster is None:
        return None
    return ClusterPlace(name=root.cluster.name, pool=root.cluster.pool, database=root.database)


def _has_needed(document: Document) -> bool:
    """Whether both sections were read as they stand, or stand nowhere."""
    root = document.root
    if not (document.complete or all(name in root.at for name in _NEEDED)):
        return False
    for name in _NEEDED:
        section = root.get(name)
        if name in root.at and section is None:
            return False
        if isinstance(section, Section) and section.keys() != section.at.keys():
            return False
    needed = {quoted(name) for name in _NEEDED}
    return not any(
        isinstance(problem.text, Phrase)
        and problem.text.code == "section-twice"
        and problem.text.values["name"] in needed
        for problem in document.findings.errors
    )
