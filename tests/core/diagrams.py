"""The diagrams of states in docs/architecture.md, made from the core's tables.

python -m tests.core.diagrams      # writes them into the page
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from callrouter.core.calls.call_lifecycle import CALLS
from callrouter.core.offers.offer_lifecycle import LEGS, OFFERS

PAGE = Path(__file__).parents[2] / "docs/architecture.md"
BEGIN = "<!-- Made by `python -m tests.core.diagrams` from the tables. -->\n"
END = "<!-- The end of what it makes. -->\n"


def arrows(table: dict[tuple[Enum, Enum], Enum]) -> Iterator[str]:
    """One line for each pair of states, with all changes that lead from the first to the second."""
    labels: dict[tuple[Enum, Enum], list[str]] = {}
    for (state, change), following in table.items():
        if following is not state:
            labels.setdefault((state, following), []).append(change.value)
    for (state, following), words in labels.items():
        yield f"  {state.name} --> {following.name}: {' / '.join(words)}"


def diagram(title: str, first: Enum, table: dict[tuple[Enum, Enum], Enum]) -> str:
    """A Mermaid diagram of a table's states."""
    lines = [f"**{title}**", "", "```mermaid", "stateDiagram-v2", f"  [*] --> {first.name}"]
    return "\n".join([*lines, *arrows(table), "```", ""])


def diagrams() -> str:
    """All three, as they stand in the page."""
    calls: dict[tuple[Enum, Enum], Enum] = {pair: state for pair, (_, state) in CALLS.items()}
    offers: dict[tuple[Enum, Enum], Enum] = {pair: state for pair, (_, state) in OFFERS.items()}
    legs: dict[tuple[Enum, Enum], Enum] = dict(LEGS.items())
    made = (
        diagram(title, next(iter(table))[0], table)
        for title, table in (
            ("A call", calls),
            ("An offer to an agent", offers),
            ("A leg to one phone", legs),
        )
    )
    return "\n".join(made)


def parts(text: str) -> tuple[str, str, str]:
    """The page before the diagrams, the diagrams, and the page after them."""
    before, begin, rest = text.partition(BEGIN)
    made, end, after = rest.partition(END)
    assert begin
    assert end
    return before + begin, made, end + after


def main() -> None:
    before, _, after = parts(PAGE.read_text("utf-8"))
    PAGE.write_text(f"{before}\n{diagrams()}\n{after}", "utf-8")


if __name__ == "__main__":
    main()
