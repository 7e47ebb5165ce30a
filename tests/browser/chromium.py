"""The browser of these tests: Debian's Chromium without a window, the machine's own or unpacked in the cache.

`python -m tests.browser.chromium` has one ready, with axe-core; `make test` runs it. Playwright's own
builds of browsers are not used: one that a distribution keeps up to date is what people have.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from tests.browser import unpacked

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--renderer-process-limit=2",
    "--js-flags=--max-old-space-size=512",
)
"""It asks no other host for anything, and has its limits."""


@dataclass(frozen=True)
class Chromium:
    """A browser that runs on this machine.

    Attributes:
        path: of its program.
        environ: in which it runs, besides ours.
        version: as it says itself.
    """

    path: str
    environ: Mapping[str, str] = field(default_factory=dict)
    version: str = ""


@cache
def find() -> Chromium | None:
    """The browser to use: `$CALLROUTER_CHROMIUM`, one without a window, or one with. None: none."""
    given = os.environ.get("CALLROUTER_CHROMIUM")
    if given:
        return tried(Chromium(given))
    return _windowless() or _first(*NAMES)


def _windowless() -> Chromium | None:
    """The machine's own, or the one in the cache."""
    return _first(unpacked.SHELL) or tried(Chromium(*unpacked.program(unpacked.place())))


def _first(*names: str) -> Chromium | None:
    for path in (shutil.which(name) for name in names):
        if path and (found := tried(Chromium(path))):
            return found
    return None


def tried(browser: Chromium) -> Chromium | None:
    """The browser with its version; None: it does not run here."""
    try:
        done = subprocess.run(
            [browser.path, "--version", "--no-sandbox"],
            env={**os.environ, **browser.environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return Chromium(browser.path, browser.environ, done.stdout.strip())


def missing() -> str:
    """Why there is no browser; empty if there is one."""
    if find() is not None:
        return ""
    return (
        "there is no Chromium on this machine: apt-get install chromium fonts-noto-core "
        "fonts-noto-cjk, or set CALLROUTER_CHROMIUM to one"
    )


def main() -> int:
    """Have a browser, unpacked in the cache if need be, and say which. Returns 0 always."""
    if not os.environ.get("CALLROUTER_CHROMIUM") and _windowless() is None:
        try:
            unpacked.make(_say)
        except unpacked.CannotUnpackError as error:
            _say(f"Chromium could not be unpacked: {error}")
        find.cache_clear()
    found = find()
    _say(
        f"{found.version} ({found.path})"
        if found
        else f"SKIPPED: {missing()}; the page is not tested in a browser (all other tests are run)"
    )
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
