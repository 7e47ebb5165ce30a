"""Who serves a queue when: hours, holidays, shifts, widening, skills, the caller's last agent."""

from __future__ import annotations

import json
import time
import zoneinfo
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from callrouter.model.hours import Hours, parse_spans
from callrouter.model.routing_table import ALL_AT_ONCE, AnnounceSpec, MemberSpec, QueueSpec, ToQueue
from callrouter.settings import Settings, json_schema
from callrouter.settings.builders.queue_builder import all_members
from callrouter.settings.lint.week import WHOLE, covered, first_in_words, without
from tests.settings.cases import ENVIRON, loaded, told, warned

AGENTS = "agents:\n" + "".join(
    f"  {name}: {{devices: {{desk: PJSIP/{n}}}, skills: {{french: {n}}}}}\n"
    for n, name in enumerate(("alice", "bob", "carol", "dave"), 1)
)
COOLDOWN = "  rest: {agents: [alice, bob, carol, dave]}\n"
LONDON = "timezone: Europe/London\n"


def text(keys: str) -> str:
    body = keys.replace("\n", "\n    ")
    return f"queues:\n  support:\n    {body}\n{COOLDOWN}"


def queue(folder: Path, keys: str, site: str = "") -> QueueSpec:
    return loaded(folder, agents=AGENTS, queues=text(keys), site=site).table.queues["support"]


def errors(folder: Path, keys: str) -> list[str]:
    found = told(folder, agents=AGENTS, queues=text(keys))
    return [line.removeprefix("queues.yaml:") for line in found]


def warnings(folder: Path, keys: str) -> list[str]:
    found = warned(folder, agents=AGENTS, queues=text(keys))
    return [line.removeprefix("queues.yaml:") for line in found]


# ---------------------------------------------------------------- what is read


def test_hours_and_holidays(tmp_path: Path) -> None:
    keys = (
        "agents: [alice]\nhours: mon-fri 09:00-17:30; sat 10:00-14:00\n"
        "holidays: [2026-12-25, '2026-12-26']\non_closed: queue:rest"
    )
    support = queue(tmp_path, keys, LONDON)
    days = frozenset({date(2026, 12, 25), date(2026, 12, 26)})
    spans = parse_spans("mon-fri 09:00-17:30; sat 10:00-14:00")
    assert support.hours == Hours(spans, ZoneInfo("Europe/London"), days)
    assert support.on_closed == ToQueue("rest")


def test_hours_follow_summer_time(tmp_path: Path) -> None:
    hours = queue(tmp_path, "agents: [alice]\nhours: daily 09:00-17:00", LONDON).hours
    assert hours is not None
    winter = datetime(2026, 1, 5, 8, 30, tzinfo=UTC).timestamp()
    summer = datetime(2026, 7, 6, 8, 30, tzinfo=UTC).timestamp()
    assert (hours.on(winter), hours.on(summer)) == (False, True)


def test_shifts_replace_the_agents(tmp_path: Path) -> None:
    keys = (
        "agents: {alice: 2, bob: 1}\nholidays: [2026-12-25]\nshifts:\n"
        "  - {hours: mon-fri 17:30-21:00, agents: {dave: 3, carol: 4}}\n"
        "  - {hours: sat-sun 00:00-24:00, agents: [carol, alice]}"
    )
    first, second = queue(tmp_path, keys).shifts
    assert first.hours == Hours(
        parse_spans("mon-fri 17:30-21:00"), ZoneInfo("UTC"), frozenset({date(2026, 12, 25)})
    )
    assert first.members == (
        MemberSpec(agent="dave", level=3, order=0),
        MemberSpec(agent="carol", level=4, order=1),
    )
    assert [(m.agent, m.level, m.order) for m in second.members] == [
        ("carol", 1, 0),
        ("alice", 1, 1),
    ]


