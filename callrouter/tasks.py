"""Owns asyncio tasks, so that none is lost and none fails silently.

Every part of the program that starts tasks owns a `Tasks` and closes it at its own end.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Tasks:
    """Holds every task of its owner until the task ends.

    asyncio itself keeps only weak references. A task without another reference may be
    garbage-collected halfway, and its exception shows up, if at all, only then.

    Attributes:
        failed: number of tasks that have ended with an exception.
    """

    def __init__(self) -> None:
        self.failed = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, coro: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start `coro` as a task called `name`, which the log uses if it fails.

        Raises:
            RuntimeError: this owner is closed. `coro` is closed too, so it leaves no warning.
        """
        if self._closed:
            coro.close()
            raise RuntimeError(f"task {name!r} came after its keeper was closed")
        task = asyncio.create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel every task and wait until each has ended. No task can be started afterwards.

        The task that calls this is left alone, because it can't wait for itself.
        """
        self._closed = True
        others = self._tasks - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self.failed += 1
            logger.error("task %r failed", task.get_name(), exc_info=error)
