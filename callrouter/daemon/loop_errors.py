"""Logs errors that asyncio itself reports. Rate-limited, since strangers can provoke them."""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import Any, Final

from callrouter.api.access.refused_requests import RefusedRequests

logger = logging.getLogger(__name__)

_NONE_LEFT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""A connection could not be accepted; asyncio tries again after a second."""


class LoopErrors:
    """The loop's exception handler.

    Args:
        refusals: counts connections that could not be accepted as ``no-descriptor`` and all other
            errors as faults.
    """

    def __init__(self, refusals: RefusedRequests) -> None:
        self._refusals = refusals

    def heard(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Called by asyncio for each error that has no other handler.

        Repeated errors of the same kind are counted, and only some of them logged.

        Args:
            loop: its default handler logs what is no lack of descriptors.
            context: what asyncio says of the error; see `loop.call_exception_handler`.
        """
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _NONE_LEFT and "socket" in context:
            self._refusals.counts["no-descriptor"] += 1
            if count := self._refusals.worth_a_line("accept"):
                text = "http: a connection cannot be accepted: %s (%d so far); see LimitNOFILE"
                logger.error(text, error.strerror, count)
            return
        self._refusals.faults += 1
        if self._refusals.worth_a_line(f"loop {type(error).__name__} {context.get('message')}"):
            loop.default_exception_handler(context)
