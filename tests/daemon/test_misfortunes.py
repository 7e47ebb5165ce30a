"""Faults of our own and of the machine, on the real daemon: calls go on, it says so, and it mends itself."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.process import Daemon, Place, started, until
from tests.daemon.test_restart import agent, ask, end, saved
from tests.noise import noise

HOUR = 3600.0
pytestmark = pytest.mark.timeout(200)


class Scene:
    """A daemon to which things happen."""

    def __init__(self, place: Place, daemon: Daemon, folder: Path) -> None:
        self.place, self.daemon, self.folder = place, daemon, folder

    def happens(self, what: str, text: object = "") -> None:
        part = self.folder / ".part"
        part.write_text(str(text))
        part.rename(self.folder / what)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = ask(self.place, "status")
        return found

    def serves(self, call: str) -> None:
        """A caller comes and talks."""
        self.happens("call", call)
        self.daemon.wait_for(f"call {call} talks to alice")


@contextmanager
def scene(place: Place, env: dict[str, str] | None = None, **more: Any) -> Iterator[Scene]:
    folder = place.folder / "after"
    folder.mkdir(exist_ok=True)
    with started(place, {"talk": 0.3, "after": str(folder), **more}, env) as daemon:
        daemon.wait_for("office is in step")
        yield Scene(place, daemon, folder)


@pytest.fixture
def ready(place: Place) -> Iterator[Scene]:
    with scene(place) as made:
        ask(place, "agents/alice/sign-in", {})
        yield made
        assert made.daemon.stop() == 0


# ---------------------------------------------------------------- faults of our own


def test_a_fault_in_the_core_is_contained_told_and_compared(ready: Scene) -> None:
    ready.happens("fault")
    ready.happens("call", "c1")
    ready.daemon.wait_for("the core failed on ")
    ready.daemon.wait_for("compared: a fault in the router")
    assert "a fault of the test on " in ready.daemon.log
    assert re.search(r"the core failed on (CallArrived\(call='c1'|TimePassed)", ready.daemon.log)
    assert ready.status()["faults"] == 1
    ready.serves("c2")
    assert ready.status()["faults"] == 1


def test_who_holds_the_loop_up_is_named(ready: Scene) -> None:
    ready.happens("hold", 0.6)
    ready.daemon.wait_for("calls were held up for")
    [line] = re.findall(r"calls were held up for (\d+) ms by (.*)", ready.daemon.log)
    assert int(line[0]) >= 400
    assert "hold_everybody_up (daemon/fake_main.py:" in line[1]
    assert "hold_everybody_up" in ready.status()["loop"]["by"]
    ready.serves("c1")


def test_what_must_always_hold_and_does_not_is_told_and_mended(ready: Scene) -> None:
    ready.happens("spoil", "alice")
    ready.daemon.wait_for("what must always hold does not: ")
    ready.daemon.wait_for("compared: something that must always hold did not")
    status = ready.status()
    assert status["invariants"]["breaches"] >= 1
    assert status["pid"] == ready.daemon.process.pid, "no crash"
    time.sleep(1.5)  # four looks a second: what is not mended would be told of again
    assert ready.daemon.log.count("compared: something") == 1


def test_a_loop_that_hangs_says_nothing_to_the_watchdog(place: Place) -> None:
    path = place.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(20)
        env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"}
        with scene(place, env) as here:
            while b"READY=1" not in manager.recv(4096):
                pass
            here.happens("hold", 2.0)
            gaps, before = [0.0], time.monotonic()
            while max(gaps) < 1.5:
                assert manager.recv(4096) == b"WATCHDOG=1"
                gaps.append(time.monotonic() - before)
                before = time.monotonic()
                assert len(gaps) < 500
            # It is back, and so are its words; systemd would have killed it by now.
            assert manager.recv(4096) == b"WATCHDOG=1"


# ---------------------------------------------------------------- the machine


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_the_system_clock_is_put_forward_or_back(place: Place, step: float) -> None:
    """A wrap-up that has begun ends when it would have, before and after a restart as well."""
    place.replace("queues", "policy: priority", "policy: priority, wrap_up: 5s")
    with scene(place) as here:
        ask(place, "agents/alice/sign-in", {})
        here.serves("c1")
        until(lambda: agent(place, "alice")["state"] == "wrap-up")
        began, still = time.monotonic(), noise()
        here.folder.joinpath("clock").write_text(str(step))
        until(lambda: agent(place, "alice")["state"] == "available", 20)
        assert 3.5 < time.monotonic() - began < 6.5 + noise(still)
        here.serves("c2")
        until(lambda: agent(place, "alice")["state"] == "wrap-up")
        began, still = time.monotonic(), noise()
        until(lambda: saved(place))
        here.daemon.process.kill()
        here.daemon.wait()
    with scene(place):
        until(lambda: agent(place, "alice")["state"] == "available", 30)
        assert time.monotonic() - began < 12 + noise(still)


def test_no_file_descriptor_is_left(ready: Scene) -> None:
    pid = ready.daemon.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, hard))
    for number in range(3):  # the API is out of reach, calls are not
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{ready.place.port}/healthz", timeout=0.3)
        ready.happens("call", f"c{number}") if number == 0 else None
    # The scene reads files by descriptors, too: what happens next is that they can be had again.
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    ready.daemon.wait_for("call c0 talks to alice")
    ready.serves("c9")
    until(lambda: saved(ready.place))
    assert ready.status()["faults"] == 0


def test_connections_beyond_the_last_descriptor_are_a_few_lines(ready: Scene) -> None:
    """And cost little: asyncio tries again after a second, and so does each of its tries that fails."""
    pid = ready.daemon.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, hard))
    before = busy(pid)
    many = [socket.create_connection(("127.0.0.1", ready.place.port)) for _ in range(60)]
    time.sleep(4.0)
    assert busy(pid) - before < 2.0, "the loop would do little else"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    for one in many:
        one.close()
    ready.daemon.wait_for("a connection cannot be accepted")
    ready.serves("c1")
    assert ready.daemon.log.count("cannot be accepted") < 12
    assert "Traceback" not in ready.daemon.log
    assert ready.status()["http"]["refused"]["no-descriptor"] >= 1
    assert ready.status()["faults"] == 0


def busy(pid: int) -> float:
    """Seconds of the processor that a process has had (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_configuration_goes_and_comes_back(ready: Scene) -> None:
    aside = ready.place.config.with_name("aside")
    aside.mkdir()
    for path in ready.place.config.glob("*.yaml"):
        path.rename(aside / path.name)
    ready.daemon.wait_for("what was in force stays in force")
    ready.serves("c1")
    assert ready.status()["config"]["state"] == "bad"
    for path in aside.glob("*.yaml"):
        shutil.copy(path, ready.place.config / path.name)
    ready.daemon.wait_for("the configuration is good again")
    ready.serves("c2")
    assert "Traceback" not in ready.daemon.log


def test_a_database_that_is_locked_and_then_deleted(ready: Scene) -> None:
    path = ready.place.config / "callrouter.db"
    until(lambda: saved(ready.place))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ask(ready.place, "agents/bob/sign-in", {})
        ready.daemon.wait_for("agents' states can't be kept in")
        assert "locked" in ready.status()["store"]["problem"]
        ready.serves("c1")
        other.execute("ROLLBACK")
    ready.daemon.wait_for("agents' states are kept again")
    until(lambda: saved(ready.place))
    for part in path.parent.glob("callrouter.db*"):
        part.unlink()
    ask(ready.place, "agents/bob/pause", {"reason": "lunch"})
    ready.daemon.wait_for("was taken away; creating it again")
    until(lambda: saved(ready.place))
    ready.serves("c2")
    with closing(sqlite3.connect(path)) as link:
        found = dict(link.execute("SELECT agent, pause_reason FROM agents").fetchall())
    assert found["bob"] == "lunch"
    assert "alice" in found
    assert "Traceback" not in ready.daemon.log


def test_a_stop_while_the_database_has_been_away_since_the_start(place: Place) -> None:
    """What waits for it has no answer, and that is no fault."""
    path = place.config / "callrouter.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE one (a)")
        other.execute("BEGIN EXCLUSIVE")
        with scene(place) as here:
            here.daemon.wait_for("registered mobiles cannot be read")
            assert here.daemon.stop() == 0
            assert "Traceback" not in here.daemon.log
            assert "failed" not in here.daemon.log
        other.execute("ROLLBACK")


