"""What is logged while something hostile comes in."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "aiohttp.access":  # the daemon has none
            self.records.append(record)


@contextmanager
def quiet(level: int, secrets: Sequence[str] = ()) -> Iterator[None]:
    """Nothing of this level or above is logged, and in no line stands a secret."""
    heard, root = _Heard(), logging.getLogger()
    was = root.level
    root.addHandler(heard)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(was)
        root.removeHandler(heard)
    lines = [record.getMessage() for record in heard.records]
    loud = [record for record in heard.records if record.levelno >= level]
    assert loud == [], [(one.getMessage(), one.exc_info) for one in loud]
    assert [line for line in lines for secret in secrets if secret in line] == []
