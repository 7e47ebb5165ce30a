"""What asyncio complains of is counted, and said in measure."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket

import pytest

from callrouter.api.access.refused_requests import RefusedRequests
from callrouter.daemon.process import LoopErrors


@pytest.fixture
def refusals() -> RefusedRequests:
    return RefusedRequests()


async def test_connections_that_cannot_be_accepted_leave_no_traceback(
    refusals: RefusedRequests, caplog: pytest.LogCaptureFixture
) -> None:
    loop, errors = asyncio.get_running_loop(), LoopErrors(refusals)
    with socket.socket() as sock:
        for _ in range(300):
            error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            text = "socket.accept() out of system resource"
            errors.heard(loop, {"message": text, "exception": error, "socket": sock})
    assert len(caplog.records) == 13
    assert "Too many open files (1 so far)" in caplog.records[0].getMessage()
    assert not any(record.exc_info for record in caplog.records)
    assert (refusals.counts["no-descriptor"], refusals.faults) == (300, 0)


async def test_anything_else_is_a_fault_whose_traceback_is_shown_a_few_times(
    refusals: RefusedRequests, caplog: pytest.LogCaptureFixture
) -> None:
    loop, errors = asyncio.get_running_loop(), LoopErrors(refusals)
    for _ in range(150):
        try:
            raise ZeroDivisionError  # noqa: TRY301 - it needs a traceback
        except ZeroDivisionError as error:
            errors.heard(loop, {"message": "a callback failed", "exception": error})
    assert refusals.faults == 150
    assert caplog.text.count("Traceback") == 11
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
