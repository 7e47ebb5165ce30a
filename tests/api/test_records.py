"""Reports and ended calls over HTTP: who sees what, in which format, and hostile queries."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import shutil
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import ClientTimeout
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.record_access import RecordAccess
from callrouter.api.routes import report_routes
from callrouter.api.watched_reports import ReportCancelledError
from callrouter.record.number_fates import NumberChange, StoredNumber
from callrouter.record.own_values import make_number_secret
from callrouter.record.reading_threads import ReadingThread
from callrouter.record.record_reader import RecordReader
from callrouter.record.rows import CallOutcome, StayOutcome
from callrouter.reports import catalog
from callrouter.reports.catalog import make
from callrouter.reports.formats.report_json import encode_report
from callrouter.reports.report import Report
from callrouter.reports.request import ReportError
from callrouter.settings import ApiToken, Settings
from callrouter.store.location import File
from tests.api.world import READER, SUPERVISOR, T0, TABLE, TOKENS, Client, World
from tests.record.rows import call_row, fill, stay_row
from tests.reports import samples
from tests.settings.cases import loaded

HOUR = 3600.0
DAY = "2025-11-21"  # that of T0, in UTC
EARLY = T0 - 12 * HOUR
OWN = (
    ApiToken(name="alice", role="agent", agent="alice", token="agent-alice-123456"),
    ApiToken(name="sam", role="supervisor", queues=("sales",), token="supervisor-sales-1"),
)
ALICE = {"Authorization": "Bearer agent-alice-123456"}
SAM = {"Authorization": "Bearer supervisor-sales-1"}


def rows() -> list[Any]:
    """Ten calls in support, every second one alice's, and one in sales that bob had."""
    found: list[Any] = []
    for number in range(10):
        call, at = f"c{number}", EARLY + 60 * number
        agent = "alice" if number % 2 else "bob"
        found += [
            call_row(call, at, agent=agent, caller_name="Jo"),
            stay_row(call, 0, at, agent=agent),
        ]
    abandoned = {
        "queue": "sales",
        "outcome": CallOutcome.ABANDONED,
        "result": "abandoned",
        "agent": "",
    }
    found += [
        call_row("s1", EARLY + HOUR, last_queue="sales", **abandoned),
        stay_row("s1", 0, EARLY + HOUR, queue="sales", outcome=StayOutcome.ABANDONED, talk_s=0.0),
    ]
    return found


class RecordedWorld(World):
    """A call centre with a day on record."""

    def __init__(self, place: File, settings: Settings) -> None:
        super().__init__(tokens=(*TOKENS, *OWN))
        self.place = place
        self.backend.record = RecordAccess(
            lookups=ReadingThread(self.place, "look-ups"),
            reports=ReadingThread(self.place, "reports"),
            settings=lambda: settings,
        )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Settings]:
    """A database with the day on record, and a configuration."""
    folder = tmp_path_factory.mktemp("record")
    fill(File(folder / "record.db"), *rows())
    (folder / "files").mkdir()
    return folder / "record.db", replace(loaded(folder / "files"), table=TABLE)


@pytest.fixture
def world(filled: tuple[Path, Settings], tmp_path: Path) -> RecordedWorld:
    place = tmp_path / "record.db"
    shutil.copy(filled[0], place)
    return RecordedWorld(File(place), filled[1])


async def get(client: Client, path: str, headers: dict[str, str] | None = None) -> Any:
    answer = await client.get(path, headers=headers or SUPERVISOR)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def detail(
    client: Client, path: str, status: int = 422, headers: dict[str, str] | None = None
) -> str:
    answer = await client.get(path, headers=headers or SUPERVISOR)
    assert answer.status == status, await answer.text()
    return str((await answer.json())["detail"])


# ---------------------------------------------------------------- reports


