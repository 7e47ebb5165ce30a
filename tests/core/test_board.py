"""What the core shows of itself: plain values as of the last event, and the only thing that others read."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import callrouter
from callrouter.core.board import Board
from callrouter.model.agent_status import AgentState
from callrouter.model.events import DeviceState, DeviceSwitchRequested, SignedOut
from callrouter.model.projections import AgentView
from tests.core.playbook import Play
from tests.core.tables import agent, always, desk, mobile, queue, table

PACKAGE = Path(callrouter.__file__).parent


def view(board: Board, name: str) -> AgentView:
    found = board.agent(name)
    assert found is not None
    return found


def test_an_agent_is_shown_as_they_are_and_the_answer_stays_as_it_was() -> None:
    play = Play(table(queue("q", "ann bob")))
    board = play.router.board
    before = view(board, "ann")
    assert (before.id, before.state) == ("ann", AgentState.AVAILABLE)
    assert (before.signed_in, before.pause, before.off_hook) == (True, None, False)
    play.phone("ann").picks_up()
    play.call("c1", "q").until(1)
    play.pause("ann", "lunch")
    after = view(board, "ann")
    assert (after.state, after.off_hook) == (AgentState.ON_CALL, True)
    assert (after.pause, after.pending_pause) == (None, "lunch")
    play.feed(SignedOut(agent="ann"))
    assert view(board, "ann").pending_sign_out
    assert (before.state, before.off_hook) == (AgentState.AVAILABLE, False)
    assert not after.pending_sign_out


def test_devices_switched_off_are_those_of_the_moment() -> None:
    play = Play(table(agent("ann", desk("ann"), mobile("ann")), queue("q", "ann")))
    off = view(play.router.board, "ann")
    play.feed(DeviceSwitchRequested(agent="ann", device="mobile", on=False, by="sam"))
    assert off.devices_off == {}
    assert view(play.router.board, "ann").devices_off == {"mobile": ("sam", 0.0)}


def test_who_was_renamed_is_found_by_both_names() -> None:
    play = Play(table(agent("ann", extension="501"), queue("support", "ann")))
    new = agent("annette", desk("annette", endpoint="PJSIP/ann"), renamed_from="ann")
    play.reload(table(new, queue("help", "annette", renamed_from="support")))
    board = play.router.board
    assert board.agent("ann") is None
    assert board.agent_named("ann") == board.agent_named("annette") == board.agent("annette")
    assert board.queue("support") is None
    assert board.queue_named("support") == board.queue("help")
    assert (board.agent_ids(), board.former_agent_ids()) == (("annette",), ("ann",))
    assert (board.queue_ids(), board.former_queue_ids()) == (("help",), ("support",))
    assert board.agent_with_extension("501") is None
    assert board.agent_spec("annette") is new
    assert board.table.agents["annette"] is new


def test_a_phone_belongs_to_those_who_were_not_removed() -> None:
    shared = [agent(name, desk(name, endpoint="PJSIP/box")) for name in ("ann", "bob")]
    play = Play(table(*shared, queue("q", "ann bob")))
    board = play.router.board
    assert [found.id for found in board.agents_at("office", "PJSIP/box")] == ["ann", "bob"]
    play.phone("ann").picks_up()
    play.call("c1", "q").until(1)
    play.reload(table(shared[1], queue("q", "bob")))
    assert view(board, "ann").gone
    assert [found.id for found in board.agents_at("office", "PJSIP/box")] == ["bob"]
    assert board.agents_at("office", "PJSIP/other") == ()


def test_a_queue_counts_callers_who_wait_and_members() -> None:
    play = Play(table(queue("q", "ann bob"), queue("r", "ann")))
    board = play.router.board
    play.phone("ann").picks_up()
    play.call("c1", "q").until(1)
    play.call("c2", "q").call("c3", "q", priority=7)
    found = board.queue("q")
    assert found is not None
    assert (found.id, found.waiting, found.members) == ("q", 2, 2)
    assert board.callers() == {"q": 2}
    assert (board.priority("c2"), board.priority("c3"), board.priority("c9")) == (50, 7, None)
    assert board.queue_spec("q") is board.table.queues["q"]
    assert (board.queue("none"), board.queue_spec("none")) == (None, None)


def test_reachable_devices_come_in_the_order_of_the_queue() -> None:
    spec = table(
        always("ann", desk("ann"), mobile("ann")),
        always("bob", desk("bob", enabled=False), mobile("bob", pbxes=("cloud",))),
        always("cyd"),
        agent("dan"),
        queue("q", "ann:5 bob cyd dan"),
    )
    play = Play(spec, signed_in="")
    board = play.router.board

    def found(pbx: str = "office") -> list[tuple[str, str]]:
        return [(device.agent, device.id) for device in board.reachable_devices("q", pbx)]

    assert found() == [("cyd", "desk"), ("ann", "desk"), ("ann", "mobile")]
    assert found("cloud") == [("bob", "mobile")]
    play.phone_is("ann", DeviceState.UNREACHABLE)
    play.phone_is("cyd", DeviceState.IN_USE)
    assert found() == [("cyd", "desk"), ("ann", "mobile")]
    play.sign_in("dan").pause("cyd")
    assert found() == [("dan", "desk"), ("ann", "mobile")]
    assert list(board.reachable_devices("none", "office")) == []


def test_it_knows_who_is_signed_in_which_pbx_is_in_step_and_what_it_would_refuse() -> None:
    play = Play(table(agent("ann"), always("bob"), queue("q", "ann bob")), signed_in="")
    board = play.router.board
    assert [board.signed_in(name) for name in ("ann", "bob", "no")] == [False, True, False]
    assert board.in_step("office")
    assert "always signed in" in board.refusal(SignedOut(agent="bob"))
    play.sign_in("ann")
    assert board.refusal(SignedOut(agent="ann")) == ""
    play.lose()
    assert not board.in_step("office")


# ---------------------------------------------------------------- who may read more

LIVE = frozenset({"callrouter.core.state", "callrouter.core.floor"})
READERS = tuple(PACKAGE / part for part in ("core", "api/views", "api/explain", "api/calllog"))


def imported(tree: ast.AST) -> set[str]:
    """The modules that a file imports, also only for its types or late."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if not any(path.is_relative_to(part) for part in READERS)
    ],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_the_live_state_is_imported_by_the_core_and_what_explains_it_alone(path: Path) -> None:
    assert not imported(ast.parse(path.read_bytes())) & LIVE
