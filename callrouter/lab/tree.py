"""Builds a private Debian tree with a current Asterisk, without root or changes to the system.

Debian 12 has no Asterisk; sid does. A private apt, with its own state, cache and sources, resolves
the packages against an empty package status, and `dpkg-deb -x` unpacks them; no maintainer script
runs. The mirror and its key are the machine's own. If that fails, `debootstrap` is used: the
machine's own, or one unpacked beside the tree. Nothing is installed into the system.
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
_OLDEST_DAYS = 400
"""Age in days from which a mirror's index is no longer accepted."""
_EXPIRED = re.compile(r"is expired \(invalid since (?:(\d+)d\b)?")


class TreeError(RuntimeError):
    """The tree could not be built; the text says what failed."""


async def make_tree(tree: Path, progress: Progress) -> None:
    """Build `tree`, or wait for another process that is building it.

    It gets its name only when complete; a partial one is removed.

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
    """Return an empty folder to work in; None if another process has built the tree."""
    if tree.is_dir():
        return None
    for stale in tree.parent.glob(f".{tree.name}-*"):
        shutil.rmtree(stale, ignore_errors=True)  # we hold the lock, so its owner is dead
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


async def _updated(
    apt: list[str], environment: dict[str, str], progress: Progress
) -> tuple[str, ...]:
    """Read the mirror's index. Returns further apt options if the index has expired.

    A frozen mirror (a dated snapshot, a machine without network) has such an index. Its signature
    is still checked, and debootstrap ignores the date as well. All that an attacker could gain by
    serving an old signed index is an old Asterisk, which listens on loopback and is not part of the
    system. The option applies only to this private apt and this run, and not to an index older than
    `_OLDEST_DAYS`.
    """
    try:
        await _run(*apt, "update", more=environment)
    except TreeError as error:
        expired = _EXPIRED.search(str(error))
        if expired is None:
            raise
        days = int(expired[1] or 0)
        if days > _OLDEST_DAYS:
            raise TreeError(
                f"the index of this machine's mirror is {days} days past its date"
            ) from error
        progress(f"this mirror's index is {days} days past its date; its signature is checked")
        late = ("-o", "Acquire::Check-Valid-Until=false")
        await _run(*apt, *late, "update", more=environment)
        return late
    return ()


async def _by_apt(work: Path, source: AptSource, progress: Progress) -> None:
    for name in ("state/lists/partial", "cache/archives/partial", "parts", "sources", "tree"):
        (work / name).mkdir(parents=True)
    (work / "state/status").touch()
    (work / "sources/sid.sources").write_text(source.stanza(_RELEASE))
    settings = await _run("apt-config", "dump")
    (work / "apt.conf").write_text(_apt_conf(work, settings))
    apt = ["apt-get", "-q", "-y"]
    environment = {"APT_CONFIG": str(work / "apt.conf")}
    apt += await _updated(apt, environment, progress)
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
    """Return apt's settings: our folders and the system's network access, no hooks or pins."""
    network = [
        line
        for line in settings.splitlines()
        if line.startswith(("Acquire::http", "Acquire::https", "Acquire::Retries"))
    ]
    machine = re.search(r'^APT::Architecture "([^"]+)"', settings, re.MULTILINE)
    if machine is not None:  # and no foreign architecture the machine may have as well
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
    command, environment = await _debootstrap(work, progress)
    progress("unpacking a small Debian with debootstrap; this takes a minute or two")
    keyring = ("--keyring", source.keyring) if source.keyring else ()
    include = "--include=" + ",".join(_PACKAGES)
    tree = str(work / "tree")
    words = ("--variant=minbase", *keyring, include, _RELEASE, tree, source.uri)
    await _run(command, *words, more=environment)


async def _debootstrap(work: Path, progress: Progress) -> tuple[str, dict[str, str]]:
    """Return debootstrap's command and environment: the machine's own, or one fetched and unpacked.

    apt checks the signature of the index and the digest of the package; nothing is installed.

    Raises:
        TreeError: there is none, and none could be fetched.
    """
    found = shutil.which("debootstrap")
    if found is not None:
        return found, {}
    progress("fetching debootstrap, to be used from the cache and not installed")
    environment = {"APT_CONFIG": str(work / "apt.conf")}
    place = work / "debootstrap"
    place.mkdir(exist_ok=True)
    apt = ["apt-get", "-q", "-y"]
    try:
        apt += await _updated(apt, environment, progress)
        await _run(*apt, "--download-only", "install", "debootstrap", more=environment)
        packages = sorted((work / "cache/archives").glob("debootstrap_*.deb"))
        for package in packages:
            await _run("dpkg-deb", "-x", str(package), str(place))
    except TreeError as error:
        raise TreeError(
            f"there is no debootstrap on this machine, and none could be fetched ({error}); "
            "install it yourself (apt-get install debootstrap)"
        ) from error
    return str(place / "usr/sbin/debootstrap"), {
        "DEBOOTSTRAP_DIR": str(place / "usr/share/debootstrap")
    }


async def _run(*command: str, more: dict[str, str] | None = None) -> str:
    """Return the command's standard output; raises TreeError with the end of its output."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **(more or {})}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # so that it can be stopped together with its children
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
    """Stop it and its children.

    SIGTERM first, so that debootstrap can unmount what it has mounted.
    """
    for number, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await process.communicate()
                return