async def test_a_report(client: Client) -> None:
    view = await get(client, f"/api/reports/queues?period={DAY}&queue=support")
    assert (view["what"], view["from"], view["by"]) == ("queues", f"{DAY}T00:00:00+00:00", "")
    [row] = view["rows"]
    assert (row["queue"], row["entered"], row["answered"], row["abandoned"], row["left"]) == (
        *("support", 10, 10, 0, 0),
    )
    assert row["wait_s"] == {"mean": 10.0, "median": 10.0, "p90": 10.0, "max": 10.0}
    assert row["service_level"]["strict"] == 100.0


async def test_today_is_the_period_unless_another_is_named(client: Client) -> None:
    today, named = [
        await get(client, f"/api/reports/hours{query}") for query in ("", f"?period={DAY}&by=1h")
    ]
    assert today["rows"] == named["rows"]
    assert len(today["rows"]) == 22  # it is 21:53


async def test_the_calls_of_a_figure(client: Client) -> None:
    """A column says whether its figures have calls, and what it means; as many are listed as it says."""
    report = await get(client, f"/api/reports/queues?period={DAY}")
    columns = {column["name"]: column for column in report["columns"]}
    assert columns["answered"]["has_calls"]
    assert not columns["service_level.target"]["has_calls"]
    assert columns["answered"]["meaning"] == "caller and agent heard each other"
    assert columns["answered"]["counts_in"] == "stays"
    for row in report["rows"]:
        for figure in ("entered", "answered", "abandoned", "left"):
            query = f"period={DAY}&queue={row['queue']}&figure=queues.{figure}"
            found = await get(client, f"/api/reports/calls?{query}")
            assert len(found["rows"]) == row[figure]
            assert {each["queue"] for each in found["rows"]} <= {row["queue"]}
    said = await detail(client, "/api/reports/calls?figure=queues.answred")
    assert "did you mean 'queues.answered'?" in said
    own = f"/api/reports/calls?period={DAY}&figure="
    assert "those of report agents" in await detail(client, f"{own}queues.entered", headers=ALICE)
    assert (await get(client, f"{own}agents.offers", ALICE))["rows"] == []
    of_sales = await get(client, f"{own}queues.entered", SAM)
    assert [row["call"] for row in of_sales["rows"]] == ["s1"]


class SlowReport:
    """In place of a report over years: ten steps."""

    def __init__(self, error: str = "") -> None:
        self.told: list[float] = []
        self.given_up = threading.Event()
        self._error = error

    def __call__(self, wanted: Any, site: Any, scope: Any, link: Any, progress: Any) -> Report:
        for step in range(10):
            self.told.append(step / 10)
            try:
                progress(step / 10)
            except ReportCancelledError:
                self.given_up.set()
                raise
            time.sleep(0.2)
        if self._error:
            raise ReportError(self._error)
        return make(wanted, site, scope, link)


LINES = SUPERVISOR | {"Accept": "application/x-ndjson"}


