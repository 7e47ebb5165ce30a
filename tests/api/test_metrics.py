from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from callrouter.model.events import ConfigReloaded, PauseRequested
from callrouter.model.notices import QueueRenamed
from callrouter.model.routing_table import PauseSpec
from callrouter.pbx.interface import LinkCount, PbxHealth
from callrouter.reports.service_level import Target
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


async def test_what_was_deleted_is_counted(world: World, client: Client) -> None:
    world.backend.extra = {"deleted": lambda: {"calls": 12, "numbers": 0}}
    found = await read(client)
    assert found["callrouter_record_deleted_total", "calls"] == 12
    assert found["callrouter_record_deleted_total", "numbers"] == 0
    assert (await (await client.get("/api/status")).json())["deleted"]["calls"] == 12


async def test_rows_of_the_record_that_wait_or_are_lost_are_told(
    world: World, client: Client
) -> None:
    assert ("callrouter_record_lost_total",) not in await read(client)
    world.backend.extra = {"record": lambda: {"waiting": 7, "lost": 3}}
    found = await read(client)
    assert found["callrouter_record_unsaved",] == 7
    assert found["callrouter_record_lost_total",] == 3
    status = await (await client.get("/api/status")).json()
    assert status["record"] == {"waiting": 7, "lost": 3}


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


async def test_delayed_answers_are_counted_by_why(client: Client, world: World) -> None:
    world.backend.refusals.delayed.update({"refusals": 2, "wrong-tokens": 5})
    found = await read(client)
    assert found["callrouter_http_delayed_total", "refusals"] == 2
    assert found["callrouter_http_delayed_total", "wrong-tokens"] == 5


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


async def test_service_levels_follow_from_classes_that_no_call_shares(
    world: World, client: Client
) -> None:
    world.in_step()
    waits = {"short": 4.9, "in-time": 10.0, "late": 11.0}
    for name, seconds in waits.items():
        world.arrive(name)
        world.clock.at += seconds
        world.hang_up(name)
    world.sign_in("alice")
    world.arrive("taken")
    world.clock.at += 10.0
    world.rang()
    world.accept()
    world.clock.at += 65.0
    world.hang_up("taken")
    found = await read(client)
    calls = {key[1:]: value for key, value in found.items() if "service_calls_total" in key[0]}
    assert calls == {
        ("abandoned", "yes", "support", "yes"): 1,
        ("abandoned", "yes", "support", "no"): 1,
        ("abandoned", "no", "support", "no"): 1,
        ("answered", "yes", "support", "no"): 1,
    }
    assert found["callrouter_queue_service_within_seconds", "support"] == 10.0
    assert found["callrouter_queue_service_target_ratio", "support"] == 0.8
    assert found["callrouter_queue_service_within_seconds", "sales"] == 20.0
    assert ("callrouter_queue_service_target_ratio", "sales") not in found
    assert found["callrouter_abandon_wait_seconds_bucket", "10.0", "support"] == 2
    assert found["callrouter_abandon_wait_seconds_bucket", "+Inf", "support"] == 3
    assert found["callrouter_abandon_wait_seconds_sum", "support"] == pytest.approx(25.9)
    assert found["callrouter_talk_seconds_bucket", "60.0", "support"] == 0
    assert found["callrouter_talk_seconds_bucket", "120.0", "support"] == 1


async def test_a_changed_target_counts_from_then_on_and_a_renamed_queue_keeps_its_counts(
    world: World, client: Client
) -> None:
    world.in_step()
    for number, within in enumerate((10.0, 30.0)):
        world.targets["support"] = Target(within=within)
        world.arrive(f"c{number}")
        world.clock.at += 20.0
        world.hang_up(f"c{number}")
    world.service_totals.listen(QueueRenamed(at=0.0, queue="helpdesk", former_id="support"))
    found = await read(client)
    assert found["callrouter_service_calls_total", "abandoned", "no", "helpdesk", "no"] == 1
    assert found["callrouter_service_calls_total", "abandoned", "yes", "helpdesk", "no"] == 1
    assert found["callrouter_abandon_wait_seconds_count", "helpdesk"] == 2


async def test_agents_of_a_queue_by_state_and_by_reasons_that_are_configured(
    world: World, client: Client
) -> None:
    world.in_step()
    world.sign_in("alice")
    world.sign_in("bob")
    world.runtime.post(PauseRequested(agent="bob", reason="whatever\nbob types"))
    found = await read(client)
    state = "callrouter_queue_agents_state"
    assert (found[state, "support", "available"], found[state, "support", "paused"]) == (1, 1)
    assert (found[state, "sales", "available"], found[state, "sales", "paused"]) == (0, 1)
    paused = {key: value for key, value in found.items() if "queue_agents_paused" in key[0]}
    name = "callrouter_queue_agents_paused"
    assert paused == {(name, "support", "other"): 1, (name, "sales", "other"): 1}
    pauses = {"lunch": PauseSpec(reason="lunch"), "tea": PauseSpec(reason="tea")}
    world.runtime.post(ConfigReloaded(table=replace(world.floor.table, pauses=pauses)))
    world.runtime.post(PauseRequested(agent="alice", reason="lunch"))
    found = await read(client)
    assert found[name, "support", "lunch"] == 1
    assert found[name, "support", "tea"] == 0
    assert found[name, "support", "other"] == 1
    assert found[name, "sales", "lunch"] == 0
