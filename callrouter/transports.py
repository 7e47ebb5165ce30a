"""Aborting a connection, whatever state it is in."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast


def cut(transport: asyncio.BaseTransport | None) -> None:
    """Abort a connection at once. One that is already closed or gone is left as it is.

    A TLS transport that was closed twice has dropped its protocol, and `abort` then raises
    AttributeError in Python 3.11.2, the version of Debian 12.
    """
    if transport is not None:
        with contextlib.suppress(AttributeError):
            cast("asyncio.WriteTransport", transport).abort()
