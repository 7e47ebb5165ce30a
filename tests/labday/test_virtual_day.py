"""25 hours of calls on a virtual clock: every figure a second time from what the phones saw.

Each of the two days has a midnight and a change of the clock: one hour is missing, or comes twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callrouter.core.router import Router
from callrouter.model.notices import Notice
from callrouter.record.record_reader import RecordReader
from callrouter.record.record_tables import DECISIONS, MEMBER_LISTS
from callrouter.reports.catalog import make
from callrouter.reports.periods import Period as ReportPeriod
from callrouter.reports.request import ALL, Names, ReportRequest, Site
from callrouter.reports.service_level import Target
from callrouter.store.location import File
from tests.asterisk.floor import tell
from tests.labday import virtual
from tests.labday.day import AUTUMN, SPRING, Place
from tests.labday.reading import Reading, Rows
from tests.labday.second import Period, Phones, Rules
from tests.labday.span import Gauge
from tests.record.recording import Recording
from tests.record.rows import fill

LIMIT = 0.002
RULES = Rules(
    within=virtual.WITHIN,
    short=virtual.SHORT,
    wrap_up={"support": virtual.WRAP_UP, "sales": 0.0, "night": 0.0},
    ring_for=virtual.RING_FOR,
    members=virtual.AGENTS,
)
HOUR = 3600.0


def site(place: Place) -> Site:
    """What reports know of the centre, a day later."""
    return Site(
        zone=ZoneInfo(place.zone),
        now=place.change + 30 * HOUR,
        queues=Names("queue", {name: name for name in virtual.AGENTS}),
        agents=Names("agent", {one: one for names in virtual.AGENTS.values() for one in names}),
        targets={name: Target(RULES.within, RULES.short, 80) for name in virtual.AGENTS},
        members={name: dict.fromkeys(names, 1) for name, names in virtual.AGENTS.items()},
    )


@pytest.mark.parametrize(("place", "late"), [(SPRING, 1), (AUTUMN, 400)], ids=["spring", "autumn"])
async def test_every_figure_of_a_virtual_day(tmp_path: Path, place: Place, late: int) -> None:
    """`late`: how many notices the record waits before a new call was looked up in the database."""
    began = place.change - 12 * HOUR
    recording: list[Recording] = []
    heard = [0]

    def start(router: Router) -> None:
        recording.append(Recording(router))

    def hear(notice: Notice) -> None:
        heard[0] += 1
        recording[0].hear([notice])
        if heard[0] % late == 0:
            recording[0].write()

    day = virtual.a_day(began, 25.0, 1, hear, start)
    recording[0].write()
    rows = [
        row
        for table, found in recording[0].rows.items()
        if table not in {DECISIONS, MEMBER_LISTS}
        for row in found.values()
    ]
    database = File(tmp_path / "callrouter.db")
    fill(database, *rows)
    reader = RecordReader(database)
    with reader.connection() as link:

        async def ask(what: str, period: Period | None, by: str = "", call: str = "") -> Rows:
            of = ReportPeriod(*(period or (began, began + 1)), "")
            request = ReportRequest(what=what, period=of, by=by, call=call)
            return make(request, site(place), ALL, link).rows

        def call_of(row: Mapping[str, Any]) -> str:
            return str(row["call"])

        phones = Phones(day, RULES, Gauge(LIMIT))
        reading = Reading(phones, ask, call_of)
        whole = (began - HOUR, began + 27 * HOUR)
        middle = (place.change - 3 * HOUR, place.change + 3 * HOUR)
        await reading.divided(whole, "", 0.0)
        await reading.divided(whole, "1h", HOUR)
        await reading.divided(middle, "15m", 900.0)
        await reading.lists(whole)
        await reading.lists(middle)
        await reading.stories({visit.number: visit.number for visit in day.visits}, every=20)
    reader.close()
    found = reading.found
    tell(f"{len(day.visits)} callers; {found.compared} figures compared, {len(found.found)} differ")
    assert found.compared > 30_000
    assert found.found == [], "\n".join(found.found[:30])
