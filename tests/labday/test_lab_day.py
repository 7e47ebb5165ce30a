"""Every figure of a lab day, computed a second time from what the phones saw: difference 0."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import ClientSession, UnixConnector

from callrouter.api import control_socket
from callrouter.lab import Install
from tests.asterisk.floor import tell
from tests.labday.day import (
    AUTUMN,
    RING_FOR,
    SERVES,
    SHORT,
    SPRING,
    WITHIN,
    WRAP_UP,
    Place,
    centre,
    midnight,
    morning,
    night,
)
from tests.labday.log_reading import compare_log
from tests.labday.reading import Reading, Rows
from tests.labday.second import Period, Phones, Rules
from tests.labday.seen import GRACE
from tests.labday.span import Gauge

pytestmark = [pytest.mark.asterisk, pytest.mark.labday, pytest.mark.timeout(900)]

LIMIT = 0.6
"""Seconds by which a time on record may differ from the one at the phone: the message has to pass
Asterisk and the router, on a machine that other tests use as well."""
SEEN = 1.6
"""Seconds: with times less exact than this, the phones do not tell what happened."""
LONG = bool(os.environ.get("LAB_DAYS"))
RULES = Rules(within=WITHIN, short=SHORT, wrap_up=WRAP_UP, ring_for=RING_FOR, members=SERVES)


async def a_day(install: Install, place: Place) -> tuple[Reading, float]:
    """Play the day, and compare; also returns within how many seconds its times were seen."""
    async with centre(install, place, 28.0) as here:
        await morning(here)
        await midnight(here)
        await night(here)
        if LONG:
            await asyncio.sleep(GRACE + 5.0)  # who was not found again is lost now
        day = await here.closed()
        limit = LIMIT + here.late.worst()
        assert here.cloud.faults == []
        numbers = {visit.number for visit in day.visits}
        zone = ZoneInfo(here.place.zone)
        socket = control_socket.find(here.router.config, here.router.environ)

        async with ClientSession(connector=UnixConnector(str(socket))) as session:

            async def ask(what: str, period: Period | None, by: str = "", call: str = "") -> Rows:
                query = {"by": by, "call": call}
                if period is not None:
                    ends = (datetime.fromtimestamp(at, zone) for at in period)
                    query["period"] = "..".join(f"{at:%Y-%m-%dT%H:%M}" for at in ends)
                url = f"http://x/api/reports/{what}"
                wanted = {name: value for name, value in query.items() if value}
                async with session.get(url, params=wanted) as answer:
                    found: dict[str, Any] = await answer.json()
                    assert answer.status == 200, found
                    rows: Rows = found["rows"]
                    return rows

            ids: dict[str, str] = {}

            def call_of(row: Mapping[str, Any]) -> str:
                number = "+" + str(row["number"]).lstrip("+")
                assert number in numbers, row
                ids[number] = row["call"]
                return number

            reading = Reading(Phones(day, RULES, Gauge(limit)), ask, call_of)
            change = here.place.change
            whole = (change - 3600.0, change + 3600.0)
            await reading.divided(whole, "", 0.0)
            await reading.divided(whole, "1h", 3600.0)
            await reading.divided((change - 900.0, change + 900.0), "15m", 900.0)
            await reading.lists(whole)
            await reading.stories(ids)
            compare_log(here.log.read_text("utf-8"), reading.phones, reading.found)
    return reading, limit


@pytest.mark.parametrize("place", [SPRING, AUTUMN][: 2 if LONG else 1], ids=lambda one: one.zone)
async def test_every_figure_of_a_day_is_what_the_phones_saw(install: Install, place: Place) -> None:
    """Two `kill -9`, a reload, transfers, overflow, re-entry, hold, pauses, midnight and summer time."""
    reading, limit = await a_day(install, place)
    for _ in range(2):
        if limit < SEEN:
            break
        # The machine stood still, and what was a miss or a refusal cannot be told.
        reading, limit = await a_day(install, place)
    found, callers = reading.found, len(reading.phones.day.visits)
    tell(f"{callers} callers; {found.compared} figures, {len(found.found)} differ ({limit:.1f} s)")
    assert found.found == [], "\n".join(found.found[:30])
