"""The verification calls that count, also when a clock was wrong once."""

from __future__ import annotations

import pytest

from callrouter.mobiles.mobile_records import DAY, HOUR, DialledRow, NumberSettings
from callrouter.mobiles.rate_limits import VerificationCallLog

NOW = 1_700_000_000.0
RULES = NumberSettings(region="GB", calls_per_hour=2)
NUMBER = "+447400123456"


def row(at: float) -> DialledRow:
    return DialledRow(at=at, agent="ann", number=NUMBER, country="GB")


def blocked(ledger: VerificationCallLog, now: float) -> str:
    return ledger.limit_reached("ann", NUMBER, "GB", RULES, now)


@pytest.mark.parametrize("ahead", [90.0, DAY, 365 * DAY])
def test_calls_that_a_clock_noted_in_the_future_count_as_placed_now(ahead: float) -> None:
    ledger = VerificationCallLog()
    ledger.restore([row(NOW - 2 * HOUR), row(NOW + ahead), row(NOW + ahead + 1)])
    assert blocked(ledger, NOW).endswith("again in 60 min")
    assert not blocked(ledger, NOW + HOUR + 1)
    assert blocked(ledger, NOW + HOUR - 1)
    assert not blocked(ledger, NOW + DAY + HOUR + 2)
    assert ledger.placed(NOW + DAY + HOUR + 2) == 0


def test_a_clock_that_is_a_little_behind_changes_nothing() -> None:
    ledger = VerificationCallLog()
    ledger.restore([row(NOW + 20), row(NOW + 30)])
    assert blocked(ledger, NOW)
    assert blocked(ledger, NOW + HOUR + 15)
    assert not blocked(ledger, NOW + HOUR + 31)
