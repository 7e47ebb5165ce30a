"""Whether the daemon may write the configuration where it comes from."""

from __future__ import annotations

import os

from callrouter.config_source.config_sources import DatabaseSource, FolderSource
from callrouter.model.text import phrase
from callrouter.settings.config_files import owner_name


def why_not_writable(source: FolderSource | DatabaseSource) -> str:
    """Return why the daemon cannot save a configuration, and what to do; empty: it can."""
    if isinstance(source, DatabaseSource):
        return source.why_not_writable()
    folder = source.folder
    if os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        return ""
    user = owner_name(os.geteuid())
    return phrase(
        "folder-not-writable",
        "the daemon runs as {user}, who may not write in the configuration folder; give {user} "
        "that right ({manual}), or edit the files on the server",
        user=user,
        manual="docs/operator.md, “Editing on the page”",
    )
