"""A link that is slow, flooded, or not read by the other side: bounded, noticed, and mended."""

from __future__ import annotations

import asyncio
import gc
import os
from dataclasses import replace
from pathlib import Path

import pytest

from callrouter.pbx.asterisk.ami import Action, AmiDown, AmiMessage, AmiTimeout, connection
from tests.ami.fake import QUICK, FakeAmi, Received, message, running, serving, talking, until

EVENT = message("Event: Newchannel", "Channel: PJSIP/1001-1", "Uniqueid: 1.{n}")


def event(n: int) -> bytes:
    return EVENT.replace(b"{n}", str(n).encode())


def big(n: int) -> Action:
    return {"Action": "Setvar", "Variable": f"V{n}", "Value": "x" * 900}


class Deaf(FakeAmi):
    """Reads nothing more while `deaf` is set."""

    deaf = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        read = reader.read

        async def patiently(most: int = -1) -> bytes:
            while self.deaf and writer is self.writers[-1]:  # noqa: ASYNC110 - a test sets it
                await asyncio.sleep(0.01)
            return await read(most)

        reader.read = patiently  # type: ignore[method-assign, assignment]
        await super().handle(reader, writer)


# ---------------------------------------------------------------- not read


async def test_a_full_send_buffer_is_noticed_and_nothing_is_sent_twice() -> None:
    timing = replace(QUICK, unread_timeout=0.3)
    async with talking(Deaf(), timing=timing) as (fake, client):
        assert isinstance(fake, Deaf)
        fake.deaf = True
        futures = []
        for n in range(0, 20_000, 100):  # what the kernel takes for us is some megabytes
            futures += client.session.send([big(n + i) for i in range(100)], timeout=30)
            await asyncio.sleep(0)
            if not client.session.up:
                break
        await until(lambda: client.downs != [], 20)
        assert "has not read what it is sent for 0.3 s" in client.downs[0] or (
            "bytes wait to be sent" in client.downs[0]
        )
        ended = await asyncio.gather(*futures, return_exceptions=True)
        lost = [one for one in ended if isinstance(one, AmiDown)]
        assert lost, "what was read before is answered, the rest is not"
        assert all(isinstance(one, AmiDown | AmiMessage) for one in ended)
        before = len(fake.actions)
        fake.deaf = False
        await client.until_up(2)
        [reply] = await asyncio.gather(*client.session.send([{"Action": "Getvar"}]))
        assert reply.get("Response") == "Success"
        new = [action.name for action in fake.actions[before:] if len(fake.connects) > 1]
        sent = [action.get("Variable") for action in fake.actions if action.name == "Setvar"]
        assert len(sent) == len(set(sent))
        assert new.count("Getvar") == 1


async def test_what_waits_to_be_sent_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_UNSENT", 1 << 20)
    async with talking(Deaf(), timing=replace(QUICK, unread_timeout=60.0)) as (fake, client):
        assert isinstance(fake, Deaf)
        fake.deaf = True
        sent = 0
        while client.session.up:
            client.session.send([big(n) for n in range(100)], timeout=60)
            sent += 100
            assert sent < 100_000
            await asyncio.sleep(0)
        assert "bytes wait to be sent" in client.downs[0]
        fake.deaf = False
        await client.until_up(2)


async def test_one_who_sends_events_and_answers_nothing_is_left() -> None:
    timing = replace(QUICK, deaf_timeout=0.3)
    fake = FakeAmi(answer=lambda _: None)
    async with talking(fake, timing=timing) as (_, client):
        fake.pong = False

        async def go_on() -> None:
            while True:
                for n in range(10):
                    fake.push(event(n))
                await asyncio.sleep(0.02)

        events = asyncio.create_task(go_on())
        [asked] = client.session.send([{"Action": "Setvar"}], timeout=0.1)
        with pytest.raises(AmiTimeout):
            await asked
        await until(lambda: client.downs != [])
        events.cancel()
        assert "has answered nothing for 0.3 s, not even a Ping" in client.downs[0]
        assert len(client.events) > 10
        fake.pong = True
        await client.until_up(2)
        assert fake.count("Setvar") == 1


async def test_one_answer_that_is_missing_costs_the_link_nothing() -> None:
    def answer(action: Received) -> bytes | None:
        return None if action.name == "Setvar" else action.reply()

    timing = replace(QUICK, deaf_timeout=0.2)
    async with talking(FakeAmi(answer=answer), timing=timing) as (fake, client):
        for _ in range(3):
            [asked] = client.session.send([{"Action": "Setvar"}], timeout=0.05)
            with pytest.raises(AmiTimeout):
                await asked
        await asyncio.sleep(0.5)
        assert client.session.up
        assert fake.count("Ping") >= 1


# ---------------------------------------------------------------- slow


async def test_one_byte_at_a_time_and_pauses_of_two_seconds() -> None:
    lines: list[Received] = []

    def answer(action: Received) -> bytes | None:
        lines.append(action)
        return None

    # Pings are not answered: the answer would stand in line behind all that comes so slowly.
    timing = replace(QUICK, ping_interval=2.0, ping_timeout=2.5)  # as in earnest
    async with talking(FakeAmi(answer=answer, pong=False), timing=timing) as (
        fake,
        client,
    ):
        listing = asyncio.create_task(client.session.list({"Action": "Status"}, timeout=30))
        await until(lambda: bool(lines))
        asked = lines[0]
        text = b"".join(
            (
                asked.reply("EventList: start"),
                event(1),
                message("Event: Status", f"ActionID: {asked.get('ActionID')}", "Channel: Jiří"),
                event(2),
                message("Event: StatusComplete", f"ActionID: {asked.get('ActionID')}",
                        "EventList: Complete"),
            )
        )  # fmt: skip
        for start in range(0, len(text), 120):
            for n in range(start, min(start + 120, len(text))):
                fake.push(text[n : n + 1])
                await asyncio.sleep(0)
            await asyncio.sleep(2.0)
        assert [one.get("Channel") for one in await listing] == ["Jiří"]
        assert [one.get("Uniqueid") for one in client.events] == ["1.1", "1.2"]
        assert client.downs == []
        assert len(fake.connects) == 1


# ---------------------------------------------------------------- flooded


def memory() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(120)
async def test_two_hundred_thousand_events_leave_nothing_behind() -> None:
    """20,000 a second for ten seconds, or as fast as this machine is."""
    seen = last = 0

    def on_event(one: AmiMessage) -> None:
        nonlocal seen, last
        seen += 1
        last = int(one.get("Uniqueid")[2:])

    unwanted = message(
        "Event: VarSet", "Channel: PJSIP/1001-1", "Variable: x", "Value: " + "y" * 300
    )
    async with (
        serving(FakeAmi()) as fake,
        running(fake.port, wanted=frozenset({"Newchannel"}), on_event=on_event) as client,
    ):
        await client.until_up()
        before = memory()
        most = 0
        writer = fake.writers[-1]
        for n in range(0, 100_000, 500):
            writer.write(b"".join(event(n + i) + unwanted for i in range(500)))
            await writer.drain()
            if n % 10_000 == 0:
                most = max(most, memory())
        await until(lambda: seen == 100_000, 60)
        assert last == 99_999
        [pong] = await asyncio.gather(*client.session.send([{"Action": "Ping"}]))
        assert pong.get("Ping") == "Pong"
        assert client.downs == []
        assert client.session.counters.skipped_events >= 100_000
        assert max(most, memory()) - before < 48 * 2**20
