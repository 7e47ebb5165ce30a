"""Whatever changes the row of an agent is told: nothing that a restart must keep is missed."""

from __future__ import annotations

from random import Random

import pytest

from callrouter.core.agents.agent_rows import row_of
from callrouter.model.agent_row import AgentRow
from callrouter.model.events import Event
from tests.core.world import ACTS, World

THEN = 1e9
"""A fixed time: what a row says of the time it is made at is no change."""


class Watched(World):
    """The world, with what the store would have of each agent."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, AgentRow] = {}
        self.changes = 0

    def start_router(self) -> None:
        super().start_router()
        self.stored = self.rows()

    def rows(self) -> dict[str, AgentRow]:
        floor = self.router.floor
        known = [agent for agent in floor.agents.values() if not agent.gone]
        return {agent.id: row_of(floor, agent, THEN) for agent in known}

    def feed(self, event: Event) -> None:
        super().feed(event)
        after, told = self.rows(), self.router.take_changed_rows()
        changed = {
            name
            for name in self.stored.keys() | after.keys()
            if self.stored.get(name) != after.get(name)
        }
        new = {name for name in changed if name not in self.stored}
        missed = changed - new - {*told}
        assert not missed, (
            f"after {event}: {[(self.stored.get(name), after.get(name)) for name in missed]}"
        )
        self.changes += len(changed)
        self.stored = after


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(60))
def test_every_change_of_a_row_is_told(seed: int) -> None:
    chance = Random(seed)
    world = Watched()
    world.begin(chance)
    acts = [act for act, weight in ACTS.items() for _ in range(weight)]
    for _ in range(250):
        chance.choice(acts)(world, chance)
    world.finish()
    assert world.changes
