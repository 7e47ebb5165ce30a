"""After an outage the session comes back as soon as Asterisk can be reached."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from callrouter.pbx.asterisk.ami import AmiTiming, LoginRefusal
from callrouter.pbx.asterisk.ami.handshake import first_connection
from tests.ami.fake import QUICK, FakeAmi, Received, running, serving, until
from tests.noise import noise


@asynccontextmanager
async def deaf_port() -> AsyncIterator[tuple[socket.socket, int]]:
    """A port whose line of callers is full: Linux drops each further SYN, as a dead network does."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = listener.getsockname()[1]
    fillers = []
    for _ in range(2):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
        fillers.append(filler)
    try:
        yield listener, port
    finally:
        for sock in (*fillers, listener):
            sock.close()


async def test_a_lost_syn_is_not_waited_for() -> None:
    """The kernel would repeat it 1 and 3 s after the first; the port opens after 1.2 s."""
    loop = asyncio.get_running_loop()
    async with deaf_port() as (listener, port):

        async def connect() -> socket.socket:
            sock = socket.socket()
            sock.setblocking(False)
            try:
                await loop.sock_connect(sock, ("127.0.0.1", port))
            except BaseException:
                sock.close()
                raise
            return sock

        still = noise()
        task = asyncio.create_task(
            first_connection(connect, socket.socket.close, every=0.1, timeout=10.0)
        )
        await asyncio.sleep(1.2)
        assert not task.done()
        opened = loop.time()
        listener.settimeout(2.0)
        (await asyncio.to_thread(listener.accept))[0].close()  # room for one more
        (await task).close()
        assert loop.time() - opened < 0.9 + noise(still)


async def test_late_connections_are_given_back() -> None:
    given_back: list[int] = []
    numbers = iter(range(10))

    async def connect() -> int:
        number = next(numbers)
        try:
            await asyncio.sleep(30 if number == 0 else 0.05)
        except asyncio.CancelledError:
            return number  # the connection was made in the same instant
        return number

    assert await first_connection(connect, given_back.append, every=0.01, timeout=5.0) == 1
    assert 0 in given_back


async def test_no_answer_at_all_is_a_timeout_and_a_refusal_is_told_at_once() -> None:
    async def silent() -> None:
        await asyncio.sleep(30)

    with pytest.raises(TimeoutError):
        await first_connection(silent, lambda _: None, every=0.02, timeout=0.1)

    async def refused() -> None:
        raise ConnectionRefusedError("no")

    with pytest.raises(ConnectionRefusedError):
        await first_connection(refused, lambda _: None, every=5.0, timeout=10.0)


class OneSessionOnly(FakeAmi):
    """Says what Asterisk says while it holds another session of the user."""

    held = True

    def standard(self, action: Received) -> bytes | None:
        if action.name == "Login" and self.held:
            return action.reply("Message: Login Already In Use", response="Error")
        return super().standard(action)


async def test_a_session_that_is_still_held_is_asked_for_again_and_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    timing = replace(QUICK, refused_ceiling=30.0, retry_ceiling=30.0, in_use_ceiling=0.05)
    async with (
        serving(OneSessionOnly()) as fake,
        running(fake.port, timing=timing) as client,
    ):
        assert isinstance(fake, OneSessionOnly)
        await until(lambda: len(fake.connects) >= 8)
        refusals = [client.session.refused]
        assert refusals == [LoginRefusal.IN_USE]
        assert "allowmultiplelogin = yes" in client.session.last_error
        assert "secret" not in client.session.last_error
        fake.held = False
        await client.until_up()
        assert client.session.refused is None
    assert len([r for r in caplog.records if "another session" in r.getMessage()]) == 1


def test_the_usual_intervals_find_asterisk_within_a_second() -> None:
    timing = AmiTiming()
    assert timing.retry_ceiling * 1.25 < 1.0
    assert timing.in_use_ceiling * 1.25 < 1.0
    assert timing.connect_every < 1.0
