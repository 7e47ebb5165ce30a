"""Where something is missing: music, permissions. What can work works; what cannot is said."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest

from callrouter.lab import Install
from callrouter.model.call_notices import CallRequeued
from tests.asterisk.floor import MANAGER, Answer, Floor, RingOnly, floor, queue, staff, table

pytestmark = pytest.mark.asterisk

RULES = queue("support", ["a1", "a2"])


async def test_without_music_on_hold(install: Install) -> None:
    spec = table(staff(2), RULES)
    async with floor(install, spec, music=False) as here:
        here.phone("1001").behaviour = here.phone("1002").behaviour = RingOnly()
        caller = await here.call()
        first = await here.phone("1001").wait_incoming()
        await caller.wait_up()
        await asyncio.sleep(3.0)  # a turn of the waiting room
        assert caller.state == "up"
        assert not caller.heard_other_audio
        await first.answer()
        await caller.wait_heard("1001")
        await first.bye()
        await here.until(lambda: here.happened(CallRequeued))
        second = await here.phone("1002").wait_incoming()
        await second.answer()
        await caller.wait_heard("1002")
        await caller.bye()
        await here.quiet()


def without(kind: str, name: str) -> str:
    """manager_callrouter.conf with one class taken out of `read` or `write`."""

    def drop(line: re.Match[str]) -> str:
        kept = [word for word in line[1].split(",") if word != name]
        return f"{kind} = {','.join(kept) or 'none'}"

    return re.sub(rf"^{kind} = (\S+)$", drop, MANAGER, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("write", "call"),
        ("write", "originate"),
        ("write", "user"),
        ("write", "agent"),
        ("read", "call"),
        ("read", "user"),
    ],
)
@pytest.mark.timeout(40)
async def test_what_is_not_permitted_is_named(
    install: Install, caplog: pytest.LogCaptureFixture, kind: str, name: str
) -> None:
    caplog.set_level(logging.INFO, "callrouter")
    manager = without(kind, name)
    assert manager != MANAGER
    spec = table(staff(1), queue("support", ["a1"]))
    async with floor(install, spec, manager=manager, router=False) as here:
        here.begin()
        await here.until(lambda: f"{kind}={name}" in caplog.text, 8)
        caller = await here.call()
        await asyncio.sleep(1.5)  # time enough for a tight loop to show
        assert here.pbx.client.counters.rejected_actions < 20
        assert len(caplog.records) < 30
        await caller.bye()
        await here.hang_all_up()


@pytest.mark.timeout(60)
async def test_without_app_queue_callers_are_served(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "callrouter")
    spec = table(staff(1), queue("support", ["a1"]))
    async with floor(install, spec, router=False) as here:
        modules = (here.lab.asterisk.folder / "etc/modules.conf").read_text()
        here.lab.asterisk.write_config("modules.conf", modules.replace("load=app_queue.so\n", ""))
        await here.lab.asterisk.restart()
        await here.phone("1001").register()
        await here.start()
        await here.until(lambda: "app_queue is not loaded" in caplog.text, 8)
        caller = await here.call()
        await caller.wait_heard("1001")
        await caller.bye()
        await here.quiet()
        assert here.pbx.queue_log.lost > 0
    assert "callers are served all the same" in caplog.text
    assert "would not be served" not in caplog.text
    assert not [one.message for one in caplog.records if one.levelno >= logging.ERROR]


async def test_a_missing_dialplan_is_named(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    spec = table(staff(1), queue("support", ["a1"]))
    async with floor(install, spec, dialplan="", router=False) as here:
        here.begin()
        await here.until(lambda: "dialplan context missing: callrouter, " in caplog.text, 8)
    (said,) = [r.message for r in caplog.records if "context missing" in r.message]
    assert "#include extensions_callrouter.conf in extensions.conf" in said


def test_the_shipped_account_has_what_is_needed_and_no_more() -> None:
    classes = dict(re.findall(r"^(read|write) = (\S+)$", MANAGER, flags=re.MULTILINE))
    assert set(classes["write"].split(",")) == {"call", "originate", "user", "agent"}
    assert set(classes["read"].split(",")) == {"system", "call", "user"}


async def test_a_clean_login_has_nothing_to_complain_of(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "callrouter")
    async with floor(install, table(staff(1), queue("support", ["a1"]))) as here:
        await asyncio.sleep(2.5)  # the checkup waits so long for its echoes
        await one_call(here)
        await here.quiet()
        log = here.lab.asterisk.log_path.read_text(errors="replace")
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == []
    ours = [line for line in log.splitlines() if re.search("WARNING|ERROR", line)]
    assert [line for line in ours if "allrouter" in line] == []


async def one_call(here: Floor) -> None:
    here.phone("1001").behaviour = Answer(after=0.1)
    caller = await here.call()
    await caller.wait_heard("1001")
    await caller.bye()
