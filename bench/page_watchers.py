"""Pages that only read: a process of WebSocket clients that take what `/api/live` sends, and unpack nothing.

    python -m bench.page_watchers PORT COUNT TOKEN...

It prints ``ready`` when all have the state, and at the end, when its input is closed, how many bytes each of them got. It
runs at a low priority, because real pages are on other machines.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

PATH: Final = "/api/live?topics=agents,queues,calls"
PER_TOKEN: Final = 5
"""Live views that the daemon allows each token."""
_NICE: Final = 10
_PING, _PONG = 0x9, 0x8A


async def watch(
    port: int, token: str, number: int, got: list[int], ready: asyncio.Semaphore
) -> None:
    """Watch as another page would, and count the bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(
        f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Extensions: permessage-deflate\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head.partition(b"\r\n")[0]:
        raise SystemExit(f"the daemon refuses a watcher: {head.decode()}")
    first = True
    while True:
        opcode, size = struct.unpack("!BB", await reader.readexactly(2))
        if size >= 126:
            packed = await reader.readexactly(2 if size == 126 else 8)
            size = int.from_bytes(packed, "big")
        payload = await reader.readexactly(size)
        if opcode & 0xF == _PING:
            writer.write(bytes((_PONG, 0x80 | size, 0, 0, 0, 0)) + payload)
        got[number] += size
        if first:
            first = False
            ready.release()


async def main(port: int, count: int, tokens: Sequence[str]) -> None:
    """Watch until the input is closed."""
    os.nice(_NICE)
    got, ready = [0] * count, asyncio.Semaphore(0)
    tasks = [
        asyncio.ensure_future(watch(port, tokens[n // PER_TOKEN], n, got, ready))
        for n in range(count)
    ]
    for _ in range(count):
        await ready.acquire()
    print("ready", flush=True)
    loop, lines = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await lines.read()
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    print(json.dumps(got), flush=True)


@asynccontextmanager
async def watchers(port: int, count: int, tokens: Sequence[str]) -> AsyncIterator[list[int]]:
    """Let so many watch in a process of their own; at the end, the list has the bytes of each."""
    got: list[int] = []
    if not count:
        yield got
        return
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.page_watchers", str(port), str(count), *tokens),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if await process.stdout.readline() != b"ready\n":
            raise SystemExit("the watchers could not watch")
        yield got
        process.stdin.close()
        got += json.loads(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
