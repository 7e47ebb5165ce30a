"""Events of calls: what each says, and that each call that was announced ends exactly once."""

from __future__ import annotations

from random import Random
from typing import Any, get_type_hints

import pytest
from pydantic import TypeAdapter

from callrouter.api.openapi import document
from callrouter.model.call_requests import (
    CallMoveRequested,
    ConversationAction,
    ConversationRequested,
)
from callrouter.model.commands import Result
from callrouter.model.events import (
    CallerTransferred,
    Event,
    LegEnd,
    PauseRequested,
    Resumed,
    SignedIn,
    SignedOut,
    TransferKind,
)
from callrouter.model.notices import Notice
from callrouter.model.routing_table import ToQueue
from callrouter.outbox.call_events import CallEvents, MadeEvent
from callrouter.outbox.destinations import EVENT_NAMES
from callrouter.outbox.outbox_rows import OpenCallRow
from callrouter.outbox.payloads import DATA, iso_time
from tests.api.contract import mistakes
from tests.core.playbook import Play
from tests.core.tables import queue, table
from tests.core.world import ACTS, World

ADAPTERS = {name: TypeAdapter(data) for name, data in DATA.items()}


class Told:
    """Follows a story and gives its events."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.rows: dict[str, OpenCallRow | None] = {}
        self.events = CallEvents(self.rows.__setitem__)
        self.seen = 0

    def all(self) -> list[MadeEvent]:
        notices = [item for _, item in self.play.log if isinstance(item, Notice)]
        made = self.events.handle(notices[self.seen :])
        self.seen = len(notices)
        for event in made:
            assert event.data.keys() == get_type_hints(DATA[event.name]).keys()
            ADAPTERS[event.name].validate_python(event.data)
            assert described(event) == []
        return made

    def of(self, call: str) -> list[tuple[str, dict[str, Any]]]:
        return [(e.name, e.data) for e in self.all() if e.data.get("call") == call]


def described(event: MadeEvent) -> list[str]:
    """What of an event is not as the OpenAPI document has it."""
    body = {"type": event.name, "timestamp": iso_time(event.at), "data": event.data}
    post = document()["webhooks"][event.name]["post"]
    return mistakes(body, post["requestBody"]["content"]["application/json"]["schema"])


def test_the_document_has_every_event() -> None:
    assert set(DATA) == {*EVENT_NAMES, "alert.fired", "alert.cleared"}
    assert document()["webhooks"].keys() == DATA.keys()


def names(events: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [name for name, _ in events]


def two(**keys: Any) -> Play:
    play = Play(table(queue("support", "alice bob", **keys), queue("sales", "carol")))
    for name in ("alice", "bob", "carol"):
        play.phone(name).picks_up(after=2)
    return play


def test_a_call_from_entry_to_end() -> None:
    play = two(policy="linear")
    told = Told(play)
    play.call("c1", "support", caller_number="+447700900123", caller_name="Ann")
    play.until(12)
    play.caller_hangs_up("c1")
    events = told.of("c1")
    assert names(events) == ["call.entered", "call.offered", "call.connected", "call.ended"]
    for _, data in events:
        assert (data["call"], data["queue"], data["number"], data["name"]) == (
            "c1", "support", "+447700900123", "Ann",
        )  # fmt: skip
    entered, offered, connected, ended = (data for _, data in events)
    assert (entered["how"], entered["position"], entered["refused"]) == ("new", 1, None)
    assert offered["agent"] == connected["agent"] == "alice"
    assert offered["offer"] == connected["offer"]
    assert connected["wait_s"] == 2
    assert ended["agent"] == "alice"
    assert (ended["outcome"], ended["answered"], ended["ended_by"]) == ("answered", True, "caller")
    assert (ended["wait_s"], ended["talk_s"], ended["offers"]) == (2, 10, 1)
    assert told.rows == {"c1": None}


def test_a_withheld_number_is_null() -> None:
    play = two()
    told = Told(play)
    play.call("c1", "support", caller_number="anonymous")
    (entered, *_) = told.of("c1")
    assert entered[1]["number"] is None
    assert entered[1]["name"] is None


def test_abandoned_after_a_miss() -> None:
    play = two(ring_for=5.0, policy="linear")
    play.phone("alice").lets_it_ring()
    play.phone("bob").says(LegEnd.DECLINED, after=1)
    told = Told(play)
    play.call("c1", "support")
    play.until(6.5)
    play.caller_hangs_up("c1")
    events = told.of("c1")
    assert names(events)[0] == "call.entered"
    assert names(events)[-1] == "call.ended"
    outcomes = [data["outcome"] for name, data in events if name == "call.offer_ended"]
    assert outcomes == ["no answer", "declined"]
    ended = events[-1][1]
    assert (ended["outcome"], ended["agent"], ended["answered"]) == ("abandoned", None, False)
    assert (ended["wait_s"], ended["offers"]) == (6.5, 2)


def test_an_overflow_is_no_end() -> None:
    play = Play(table(queue("support", "alice", max_wait=10.0, on_max_wait=ToQueue("sales")), queue("sales", "carol")))  # fmt: skip
    play.phone("alice").lets_it_ring()
    play.phone("carol").picks_up(after=3)
    told = Told(play)
    play.call("c1", "support")
    play.until(60)
    play.caller_hangs_up("c1")
    events = told.of("c1")
    entered = [data for name, data in events if name == "call.entered"]
    assert [(data["queue"], data["how"]) for data in entered] == [("support", "new"), ("sales", "overflow")]  # fmt: skip
    assert names(events).count("call.ended") == 1
    assert events[-1][1]["agent"] == "carol"
    assert events[-1][1]["queue"] == "sales"


def test_the_last_agent_is_the_one_who_had_the_caller_last() -> None:
    play = two(policy="linear")
    told = Told(play)
    play.call("c1", "support")
    play.until(10)
    play.feed(ConversationRequested(call="c1", action=ConversationAction.TRANSFER, queue="sales"))
    play.until(11)
    play.caller_hangs_up("c1")  # while carol's phone rings
    events = told.of("c1")
    assert "call.transferred" in names(events)
    moved = next(data for name, data in events if name == "call.transferred")
    assert (moved["agent"], moved["to"], moved["transfer"]) == ("alice", "sales", "blind")
    ended = events[-1][1]
    assert (ended["agent"], ended["outcome"], ended["queue"]) == ("alice", "abandoned", "sales")
    assert (ended["answered"], ended["transfers"]) == (True, 1)


def test_after_a_transfer_it_is_the_second_agent() -> None:
    play = two(policy="linear")
    told = Told(play)
    play.call("c1", "support")
    play.until(10)
    play.feed(ConversationRequested(call="c1", action=ConversationAction.TRANSFER, queue="sales"))
    play.until(30)
    play.caller_hangs_up("c1")
    events = told.of("c1")
    assert [data["agent"] for name, data in events if name == "call.connected"] == [
        "alice",
        "carol",
    ]
    assert events[-1][1]["agent"] == "carol"
    assert events[-1][1]["talk_s"] == (10 - 2) + (30 - 12)
    assert events[-1][1]["wait_s"] == 2 + 2


def test_a_transfer_out_is_the_end() -> None:
    play = two(policy="linear")
    told = Told(play)
    play.call("c1", "support")
    play.until(10)
    play.feed(CallerTransferred(call="c1", kind=TransferKind.BLIND, to="4711"))
    events = told.of("c1")
    assert names(events)[-2:] == ["call.transferred", "call.ended"]
    assert events[-1][1]["transferred_to"] == "4711"
    assert (events[-1][1]["agent"], events[-1][1]["outcome"]) == ("alice", "answered")


def test_a_supervisor_moves_a_caller() -> None:
    play = two()
    for name in ("alice", "bob", "carol"):
        play.phone(name).lets_it_ring()
    told = Told(play)
    play.call("c1", "support")
    play.until(5)
    play.feed(CallMoveRequested(call="c1", queue="sales", by="sam"))
    play.until(8)
    play.caller_hangs_up("c1")
    events = told.of("c1")
    entered = [data for name, data in events if name == "call.entered"]
    assert [(data["queue"], data["how"]) for data in entered] == [("support", "new"), ("sales", "moved")]  # fmt: skip
    assert events[-1][1]["wait_s"] == 8


def test_a_caller_who_is_not_let_in() -> None:
    play = two(max_waiting=1)
    for name in ("alice", "bob"):
        play.phone(name).lets_it_ring()
    told = Told(play)
    play.call("c1", "support")
    play.call("c2", "support")
    events = told.of("c2")
    assert names(events) == ["call.entered", "call.ended"]
    assert (events[0][1]["position"], events[0][1]["refused"]) == (0, "full")
    assert (events[1][1]["outcome"], events[1][1]["result"]) == ("left", Result.FULL.value)


def test_agents() -> None:
    play = two()
    told = Told(play)
    told.all()
    play.feed(PauseRequested(agent="alice", reason="lunch", by="sam"))
    play.feed(Resumed(agent="alice"))
    play.feed(SignedOut(agent="alice"))
    play.feed(SignedIn(agent="alice"))
    found = [(e.name, e.data, e.order_key) for e in told.all()]
    assert found == [
        ("agent.paused", {"agent": "alice", "reason": "lunch", "by": "sam"}, "agent alice"),
        ("agent.resumed", {"agent": "alice", "reason": "lunch", "by": None}, "agent alice"),
        ("agent.signed_out", {"agent": "alice", "reason": None, "by": None}, "agent alice"),
        ("agent.signed_in", {"agent": "alice", "reason": None, "by": None}, "agent alice"),
    ]


def test_the_agent_is_right_after_a_restart() -> None:
    play = two(policy="linear")
    told = Told(play)
    play.call("c1", "support")
    play.until(10)
    told.all()
    again = CallEvents(lambda _call, _row: None)
    again.restore(row for row in told.rows.values() if row is not None)
    assert again.open_calls() == ("c1",)
    (ended,) = again.lost("c1", 40.0)
    assert ended.name == "call.ended"
    assert (ended.data["agent"], ended.data["outcome"]) == ("alice", "unknown")
    assert ended.data["answered"] is True
    assert again.lost("c1", 41.0) == []


# ---------------------------------------------------------------- histories that nobody thought of


class AnnouncedWorld(World):
    """A world whose every step is told to another program, also over restarts of the router."""

    def __init__(self, rng: Random, *, forgetful: bool) -> None:
        super().__init__()
        self.rng = rng
        self.forgetful = forgetful
        self.rows: dict[str, OpenCallRow] = {}
        self.steps: list[Notice] = []
        self.made: list[MadeEvent] = []
        self.events = CallEvents(self.save)

    def save(self, call: str, row: OpenCallRow | None) -> None:
        if row is None:
            self.rows.pop(call, None)
        else:
            self.rows[call] = row

    def feed(self, event: Event) -> None:
        super().feed(event)
        self.steps += [item for item in self.replay[-1][2] if isinstance(item, Notice)]
        if self.rng.random() < 0.5:
            self.flush()

    def flush(self) -> None:
        steps, self.steps = self.steps, []
        self.made += self.events.handle(steps)

    def start_router(self) -> None:
        if hasattr(self, "events"):
            if self.forgetful:
                self.steps = []  # as a kill -9 within the twentieth of a second
            self.flush()
            self.events = CallEvents(self.save)
            self.events.restore(self.rows.values())
        super().start_router()

    def end(self) -> None:
        self.finish()
        self.flush()
        for call in self.events.open_calls():
            self.made += self.events.lost(call, self.now)
        assert self.rows == {}


@pytest.mark.parametrize("forgetful", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_each_announced_call_ends_once(seed: int, forgetful: bool) -> None:
    rng = Random(seed)
    world = AnnouncedWorld(rng, forgetful=forgetful)
    world.begin(rng)
    acts = [act for act, weight in ACTS.items() for _ in range(weight)]
    for _ in range(250):
        rng.choice(acts)(world, rng)
    world.end()
    state: dict[str, str] = {}
    for event in world.made:
        ADAPTERS[event.name].validate_python(event.data)
        if not event.name.startswith("call."):
            continue
        call = event.data["call"]
        if event.name == "call.entered":
            state[call] = "open"
        elif event.name == "call.ended":
            assert forgetful or state.get(call) == "open", event
            state[call] = "ended"
    assert state
    assert set(state.values()) == {"ended"}


def test_of_an_unknown_call_the_end_names_its_agent() -> None:
    """A webhook is configured while calls are on."""
    play = two(policy="linear")
    play.call("c1", "support")
    play.until(10)
    told = Told(play)
    told.seen = len([item for _, item in play.log if isinstance(item, Notice)])
    play.caller_hangs_up("c1")
    (ended,) = told.of("c1")
    assert ended[0] == "call.ended"
    assert (ended[1]["agent"], ended[1]["talk_s"], ended[1]["wait_s"]) == ("alice", 8, 2)
