"""What became of every call: told by the phones and by Asterisk, never by the router's own records."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from callrouter.lab import Dialog, Phone
from tests.chaos.centre import LATE, MAX_WAIT, NIGHT, Centre
from tests.chaos.people import Caller

CONNECTED = "connected to an agent"
FALLBACK = "delivered by the fallback, to an agent"
LAST_STEP = "delivered by the fallback, to its last step"
SENT = "delivered where the rules say"
ABANDONED = "abandoned by the caller"
DIED = "ended by Asterisk's own end"
OUTSIDE = "never came in: Asterisk was away"
LOST = "LOST"
WAITING = "STILL WAITING"
ENDS = (CONNECTED, SENT, FALLBACK, LAST_STEP, ABANDONED, DIED)

EARLY = 1.0
"""Seconds by which the rule may strike before its time as the caller's phone counts."""
SEEN_WITHIN = 0.5
"""Seconds in which the router knows of a phone that others ring."""
LATE_WITHIN, LATE_LASTS = 1.0, 8.0
"""Seconds in which a late order shows at the phone, and for which it may ring: no longer than any offer."""
LONGEST = MAX_WAIT + 60.0
"""Seconds after which nobody may wait any more, with every fault's own time added."""

_ORIGINATE = re.compile(rb"Action: Originate\r\n(?:[^\r\n]+\r\n)*?ChannelId: (\S+)")


def by_router(dialog: Dialog) -> bool:
    """Whether the router rang this phone. It gives every caller a name, the fallback gives none."""
    return dialog.peer_name != ""


@dataclass
class Account:
    """The figures of a run; `faults` says in words what must not be."""

    ends: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)
    double_rung: list[str] = field(default_factory=list)
    cut_talks: list[str] = field(default_factory=list)
    placed_twice: list[str] = field(default_factory=list)
    untimely: list[str] = field(default_factory=list)
    """Calls that the rules sent on before their time, or that waited beyond it."""
    faults: Counter[str] = field(default_factory=Counter)
    """What was broken, and how often."""
    late_orders: int = 0
    """Phones that rang for a moment besides, since Asterisk read an order seconds late."""
    into_nothing: int = 0
    stuck: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    shells: int = 0
    """What Asterisk itself leaves in its list; see `callrouter.pbx.asterisk.contract.dead`."""

    def bad(self) -> list[str]:
        """What must not be, in words; empty when all is well."""
        return [
            *self.details,
            *(f"double-rung: {text}" for text in self.double_rung),
            *(f"talk cut: {text}" for text in self.cut_talks),
            *(f"placed twice: {text}" for text in self.placed_twice),
            *(f"untimely: {text}" for text in self.untimely),
            *(f"stuck: {text}" for text in self.stuck),
            *(f"channel left: {text}" for text in self.channels),
        ]

    def table(self) -> str:
        """For a person: what became of everyone, what must be nought, and what was broken."""
        outside = self.ends[OUTSIDE]
        calls = [
            ("calls that entered", self.ends.total() - outside),
            *((f"  {name}", self.ends[name]) for name in ENDS),
            (OUTSIDE, outside),
        ]
        noughts = [
            ("lost", self.ends[LOST]),
            ("still waiting at the end", self.ends[WAITING]),
            ("sent on too early, or kept too long", len(self.untimely)),
            ("agents rung twice at once", len(self.double_rung)),
            ("talks cut while Asterisk lived", len(self.cut_talks)),
            ("offers placed twice", len(self.placed_twice)),
            ("agents stuck at the end", len(self.stuck)),
            ("channels left over", len(self.channels)),
        ]
        beside = [
            ("phones picked up for a caller who was gone", self.into_nothing),
            ("orders that Asterisk read seconds late", self.late_orders),
            ("shells of dead channels, which Asterisk keeps", self.shells),
        ]
        faults = [(f"  {name}", self.faults[name]) for name in sorted(self.faults)]
        return "\n".join(
            [
                *_lines(calls),
                "    what must be nought:",
                *_lines([(f"  {name}", number) for name, number in noughts]),
                "    beside that:",
                *_lines([(f"  {name}", number) for name, number in beside]),
                *_lines([("faults played", self.faults.total()), *faults]),
            ]
        )


def _lines(rows: Iterable[tuple[str, int]]) -> Iterable[str]:
    return (f"    {name:<50}{number:>6}" for name, number in rows)


def account(centre: Centre, callers: Iterable[Caller]) -> Account:
    """Look at every call at every phone."""
    made = Account()
    callers = list(callers)
    rung = rung_by_caller(centre.desks)
    for caller in callers:
        end = end_of(centre, caller, rung.get(caller.number, []))
        made.ends[end] += 1
        story = f"{end}: {story_of(caller, rung.get(caller.number, []))}"
        if end in {LOST, WAITING}:
            made.details.append(story)
        elif caller.waited > LONGEST or (end == SENT and caller.waited < MAX_WAIT - EARLY):
            made.untimely.append(f"after {caller.waited:.1f} s: {story}")
    left_first = {caller.number for caller in callers if caller.hung_up}
    for phone in centre.desks:
        _at_phone(centre, made, phone.name, phone.incoming, left_first)
    placed = Counter(_ORIGINATE.findall(bytes(centre.link.sent)))
    made.placed_twice = [name.decode() for name, count in placed.items() if count > 1]
    return made


