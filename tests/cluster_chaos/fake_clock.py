"""Wall clocks of programs that are not Python: Debian's libfaketime, fetched as the laboratory fetches Asterisk.

A time namespace moves no wall clock, and the machine's own is shared by all. The library answers for one program
what the kernel says plus so many seconds; its monotonic clock stays the kernel's. Nothing is installed: the
package is unpacked into the cache. Where it cannot be had, these programs have the machine's time, and the run
says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

_PACKAGE = "libfaketime"
LIBRARY = "libfaketimeMT.so.1"


@cache
def library() -> Path | None:
    """The library, fetched if need be; None if it cannot be had."""
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callrouter"
    kept = place / LIBRARY
    if kept.exists():
        return kept
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="crx-fetch-") as name:
        here = Path(name)
        here.chmod(0o755)
        for words in (["apt-get", "download", _PACKAGE], ["dpkg-deb", "-x", "*.deb", "tree"]):
            found = [str(path) for path in here.glob("*.deb")]
            command = [part for word in words for part in (found if word == "*.deb" else [word])]
            try:
                done = subprocess.run(
                    command, cwd=here, capture_output=True, timeout=60, check=False
                )
            except (OSError, subprocess.TimeoutExpired):
                return None
            if done.returncode:
                return None
        for path in here.rglob(LIBRARY):
            shutil.copy(path, kept.with_suffix(f".{os.getpid()}"))
            kept.with_suffix(f".{os.getpid()}").replace(kept)  # at once, whatever else fetches it
            return kept
    return None


def environ(seconds: int, copy: Path | None = None) -> dict[str, str]:
    """The environment of a program whose wall clock is so many seconds off; empty without the library.

    `copy` is a readable copy of the library, for a program of another user.
    """
    found = library()
    if found is None or not seconds:
        return {}
    found = copy or found
    return {
        "LD_PRELOAD": str(found),
        "FAKETIME": f"{seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