def test_widening(tmp_path: Path) -> None:
    keys = (
        "agents: [alice]\nskills: {french: 1}\nwiden:\n"
        "  - {after: 30s, at_once: 3}\n"
        "  - {after: 1m, agents: {carol: 10, bob: 1}, skills: {}}\n"
        "  - {after: 90, at_once: all, agents: [dave], skills: {french: 2}}"
    )
    one, two, three = queue(tmp_path, keys).widen
    assert (one.after, one.at_once, one.members, one.skills) == (30, 3, (), None)
    assert (two.after, two.at_once, two.skills) == (60, None, {})
    assert (three.at_once, three.skills) == (ALL_AT_ONCE, {"french": 2})
    # They come after those that are written before them.
    assert [(m.agent, m.level, m.order) for m in (*two.members, *three.members)] == [
        ("carol", 10, 1),
        ("bob", 1, 2),
        ("dave", 1, 3),
    ]


def test_announcements(tmp_path: Path) -> None:
    assert queue(tmp_path, "agents: [alice]").announce is None
    said = queue(tmp_path, "agents: [alice]\nannounce: {position: true, estimate: true, every: 1m}")
    assert said.announce == AnnounceSpec(position=True, estimate=True, every=60)
    assert queue(tmp_path, "agents: [alice]\nannounce: {every: 30s}").announce is None


def test_last_agent_and_preference(tmp_path: Path) -> None:
    support = queue(tmp_path, "agents: [alice]")
    assert (support.last_agent, support.prefer_for, support.skills) == (None, 0, {})
    support = queue(tmp_path, "agents: [alice]\nlast_agent: never")
    assert support.last_agent is None
    support = queue(
        tmp_path, "agents: [alice]\nlast_agent: 8h\nprefer_for: 15\nskills: {french: 0}"
    )
    assert (support.last_agent, support.prefer_for, support.skills) == (28800, 15, {"french": 0})


def test_traps_of_yaml(tmp_path: Path) -> None:
    agents = "agents:\n  on: {skills: {no: 3}}\n  1001: {}\n  alice: {}\n"
    queues = (
        "queues:\n  q:\n    agents: [alice]\n    skills: {no: 0, y: 0}\n    holidays: [2026-12-25]\n"
        "    hours: mon 09:00-12:00, 13:00-17:00\n"
        "    shifts: [{hours: mon 09:00-10:00, agents: [on, 1001]}]\n"
        "    widen: [{after: 30, agents: {on: 2}, skills: {no: 1}}]\n"
    )
    found = loaded(tmp_path, agents=agents, queues=queues).table.queues["q"]
    assert found.hours is not None
    assert len(found.hours.spans) == 2
    assert [member.agent for member in found.shifts[0].members] == ["on", "1001"]
    assert found.widen[0].skills == {"no": 1}


def test_an_agent_switched_off_keeps_the_place_in_shifts_and_steps(tmp_path: Path) -> None:
    agents = AGENTS + "  off: {enabled: false}\n"
    keys = (
        "agents: [alice]\nshifts: [{hours: mon 09:00-10:00, agents: [off, bob]}]\n"
        "widen: [{after: 30, agents: [off, carol]}]"
    )
    support = loaded(tmp_path, agents=agents, queues=text(keys)).table.queues["support"]
    assert [(m.agent, m.order) for m in support.shifts[0].members] == [("bob", 1)]
    assert [(m.agent, m.order) for m in support.widen[0].members] == [("carol", 3)]


# ---------------------------------------------------------------- what is refused

