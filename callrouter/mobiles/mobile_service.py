"""Agents' own mobiles at run time: the registrar with its secrets, clock, timer, calls and store.

This is the only impure module of the package. What it needs of the rest of the daemon is passed in
as `MobileServiceParts`, so it imports none of it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from callrouter.mobiles.calling_pbxes import CallingPbxes
from callrouter.mobiles.mobile_records import (
    DAY,
    AuditRow,
    DialledRow,
    MobileRow,
    MobileState,
    MobileStore,
    NumberSettings,
)
from callrouter.mobiles.registrar import Registrar
from callrouter.mobiles.registration_events import (
    CODE_DIGITS,
    REF,
    CallSecrets,
    DeadlineReached,
    Decision,
    DeleteMobile,
    MobileEvent,
    MobileRequest,
    MobilesChanged,
    MobilesRestored,
    RegisterRequested,
    RegistrationAnswer,
    RequestDone,
    Requester,
    RequestRefused,
    RulesConfigured,
    StoreMobile,
    SwitchDevice,
    SwitchRequested,
    TellAgent,
    VerificationStarted,
    VerifyRequested,
)
from callrouter.mobiles.table_merge import MergedTable
from callrouter.model.events import (
    ConfigReloaded,
    DeviceSwitchRequested,
    Event,
    LegEnd,
    MessageWritten,
)
from callrouter.model.ivr import (
    CallNumber,
    CodeDialled,
    NumberFailed,
    PhoneEvent,
    Say,
)
from callrouter.model.projections import AgentView
from callrouter.model.routing_table import Table
from callrouter.model.text import mask

logger = logging.getLogger(__name__)

READ_WITHIN: Final = 5.0
"""Seconds the start waits for the store. After that, mobiles are added once they can be read."""


class AgentBoard(Protocol):
    """What the service asks the core. `callrouter.core.board.Board` is one."""

    def agent(self, name: str) -> AgentView | None:
        """The agent with this id; None if there is none."""

    def refusal(self, request: DeviceSwitchRequested) -> str:
        """Why a device cannot be switched, in words for people; empty if it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileServiceParts:
    """The parts of the daemon that the service needs.

    Attributes:
        board: answers questions about agents and their devices.
        post: posts to the core and reports to the store.
        pbxes: place the verification calls.
        store: keeps mobiles, the audit and the verification calls.
        now: the time, in epoch seconds.
        spawn: starts a background task with a name for the log.
        on_step: called with each row of the audit.
    """

    board: AgentBoard
    post: Callable[[Event], None]
    pbxes: CallingPbxes
    store: MobileStore
    now: Callable[[], float]
    spawn: Callable[[Coroutine[Any, Any, None], str], object]
    on_step: Callable[[AuditRow], None] = lambda _row: None