async def test_a_long_report_says_how_far_it_is(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = await get(client, f"/api/reports/queues?period={DAY}")
    monkeypatch.setattr(catalog, "make", SlowReport())
    answer = await client.get(f"/api/reports/queues?period={DAY}", headers=LINES)
    assert answer.content_type == "application/x-ndjson"
    *steps, last = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert len(steps) >= 2
    assert all(0.0 <= one["progress"] <= two["progress"] < 1.0 for one, two in pairwise(steps))
    assert last == plain
    monkeypatch.setattr(catalog, "make", SlowReport("there is no queue 'x'"))
    answer = await client.get("/api/reports/queues", headers=LINES)
    last = json.loads((await answer.text()).splitlines()[-1])
    assert (last["problem"]["status"], last["problem"]["detail"]) == (422, "there is no queue 'x'")
    answer = await client.get("/api/reports/queues?period=never", headers=LINES)
    assert (answer.status, answer.content_type) == (422, "application/problem+json")
    monkeypatch.setattr(catalog, "make", make)
    answer = await client.get(f"/api/reports/queues?period={DAY}&format=csv", headers=LINES)
    assert answer.content_type == "text/csv"


async def test_a_report_that_no_client_waits_for_is_given_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowReport()
    monkeypatch.setattr(catalog, "make", slow)
    with pytest.raises(asyncio.TimeoutError):
        await client.get("/api/reports/queues", headers=SUPERVISOR, timeout=ClientTimeout(0.3))
    assert await asyncio.to_thread(slow.given_up.wait, 5)
    assert len(slow.told) < 10
    monkeypatch.setattr(catalog, "make", make)
    assert (await get(client, f"/api/reports/queues?period={DAY}"))["rows"]


async def test_csv(client: Client) -> None:
    answer = await client.get(f"/api/reports/queues?period={DAY}&format=csv")
    assert answer.content_type == "text/csv"
    assert answer.charset == "utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="queues.csv"'
    found = list(csv.DictReader(io.StringIO(await answer.text())))
    assert [(row["queue"], row["entered"]) for row in found] == [("sales", "1"), ("support", "10")]


@pytest.mark.parametrize(
    ("form", "starts", "shown"),
    [("xlsx", b"PK\x03\x04", "attachment"), ("png", b"\x89PNG", "inline")],
)
async def test_files_are_made_by_a_process_of_their_own(
    client: Client, form: str, starts: bytes, shown: str
) -> None:
    answer = await client.get(f"/api/reports/hours?period={DAY}&format={form}")
    assert (await answer.read()).startswith(starts)
    assert answer.headers["Content-Disposition"] == f'{shown}; filename="hours.{form}"'


async def test_a_format_that_is_not_installed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callrouter.reports.formats.file_formats.find_spec", lambda _: None)
    said = await detail(client, "/api/reports/queues?format=png", 501)
    assert said.startswith("png needs matplotlib, which is not installed here")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("queues?period=yesteryear", "is not a period"),
        ("queues?period=2025-11-22..2025-11-21", "runs backwards"),
        ("queues?period=2125-11-22", "is in the future"),
        ("queues?by=2h", "is not an interval"),
        ("queues?queue=suport", "there is no queue 'suport'; did you mean 'support'?"),
        ("queues?format=jsn", "did you mean 'json'?"),
        ("queues?perod=today", "there is no parameter 'perod'; did you mean 'period'?"),
        ("queues?zzz=1", "there are period, by, queue, agent, call, figure and format"),
        ("queues?by=1h&by=1d", "'by' is given twice"),
        ("queues?queue=" + "x" * 300, "200 characters at most"),
        ("queues?queue=%00", "200 characters at most"),
        ("queues?call=c1", "'call' is the id of the call for the report 'call', and only for it"),
        ("queues?period=" + "9" * 100, "is not a period"),
        ("queues?period=9999-12-31..9999-12-31", ""),
    ],
)
async def test_wrong_queries_are_told_what_would_be_right(
    client: Client, query: str, said: str
) -> None:
    assert said in await detail(client, f"/api/reports/{query}")


async def test_no_such_report(client: Client) -> None:
    said = await detail(client, "/api/reports/quues", 404)
    assert said == "there is no report 'quues'; did you mean 'queues'?"


async def test_a_daemon_without_a_record(client: Client, world: RecordedWorld) -> None:
    world.backend.record = None
    for path in ("/api/reports/queues", "/api/records/calls"):
        assert await detail(client, path, 404) == "this daemon keeps no record of calls"


async def test_the_database_is_away(client: Client, world: RecordedWorld) -> None:
    world.place.path.unlink()
    for path in ("/api/reports/queues", "/api/records/calls"):
        assert "cannot be read" in await detail(client, path, 503)


async def test_a_limited_supervisor_sees_the_own_queues_alone(client: Client) -> None:
    view = await get(client, f"/api/reports/queues?period={DAY}", SAM)
    assert [row["queue"] for row in view["rows"]] == ["sales"]
    assert "there is no queue 'support'" in await detail(
        client, "/api/reports/queues?queue=support", headers=SAM
    )
    hours = await get(client, f"/api/reports/hours?period={DAY}", SAM)
    assert hours["total"]["entered"] == 1


