"""What a code asks for, where there are reasons for pauses and extensions that change."""

from __future__ import annotations

import random
from dataclasses import replace

from callrouter.core.router import Router
from callrouter.feature_codes import code_requests
from callrouter.model.events import AgentRequest, ConfigReloaded, PauseRequested, SignedIn
from callrouter.model.ivr import Code
from callrouter.model.routing_table import AgentSpec, PauseSpec, Table


def table(*agents: AgentSpec, pauses: tuple[str, ...] = ()) -> Table:
    return Table(
        agents={agent.id: agent for agent in agents},
        pauses={name: PauseSpec(reason=name) for name in pauses},
    )


def router(spec: Table) -> Router:
    return Router(spec, rng=random.Random(1), run_id="t", now=0.0)


def request(made: Router, code: Code) -> AgentRequest | None:
    agent = made.board.agent("a")
    assert agent is not None
    return code_requests.requested_by(made.board.table.pauses, agent, code, "phone")


def of_extension(made: Router, extension: str) -> str | None:
    found = made.board.agent_with_extension(extension)
    return found.id if found is not None else None


def test_the_first_reason_is_that_of_the_phone() -> None:
    made = router(table(AgentSpec(id="a", name="A"), pauses=("lunch", "tea")))
    made.handle(SignedIn(agent="a"), 1.0)
    event = request(made, Code.PAUSE_RESUME)
    assert event == PauseRequested(agent="a", reason="lunch", by="phone")
    made.handle(event, 2.0)
    assert made.floor.agents["a"].pause == "lunch"


def test_an_extension_is_whose_it_is_now() -> None:
    made = router(table(AgentSpec(id="a", name="A", extension="1"), AgentSpec(id="b", name="B")))
    assert of_extension(made, "1") == "a"
    assert of_extension(made, "") is None  # b has none: that is no extension
    moved = (AgentSpec(id="a", name="A"), AgentSpec(id="b", name="B", extension="1"))
    made.handle(ConfigReloaded(table=table(*moved)), 1.0)
    assert of_extension(made, "1") == "b"


def test_a_code_without_a_digit_takes_the_default_reason() -> None:
    spec = replace(
        table(AgentSpec(id="a", name="A")),
        pauses={
            "lunch": PauseSpec(reason="lunch"),
            "tea": PauseSpec(reason="tea", default=True),
        },
    )
    made = router(spec)
    asked_for = request(made, Code.PAUSE_RESUME)
    assert isinstance(asked_for, PauseRequested)
    assert asked_for.reason == "tea"
