"""The registration state machine: events in, decisions out.

    unverified ── the code that was shown is keyed in at the called phone ──► in use, or waiting
        ▲                                                                          │ a supervisor
        └── registered; each call has a code of its own, good once                 ▼ approves: in use

No unverified mobile is rung for callers. A code belongs to one call, one mobile and one number. It
expires with its call, after three wrong tries, after ten minutes, and when the mobile is removed. A
refused request is answered with the reason, counted and audited.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, assert_never

from callrouter.mobiles.book import (
    MobileBook,
    RequestDenied,
    check_ringing,
    check_still_allowed,
    is_valid_row,
)
from callrouter.mobiles.mobile_records import AuditRow, MobileRow, MobileState
from callrouter.mobiles.number_policy import RefusedNumber, read_number
from callrouter.mobiles.rate_limits import RefusalFloods, RequestCounter
from callrouter.mobiles.registration_events import (
    REF,
    ChangeRequested,
    DeadlineReached,
    Decision,
    DeleteMobile,
    MobileEvent,
    MobileRequest,
    MobilesChanged,
    MobilesRestored,
    RegisterRequested,
    RejectRequested,
    RemoveRequested,
    RequestDone,
    RequestRefused,
    RulesConfigured,
    StoreMobile,
    SwitchDevice,
    SwitchRequested,
    TellAgent,
    VerificationEvent,
    VerifyRequested,
)
from callrouter.mobiles.verification import Verifications
from callrouter.model.call_requests import no_agent
from callrouter.model.ivr import DigitsKeyed, NumberAnswered, NumberFailed, PersonLeft
from callrouter.model.text import mask, phrase

CHANGES: Final = 5
"""Limit per hour on changes to one's own devices, as a multiple of `attempts_per_hour`."""


