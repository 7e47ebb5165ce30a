"""The body of a request on its way to the active node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web
from aiohttp.http import HttpProcessingError

from callrouter.api.problem_json import ApiProblem

MOST_BYTES: Final = 8 * 1024 * 1024
"""The most that any operation takes. The active node has the limit of each."""
WITHIN: Final = 60.0
"""Seconds allowed for it to arrive: the most that any operation allows."""


class PassedBody:
    """Passes a body on piece by piece, as fast as both sides take it. It is never held as a whole.

    Attributes:
        problem: why it could not be passed on; None: it could.
    """

    def __init__(self, request: web.Request) -> None:
        self.problem: ApiProblem | None = None
        self._request = request

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the pieces.

        Raises:
            ApiProblem: it is too large, too slow, or not framed as HTTP has it. `problem` has it too,
                since aiohttp tells its own error.
        """
        count = 0
        try:
            async with asyncio.timeout(WITHIN):
                async for piece in self._request.content.iter_any():
                    count += len(piece)
                    if count > MOST_BYTES:
                        raise self._fails(too_large())
                    yield piece
        except TimeoutError as error:
            slow = ApiProblem(408, "too-slow", f"the body did not come within {WITHIN:.0f} s")
            raise self._fails(slow) from error
        except (web.RequestPayloadError, HttpProcessingError) as error:
            bad = ApiProblem(400, "bad-body", "the body is not framed as HTTP/1.1 has it")
            raise self._fails(bad) from error

    def _fails(self, problem: ApiProblem) -> ApiProblem:
        self.problem = problem
        return problem


def too_large() -> ApiProblem:
    """Return the refusal of a body that no operation takes."""
    return ApiProblem(413, "too-large", f"the body is larger than {MOST_BYTES // 1024**2} MiB")
