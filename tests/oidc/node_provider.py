"""A real provider of OpenID Connect: npm's `oidc-provider`, which is certified by the OpenID Foundation.

It is no part of the project: `python -m tests.oidc.node_provider` installs it, once, into the user's
cache, at the versions and digests of `package-lock.json`; `make test` does that. Where there is no
Node, the test is skipped and says so.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", "provider.mjs")


def folder() -> Path:
    """Where it is installed: another one for each content of `FILES`."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callrouter"
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES))
    return cached / f"oidc-provider-{digest.hexdigest()[:12]}"


def missing() -> str:
    """Why it cannot be used; empty if it can."""
    if shutil.which("node") is None:
        return "there is no node on this machine to run a provider of OpenID Connect with"
    if not (folder() / "node_modules").is_dir():
        return "the provider is not here: python -m tests.oidc.node_provider installs it"
    return ""


def install() -> str:
    """Have it; what is to be said of it.

    Raises:
        SystemExit: npm is there and could not do it.
    """
    if not missing():
        return "the provider of OpenID Connect is here"
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return (
            "SKIPPED: there is no Node with npm on this machine; the log-in through a real provider "
            "of OpenID Connect is not tried (all other tests are run)"
        )
    half = folder().with_name(f".{folder().name}.{os.getpid()}")
    half.mkdir(parents=True)
    for name in FILES:
        shutil.copy(HERE / name, half / name)
    words = [npm, "ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"]
    done = subprocess.run(words, cwd=half, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        shutil.rmtree(half)
        raise SystemExit(f"npm cannot install oidc-provider: {done.stderr.strip() or done.stdout}")
    shutil.rmtree(folder(), ignore_errors=True)
    half.rename(folder())
    return "npm has installed oidc-provider"


if __name__ == "__main__":
    sys.stdout.write(f"{install()}\n")
