"""The site that the tests of reports are about."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from callrouter.reports.request import Names, Site
from callrouter.reports.service_level import Target

LONDON = ZoneInfo("Europe/London")


def local(text: str) -> float:
    """A date and time of London in epoch seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=LONDON).timestamp()


NOW = local("2026-11-28 14:35")
SITE = Site(
    zone=LONDON,
    now=NOW,
    queues=Names(
        "queue", {"support": "Customer support", "sales": "Sales"}, {"helpdesk": "support"}
    ),
    agents=Names("agent", {"alice": "Alice", "bob": "Bob", "carol": "Carol"}, {"robert": "bob"}),
    targets={"support": Target(20.0, 5.0, 80), "sales": Target(10.0, 2.5, 90)},
    members={"support": {"alice": 1, "bob": 1, "carol": 2}, "sales": {"bob": 1}},
)
