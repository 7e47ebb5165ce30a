"""Making a private Debian tree with a current Asterisk, without root and without touching the system.

Debian 12 has no Asterisk; sid does. A private apt - its own state, cache and sources - resolves the
packages against an empty package status, and `dpkg-deb -x` unpacks them; no maintainer script runs.
The mirror and its key are those the machine itself uses. `debootstrap` is the way out if that fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shlex
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

from callrouter.lab.sources import AptSource, find_source

Progress = Callable[[str], None]
_RELEASE = "sid"
_PACKAGES = (
    "asterisk",
    "asterisk-core-sounds-en-gsm",
    "asterisk-moh-opsound-gsm",
    "ca-certificates",
    "libc-bin",
)
_LIMIT_S = 300
_UNPACKERS = 2
_BINARY = "usr/sbin/asterisk"


class TreeError(RuntimeError):
    """The tree could not be made; the text says what failed."""


async def make_tree(tree: Path, progress: Progress) -> None:
    """Make `tree`, or wait for another process that is making it.

    It appears under its name only when complete; a half-made one is removed.

    Raises:
        TreeError: neither way worked.
    """
    tree.parent.mkdir(parents=True, exist_ok=True)
    lock = await _lock(tree.with_suffix(".lock"), progress)
    try:
        work = await asyncio.to_thread(_prepare, tree)
        if work is None:
            return
        try:
            await _build(work, progress)
            (work / "tree").rename(tree)
            progress(f"Asterisk is ready in {tree}")
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
    finally:
        os.close(lock)


def _prepare(tree: Path) -> Path | None:
    """An empty folder to work in; None if the tree has been made meanwhile."""
    if tree.is_dir():
        return None
    for stale in tree.parent.glob(f".{tree.name}-*"):
        shutil.rmtree(stale, ignore_errors=True)  # we hold the lock: whoever began it is dead
    return Path(tempfile.mkdtemp(prefix=f".{tree.name}-", dir=tree.parent))


async def _lock(path: Path, progress: Progress) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    told = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                progress("another callrouter is fetching Asterisk; waiting for it")
                told = True
            await asyncio.sleep(0.5)
        except BaseException:
            os.close(lock)
            raise
        else:
            return lock


async def _build(work: Path, progress: Progress) -> None:
    source = await asyncio.to_thread(find_source)
    if source is None:
        raise TreeError("this machine has no Debian mirror among its apt sources")
    progress(f"fetching Asterisk from Debian {_RELEASE} ({source.uri}), about 90 MB, once")
    try:
        await _by_apt(work, source, progress)
    except TreeError as error:
        progress(f"a private apt did not work ({error}); trying debootstrap")
        await asyncio.to_thread(shutil.rmtree, work / "tree", ignore_errors=True)
        await _by_debootstrap(work, source, progress)
    if not (work / "tree" / _BINARY).exists():
        raise TreeError("the tree was made, but has no Asterisk in it")


async def _by_apt(work: Path, source: AptSource, progress: Progress) -> None:
    for name in ("state/lists/partial", "cache/archives/partial", "parts", "sources", "tree"):
        (work / name).mkdir(parents=True)
    (work / "state/status").touch()
    (work / "sources/sid.sources").write_text(source.stanza(_RELEASE))
    settings = await _run("apt-config", "dump")
    (work / "apt.conf").write_text(_apt_conf(work, settings))
    apt = ["apt-get", "-q", "-y"]
    environment = {"APT_CONFIG": str(work / "apt.conf")}
    try:
        await _run(*apt, "update", more=environment)
    except TreeError as error:
        if "is expired" not in str(error):
            raise
        # A frozen mirror. Its signature is still checked; debootstrap does not look at the date either.
        progress(
            "this mirror's index is past its date (a frozen mirror?); its signature is checked"
        )
        apt += ["-o", "Acquire::Check-Valid-Until=false"]
        await _run(*apt, "update", more=environment)
    progress("downloading the packages")
    await _run(*apt, "--download-only", "install", *_PACKAGES, more=environment)
    packages = sorted((work / "cache/archives").glob("*.deb"))
    progress(f"unpacking {len(packages)} packages")
    slots = asyncio.Semaphore(_UNPACKERS)

    async def unpack(package: Path) -> None:
        async with slots:
            await _run("dpkg-deb", "-x", str(package), str(work / "tree"))

    # Not a TaskGroup: it would wrap the one TreeError that tells a person what failed.
    results = await asyncio.gather(*map(unpack, packages), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _apt_conf(work: Path, settings: str) -> str:
    """Our folders, and of the system's settings only how to reach the network: no hooks, no pins."""
    network = [
        line
        for line in settings.splitlines()
        if line.startswith(("Acquire::http", "Acquire::https", "Acquire::Retries"))
    ]
    machine = re.search(r'^APT::Architecture "([^"]+)"', settings, re.MULTILINE)
    if machine is not None:  # and no foreign one the machine may have beside it
        network.append(f'APT::Architectures {{ "{machine[1]}"; }};')
    ours = {
        "Dir::State": work / "state",
        "Dir::State::status": work / "state/status",
        "Dir::Cache": work / "cache",
        "Dir::Etc::Parts": work / "parts",
        "Dir::Etc::Main": "/dev/null",
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": work / "sources",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": work / "parts",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        # The unprivileged user _apt could not write below a home folder.
        "APT::Sandbox::User": "root",
    }
    return "\n".join([*network, *(f'{key} "{value}";' for key, value in ours.items()), ""])


async def _by_debootstrap(work: Path, source: AptSource, progress: Progress) -> None:
    if os.getuid() != 0:
        raise TreeError("debootstrap needs root")
    if shutil.which("debootstrap") is None:
        progress("installing debootstrap")
        with contextlib.suppress(TreeError):
            await _run("apt-get", "-q", "update")
        await _run("apt-get", "-q", "-y", "--no-install-recommends", "install", "debootstrap")
    progress("unpacking a small Debian with debootstrap; this takes a minute or two")
    keyring = ("--keyring", source.keyring) if source.keyring else ()
    include = "--include=" + ",".join(_PACKAGES)
    tree = str(work / "tree")
    await _run("debootstrap", "--variant=minbase", *keyring, include, _RELEASE, tree, source.uri)


async def _run(*command: str, more: dict[str, str] | None = None) -> str:
    """The command's standard output; raises TreeError with the end of what it said."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **(more or {})}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # so that it can be ended with its children
        )
    except FileNotFoundError as error:
        raise TreeError(f"there is no {command[0]} on this machine") from error
    try:
        async with asyncio.timeout(_LIMIT_S):
            output, complaint = await process.communicate()
    except BaseException as error:
        await _end(process)
        if isinstance(error, TimeoutError):
            raise TreeError(f"{shlex.join(command)[:80]} took longer than {_LIMIT_S} s") from error
        raise
    if process.returncode != 0:
        said = complaint.decode(errors="replace").strip() or output.decode(errors="replace").strip()
        raise TreeError(f"{shlex.join(command)[:80]}: {said[-600:]}")
    return output.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it and its children; debootstrap unmounts what it has mounted if it is asked politely."""
    for number, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await process.communicate()
                return
