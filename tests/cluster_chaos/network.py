"""Machines on one machine: network namespaces around a hub, which drops what it is told to drop.

Every machine is a namespace with one veth to the hub's namespace, and the hub routes between them. A cut is a
rule of the hub (`ip rule … blackhole`): from one address to another, so one direction may be cut alone, and
neither end is told. It needs no packet filter and no netem, which many kernels lack. The harness itself sits in
the hub, so that no cut between machines keeps it from the routers' API.

A machine has clocks of its own as well: a time namespace moves its monotonic and boot-time clocks by days.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from callrouter.lab.udp import OPENER

T = TypeVar("T")

_PLACE = Path("/run/netns")
_OURS = re.compile(r"^crx(\d+)-[a-z0-9]+$", re.MULTILINE)
_NEW_NET, _NEW_TIME = 0x40000000, 0x80  # CLONE_NEWNET, CLONE_NEWTIME (sched.h)
_libc = ctypes.CDLL(None, use_errno=True)

# Becomes a program on a machine: network, steady clocks, user; it dies with the thread that started it. It has
# the boot id of its machine; its shared memory is its own, so that nothing of it is left when it is killed.
_LAUNCH = """
import ctypes, os, sys, uuid
c = ctypes.CDLL(None, use_errno=True)
parent, net, steady, user, *command = sys.argv[1:]
def must(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
must(c.setns(os.open(net, os.O_RDONLY), 0x40000000))
must(c.unshare(0x08020000))
must(c.mount(None, b"/", None, 0x44000, None))
must(c.mount(b"shm", b"/dev/shm", b"tmpfs", 0, None))
with open("/dev/shm/boot", "w") as file:
    file.write(str(uuid.uuid5(uuid.NAMESPACE_URL, net)) + "\\n")
must(c.mount(b"/dev/shm/boot", b"/proc/sys/kernel/random/boot_id", None, 0x1000, None))
if steady != "0":
    must(c.unshare(0x80))
    with open("/proc/self/timens_offsets", "w") as file:
        file.write(f"monotonic {steady} 0\\nboottime {steady} 0\\n")
    must(c.setns(os.open("/proc/self/ns/time_for_children", os.O_RDONLY), 0x80))
if user != "0":
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
c.prctl(1, 9)
os.getppid() == int(parent) or sys.exit(1)
os.execv(command[0], command)
"""


def why_not() -> str:
    """Why this machine cannot have such machines; empty if it can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "only root may make network namespaces; run it as root (in a container: with CAP_NET_ADMIN)"
    if shutil.which("ip") is None:
        return "the program ip is missing (Debian: apt-get install iproute2)"
    if not Path("/proc/self/timens_offsets").exists():
        return "the kernel has no time namespaces (CONFIG_TIME_NS)"
    words = ["ip", "netns", "add", f"crx{os.getpid()}-try"]
    made = subprocess.run(words, capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no network namespace could be made: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", f"crx{os.getpid()}-try"], check=True)
    return ""


@dataclass(frozen=True, slots=True)
class Machine:
    """A namespace of its own.

    Attributes:
        name: as people call it.
        space: the namespace's name.
        address: its only address besides loopback.
        steady: seconds by which its monotonic and boot-time clocks are ahead of the real ones.
    """

    name: str
    space: str
    address: str
    steady: int

    @property
    def path(self) -> Path:
        """The namespace as a file."""
        return _PLACE / self.space

    def launch(self, *, user: int = 0) -> tuple[str, ...]:
        """The words before a command (whose program is an absolute path) that runs on this machine."""
        guard = (sys.executable, "-I", "-S", "-c", _LAUNCH)
        return (*guard, str(os.getpid()), str(self.path), str(self.steady), str(user))

    def open(self, kind: socket.SocketKind) -> socket.socket:
        """An IPv4 socket in this machine's network."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            with _moved_to(handle):
                return socket.socket(socket.AF_INET, kind)
        finally:
            os.close(handle)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` so that the laboratory's sockets that it opens are this machine's."""
        context = contextvars.copy_context()
        context.run(OPENER.set, self.open)
        return await asyncio.get_running_loop().create_task(work, context=context)


class Network:
    """All machines and the hub; `cut` and `mend` are the faults' way to the links between them."""

    def __init__(self, names: Sequence[str], *, days_apart: Callable[[int], int]) -> None:
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(5.0)  # such as asyncio's, which waits for a process that has ended
        if threading.active_count() != 1:
            raise RuntimeError("threads that run already would stay outside the hub")
        _sweep()
        self._prefix = f"crx{os.getpid()}-"
        self.machines = {
            name: Machine(name, self._prefix + name, f"10.77.{n}.2", days_apart(n) * 86_400)
            for n, name in enumerate(names, 1)
        }
        self._cuts: list[tuple[str, str]] = []
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def _make(self) -> None:
        hub = self._prefix + "hub"
        _ip("netns", "add", hub)
        handle = os.open(_PLACE / hub, os.O_RDONLY)
        _setns(handle)
        os.close(handle)
        _ip("link", "set", "lo", "up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        for machine in self.machines.values():
            space, near = machine.space, f"to-{machine.name}"
            gateway = machine.address.removesuffix("2") + "1"
            _ip("netns", "add", space)
            _ip("link", "add", "name", near, "type", "veth", "peer", "name", "up0", "netns", space)
            _ip("addr", "add", f"{gateway}/24", "dev", near)
            _ip("link", "set", near, "up")
            inside = ("-n", space)
            _ip(*inside, "link", "set", "lo", "up")
            _ip(*inside, "addr", "add", f"{machine.address}/24", "dev", "up0")
            _ip(*inside, "link", "set", "up0", "up")
            _ip(*inside, "route", "add", "default", "via", gateway)

    def cut(self, source: str, target: str) -> None:
        """From now on nothing comes from `source` to `target`; neither is told."""
        if (source, target) not in self._cuts:
            self._cuts.append((source, target))
            _ip("rule", "add", *self._rule(source, target))

    def mend(self) -> None:
        """Undo all cuts."""
        while self._cuts:
            _ip("rule", "del", *self._rule(*self._cuts[-1]))
            self._cuts.pop()

    @property
    def cuts(self) -> list[tuple[str, str]]:
        """What is cut now: from where to where."""
        return list(self._cuts)

    def _rule(self, source: str, target: str) -> tuple[str, ...]:
        places = self.machines
        return ("from", places[source].address, "to", places[target].address, "blackhole")

    def close(self) -> None:
        """Remove every namespace and go home."""
        _setns(self._home)
        os.close(self._home)
        for space in [*(machine.space for machine in self.machines.values()), self._prefix + "hub"]:
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)


def _sweep() -> None:
    """Remove the namespaces and folders of harnesses that were killed."""
    for folder in Path(tempfile.gettempdir()).glob("crx*-*"):
        number = folder.name.removeprefix("crx").split("-", 1)[0]
        if number.isdigit() and not Path(f"/proc/{number}").exists():
            shutil.rmtree(folder, ignore_errors=True)
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        name = line.split(" ", 1)[0]
        found = _OURS.match(name)
        if found is not None and not Path(f"/proc/{found[1]}").exists():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@contextmanager
def _moved_to(handle: int) -> Iterator[None]:
    """This thread is in another network; nothing may be awaited in here."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _setns(handle)
        yield
    finally:
        _setns(here)
        os.close(here)


def _setns(handle: int) -> None:
    if _libc.setns(handle, _NEW_NET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
