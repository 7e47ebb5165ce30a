"""Where the daemon keeps its state: the database's folder, or another one that it may write to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SYSTEM_STATE: Final = Path("/var/lib/callrouter")
"""The path of systemd's ``StateDirectory=callrouter``."""


def state_candidates(folder: Path, database: str, environ: Mapping[str, str]) -> list[Path]:
    """Return the folders where the state of a configuration may be, best first.

    Args:
        folder: The configuration folder.
        database: The configured database: a path, relative to `folder`, or an address.
        environ: The environment: ``STATE_DIRECTORY`` (systemd), ``XDG_STATE_HOME`` and ``HOME``.
    """
    found = [folder if "://" in database else (folder / database).parent]
    if state := environ.get("STATE_DIRECTORY"):
        found.append(Path(state.split(":")[0]))
    own = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "/")) / ".local/state"
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    found.append(Path(own) / "callrouter" / digest)  # one for each configuration
    return found


def state_folder(folder: Path, database: str, environ: Mapping[str, str]) -> Path:
    """Return the folder for a configuration's state: the first of the candidates we may write to.

    The last candidate, in the user's own folder, is returned unchecked and may not exist yet.
    """
    candidates = state_candidates(folder, database, environ)
    for place in candidates[:-1]:
        if os.access(place, os.W_OK | os.X_OK):
            return place
    return candidates[-1]