async def test_an_agent_sees_the_queues_it_is_in(client: Client) -> None:
    view = await get(client, f"/api/reports/queues?period={DAY}", ALICE)
    assert [row["queue"] for row in view["rows"]] == ["support"]


class SlowReading(ReadingThread):
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked = self.at_once = self.most_at_once = 0
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def ask(self, question: Any) -> Any:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        await self.go.wait()
        self.at_once -= 1
        return encode_report(samples.queues(("support",)))


async def test_reports_are_made_one_at_a_time_shared_and_bounded(
    world: RecordedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowReading()
    monkeypatch.setattr(report_routes, "MOST_REPORTS", 3)
    assert world.backend.record is not None
    world.backend.record = replace(world.backend.record, reports=slow)
    async with TestClient(TestServer(world.app), headers=SUPERVISOR) as client:
        first = asyncio.create_task(client.get("/api/reports/queues"))
        await slow.begun.wait()
        same = [asyncio.create_task(client.get("/api/reports/hours")) for _ in range(10)]
        others = [
            asyncio.create_task(client.get(f"/api/reports/hours?by={by}")) for by in ("15m", "1d")
        ]
        await asyncio.sleep(0.05)
        refused = await client.get("/api/reports/hours?by=30m")
        assert refused.status == 503
        assert refused.headers["Retry-After"] == "60"
        slow.go.set()
        for task in (first, *same, *others):
            await task
    assert (slow.asked, slow.most_at_once) == (4, 1)


async def test_a_question_whose_answer_is_not_wanted_does_no_harm(tmp_path: Path) -> None:
    place = File(tmp_path / "record.db")
    fill(place, *rows())
    thread = ReadingThread(place, "a test")

    def wrong(_reader: RecordReader) -> int:
        raise LookupError("x")

    with pytest.raises(LookupError):
        await thread.ask(wrong)
    task = asyncio.create_task(thread.ask(lambda reader: reader.find("last")))
    await asyncio.sleep(0)
    task.cancel()
    assert await thread.ask(lambda reader: reader.find("s1")) == ["s1"]


# ---------------------------------------------------------------- ended calls


async def ids(client: Client, query: str = "", headers: dict[str, str] | None = None) -> list[str]:
    view = await get(client, f"/api/records/calls{query}", headers)
    return [call["id"] for call in view["calls"]]


async def test_ended_calls_the_last_to_end_first(client: Client) -> None:
    view = await get(client, "/api/records/calls?limit=2")
    assert [call["id"] for call in view["calls"]] == ["s1", "c9"]
    sale, call = view["calls"]
    assert (sale["agent"], sale["outcome"], sale["result"]) == (None, "abandoned", "abandoned")
    assert (call["agent"], call["caller_number"], call["caller_name"]) == (
        *("alice", "441632960000", "Jo"),
    )
    assert call["ended_at"] == "2025-11-21T10:03:07.000Z"


async def test_pages_are_stable_while_calls_come_in(client: Client, world: RecordedWorld) -> None:
    seen: list[str] = []
    cursor = ""
    for page in range(6):
        view = await get(client, f"/api/records/calls?limit=2{cursor}")
        seen += [call["id"] for call in view["calls"]]
        # One that ends after those seen, and one that ended at the same moment as one of them.
        fill(world.place, call_row(f"new{page}", T0), call_row(f"z{page}", EARLY + 60 * 9))
        if view["next"] is None:
            break
        cursor = f"&cursor={view['next']}"
    assert seen == ["s1", *(f"c{number}" for number in reversed(range(10)))]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?queue=sales", ["s1"]),
        ("?outcome=abandoned", ["s1"]),
        ("?agent=alice&limit=1", ["c9"]),
        ("?number=441632960000&outcome=abandoned", ["s1"]),
        ("?number=+441632", []),
        ("?from=2025-11-21T10:50", ["s1"]),
        ("?to=2025-11-21T09:54", ["c0"]),
        ("?from=2025-11-21T10:53:00%2B00:00&to=2025-11-21T12:00:00Z", ["s1"]),
        ("?from=2025-11-21T11:53:00+01:00", ["s1"]),
        ("?from=2025-11-22", []),
        ("?to=0001-01-01T00:00:00%2B14:00", []),
    ],
)
async def test_filters(client: Client, query: str, expected: list[str]) -> None:
    assert await ids(client, query) == expected


