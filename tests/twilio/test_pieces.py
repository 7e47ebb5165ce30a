"""Rates, outcomes and addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.model.events import LegEnd
from callrouter.pbx.twilio.hangup_causes import of_refusal, of_status
from callrouter.pbx.twilio.rate import CallRate
from callrouter.pbx.twilio.webhook import PARTS, WebhookReply, WebhookUrls
from tests.twilio.world import World, desk, table


@given(
    st.sampled_from([0.1, 0.5, 1.0, 1.5, 5.0, 30.0]),
    st.lists(st.floats(min_value=0.0, max_value=2.0), max_size=60),
)
def test_never_more_than_the_rate_in_any_second(rate: float, gaps: list[float]) -> None:
    rate_limit, now, taken = CallRate(rate), 1000.0, []
    for gap in gaps:
        now += gap
        now = rate_limit.next_at(now)
        rate_limit.record(now)
        taken.append(now)
    count = max(1, int(rate))
    for first, beyond in zip(taken, taken[count:], strict=False):
        assert beyond - first >= count / rate - 1e-6


def test_a_burst_up_to_the_rate_goes_at_once() -> None:
    rate_limit = CallRate(5.0)
    for _ in range(5):
        assert rate_limit.next_at(100.0) == 100.0
        rate_limit.record(100.0)
    assert rate_limit.next_at(100.25) == 101.0


@pytest.mark.parametrize(
    ("status", "sip", "picked_up", "rang", "why"),
    [
        ("busy", "486", False, True, LegEnd.BUSY),
        ("busy", "603", False, True, LegEnd.DECLINED),
        ("busy", "", False, True, LegEnd.BUSY),
        ("no-answer", "", False, True, LegEnd.NO_ANSWER),
        ("no-answer", "480", False, True, LegEnd.UNAVAILABLE),
        ("no-answer", "", False, False, LegEnd.UNREACHABLE),
        ("failed", "404", False, False, LegEnd.UNREACHABLE),
        ("failed", "", False, False, LegEnd.FAILED),
        ("canceled", "", False, True, LegEnd.HUNG_UP),
        ("completed", "200", True, True, LegEnd.NOT_ACCEPTED),
        ("completed", "200", False, True, LegEnd.HUNG_UP),
        ("something new", "", False, True, LegEnd.FAILED),
    ],
)
def test_how_a_leg_ended(status: str, sip: str, picked_up: bool, rang: bool, why: LegEnd) -> None:
    assert of_status(status, sip, picked_up=picked_up, rang=rang) is why


def test_why_no_call_was_made() -> None:
    assert of_refusal(21211) is LegEnd.UNREACHABLE
    assert of_refusal(21215) is LegEnd.FAILED
    assert of_refusal(0) is LegEnd.FAILED


def test_addresses() -> None:
    urls = WebhookUrls("https://calls.example.com/", "cloud")
    assert {urls.to(part) for part in PARTS} == {
        f"https://calls.example.com/twilio/cloud/{part}" for part in PARTS
    }
    assert urls.to("agent", "t0k") == "https://calls.example.com/twilio/cloud/agent?o=t0k"


def test_every_endpoint_has_a_handler_and_every_handler_an_endpoint() -> None:
    world = World(table(desk("ann")))
    assert set(world.control.handlers.table) == set(PARTS)


def test_the_answer_that_is_being_built_carries_the_document_of_its_own_call_only() -> None:
    reply, requested = WebhookReply(), list[str]()
    reply.deliver("CA1", lambda: requested.append("before"))
    with reply.building("CA1"):
        reply.deliver("CA1", lambda: requested.append("of the answered call"))
        reply.deliver("CA2", lambda: requested.append("of another call"))
        with reply.building("CA2"):
            reply.deliver("CA1", lambda: requested.append("while another is answered"))
        reply.deliver("CA1", lambda: requested.append("of the answered call"))
    reply.deliver("CA1", lambda: requested.append("after"))
    assert requested == ["before", "of another call", "while another is answered", "after"]
