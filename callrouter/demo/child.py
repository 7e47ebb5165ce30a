"""The daemon as a child process, and its HTTP API over the Unix socket.

A child and not a part of this process, so that what is shown is the daemon itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from callrouter.api import control_socket
from callrouter.model.text import clean

READY_WITHIN = 15.0
STOP_WITHIN = 2.5
_ASK_WITHIN = 5.0
_NOT_OURS = frozenset(
    {"CALLROUTER_SOCKET", "CALLROUTER_CONFIG", "NOTIFY_SOCKET", "RUNTIME_DIRECTORY"}
)

_ROUTINE = re.compile(r" (?:INFO|DEBUG) |[ \]](?:VERBOSE|NOTICE|DEBUG)\[")

# Asks the kernel for SIGTERM when the parent dies (prctl(2), PR_SET_PDEATHSIG = 1), then becomes
# the daemon. A wrapper, because preexec_fn is unsafe in a process with threads.
_GUARD = (
    "import ctypes,os,sys;"
    "ctypes.CDLL(None).prctl(1,15);"
    "os.getppid()==int(sys.argv[1]) or sys.exit(1);"
    "os.execv(sys.argv[2],sys.argv[2:])"
)


class DaemonFailedError(RuntimeError):
    """The daemon did not start, or is gone; the text ends with the last lines of its log.

    Also raised if it refuses a request or does not answer one; the text is then its reason.
    """


class DaemonProcess:
    """`callrouter run` for a configuration folder, and a client of its API.

    Environment variables that concern another daemon are not passed on. It gets SIGTERM when
    this process dies, even of SIGKILL.

    Args:
        config: the configuration folder.
        log: the file that receives its output.
        ready_within: seconds within which it must be in sync with every PBX.
        module: what is run with the command line's words; by default the command line itself.
    """

    def __init__(
        self,
        config: Path,
        log: Path,
        ready_within: float = READY_WITHIN,
        module: str = "callrouter",
    ) -> None:
        self.config = config
        self.log = log
        self._module = module
        self._ready_within = ready_within
        # The user's own daemon must be neither disturbed nor queried.
        self._environ = {k: v for k, v in os.environ.items() if k not in _NOT_OURS}
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Start it and wait until every PBX is in sync.

        Raises:
            DaemonFailedError: it exited, or was not ready in time.
        """
        guard = (sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()))
        command = (sys.executable, "-m", self._module, "--config", str(self.config), "run")
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *guard,
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ,
                start_new_session=True,  # we handle Ctrl-C ourselves
            )
        try:
            async with asyncio.timeout(self._ready_within):
                await self._wait_ready()
        except TimeoutError as error:
            text = f"the daemon was not ready within {self._ready_within:.0f} s"
            raise DaemonFailedError(text + self.complaints()) from error

    async def _wait_ready(self) -> None:
        while not await self._is_ready():
            if not self.running:
                raise DaemonFailedError("the daemon ended while starting" + self.complaints())
            await asyncio.sleep(0.05)

    async def _is_ready(self) -> bool:
        if self._session is None:
            # In a thread: it connects, and a daemon that is just starting may take a moment.
            path = await asyncio.to_thread(control_socket.find, self.config, self._environ)
            if path is None:
                return False
            self._session = aiohttp.ClientSession(
                "http://callrouter",
                connector=aiohttp.UnixConnector(os.fspath(path)),
                timeout=aiohttp.ClientTimeout(total=_ASK_WITHIN),
            )
        try:
            status = await self.get("/api/status")
        except DaemonFailedError:
            return False
        return all(pbx["state"] == "up" for pbx in status["pbx"].values())

    @property
    def pid(self) -> int | None:
        """The process id while it is running.

        None before the start and after the end.
        """
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def running(self) -> bool:
        """Whether the process exists.

        False before the start, and once it has ended, by itself or by `stop`.
        """
        return self._process is not None and self._process.returncode is None

    def complaints(self) -> str:
        """Return what its log says about its exit; see `complaints`.

        The text begins with a colon or semicolon, to be put after a sentence.
        """
        return complaints(self.log)

    async def stop(self) -> None:
        """Stop it and remove what it leaves behind: the lock beside its socket."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        process = self._process
        if process is not None:
            await _end(process)
        place = control_socket.socket_path(self.config, self._environ)
        with contextlib.suppress(OSError):
            place.with_suffix(".lock").unlink()
        with contextlib.suppress(OSError):
            place.unlink()
        with contextlib.suppress(OSError):
            place.parent.rmdir()  # only if it is empty

    # ------------------------------------------------------------ requests

    async def get(self, path: str) -> Any:
        """Return the daemon's answer at `path`.

        Raises:
            DaemonFailedError: it does not answer, or refuses.
        """
        return await self._ask("GET", path)

    async def post(self, path: str, body: dict[str, str] | None = None) -> Any:
        """Request a change; raises as `get`.

        Args:
            path: below the root, such as ``/api/agents/alice/pause``.
            body: sent as JSON; None: no body.
        """
        return await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        if self._session is None:
            raise DaemonFailedError("the daemon is not running")
        try:
            async with self._session.request(method, path, json=body) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise DaemonFailedError(f"the daemon does not answer ({error})") from error
        if response.status >= 400:
            detail = answer.get("detail", "") if isinstance(answer, dict) else ""
            raise DaemonFailedError(f"the daemon refuses {path}: {detail or response.status}")
        return answer

    async def live(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the messages of ``/api/live``; ends when the daemon closes the connection.

        Ends at once if the daemon is not running. A broken connection is no error either: call it
        again.
        """
        if self._session is None:
            return
        with contextlib.suppress(aiohttp.ClientError, OSError):
            # The first message is the complete state, of any size.
            async with self._session.ws_connect("/api/live", max_msg_size=0) as ws:
                async for message in ws:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        yield message.json()


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_WITHIN):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def complaints(log: Path, lines: int = 5) -> str:
    """Return the last unusual lines of a log, each after a line feed.

    Says so if there are none.
    """
    said: list[str] = []
    with contextlib.suppress(OSError):
        text = log.read_text(errors="replace")
        said = [line for line in text.splitlines() if line and not _ROUTINE.search(line)]
    if not said:
        return "; its log does not say why"
    return ":" + "".join(f"\n  {clean(line)[:200]}" for line in said[-lines:])
