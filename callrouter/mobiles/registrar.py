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

from callrouter.mobiles.book import Book, No, check_ringing, fits, sound
from callrouter.mobiles.mobile_records import AuditRow, MobileRow, MobileState
from callrouter.mobiles.number_policy import NotTaken, read_number
from callrouter.mobiles.rate_limits import Attempts, Floods
from callrouter.mobiles.registration_events import (
    REF,
    Asked,
    ChangeAsked,
    Changed,
    Configured,
    Decision,
    Done,
    Forget,
    Heard,
    Keep,
    MobileEvent,
    Refused,
    RegisterAsked,
    RemoveAsked,
    Restored,
    SwitchAsked,
    Switched,
    Ticked,
    VerifyAsked,
    masked,
)
from callrouter.mobiles.verification import Proving
from callrouter.model.ivr import DigitsKeyed, NumberAnswered, NumberFailed, PersonLeft

CHANGES: Final = 5
"""Limit per hour on changes to one's own devices, as a multiple of `attempts_per_hour`."""


class Registrar:
    """Handles requests about mobiles and the results of verification calls.

    `refused` counts the refusals since the start, by kind.
    """

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.book = Book()
        self.proving = Proving(self.book, self.refused)
        self._attempts = Attempts()
        self._changes = Attempts()
        self._floods: Floods[AuditRow] = Floods()

    def next_deadline(self) -> float | None:
        """When the next code expires, or an audit row about a flood is due; None if neither."""
        times = [item.expires_at for item in self.proving.pending.values()]
        flood = self._floods.deadline()
        return min(times if flood is None else [*times, flood], default=None)

    def is_ours(self, event: Heard) -> bool:
        """Whether an event belongs to a verification call."""
        if isinstance(event, NumberAnswered | NumberFailed):
            return event.ref.startswith(REF)
        return (event.pbx, event.channel) in self.proving.channels

    def handle(self, event: MobileEvent, now: float) -> list[Decision]:
        """The decisions that follow from an event. For a request, the last one is its `Answer`."""
        made: list[Decision] = list(self.proving.expire(now))
        for row, count in self._floods.due(now):
            made.append(
                replace(row, at=now, detail=f"{count} more refused, the last one {row.detail}")
            )
        match event:
            case RegisterAsked() | VerifyAsked() | ChangeAsked() | RemoveAsked() | SwitchAsked():
                made += self._asked(event, now)
            case NumberAnswered() | NumberFailed() | DigitsKeyed() | PersonLeft():
                made += self.proving.heard(event, now)
            case Configured():
                self.book.configure(event.settings, dict(event.agents), event.dialling)
                made += self._renamed()
                made.append(Changed())
            case Restored():
                # Requests made before the store could be read are newer than what it holds.
                kept = {(row.agent, row.device): row for row in event.mobiles if sound(row)}
                self.book.mobiles = kept | self.book.mobiles
                self.proving.ledger.restore(event.dialled)
                made += self._renamed()
                made.append(Changed())
            case Ticked():
                pass
            case _:
                assert_never(event)
        return made

    def _renamed(self) -> Iterator[Decision]:
        """Move the mobiles of renamed agents to their new names."""
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
            moved = self.book.mobiles[new, device] = replace(row, agent=new)
            yield Forget(agent=agent, device=device)
            yield Keep(row=moved)

    # ------------------------------------------------------------ requests

    def _asked(self, event: Asked, now: float) -> list[Decision]:
        over = self._over(event, now)
        try:
            self._allowed(event, over)
            return list(self._done(event, now))
        except No as no:
            self.refused[no.kind] += 1
            made: list[Decision] = [Refused(kind=no.kind, text=no.text)]
            number = event.number if isinstance(event, RegisterAsked) else self._number(event)
            row = _audit(event, now, "refused", number, f"{no.kind}: {no.text}")
            if self._floods.note((event.asker.name, no.kind), row, now):
                made.insert(0, row)
            return made

    def _done(self, event: Asked, now: float) -> Iterator[Decision]:
        match event:
            case RegisterAsked():
                return self._register(event, now)
            case VerifyAsked():
                return self._verify(event, now)
            case ChangeAsked():
                return self._change(event, now)
            case RemoveAsked():
                return self._remove(event, now)
            case SwitchAsked():
                return self._switch(event, now)

    def _over(self, event: Asked, now: float) -> int:
        """By how many requests an asker exceeds the limit.

        Supervisors are exempt; only the calls they cause are limited.
        """
        asker = event.asker
        if asker.supervisor:
            return 0
        counts = self._changes if _changes_own(event) else self._attempts
        return counts.add(asker.agent or asker.name, self._most(event), now)

    def _most(self, event: Asked) -> int:
        """How many requests of this kind an agent may make per hour."""
        most = self.book.settings.attempts_per_hour
        return most * CHANGES if _changes_own(event) else most

    def _allowed(self, event: Asked, over: int) -> None:
        if over:
            raise No("limit", f"no more than {self._most(event)} requests in an hour")
        if not event.asker.may(event.agent):
            raise No("not-yours", f"the devices of {event.agent[:64]} are not yours to change")
        # A mobile of an agent who has left can still be removed.
        known = isinstance(event, RemoveAsked) and self._number(event)
        if event.agent not in self.book.agents and not known:
            raise No("unknown-agent", f"there is no agent '{event.agent[:64]}'")
        vouch = isinstance(event, RegisterAsked | VerifyAsked) and event.vouch
        if vouch and not event.asker.supervisor:
            raise No("not-allowed", "only a supervisor can vouch for a number")

    def _number(self, event: VerifyAsked | ChangeAsked | RemoveAsked | SwitchAsked) -> str:
        row = self.book.mobiles.get((event.agent, event.device))
        return row.number if row is not None else ""

    # ------------------------------------------------------------ register and verify

    def _register(self, event: RegisterAsked, now: float) -> Iterator[Decision]:
        verdict = read_number(event.number, self.book.settings)
        if isinstance(verdict, NotTaken):
            raise No(verdict.kind, verdict.text)
        row = self._new_row(event, verdict.number, now)
        self.book.not_of_others(row.agent, row.number)
        if event.vouch:
            yield from self._vouched(event, row, now)
            return
        self.proving.may_start(row, event.trial, now)
        self.book.mobiles[row.agent, row.device] = row
        yield _audit(replace(event, device=row.device), now, "registered", row.number)
        yield Keep(row=row)
        yield from self.proving.start(row, event.asker, event.trial, now)

    def _new_row(self, event: RegisterAsked, number: str, now: float) -> MobileRow:
        """The row of a new mobile, if nothing forbids it. An unverified one is reused."""
        book = self.book
        mine = book.of(event.agent)
        same = next((row for row in mine if row.number == number), None)
        if same is not None:
            if same.state == MobileState.UNVERIFIED.value and event.device in {"", same.device}:
                return same
            raise No("known", f"{same.device} is this number already")
        if any(device.number == number for device in book.agents[event.agent].devices):
            raise No("known", "the configuration has this number already")
        most = book.settings.devices_per_agent
        if len(mine) >= most:
            raise No("limit", f"{most} registered mobiles at most; remove one first")
        check_ringing(event.ring_after, event.hours, 0)
        return MobileRow(
            agent=event.agent,
            device=book.name(event.agent, event.device),
            number=number,
            ring_after=event.ring_after,
            hours=event.hours,
            place=max((row.place + 1 for row in mine), default=0),
            added_at=now,
            added_by=event.asker.name,
            via=event.asker.via,
        )

    def _verify(self, event: VerifyAsked, now: float) -> Iterator[Decision]:
        row = self.book.row(event.agent, event.device)
        if row.state == MobileState.IN_USE.value:
            raise No("verified", f"{row.device} is in use already")
        fits(row.number, self.book.settings)
        self.book.not_of_others(row.agent, row.number)
        if event.vouch:
            yield from self._vouched(event, row, now)
            return
        if row.state == MobileState.WAITING.value:
            raise No("waiting", f"{row.device} is verified, and waits for a supervisor")
        self.proving.may_start(row, event.trial, now)
        yield from self.proving.start(row, event.asker, event.trial, now)

    def _vouched(
        self, event: RegisterAsked | VerifyAsked, row: MobileRow, now: float
    ) -> Iterator[Decision]:
        what = "vouched" if row.verified_at is None else "approved"
        # A running verification call has nothing to prove any more.
        yield from self.proving.void(row.agent, row.device)
        made = replace(row, state=MobileState.IN_USE.value, approved_by=event.asker.name)
        self.book.mobiles[row.agent, row.device] = made
        yield _audit(replace(event, device=row.device), now, what, row.number)
        yield Keep(row=made)
        yield from self.proving.drop_claims(made, now)
        yield Changed()
        yield Done(agent=row.agent, device=row.device, text=f"{row.device} is in use")

    # ------------------------------------------------------------ change and remove

    def _change(self, event: ChangeAsked, now: float) -> Iterator[Decision]:
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
            self.proving.changed(row, made)
            hours = made.hours or "always"
            detail = f"ring_after {made.ring_after:g} s, hours {hours}, order {made.place}"
            yield _audit(event, now, "changed", row.number, detail)
            yield Keep(row=made)
            yield Changed()
        yield Done(agent=row.agent, device=row.device, text=f"{row.device} is changed")

    def _remove(self, event: RemoveAsked, now: float) -> Iterator[Decision]:
        row = self.book.row(event.agent, event.device)
        yield from self.proving.void(row.agent, row.device)
        del self.book.mobiles[row.agent, row.device]
        yield _audit(event, now, "removed", row.number)
        yield Forget(agent=row.agent, device=row.device)
        yield Changed()
        yield Done(agent=row.agent, device=row.device, text=f"{row.device} is removed")

    def _switch(self, event: SwitchAsked, now: float) -> Iterator[Decision]:
        """Switch devices on or off. The core keeps this for every device, over restarts too."""
        book, agent = self.book, event.agent
        configured = book.agents[agent].devices
        if event.device:
            known = [spec.id for spec in configured if spec.id == event.device]
            if not known:
                row = book.row(agent, event.device)
                why = book.trouble(row)
                if why:
                    raise No("not-in-use", f"{row.device} is not in use: {why}")
            devices = [event.device]
        else:
            devices = [spec.id for spec in configured if spec.number]
            devices += [row.device for row in book.of(agent) if not book.trouble(row)]
            if not devices:
                raise No("unknown-device", f"{agent} has no mobile in use")
        word = "on" if event.on else "off"
        for device in devices:
            number = next((spec.number for spec in configured if spec.id == device), "")
            of = replace(event, device=device)
            yield _audit(of, now, f"switched-{word}", number or self._number(of))
            yield Switched(agent=agent, device=device, on=event.on, by=event.asker.name)
        text = f"{' and '.join(devices)} {'is' if len(devices) == 1 else 'are'} {word}"
        yield Done(agent=agent, device=event.device, text=text)


def _changes_own(event: Asked) -> bool:
    """Whether it concerns a device the asker already has, so that no call is placed for it."""
    changes = isinstance(event, ChangeAsked | RemoveAsked | SwitchAsked)
    return changes and event.asker.may(event.agent)


def _audit(event: Asked, now: float, what: str, number: str, detail: str = "") -> AuditRow:
    return AuditRow(
        at=now,
        agent=event.agent[:64],
        device=event.device[:64],
        who=event.asker.name,
        via=event.asker.via,
        what=what,
        number=masked(number),
        detail=detail,
    )