DAYS = "days are mon, tue, wed, thu, fri, sat, sun, or daily"
ERRORS = [
    ("hours: mon-fri", "4:12: hours: 'mon-fri' is not days and times, such as 'mon-fri 09:00-17:30'"),
    ("hours: mo 09:00-17:00", f"4:12: hours: 'mo' is not a day; {DAYS} (write mon 09:00-17:00)"),
    ("hours: mon 9-17", "4:12: hours: '9' is not a time of day, such as '09:00' (write mon 09:00-17:00)"),
    ("hours: mon 09:00-25:00", "4:12: hours: '25:00' is not a time of day; the last is '24:00'"),
    ("hours: mon 09:00-09:00", "4:12: hours: '09:00-09:00' is empty; a whole day is '00:00-24:00'"),
    ("hours: 9", "4:12: hours must be days and times, such as mon-fri 09:00-17:30, not 9"),
    ("hours: [mon 09:00-10:00]", "4:12: hours must be days and times, such as mon-fri 09:00-17:30, not a list"),
    ('hours: "m\u200bon 09:00-10:00"', "4:12: hours: not days and times"),
    ("holidays: 2026-12-25", "4:15: holidays must be a list of dates such as [2026-12-25], not '2026-12-25'"),
    ("holidays: [25.12.2026]", "4:16: item 1 of holidays must be a date such as 2026-12-25, not '25.12.2026'"),
    ("holidays: [2026-12-25, 2026-02-30]", "4:28: item 2 of holidays must be a date such as 2026-12-25, not '2026-02-30'"),
    ("on_closed: wait", "4:16: on_closed must be dialplan:CONTEXT,EXTENSION,PRIORITY, queue:NAME or hangup, not 'wait'"),
    ("on_closed: queue:rset", "4:16: unknown queue 'rset' (did you mean 'rest'?)"),
    ("shifts: {}", "4:13: shifts must be a list such as [{hours: mon-fri 17:30-21:00, agents: [alice]}], not a mapping"),
    ("shifts: [5]", "4:14: item 1 of shifts must be a mapping (key: value), not 5"),
    ("shifts: [{agents: [alice]}]", "4:14: item 1 of shifts has no 'hours' (add a line 'hours: …')"),
    ("shifts: [{hours: mon 09:00-10:00}]", "4:14: item 1 of shifts has no 'agents' (add a line 'agents: …')"),
    ("shifts: [{hours: mon 9, agents: [alice]}]", "4:22: hours: '9' is not a time span, such as '09:00-17:30'"),
    ("shifts: [{hours: mon 09:00-10:00, agents: [alcie]}]", "4:48: unknown agent 'alcie' (did you mean 'alice'?)"),
    ("shifts: [{hours: mon 09:00-10:00, agents: [bob, bob]}]", "4:53: agent 'bob' appears twice"),
    ("shifts: [{hours: mon 09:00-10:00, agents: {bob: 0}}]", "4:53: priority of bob must be a whole number from 1 to 100, not 0"),
    ("shifts: [{hour: mon 09:00-10:00, hours: mon 09:00-10:00, agents: [bob]}]", "4:15: unknown key 'hour' (did you mean 'hours'?)"),
    ("shifts: [{hours: mon 09:00-12:00, 13:00-17:00, agents: [bob]}]", "4:39: '13:00-17:00' has no value (put hours with a comma in quotes)"),
    ("widen: [{at_once: 3}]", "4:13: item 1 of widen has no 'after' (add a line 'after: …')"),
    ("widen: [{after: 0s, at_once: 3}]", "4:21: after must be a duration longer than 0, such as 20s, 5m or 1h30m, not '0s'"),
    ("widen: [{after: 30s}]", "4:13: this step changes nothing (give it at_once, agents or skills)"),
    ("widen: [{after: 30s, agents: []}]", "4:13: this step changes nothing (give it at_once, agents or skills)"),
    ("widen: [{after: 30s, agents: [5.5]}]", "4:35: item 1 of agents must be small letters"),
    ("widen: [{after: 30s, at_once: 0}]", "4:35: at_once must be a whole number from 1, or all, not 0"),
    ("widen: [{after: 1m, at_once: 2}, {after: 30s, at_once: 3}]", "4:46: after 30s must be longer than that of the step before (that is 1m)"),
    ("widen: [{after: 1m, at_once: 2}, {after: 60, at_once: 3}]", "4:46: after 1m must be longer than that of the step before (that is 1m)"),
    ("widen: [{after: 1m, agents: [alice]}]", "4:34: agent 'alice' appears twice (first in queues.yaml:3)"),
    ("widen: [{after: 1m, agents: {bob: 1}}, {after: 2m, agents: {bob: 1}}]", "4:65: agent 'bob' appears twice (first in queues.yaml:4)"),
    ("widen: [{after: 1m, agents: {zoe: 1}}]", "4:34: unknown agent 'zoe'"),
    ("widen: [{after: 1m, agents: {bob: x}}]", "4:39: priority of bob must be a whole number from 1 to 100, not 'x'"),
    ("widen: [{after: 1m, skills: {french: 101}}]", "4:42: skill french must be a whole number from 0 to 100, not 101"),
    ("widen: [{after: 1m, agent: bob, at_once: 2}]", "4:25: unknown key 'agent' (did you mean 'agents'?)"),
    ("skills: [french]", "4:13: skills must be a mapping (key: value), not a list"),
    ("skills: {french: -1}", "4:22: skill french must be a whole number from 0 to 100, not -1"),
    ("skills: {Fr ench: 1}", "4:14: a skill's name must be small letters, digits, '-' and '_' (64 at most, a letter or digit first), not 'Fr ench' (such as 'fr-ench')"),
    ("last_agent: nevr", "4:17: last_agent must be a duration longer than 0 such as 8h, or never, not 'nevr'"),
    ("last_agent: 0", "4:17: last_agent must be a duration longer than 0 such as 8h, or never, not 0"),
    ("last_agent: [8h]", "4:17: last_agent must be a duration longer than 0 such as 8h, or never, not a list"),
    ("prefer_for: never", "4:17: prefer_for must be a duration such as 20s, 5m or 1h30m, not 'never'"),
    ("holiday: [2026-12-25]", "4:5: unknown key 'holiday' (did you mean 'holidays'?)"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "message"), ERRORS)
