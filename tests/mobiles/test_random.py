"""Thousands of random histories: what must hold of mobiles holds after every event (`World.put`)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.mobiles.registration_events import VerificationStarted
from callrouter.model.events import LegEnd
from callrouter.model.ivr import CallNumber, NumberAnswered, NumberFailed
from tests.mobiles.world import ALICE, BOB, CONFIGURED, MOBILE, OTHER, SAM, T0, World

WHO = st.sampled_from([ALICE, BOB, SAM])
AGENT = st.sampled_from(["alice", "bob", "carol", "zoe"])
NUMBER = st.sampled_from([MOBILE, OTHER, CONFIGURED, "09098790000", "x"])
DEVICE = st.sampled_from(["", "mobile", "mobile-2", "cell"])
STEP = st.one_of(
    st.tuples(st.just("register"), WHO, AGENT, NUMBER, DEVICE, st.booleans()),
    st.tuples(st.just("verify"), WHO, AGENT, DEVICE, st.booleans()),
    st.tuples(st.just("remove"), WHO, AGENT, DEVICE),
    st.tuples(st.just("answer"), st.integers(1, 12)),
    st.tuples(st.just("fail"), st.integers(1, 12)),
    st.tuples(st.just("key"), st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.just("leave"), st.integers(1, 12)),
    st.tuples(st.just("later"), st.sampled_from([1.0, 599.0, 3600.0])),
    st.tuples(st.just("configure"), st.sampled_from([("alice",), ("alice", "bob", "carol")])),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_whatever_happens(steps: list[tuple[object, ...]]) -> None:
    world = World(NumberSettings(region="GB", attempts_per_hour=30, calls_per_day=8))
    for step in steps:
        _do(world, step)
    proved = {row.number for row in world.registrar.book.mobiles.values() if row.verified_at}
    called = {item.number for item in world.made if isinstance(item, CallNumber)}
    assert proved <= called
    days = 1 + int((world.now - T0) // 86400)
    assert world.calls() <= 8 * days


def _do(world: World, step: tuple[object, ...]) -> None:
    match step:
        case "register", who, agent, number, device, vouch:
            world.register(who, number, agent=agent, device=device, vouch=vouch)  # type: ignore[arg-type]
        case "verify", who, agent, device, vouch:
            world.verify(who, device, agent=agent, vouch=vouch)  # type: ignore[arg-type]
        case "remove", who, agent, device:
            world.remove(who, device, agent)  # type: ignore[arg-type]
        case "answer", int(n):
            world.put(NumberAnswered(pbx="office", ref=f"verify-{n}", channel=f"ch{n}"))
        case "fail", int(n):
            world.put(NumberFailed(pbx="office", ref=f"verify-{n}", why=LegEnd.BUSY))
        case "key", int(n), int(channel):
            world.key(f"{n:06}", f"ch{channel}")
        case "leave", int(n):
            world.leave(f"ch{n}")
        case "later", float(seconds):
            world.later(seconds)
        case "configure", tuple(names):
            world.configure(*names)
        case _:
            raise AssertionError(step)


def test_the_codes_of_calls_are_never_those_of_others() -> None:
    world = World()
    codes = set()
    for _ in range(3):
        started = world.register()
        assert isinstance(started, VerificationStarted)
        codes.add(started.code)
        world.answer()
        world.leave()
    assert len(codes) == 3
