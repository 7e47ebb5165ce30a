"""The daemon as a process: its limits, event loop and loop errors, its identity, its forced end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import logging
import os
import resource
import threading
from collections.abc import Callable
from typing import Any, Final

from callrouter.api.access.refused_requests import RefusedRequests

STOP_WITHIN: Final = 4.0
"""Seconds allowed for an orderly shutdown; the process is gone a second later at the latest."""
DESCRIPTORS: Final = 65536
"""Number of file descriptors to request; the systemd unit requests the same."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def raise_descriptor_limit() -> None:
    """Raise the limit of file descriptors: a shell gives 1,024 and usually allows many more.

    It becomes `DESCRIPTORS`, or the hard limit if that is lower. It is never lowered. If the system
    refuses, it stays as it is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop factory if installed: the same loop, faster.

    None: asyncio's own loop is used.
    """
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    make: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return make


def make_run_id(now: float, pid: int) -> str:
    """Return an identifier unique to this run: milliseconds and process id, in base 36.

    `now` is in epoch seconds. The Asterisk driver reads both values back from it
    (`callrouter.pbx.asterisk.contract.run_of_tick`).
    """
    number = int(now * 1000) << 22 | pid  # pid_max is at most 2**22
    word = ""
    while number:
        number, digit = divmod(number, 36)
        word = _DIGITS[digit] + word
    return word


class LastResort:
    """Ends the process if an orderly shutdown takes too long.

    A thread does it, because the event loop may be what is blocked. The next start takes over the
    socket that is left behind.

    Args:
        within: seconds that the shutdown may take.
    """

    def __init__(self, within: float = STOP_WITHIN) -> None:
        self._timer = threading.Timer(within, _exit)
        self._timer.daemon = True

    def begin(self) -> None:
        """Start the clock: the shutdown begins now.

        If it takes too long, the process ends with status 1.

        Raises:
            RuntimeError: it was called before.
        """
        self._timer.start()

    def cancel(self) -> None:
        """Let the process end by itself: the shutdown was orderly.

        It may be called without `begin`.
        """
        self._timer.cancel()


def _exit() -> None:
    os._exit(1)


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