class MobileService:
    """Registers mobiles, calls them for verification and gives the core a table that includes them.

    Everything runs on the loop and nothing blocks it.

    Args:
        numbers: which numbers may be registered, and how many calls may be placed.
        table: the routing table as configured.
        dialling: the PBXes that can dial outside numbers, by name. They count for the life of the
            process, because a change of a PBX needs a restart.
        parts: the rest of the daemon.
    """

    def __init__(
        self,
        numbers: NumberSettings,
        table: Table,
        dialling: Sequence[str],
        parts: MobileServiceParts,
    ) -> None:
        self._parts = parts
        self._registrar = Registrar()
        self._table = MergedTable(self._registrar.book, table)
        self._dialling = tuple(dialling)
        self._timer: asyncio.TimerHandle | None = None
        self._loaded = asyncio.Event()
        self._configure(numbers, table)

    # ------------------------------------------------------------ configuration and store

    def begin_reload(self, numbers: NumberSettings, table: Table) -> tuple[Table, Table]:
        """Start applying new settings. Until `end_reload`, changes of mobiles are held back.

        Args:
            numbers: which numbers may be registered from now on.
            table: the new table as configured.

        Returns:
            The table in force and the one to apply, both with the registered mobiles.
        """
        self._table.hold()
        self._configure(numbers, table)
        return self._table.reconfigure(table)

    def end_reload(self) -> None:
        """The new settings are applied. Changes of mobiles since `begin_reload` follow now."""
        self._table.release()
        self._publish()

    def _configure(self, numbers: NumberSettings, table: Table) -> None:
        self._apply(RulesConfigured(settings=numbers, agents=table.agents, dialling=self._dialling))

    def _publish(self) -> None:
        """Give the core the current mobiles, if that changes its table."""
        table = self._table.changed()
        if table is not None:
            self._parts.post(ConfigReloaded(table=table))

    async def start(self, within: float = READ_WITHIN) -> None:
        """Restore the mobiles from the store, so that they ring for the first caller already.

        A store that cannot be read does not stop the start: the mobiles are added once it can be.

        Args:
            within: seconds to wait for them.
        """
        self._parts.spawn(self._load(), "mobiles")
        try:
            await asyncio.wait_for(self._loaded.wait(), within)
        except TimeoutError:
            logger.error("registered mobiles cannot be read; starting without them")  # noqa: TRY400

    async def _load(self) -> None:
        store, now = self._parts.store, self._parts.now()
        mobiles, dialled = await store.load_mobiles(now - DAY)
        self._apply(MobilesRestored(mobiles=mobiles, dialled=dialled))
        self._loaded.set()
        if mobiles:
            logger.info("%d registered mobiles found", len(mobiles))

    # ------------------------------------------------------------ asked

    def request(self, event: MobileRequest, *, call_after: float = 0.0) -> RegistrationAnswer:
        """Do what is requested, or say why not. Done when this returns.

        Args:
            event: the request. The secrets of a possible verification call are filled in here.
            call_after: seconds before that call is placed, so that the person can first be told
                the code.
        """
        if isinstance(event, RegisterRequested | VerifyRequested):
            event = replace(event, call_secrets=self._new_call_secrets())
        if isinstance(event, SwitchRequested) and event.device and event.requester.may(event.agent):
            switch = DeviceSwitchRequested(agent=event.agent, device=event.device, on=event.on)
            why = self._parts.board.refusal(switch)
            if why and self._registrar.book.is_configured(event.agent, event.device):
                return RequestRefused(kind="refused", text=why)
        made = self._apply(event, call_after=call_after)
        answer = made[-1]
        assert isinstance(answer, VerificationStarted | RequestDone | RequestRefused)  # noqa: S101 - the machine's promise
        return answer

    def register(
        self,
        agent: str,
        number: str,
        *,
        by: str,
        via: str,
        device: str = "",
        call_after: float = 0.0,
    ) -> RegistrationAnswer:
        """Register a number for an agent who asks for it, and call it to verify it.

        Args:
            agent: the agent, whose identity was checked.
            number: the number, as typed or keyed in.
            by: who asks, for the audit.
            via: how, for the audit, such as ``phone``.
            device: name of the mobile; empty gives it a default name.
            call_after: seconds before the verification call is placed.
        """
        requester = Requester(name=by, via=via, agent=agent)
        event = RegisterRequested(requester=requester, agent=agent, number=number, device=device)
        return self.request(event, call_after=call_after)

    def switch(self, agent: str, on: bool, *, by: str, via: str) -> RegistrationAnswer:
        """Switch all mobiles of an agent on or off, registered and configured ones."""
        requester = Requester(name=by, via=via, agent=agent)
        return self.request(SwitchRequested(requester=requester, agent=agent, on=on))

    def add_audit_row(
        self,
        agent: str,
        *,
        who: str,
        via: str,
        what: str,
        detail: str = "",
        device: str = "",
        number: str = "",
    ) -> None:
        """Add an audit row for a step outside the registrar, such as a wrong PIN.

        Args:
            agent: whose devices it is about.
            who: who did it; empty if unknown.
            via: how, such as ``phone``.
            what: a stable word for what was done.
            detail: more, for people.
            device: the device; empty if it is about none.
            number: the number, unmasked; it is stored masked.
        """
        row = AuditRow(
            at=self._parts.now(),
            agent=agent,
            device=device,
            who=who,
            via=via,
            what=what,
            number=mask(number, words=False),
            detail=detail,
        )
        self._add_step(row)

    # ------------------------------------------------------------ questions

    def mobiles_of(self, agent: str) -> list[tuple[MobileRow, str]]:
        """An agent's registered mobiles in order, each with why it is not rung (empty if it is)."""
        book = self._registrar.book
        return [(row, book.reason_not_rung(row)) for row in book.of(agent)]

    def owners(self) -> list[str]:
        """The agents who have registered mobiles, by id. Some may be agents no more."""
        return sorted({row.agent for row in self._registrar.book.mobiles.values()})

    def switched_on(self, agent: str) -> bool | None:
        """Whether any mobile of an agent is switched on; None if the agent has no mobile."""
        found = self._parts.board.agent(agent)
        numbers = [d.id for d in found.spec.devices if d.number] if found is not None else []
        if found is None or not numbers:
            return None
        return any(device not in found.devices_off for device in numbers)

    async def audit_rows(self, agent: str, most: int) -> Sequence[AuditRow]:
        """The last `most` audit rows of an agent's mobiles, newest first.

        Raises:
            Exception: the store is not readable now.
        """
        return await self._parts.store.read_audit(agent, most)

    def status(self) -> dict[str, Any]:
        """The figures for ``/api/status``: mobiles by state, calls in 24 hours, and refusals."""
        states = {state.value: 0 for state in MobileState}
        for row in self._registrar.book.mobiles.values():
            states[row.state] += 1
        verifications = self._registrar.verifications
        return {
            **states,
            "calls_today": verifications.call_log.placed(self._parts.now()),
            "refused": dict(sorted(self._registrar.refused.items())),
        }

    # ------------------------------------------------------------ phones

    def handle_phone_event(self, event: PhoneEvent) -> bool:
        """Handle what happened on a phone. Returns False if it belongs to no verification call."""
        if isinstance(event, CodeDialled) or not self._registrar.is_ours(event):
            return False
        self._apply(event)
        return True

    def _new_call_secrets(self) -> CallSecrets:
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
        return CallSecrets(
            ref=f"{REF}{secrets.token_hex(8)}",
            code=code,
            pbx=self._parts.pbxes.first_ready(self._dialling),
        )

    # ------------------------------------------------------------ what follows

    def _apply(self, event: MobileEvent, *, call_after: float = 0.0) -> list[Decision]:
        """Give an event to the registrar and carry out its decisions, in this order.

        Rows are stored before anything else happens, so that a crash loses no registration that a
        person was told of. Then the core gets the new table, and only then the switches: the
        switch of a device that is new in this table would be unknown to it before.
        """
        made = self._registrar.handle(event, self._parts.now())
        changed = False
        for decision in made:
            match decision:
                case MobilesChanged():
                    changed = True
                case CallNumber() if call_after > 0:
                    loop = asyncio.get_running_loop()
                    loop.call_later(call_after, self._place_delayed_call, decision)
                case _:
                    self._carry_out(decision)
        if changed:
            self._publish()
        for decision in made:
            if isinstance(decision, SwitchDevice):
                self._parts.post(
                    DeviceSwitchRequested(
                        agent=decision.agent,
                        device=decision.device,
                        on=decision.on,
                        by=decision.by,
                    )
                )
        self._set_timer()
        return made

    def _carry_out(self, decision: Decision) -> None:
        store = self._parts.store
        match decision:
            case StoreMobile(row=row):
                store.put_mobile(row)
            case DeleteMobile(agent=agent, device=device):
                store.forget_mobile(agent, device)
            case AuditRow():
                self._add_step(decision)
                _log(decision)
            case DialledRow():
                store.add_dialled(decision)
            case Say() | CallNumber():
                self._send_to_pbx(decision)
            case TellAgent(agent=agent, text=text, by=by):
                self._parts.post(MessageWritten(agent=agent, text=text, by=by))
            case _:
                pass  # an answer; `_apply` did the rest

    def _add_step(self, row: AuditRow) -> None:
        self._parts.store.add_audit(row)
        self._parts.on_step(row)

    def _send_to_pbx(self, command: Say | CallNumber) -> None:
        if not self._parts.pbxes.send(command):
            logger.error("%s has no connection; dropped an order", command.pbx)

    def _place_delayed_call(self, command: CallNumber) -> None:
        if self._registrar.verifications.by_ref(command.ref) is None:
            return  # removed in the meantime
        if self._parts.pbxes.in_step(command.pbx):
            self._send_to_pbx(command)
        else:
            self._apply(NumberFailed(pbx=command.pbx, ref=command.ref, why=LegEnd.FAILED))

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._registrar.next_deadline()
        if at is not None:
            delay = max(0.0, at - self._parts.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._apply(DeadlineReached())


def _log(row: AuditRow) -> None:
    level = logging.WARNING if row.what in {"refused", "failed"} else logging.INFO
    logger.log(
        level,
        "%s of %s: %s by %s (%s)%s",
        f"{row.device} {row.number}".strip() or "a mobile",
        row.agent,
        row.what,
        row.who,
        row.via,
        f": {row.detail}" if row.detail else "",
    )
