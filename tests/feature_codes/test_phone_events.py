"""What every driver promises of phone dialogues: one outcome for each number, keys that are cleaned."""

from __future__ import annotations

import pytest

from callrouter.model.events import LegEnd
from callrouter.model.ivr import (
    Code,
    CodeDialled,
    DigitsKeyed,
    NumberAnswered,
    NumberFailed,
    PersonLeft,
    PhoneEvent,
)
from callrouter.pbx.phone_events import PhoneEventReporter, clean_keys


def reporter() -> tuple[PhoneEventReporter, list[PhoneEvent]]:
    events, heard = PhoneEventReporter("office"), list[PhoneEvent]()
    events.listen(heard.append)
    return events, heard


def test_a_number_that_was_answered_cannot_fail_any_more() -> None:
    events, heard = reporter()
    events.number_called("verify-1")
    assert events.awaits("verify-1")
    events.number_answered("verify-1", "ch")
    events.number_failed("verify-1", LegEnd.NO_ANSWER)
    events.number_answered("verify-1", "other")
    assert not events.awaits("verify-1")
    assert heard == [NumberAnswered(pbx="office", ref="verify-1", channel="ch")]


def test_a_number_that_failed_cannot_be_answered_any_more() -> None:
    events, heard = reporter()
    events.number_called("verify-1")
    events.number_failed("verify-1", LegEnd.BUSY)
    events.number_answered("verify-1", "ch")
    events.number_failed("verify-1", LegEnd.FAILED)
    assert heard == [NumberFailed(pbx="office", ref="verify-1", why=LegEnd.BUSY)]


def test_a_number_that_was_not_called_has_no_outcome() -> None:
    events, heard = reporter()
    events.number_failed("verify-1", LegEnd.BUSY)
    events.number_answered("verify-1", "ch")
    assert heard == []


def test_a_dialogue_is_reported_with_cleaned_keys() -> None:
    events, heard = reporter()
    events.code_dialled("ch", Code.PAUSE_RESUME, "2", endpoint="PJSIP/1001", caller_number="501")
    events.digits_keyed("ch", "1 2a3\r\nAction: Logoff#*")
    events.person_left("ch")
    assert heard == [
        CodeDialled(
            pbx="office",
            channel="ch",
            code=Code.PAUSE_RESUME,
            endpoint="PJSIP/1001",
            caller_number="501",
            digit="2",
        ),
        DigitsKeyed(pbx="office", channel="ch", digits="123#*"),
        PersonLeft(pbx="office", channel="ch"),
    ]


@pytest.mark.parametrize(
    ("text", "keys"), [("", ""), ("no", ""), ("1" * 50, "1" * 40), ("x1*y#", "1*#"), ("١٢", "")]
)
def test_keys_are_cleaned(text: str, keys: str) -> None:
    assert clean_keys(text) == keys
