"""Debian's Chromium without a window, and fonts, unpacked into the user's cache where the machine has none.

As the laboratory does with Asterisk: a private apt with the machine's own sources downloads what the machine
lacks, and `dpkg-deb -x` unpacks it. Nothing is installed, no maintainer's script is run, and root is not
needed. The packages are those of the machine's own release, so its C library fits them.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

PACKAGES = ("chromium-headless-shell", "fonts-noto-core", "fonts-noto-cjk", "libatomic1")
"""The last is for Playwright's Node.js; a small Debian does not have it."""
SHELL = "chromium-headless-shell"
"""The same engine without the browser's own windows, which take a third of the processor time of these tests."""
_FILES = Path("usr/lib/chromium")
"""Where the browser's program and its data are; Debian's packages share it."""
WITHIN = 600.0
_STATUS = "/var/lib/dpkg/status"
_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>{tree}/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{tree}/font-cache</cachedir>
  <alias><family>system-ui</family><prefer><family>Noto Sans</family><family>Noto Sans Arabic</family>
    <family>Noto Sans CJK SC</family></prefer></alias>
  <alias><family>sans-serif</family><prefer><family>Noto Sans</family><family>Noto Sans Arabic</family>
    <family>Noto Sans CJK SC</family></prefer></alias>
</fontconfig>
"""


class CannotUnpackError(RuntimeError):
    """The packages could not be had; the text says why."""


def place() -> Path:
    """Where it is unpacked: with the other things that can be fetched again."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callrouter"
    return cached / f"chromium-shell-{_release()}"


def _release() -> str:
    try:
        text = Path("/etc/os-release").read_text("utf-8")
    except OSError:
        return "unknown"
    found = re.search(r'^VERSION_CODENAME="?(\w+)', text, re.MULTILINE)
    return found[1] if found else "unknown"


def program(tree: Path) -> tuple[str, dict[str, str]]:
    """The path of the browser in a tree, and the environment that it needs."""
    # Before Debian 13 some packages have their libraries in /lib; PulseAudio's have a folder of their own.
    places = ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/pulseaudio")
    libraries = [str(path) for pattern in places for path in sorted(tree.glob(pattern))]
    environ = {
        "LD_LIBRARY_PATH": ":".join([*libraries, str(tree / _FILES)]),
        "FONTCONFIG_FILE": str(tree / "fonts.conf"),
    }
    return str(tree / _FILES / SHELL), environ


def make(say: Callable[[str], None]) -> None:
    """Unpack it, if another process does not just do so.

    Raises:
        CannotUnpackError: it could not be had.
    """
    tree = place()
    try:
        tree.parent.mkdir(parents=True, exist_ok=True)
        with tree.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if tree.is_dir():
                return
            with tempfile.TemporaryDirectory(prefix=".chromium-", dir=tree.parent) as work:
                _build(Path(work), say)
                (Path(work) / "tree").rename(tree)
                # Written for the place where it is now.
                (tree / "fonts.conf").write_text(_FONTS.format(tree=tree), "utf-8")
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotUnpackError(str(error)) from error


def _build(work: Path, say: Callable[[str], None]) -> None:
    for name in ("state/lists/partial", "cache/archives/partial", "tree"):
        (work / name).mkdir(parents=True)
    (work / "apt.conf").write_text(
        f'Dir::State "{work}/state";\nDir::State::status "{_STATUS}";\nDir::Cache "{work}/cache";\n'
        'APT::Install-Recommends "false";\nAPT::Sandbox::User "root";\nAcquire::Languages "none";\n'
        'Debug::NoLocking "true";\n'
    )
    apt = ["apt-get", "-q", "-y"]
    apt += _updated(apt, work)
    say("fetching Chromium and fonts from this machine's Debian mirror, at most 250 MB, once")
    _run([*apt, "--download-only", "install", *PACKAGES], work)
    packages = sorted((work / "cache/archives").glob("*.deb"))
    say(f"unpacking {len(packages)} packages")
    for package in packages:
        _run(["dpkg-deb", "-x", str(package), str(work / "tree")], work)
    if not Path(program(work / "tree")[0]).exists():
        raise CannotUnpackError("the packages have no Chromium in them")
    _complete(work / "tree" / _FILES)


def _complete(folder: Path) -> None:
    """Add what the machine has already of the browser's data: apt downloads only what it lacks.

    They are copies, which fit the program also when the machine gets a later version.
    """
    for own in (Path("/") / _FILES).glob("*"):
        if own.is_file() and own.name != "chromium" and not (folder / own.name).exists():
            shutil.copy2(own, folder / own.name)


def _updated(apt: list[str], work: Path) -> list[str]:
    """Read the mirror's index, also a frozen mirror's, whose signature is checked all the same."""
    try:
        _run([*apt, "update"], work)
    except CannotUnpackError as error:
        if "is expired" not in str(error):
            raise
        late = ["-o", "Acquire::Check-Valid-Until=false"]
        _run([*apt, *late, "update"], work)
        return late
    return []


def _run(words: list[str], work: Path) -> None:
    program_path = shutil.which(words[0])
    if program_path is None:
        raise CannotUnpackError(f"there is no {words[0]} on this machine")
    done = subprocess.run(
        [program_path, *words[1:]],
        env={**os.environ, "APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=WITHIN,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise CannotUnpackError(f"{' '.join(words[:4])}: {said[-500:]}")
