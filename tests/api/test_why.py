"""`why` and `why-not` as a supervisor reads them; the journal's bounds."""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import Any

import pytest

from callrouter.api.calllog import agent_timelines
from callrouter.api.calllog import call_log as log_module
from callrouter.api.calllog.call_log import AmbiguousIdError, CallLog
from callrouter.api.calllog.logged_call import STEPS
from callrouter.api.explain import why_call
from callrouter.api.explain import why_not as whynot
from callrouter.api.schemas.why_answers import StepJson, WhyJson
from callrouter.cli.commands.explain import why_lines, why_not_lines
from callrouter.model.agent_status import AgentStatus
from callrouter.model.call_notices import CallAbandoned, CallEntered, CallRequeued
from callrouter.model.call_requests import (
    CallEndRequested,
    ConversationAction,
    ConversationRequested,
)
from callrouter.model.events import CallerEnd, DeviceState, Event, LegEnd, TransferKind
from callrouter.model.hours import Hours, parse_spans
from callrouter.model.notices import AgentStatusChanged, Notice, Output, TableReloaded
from callrouter.model.outcomes import RequeueReason
from callrouter.model.routing_table import (
    HangUp,
    MemberSpec,
    NumberPattern,
    Rule,
    ShiftSpec,
    Table,
    WidenStep,
)
from callrouter.model.text import rough_duration
from tests.api.world import Client, World
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table
from tests.record.past_reading import explained
from tests.record.recording import Recording


class Explained(Play):
    """A story with a call log, and a record by which every answer is given a second time."""

    call_log: CallLog | None = None
    heard = 0
    recording: Recording | None = None

    def feed(self, event: Event) -> list[Output]:
        if self.recording is None:
            self.recording = Recording(self.router)
        out = super().feed(event)
        self.recording.hear(out)
        return out

    def answer(self, call: str) -> WhyJson:
        if self.call_log is None:
            self.call_log = CallLog(self.router.floor)
        for _, item in self.log[self.heard :]:
            if isinstance(item, Notice):
                self.call_log.listen(item)
        self.heard = len(self.log)
        trail = self.call_log.find(call)
        assert trail is not None
        floor, now = self.router.floor, self.now
        found = asyncio.run(why_call.explain_call(self.call_log, floor, trail, now))
        if trail.entered and not trail.left_out:
            assert self.recording is not None
            assert explained(self.recording, floor, trail.call, now) == found
        return found

    def why(self, call: str) -> list[str]:
        """What the command line shows, without the clock and the heading."""
        return [line[10:] for line in why_lines(self.answer(call))[1:]]

    def offers(self, call: str) -> list[StepJson]:
        return [step for step in self.answer(call)["steps"] if step["kind"] == "offer"]

    def passed(self, call: str) -> dict[str, str]:
        """Why each of the others was not rung with the last offer."""
        groups = self.offers(call)[-1]["passed_over"]
        return {name: group["text"] for group in groups for name in group["agents"]}

    def why_not(self, name: str, of: str = "") -> list[str]:
        floor = self.router.floor
        where = floor.queues[of] if of else None
        return why_not_lines(whynot.explain_agent(floor, floor.agents[name], where, self.now))


# ---------------------------------------------------------------- the words of an answer


def test_a_call_from_entry_to_end() -> None:
    play = Explained(table(queue("q", "ann bob:5 cat dan", "priority")))
    play.phone("bob").picks_up(after=2)
    play.pause("cat").sign_out("dan").on(34)
    play.call("c1", "q", caller_number="+442079460018").on(20 + 2 + 190).agent_hangs_up("bob")
    assert why_lines(play.answer("c1"))[0].startswith("call c1 from +442079460018, ")
    assert play.why("c1") == [
        "entered q at place 1",
        "ann was rung: first of 2 available by priority",
        "available: ann (level 1, idle 34 s), bob (level 5, idle 34 s)",
        "not cat: paused: lunch",
        "not dan: signed out",
        "-> rang 20 s, no answer",
        "bob was rung: the only one available (level 5, idle 54 s)",
        "not ann: tried already: missed it",
        "not cat: paused: lunch",
        "not dan: signed out",
        "-> took it on desk after 2 s, talked 3 min 10 s, the agent hung up",
    ]


