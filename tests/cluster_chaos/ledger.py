"""What became of every caller and every failover: told by the phones, never by a router's own records."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from callrouter.lab import Dialog
from tests.chaos.account import (
    ABANDONED,
    CONNECTED,
    DIED,
    FALLBACK,
    LAST_STEP,
    LOST,
    OUTSIDE,
    WAITING,
    by_router,
    end_of,
    rung_by_caller,
    story_of,
)
from tests.chaos.people import Caller
from tests.cluster_chaos.crowd import Visitor
from tests.cluster_chaos.site import Site

CUT = "ended by their agent, unheard over a cut trunk"
ENDS = (CONNECTED, FALLBACK, LAST_STEP, ABANDONED, DIED, CUT)

LIMIT = 5.0
"""Seconds from a fault to the next offer."""
UNDER_WAY = 0.3
"""Seconds after a router's death in which an order of its last moment may still reach a phone."""
WITHDRAWN_WITHIN = 0.25
"""Seconds in which the CANCEL of an ended offer may arrive behind the INVITE of the next one."""
LEAD = 1.0
"""Seconds by which a caller must have come earlier to have come earlier, whichever Asterisk counts."""
LAGS = 1.0
"""Seconds for which the harness may stand still: phones that speak and hear late prove nothing."""
SEEN_WITHIN = 0.5
"""Seconds in which the router knows of a phone that the fallback rings."""


@dataclass
class Strike:
    """A fault that was played.

    Attributes:
        name: of the fault.
        stage: which stage of an offer it hit.
        at: `time.monotonic` when it struck.
        over: when everything was mended.
        how: in words.
        fails_over: the next offer must come within `LIMIT` seconds.
        cut_off: Asterisks that no active router could command while it lasted.
        apart: pairs of Asterisks without a trunk while it lasted.
    """

    name: str
    stage: str
    at: float
    how: str = ""
    over: float = math.inf
    fails_over: bool = False
    cut_off: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()
    next_offer: float | None = None


