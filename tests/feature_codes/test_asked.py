"""What a code asks for, where there are reasons for pauses and extensions that change."""

from __future__ import annotations

import random
from dataclasses import replace

from callrouter.core.router import Router
from callrouter.feature_codes import code_requests
from callrouter.model.events import ConfigReloaded, PauseRequested, SignedIn
from callrouter.model.ivr import Code
from callrouter.model.routing_table import AgentSpec, PauseSpec, Table


def table(*agents: AgentSpec, pauses: tuple[str, ...] = ()) -> Table:
    return Table(
        agents={agent.id: agent for agent in agents},
        pauses={name: PauseSpec(reason=name) for name in pauses},
    )


def router(spec: Table) -> Router:
    return Router(spec, rng=random.Random(1), run_id="t", now=0.0)


def test_the_first_reason_is_that_of_the_phone() -> None:
    made = router(table(AgentSpec(id="a", name="A"), pauses=("lunch", "tea")))
    made.handle(SignedIn(agent="a"), 1.0)
    event = code_requests.requested_by(
        made.floor, made.floor.agents["a"], Code.PAUSE_RESUME, "phone"
    )
    assert event == PauseRequested(agent="a", reason="lunch", by="phone")
    made.handle(event, 2.0)
    assert made.floor.agents["a"].pause == "lunch"


def test_an_extension_is_whose_it_is_now() -> None:
    made = router(table(AgentSpec(id="a", name="A", extension="1"), AgentSpec(id="b", name="B")))
    assert code_requests.agent_with_extension(made.floor, "1") is made.floor.agents["a"]
    assert (
        code_requests.agent_with_extension(made.floor, "") is None
    )  # b has none: that is no extension
    moved = (AgentSpec(id="a", name="A"), AgentSpec(id="b", name="B", extension="1"))
    made.handle(ConfigReloaded(table=table(*moved)), 1.0)
    assert code_requests.agent_with_extension(made.floor, "1") is made.floor.agents["b"]


def test_a_code_without_a_digit_takes_the_default_reason() -> None:
    spec = replace(
        table(AgentSpec(id="a", name="A")),
        pauses={
            "lunch": PauseSpec(reason="lunch"),
            "tea": PauseSpec(reason="tea", default=True),
        },
    )
    made = router(spec)
    floor = made.floor
    asked_for = code_requests.requested_by(floor, floor.agents["a"], Code.PAUSE_RESUME, "phone")
    assert isinstance(asked_for, PauseRequested)
    assert asked_for.reason == "tea"
