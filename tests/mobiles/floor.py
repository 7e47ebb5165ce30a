"""The service on a real core: a PBX that only takes note, a store in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from callrouter.mobiles.calling_pbxes import CallingPbxes
from callrouter.mobiles.mobile_service import MobileService, MobileServiceParts
from callrouter.model.ivr import (
    CallNumber,
    DigitsKeyed,
    NumberAnswered,
    PersonLeft,
    PhoneEvent,
    Say,
)
from callrouter.settings import ApiToken, Settings
from callrouter.settings.builders.pbx_builder import dialling_pbxes
from callrouter.tasks import Tasks
from tests.api.world import TOKENS, NotingPbx, World
from tests.mobiles.memory import MemoryStore
from tests.settings.cases import loaded

PBX = """
pbx:
  office: {driver: asterisk, username: x, secret: y, dial_number: "PJSIP/{number}@carrier"}
numbers: {region: GB, countries: [GB, FR]}
"""
AGENTS = """
agents:
  alice: {devices: {desk: PJSIP/1001}}
  bob: {devices: {desk: PJSIP/1002, cell: {number: "+447400999999"}}}
"""
ALICE = {"Authorization": "Bearer alice-token-12345"}
BOB = {"Authorization": "Bearer bob-token-1234567"}
SALES = {"Authorization": "Bearer sales-token-12345"}
PEOPLE = (
    *TOKENS,
    ApiToken(name="pat", role="supervisor", token="sales-token-12345", queues=("sales",)),
    ApiToken(name="alice-app", role="agent", token="alice-token-12345", agent="alice"),
    ApiToken(name="bob-app", role="agent", token="bob-token-1234567", agent="bob"),
)


class TalkingPbx(NotingPbx):
    """Notes what it is told to say and whom to call."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[Say] = []
        self.called: list[CallNumber] = []
        self.heard: Callable[[PhoneEvent], object] = lambda _: None

    def report_phone_events(self, report: Callable[[PhoneEvent], None]) -> None:
        self.heard = report

    def say(self, command: Say) -> None:
        self.said.append(command)

    def call_number(self, command: CallNumber) -> None:
        self.called.append(command)

    def answer(self, channel: str = "ch1") -> None:
        self.heard(NumberAnswered(pbx="office", ref=self.called[-1].ref, channel=channel))

    def key(self, digits: str, channel: str = "ch1") -> None:
        self.heard(DigitsKeyed(pbx="office", channel=channel, digits=digits))
        self.heard(PersonLeft(pbx="office", channel=channel))


class Floor:
    """A call centre whose agents register mobiles."""

    def __init__(self, settings: Settings, store: MemoryStore | None = None) -> None:
        self.settings = settings
        self.world = World(tokens=PEOPLE, table=settings.table)
        self.pbx = TalkingPbx()
        self.world.pbx = self.pbx
        self.world.runtime.attach(self.pbx)
        self.store = store or MemoryStore()
        self.tasks = Tasks()
        parts = MobileServiceParts(
            board=self.world.runtime.router.board,
            post=self.world.runtime.post,
            pbxes=CallingPbxes(self.world.runtime.pbxes, lambda name: name in self.world.floor.up),
            store=self.store,
            now=self.world.clock.now,
            spawn=self.tasks.spawn,
        )
        self.mobiles = MobileService(
            settings.numbers, settings.table, dialling_pbxes(settings.pbxes), parts
        )
        self.pbx.report_phone_events(self._heard)
        self.world.backend.mobiles = self.mobiles
        self.world.in_step()

    def _heard(self, event: PhoneEvent) -> None:
        assert self.mobiles.handle_phone_event(event)

    def devices(self, agent: str) -> list[str]:
        return [device.id for device in self.world.floor.agents[agent].spec.devices]

    async def close(self) -> None:
        await self.tasks.close()
        self.world.close()


def settings_for(folder: Path, *, queues: str = "", **changes: object) -> Settings:
    made = loaded(folder, pbx=PBX, agents=AGENTS, **({"queues": queues} if queues else {}))
    return replace(made, numbers=replace(made.numbers, **changes))  # type: ignore[arg-type]