async def test_a_caller_is_found_whose_number_is_masked_by_now(
    client: Client, world: RecordedWorld
) -> None:
    engine = sa.create_engine(f"sqlite:///{world.place.path}")
    with engine.begin() as link:
        secret = make_number_secret(link)
    engine.dispose()
    changed = NumberChange("mask", secret).replaced(StoredNumber("+441632960999", ""))
    old = call_row("old", T0, caller_number=changed.number, number_key=changed.key)
    fill(world.place, old, call_row("new", T0 + 1, caller_number="+441632960999"))
    assert await ids(client, "?number=%2B441632960999") == ["new", "old"]
    assert await ids(client, "?number=%2B441632960998") == []


async def test_who_sees_which_ended_calls(client: Client) -> None:
    assert await ids(client, "", SAM) == ["s1"]
    assert await ids(client, "", READER) == []
    view = await get(client, "/api/records/calls", ALICE)
    assert [call["id"] for call in view["calls"]] == ["c9", "c7", "c5", "c3", "c1"]
    assert {(call["caller_number"], call["caller_name"]) for call in view["calls"]} == {
        ("…000", "")
    }
    for query in ("?queue=sales", "?agent=bob", "?number=441632960000"):
        await detail(client, f"/api/records/calls{query}", 403, ALICE)
    await detail(client, "/api/records/calls?queue=support", 403, SAM)


def cursor_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "=", "%00", "é", "A" * 201, "////", "e30", "bnVsbA"),
        *map(cursor_of, (1, "x", None, {}, [], [1], [1, 2], ["1", "x"], [True, "x"], [1, "x", 2])),
        *map(
            cursor_of,
            ([float("nan"), "x"], [float("inf"), "x"], [1, "x" * 150], [[], "x"], [1, "a\0b"]),
        ),
        cursor_of("[" * 100),
        base64.urlsafe_b64encode(b'[1, "\\ud800"]').decode(),
        base64.urlsafe_b64encode(b"[" * 100).decode().rstrip("="),
    ],
)
async def test_a_cursor_that_is_none_of_ours(client: Client, cursor: str) -> None:
    assert await detail(client, f"/api/records/calls?cursor={cursor}")


async def test_a_cursor_shows_no_more_than_its_reader_may_see(client: Client) -> None:
    assert await ids(client, f"?cursor={cursor_of([1e12, ''])}", SAM) == ["s1"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=yesterday", "'from' must be a date or a time"),
        ("to=99999-01-01", "'to' must be a date or a time"),
        ("from=2025-11-22&to=2025-11-21", "'to' must be later than 'from'"),
        ("limit=0", "from 1 to 1000"),
        ("limit=1001", "from 1 to 1000"),
        ("limit=ten", "from 1 to 1000"),
        ("limit=%C2%B2", "from 1 to 1000"),
        ("outcome=abandonned", "did you mean 'abandoned'?"),
    ],
)
async def test_a_wrong_query_about_calls(client: Client, query: str, said: str) -> None:
    assert said in await detail(client, f"/api/records/calls?{query}")


@pytest.fixture
async def client(world: RecordedWorld) -> AsyncIterator[Client]:
    async with TestClient(TestServer(world.app), headers=SUPERVISOR) as made:
        yield made
