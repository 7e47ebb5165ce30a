"""Reports while they are made: how far they are, and that no client waits for one any more.

A client that accepts ``application/x-ndjson`` gets lines while a report is made: ``{"progress": 0.4}``
twice a second, and in the end the report in one line, or ``{"problem": …}``. A report that no client waits for
any more is given up at the next step of its making: closing the connection cancels it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable
from typing import Final

from aiohttp import web

from callrouter.api.json_answers import encode
from callrouter.api.problem_json import ApiProblem
from callrouter.api.shared_answers import SharedAnswers

LINES: Final = "application/x-ndjson"
_LOOK: Final = 0.5
"""Seconds between two looks at how far it is, and whether its clients still wait."""


class ReportCancelledError(Exception):
    """No client waits for the report any more."""


class WatchedReport:
    """A report that is being made, or waits to be, and the clients that wait for it."""

    def __init__(self) -> None:
        self._share = 0.0
        self._waiting = 0

    def tell(self, share: float) -> None:
        """Take note of the share that is done. Called in the thread that makes it.

        Raises:
            ReportCancelledError: it need not be made any more.
        """
        self._share = share
        if not self._waiting:
            raise ReportCancelledError

    async def wait(
        self, request: web.Request, task: asyncio.Future[bytes], *, says_how_far: bool
    ) -> tuple[bytes, web.StreamResponse | None]:
        """Return what `task` makes, and the answer if that has begun with lines of progress.

        Args:
            request: of a client.
            task: makes the report.
            says_how_far: whether the client may have lines, if it wants them.

        Raises:
            ConnectionResetError: the client has gone.
            Exception: raised by the making, if no line was written.
        """
        lines: web.StreamResponse | None = None
        wants_lines = says_how_far and LINES in request.headers.get("Accept", "")
        self._waiting += 1
        try:
            while not (await asyncio.wait({task}, timeout=_LOOK))[0]:
                if request.transport is None or request.transport.is_closing():
                    raise ConnectionResetError("the client has gone")
                if wants_lines:
                    if lines is None:
                        lines = web.StreamResponse(headers={"Content-Type": LINES})
                        await lines.prepare(request)
                    await lines.write(encode({"progress": round(self._share, 3)}) + b"\n")
            return task.result(), lines
        except ApiProblem as problem:
            if lines is None:
                raise
            return encode({"problem": json.loads(problem.response().text or "{}")}), lines
        finally:
            self._waiting -= 1


class WatchedReports:
    """All reports that wait to be made, by what they are."""

    def __init__(self) -> None:
        self._coming: dict[Hashable, WatchedReport] = {}

    def of(self, key: Hashable, reports: SharedAnswers[bytes]) -> WatchedReport:
        """Return the report that waits to be made for this key, or a new one."""
        self._coming = {
            known: item for known, item in self._coming.items() if reports.is_coming(known)
        }
        return self._coming.setdefault(key, WatchedReport())


WATCHED: Final = web.AppKey("watched", WatchedReports)


async def send(
    content: bytes, lines: web.StreamResponse | None, whole: web.Response
) -> web.StreamResponse:
    """Return the answer: the last line, if there are lines, else the whole.

    Args:
        content: the report as JSON, or the problem.
        lines: what was begun.
        whole: the answer if nothing was.
    """
    if lines is None:
        return whole
    # In JSON a line feed stands between values only: in a text it is written as \n.
    await lines.write(content.replace(b"\n", b"") + b"\n")
    await lines.write_eof()
    return lines
