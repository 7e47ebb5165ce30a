"""Several routers and one Twilio account: what webhooks of an older epoch lead to, who may request."""

from __future__ import annotations

import asyncio

import pytest

from callrouter.clock import since_boot
from callrouter.model.call_notices import CallCompleted
from callrouter.pbx.interface import ClusterPbx
from callrouter.pbx.twilio import epochs
from callrouter.pbx.twilio.twiml import TAKEN
from tests.twilio.peer import Phone
from tests.twilio.test_http import place
from tests.twilio.world import World, mobile, table

ANN = "+447700900001"


class Lease:
    def __init__(self, *, active: bool = True, valid: bool = True) -> None:
        self.epoch, self.active, self.valid = 7, active, valid
        self.newer: list[int] = []

    def sure(self) -> bool:
        return self.valid

    def newer_epoch(self, pbx: str, epoch: int) -> None:
        self.newer.append(epoch)


class Clustered(World):
    """Each boot is a router of the next epoch."""

    def _token(self) -> str:
        return f"{self.boots}.{super()._token()}"


def test_a_token_names_its_epoch() -> None:
    assert epochs.epoch_of(epochs.make_token(12)) == 12
    assert epochs.epoch_of(epochs.make_token(0)) == 0
    assert epochs.make_token(3) != epochs.make_token(3)
    for wrong in ("", "x.y", "0.a", "7", "7.", "7.a.b", "٣.a", "1" * 30 + ".a", "before-CA1"):
        assert epochs.epoch_of(wrong) == 0


def test_a_phone_that_the_router_before_rang_is_stopped_and_rung_by_the_present_one() -> None:
    world = Clustered(table(mobile("ann", ANN)))
    world.peer.default = Phone(answers_after=None)
    world.peer.call()
    world.run(3.0)
    [old] = [line for line in world.peer.lines.values() if not line.inbound]
    world.boot()  # it has not looked at Twilio's lists yet
    world.post(world.control.account.snapshot())
    answer = world.control.handlers.answer(
        "agent", old.token, {"CallSid": old.sid, "CallStatus": "in-progress"}, world.now
    )
    assert TAKEN in answer
    assert world.control.account.counts["webhooks for an earlier router"] == 1
    world.run(1.0)
    assert old.over


def test_an_adopted_conversation_ends_by_the_webhook_of_its_old_token() -> None:
    world = Clustered(table(mobile("ann", ANN)))
    world.peer.default = Phone(hangs_up_after=None)
    world.peer.call()
    world.run(10.0)
    [agent] = [line for line in world.peer.lines.values() if not line.inbound]
    world.restart()
    world.run(1.0)
    world.control.handlers.answer(
        "agent-done", agent.token, {"CallSid": agent.sid, "CallStatus": "completed"}, world.now
    )
    [ended] = world.happened(CallCompleted)
    assert ended.agent == "ann"


async def test_a_webhook_of_a_newer_epoch_ends_the_requests() -> None:
    lease = Lease()
    async with place(authority=lease) as here:
        status, _ = await here.post("agent", "9.abc", CallStatus="in-progress")
        assert status == 200
        assert lease.newer == [9]
        before = len(here.twilio.requests)
        await asyncio.sleep(0.3)
        posts = [form for method, _, form in here.twilio.requests[before:] if method == "POST"]
        assert posts == []
        assert here.pbx.health().counts["requests not made because another router is active"] >= 1


async def test_a_standby_asks_twilio_nothing_until_it_is_active() -> None:
    lease = Lease(active=False, valid=False)
    async with place(authority=lease) as here:
        await asyncio.sleep(0.2)
        assert here.twilio.requests == []
        assert here.pbx.health().detail == "standby"
        assert here.pbx.health().up
        lease.active = lease.valid = True
        assert isinstance(here.pbx, ClusterPbx)
        here.pbx.activate()
        async with asyncio.timeout(3):
            while not here.runtime.router.floor.up:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert here.twilio.requests


async def _waits(gate: epochs.RequestGate) -> float:
    began = asyncio.get_running_loop().time()
    assert await gate.permitted()
    return asyncio.get_running_loop().time() - began


async def test_unsure_of_the_lease_it_waits_until_a_renewal_has_failed_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(epochs, "LEASE_KNOWN_AFTER", 0.5)
    lease = Lease()
    gate = epochs.RequestGate(lease)
    assert await _waits(gate) < 0.05
    lease.valid = False
    assert 0.4 < await _waits(gate) < 1.5
    assert await _waits(gate) < 0.05, "from now on it is known that the database is away"
    lease.valid = True
    assert await _waits(gate) < 0.05
    lease.valid = False
    assert await _waits(gate) > 0.3, "a new uncertainty"


async def test_time_in_which_it_stood_still_is_no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "LEASE_KNOWN_AFTER", 0.5)
    clock: dict[str, float] = {"ahead": 0.0}
    monkeypatch.setattr(epochs, "since_boot", lambda: since_boot() + clock["ahead"])
    lease = Lease(valid=False)
    gate = epochs.RequestGate(lease)
    await _waits(gate)
    clock["ahead"] = 60.0  # SIGSTOP for a minute, or suspend
    assert await _waits(gate) > 0.3


async def test_a_router_that_was_replaced_makes_no_request() -> None:
    lease = Lease(valid=False)
    gate = epochs.RequestGate(lease)
    asyncio.get_running_loop().call_later(0.05, gate.stand_down)
    assert not await gate.permitted()
    assert gate.not_made == 1
