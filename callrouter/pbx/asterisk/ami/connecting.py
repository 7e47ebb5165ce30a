"""Opens a TCP connection through an outage: keeps trying and takes the first that succeeds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def first_connection(
    connect: Callable[[], Awaitable[T]],
    discard: Callable[[T], None],
    *,
    every: float,
    timeout: float,  # noqa: ASYNC109 - one limit over all attempts, named in the error
) -> T:
    """Return the first connection that any of several attempts opens.

    While the network drops packets, a single attempt waits for the kernel to retransmit its SYN
    after 1, 3 and 7 s (RFC 6298). Fresh attempts alongside it reach the other side within `every`
    seconds of its return.

    Args:
        connect: starts one attempt.
        discard: receives a connection that opened after another had won.
        every: seconds between the starts of two attempts.
        timeout: seconds for all attempts together.

    Raises:
        TimeoutError: no attempt succeeded in time.
        OSError: the error of the first attempt that failed. The others are cancelled, since they
            would fail the same way.
    """
    attempts: set[asyncio.Future[T]] = set()
    try:
        async with asyncio.timeout(timeout):
            while True:
                attempts.add(asyncio.ensure_future(connect()))  # noqa: TID251 - ended below
                done, _ = await asyncio.wait(
                    attempts, timeout=every, return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    won = done.pop()
                    attempts.discard(won)
                    return won.result()
    finally:
        for attempt in attempts:
            attempt.cancel()
        for late in await asyncio.gather(*attempts, return_exceptions=True):
            if not isinstance(late, BaseException):
                discard(late)
