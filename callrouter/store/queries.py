"""Queries the database from the loop: the writer's thread reads while the loop goes on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from callrouter.store.location import StoreError
from callrouter.store.writer import Writer

if TYPE_CHECKING:
    from callrouter.store.glance import Reader


async def asked(writer: Writer, question: Callable[[Reader], Any], *, patient: bool) -> Any:
    """Return the database's answer to a question.

    Args:
        writer: its thread does the reading.
        question: called in that thread.
        patient: wait for a database that is unavailable.

    Raises:
        StoreError: it cannot be read now, or the daemon is stopping.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Any] = loop.create_future()

    def settle(found: Any, error: StoreError | None) -> None:
        if answered.done():  # the task that asked was cancelled
            return
        if error is not None:
            answered.set_exception(error)
        else:
            answered.set_result(found)

    def answer(found: Any, error: StoreError | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, found, error)

    writer.ask(question, answer, patient=patient)
    return await answered