def test_errors(tmp_path: Path, keys: str, message: str) -> None:
    [line] = errors(tmp_path, f"agents: [alice]\n{keys}")
    assert line.startswith(message), line


def test_days_with_a_comma_in_braces(tmp_path: Path) -> None:
    keys = "agents: [alice]\nshifts: [{hours: mon,tue 09:00-12:00, agents: [bob]}]"
    assert errors(tmp_path, keys) == [
        "4:22: hours: 'mon' is not days and times, such as 'mon-fri 09:00-17:30'",
        "4:26: 'tue 09:00-12:00' has no value (put hours with a comma in quotes)",
    ]
    assert errors(tmp_path, keys.replace("mon,tue 09:00-12:00", "'mon,tue 09:00-12:00'")) == []


def test_what_comes_from_outside_is_not_shown(tmp_path: Path) -> None:
    queues = text("agents: [alice]\nhours: ${H}")
    [line] = told(tmp_path, {"H": "mon 09:00-10:00; hunter-two"}, agents=AGENTS, queues=queues)
    assert line == (
        "queues.yaml:4:12: ${…} is not replaced in 'hours' (that is done for secrets, paths, URLs and "
        "addresses only; for a literal ${ write $${)"
    )


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("Europe/Lndon", "unknown time zone 'Europe/Lndon' (did you mean 'Europe/London'?)"),
        ("europe/paris", "unknown time zone 'europe/paris' (did you mean 'Europe/Paris'?)"),
        ("Berlin", "unknown time zone 'Berlin' (did you mean 'Europe/Berlin'?)"),
        ("CEST", "unknown time zone 'CEST' ("),
        ("Europe", "unknown time zone 'Europe' ("),
        ("../../etc/passwd", "unknown time zone '../../etc/passwd' (such as Europe/London)"),
        ("/etc/localtime", "unknown time zone '/etc/localtime' ("),
        ("right/Europe/London", "unknown time zone 'right/Europe/London' ("),
        ("tzdata.zi", "unknown time zone 'tzdata.zi' ("),
        ("+01:00", "unknown time zone '+01:00' (such as Europe/London)"),
    ],
)
def test_zones(tmp_path: Path, zone: str, message: str) -> None:
    [line] = told(tmp_path, site=f"timezone: {zone}\n")
    assert line.startswith(f"site.yaml:1:11: {message}"), line


