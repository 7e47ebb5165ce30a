"""Runs commands of Asterisk's console over AMI, for the laboratory's own use.

It logs in for each command and does not share any code with the driver, which is what is tested.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from callrouter.lab.udp import OPENER

LAB_USER = "callrouter-lab"
_PREFIX = b"Output: "


class ConsoleError(RuntimeError):
    """Asterisk refused the command or the login; the text is its message.

    If the command printed something before it failed, that follows on further lines.
    """


async def command(port: int, secret: str, text: str, within: float = 10.0) -> str:
    """Run one console command and return its output.

    Raises:
        OSError: no process listens on 127.0.0.1:`port`, or the connection broke.
        ConsoleError: Asterisk refused.
        TimeoutError: there was no answer within `within` seconds.
        ValueError: `text` has a line break.
    """
    if "\n" in text or "\r" in text:
        raise ValueError("a console command is one line")
    async with asyncio.timeout(within):
        reader, writer = await _connect(port)
        try:
            writer.write(
                f"Action: Login\r\nUsername: {LAB_USER}\r\nSecret: {secret}\r\n"
                f"Events: off\r\n\r\nAction: Command\r\nCommand: {text}\r\n\r\n".encode()
            )
            await _response(reader, first=True)
            return await _response(reader)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    opened = OPENER.get()(socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, ("127.0.0.1", port))
        return await asyncio.open_connection(sock=opened)
    except BaseException:
        opened.close()
        raise


async def _response(reader: asyncio.StreamReader, *, first: bool = False) -> str:
    if first:
        await reader.readline()  # the banner
    output: list[str] = []
    message = ""
    failed = False
    while (line := (await _line(reader)).rstrip(b"\r\n")) != b"":
        if line.startswith(_PREFIX):
            output.append(line.removeprefix(_PREFIX).decode(errors="replace"))
        elif line == b"Response: Error":
            failed = True
        elif line.startswith(b"Message: "):
            message = line[9:].decode(errors="replace")
    if failed:
        raise ConsoleError(message + "".join(f"\n{line}" for line in output))
    return "\n".join(output)


async def _line(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    if not line.endswith(b"\n"):
        raise ConnectionResetError("Asterisk closed the connection")
    return line
