"""The floor: a script on the manager interface that matches callers and phones, and nothing else.

    python -m bench.versus.floor PORT SECRET PHONE...

One socket, one action per call: the phone's leg bridges itself with the caller when it is answered.
It has no queues, rules, restarts or refusals. Being faster than this is impossible over AMI.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque


class Floor(asyncio.Protocol):
    """Matches the first caller with the first phone. `phones` are the free endpoints."""

    def __init__(self, secret: str, phones: list[str]) -> None:
        self.secret = secret
        self.free = deque(phones)
        self.waiting: dict[bytes, bytes] = {}
        self.legs: dict[bytes, str] = {}
        self.placed = 0
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        login = f"Action: Login\r\nUsername: floor\r\nSecret: {self.secret}\r\n\r\n"
        transport.write(login.encode())

    def connection_lost(self, exc: Exception | None) -> None:
        asyncio.get_running_loop().stop()

    def data_received(self, data: bytes) -> None:
        *messages, self.rest = (self.rest + data).split(b"\r\n\r\n")
        for message in messages:
            self.heard(message)

    def heard(self, message: bytes) -> None:
        if message.startswith(b"Event: UserEvent"):
            self.waiting[field(message, b"Uniqueid")] = field(message, b"CallerIDNum")
        elif message.startswith(b"Event: Hangup"):
            channel = field(message, b"Uniqueid")
            self.waiting.pop(channel, None)
            phone = self.legs.pop(channel, None)
            if phone is not None:
                self.free.append(phone)
        elif b"Authentication accepted" in message:
            print("ready", flush=True)
        while self.free and self.waiting:
            self.ring(self.free.popleft())

    def ring(self, phone: str) -> None:
        caller = next(iter(self.waiting))
        number = self.waiting.pop(caller)
        self.placed += 1
        leg = b"floor-%d" % self.placed
        self.legs[leg] = phone
        self.transport.write(
            b"Action: Originate\r\nChannel: PJSIP/%b\r\nChannelId: %b\r\nCallerID: <%b>\r\n"
            b"Application: Bridge\r\nData: %b,x\r\nTimeout: 15000\r\nAsync: true\r\n\r\n"
            % (phone.encode(), leg, number, caller)
        )


def field(message: bytes, name: bytes) -> bytes:
    """Return the value of a header of an AMI message."""
    return message.partition(b"\r\n" + name + b": ")[2].partition(b"\r\n")[0]


def main() -> None:
    port, secret, *phones = sys.argv[1:]
    loop = asyncio.new_event_loop()
    connecting = loop.create_connection(lambda: Floor(secret, phones), "127.0.0.1", int(port))
    loop.run_until_complete(connecting)
    loop.run_forever()


if __name__ == "__main__":
    main()
