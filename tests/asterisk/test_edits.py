"""A supervisor edits `queues.yaml` while callers wait and talk, in the daemon as it is shipped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from callrouter.demo.child import DaemonProcess
from callrouter.lab import Answer, Dialog, Install, Lab, RingOnly, lab
from tests.asterisk.floor import DIALPLAN, MANAGER

pytestmark = pytest.mark.asterisk

SECRET = "a-secret-of-the-test"
AGENTS = [f"a{number}" for number in range(1, 11)]
PHONES = [str(1000 + number) for number in range(1, 11)]

GOOD = (
    "support:\n    policy: longest-idle\n    ring_for: 60s",
    "support:\n    policy: priority\n    ring_for: 45s",
    "support:\n    policy: [priority, round-robin]\n    ring_for: 60s\n    weight: 3",
    "support:\n    policy: linear\n    ring_for: 50s\n    wrap_up: 5s\n    max_wait: 10m",
    "support:\n    policy: skills\n    ring_for: 60s\n    widen: [{after: 9m, at_once: all}]",
)
BAD = (
    ("support:\n    policy: prioritty", 4, "prioritty"),
    ("support:\n    ring_fro: 20s", 4, "ring_fro"),
    ("support:\n    ring_for: soon", 4, "ring_for"),
    ("support:\n    policy: random\n    policy: linear", 5, "policy"),
    ("support:\n    max_waiting: many", 4, "max_waiting"),
)


def queues(rules: str, levels: list[int]) -> str:
    members = ", ".join(f"{name}: {level}" for name, level in zip(AGENTS, levels, strict=True))
    return f"queues:\n  # edited while people talk\n  {rules}\n    agents: {{{members}}}\n"


@asynccontextmanager
async def centre(
    install: Install, folder: Path, text: str
) -> AsyncIterator[tuple[Lab, DaemonProcess]]:
    """A real Asterisk and the real daemon on it."""
    manager = MANAGER.replace("change-me", SECRET)
    async with lab(install, phones=tuple(PHONES), dialplan=DIALPLAN, manager=manager) as made:
        config = folder / "config"
        config.mkdir()
        (config / "callrouter.yaml").write_text(
            f"pbx:\n  office: {{driver: asterisk, port: {made.asterisk.ami_port}, "
            f"username: callrouter, secret: {SECRET}}}\nhttp: {{listen: '127.0.0.1:0'}}\n"
        )
        people = [
            f"  {name}: {{sign_in: always, devices: {{desk: PJSIP/{phone}}}}}"
            for name, phone in zip(AGENTS, PHONES, strict=True)
        ]
        (config / "agents.yaml").write_text("agents:\n" + "\n".join(people) + "\n")
        (config / "queues.yaml").write_text(text)
        daemon = DaemonProcess(config, folder / "log")
        try:
            await daemon.start()
            yield made, daemon
        finally:
            await daemon.stop()


async def places(daemon: DaemonProcess) -> list[tuple[str, int, str]]:
    """Who waits where since when, as the daemon says."""
    calls: list[dict[str, Any]] = await daemon.get("/api/calls")
    return sorted(
        (call["id"], call.get("position") or 0, call["entered_at"])
        for call in calls
        if call["state"] == "waiting"
    )


async def until(true: Any, within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not await true():  # noqa: ASYNC110 - asks another process
            await asyncio.sleep(0.05)


@pytest.mark.timeout(240)
async def test_thirty_edits_with_20_waiting_and_10_talking(
    install: Install, tmp_path: Path
) -> None:
    text = queues(GOOD[0], [1] * 10)
    async with centre(install, tmp_path, text) as (made, daemon):
        file = tmp_path / "config/queues.yaml"
        for phone in PHONES:
            made[phone].behaviour = Answer(after=0.05)
        talking = [await made["caller"].call("support") for _ in range(10)]
        for dialog in talking:
            await dialog.wait_up()
        await asyncio.gather(*(_heard_someone(dialog) for dialog in talking))
        for phone in PHONES:
            made[phone].behaviour = RingOnly()
        waiting = [await made["caller"].call("support") for _ in range(20)]

        async def all_wait() -> bool:
            return len(await places(daemon)) == 20

        await until(all_wait)
        before = await places(daemon)
        chance = random.Random(7)
        for number in range(30):
            await _edit(daemon, file, chance, bad=number % 3 == 2)
            assert await places(daemon) == before, "places and clocks"
            assert all(dialog.state == "up" for dialog in (*talking, *waiting))
        invites = [len(made[phone].incoming) for phone in PHONES]
        assert invites == [1] * 10, "nobody who talks was rung"
        for dialog in (*waiting, *talking):
            await dialog.bye()


async def _heard_someone(dialog: Dialog) -> None:
    await dialog.wait(lambda: bool(dialog.heard), 10.0)


async def _edit(daemon: DaemonProcess, file: Path, chance: random.Random, *, bad: bool) -> None:
    """Write a change as some editor would, and wait until the daemon has said what it thinks of it."""
    state = (await daemon.get("/api/status"))["config"]
    levels = [chance.randint(1, 100) for _ in AGENTS]
    if bad:
        rules, line, word = chance.choice(BAD)
        _write(file, queues(rules, levels), chance)

        async def refused() -> bool:
            found = (await daemon.get("/api/status"))["config"]["problems"]
            return any(
                (item["file"], item["line"]) == ("queues.yaml", line) and word in item["text"]
                for item in found
            )

        await until(refused)
        return
    _write(file, queues(chance.choice(GOOD), levels), chance)

    async def taken() -> bool:
        now = (await daemon.get("/api/status"))["config"]
        return now["loaded_at"] != state["loaded_at"] and not now["problems"]

    try:
        await until(taken)
    except TimeoutError:
        raise AssertionError(
            f"not taken up: {await daemon.get('/api/status')}\n{_read(file)}"
        ) from None


def _read(file: Path) -> str:
    return file.read_text()


def _write(file: Path, text: str, chance: random.Random) -> None:
    if chance.random() < 0.5:
        file.write_text(text)
        return
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)


@pytest.mark.timeout(60)
async def test_levels_1_1_50_on_a_real_asterisk(install: Install, tmp_path: Path) -> None:
    """Both firsts busy: the third rings. A first becomes free meanwhile: the older call stays with the
    phone that rings for it, the next call is the first's."""
    levels = [1, 1, 50, *[100] * 7]
    rules = "support:\n    policy: priority\n    ring_for: 30s\n    max_waiting: 9"
    text = queues(rules, levels).replace(", a4: 100", "").split(", a5")[0] + "}\n"
    async with centre(install, tmp_path, text) as (made, _):
        for phone in ("1001", "1002"):
            made[phone].behaviour = Answer(after=0.05)
        made["1003"].behaviour = RingOnly()
        first = [await made["caller"].call("support") for _ in range(2)]
        for dialog in first:
            await _heard_someone(dialog)
        assert len(made["1003"].incoming) == 0
        third = await made["caller"].call("support")
        await made["1003"].wait_incoming()
        await asyncio.sleep(1.1)  # a talk, and not a phone dropped at once
        await made["1001"].incoming[0].bye()
        await first[0].wait_ended() if "1001" in first[0].heard else await first[1].wait_ended()
        fourth = await made["caller"].call("support")
        await fourth.wait_heard("1001")
        assert made["1003"].incoming[0].state == "ringing"
        await made["1003"].incoming[0].answer()
        await third.wait_heard("1003")
        assert [len(made[phone].incoming) for phone in ("1001", "1002", "1003")] == [2, 1, 1]
        log = _read(made.asterisk.folder / "log/queue_log")
        assert log.count("|CONNECT|") == 4, "the daemon writes queue_log"
        assert "PJSIP/1003" in await made.asterisk.cli("database show callrouter")
