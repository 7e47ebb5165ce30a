"""A fake AMI server on loopback: reads actions as Asterisk does, answers what the test says."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from callrouter.pbx.asterisk.ami import AmiAccount, AmiClient, AmiMessage, AmiTiming

SECRET = "s3cret-never-shown"
CHALLENGE = "123456789"
BOOTED = b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"

QUICK = AmiTiming(
    connect_timeout=1.0,
    login_timeout=1.0,
    boot_grace=0.05,
    ping_interval=5.0,
    retry_first=0.02,
    retry_ceiling=0.05,
    refused_ceiling=0.1,
)


def message(*headers: str) -> bytes:
    return "".join(f"{header}\r\n" for header in (*headers, "")).encode()


@dataclass
class Received:
    """One action as Asterisk would understand it."""

    headers: list[tuple[str, str]]

    def get(self, key: str) -> str:
        return next((v for k, v in self.headers if k.lower() == key.lower()), "")

    @property
    def name(self) -> str:
        return self.get("Action")

    def reply(self, *headers: str, response: str = "Success") -> bytes:
        return message(f"Response: {response}", f"ActionID: {self.get('ActionID')}", *headers)


Answer = Callable[[Received], bytes | None]


@dataclass
class FakeAmi:
    """What the server does; a test changes the attributes at any time."""

    answer: Answer = lambda action: action.reply()
    greeting: bytes = b"Asterisk Call Manager/9.0.0\r\n"
    after_login: bytes = BOOTED
    accept_login: bool = True
    pong: bool = True
    port: int = 0
    actions: list[Received] = field(default_factory=list)
    connects: list[float] = field(default_factory=list)
    reads: list[bytes] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [action.name for action in self.actions]

    def count(self, name: str) -> int:
        return self.names.count(name)

    def push(self, *chunks: bytes) -> None:
        """Write to the newest connection."""
        for chunk in chunks:
            self.writers[-1].write(chunk)

    def cut(self) -> None:
        """Reset the newest connection."""
        self.writers[-1].transport.abort()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects.append(asyncio.get_running_loop().time())
        self.writers.append(writer)
        writer.write(self.greeting)
        lines: list[bytes] = []
        rest = b""
        try:
            while data := await reader.read(65536):
                self.reads.append(data)
                *ready, rest = (rest + data).split(b"\n")  # a bare LF ends a line for Asterisk
                for line in ready:
                    if line := line.removesuffix(b"\r"):
                        lines.append(line)
                    elif lines:
                        self.take(Received([split(line) for line in lines]), writer)
                        lines = []
        except ConnectionError:
            pass
        finally:
            writer.close()

    def take(self, action: Received, writer: asyncio.StreamWriter) -> None:
        self.actions.append(action)
        reply = self.standard(action)
        if reply is not None:
            writer.write(reply)

    def standard(self, action: Received) -> bytes | None:
        match action.name:
            case "Challenge":
                return action.reply(f"Challenge: {CHALLENGE}")
            case "Login":
                key = hashlib.md5((CHALLENGE + SECRET).encode()).hexdigest()
                if self.accept_login and action.get("Key") == key:
                    return action.reply("Message: Authentication accepted") + self.after_login
                return action.reply("Message: Authentication failed", response="Error")
            case "Ping":
                return action.reply("Ping: Pong") if self.pong else None
            case "Logoff":
                return action.reply("Message: Thanks for all the fish.", response="Goodbye")
            case _:
                return self.answer(action)


def split(line: bytes) -> tuple[str, str]:
    key, _, value = line.decode("utf-8", "replace").partition(":")
    return key, value.removeprefix(" ")


@dataclass
class Client:
    """A session with what it told."""

    session: AmiClient
    events: list[AmiMessage]
    ups: list[float]
    downs: list[str]
    task: asyncio.Task[None]

    async def until_up(self, times: int = 1) -> None:
        await until(lambda: len(self.ups) >= times and self.session.up)


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the conditions know nothing of events
            await asyncio.sleep(0.002)


@asynccontextmanager
async def serving(fake: FakeAmi) -> AsyncIterator[FakeAmi]:
    server = await asyncio.start_server(fake.handle, "127.0.0.1", fake.port)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        for writer in fake.writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(
    port: int,
    *,
    timing: AmiTiming = QUICK,
    wanted: frozenset[str] | None = None,
    on_event: Callable[[AmiMessage], None] | None = None,
    on_up: Callable[[], None] | None = None,
    on_failed: Callable[[bool], None] = lambda _no_server: None,
    secret: str = SECRET,
    host: str = "127.0.0.1",
    username: str = "router",
) -> AsyncIterator[Client]:
    events: list[AmiMessage] = []
    ups: list[float] = []
    downs: list[str] = []

    def up() -> None:
        ups.append(asyncio.get_running_loop().time())
        if on_up is not None:
            on_up()

    session = AmiClient(
        AmiAccount(host, port, username, secret),
        on_event=on_event or events.append,
        on_up=up,
        on_down=downs.append,
        on_failed=on_failed,
        event_names=wanted,
        timing=timing,
    )
    task = asyncio.create_task(session.run())
    try:
        yield Client(session, events, ups, downs, task)
    finally:
        await session.close()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


@asynccontextmanager
async def talking(
    fake: FakeAmi | None = None,
    *,
    timing: AmiTiming = QUICK,
    wanted: frozenset[str] | None = None,
    on_event: Callable[[AmiMessage], None] | None = None,
) -> AsyncIterator[tuple[FakeAmi, Client]]:
    """A fake server and a session that is up."""
    async with (
        serving(fake or FakeAmi()) as server,
        running(server.port, timing=timing, wanted=wanted, on_event=on_event) as client,
    ):
        await client.until_up()
        yield server, client
