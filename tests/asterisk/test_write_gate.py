"""The gate before writes of a router that is not sure of its lease, without an Asterisk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import pytest

from callrouter.pbx.asterisk import epoch_keeper
from callrouter.pbx.asterisk.ami import Action, AmiClient, AmiNotPermitted, AmiReply
from callrouter.pbx.asterisk.epoch_keeper import EpochKeeper
from callrouter.pbx.asterisk.execution import action_writer, write_gate
from callrouter.tasks import Tasks

EPOCH = 7


class Lease:
    """An authority whose lease is valid or not."""

    active = True
    epoch = EPOCH

    def __init__(self) -> None:
        self.valid = False

    def sure(self) -> bool:
        return self.valid

    def newer_epoch(self, pbx: str, epoch: int) -> None: ...


class Client:
    """Takes actions, and asks for the permission as the real one does: immediately before the write."""

    up = True

    def __init__(self) -> None:
        self.written: list[Action] = []
        self.answers: list[asyncio.Future[AmiReply]] = []
        self.before_write: Callable[[], None] = lambda: None

    def send(
        self, actions: Sequence[Action], *, permit: Callable[[], bool] | None = None
    ) -> list[asyncio.Future[AmiReply]]:
        if permit is not None:
            self.before_write()
            if not permit():
                raise AmiNotPermitted("no")
            self.written += actions
        made = [asyncio.get_running_loop().create_future() for _ in actions]
        self.answers += made
        return made


class Keeper:
    """A keeper whose Asterisk obeys it, at a time that tests set."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        for module in (action_writer, write_gate, epoch_keeper):
            patch.setattr(module, "since_boot", lambda: self.now)
        self.lease, self.client, self.resyncs = Lease(), Client(), list[str]()
        self.keeper = EpochKeeper("north", cast("AmiClient", self.client), self.lease, Tasks())
        self.keeper.use(dict, lambda: None, self.resyncs.append)
        self.gate = self.keeper.gate
        self.gate.open = True

    async def confirm(self) -> None:
        """Asterisk names our epoch."""
        self.client.answers[-1].set_result(reply(str(EPOCH)))
        await asyncio.sleep(0)


def reply(epoch: str) -> AmiReply:
    return AmiReply(f"Response: Success\r\nValue: {epoch}\r\n".encode())


async def test_a_write_that_is_held_again_grows_no_younger(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Keeper(monkeypatch)

    def stall() -> None:
        made.now += 0.2  # the permission ends just before the write

    made.client.before_write = stall
    made.keeper.writer.send({"Action": "Redirect"})
    await made.confirm()
    assert made.client.written == []
    made.now = 100.0 + write_gate.HELD_FOR + 0.01
    asked_at = made.gate._asked_at
    assert asked_at is not None
    made.gate._ask_again(asked_at)
    assert (made.gate.not_written, len(made.resyncs)) == (1, 1)


async def test_what_is_held_is_written_once_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Keeper(monkeypatch)
    made.keeper.writer.send({"Action": "Redirect"})
    made.keeper.writer.send({"Action": "Hangup"})
    await made.confirm()
    assert [one["Action"] for one in made.client.written] == ["Redirect", "Hangup"]
    assert made.gate.not_written == 0


async def test_a_lost_epoch_is_not_written_past_what_is_held(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = Keeper(monkeypatch)
    made.keeper.writer.send({"Action": "Redirect"})
    made.lease.valid = True
    [step] = made.keeper.read_back()
    assert step.on_reply is not None
    step.on_reply(reply(""))
    assert made.client.written == []
    assert "it has it again" not in caplog.text
    await made.confirm()
    step.on_reply(reply(""))
    assert [one["Action"] for one in made.client.written] == ["Redirect", "Setvar"]
    assert "it has it again" in caplog.text
