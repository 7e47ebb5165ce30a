"""Bodies with whole files: few at a time, and fewer of one person, however slowly they come."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from callrouter.api.editing.large_bodies import AT_ONCE, EACH_AT_ONCE, LargeBodies
from callrouter.api.problem_json import ApiProblem


def refusal(bodies: LargeBodies, person: str) -> int:
    with pytest.raises(ApiProblem) as caught, bodies.place(person):
        pass
    return caught.value.status


def test_one_person_leaves_places_for_others() -> None:
    bodies = LargeBodies()
    with ExitStack() as held:
        for _ in range(EACH_AT_ONCE):
            held.enter_context(bodies.place("supervisor sam"))
        assert refusal(bodies, "supervisor sam") == 429
        for n in range(AT_ONCE - EACH_AT_ONCE):
            held.enter_context(bodies.place(f"admin {n}"))
        assert refusal(bodies, "admin ada") == 503
    with bodies.place("supervisor sam"), bodies.place("admin ada"):
        pass
