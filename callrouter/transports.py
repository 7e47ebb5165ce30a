"""Cutting a connection, whatever has become of it already."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast


def cut(transport: asyncio.BaseTransport | None) -> None:
    """Abort a connection at once; one that is closed or gone is left as it is.

    A TLS transport that was closed twice has let go of its protocol, and `abort` then raises
    AttributeError in Python 3.11.2, which is Debian 12's.
    """
    if transport is not None:
        with contextlib.suppress(AttributeError):
            cast("asyncio.WriteTransport", transport).abort()
