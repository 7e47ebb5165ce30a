"""A client of the daemon, over its Unix socket or, from elsewhere, over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from callrouter.api import control_socket
from callrouter.cli.output_text import CommandFailed
from callrouter.cli.remote_daemon import RemoteDaemon
from callrouter.cli.suggestions import meant

ANSWER_WITHIN = 10.0
"""Seconds for the daemon to answer."""


_MEANT: Final = "; did you mean "
"""Between a sentence of the daemon and the name that it suggests."""


class DaemonRefused(Exception):  # noqa: N818 - named for what happened
    """The daemon refused.

    `status` is the HTTP status, `hint` suggests the right name for a wrong one.
    """

    def __init__(self, status: int, detail: str, hint: str = "") -> None:
        super().__init__(f"{detail}; {hint}" if hint else detail)
        self.status = status
        self.hint = hint


class NoAnswer(CommandFailed):
    """The daemon was asked and has not answered: it may have done what it was asked, or may do it yet."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket.

    The host ``callrouter`` is only for the Host header. Every wait ends after `within` seconds.
    """

    def __init__(self, path: Path, within: float) -> None:
        super().__init__("callrouter", timeout=within)
        self._path = path
        self._within = within

    def connect(self) -> None:
        """Connect to the daemon.

        `http.client` calls this before the first request.

        Raises:
            OSError: nothing listens there, or we may not connect.
        """
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self._within)
        self.sock.connect(os.fspath(self._path))


@dataclass(frozen=True, slots=True)
class LocalDaemon:
    """The daemon of a configuration folder on this machine.

    It has the same methods as `RemoteDaemon`; `DaemonClient` uses either. `prefix` and `headers`
    stay empty: no token is sent over the socket.
    """

    folder: Path
    environ: Mapping[str, str]
    prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        """Return a connection to it, not yet open.

        Raises:
            CommandFailed: it is not running, or we have no access (exit status 3).
        """
        try:
            found = control_socket.find(self.folder, self.environ)
        except control_socket.ControlSocketError as error:
            raise CommandFailed(3, str(error)) from error
        if found is None:
            raise CommandFailed(
                3,
                f"the daemon for {self.folder} does not run; start it with "
                f"`callrouter --config {self.folder} run` or `systemctl start callrouter`",
            )
        return _UnixConnection(found, timeout)

    def unreachable(self, error: Exception) -> CommandFailed:
        """Return the error for a daemon that cannot be reached.

        `error` is what the connection raised. The exit status is 3.
        """
        if isinstance(error, TimeoutError):
            return CommandFailed(3, "the daemon does not answer in time")
        return CommandFailed(3, f"the daemon cannot be asked ({error})")

    def no_callrouter(self, status: int, location: str) -> CommandFailed:
        """Return the error for an answer that is not callrouter's.

        `location` is not used here; `RemoteDaemon.no_callrouter` needs it. The exit status is 3.
        """
        return CommandFailed(3, f"the daemon cannot be asked (it answers {status} and no JSON)")


class DaemonClient:
    """A daemon, local or remote.

    Each request blocks and has a connection of its own. Every wait ends after `within` seconds.
    """

    def __init__(self, place: LocalDaemon | RemoteDaemon, within: float = ANSWER_WITHIN) -> None:
        self._place = place
        self._within = within

    def patient(self, within: float) -> DaemonClient:
        """Return a client of the same daemon that waits for `within` seconds."""
        return DaemonClient(self._place, within)

    @classmethod
    def of_folder(cls, folder: Path, environ: Mapping[str, str]) -> DaemonClient:
        """Return the client for the daemon of a configuration folder on this machine.

        Args:
            folder: the configuration folder.
            environ: the environment, which may say where the socket is.
        """
        return cls(LocalDaemon(folder, environ))

    def get(self, *path: str, **query: str) -> Any:
        """Return the daemon's answer at ``/api/…``.

        Raises:
            CommandFailed: it cannot be reached (exit status 3).
            DaemonRefused: it refuses.
        """
        return self._ask("GET", path, query)

    def post(self, *path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Request a change; raises like `get`.

        `body` is sent as JSON; None: without a body. The daemon's answer is returned.
        """
        return self._ask("POST", path, body=body)

    def patch(self, *path: str, body: Mapping[str, Any]) -> Any:
        """Change part of an object; raises like `get`.

        `body` has only what changes, and is sent as JSON. The daemon's answer is returned.
        """
        return self._ask("PATCH", path, body=body)

    def delete(self, *path: str) -> Any:
        """Delete an object; raises like `get`.

        The daemon's answer is returned; for a call, it is the call that has ended.
        """
        return self._ask("DELETE", path)

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        status, answer = self._exchange(method, path, query or {}, body)
        if status < 400:
            return answer
        detail = answer.get("detail", "") if isinstance(answer, dict) else ""
        text = str(detail) or f"the daemon answers {status}"
        if status == 401 and isinstance(self._place, RemoteDaemon):
            text += "; give a token with CALLROUTER_TOKEN or --token"
        elif status in {502, 503} and _kind(answer) in {"no-active-node", "node-broke-off"}:
            raise CommandFailed(3, text)
        elif status in {404, 409, 422}:
            names = _named_in(query or {}) | _named_in(body or {})
            known = names | _of_path(path) if status == 404 else names
            said, _, near = text.partition(_MEANT)
            hint = self._meant(known) or (near and _MEANT[2:] + near)
            raise DaemonRefused(status, said, hint)
        raise DaemonRefused(status, text)

    def _exchange(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
    ) -> tuple[int, Any]:
        place = self._place
        wanted = "&".join(f"{key}={quote(value)}" for key, value in query.items())
        at = "/".join((f"{place.prefix}/api", *(quote(part, safe="") for part in path)))
        connection = place.connection(self._within)
        asked = False
        try:
            connection.request(
                method,
                at + (f"?{wanted}" if wanted else ""),
                None if body is None else json.dumps(body).encode(),
                dict(place.headers),
            )
            asked = True
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            failed = place.unreachable(error)
            raise (NoAnswer(failed.status, failed.message) if asked else failed) from error
        finally:
            connection.close()
        answer = _parsed(content) if response.status not in range(300, 400) else None
        if answer is None:
            location = response.headers.get("Location") or ""
            raise place.no_callrouter(response.status, location)
        return response.status, answer

    def _meant(self, names: Mapping[str, str]) -> str:
        """Suggest known names for those in a request that the daemon does not know.

        The daemon is asked for the known names, with one request for each kind of name.

        Returns:
            ``did you mean …?`` for the first name that has a close one; empty: none has, or the
                daemon cannot be asked.
        """
        for kind, name in names.items():
            parts = kind.split("/")
            try:
                _, views = self._exchange("GET", tuple(parts), {}, None)
            except CommandFailed:
                return ""
            known = [str(view["id"]) for view in views] if isinstance(views, list) else []
            if name not in known and (hint := meant(name, known)):
                return hint
        return ""


def _kind(answer: Any) -> str:
    """Return the end of a problem's `type`; empty: it is none."""
    return str(answer.get("type", "")).rpartition(":")[2] if isinstance(answer, dict) else ""


def _parsed(content: bytes) -> Any:
    """Return the parsed answer; None if it is not JSON."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def _of_path(path: tuple[str, ...]) -> dict[str, str]:
    """Return the ids in a path, by the path at which the daemon lists the known ones.

    Only agents, queues, calls and the devices of an agent have such lists: a path to a device gives
    two entries, ``agents`` and ``agents/ID/devices``.
    """
    found: dict[str, str] = {}
    if len(path) > 1 and path[0] in {"agents", "queues", "calls"}:
        found[path[0]] = path[1]
        if len(path) > 3 and path[2] == "devices":
            found["/".join(path[:3])] = path[3]
    return found


def _named_in(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the ids named in a query or body, in the same form.

    The keys are ``queues`` and ``agents``; all other values are left out.
    """
    return {
        f"{key}s": value for key in ("queue", "agent") if isinstance(value := values.get(key), str)
    }
