"""Days off of every kind, time zones of their own, and zone data that changes on disk."""

from __future__ import annotations

import zoneinfo
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callrouter.model.hours import Hours
from callrouter.settings import ConfigError, Settings, changes, load
from callrouter.settings.schema.durations import parse_duration
from callrouter.settings.schema.written_values import day_off

BASE = "pbx: {sim: {driver: simulated}}\ntimezone: Europe/London\nagents: {ann: {devices: {desk: PJSIP/1}}}\n"


def read(folder: Path, queue: str, more: str = "") -> Settings:
    (folder / "all.yaml").write_text(f"{BASE}{more}queues: {{q: {{agents: [ann], {queue}}}}}\n")
    return load(folder, environ={})


def hours(folder: Path, week: str, *days: str) -> Hours:
    listed = ", ".join(f'"{day}"' for day in days)
    found = read(folder, f'hours: "{week}", holidays: [{listed}]').table.queues["q"].hours
    assert found is not None
    return found


def open_at(found: Hours, at: str) -> bool:
    return found.on(
        datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("Europe/London")).timestamp()
    )


OFFICE = "mon-fri 09:00-17:30"


@pytest.mark.parametrize(
    ("week", "days", "at", "is_open"),
    [
        (OFFICE, ["12-25"], "2026-12-25T10:00", False),
        (OFFICE, ["12-25"], "2030-12-25T10:00", False),
        (OFFICE, ["12-25"], "2026-12-24T10:00", True),
        (OFFICE, ["02-29"], "2028-02-29T10:00", False),
        (OFFICE, ["02-29"], "2027-03-01T10:00", True),
        (OFFICE, ["2026-12-24..2027-01-01"], "2026-12-23T10:00", True),
        (OFFICE, ["2026-12-24..2027-01-01"], "2026-12-24T10:00", False),
        (OFFICE, ["2026-12-24..2027-01-01"], "2026-12-30T10:00", False),
        (OFFICE, ["2026-12-24..2027-01-01"], "2027-01-01T10:00", False),
        (OFFICE, ["2026-12-24..2027-01-01"], "2027-01-04T10:00", True),
        (OFFICE, ["12-24..01-01"], "2031-12-31T10:00", False),
        (OFFICE, ["12-24..01-01"], "2031-01-01T10:00", False),
        (OFFICE, ["12-24..01-01"], "2031-01-02T10:00", True),
        (OFFICE, ["2026-12-24 13:00-"], "2026-12-24T12:59", True),
        (OFFICE, ["2026-12-24 13:00-"], "2026-12-24T13:00", False),
        (OFFICE, ["2026-12-24 13:00-"], "2026-12-24T17:29", False),
        (OFFICE, ["2026-12-24 -13:00"], "2026-12-24T12:59", False),
        (OFFICE, ["2026-12-24 -13:00"], "2026-12-24T13:00", True),
        (OFFICE, ["2026-12-24 12:00-14:00"], "2026-12-24T11:59", True),
        (OFFICE, ["2026-12-24 12:00-14:00"], "2026-12-24T13:59", False),
        (OFFICE, ["2026-12-24 12:00-14:00"], "2026-12-24T14:00", True),
        (OFFICE, ["12-31 13:00-"], "2027-12-31T14:00", False),
        (OFFICE, ["12-24..12-31 13:00-"], "2026-12-28T12:00", True),
        (OFFICE, ["12-24..12-31 13:00-"], "2026-12-28T14:00", False),
        # a night shift: on the eve it ends at midnight; on the day off it does not begin
        ("daily 22:00-06:00", ["2026-12-25"], "2026-12-24T23:59", True),
        ("daily 22:00-06:00", ["2026-12-25"], "2026-12-25T00:00", False),
        ("daily 22:00-06:00", ["2026-12-25"], "2026-12-25T23:00", False),
        ("daily 22:00-06:00", ["2026-12-25"], "2026-12-26T05:00", False),
        ("daily 22:00-06:00", ["2026-12-25"], "2026-12-26T22:00", True),
        ("daily 22:00-06:00", ["2026-12-24 13:00-"], "2026-12-24T05:00", True),
        ("daily 22:00-06:00", ["2026-12-24 13:00-"], "2026-12-24T23:00", False),
        ("daily 22:00-06:00", ["2026-12-24 13:00-"], "2026-12-25T05:00", False),
        ("daily 22:00-06:00", ["2026-12-25 03:00-04:00"], "2026-12-25T02:59", True),
        ("daily 22:00-06:00", ["2026-12-25 03:00-04:00"], "2026-12-25T03:30", False),
        ("daily 22:00-06:00", ["2026-12-25 03:00-04:00"], "2026-12-25T04:00", True),
    ],
)
def test_days_off(tmp_path: Path, week: str, days: list[str], at: str, is_open: bool) -> None:
    assert open_at(hours(tmp_path, week, *days), at) is is_open


