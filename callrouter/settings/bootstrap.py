"""The router's own file with ``config: database``: it says where the configuration is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from callrouter.files import read_file
from callrouter.settings.builders.config_builder import check_source
from callrouter.settings.builders.database_url import check_database
from callrouter.settings.config_files import MOST_BYTES, ConfigSnapshot
from callrouter.settings.errors.problems import ConfigError, Findings, Nearest
from callrouter.settings.loaded import ALONE
from callrouter.settings.loader import validate
from callrouter.settings.yaml.pool_files import BOOTSTRAP
from callrouter.settings.yaml.source import read_document
from callrouter.settings.yaml.substitution import Substituter

_SAYS_DATABASE: Final = re.compile(rb"(?m)^config:[ \t]*[\"']?database\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """What the router's own file says of where the configuration is.

    Attributes:
        content: the file.
        database: the address of the database.
        pool: the pool in it.
    """

    content: bytes
    database: str = field(repr=False)
    pool: str


def read_bootstrap(folder: Path, environ: Mapping[str, str]) -> Bootstrap | None:
    """Return what the router's own file says; None: the configuration is in the folder's files.

    Args:
        folder: The configuration folder.
        environ: The environment for ``${NAME}``.

    Raises:
        ConfigError: The configuration is in the database, and the file has mistakes.
    """
    try:
        content = read_file(folder / BOOTSTRAP, MOST_BYTES)
    except OSError:
        return None  # reading the folder reports it
    if content is None or _SAYS_DATABASE.search(content) is None:
        return None
    return bootstrap_of(folder, content, environ)


def bootstrap_of(folder: Path, content: bytes, environ: Mapping[str, str]) -> Bootstrap:
    """Return what a router's own file says; see `read_bootstrap`."""
    findings = Findings()
    snapshot = ConfigSnapshot(
        folder=folder, contents={}, faults={}, files={}, bootstrap=content, version=1
    )
    document = read_document(snapshot, Substituter(folder, environ), findings)
    nearest = Nearest()
    root = validate(document, nearest)
    if root is not None:
        check_source(root, document, snapshot)
        check_database(root, document, nearest)
    if findings.errors or root is None:
        raise ConfigError(findings.errors, findings.error_count)
    pool = root.cluster.pool if root.cluster is not None else ALONE
    return Bootstrap(content=content, database=root.database, pool=pool)