def test_a_machine_without_time_zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(key: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(key)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", none)
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    assert loaded(tmp_path).table.zone is UTC
    assert told(tmp_path, site=LONDON) == [
        (
            "site.yaml:1:11: time zone 'Europe/London' cannot be looked up:"
            " this machine has no time zones (install tzdata)"
        )
    ]


def test_the_zone_is_in_the_table(tmp_path: Path) -> None:
    assert loaded(tmp_path).table.zone == ZoneInfo("UTC")
    assert loaded(tmp_path, site=LONDON).table.zone == ZoneInfo("Europe/London")


# ---------------------------------------------------------------- what is warned of

SHIFTS_TAKE_ALL = "the shifts of support take every hour at which it is open"
NINE_TO_FIVE = "shifts: [{hours: mon-fri 09:00-17:00, agents: [alice]}]"
WARNINGS = [
    # Agents without shifts always serve.
    ("agents: [alice]\nhours: mon-fri 09:00-17:00", []),
    (f"{NINE_TO_FIVE}\nhours: mon-fri 09:00-17:00", []),
    (f"{NINE_TO_FIVE}\nagents: [bob]", []),
    (
        (
            "shifts:\n  - {hours: mon-fri 09:00-12:00, agents: [alice]}\n"
            "  - {hours: mon-fri 13:00-17:00, agents: [bob]}\nhours: mon-fri 09:00-17:00"
        ),
        ["3:5: no agent serves support mon-fri 12:00-13:00 (open, and no shift or agents)"],
    ),
    (NINE_TO_FIVE, ["3:5: no agent serves support mon-thu 17:00-09:00 (open, and no shift or agents)"]),
    (
        NINE_TO_FIVE.replace("mon-fri", "tue"),
        ["3:5: no agent serves support from tue 17:00 to tue 09:00 (open, and no shift or agents)"],
    ),
    (
        "shifts: [{hours: 'daily 00:00-24:00', agents: []}]\nagents: [alice]",
        [
            "3:5: no agent serves support at any time (open, and no shift or agents)",
            f"4:14: agent alice can never be rung for support ({SHIFTS_TAKE_ALL})",
        ],
    ),
    # Agents behind shifts that are on whenever the queue is open.
    (
        f"agents: {{alice: 1, bob: 1, carol: 2}}\n{NINE_TO_FIVE}\nhours: mon-tue 10:00-16:00",
        [f"3:24: agent bob and 1 more can never be rung for support ({SHIFTS_TAKE_ALL})"],
    ),
    (f"agents: [bob]\n{NINE_TO_FIVE}\nhours: mon-tue 10:00-17:30", []),
    (
        f"agents: [alice]\n{NINE_TO_FIVE}\nhours: mon-tue 10:00-16:00",
        [f"3:5: these agents never apply ({SHIFTS_TAKE_ALL})"],
    ),
    # On a holiday no shift is on, and a queue without hours is open.
    (
        (
            "shifts: [{hours: daily 00:00-24:00, agents: [alice]}]\nagents: [bob]\n"
            "holidays: [2026-12-25]"
        ),
        [],
    ),
    (
        "shifts: [{hours: 'sun 22:00-06:00', agents: []}]\nagents: [alice]\nhours: mon 00:00-12:00",
        ["3:5: no agent serves support mon 00:00-06:00 (open, and no shift or agents)"],
    ),
    # Those of a later step do serve.
    (f"{NINE_TO_FIVE}\nwiden: [{{after: 1m, agents: [bob]}}]", []),
    (
        f"{NINE_TO_FIVE}\nholidays: [2026-12-25]\nagents: []\nhours: mon 09:00-10:00",
        [],
    ),
    (
        "shifts: [{hours: daily 00:00-24:00, agents: [alice]}]\nholidays: [2026-12-25]",
        ["4:5: no agent serves support on its holidays (open, for it has no hours, and no shift is on)"],
    ),
    (
        (
            "agents: [alice]\nshifts:\n  - {hours: mon-wed 09:00-12:00, agents: [alice]}\n"
            "  - {hours: tue-thu 09:00-12:00, agents: [bob]}\n"
            "  - {hours: mon-thu 10:00-11:00, agents: [bob]}"
        ),
        ["7:9: this shift is never on (the shifts before it take all of its hours)"],
    ),
    (
        "agents: [alice]\nmax_wait: 10s",
        [
            (
                "4:15: max_wait 10s is shorter than ring_for 20s "
                "(a phone that rings then rings to its end, and the caller waits as long)"
            )
        ],
    ),
    (
        "agents: [alice]\nmax_wait: 1m\nwiden: [{after: 59s, at_once: 2}, {after: 60s, at_once: 3}]",
        ["5:47: this step is never reached: max_wait is 1m (the call has left by then)"],
    ),
    (
        "agents: [alice]\nannounce: {every: 1m}",
        ["4:5: announce says nothing: neither position nor estimate is true (such as {position: true})"],
    ),
    (
        "agents: [alice]\nannounce: {position: true, every: 5s}",
        ["4:39: callers are told something every 5s, and hear little else (45s is usual)"],
    ),
    (
        "agents: [alice]\nat_once: 3\nwiden: [{after: 30s, at_once: 2}, {after: 60s, at_once: all}]",
        ["5:35: at_once 2 is no more than before (it was 3 already)"],
    ),
    (
        "agents: [alice]\npolicy: ring-all\nwiden: [{after: 30s, at_once: 2}]",
        ["5:35: at_once 2 is no more than before (it was all already)"],
    ),
    (
        "agents: {alice: 100, bob: 100}",
        ["3:5: every agent of support has priority 100, the last (1 is rung first)"],
    ),
    ("agents: {alice: 1, bob: 100}", []),
    (
        "agents: [alice]\nholidays: [2026-12-25]\non_closed: hangup",
        [
            "4:5: holidays never apply (neither hours nor shifts are set)",
            "5:5: on_closed never applies (hours is not set)",
        ],
    ),
    (
        "agents: [alice]\npolicy: [skills, priority]",
        ["4:13: policy skills makes no difference: no skills are asked for (give the queue skills)"],
    ),
    ("agents: [carol]\npolicy: skills\nskills: {french: 1}", []),
    ("agents: [carol]\npolicy: skills\nwiden: [{after: 1m, skills: {french: 1}}]", []),
    (
        "agents: [dave, alice, bob]\nskills: {french: 3}",
        ["3:20: agent alice and 1 more can never serve support (it asks for french 3)"],
    ),
    (
        "agents: {dave: 1, alice: 2}\nskills: {french: 3, german: 0}",
        ["3:23: agent alice can never serve support (it asks for french 3, german 0)"],
    ),
    ("agents: [alice]\nskills: {french: 3}\nwiden: [{after: 1m, skills: {french: 1}}]", []),
    ("agents: [dave]\nskills: {french: 3}\nwiden: [{after: 1m, skills: {}}, {after: 2m, agents: [bob]}]", []),
    (
        (
            "agents: [dave]\nskills: {french: 1}\nwiden:\n"
            "  - {after: 1m, skills: {french: 3}}\n  - {after: 2m, agents: [bob]}"
        ),
        ["7:30: agent bob can never serve support (it asks for french 3)"],
    ),
    (
        "agents: [dave]\nskills: {french: 2}\nshifts: [{hours: mon 09:00-10:00, agents: [bob, alice]}]",
        ["5:53: agent alice can never serve support (it asks for french 2)"],
    ),
    (
        "agents: [alice]\nhours: mon 09:00-10:00\non_closed: queue:support",
        [
            (
                "5:16: calls can go round in a circle: support -> support"
                " (let one of them end elsewhere)"
            )
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "expected"), WARNINGS)
def test_warnings(tmp_path: Path, keys: str, expected: list[str]) -> None:
    assert warnings(tmp_path, keys) == expected


def test_holidays_that_are_all_over(tmp_path: Path) -> None:
    keys = "agents: [alice]\nhours: mon 09:00-10:00\nholidays: [2025-12-25, 2026-01-01]"

    def at(hour: int, minute: int) -> list[str]:
        now = datetime(2026, 1, 1, hour, minute, tzinfo=UTC).timestamp()
        site = "timezone: Asia/Tokyo\n"
        settings = loaded(tmp_path, ENVIRON, now, agents=AGENTS, queues=text(keys), site=site)
        return [str(warning) for warning in settings.warnings]

    # It is the 2nd in Tokyo at 15:00 UTC.
    assert at(14, 59) == []
    assert at(15, 0) == ["queues.yaml:5:5: all holidays are in the past (the last was 2026-01-01)"]


def test_a_rule_that_asks_for_skills_is_enough_for_the_policy(tmp_path: Path) -> None:
    rules = "rules: [{name: x, then: {skills: {french: 3}}}]\n"
    queues = text("agents: [alice]\npolicy: skills")
    assert warned(tmp_path, agents=AGENTS, queues=queues, rules=rules) == []


# ---------------------------------------------------------------- weeks


@pytest.mark.parametrize(
    ("hours", "gap"),
    [
        ("mon-fri 09:00-17:00; sat-sun 00:00-24:00", "mon 00:00-09:00"),
        ("daily 08:00-22:00", "daily 22:00-08:00"),
        ("mon 00:00-24:00", "from tue 00:00 to sun 24:00"),
        ("tue-sun 00:00-24:00", "mon 00:00-24:00"),
        ("mon-sat 00:00-24:00; sun 01:00-24:00", "sun 00:00-01:00"),
        ("daily 22:00-21:00", "daily 21:00-22:00"),
    ],
)
def test_gaps_in_words(hours: str, gap: str) -> None:
    on = covered(Hours(parse_spans(hours), UTC))
    assert first_in_words(without(WHOLE, on)) == gap


def test_the_schema_knows_the_new_keys() -> None:
    defs = json_schema()["$defs"]
    assert {"hours", "holidays", "shifts", "widen", "skills"} <= defs["QueueOptions"][
        "properties"
    ].keys()
    assert defs["WidenStepOptions"]["required"] == ["after"]
    assert "rules" in json_schema()["properties"]
    assert "2026" in json.dumps(json_schema())


# ---------------------------------------------------------------- size


def read_floor(folder: Path, count: int) -> tuple[Settings, float]:
    """A floor of so many agents in a fiftieth of the queues, read; the processor's time it took."""
    people = [f"agent{n}" for n in range(count)]
    agents = "agents:\n" + "".join(
        f"  {name}: {{devices: {{desk: PJSIP/{n}}}, skills: {{french: 3}}}}\n"
        for n, name in enumerate(people, 1)
    )
    parts = ["queues:\n"]
    for n in range(count // 50):
        names = [people[(n * 50 + m) % count] for m in range(500)]
        base, shift, step = (
            ", ".join(f"{name}: {m % 100 + 1}" for m, name in enumerate(part))
            for part in (names[:300], names[300:400], names[400:])
        )
        parts.append(
            f"  q{n}:\n    agents: {{{base}}}\n    skills: {{french: 2}}\n"
            "    hours: mon-fri 09:00-17:30; sat 10:00-14:00\n    holidays: [2026-12-25]\n"
            f"    shifts:\n      - {{hours: mon-fri 15:00-17:30, agents: {{{shift}}}}}\n"
            f"    widen:\n      - {{after: 30s, agents: {{{step}}}}}\n"
        )
    folder.mkdir()
    before = time.process_time()
    settings = loaded(folder, agents=agents, queues="".join(parts), site=LONDON)
    return settings, time.process_time() - before


def test_a_large_floor_takes_as_much_longer_as_it_is_larger(tmp_path: Path) -> None:
    """10,000 agents, 200 queues, 100,000 memberships: some 1.5 s, ten times that of 1,000 agents."""
    _, small = read_floor(tmp_path / "small", 1_000)
    settings, large = read_floor(tmp_path / "large", 10_000)
    assert settings.warnings == ()
    queues = settings.table.queues.values()
    assert sum(len(list(all_members(queue))) for queue in queues) == 100_000
    assert large < 40 * small  # in step with the size; a square would be a hundred times


TWO = (
    "pbx:\n  office: {driver: asterisk, username: u, secret: kQ3x9vLp2mZ8}\n"
    "  branch: {driver: asterisk, port: 5039, username: u, secret: kQ3x9vLp2mZ8}\n"
)
PEOPLE = (
    "agents:\n  ann: {devices: {desk: {endpoint: PJSIP/1, pbx: office}}}\n"
    "  bob: {devices: {desk: {endpoint: PJSIP/2, pbx: branch}}}\n"
)
NOT_THERE = "no agent of sales has a phone on branch"


@pytest.mark.parametrize(
    ("queues", "said"),
    [
        ("sales: {agents: [ann, bob]}", []),
        (
            "sales: {agents: [ann]}",
            [f"{NOT_THERE} (a caller there leaves by on_nobody after 10s)"],
        ),
        (
            "sales: {agents: [ann], nobody_after: 1m}",
            [f"{NOT_THERE} (a caller there leaves by on_nobody after 1m)"],
        ),
        (
            "sales: {agents: [ann], on_nobody: wait}",
            [f"{NOT_THERE} (a caller there would wait in vain: on_nobody is wait)"],
        ),
        ("sales: {agents: [ann], widen: [{after: 9s, agents: [bob]}]}", []),
    ],
)
def test_a_queue_without_phones_on_one_of_two_pbxes(
    tmp_path: Path, queues: str, said: list[str]
) -> None:
    both = f"queues:\n  both: {{agents: [ann, bob]}}\n  {queues}\n"
    found = warned(tmp_path, pbx=TWO, agents=PEOPLE, queues=both)
    assert [line.partition(": ")[2] for line in found] == said


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ("mon-fri 09:00-17:00", False),
        ("mon-fri 16:00-18:00", False),
        ("mon-fri 17:00-22:00", True),
        ("sat,sun 10:00-12:00", True),
    ],
)
def test_mobiles_that_ring_only_while_the_queue_is_closed(
    tmp_path: Path, hours: str, said: bool
) -> None:
    mobile = f'mobile: {{number: "+447700900123", hours: "{hours}"}}'
    one = "pbx:\n  office: {driver: asterisk, username: u, secret: kQ3x9vLp2mZ8, dial_number: 'PJSIP/{number}@t'}\n"
    people = f"agents:\n  ann: {{devices: {{{mobile}}}}}\n"
    queues = 'queues:\n  sales: {agents: [ann], hours: "mon-fri 09:00-17:00"}\n'
    lines = warned(tmp_path, pbx=one, agents=people, queues=queues)
    found = [line for line in lines if "never be rung" in line]
    who = "agent ann can never be rung for sales"
    hint = "no phone of theirs rings at an hour at which it is open"
    assert [line.partition(": ")[2] for line in found] == ([f"{who} ({hint})"] if said else [])
