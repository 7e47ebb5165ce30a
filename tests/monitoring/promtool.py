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
    promtool = cache / "promtool/usr/bin/promtool"
    if not promtool.exists():
        if shutil.which("apt-get") is None:
            raise NoPromtoolError("no promtool here, and no apt-get to fetch it with")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".promtool-", dir=cache) as folder:
            _unpack(Path(folder))
            shutil.rmtree(cache / "promtool", ignore_errors=True)
            (Path(folder) / "tree").rename(cache / "promtool")
    return promtool


def _unpack(folder: Path) -> None:
    """Unpack its package into `folder`/tree. It has one of its own since Debian 13."""
    try:
        _run("apt-get", "-q", "download", "promtool", cwd=folder)
    except NoPromtoolError:
        _run("apt-get", "-q", "download", "prometheus", cwd=folder)
    (package,) = folder.glob("prom*.deb")
    _run("dpkg-deb", "-x", str(package), f"{folder}/tree", cwd=folder)
    if not (folder / "tree/usr/bin/promtool").exists():
        raise NoPromtoolError(f"no promtool here, and none in {package.name}")


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoPromtoolError(f"no promtool here, and {' '.join(command[:3])} says: {done.stderr}")