def test_the_phone_that_took_the_call_and_those_left_out() -> None:
    ann = agent("ann", desk("ann"), mobile("ann", enabled=False))
    play = Explained(table(ann, queue("q", "ann")))
    play.call("c1", "q").on(3).accepts("ann").on(5)
    [offer] = play.offers("c1")
    assert offer["text"].endswith("(not rung: mobile switched off in the configuration)")
    assert offer["outcome"]["text"] == "took it on desk, talking for 5 s"


def test_who_has_just_passed_a_call_on_is_not_said_to_ring() -> None:
    play = Explained(table(queue("q", "ann bob"), queue("r", "ann bob")))
    play.call("c1", "q").accepts("ann").on(30)
    play.feed(ConversationRequested(call="c1", action=ConversationAction.TRANSFER, queue="r"))
    assert play.passed("c1")["ann"] == "has passed this call on"


def at_night(**more: Any) -> Explained:
    """The queue opens at a time that is not now; 2026-01-01 is a Thursday."""
    spans = parse_spans("sun 03:00-04:00")
    return Explained(table(queue("q", "ann", hours=Hours(spans=spans, zone=UTC), **more)))


def test_a_closed_queue_and_a_call_that_was_ended_are_told_apart() -> None:
    play = at_night(on_closed=HangUp())
    play.call("c1", "q")
    assert play.why("c1")[:2] == [
        "entered q and was not let in: the queue is closed",
        "left q after 0 s: the queue is closed; hung up",
    ]
    play = Explained(table(queue("q", "ann")))
    play.call("c1", "q").on(3)
    play.feed(CallEndRequested(call="c1", by="sam"))
    assert play.why("c1")[-1] == "left q after 3 s: sam ended the call"


def test_why_not_at_night_promises_no_call() -> None:
    [line, *_] = [line for line in at_night().why_not("ann") if line.startswith("q: ")]
    assert line.startswith("q: the queue is closed, and opens in ")
    assert line.endswith("; no caller waits")


def test_ring_all_and_who_lost() -> None:
    play = Explained(table(queue("q", "ann bob", "ring-all")))
    play.on(9)
    play.call("c1", "q").on(3).accepts("bob").on(60).caller_hangs_up("c1")
    first, second = play.offers("c1")
    assert first["text"] == "ann was rung: all available agents are, by ring-all"
    lost = {"code": "lost-to", "values": {"agent": "bob"}, "text": "lost to bob"}
    assert first["outcome"] == {
        "result": "lost",
        "text": "rang 3 s, lost to bob",
        "phrase": {"code": "after-ringing", "values": {"rang_s": 3.0, "what": lost}},
    }
    assert (
        second["outcome"]["text"] == "took it on desk after 3 s, talked 1 min, the caller hung up"
    )
    assert play.passed("c1") == {"ann": "being rung for this call"}


@pytest.mark.parametrize(
    ("policy", "text", "values"),
    [
        ("priority", "first of 2 available by priority", "level 1, idle 30 s"),
        ("linear", "first of 2 available by linear", "1st in the table, idle 30 s"),
        ("round-robin", "first of 2 available by round-robin", "no turn yet, idle 30 s"),
        ("longest-idle", "first of 2 available by longest-idle", "idle 30 s"),
        ("fewest-calls", "first of 2 available by fewest-calls", "0 calls today, idle 30 s"),
        (
            "least-talk-time",
            "first of 2 available by least-talk-time",
            "talked 0 s today, idle 30 s",
        ),
        (
            "average-utilization",
            "first of 2 available by average-utilization",
            "on calls 0% of the last hour, idle 30 s",
        ),
        ("skills", "first of 2 available by skills", "skill 0, idle 30 s"),
        ("random", "drawn from 2 equals (random), 2 available", ""),
        ("priority random", "drawn from 2 equals (priority, then random), 2 available", "level 1"),
        ("weighted-random", "drawn by weight (weighted-random) out of 2 available", ""),
    ],
)
def test_the_words_of_each_policy(policy: str, text: str, values: str) -> None:
    play = Explained(table(queue("q", "ann bob", policy)))
    play.on(30)
    play.call("c1", "q")
    (offer,) = play.offers("c1")
    assert offer["text"].endswith(f" was rung: {text}")
    assert offer["candidates"][0]["text"] == values


