"""A small SMTP server: takes mail, or behaves as it is told. STARTTLS and login as in RFC 3207, 4954."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class Letter:
    sender: str
    recipient: str
    message: EmailMessage
    user: str
    encrypted: bool


@dataclass
class SmtpServer:
    """`mode`: ok | hang | 451 | 550 (of the recipient) | 554 (of the mail) | drop."""

    context: ssl.SSLContext | None = None
    user: str = ""
    password: str = ""
    mode: str = "ok"
    port: int = 0
    letters: list[Letter] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._talk(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):  # also what TLS says of a client that just goes
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(f"{text}\r\n".encode())

        if self.mode == "hang":
            await asyncio.sleep(3600)
        if self.mode == "drop":
            return
        say("220 here")
        encrypted, user, sender, recipient = False, "", "", ""
        while line := (await reader.readline()).decode().strip():
            verb, _, rest = line.partition(" ")
            match verb.upper():
                case "EHLO":
                    say("250-here")
                    if self.context is not None and not encrypted:
                        say("250-STARTTLS")
                    say("250 AUTH PLAIN" if self.user else "250 SIZE 100000")
                case "STARTTLS":
                    say("220 go on")
                    assert self.context is not None
                    await writer.start_tls(self.context)
                    encrypted = True
                case "AUTH":
                    _, name, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                    if (name, password) == (self.user, self.password):
                        user = name
                        say("235 welcome")
                    else:
                        say("535 no")
                case "MAIL":
                    sender = rest.partition("<")[2].partition(">")[0]
                    say("451 later" if self.mode == "451" else "250 ok")
                case "RCPT":
                    recipient = rest.partition("<")[2].partition(">")[0]
                    say("550 unknown" if self.mode == "550" else "250 ok")
                case "DATA":
                    say("354 go on")
                    raw = await reader.readuntil(b"\r\n.\r\n")
                    if self.mode == "554":
                        say("554 no")
                        continue
                    letter = message_from_bytes(raw[:-5], policy=policy.default)
                    assert isinstance(letter, EmailMessage)
                    self.letters.append(Letter(sender, recipient, letter, user, encrypted))
                    say("250 taken")
                case "QUIT":
                    say("221 bye")
                    return
                case _:
                    say("250 ok")
            await writer.drain()
