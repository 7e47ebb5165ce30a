"""Whether the daemon may write in the configuration folder."""

from __future__ import annotations

import os
from pathlib import Path

from callrouter.settings.config_files import owner_name


def why_not_writable(folder: Path) -> str:
    """Return why the daemon cannot write in a folder, and what to do; empty: it can."""
    if os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        return ""
    user = owner_name(os.geteuid())
    return (
        f"the daemon runs as {user}, who may not write in the configuration folder; give {user} "
        "that right (docs/operator.md, “Editing on the page”), or edit the files on the server"
    )