@pytest.mark.parametrize(
    "week", [OFFICE, "daily 22:00-06:00", "daily 00:00-24:00", "fri 20:00-04:00"]
)
@pytest.mark.parametrize(
    "days",
    [["12-25"], ["2026-12-24 13:00-", "2026-12-25"], ["2026-12-25 03:00-04:00"],
     ["12-24..01-01 -13:00"], ["2026-12-25 10:00-23:30", "2026-12-26 01:00-02:00"]],
)  # fmt: skip
def test_the_next_change_is_when_it_changes(tmp_path: Path, week: str, days: list[str]) -> None:
    found = hours(tmp_path, week, *days)
    at = datetime(2026, 12, 22, tzinfo=ZoneInfo("Europe/London")).timestamp()
    end = at + 8 * 86400
    while at < end:
        change = found.next_change(at)
        if change is None:
            assert all(found.on(t) for t in range(int(at), int(end), 900))
            break
        assert all(found.on(t) is found.on(at) for t in range(int(at), int(min(change, end)), 900))
        assert found.on(change) is not found.on(at)
        at = change


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("13-25", "each year"), ("2027-01-01..2026-12-24", "a range must not end before it begins"), ("12-24..2027-01-01", "a range"),
        ("2026-12-24 25:00-", "half a day"), ("2026-12-24 -", "half a day"), ("12-24 14:00-13:00", "half"),
        ("12-24 13:00", ""), ("25.12.", ""), ("12-32", ""), ("2026-02-29", "no such day"),
        ("25.12.2026", "write 2026-12-25"), ("12/25/2026", "write 2026-12-25"), ("31.02.2026", ""),
        ("3.4.2026", "write 2026-04-03"), ("25/12/2026", "write 2026-12-25"), ("04/04/2026", "write 2026-04-04"),
    ],
)  # fmt: skip
def test_what_is_no_day_off(tmp_path: Path, written: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        hours(tmp_path, OFFICE, written)
    [problem] = caught.value.problems
    assert "item 1 of holidays must be a date such as 2026-12-25" in problem.text
    assert hint in problem.hint


@pytest.mark.parametrize(
    "text",
    ["2026-12-25", "12-25", "2026-12-24..2027-01-01", "12-24..01-01", "2026-12-24 13:00-",
     "12-24 -13:00", "2026-12-24..2026-12-31 12:00-14:30"],
)  # fmt: skip
def test_they_are_described_as_they_are_written(tmp_path: Path, text: str) -> None:
    before, after = (
        read(tmp_path, f'hours: "{OFFICE}", holidays: [{days}]') for days in ("", f'"{text}"')
    )
    assert changes(before, after) == [f"q: holidays added: {text}"]
    queue = after.table.queues["q"]
    assert queue.hours is not None
    assert [day_off(day) for day in queue.hours.holidays] == [text]


def test_the_last_of_yearly_days_is_never_over(tmp_path: Path) -> None:
    late = datetime(2040, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp()
    texts = []
    for days in ('"12-25"', "2026-12-24..2027-01-01"):
        read(tmp_path, f'hours: "{OFFICE}", holidays: [{days}]')
        texts.append([w.text for w in load(tmp_path, environ={}, now=late).warnings])
    assert texts == [[], ["all holidays are in the past"]]


def test_a_queue_and_an_agent_may_have_a_zone_of_their_own(tmp_path: Path) -> None:
    text = """
pbx: {sim: {driver: simulated}}
timezone: Europe/London
agents: {ann: {timezone: America/New_York, devices: {desk: {endpoint: PJSIP/1, hours: "daily 09:00-17:00"}}}}
queues:
  here: {agents: [ann], hours: "daily 09:00-17:00"}
  there: {agents: [ann], hours: "daily 09:00-17:00", timezone: Asia/Tokyo, shifts: [{hours: "sat 10:00-11:00", agents: [ann]}]}
"""
    (tmp_path / "all.yaml").write_text(text)
    old = load(tmp_path, environ={})
    table = old.table
    zones = [table.queues[name].hours.zone for name in ("here", "there")]  # type: ignore[union-attr]
    assert [str(zone) for zone in (*zones, table.queues["there"].shifts[0].hours.zone)] == [
        "Europe/London", "Asia/Tokyo", "Asia/Tokyo",
    ]  # fmt: skip
    device = table.agents["ann"].devices[0].hours
    assert device is not None
    assert str(device.zone) == "America/New_York"
    (tmp_path / "all.yaml").write_text(
        text.replace("Asia/Tokyo", "Asia/Seoul").replace("America/New_York", "America/Boston")
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ={})
    [problem] = caught.value.problems
    assert (problem.line, problem.text) == (4, "unknown time zone 'America/Boston'")
    (tmp_path / "all.yaml").write_text(
        text.replace("Asia/Tokyo", "Asia/Seoul").replace("timezone: America/New_York, ", "")
    )
    assert changes(old, load(tmp_path, environ={})) == [
        "ann: timezone America/New_York -> that of the site",
        "there: timezone Asia/Tokyo -> Asia/Seoul",
    ]


def test_other_rules_for_a_zone_on_disk(tmp_path: Path) -> None:
    before, folder = zoneinfo.TZPATH, tmp_path / "zones"
    real = next(Path(place) for place in before if (Path(place) / "Europe/London").exists())
    (folder / "Test").mkdir(parents=True)
    zone = folder / "Test/Zone"
    zone.write_bytes((real / "Europe/London").read_bytes())
    try:
        zoneinfo.reset_tzpath([str(folder), *before])
        text = BASE.replace("Europe/London", "Test/Zone")
        text += f'queues: {{q: {{agents: [ann], hours: "{OFFICE}"}}}}\n'
        config = tmp_path / "config"
        config.mkdir()
        (config / "all.yaml").write_text(text)
        old = load(config, environ={})
        assert load(config, environ={}).table.zone is old.table.zone
        assert changes(old, load(config, environ={})) == []
        part = folder / "part"
        part.write_bytes((real / "Asia/Tokyo").read_bytes())
        part.replace(zone)
        new = load(config, environ={})
        assert changes(old, new) == ["timezone Test/Zone: this machine has other rules for it now"]
        at = datetime(2026, 12, 1, 9, 30, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp()
        opens = [found.table.queues["q"].hours.on(at) for found in (old, new)]  # type: ignore[union-attr]
        assert opens == [False, True]
        assert new.table.reusing(old.table).queues["q"] is not old.table.queues["q"]
    finally:
        zoneinfo.reset_tzpath(before)
        ZoneInfo.clear_cache(only_keys=["Test/Zone"])


@pytest.mark.parametrize(
    ("text", "days"), [("7d", 7), ("1d12h", 1.5), ("0.5d", 0.5), ("2d1s", 2 + 1 / 86400)]
)
def test_durations_know_days(text: str, days: float) -> None:
    assert parse_duration(text) == pytest.approx(days * 86400)