class Registrar:
    """Handles requests about mobiles and the results of verification calls.

    Attributes:
        refused: the refusals since the start, by kind.
        book: the registered mobiles.
        verifications: the verification calls in progress.
    """

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.book = MobileBook()
        self.verifications = Verifications(self.book, self.refused)
        self._attempts = RequestCounter()
        self._own_changes = RequestCounter()
        self._floods: RefusalFloods[AuditRow] = RefusalFloods()

    def next_deadline(self) -> float | None:
        """When the next code expires, or an audit row about a flood is due; None if neither.

        The owner then hands in a `DeadlineReached`. In epoch seconds.
        """
        times = [item.expires_at for item in self.verifications.pending.values()]
        flood = self._floods.deadline()
        return min(times if flood is None else [*times, flood], default=None)

    def is_ours(self, event: VerificationEvent) -> bool:
        """Whether an event belongs to a verification call."""
        if isinstance(event, NumberAnswered | NumberFailed):
            return event.ref.startswith(REF)
        return (event.pbx, event.channel) in self.verifications.channels

    def handle(self, event: MobileEvent, now: float) -> list[Decision]:
        """The decisions that follow from an event. For a request, the last one is its `RegistrationAnswer`."""
        made: list[Decision] = list(self.verifications.expire(now))
        for row, count in self._floods.due(now):
            made.append(
                replace(
                    row,
                    at=now,
                    detail=phrase(
                        "more-refused",
                        "{count} more refused, the last one {detail}",
                        count=count,
                        detail=row.detail,
                    ),
                )
            )
        match event:
            case (
                RegisterRequested()
                | VerifyRequested()
                | ChangeRequested()
                | RemoveRequested()
                | RejectRequested()
                | SwitchRequested()
            ):
                made += self._handle_request(event, now)
            case NumberAnswered() | NumberFailed() | DigitsKeyed() | PersonLeft():
                made += self.verifications.handle(event, now)
            case RulesConfigured():
                self.book.configure(event.settings, dict(event.agents), event.dialling)
                made += self._move_renamed()
                made.append(MobilesChanged())
            case MobilesRestored():
                # Requests made before the store could be read are newer than what it holds.
                kept = {(row.agent, row.device): row for row in event.mobiles if is_valid_row(row)}
                self.book.mobiles = kept | self.book.mobiles
                self.verifications.call_log.restore(event.dialled)
                made += self._move_renamed()
                made.append(MobilesChanged())
            case DeadlineReached():
                pass
            case _:
                assert_never(event)
        return made

    def _move_renamed(self) -> Iterator[Decision]:
        """Move the mobiles of renamed agents to their new names.

        Yields:
            The changes for the store.
        """
        former = {
            spec.renamed_from: name
            for name, spec in self.book.agents.items()
            if spec.renamed_from and spec.renamed_from not in self.book.agents
        }
        for (agent, device), row in list(self.book.mobiles.items()):
            new = former.get(agent)
            if new is None or (new, device) in self.book.mobiles:
                continue
            del self.book.mobiles[agent, device]
            renamed = self.book.mobiles[new, device] = replace(row, agent=new)
            yield DeleteMobile(agent=agent, device=device)
            yield StoreMobile(row=renamed)

    # ------------------------------------------------------------ requests

    def _handle_request(self, event: MobileRequest, now: float) -> list[Decision]:
        excess = self._excess(event, now)
        try:
            self._check_allowed(event, excess)
            return list(self._carry_out(event, now))
        except RequestDenied as no:
            self.refused[no.kind] += 1
            made: list[Decision] = [RequestRefused(kind=no.kind, text=no.text)]
            number = (
                event.number if isinstance(event, RegisterRequested) else self._number_of(event)
            )
            row = _audit(event, now, "refused", number, no.with_kind)
            if self._floods.record((event.requester.name, no.kind), row, now):
                made.insert(0, row)
            return made

    def _carry_out(self, event: MobileRequest, now: float) -> Iterator[Decision]:
        match event:
            case RegisterRequested():
                return self._register(event, now)
            case VerifyRequested():
                return self._verify(event, now)
            case ChangeRequested():
                return self._change(event, now)
            case RemoveRequested():
                return self._remove(event, now)
            case RejectRequested():
                return self._reject(event, now)
            case SwitchRequested():
                return self._switch(event, now)

    def _excess(self, event: MobileRequest, now: float) -> int:
        """By how many requests an asker exceeds the limit.

        Supervisors are exempt; only the calls they cause are limited.
        """
        asker = event.requester
        if asker.supervisor:
            return 0
        counts = self._own_changes if _changes_own(event) else self._attempts
        return counts.add(asker.agent or asker.name, self._hourly_limit(event), now)

    def _hourly_limit(self, event: MobileRequest) -> int:
        """How many requests of this kind an agent may make per hour.

        Changes of one's own devices cost nothing, so there may be more of them.
        """
        most = self.book.settings.attempts_per_hour
        return most * CHANGES if _changes_own(event) else most

    def _check_allowed(self, event: MobileRequest, excess: int) -> None:
        if excess:
            raise RequestDenied(
                "limit",
                phrase(
                    "hourly-requests",
                    "no more than {most} requests in an hour",
                    most=self._hourly_limit(event),
                ),
            )
        if not event.requester.may(event.agent):
            raise RequestDenied(
                "not-yours",
                phrase(
                    "devices-not-yours-to-change",
                    "the devices of {agent} are not yours to change",
                    agent=event.agent[:64],
                ),
            )
        # A mobile of an agent who has left can still be removed.
        known = isinstance(event, RemoveRequested | RejectRequested) and self._number_of(event)
        if event.agent not in self.book.agents and not known:
            raise RequestDenied("unknown-agent", no_agent(event.agent[:64]))
        vouch = isinstance(event, RegisterRequested | VerifyRequested) and event.vouch
        if vouch and not event.requester.supervisor:
            raise RequestDenied(
                "not-allowed",
                phrase("supervisor-vouches", "only a supervisor can vouch for a number"),
            )
        if isinstance(event, RejectRequested) and not event.requester.supervisor:
            raise RequestDenied(
                "not-allowed", phrase("supervisor-rejects", "only a supervisor can reject a mobile")
            )

    def _number_of(
        self,
        event: VerifyRequested
        | ChangeRequested
        | RemoveRequested
        | RejectRequested
        | SwitchRequested,
    ) -> str:
        row = self.book.mobiles.get((event.agent, event.device))
        return row.number if row is not None else ""

    # ------------------------------------------------------------ register and verify

    def _register(self, event: RegisterRequested, now: float) -> Iterator[Decision]:
        verdict = read_number(event.number, self.book.settings)
        if isinstance(verdict, RefusedNumber):
            raise RequestDenied(verdict.kind, verdict.text)
        row = self._new_row(event, verdict.number, now)
        self.book.check_not_taken(row.agent, row.number)
        if event.vouch:
            yield from self._vouch(event, row, now)
            return
        self.verifications.check_may_start(row, event.call_secrets, now)
        self.book.mobiles[row.agent, row.device] = row
        yield _audit(replace(event, device=row.device), now, "registered", row.number)
        yield StoreMobile(row=row)
        yield from self.verifications.start(row, event.requester, event.call_secrets, now)

    def _new_row(self, event: RegisterRequested, number: str, now: float) -> MobileRow:
        """The row of a new mobile. An unverified one of the same number is used again.

        Raises:
            RequestDenied: the agent has the number or too many mobiles already, or a value is not
                valid.
        """
        book = self.book
        mine = book.of(event.agent)
        same = next((row for row in mine if row.number == number), None)
        if same is not None:
            if same.state == MobileState.UNVERIFIED.value and event.device in {"", same.device}:
                return same
            raise RequestDenied(
                "known",
                phrase("number-is-device", "{device} is this number already", device=same.device),
            )
        if any(device.number == number for device in book.agents[event.agent].devices):
            raise RequestDenied(
                "known", phrase("number-in-files", "the configuration has this number already")
            )
        most = book.settings.devices_per_agent
        if len(mine) >= most:
            raise RequestDenied(
                "limit",
                phrase(
                    "most-mobiles", "{most} registered mobiles at most; remove one first", most=most
                ),
            )
        check_ringing(event.ring_after, event.hours, 0)
        return MobileRow(
            agent=event.agent,
            device=book.name_for_new(event.agent, event.device),
            number=number,
            ring_after=event.ring_after,
            hours=event.hours,
            place=max((row.place + 1 for row in mine), default=0),
            added_at=now,
            added_by=event.requester.name,
            via=event.requester.via,
        )

    def _verify(self, event: VerifyRequested, now: float) -> Iterator[Decision]:
        row = self.book.row(event.agent, event.device)
        if row.state == MobileState.IN_USE.value:
            raise RequestDenied(
                "verified",
                phrase("device-in-use-already", "{device} is in use already", device=row.device),
            )
        check_still_allowed(row.number, self.book.settings)
        self.book.check_not_taken(row.agent, row.number)
        if event.vouch:
            yield from self._vouch(event, row, now)
            return
        if row.state == MobileState.WAITING.value:
            raise RequestDenied(
                "waiting",
                phrase(
                    "device-waits",
                    "{device} is verified, and waits for a supervisor",
                    device=row.device,
                ),
            )
        self.verifications.check_may_start(row, event.call_secrets, now)
        yield from self.verifications.start(row, event.requester, event.call_secrets, now)

    def _vouch(
        self, event: RegisterRequested | VerifyRequested, row: MobileRow, now: float
    ) -> Iterator[Decision]:
        what = "vouched" if row.verified_at is None else "approved"
        # A running verification call has nothing to prove any more.
        yield from self.verifications.cancel(row.agent, row.device)
        made = replace(row, state=MobileState.IN_USE.value, approved_by=event.requester.name)
        self.book.mobiles[row.agent, row.device] = made
        yield _audit(replace(event, device=row.device), now, what, row.number)
        yield StoreMobile(row=made)
        yield from self.verifications.drop_claims(made, now)
        yield MobilesChanged()
        yield RequestDone(
            agent=row.agent,
            device=row.device,
            text=phrase("device-in-use", "{device} is in use", device=row.device),
        )

    # ------------------------------------------------------------ change and remove

    def _change(self, event: ChangeRequested, now: float) -> Iterator[Decision]:
        row = self.book.row(event.agent, event.device)
        made = replace(
            row,
            ring_after=row.ring_after if event.ring_after is None else event.ring_after,
            hours=row.hours if event.hours is None else event.hours,
            place=row.place if event.place is None else event.place,
        )
        check_ringing(made.ring_after, made.hours, made.place)
        if made != row:
            self.book.mobiles[row.agent, row.device] = made
            self.verifications.update_row(row, made)
            detail = phrase(
                "mobile-changed-to",
                "ring_after {after} s, hours {hours}, order {place}",
                after=f"{made.ring_after:g}",
                hours=made.hours or phrase("value-always", "always"),
                place=made.place,
            )
            yield _audit(event, now, "changed", row.number, detail)
            yield StoreMobile(row=made)
            yield MobilesChanged()
        yield RequestDone(
            agent=row.agent,
            device=row.device,
            text=phrase("device-changed", "{device} is changed", device=row.device),
        )

    def _remove(self, event: RemoveRequested, now: float) -> Iterator[Decision]:
        row = self.book.row(event.agent, event.device)
        yield from self._forget(row)
        yield _audit(event, now, "removed", row.number)
        yield RequestDone(
            agent=row.agent,
            device=row.device,
            text=phrase("device-removed", "{device} is removed", device=row.device),
        )

    def _reject(self, event: RejectRequested, now: float) -> Iterator[Decision]:
        row = self.book.row(event.agent, event.device)
        if row.state == MobileState.IN_USE.value:
            raise RequestDenied(
                "verified",
                phrase(
                    "device-in-use-remove",
                    "{device} is in use already; remove it instead",
                    device=row.device,
                ),
            )
        yield from self._forget(row)
        yield _audit(event, now, "rejected", row.number, event.reason)
        device, why = row.device, event.reason
        text = phrase("told-rejected", "your mobile {device} was not accepted", device=device)
        if why:
            because = "your mobile {device} was not accepted: {why}"
            text = phrase("told-rejected-because", because, device=device, why=why)
        yield TellAgent(agent=row.agent, text=text, by=event.requester.name)
        yield RequestDone(
            agent=row.agent,
            device=row.device,
            text=phrase("device-rejected", "{device} is rejected", device=row.device),
        )

    def _forget(self, row: MobileRow) -> Iterator[Decision]:
        yield from self.verifications.cancel(row.agent, row.device)
        del self.book.mobiles[row.agent, row.device]
        yield DeleteMobile(agent=row.agent, device=row.device)
        yield MobilesChanged()

    def _switch(self, event: SwitchRequested, now: float) -> Iterator[Decision]:
        """Switch devices on or off. The core keeps this for every device, over restarts too."""
        book, agent = self.book, event.agent
        configured = book.agents[agent].devices
        if event.device:
            known = [spec.id for spec in configured if spec.id == event.device]
            if not known:
                row = book.row(agent, event.device)
                why = book.reason_not_rung(row)
                if why:
                    raise RequestDenied(
                        "not-in-use",
                        phrase(
                            "device-not-in-use",
                            "{device} is not in use: {why}",
                            device=row.device,
                            why=why,
                        ),
                    )
            devices = [event.device]
        else:
            devices = [spec.id for spec in configured if spec.number]
            devices += [row.device for row in book.of(agent) if not book.reason_not_rung(row)]
            if not devices:
                raise RequestDenied(
                    "unknown-device",
                    phrase("no-mobile-in-use", "{agent} has no mobile in use", agent=agent),
                )
        word = "on" if event.on else "off"
        for device in devices:
            number = next((spec.number for spec in configured if spec.id == device), "")
            of = replace(event, device=device)
            yield _audit(of, now, f"switched-{word}", number or self._number_of(of))
            yield SwitchDevice(agent=agent, device=device, on=event.on, by=event.requester.name)
        text = f"{' and '.join(devices)} {'is' if len(devices) == 1 else 'are'} {word}"
        if len(devices) == 1 and event.on:
            text = phrase("device-is-on", "{device} is on", device=devices[0])
        elif len(devices) == 1:
            text = phrase("device-is-off", "{device} is off", device=devices[0])
        yield RequestDone(agent=agent, device=event.device, text=text)


def _changes_own(event: MobileRequest) -> bool:
    """Whether it concerns a device the asker already has, so that no call is placed for it."""
    changes = isinstance(event, ChangeRequested | RemoveRequested | SwitchRequested)
    return changes and event.requester.may(event.agent)


def _audit(event: MobileRequest, now: float, what: str, number: str, detail: str = "") -> AuditRow:
    return AuditRow(
        at=now,
        agent=event.agent[:64],
        device=event.device[:64],
        who=event.requester.name,
        via=event.requester.via,
        what=what,
        number=mask(number, words=False),
        detail=detail,
    )