@dataclass
class Ledger:
    """The figures of a run; `bad` says in words what must not be."""

    ends: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)
    rung_twice: list[str] = field(default_factory=list)
    double_rung: list[str] = field(default_factory=list)
    cut_talks: list[str] = field(default_factory=list)
    overtaken: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)
    lag: float = 0.0
    """The longest time for which the harness itself did not get the processor, in seconds."""

    def bad(self) -> list[str]:
        """What must not be, in words; empty when all is well."""
        void = (
            f"no proof: the harness itself stood still for {self.lag:.1f} s, so the phones spoke and "
            "heard late; run it on a machine with less to do"
        )
        return [
            *([void] if self.lag > LAGS else []),
            *self.details,
            *(f"rung twice: {text}" for text in self.rung_twice),
            *(f"agent rung for two callers: {text}" for text in self.double_rung),
            *(f"talk cut: {text}" for text in self.cut_talks),
            *(f"overtaken: {text}" for text in self.overtaken),
            *(f"late: {text}" for text in self.slow),
            *(f"stuck: {text}" for text in self.stuck),
            *(f"channel left: {text}" for text in self.channels),
        ]

    def table(self) -> str:
        """For a person: callers, what must be nought, and every fault with the stage it hit."""
        outside = self.ends[OUTSIDE]
        times = sorted(self._failovers())
        noughts = [
            ("lost", self.ends[LOST]),
            ("stuck: still waiting at the end", self.ends[WAITING]),
            ("stuck: agents not rung at the end", len(self.stuck)),
            ("stuck: channels left over", len(self.channels)),
            ("rung twice", len(self.rung_twice)),
            ("agents rung for two callers at once", len(self.double_rung)),
            ("talks cut", len(self.cut_talks)),
            ("overtaken", len(self.overtaken)),
            (f"next offer after more than {LIMIT:.0f} s", len(self.slow)),
        ]
        rows = [
            ("calls that entered", self.ends.total() - outside),
            *((f"  {name}", self.ends[name]) for name in ENDS),
            (OUTSIDE, outside),
        ]
        lines = [f"    {name:<50}{number:>6}" for name, number in rows]
        lines.append("    what must be nought:")
        lines += [f"      {name:<48}{number:>6}" for name, number in noughts]
        lines.append(f"    {'failovers':<50}{len(times):>6}")
        if times:
            middle, last = times[len(times) // 2], times[-1]
            lines.append(f"    from fault to next offer: median {middle:.2f} s, most {last:.2f} s")
        lines.append(f"    the harness itself stood still for {self.lag:.2f} s at most")
        lines.append(f"    {'':3}{'at':>7} {'next offer':>11}  {'stage':<10} fault")
        first = self.strikes[0].at if self.strikes else 0.0
        for number, one in enumerate(self.strikes, 1):
            after = "none" if one.next_offer is None else f"{one.next_offer - one.at:.2f} s"
            mark = "*" if one.fails_over else " "
            lines.append(
                f"    {number:>3}{one.at - first:>7.1f} {after:>10}{mark}  {one.stage:<10} "
                f"{one.name}: {one.how}"
            )
        lines.append("    (* must be within the limit)")
        return "\n".join(lines)

    def _failovers(self) -> Iterable[float]:
        for one in self.strikes:
            if one.fails_over and one.next_offer is not None:
                yield one.next_offer - one.at


def ledger(site: Site, callers: Sequence[Visitor], strikes: Sequence[Strike]) -> Ledger:
    """Look at every call at every phone."""
    made = Ledger(strikes=list(strikes))
    rung = rung_by_caller(site.desks)
    for caller in callers:
        mine = sorted(rung.get(caller.number, []), key=lambda one: one[1].invite_at)
        end = end_of(site.exchanges[caller.place], caller, mine)
        if end == LOST and _unheard(caller, mine, strikes):
            end = CUT
        made.ends[end] += 1
        if end in {LOST, WAITING}:
            made.details.append(f"{end}: {story(caller, mine)}")
        made.rung_twice += _twice(caller, mine, strikes)
    _desks(site, made, callers, strikes)
    made.overtaken = _overtaken(site, callers, rung, strikes)
    _next_offers(made, [one for found in rung.values() for _, one in found if by_router(one)])
    return made


def story(caller: Caller, rung: list[tuple[str, Dialog]]) -> str:
    """A caller's story in one line."""
    return story_of(caller, rung, getattr(caller, "place", ""))


def _ended(dialog: Dialog) -> float:
    return math.inf if dialog.ended_at is None else dialog.ended_at


def _excused(
    strikes: Iterable[Strike], places: set[str], began: float, ended: float, *, trunks: bool = False
) -> bool:
    """Whether in that time one of these Asterisks could not be commanded, or two had no trunk.

    `trunks`: only the trunks count.
    """
    return any(
        ((not trunks and places & one.cut_off) or len(places & one.apart) > 1)
        and one.at - 0.5 < ended
        and began < one.over + 5.0
        for one in strikes
    )


def _unheard(caller: Visitor, rung: list[tuple[str, Dialog]], strikes: Sequence[Strike]) -> bool:
    """Whether a caller's agent picked up just when the trunk between them was cut, and hung up.

    By all signs of SIP the two were connected, so that is the end of a conversation. That no audio
    passes is the cut itself; no router sees or mends it.
    """
    if not rung:
        return False
    phone, last = rung[-1]
    if not by_router(last) or last.answered_at is None or last.ended_by != "us":
        return False
    return any(
        len({caller.place, place_of(phone)} & one.apart) > 1
        and not one.cut_off  # a trunk, and no Asterisk
        and one.at - UNDER_WAY < last.answered_at + UNDER_WAY
        and last.answered_at < one.over
        for one in strikes
    )


def _twice(
    caller: Visitor, rung: list[tuple[str, Dialog]], strikes: Sequence[Strike]
) -> Iterable[str]:
    """Two phones that rang, or rang beside a conversation, for one caller at the same time."""
    ours = [(name, one) for name, one in rung if by_router(one)]
    for number, (name, after) in enumerate(ours):
        for other, before in ours[:number]:
            places = {caller.place, place_of(name), place_of(other)}
            together = _ended(before) > after.invite_at + WITHDRAWN_WITHIN
            if together and not _excused(
                strikes, places, before.invite_at, after.invite_at, trunks=True
            ):
                yield f"{other} and {name} at {after.invite_at:.2f}: {story(caller, rung)}"


def place_of(phone: str) -> str:
    """The Asterisk where a desk phone is registered, by its number."""
    return {"11": "north", "12": "south", "13": "west"}.get(phone[:2], "")


def _desks(site: Site, made: Ledger, callers: Sequence[Visitor], strikes: Sequence[Strike]) -> None:
    places = {caller.number: caller.place for caller in callers}
    left = {caller.number for caller in callers if caller.hung_up}
    gone = set().union(*(one.gone for one in site.exchanges.values()))
    for phone in site.desks:
        home = place_of(phone.name)
        for after in phone.incoming:
            where = {home, places.get(after.peer_number, "")}
            if not by_router(after):
                continue
            for before in phone.incoming:
                start = 0.0 if by_router(before) else SEEN_WITHIN
                both = where | {places.get(before.peer_number, "")}
                if (
                    before is not after
                    and before.invite_at + start <= after.invite_at < _ended(before)
                    and not _excused(strikes, both, before.invite_at, after.invite_at)
                ):
                    made.double_rung.append(
                        f"{phone.name} at {after.invite_at:.2f} for {after.peer_number} while with "
                        f"{before.peer_number} since {before.invite_at:.2f}"
                    )
            if (
                after.answered_at is not None
                and "caller" in after.heard
                and after.ended_by == "them"
                and after.peer_number not in left
                and id(after) not in gone
                and not any(site.exchanges[one].was_away(_ended(after)) for one in where if one)
                and not _excused(strikes, where, after.invite_at, _ended(after))
            ):
                made.cut_talks.append(
                    f"{phone.name} with {after.peer_number}, {after.answered_at:.2f} to "
                    f"{_ended(after):.2f}"
                )


def _overtaken(
    site: Site,
    callers: Sequence[Visitor],
    rung: dict[str, list[tuple[str, Dialog]]],
    strikes: Sequence[Strike],
) -> list[str]:
    """Callers who were first rung for although another had come earlier and was rung for by no phone.

    Both waited then, for more than a second longer, and the earlier one's Asterisk could be
    commanded and had a trunk to the phone that rang: an agent at the far end of a cut trunk rings
    for callers who can be connected. An Asterisk that no router reaches rings phones for its own
    callers by its fallback. It cannot know who waits elsewhere, so those whom it serves while it is
    cut off have overtaken no caller; a fallback at any other time counts.
    """
    rings = {number: min(found, key=lambda one: one[1].invite_at) for number, found in rung.items()}
    first = {number: one.invite_at for number, (_, one) in rings.items()}
    found: list[str] = []
    for later in callers:
        at = first.get(later.number)
        if at is None:
            continue
        phone, ring = rings[later.number]
        if not by_router(ring) and _excused(strikes, {later.place}, at, at):
            continue
        for earlier in callers:
            came = earlier.dialog.answered_at
            if (
                came is not None
                and (site.many or earlier.place == later.place)
                and came + LEAD < later.dialog.invite_at
                and first.get(earlier.number, math.inf) > at + LEAD
                and _ended(earlier.dialog) > at + LEAD
                and not _excused(strikes, {earlier.place}, at - 1.0, at)
                and not _excused(
                    strikes, {earlier.place, place_of(phone)}, at - 1.0, at, trunks=True
                )
            ):
                found.append(
                    f"{earlier.number} at {earlier.place} (came {came:.2f}) by {later.number} at "
                    f"{later.place} (came {later.dialog.invite_at:.2f}, rung {at:.2f})"
                )
                break
    return found


def _next_offers(made: Ledger, offers: Sequence[Dialog]) -> None:
    times = sorted(one.invite_at for one in offers)
    for strike in made.strikes:
        strike.next_offer = next((at for at in times if at > strike.at + UNDER_WAY), None)
        if strike.fails_over and (strike.next_offer or math.inf) - strike.at > LIMIT:
            after = (
                "never" if strike.next_offer is None else f"{strike.next_offer - strike.at:.2f} s"
            )
            made.slow.append(f"{strike.name} at {strike.at:.2f} ({strike.stage}): {after}")
