"""One private Asterisk: its folder and its process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from callrouter.lab.asterisk_config import Options, configuration
from callrouter.lab.console import ConsoleError, command
from callrouter.lab.install import Install
from callrouter.lab.ports import Slot, take_slot

_READY_S = 40.0
_GRACE_S = 3.0
_LONGEST_SOCKET = 100  # of the 108 bytes in sun_path (unix(7))
_FOLDERS = ("etc", "var/keys", "data/sounds", "spool", "log", "cache")

# Asks the kernel for SIGKILL when the parent dies (prctl(2), PR_SET_PDEATHSIG = 1), then becomes
# Asterisk. A wrapper, because preexec_fn is unsafe in a process with threads.
_GUARD = (
    "import ctypes,os,sys;"
    "ctypes.CDLL(None).prctl(1,9);"
    "os.getppid()==int(sys.argv[1]) or sys.exit(1);"
    "os.execv(sys.argv[2],sys.argv[2:])"
)


class AsteriskFailedError(RuntimeError):
    """Asterisk did not start; the text ends with the last lines of its log."""


class Asterisk:
    """An isolated Asterisk on 127.0.0.1, created by `Asterisk.start` and stopped by `stop`.

    It dies with this process, even after SIGKILL. More precisely, it dies with the thread that
    started it, so start it from the main thread.
    """

    def __init__(self, install: Install, options: Options, slot: Slot, folder: Path) -> None:
        self.install, self.options, self.folder = install, options, folder
        self._slot = slot
        self._secret = secrets.token_hex(8)
        self._process: asyncio.subprocess.Process | None = None
        self._run = folder / "run"
        if len(os.fsencode(self._run / "asterisk.ctl")) > _LONGEST_SOCKET:
            self._run = slot.folder.with_suffix(".run")

    @classmethod
    async def start(
        cls,
        install: Install,
        folder: Path | None = None,
        *,
        options: Options | None = None,
        **changes: Any,
    ) -> Asterisk:
        """Start an Asterisk and wait until it is fully booted (about a second).

        Args:
            install: the Asterisk to run.
            folder: the folder for its files, which is kept; None: a temporary one.
            options: its configuration.
            **changes: fields of `Options` that override `options`.

        Raises:
            AsteriskFailedError: it did not start.
            NoFreePortsError: there are too many instances.
        """
        slot = take_slot()
        try:
            wanted = replace(options or Options(), **changes)
            here = cls(install, wanted, slot, (folder or slot.folder).absolute())
            here._write(fresh=folder is None)
        except BaseException:
            slot.release()
            raise
        try:
            await here._launch()
        except BaseException:
            await here.stop(keep=folder is not None)
            raise
        return here

    @property
    def ami_port(self) -> int:
        """The manager's TCP port on 127.0.0.1."""
        return self._slot.ami

    @property
    def sip_port(self) -> int:
        """The SIP UDP port on 127.0.0.1."""
        return self._slot.sip

    @property
    def server(self) -> tuple[str, int]:
        """Host and SIP port, in the form phones take."""
        return ("127.0.0.1", self._slot.sip)

    @property
    def log_path(self) -> Path:
        """The path of the full log.

        Notices, warnings, errors and verbose messages. What Asterisk prints itself is in
        ``log/output``.
        """
        return self.folder / "log" / "full"

    @property
    def pid(self) -> int | None:
        """The process id while it is running.

        None before the start, after its end, and after `stop`. A frozen process has its id still.
        """
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def cli(self, text: str) -> str:
        """Return the output of a console command; raises as `console.command`.

        `text` is one command line, such as ``core show channels``; ValueError if it has a line
        break.
        """
        return await command(self.ami_port, self._secret, text)

    def pause(self) -> None:
        """Freeze the whole process (SIGSTOP).

        Its sockets stay open, so connections stay up but nothing is answered. Does nothing if it
        has ended.
        """
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue a frozen process.

        What arrived in its sockets until then is read now. Does nothing if it has ended.
        """
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it at once (SIGKILL), like a crash. `restart` brings it back.

        Returns before the process is gone. The folder and the ports are kept.
        """
        self._signal(signal.SIGKILL)

    async def restart(self) -> None:
        """Stop it if running, and start it again with the same ports, AstDB and configuration.

        Raises:
            AsteriskFailedError: it did not start again.
        """
        await self._end()
        await self._launch()

    async def stop(self, *, keep: bool | None = None, graceful: bool = True) -> None:
        """Stop it and release its ports.

        Args:
            keep: whether to keep the folder; default: only if it was given to `start`.
            graceful: let Asterisk end its calls first, which takes 0.8 s.
        """
        if not graceful:
            self.kill()
        await self._end()
        temporary = self.folder == self._slot.folder
        if temporary if keep is None else not keep:
            await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
        if self._run.parent != self.folder:
            await asyncio.to_thread(shutil.rmtree, self._run, ignore_errors=True)
        self._slot.release()

    def write_config(self, name: str, text: str) -> None:
        """Replace one configuration file; Asterisk reads it at the next reload.

        `name` is a file in the folder ``etc``, such as ``queues.conf``.
        """
        (self.folder / "etc" / name).write_text(text)

    def _write(self, *, fresh: bool) -> None:
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)  # left by an owner that was killed
        for name in _FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._run.mkdir(parents=True, exist_ok=True, mode=0o700)
        texts = configuration(
            self.options,
            install=self.install,
            slot=self._slot,
            folder=self.folder,
            run=self._run,
            secret=self._secret,
        )
        for name, text in texts.items():
            self.write_config(name, text)
        links = {"documentation": self.install.data / "documentation"}
        if self.install.sounds is not None:
            links["sounds/en"] = self.install.sounds
        for name, target in links.items():
            link = self.folder / "data" / name
            link.unlink(missing_ok=True)
            link.symlink_to(target)

    async def _launch(self) -> None:
        (self._run / "asterisk.ctl").unlink(missing_ok=True)
        arguments = ("-C", str(self.folder / "etc/asterisk.conf"), "-f")
        guard = (sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()))
        with (self.folder / "log/output").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *guard,
                *self.install.command,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # we handle Ctrl-C, not Asterisk
                cwd=self.folder,
            )
        try:
            async with asyncio.timeout(_READY_S):
                await self._wait_ready()
        except TimeoutError as error:
            raise AsteriskFailedError(f"not ready within {_READY_S} s.{self._tail()}") from error

    async def _wait_ready(self) -> None:
        while True:
            if self.pid is None:
                raise AsteriskFailedError(f"Asterisk ended while starting.{self._tail()}")
            with contextlib.suppress(OSError, ConsoleError):
                await self.cli("core waitfullybooted")
                return
            await asyncio.sleep(0.02)

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        self._process = None
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.terminate()
        try:
            async with asyncio.timeout(_GRACE_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    def _tail(self) -> str:
        lines: list[str] = []
        for path in (self.folder / "log/output", self.log_path):
            with contextlib.suppress(OSError):
                lines += path.read_text(errors="replace").splitlines()[-8:]
        return "\n".join(["", *lines])
