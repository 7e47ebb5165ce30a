"""The hostile clients themselves: what they are answered, and the arithmetic of the report."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from bench.hostile import Side, report
from bench.hostileclients import CLIENTS, READER, SUPERVISOR, attack, head, say, watch
from bench.versus import results
from callrouter.api.access.tokens import ApiTokens
from callrouter.api.live import LiveViews
from callrouter.api.server.app import make_app
from callrouter.settings import ApiToken
from tests.api.served import Served
from tests.twilio.test_http import place


async def looked_after(port: int, until: asyncio.Event) -> None:
    """Two seconds of it, and four answers in the midst of it, however long they take in one process with forty.

    Where connections are scarce, one that was asked for health may be closed instead.
    """
    await asyncio.sleep(2.0)
    answered = 0
    while answered < 4:
        with suppress(OSError, TimeoutError):
            answer = await say(port, head("GET /healthz", "Connection: close"))
            answered += answer in {"200", "503"}
        await asyncio.sleep(0.05)
    until.set()


@pytest.mark.timeout(180)
async def test_forty_of_them_change_nothing_and_stop_nothing() -> None:
    assert sum(count for _, count in CLIENTS) == 40
    tokens = (
        ApiToken(name="page", role="supervisor", token=SUPERVISOR),
        ApiToken(name="app", role="agent", agent="ann", token=READER),
    )
    async with place(resync_every=3600.0) as at:
        backend = at.backend
        app = make_app(backend, ApiTokens(tokens), LiveViews(), at.pbx.routes())
        async with Served(app) as server:
            until = asyncio.Event()
            assert server.port is not None
            seen, took, _ = await asyncio.gather(
                attack(server.port, until),
                watch(server.port, until),
                looked_after(server.port, until),
            )
        assert took
        assert sum(seen.values()) > 40
        assert not [what for what in seen if what.endswith((" 500", " 502", ": "))], seen
        assert not [what for what in seen if what.startswith(("forged", "wrong")) and "200" in what]
        assert backend.refusals.faults == 0
        assert at.runtime.router.floor.calls == {}


def test_the_report_sets_both_sides_beside_each_other() -> None:
    sides = {"without": Side(), "with": Side()}
    for side, value in (("without", 2.0), ("with", 3.0)):
        sides[side].found.samples["callrouter"][results.QUEUED].append(value)
        sides[side].health += [value * 2]
        sides[side].memory += [100.0, 100.0 + value]
    sides["with"].answers["wrong token: 401"] = 7
    text = report(sides)
    assert "(a) queued median, ms                    2.0       3.0    1.50" in text
    assert "/healthz p99, ms                         4.0       6.0    1.50" in text
    assert "        7 wrong token: 401" in text
