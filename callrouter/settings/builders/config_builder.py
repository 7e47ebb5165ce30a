"""Checks what `config:` says against how the files were read."""

from __future__ import annotations

from callrouter.model.text import phrase
from callrouter.settings.config_files import ConfigSnapshot
from callrouter.settings.extras import POSTGRESQL
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.source import Document


def check_source(root: RootOptions, document: Document, snapshot: ConfigSnapshot) -> None:
    """Report a configuration in the database that cannot be there, or was not read from there."""
    if root.config != "database":
        return
    if not root.database.startswith(POSTGRESQL):
        document.error(
            ("config",),
            phrase(
                "only-postgresql-database-can-keep-configuration",
                "only a PostgreSQL database can keep the configuration",
            ),
            phrase(
                "database-or-config-files",
                "database: postgresql://USER:PASSWORD@HOST/DATABASE, or config: files",
            ),
        )
    elif snapshot.bootstrap is None:
        document.error(
            ("config",),
            phrase(
                "files-folder-are-no-configuration-this",
                "the files of a folder are no configuration of this pool while it is in the database",
            ),
            phrase(
                "callrouter-config-push-dir-puts-files",
                "`callrouter config push DIR` puts files there",
            ),
        )