def test_an_agent_who_becomes_free_takes_the_call() -> None:
    play = Explained(table(queue("q", "ann bob")))
    play.pause("ann").pause("bob")
    play.call("c1", "q").call("c2", "q").on(5).resume("ann")
    (offer,) = play.offers("c1")
    assert offer["by_agent"]
    assert offer["text"] == (
        "ann became free and took this call, the first of 2 who waited for agents like ann"
    )
    assert play.passed("c1") == {"bob": "paused: lunch"}


def test_everyone_who_was_passed_over() -> None:
    widen = (WidenStep(after=60.0, members=(MemberSpec(agent="fay"),)),)
    play = Explained(
        table(
            agent("gus", skills={"french": 1}),
            *(agent(n, skills={"french": 3}) for n in ("ann", "bob", "cat", "dan", "eve", "fay")),
            queue("q", "ann bob cat dan eve gus", skills={"french": 3}, wrap_up=30.0, widen=widen),
            queue("other", "bob cat eve fay"),
        )
    )
    play.call("x", "other").accepts(next(iter(play.ringing()))).on(5)
    play.phone_is("dan", DeviceState.UNREACHABLE)
    play.phone_is("eve", DeviceState.IN_USE)
    (busy,) = play.talking()
    play.call("c1", "q")
    passed = play.passed("c1")
    assert passed[busy] == "on another call"
    assert passed["dan"] == "phone not reachable"
    assert passed["eve"] == "in a private call"
    assert passed["fay"] == "not open to a call until it has waited 1 min"
    assert passed["gus"] == "lacks french 3 (has 1)"
    assert "available, comes after" in passed.values()


@pytest.mark.parametrize(
    ("end", "outcome", "tried"),
    [
        (LegEnd.DECLINED, "rang 1 s, declined", "tried already: refused it"),
        (LegEnd.BUSY, "busy", "tried already: refused it"),
        (
            LegEnd.WRONG_KEY,
            "rang 1 s, picked up, and pressed neither 1 nor 2",
            "tried already: refused it",
        ),
        (LegEnd.UNREACHABLE, "the phone could not be reached", "tried already: unreachable"),
    ],
)
def test_offers_that_come_to_nothing(end: LegEnd, outcome: str, tried: str) -> None:
    play = Explained(table(queue("q", "ann bob", "linear")))
    play.phone("ann").says(end, after=1.0)
    play.call("c1", "q").on(2)
    first, _ = play.offers("c1")
    assert first["outcome"]["text"] == outcome
    assert play.passed("c1")["ann"] == tried


def test_of_several_phones_each_says_what_it_did() -> None:
    ann = agent("ann", desk("ann"), mobile("ann"))
    play = Explained(table(ann, queue("q", "ann bob", "linear")))
    play.phone("ann", "mobile").says(LegEnd.WRONG_KEY, after=1.0)
    play.phone("ann", "desk").says(LegEnd.UNAVAILABLE, after=0.0)
    play.call("c1", "q").on(2)
    first = play.offers("c1")[0]["outcome"]
    assert first["result"] == "wrong-key"
    assert first["text"] == (
        "rang 1 s, picked up, and pressed neither 1 nor 2 (desk: the phone takes no calls now)"
    )
    play.accepts("bob").on(5).agent_hangs_up("bob")
    play.phone("ann", "desk").picks_up(after=3.0)
    play.call("c2", "q").on(5)
    talk = play.offers("c2")[0]["outcome"]["text"]
    assert talk.endswith("(mobile: picked up, and pressed neither 1 nor 2)")


def test_an_offer_that_was_withdrawn_says_why() -> None:
    play = Explained(table(queue("q", "ann")))
    play.call("c1", "q").on(4).pause("ann", "tea")
    (offer,) = play.offers("c1")
    assert offer["outcome"]["text"] == "rang 4 s, withdrawn: ann paused: tea"
    now = play.answer("c1")["now"]
    assert now is not None
    assert now["text"] == "waits in q for 4 s, place 1 of 1; none of its 1 agent can be rung"
    assert now["passed_over"] == [
        {
            "reason": "paused",
            "text": "paused: tea",
            "phrase": {"code": "paused-for", "values": {"reason": "tea"}},
            "agents": ["ann"],
            "count": 1,
        }
    ]


