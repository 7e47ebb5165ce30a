"""Threads that read the record for the daemon, so that neither the loop nor the writer waits for a report."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from callrouter.background import beside_calls
from callrouter.record.record_reader import RecordReader
from callrouter.store.location import Place

T = TypeVar("T")


class ReadingThread:
    """A thread with its own connection to the record, which answers one question after the other.

    It begins with the first question. The end of the daemon does not wait for a question that is
    being answered.

    Args:
        place: the database.
        name: of the thread, for logs.
    """

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._name = name
        self._questions: SimpleQueue[Callable[[RecordReader], None]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def ask(self, question: Callable[[RecordReader], T]) -> T:
        """Return the answer to a question, which is called in the thread and may block.

        Raises:
            StoreError: the database cannot be read.
            Exception: raised by the question.
        """
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[T] = loop.create_future()

        def ask(reader: RecordReader) -> None:
            if answered.cancelled():
                return  # the answer is not wanted any more
            tell: Callable[[Any], None]
            try:
                with beside_calls():
                    said: Any = question(reader)
                tell = answered.set_result
            except BaseException as error:  # noqa: BLE001 - of the one who asked
                said, tell = error, answered.set_exception
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(_tell, answered, tell, said)

        self._questions.put(ask)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        return await answered

    def _run(self) -> None:
        reader = RecordReader(self._place)
        while True:
            self._questions.get()(reader)


def _tell(answered: asyncio.Future[Any], tell: Callable[[Any], None], said: Any) -> None:
    if not answered.done():
        tell(said)
