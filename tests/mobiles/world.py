"""Registering on a virtual clock: agents who ask, a phone that is called."""

from __future__ import annotations

from itertools import count
from typing import TypeVar

from callrouter.mobiles.mobile_records import AuditRow, NumberSettings
from callrouter.mobiles.registrar import Registrar
from callrouter.mobiles.registration_events import (
    CallSecrets,
    DeadlineReached,
    Decision,
    MobileEvent,
    MobileRequest,
    RegisterRequested,
    RegistrationAnswer,
    RemoveRequested,
    RequestDone,
    Requester,
    RequestRefused,
    RulesConfigured,
    SwitchRequested,
    VerificationStarted,
    VerifyRequested,
)
from callrouter.model.ivr import CallNumber, DigitsKeyed, NumberAnswered, PersonLeft, Say
from callrouter.model.routing_table import AgentSpec, DeviceSpec
from tests.mobiles.mobile_invariants import check

_T = TypeVar("_T")

T0 = 1_763_761_987.0
MOBILE = "+447400123456"
OTHER = "+447400654321"
ALICE = Requester(name="alice-app", via="api", agent="alice")
BOB = Requester(name="bob-app", via="api", agent="bob")
SAM = Requester(name="sam", via="api", supervisor=True)
CONFIGURED = "+447400999999"


def agent(name: str, number: str = "") -> AgentSpec:
    desk = DeviceSpec(id="desk", agent=name, pbxes=("office",), endpoint=f"PJSIP/{name}")
    mobile = DeviceSpec(id="cell", agent=name, pbxes=("office",), number=number, confirm=True)
    return AgentSpec(id=name, name=name, devices=(desk, mobile) if number else (desk,))


AGENTS = {"alice": agent("alice"), "bob": agent("bob"), "carol": agent("carol", CONFIGURED)}


class World:
    def __init__(self, settings: NumberSettings | None = None) -> None:
        self.now = T0
        self.registrar = Registrar()
        self.made: list[Decision] = []
        self.settings = settings or NumberSettings(region="GB", countries=("GB", "FR"))
        self._numbers = count(1)
        self.configure()

    def configure(self, *agents: str, dialling: tuple[str, ...] = ("office",)) -> None:
        names = agents or tuple(AGENTS)
        people = {name: AGENTS[name] for name in names}
        self.put(RulesConfigured(settings=self.settings, agents=people, dialling=dialling))

    def put(self, event: MobileEvent) -> list[Decision]:
        made = self.registrar.handle(event, self.now)
        check(self.registrar)
        self.made += made
        return made

    def ask(self, event: MobileRequest) -> RegistrationAnswer:
        made = self.put(event)
        answers = [
            item
            for item in made
            if isinstance(item, VerificationStarted | RequestDone | RequestRefused)
        ]
        assert len(answers) == 1
        assert answers[0] is made[-1]
        return answers[0]

    def call_secrets(self, pbx: str = "office") -> CallSecrets:
        n = next(self._numbers)
        return CallSecrets(ref=f"verify-{n}", code=f"{n:06}", pbx=pbx)

    def register(
        self, requester: Requester = ALICE, number: str = MOBILE, *, device: str = "", vouch: bool = False,
        agent: str = "", pbx: str = "office",
    ) -> RegistrationAnswer:  # fmt: skip
        owner = agent or requester.agent or "alice"
        return self.ask(
            RegisterRequested(
                requester=requester, agent=owner, number=number, device=device, vouch=vouch,
                call_secrets=self.call_secrets(pbx),
            )
        )  # fmt: skip

    def verify(
        self,
        requester: Requester = ALICE,
        device: str = "mobile",
        *,
        agent: str = "",
        vouch: bool = False,
    ) -> RegistrationAnswer:
        owner = agent or requester.agent or "alice"
        return self.ask(
            VerifyRequested(
                requester=requester,
                agent=owner,
                device=device,
                vouch=vouch,
                call_secrets=self.call_secrets(),
            )
        )

    def remove(
        self, requester: Requester = ALICE, device: str = "mobile", agent: str = "alice"
    ) -> RegistrationAnswer:
        return self.ask(RemoveRequested(requester=requester, agent=agent, device=device))

    def switch(
        self, requester: Requester, *, on: bool, device: str = "", agent: str = "alice"
    ) -> RegistrationAnswer:
        return self.ask(SwitchRequested(requester=requester, agent=agent, on=on, device=device))

    # ------------------------------------------------------------ the called phone

    def last(self, kind: type[_T]) -> _T:
        return [item for item in self.made if isinstance(item, kind)][-1]

    def answer(self, channel: str = "ch1") -> list[Decision]:
        ref = self.last(CallNumber).ref
        return self.put(NumberAnswered(pbx="office", ref=ref, channel=channel))

    def key(self, digits: str, channel: str = "ch1") -> list[Decision]:
        return self.put(DigitsKeyed(pbx="office", channel=channel, digits=digits))

    def leave(self, channel: str = "ch1") -> None:
        self.put(PersonLeft(pbx="office", channel=channel))

    def prove(self) -> None:
        """The call is answered, and the code keyed in."""
        code = self.last(VerificationStarted).code
        self.answer()
        self.key(code)
        self.leave()

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.put(DeadlineReached())

    # ------------------------------------------------------------ what came of it

    def state(self, agent: str = "alice", device: str = "mobile") -> str:
        row = self.registrar.book.mobiles.get((agent, device))
        return row.state if row is not None else "none"

    def audit(self) -> list[str]:
        return [item.what for item in self.made if isinstance(item, AuditRow)]

    def calls(self) -> int:
        return sum(isinstance(item, CallNumber) for item in self.made)

    def hung_up(self) -> bool:
        said = self.last(Say)
        return said.read == 0


def kind(answer: RegistrationAnswer) -> str:
    return answer.kind if isinstance(answer, RequestRefused) else type(answer).__name__