def test_rules_moves_and_ends() -> None:
    rule = Rule(name="VIP", callers=(NumberPattern("+44", prefix=True),), priority=1, agent="bob")
    specs = table(queue("q", "ann bob", max_wait=30.0), queue("r", "ann"))
    play = Explained(Table(agents=specs.agents, queues=specs.queues, rules=(rule,)))
    play.call("c1", "q", caller_number="+4420").on(1)
    assert play.why("c1")[:3] == [
        "rule 'VIP' applies",
        "entered q at place 1",
        "bob was rung: the agent whom this call prefers",
    ]
    play.phone("bob").lets_it_ring()
    play.phone("ann").lets_it_ring()
    play.on(60)
    assert play.why("c1")[-1] == (
        "left q after 40 s: it had waited for as long as max_wait allows; sent back the way it came"
    )
    play.call("c2", "r").on(1).caller_hangs_up("c2")
    assert play.why("c2")[-1] == "the caller hung up at place 1 after 1 s of waiting"
    play.call("c3", "r").accepts("ann").on(9).transfers("c3", TransferKind.BLIND)
    assert "passed it on" in play.why("c3")[-1]


def test_ten_thousand_agents_are_a_line_each_reason() -> None:
    names = " ".join(f"a{n}" for n in range(3000))
    play = Explained(table(queue("q", names)), signed_in="a0")
    play.call("c1", "q")
    (group,) = play.offers("c1")[0]["passed_over"]
    assert (group["count"], len(group["agents"])) == (2999, 20)
    assert play.why("c1")[2] == "not a1, a2, a3, a4, a5, a6 and 2993 more: signed out"


# ---------------------------------------------------------------- why-not


def test_why_not_states() -> None:
    play = Explained(table(queue("q", "ann bob cat dan eve", wrap_up=30.0), queue("r", "bob")))
    play.pause("ann").sign_out("cat")
    play.phone_is("dan", DeviceState.UNREACHABLE)
    play.call("c1", "r").on(2)
    assert play.why_not("ann") == ["ann is not available:", "  paused: lunch"]
    assert play.why_not("bob") == [
        "bob is not available:",
        "  being rung for call c1 in r, for 2 s",
        "r: 1 caller waiting",
    ]
    assert play.why_not("cat") == ["cat is not available:", "  signed out"]
    assert play.why_not("dan") == ["dan is not available:", "  desk (office): not reachable"]
    gone = Explained(table(queue("q", "dan", on_nobody=HangUp())))
    gone.phone_is("dan", DeviceState.UNREACHABLE).until(4)
    leave = "no phone of dan or of another agent who is there can ring for them"
    assert gone.why_not("dan")[-1] == f"q: callers on office leave in 6 s (on_nobody): {leave}"
    assert play.why_not("eve", "r") == ["eve is available", "r: not an agent of r"]
    play.accepts("bob").on(60)
    assert play.why_not("bob")[1] == "  on call c1 in r for 1 min"
    play.phone_is("eve", DeviceState.IN_USE)
    assert play.why_not("eve")[1] == "  in a private call on desk"


def test_why_not_wrap_up_counts_down_between_events() -> None:
    play = Explained(table(queue("q", "ann", wrap_up=30.0)))
    play.call("c1", "q").accepts("ann").on(5).agent_hangs_up("ann")
    play.now += 12  # nothing has happened since
    assert play.why_not("ann")[1] == "  in wrap-up for 18 s more"


def test_why_not_the_place_in_the_order() -> None:
    play = Explained(
        table(queue("q", "ann:2 bob cat:9", "priority"), queue("r", "ann bob", "random"))
    )
    play.on(20)
    assert play.why_not("ann", "q")[1] == (
        "q: no caller waits; 2nd of 3 available in q (level 2, idle 20 s): "
        "bob (level 1, idle 20 s) is before"
    )
    assert play.why_not("bob", "q")[1].endswith(
        "1st of 3 available in q: would be rung for the next call"
    )
    assert play.why_not("ann", "r")[1] == (
        "r: no caller waits; one of 2 equals of 2 available in r: chance decides"
    )


