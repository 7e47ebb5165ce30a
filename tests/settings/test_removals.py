"""What a change takes away that is hardly meant."""

from __future__ import annotations

import pytest

from callrouter.model.routing_table import Table
from callrouter.settings.config_files import ConfigFile
from callrouter.settings.removals import cut_in_words, losses, removals_with_callers
from tests.core.tables import agent, desk, mobile, queue, table


def files(**texts: str) -> dict[str, ConfigFile]:
    return {name: ConfigFile(text.encode(), 0o600, "") for name, text in texts.items()}


def lost(old: Table, new: Table, callers: dict[str, int] | None = None) -> list[str]:
    same = files(x="x")
    return [
        *removals_with_callers(old, new, callers or {}),
        *losses(old, new, before=same, after=same, lines=["something"]),
    ]


def centre(agents: int, *queues: str) -> Table:
    names = " ".join(f"a{n}" for n in range(agents))
    return table(*(queue(name, names) for name in queues or ("q",)))


@pytest.mark.parametrize(
    ("old", "new", "callers", "expected"),
    [
        (centre(2, "q", "r"), centre(2, "r"), {}, []),
        (centre(2, "q", "r"), centre(2, "r"), {"r": 2}, []),
        (
            *(centre(2, "q", "r"), centre(2, "r"), {"q": 1, "r": 4}),
            ["queue q is gone, and 1 caller is in it"],
        ),
        (
            *(centre(2, "q"), table(agent("a0"), agent("a1"), queue("q", "")), {"q": 2}),
            ["queue q loses all of its agents, and 2 callers are in it"],
        ),
        (centre(2, "q"), table(agent("a0"), agent("a1"), queue("q", "")), {}, []),
        (centre(9), centre(6), {}, []),
        (
            *(centre(8), centre(5), {}),
            [
                "3 of 8 agents are gone (a5, a6, a7)",
                "queue q loses 3 of 8 agents (a5, a6, a7)",
            ],
        ),
        (centre(2), centre(0), {}, []),
        (centre(1, *"bcde"), centre(1, *"be"), {}, []),
        (centre(1, *"bcdef"), centre(1, *"be"), {}, ["3 of 5 queues are gone (c, d, f)"]),
        (
            table(*(agent(f"a{n}", desk(f"a{n}"), mobile(f"a{n}")) for n in range(3))),
            table(*(agent(f"a{n}", mobile(f"a{n}")) for n in range(3))),
            {},
            ["3 of 6 phones are gone (a0's desk, a1's desk, a2's desk)"],
        ),
        (centre(3), centre(3, "q", "r"), {"q": 5}, []),
    ],
)
def test_losses(old: Table, new: Table, callers: dict[str, int], expected: list[str]) -> None:
    assert lost(old, new, callers) == expected


def test_what_has_another_name_is_not_lost() -> None:
    old = table(*(queue(name, "a0 a1 a2 a3") for name in "qrst"))
    new = table(
        *(agent(f"b{n}", renamed_from=f"a{n}") for n in range(4)),
        *(queue(f"{name}2", "b0 b1 b2 b3", renamed_from=name) for name in "qrst"),
    )
    assert lost(old, new, {"q": 3}) == []


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        ("a: 1\nb: 2\nc: 3\n", None, "is gone"),
        ("a: 1\nb: 2\nc: 3\n", "", "is empty"),
        ("a: 1\nb: 2\nc: 3\n", " \n", "is empty"),
        ("a: 1\nb: 2\nc: 3\n", "a: 1\n", "ends early"),
        ("a: 1\nb: 2\nc: 3\nd: 4\n", "a: 1\nb: 2\nc: 3\n", ""),
        ("a: 1\nb: 2\nc: 3\n", "a: 1\nb: 2\nc: 3", ""),
        ("a: 1\nb: 2\nc: 3\n", "b: 2\n", ""),
        ("", None, ""),
    ],
)
def test_files_that_were_cut(before: str, after: str | None, how: str) -> None:
    assert cut_in_words(before.encode(), None if after is None else after.encode()) == how


def test_a_cut_file_that_changes_something_is_a_loss() -> None:
    spec = centre(1)
    both, one = files(a="a: 1\n", b="b: 1\n"), files(a="a: 1\n")
    found = losses(spec, spec, before=both, after=one, lines=[f"line {n}" for n in range(7)])
    assert found == ("b is gone: line 0; line 1; line 2; line 3; line 4; 2 more",)
    assert losses(spec, spec, before=both, after=one, lines=[]) == ()