def test_a_disk_that_is_full_and_has_room_again(place: Place) -> None:
    """On a filesystem of its own, of two megabytes."""
    disk = place.folder / "disk"
    with small_disk(disk):
        text = (place.config / "callrouter.yaml").read_text()
        place.write("callrouter", text + f"database: {disk}/a.db\n")
        with scene(place) as here:
            ask(place, "agents/alice/sign-in", {})
            until(lambda: saved(place))
            fill(disk / "other")
            for number in range(60):
                ask(place, "agents/bob/sign-in", {})
                ask(place, "agents/bob/pause", {"reason": f"{number}" + "x" * 190})
                ask(place, "agents/bob/resume", {})
                if here.status()["store"]["state"] == "bad":
                    break
            here.daemon.wait_for("agents' states can't be kept in", 30)
            assert "full" in here.status()["store"]["problem"]
            here.serves("c1")
            (disk / "other").unlink()
            here.daemon.wait_for("agents' states are kept again", 60)
            until(lambda: saved(place), 30)
            assert "Traceback" not in here.daemon.log
            end(here.daemon, signal.SIGKILL)
        with scene(place):
            assert agent(place, "bob")["signed_in"]


@contextmanager
def small_disk(disk: Path) -> Iterator[None]:
    disk.mkdir()
    mounted = os.system(f"mount -t tmpfs -o size=2m none {disk} 2>/dev/null") == 0
    if not mounted:
        pytest.skip("no right to mount a small disk here")
    try:
        yield
    finally:
        os.system(f"umount -l {disk}")


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
