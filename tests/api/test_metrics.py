from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from callrouter.pbx.interface import LinkCount, PbxHealth
from tests.api.world import Client, World


async def read(client: Client) -> dict[tuple[str, ...], float]:
    """Every sample: its name and the values of its labels, in the order of the labels' names."""
    answer = await client.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    text = await answer.text()
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_nobody_is_let_in_without_a_token(stranger: Client) -> None:
    assert (await stranger.get("/metrics")).status == 401


async def test_the_floor_as_it_is_and_what_has_been(world: World, client: Client) -> None:
    found = await read(client)
    assert found["callrouter_pbx_up", "office"] == 0
    world.in_step()
    world.sign_in("alice")
    world.arrive("one")
    world.clock.at += 4.5
    world.rang()
    world.accept()
    world.arrive("two")
    world.clock.at += 30.0
    found = await read(client)
    assert found["callrouter_pbx_up", "office"] == 1
    assert found["callrouter_queue_waiting", "support"] == 1
    assert found["callrouter_queue_longest_wait_seconds", "support"] == pytest.approx(30.0)
    assert found["callrouter_queue_waiting", "sales"] == 0
    assert found["callrouter_queue_agents", "support"] == 1
    assert found["callrouter_agents", "on-call"] == 1
    assert found["callrouter_calls_now", "talking"] == 1
    assert found["callrouter_calls_total", "support"] == 2
    assert found["callrouter_answer_wait_seconds_bucket", "2.0", "support"] == 0
    assert found["callrouter_answer_wait_seconds_bucket", "5.0", "support"] == 1
    world.hang_up("two")
    world.hang_up("one")
    found = await read(client)
    assert found["callrouter_calls_ended_total", "abandoned", "support"] == 1
    assert found["callrouter_calls_ended_total", "completed", "support"] == 1
    assert found["callrouter_queue_waiting", "support"] == 0


async def test_what_a_pbx_found_odd_is_counted_by_name(world: World, client: Client) -> None:
    counts = {"refused: not signed by Twilio": 3, "stale": 1}
    world.backend.health = lambda: {"cloud": PbxHealth(up=True, counts=counts)}
    found = await read(client)
    assert found["callrouter_pbx_odd_total", "cloud", "refused: not signed by Twilio"] == 3
    assert found["callrouter_pbx_odd_total", "cloud", "stale"] == 1
    status = await (await client.get("/api/status")).json()
    assert status["pbx"]["cloud"]["counts"] == counts


async def test_what_went_over_the_link_to_a_pbx_and_what_its_driver_failed_on(
    world: World, client: Client
) -> None:
    link = (LinkCount("ami_timeouts", "Actions that were not answered.", 4),)
    world.backend.health = lambda: {
        "office": PbxHealth(up=True, link=link, faults=2),
        "cloud": PbxHealth(up=True),
    }
    found = await read(client)
    assert found["callrouter_ami_timeouts_total", "office"] == 4
    assert ("callrouter_ami_timeouts_total", "cloud") not in found
    assert found["callrouter_pbx_faults_total", "office"] == 2
    assert found["callrouter_pbx_faults_total", "cloud"] == 0
    status = await (await client.get("/api/status")).json()
    assert status["pbx"]["office"]["link"] == {"ami_timeouts": 4}
    assert status["pbx"]["office"]["faults"] == 2


async def test_a_lost_store_and_our_own_faults_are_told(world: World, client: Client) -> None:
    well = {"state": "good", "problem": None, "unsaved": 0, "lost": 0}
    told = dict(well)
    world.backend.extra = {"store": lambda: told, "faults": lambda: 2}
    found = await read(client)
    assert found["callrouter_store_up",] == 1
    assert found["callrouter_faults_total",] == 2
    told |= {"state": "bad", "problem": "disk full", "unsaved": 7, "lost": 3}
    found = await read(client)
    assert found["callrouter_store_up",] == 0
    assert found["callrouter_store_unsaved",] == 7
    assert found["callrouter_store_lost_total",] == 3


async def test_callers_can_put_nothing_into_the_text(world: World, client: Client) -> None:
    world.in_step()
    world.arrive("evil", number='1"}\n# HELP x', name="a\nb 1")
    text = await (await client.get("/metrics")).text()
    assert "HELP x" not in text
    assert "a\nb" not in text


async def test_refused_requests_are_counted_by_kind(client: Client) -> None:
    for _ in range(3):
        await client.get("/api/agents", headers={"Authorization": "Bearer wrong"})
    await client.get("/api/nothing")
    found = await read(client)
    assert found["callrouter_http_refused_total", "unauthorized"] == 3
    assert found["callrouter_http_refused_total", "unknown-path"] == 1


@pytest.mark.parametrize("closed", [0, 30])
async def test_a_door_that_is_closed_to_pins_is_told(
    world: World, client: Client, closed: int
) -> None:
    reception = {"wrong_pins": 31, "lockouts": 1} | ({"outside_closed_s": closed} if closed else {})
    world.backend.extra = {
        "mobiles": lambda: {"calls_today": 0, "refused": {}},
        "reception": lambda: reception,
    }
    found = await read(client)
    assert found["callrouter_pins_outside_closed",] == (1 if closed else 0)
    assert found["callrouter_wrong_pins_total",] == 31
