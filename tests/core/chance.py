"""Routing tables by chance. `rng` may be hypothesis's, which then can shrink what it chose."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from random import Random

from callrouter.model.hours import Hours, Span
from callrouter.model.routing_table import (
    ALL_AT_ONCE,
    AgentSpec,
    AnnounceSpec,
    DeviceSpec,
    HangUp,
    KeepWaiting,
    MemberSpec,
    NumberPattern,
    PauseEnd,
    PauseSpec,
    QueueSpec,
    Rule,
    ShiftSpec,
    SignIn,
    Table,
    Target,
    ToDialplan,
    ToQueue,
    WidenStep,
)
from tests.core.tables import desk, mobile

QUEUES = ("sales", "support", "billing", "night")
AGENTS = ("ann", "bob", "cat", "dan", "eve", "fay")
POLICIES = (
    ("random",),
    ("priority",),
    ("ring-all",),
    ("round-robin",),
    ("longest-idle",),
    ("priority", "random"),
    ("priority", "round-robin"),
    ("linear",),
    ("fewest-calls",),
    ("least-talk-time", "random"),
    ("average-utilization",),
    ("max-utilization", "round-robin"),
    ("weighted-random",),
    ("priority", "weighted-random"),
    ("skills",),
)
REASONS = ("lunch", "tea", "training")
SKILLS = ("french", "billing")
TARGETS: tuple[Target | None, ...] = (
    None,
    HangUp(),
    KeepWaiting(),
    ToDialplan("voicemail", "s"),
    *(ToQueue(name) for name in QUEUES),
)


def any_agent(rng: Random, name: str) -> AgentSpec:
    """Someone with a desk phone, a mobile, both, two desk phones, or nothing."""
    pbxes = rng.choice((("east",), ("west",), ("east", "west")))
    devices = []
    for number, kind in enumerate(rng.choice(("d", "d", "d", "m", "dm", "dm", "dd", ""))):
        after = rng.choice((0.0, 0.0, 3.0, 10.0))
        if kind == "d":
            whose = rng.choice((name, name, name, "shared"))
            phone = desk(name, id=f"d{number}", endpoint=f"PJSIP/{whose}{number}", pbxes=pbxes)
            if len(pbxes) > 1 and rng.choice((True, True, False)):
                phone = on_both(rng, phone)
        else:
            phone = mobile(name, pbxes=pbxes)
        hours = any_hours(rng) if rng.choice((True, False, False, False, False)) else None
        within = rng.choice((3.0, 25.0))
        devices.append(replace(phone, ring_after=after, hours=hours, accept_within=within))
    return AgentSpec(
        id=name,
        name=name,
        devices=tuple(devices),
        sign_in=rng.choice((SignIn.MANUAL, SignIn.MANUAL, SignIn.ALWAYS)),
        # Not by chance: lowering it while both hands are full breaks no promise, but `check`.
        capacity=2 if name == "ann" else 1,
        wrap_up=rng.choice((None, None, 0.0, 4.0)),
        skills={skill: rng.choice((0, 1, 3)) for skill in SKILLS},
    )


def on_both(rng: Random, phone: DeviceSpec) -> DeviceSpec:
    """The phone with an address on each PBX: registered at one of them, at both, or elsewhere."""
    plain = phone.endpoint
    east, west, homes = rng.choice(
        (
            (plain, f"{plain}@east", ("east",)),
            (plain, f"{plain}@east", ("east",)),
            (f"{plain}@west", plain, ("west",)),
            (plain, plain, ("east", "west")),
            (f"{plain}@moon", f"{plain}@moon", ()),
        )
    )
    return replace(
        phone,
        endpoint=west if homes == ("west",) else east,
        addresses={"east": east, "west": west},
        homes=homes,
        watch_answer=len(homes) == 1 and rng.choice((True, True, False)),
    )


def any_hours(rng: Random) -> Hours:
    """Some minutes of the hour that histories begin in (Thursday 00:16), so that shifts change."""
    start = rng.choice((0, 16, 17, 20))
    spans = [Span(3, minute, minute + 2) for minute in range(start, 80, 5)]
    return Hours(tuple(spans), UTC)


def any_members(rng: Random, agents: list[str]) -> tuple[MemberSpec, ...]:
    """All or some of the agents at any level."""
    some = [who for who in agents if rng.choice((True, True, True, False))]
    return tuple(
        MemberSpec(agent=who, level=rng.choice((1, 1, 2, 50)), order=order)
        for order, who in enumerate(some)
    )


def any_widening(rng: Random, agents: list[str]) -> tuple[WidenStep, ...]:
    """None, one or two steps."""
    return tuple(
        WidenStep(
            after=after,
            at_once=rng.choice((None, 2, ALL_AT_ONCE)),
            members=any_members(rng, agents),
            skills=rng.choice((None, {}, {"french": 0}, {"french": 1})),
        )
        for after in rng.choice(((), (), (2.0,), (1.0, 4.0), (10.0,)))
    )


def any_queue(rng: Random, name: str, agents: list[str]) -> QueueSpec:
    """Any rules, with all or some of the agents."""
    policy = rng.choice(POLICIES)
    return QueueSpec(
        id=name,
        name=name,
        policy=policy,
        members=any_members(rng, agents),
        at_once=None if policy == ("ring-all",) else rng.choice((1, 1, 2, 3, None)),
        ring_for=rng.choice((2.0, 5.0, 20.0)),
        retry_after=rng.choice((0.0, 1.0, 5.0)),
        wrap_up=rng.choice((0.0, 0.0, 3.0, 10.0)),
        weight=rng.choice((1, 1, 5)),
        max_wait=rng.choice((None, None, 0.0, 3.0, 20.0, 60.0)),
        max_waiting=rng.choice((None, None, None, None, 0, 1, 3)),
        on_max_wait=rng.choice(TARGETS),
        on_full=rng.choice(TARGETS),
        on_nobody=rng.choice((KeepWaiting(),) * 8 + TARGETS),
        auto_pause=rng.choice((0, 1, 3)),
        ask_alone_for=rng.choice((0.0, 1.0, 6.0)),
        hours=any_hours(rng) if rng.choice((True, False, False, False)) else None,
        on_closed=rng.choice(TARGETS),
        shifts=tuple(
            ShiftSpec(hours=any_hours(rng), members=any_members(rng, agents))
            for _ in range(rng.choice((0, 0, 0, 1, 2)))
        ),
        widen=any_widening(rng, agents),
        skills=rng.choice(({}, {}, {}, {"french": 1}, {"french": 3, "billing": 1})),
        last_agent=rng.choice((None, None, 60.0)),
        prefer_for=rng.choice((0.0, 0.0, 3.0, 15.0)),
        announce=rng.choice((None, None, AnnounceSpec(position=True, estimate=True, every=7.0))),
    )


def any_table(rng: Random) -> Table:
    """One to four queues, one to six agents."""
    names = list(AGENTS[: rng.choice((1, 2, 3, 4, 6))])
    return Table(
        agents={name: any_agent(rng, name) for name in names},
        queues={
            name: any_queue(rng, name, names) for name in QUEUES[: rng.choice((1, 1, 2, 3, 4))]
        },
        rules=tuple(any_rule(rng, names) for _ in range(rng.choice((0, 0, 1, 3)))),
        pauses=any_pauses(rng),
    )


def any_pauses(rng: Random) -> dict[str, PauseSpec]:
    """Reasons with any length and end, or none, so that any text will do."""
    if rng.choice((True, False)):
        return {}
    specs = [
        PauseSpec(
            reason=reason,
            longest=rng.choice((None, 1.0, 5.0, 60.0)),
            then=rng.choice(list(PauseEnd)),
            default=reason == "tea" and rng.choice((True, False)),
        )
        for reason in REASONS
    ]
    return {spec.reason: spec for spec in specs}


def any_rule(rng: Random, agents: list[str]) -> Rule:
    """A rule that asks for something or nothing."""
    return Rule(
        name="any",
        callers=rng.choice(((), (NumberPattern("+44", prefix=True),))),
        queues=rng.choice((frozenset(), frozenset({"sales"}))),
        hours=any_hours(rng) if rng.choice((True, False)) else None,
        priority=rng.choice((None, 1, 100)),
        queue=rng.choice(("", "", "support", "nowhere")),
        agent=rng.choice(("", *agents)),
        skills=rng.choice(({}, {"billing": 3})),
    )
