"""Prometheus's own checker of rules: the system's, or one unpacked from Debian's package beside the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class NoPromtoolError(Exception):
    """There is none, and it could not be fetched; the text says why."""


def find_promtool() -> Path:
    """Return promtool. It is fetched once (19 MB) and not installed."""
    if found := shutil.which("promtool"):
        return Path(found)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callrouter"
    promtool = cache / "prometheus/usr/bin/promtool"
    if not promtool.exists():
        if shutil.which("apt-get") is None:
            raise NoPromtoolError("no promtool here, and no apt-get to fetch it with")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".prometheus-", dir=cache) as folder:
            _run("apt-get", "-q", "download", "prometheus", cwd=Path(folder))
            (package,) = Path(folder).glob("prometheus_*.deb")
            _run("dpkg-deb", "-x", str(package), f"{folder}/tree", cwd=Path(folder))
            shutil.rmtree(cache / "prometheus", ignore_errors=True)
            (Path(folder) / "tree").rename(cache / "prometheus")
    return promtool


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoPromtoolError(f"no promtool here, and {' '.join(command[:3])} says: {done.stderr}")