def rung_by_caller(desks: Iterable[Phone]) -> dict[str, list[tuple[str, Dialog]]]:
    """The phones that rang for each caller's number, with what they saw of it."""
    rung: dict[str, list[tuple[str, Dialog]]] = {}
    for phone in desks:
        for dialog in phone.incoming:
            rung.setdefault(dialog.peer_number, []).append((phone.name, dialog))
    return rung


class Entrance(Protocol):
    """Where callers come in: an Asterisk, as the harness knows it."""

    gone: set[int]
    """The `id` of each dialog that Asterisk's own end took with it."""

    def was_away(self, at: float) -> bool:
        """Whether it was not there at this moment (`time.monotonic`)."""


def end_of(entrance: Entrance, caller: Caller, rung: list[tuple[str, Dialog]]) -> str:
    """How a caller's call ended: one of this module's words for it."""
    dialog = caller.dialog
    if caller.partner == LATE:
        return SENT
    if caller.partner == NIGHT:
        return LAST_STEP
    if caller.partner:
        last = [one for name, one in rung if name == caller.partner and one.state != "trying"]
        return CONNECTED if not last or by_router(last[-1]) else FALLBACK
    if id(dialog) in entrance.gone:
        return DIED
    if caller.hung_up:
        return ABANDONED
    if dialog.state != "ended":
        return WAITING
    # Asterisk that is just ending says 503, one that has ended says nothing.
    turned_away = dialog.answered_at is None and dialog.final_code in {408, 503}
    return OUTSIDE if turned_away and entrance.was_away(dialog.invite_at) else LOST


def story_of(caller: Caller, rung: list[tuple[str, Dialog]], place: str = "") -> str:
    """A caller's story in one line. `place` is where they came in, if there are several."""
    dialog = caller.dialog
    phones = ", ".join(
        f"{name} {one.invite_at:.2f} to {one.ended_at or 0:.2f} {one.state} {one.final_code}"
        f"{'' if by_router(one) else ' (fallback)'}{_heard(one)}"
        for name, one in rung
    )
    return (
        f"{caller.number} came {dialog.invite_at:.2f}{place and f' at {place}'}, up "
        f"{dialog.answered_at or 0:.2f}, ended {dialog.ended_at or 0:.2f} by {dialog.ended_by} (SIP {dialog.final_code})"
        f"{_heard(dialog)}; rang: {phones}"
    )


def _heard(dialog: Dialog) -> str:
    names = ", ".join(sorted(dialog.heard))
    return f" heard {names}" if names else ""


def _rung_twice(before: Dialog, after: Dialog) -> bool:
    """Whether the router rang a phone that already rang, or was off-hook.

    Where that was for the dialplan's fallback, the router must have had the time to see it.
    """
    head_start = 0.0 if by_router(before) else SEEN_WITHIN
    ended = math.inf if before.ended_at is None else before.ended_at
    return before is not after and before.invite_at + head_start <= after.invite_at < ended


def _late(centre: Centre, after: Dialog) -> bool:
    """Whether Asterisk carried out an order that it had taken seconds before, and not read.

    Nobody can take such an order back; meanwhile the fallback may have begun to ring that phone. The router
    must see it and end it.
    """
    at, ended = after.invite_at, after.ended_at
    just_read = any(moment - 0.1 <= at <= moment + LATE_WITHIN for moment in centre.link.released)
    return just_read and ended is not None and ended - at < LATE_LASTS


def _at_phone(
    centre: Centre, made: Account, name: str, dialogs: list[Dialog], left_first: set[str]
) -> None:
    ours = [dialog for dialog in dialogs if by_router(dialog)]
    for after in ours:
        for before in dialogs:
            if not _rung_twice(before, after):
                continue
            if not by_router(before) and _late(centre, after):
                made.late_orders += 1
            else:
                made.double_rung.append(
                    f"{name} at {after.invite_at:.2f} for {after.peer_number}, while it rang or "
                    f"talked for {before.peer_number} ({'router' if by_router(before) else 'fallback'}) "
                    f"from {before.invite_at:.2f} to {before.ended_at or 0:.2f}"
                )
    for dialog in ours:
        if dialog.answered_at is None:
            continue
        if "caller" not in dialog.heard:
            made.into_nothing += 1
        elif (
            dialog.ended_by == "them"
            and dialog.peer_number not in left_first
            and id(dialog) not in centre.gone
        ):
            made.cut_talks.append(
                f"{name} with {dialog.peer_number}, {dialog.answered_at:.2f} to {dialog.ended_at:.2f}"
            )
