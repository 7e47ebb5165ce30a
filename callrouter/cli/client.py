"""Asking the daemon, over its Unix socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from callrouter.api import control
from callrouter.cli.problems import Failed

ANSWER_WITHIN = 10.0
"""Seconds for the daemon to answer."""


class Refused(Exception):  # noqa: N818 - named for what happened
    """The daemon says no; `status` is that of HTTP."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("callrouter", timeout=ANSWER_WITHIN)
        self._path = path

    def connect(self) -> None:
        """Connect to the daemon."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_WITHIN)
        self.sock.connect(os.fspath(self._path))


class Client:
    """The daemon of the configuration in `folder`."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ

    def get(self, *path: str, **query: str) -> Any:
        """What the daemon says at ``/api/…``.

        Raises:
            Failed: it cannot be reached (exit status 3).
            Refused: it says no.
        """
        wanted = "&".join(f"{key}={quote(value)}" for key, value in query.items())
        return self._ask("GET", path, f"?{wanted}" if wanted else "")

    def post(self, *path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask for a change; raises like `get`."""
        return self._ask("POST", path, body=body)

    def patch(self, *path: str, body: Mapping[str, Any]) -> Any:
        """Change a thing in part; raises like `get`."""
        return self._ask("PATCH", path, body=body)

    def delete(self, *path: str) -> Any:
        """Have a thing taken away; raises like `get`."""
        return self._ask("DELETE", path)

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        query: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        place = "/api/" + "/".join(quote(part, safe="") for part in path) + query
        connection = _UnixConnection(self._find())
        try:
            connection.request(method, place, None if body is None else json.dumps(body).encode())
            response = connection.getresponse()
            answer = json.loads(response.read())
        except TimeoutError as error:
            raise Failed(3, f"the daemon does not answer within {ANSWER_WITHIN:.0f} s") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Failed(3, f"the daemon cannot be asked ({error})") from error
        finally:
            connection.close()
        if response.status >= 400:
            detail = answer.get("detail", "") if isinstance(answer, dict) else ""
            raise Refused(response.status, detail or f"the daemon answers {response.status}")
        return answer

    def _find(self) -> Path:
        try:
            found = control.find(self._folder, self._environ)
        except control.ControlError as error:
            raise Failed(3, str(error)) from error
        if found is None:
            raise Failed(
                3,
                f"the daemon for {self._folder} does not run; start it with "
                f"`callrouter --config {self._folder} run` or `systemctl start callrouter`",
            )
        return found