def test_why_not_for_those_who_wait() -> None:
    widen = (WidenStep(after=60.0, members=(MemberSpec(agent="fay"),)),)
    play = Explained(
        table(queue("q", "ann bob", "linear", retry_after=5.0, widen=widen), queue("r", "fay"))
    )
    play.call("c1", "q").on(10)
    assert (
        play.why_not("fay", "q")[1] == "q: c1 waits: opens to fay after 1 min of waiting (in 50 s)"
    )
    assert play.why_not("bob", "q")[1] == "q: c1 waits: 1 agent is being rung, and at_once is 1"
    play.on(32)
    assert play.why_not("ann", "q")[1] == "q: c1 waits: tried already (goes round again in 3 s)"


def test_why_not_skills_and_preference() -> None:
    play = Explained(
        table(queue("q", "ann bob", prefer_for=30.0), queue("r", "ann", skills={"french": 3}))
    )
    play.pause("bob").resume("bob").call("x", "q", agent="bob")
    play.call("c1", "q", agent="bob").call("c2", "r").on(10)
    assert play.why_not("ann", "q")[1:] == [
        "q: x waits: kept for bob for 20 s more",
        "q: c1 waits: kept for bob for 20 s more",
    ]
    assert play.why_not("ann", "r")[1] == "r: c2 waits: lacks french 3"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.998, "3 s"), (2.9, "2 s"), (0.96, "1 s"), (59.995, "1 min"), (0.0, "0 s")],
)
def test_a_timer_that_is_early_by_a_blink_is_no_second_less(seconds: float, text: str) -> None:
    assert rough_duration(seconds) == text


def test_why_not_of_an_agent_in_no_queue() -> None:
    play = Explained(table(queue("q", "ann"), agent("bob")))
    assert play.why_not("bob")[-1] == "  bob is in no queue"


def test_why_not_in_another_shift() -> None:
    morning, evening = (
        Hours(parse_spans(text), UTC) for text in ("thu 00:00-12:00", "thu 18:00-20:00")
    )
    shifts = (
        ShiftSpec(hours=morning, members=(MemberSpec(agent="bob"),)),
        ShiftSpec(hours=evening, members=(MemberSpec(agent="cat"),)),
    )
    specs = queue("q", "ann", shifts=shifts)
    play = Explained(table(agent("ann"), agent("bob"), agent("cat"), specs))
    assert play.why_not("ann") == [
        "ann is not available:",
        "  ann is in no queue at this hour",
    ]
    assert play.why_not("ann", "q")[1] == (
        "q: not in q at this hour: a shift has taken the place of its agents"
    )
    assert play.why_not("cat", "q")[1] == (
        "q: in q only during a shift that is not on, in 18 h at the earliest"
    )


# ---------------------------------------------------------------- over HTTP


async def test_why_over_http(client: Client, world: World) -> None:
    world.in_step()
    world.sign_in("alice")
    world.arrive("1763761987.12")
    world.arrive("1763761987.34")
    for part in ("1763761987.34", "7.34", "last"):
        answer = await client.get(f"/api/calls/{part}/why")
        assert answer.status == 200
        assert (await answer.json())["call"] == "1763761987.34"
    answer = await client.get("/api/calls/17637/why")
    assert answer.status == 409
    assert "1763761987.12, 1763761987.34" in (await answer.json())["detail"]
    answer = await client.get("/api/calls/nope/why")
    assert answer.status == 404
    assert "kept are the last 5,000 calls of the last 24 h" in (await answer.json())["detail"]
    # As it was.
    assert (await client.get("/api/calls/1763761987.12")).status == 200


async def test_no_call_yet(client: Client) -> None:
    answer = await client.get("/api/calls/last/why")
    assert "no call is on record yet" in (await answer.json())["detail"]


async def test_why_not_over_http(client: Client, world: World) -> None:
    answer = await client.get("/api/agents/bob/why-not?queue=sales")
    view = await answer.json()
    assert (view["available"], view["reasons"][0]) == (False, "signed out")
    assert [item["id"] for item in view["queues"]] == ["sales"]
    assert (await client.get("/api/agents/nobody/why-not")).status == 404
    assert (await client.get("/api/agents/bob/why-not?queue=no")).status == 404


