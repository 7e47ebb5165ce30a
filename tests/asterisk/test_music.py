"""Each queue's own music, and a dialplan that disappears under the router."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from callrouter.lab import Install
from callrouter.model.call_requests import CallMoveRequested
from callrouter.model.routing_table import KeepWaiting
from callrouter.pbx.asterisk import heartbeat
from tests.asterisk.floor import Floor, person, queue, stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    if install.moh is None:
        pytest.skip("this Asterisk has no music")
    classes = "".join(
        f"[{name}]\nmode=files\ndirectory={install.moh}\n" for name in ("default", "jazz", "folk")
    )
    async with stage(install, 1, files={"musiconhold.conf": classes}) as made:
        yield made


def played(here: Floor) -> list[str]:
    """The classes of music that were begun, in order."""
    log = here.lab.asterisk.log_path.read_text(errors="replace")
    return re.findall(r"Started music on hold, class '([^']+)'", log)


async def test_callers_hear_the_music_of_their_queue(here: Floor) -> None:
    rules = [
        queue(name, ["a1"], on_nobody=KeepWaiting(), music=music)
        for name, music in (("support", "jazz"), ("sales", "folk"), ("front", "default"))
    ]
    await here.fresh(person("a1"), queues=rules)
    known = here.pbx._fallback
    assert known is not None
    await here.until(lambda: known._published.get("support") and known._published.get("sales"), 4)
    for target, music in (("support", "jazz"), ("sales", "folk"), ("front", "default")):
        before = len(played(here))
        caller = await here.call(target)
        await here.until(lambda known=before: len(played(here)) > known)  # type: ignore[misc]
        assert played(here)[before:] == [music]
        await caller.bye()
        await here.until(lambda: not here.router.floor.calls)


async def test_music_follows_a_caller_to_another_queue(here: Floor) -> None:
    rules = [
        queue(name, ["a1"], on_nobody=KeepWaiting(), music=music)
        for name, music in (("support", "jazz"), ("sales", "folk"))
    ]
    await here.fresh(person("a1"), queues=rules)
    known = here.pbx._fallback
    assert known is not None
    await here.until(lambda: known._published.get("support") and known._published.get("sales"), 4)
    caller = await here.call("support")
    await here.until(lambda: played(here)[-1:] == ["jazz"] and here.router.floor.calls)
    [call] = here.router.floor.calls.values()
    here.post(CallMoveRequested(call=call.id, queue="sales"))
    await here.until(lambda: played(here)[-1] == "folk", 8)
    log = here.lab.asterisk.log_path.read_text(errors="replace")
    assert "Playing 'queue-thankyou" not in log
    await caller.bye()
    await here.quiet()


async def test_a_dialplan_that_disappears_is_noticed(
    here: Floor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "DIALPLAN_EVERY", 1.0)
    await here.fresh(person("a1"), queues=[queue("support", ["a1"])])
    assert here.pbx.health().missing == ()
    path = Path(here.lab.asterisk.folder) / "etc/lab-dialplan.conf"
    text = path.read_text()
    try:
        path.write_text("; gone\n")
        await here.lab.asterisk.cli("dialplan reload")
        await here.until(lambda: "callrouter" in here.pbx.health().missing, 10)
        assert "dialplan context missing: callrouter, " in here.pbx.health().detail
        said = [r for r in caplog.records if "context missing: callrouter, " in r.message]
        assert [record.levelname for record in said] == ["ERROR"], [r.message for r in said]
    finally:
        path.write_text(text)
        await here.lab.asterisk.cli("dialplan reload")
    await here.until(lambda: here.pbx.health().missing == (), 10)