async def test_decisions_are_live(client: Client, world: World) -> None:
    world.in_step()
    async with client.ws_connect("/api/live") as ws:
        await ws.receive_json(timeout=5)
        world.sign_in("alice")
        world.arrive("c1")
        while (message := await ws.receive_json(timeout=5))["type"] != "decision":
            pass
    assert (message["call"], message["agent"], message["available"]) == ("c1", "alice", 1)


# ---------------------------------------------------------------- bounds


class Clockwork:
    """A call log fed by hand."""

    def __init__(self) -> None:
        play = Play(table(queue("q", "ann")))
        self.log = CallLog(play.router.floor)

    def enters(self, name: str, at: float) -> None:
        self.log.listen(
            CallEntered(at=at, call=name, queue="q", position=1, caller_number="", caller_name="")
        )

    def call(self, name: str, at: float) -> None:
        self.enters(name, at)
        self.log.listen(
            CallAbandoned(
                at=at,
                call=name,
                queue="q",
                position=1,
                first_position=1,
                wait_s=0.0,
                how=CallerEnd.HUNG_UP,
            )
        )

    def state(self, status: AgentStatus, reason: str = "") -> None:
        self.log.listen(AgentStatusChanged(at=0.0, agent="ann", status=status, pause_reason=reason))


@pytest.mark.parametrize("before", [0, log_module.BATCH - 1])
def test_members_are_known_after_a_reload_wherever_it_comes_in_a_batch(before: int) -> None:
    play = Play(table(queue("q", "ann")))
    log = CallLog(play.router.floor)
    for _ in range(before):
        log.listen(AgentStatusChanged(at=0.0, agent="ann", status=AgentStatus.AVAILABLE))
    play.reload(table(queue("q", "ann bob")))
    [reloaded] = play.notices(TableReloaded)[-1:]
    log.listen(reloaded)
    assert log._members["q"].keys() == {"ann", "bob"}


def test_calls_are_bounded_in_number_and_age() -> None:
    work = Clockwork()
    for n in range(log_module.KEPT + 10):
        work.call(f"<{n}>", float(n))
    assert work.log.find("<9>") is None
    assert work.log.find("<10>") is not None
    work.call("late", log_module.KEPT_FOR + 5000.0)
    assert work.log.find("<4000>") is None
    assert work.log.find("<5005>") is not None


def test_steps_are_bounded() -> None:
    work = Clockwork()
    work.enters("c1", 0.0)
    again = CallRequeued(at=1.0, call="c1", queue="q", why=RequeueReason.FOUND_WAITING)
    for _ in range(4 * STEPS):
        work.log.listen(again)
    trail = work.log.find("c1")
    assert trail is not None
    assert len(trail.kept) <= 2 * STEPS
    assert trail.left_out + len(trail.kept) == 4 * STEPS + 1


def test_states_are_bounded_and_what_is_gone_is_said() -> None:
    work = Clockwork()
    for n in range(10 * agent_timelines.STATES):
        state = AgentStatus.PAUSED if n % 2 else AgentStatus.AVAILABLE
        work.state(state, f"reason {n}" if n % 2 else "")
    work.log.catch_up()
    assert len(work.log._timelines._timelines["ann"].codes) < 2 * agent_timelines.STATES
    assert work.log.standing("ann", 5) is None
    last = work.log.standing("ann", 10 * agent_timelines.STATES + 1)
    assert last == (AgentStatus.PAUSED, f"reason {10 * agent_timelines.STATES - 1}")


def test_reasons_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_timelines, "_MOST_REASONS", 3)
    work = Clockwork()
    for n in range(9):
        work.state(AgentStatus.PAUSED, f"reason {n}")
    work.log.catch_up()
    assert work.log.standing("ann", 99) == (AgentStatus.PAUSED, "")


def test_a_part_that_fits_several() -> None:
    work = Clockwork()
    work.call("a-1", 0.0)
    work.call("b-1", 0.0)
    with pytest.raises(AmbiguousIdError):
        work.log.find("1")
    assert work.log.find("") is None


def test_why_costs_little() -> None:
    """A coarse guard: bench/why.py has the exact share. Laying aside is all that a call waits for."""
    work = Clockwork()
    for _ in range(log_module.BATCH - 1):
        work.state(AgentStatus.AVAILABLE)
    assert work.log._serial == 0
    work.state(AgentStatus.AVAILABLE)
    assert work.log._serial == log_module.BATCH
