"""Every figure a second time, from what the phones saw. Nothing here imports callrouter.

The definitions are those of ``docs/figures.md``, written down again: a stay counts where it began, a
conversation where it began, an offer where the phone was first rung, and an agent's time is cut at the
edges of the period.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.labday.seen import Day, Ring, Visit, broke_off
from tests.labday.span import Gauge, Span

Figures = dict[str, Span | str | bool | None]
Period = tuple[float, float]
Talk = tuple[str, str, float, float]
"""Agent, queue, from, to."""
STATES = ("available", "reserved", "ringing", "on-call", "wrap-up", "paused")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the queues' files say, as far as figures depend on it."""

    within: float
    short: float
    wrap_up: Mapping[str, float]
    ring_for: float
    members: Mapping[str, Sequence[str]]


def inside(at: float, period: Period) -> bool:
    return period[0] <= at < period[1]


class Phones:
    """A day's figures.

    Args:
        day: what was seen.
        rules: the queues' files.
        gauge: how exactly times were seen.
    """

    def __init__(self, day: Day, rules: Rules, gauge: Gauge) -> None:
        self.day, self.rules, self.gauge = day, rules, gauge
        self.rings: dict[str, list[Ring]] = {}
        for ring in day.rings:
            self.rings.setdefault(ring.number, []).append(ring)
        self.visits = {visit.number: visit for visit in day.visits}
        self.stays = {visit.number: day.stays(visit, self.of(visit)) for visit in day.visits}
        self.all_stays = [stay for stays in self.stays.values() for stay in stays]
        self.talks: list[Talk] = [
            (agent, stay.queue, began, ended)
            for stay in self.all_stays
            for agent, began, ended in stay.talks
        ]
        self.broke_off: list[Talk] = [
            (ring.agent, self._queue_of(ring), ring.talked, ring.ended)
            for ring in day.rings
            if ring.talked is not None and self._at_once(ring)
        ]
        """They count for their agents, and for no stay."""
        self._timelines = {
            agent: self._timeline(agent) for agent in sorted({one[1] for one in day.duty})
        }

    nothing = Span.exactly(0)

    @staticmethod
    def was_there(figures: Figures) -> bool:
        """Whether an agent certainly has a row: signed in, or with work."""
        signed_in, offers, talks = (
            figures[name] for name in ("signed_in_s", "offers", "conversations")
        )
        assert isinstance(signed_in, Span)
        return signed_in.low > 0.01 or Span.exactly(0) not in {offers, talks}

    def of(self, visit: Visit) -> list[Ring]:
        """Return the phones that were rung for a caller."""
        return self.rings.get(visit.number, [])

    # ------------------------------------------------------------ queues, hours

    def queue(self, queue: str, period: Period) -> Figures:
        """Return the figures of a queue; of an empty one: of all."""
        stays = [
            stay
            for stay in self.all_stays
            if queue in {"", stay.queue} and inside(stay.entered, period)
        ]
        gauge, rules = self.gauge, self.rules
        answered = [stay.wait for stay in stays if stay.outcome == "answered"]
        abandoned = [stay.wait for stay in stays if stay.outcome == "abandoned"]
        waiting = [stay for stay in stays if stay.outcome == "waiting"]
        left = [s for s in stays if s.outcome not in {"answered", "abandoned", "waiting"}]
        in_time, gone_in_time = (
            gauge.at_most(waits, rules.within) for waits in (answered, abandoned)
        )
        short = gauge.at_most(abandoned, rules.short)
        every, taken = Span.exactly(len(answered) + len(abandoned)), Span.exactly(len(answered))
        talks = [talk for stay in stays for talk in stay.talks]
        talk = gauge.total((ended - began for _, began, ended in talks), times=2)
        return {
            "entered": Span.exactly(len(stays)),
            "answered": taken,
            "abandoned": Span.exactly(len(abandoned)),
            "left": Span.exactly(len(left)),
            "waiting": Span.exactly(len(waiting)),
            "refused": Span.exactly(0),
            "service_level.strict": in_time.percent_of(every),
            "service_level.abandons_ignored": in_time.percent_of(every.less(gone_in_time)),
            "service_level.abandons_positive": in_time.plus(gone_in_time).percent_of(every),
            "service_level.answered_only": in_time.percent_of(taken),
            "service_level.short_credit": in_time.plus(short).percent_of(every),
            **self._waits("wait_s", answered),
            **self._waits("abandoned_wait_s", abandoned),
            "abandoned_share": Span.exactly(len(abandoned)).percent_of(Span.exactly(len(stays))),
            "abandoned_within": gone_in_time,
            "abandoned_short": short,
            "from_elsewhere": Span.exactly(sum(s.how in {"transfer", "overflow"} for s in stays)),
            "re_entries": Span.exactly(sum(stay.how == "re-entry" for stay in stays)),
            "talk_s.total": talk,
            "talk_s.mean": talk.over(len(answered)),
            "hold_s.mean": self._held(talks).over(len(answered)),
            **{
                f"left_by.{outcome}": Span.exactly(sum(stay.outcome == outcome for stay in left))
                for outcome in (
                    "timeout",
                    "lost",
                    "full",
                    "closed",
                    "nobody",
                    "moved",
                    "moved-away",
                )
            },
        }

    def _held(self, talks: Iterable[tuple[str, float, float]]) -> Span:
        return self.gauge.total(
            (
                ended - began
                for who, talked, over in talks
                for agent, began, ended in self.day.holds
                if agent == who and talked <= began < over
            ),
            times=2,
        )

    def _waits(self, prefix: str, waits: Sequence[float]) -> Figures:
        if not waits:
            return {f"{prefix}.{name}": None for name in ("mean", "median", "p90", "max")}
        ordered, gauge = sorted(waits), self.gauge

        def rank(part: float) -> Span:
            value = ordered[max(1, math.ceil(part * len(ordered))) - 1]
            return Span(max(0.0, value - gauge.limit - 0.1), value + gauge.limit)

        return {
            f"{prefix}.mean": gauge.about(sum(waits) / len(waits)),
            f"{prefix}.median": rank(0.5),
            f"{prefix}.p90": rank(0.9),
            f"{prefix}.max": gauge.about(ordered[-1]),
        }

    def staffed(self, period: Period) -> Span:
        """Return how many agents were there, on average."""
        there = [
            min(ended, period[1]) - max(began, period[0])
            for spans in self._timelines.values()
            for began, ended, state, _ in spans
            if state in STATES and ended > period[0] and began < period[1]
        ]
        seen = self.gauge.about(sum(there), 2 * len(self._timelines))
        length = min(period[1], self.day.until) - period[0]
        later = 0.0 if period[1] <= self.day.until else 10.0  # the report is made after the day
        return Span(seen.low / (length + later), seen.high / length)

    # ------------------------------------------------------------ agents

    def result(self, ring: Ring) -> str:
        """Return what became of an offer, by its column."""
        if ring.talked is not None:
            return "not_connected" if self._at_once(ring) else "answered"
        if ring.code and ring.code != 487:
            return "declined" if ring.code == 603 else "unreached"
        waited = ring.ended - ring.invite
        # However late the machine is, a withdrawn ring of this day lasts a second at most.
        late = min(1.0, self.gauge.limit)
        return "missed" if waited >= self.rules.ring_for - late else "withdrawn"

    def _at_once(self, ring: Ring) -> bool:
        return broke_off(ring, self.visits[ring.number])

    def agent(self, agent: str, period: Period) -> Figures:
        """Return what an agent was offered and did."""
        results = [
            self.result(ring)
            for ring in self.day.rings
            if ring.agent == agent and inside(ring.invite, period)
        ]
        talks = [talk for talk in self.talks if talk[0] == agent and inside(talk[2], period)]
        broken = [one for one in self.broke_off if one[0] == agent and inside(one[2], period)]
        count = len(talks) + len(broken)
        lengths = [ended - began for _, _, began, ended in [*talks, *broken]]
        gauge, wraps = self.gauge, self.rules.wrap_up
        talk = gauge.total(lengths, times=2)
        wrap_up = gauge.total(wraps[queue] for _, queue, _, _ in talks if wraps[queue])
        taken = results.count("answered")
        own = taken + results.count("missed") + results.count("declined")
        names = ("answered", "missed", "declined", "unreached", "withdrawn", "not_connected")
        return {
            "offers": Span.exactly(len(results)),
            **{name: Span.exactly(results.count(name)) for name in names},
            **{name: Span.exactly(0) for name in ("lost", "not_accepted", "ringing")},
            "answered_share": Span.exactly(taken).percent_of(Span.exactly(own)),
            "conversations": Span.exactly(count),
            "talk_s.total": talk,
            "talk_s.mean": talk.over(count),
            "talk_s.max": gauge.about(max(lengths), 2) if lengths else None,
            "hold_s.total": self._held((who, began, ended) for who, _, began, ended in talks),
            "wrap_up_s.total": wrap_up,
            "handle_s.mean": talk.plus(wrap_up).over(count),
            "transfers": Span.exactly(
                sum(one == agent and inside(began, period) for one, began in self.day.transfers)
            ),
        }

    def _timeline(self, agent: str) -> list[tuple[float, float, str, str]]:
        """Return (from, to, state, reason of a pause) of an agent's day, from the first sign-in on.

        Without a router there is no state.
        """
        duty = sorted(one for one in self.day.duty if one[1] == agent)
        busy: list[tuple[float, float, str]] = [(*gap, "gap") for gap in self.day.down]
        streak = 0
        for ring in sorted(self.day.rings, key=lambda one: one.invite):
            if ring.agent != agent:
                continue
            quiet, taken = ring.quiet or ring.ended, ring.accepted or ring.talked
            rung = ring.rang or taken or quiet
            busy.append((ring.invite, rung, "reserved"))
            busy.append((rung, taken or ring.ended, "ringing"))
            busy.append((taken or ring.ended, quiet, "reserved"))  # it was told to stop
            streak = self._refusals(ring, streak)
            if streak > 1:
                busy.append((quiet, quiet + min(30.0, 2.0 ** (streak - 1)), "left alone"))
            if taken is not None:
                busy.append((taken, quiet, "on-call"))
            if ring.talked is not None:
                wrap = self.rules.wrap_up[self._queue_of(ring)]
                if wrap and not self._at_once(ring):
                    busy.append((ring.ended, ring.ended + wrap, "wrap-up"))
        edges = {at for at, *_ in duty} | {at for span in busy for at in span[:2]}
        points = sorted(edge for edge in edges if edge >= duty[0][0])
        starts: dict[float, list[tuple[float, str]]] = {}
        for began, ended, state in busy:
            starts.setdefault(max(began, duty[0][0]), []).append((ended, state))
        spans: list[tuple[float, float, str, str]] = []
        now: list[tuple[float, str]] = []
        order = ("gap", "on-call", "ringing", "reserved", "wrap-up", "left alone")
        asked, number = ("", ""), 0
        for began, ended in pairwise(points):
            now = [one for one in [*now, *starts.get(began, [])] if one[0] > began]
            while number < len(duty) and duty[number][0] <= began:
                asked, number = duty[number][2:], number + 1
            states = {state for _, state in now}
            state = next((one for one in order if one in states), "")
            if not state or (state == "left alone" and asked[0] not in {"in", "resume"}):
                state = {"in": "available", "resume": "available", "pause": "paused"}.get(
                    asked[0], "offline"
                )
            spans.append((began, ended, state, asked[1] if state == "paused" else ""))
        return spans

    def _refusals(self, ring: Ring, before: int) -> int:
        """Return how many calls in a row an agent has refused. From the second on the phone rests."""
        if ring.accepted or ring.talked:
            return 0
        return before + (self.result(ring) in {"declined", "unreached"})

    def _queue_of(self, ring: Ring) -> str:
        """Return the queue of which a phone was rung."""
        moves = self.visits[ring.number].moves
        serves = [queue for queue, names in self.rules.members.items() if ring.agent in names]
        return [
            queue
            for at, queue, _ in moves
            if at <= ring.invite + self.gauge.limit and queue in serves
        ][-1]

    def state_at(self, agent: str, at: float) -> str:
        """Return what an agent was doing at a moment."""
        for began, ended, state, _ in self._timelines.get(agent, ()):
            if began <= at < ended:
                return state
        return "offline"

    def time(self, agent: str, period: Period) -> Figures:
        """Return an agent's time by state."""
        found, parts, alone = dict.fromkeys(STATES, 0.0), dict.fromkeys(STATES, 0), 0.0
        for began, ended, state, _ in self._timelines.get(agent, ()):
            length = min(ended, period[1]) - max(began, period[0])
            if state in found and length > 0:
                found[state] += length
                parts[state] += 1
            elif state == "left alone" and length > 0:
                alone += length
        gaps = sum(inside(began, period) for began, _ in self.day.down)
        return {
            **{
                f"state_s.{state}": self.gauge.about(found[state], 2 * parts[state] + 2 * gaps)
                for state in STATES
            },
            "signed_in_s": self.gauge.about(sum(found.values()) + alone, 2 + 2 * gaps),
        }

    def pauses(self, period: Period) -> dict[tuple[str, str], Figures]:
        """Return the pauses by agent and reason."""
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        begun: dict[str, tuple[float, str]] = {}
        for at, agent, what, reason in sorted(self.day.duty):
            if agent in begun:
                since, why = begun.pop(agent)
                found.setdefault((agent, why), []).append((since, at))
            if what == "pause":
                begun[agent] = (at, reason)
        rows: dict[tuple[str, str], Figures] = {}
        for key, pauses in found.items():
            within = [one for one in pauses if one[1] > period[0] and one[0] < period[1]]
            if not within:
                continue
            lengths = [
                length
                for began, ended in within
                for length in self._parts(max(began, period[0]), min(ended, period[1]))
            ]
            count = Span.exactly(sum(began >= period[0] for began, _ in within))
            rows[key] = {
                "pauses": count,
                "by_others": count,
                "total_s": self.gauge.total(lengths, times=2),
                "longest_s": self.gauge.about(max(lengths), 2),
            }
        return rows

    def _parts(self, began: float, ended: float) -> list[float]:
        """Return how long the parts of a time are in which there was a router."""
        edges = [began, *(at for gap in self.day.down for at in gap if began < at < ended), ended]
        return [until - at for at, until in zip(edges[::2], edges[1::2], strict=True)]

    # ------------------------------------------------------------ calls

    def call(self, visit: Visit) -> Figures:
        """Return the row of a call."""
        stays, gauge = self.stays[visit.number], self.gauge
        last = stays[-1]
        talks = [talk for stay in stays for talk in stay.talks]
        spoken = [(began, ended) for _, began, ended in talks]
        by = "caller" if visit.by_caller or last.outcome == "abandoned" else "agent"
        transfers = sum(how == "transfer" for _, _, how in visit.moves)
        over = last.outcome != "waiting"
        return {
            "entered_at": gauge.about(visit.moves[0][0]),
            "queue": visit.moves[0][1],
            "last_queue": visit.moves[-1][1],
            "outcome": last.outcome,
            "agent": next((stay.agent for stay in reversed(stays) if stay.agent), None),
            **({"wait_s": gauge.total((stay.wait for stay in stays), times=2)} if over else {}),
            "talk_s": gauge.total(
                (ended - began for began, ended in [*spoken, *self._broken_off(visit)]), times=2
            ),
            "hold_s": self._held(talks),
            "offers": Span.exactly(len(self.of(visit))),
            "transfers": Span.exactly(transfers),
            "stays": Span.exactly(len(stays)),
            "ended_by": "" if last.outcome in {"waiting", "lost"} else by,
            "ended_at": gauge.about(visit.ended) if over else None,
        }

    def _broken_off(self, visit: Visit) -> list[tuple[float, float]]:
        return [
            (ring.talked, ring.ended)
            for ring in self.of(visit)
            if ring.talked is not None and self._at_once(ring)
        ]

    def abandoned(self, period: Period) -> dict[tuple[str, str], Figures]:
        """Return the abandoned stays, by caller and queue."""
        rows: dict[tuple[str, str], Figures] = {}
        for visit in self.day.visits:
            for stay in self.stays[visit.number]:
                if stay.outcome != "abandoned" or not inside(stay.entered, period):
                    continue
                again = sorted(
                    (one for one in self.day.visits if visit.caller and one.caller == visit.caller),
                    key=lambda one: one.moves[0][0],
                )
                later = [one for one in again if one.moves[0][0] > stay.left]
                spoken = sorted(
                    (began, agent)
                    for one in again
                    for other in self.stays[one.number]
                    for agent, began, _ in other.talks
                    if began > stay.left
                )
                rows[visit.number, stay.queue] = {
                    "abandoned_at": self.gauge.about(stay.left),
                    "wait_s": self.gauge.about(stay.wait, 2),
                    "calls_since": Span.exactly(len(later)),
                    "called_back_at": self.gauge.about(spoken[0][0]) if spoken else None,
                    "called_back_by": spoken[0][1] if spoken else None,
                    "entered_at": self.gauge.about(stay.entered),
                }
        return rows

    def story(self, visit: Visit) -> list[tuple[float, str, str]]:
        """Return (time, what, agent) of what happened to a call."""
        found: list[tuple[float, str, str]] = []
        for stay in self.stays[visit.number]:
            found.append((stay.entered, "entered", ""))
            if stay.outcome == "abandoned":
                found.append((stay.left, "abandoned", ""))
            elif stay.outcome not in {"answered", "waiting"}:
                found.append((stay.left, "left", ""))
            for agent, began, ended in stay.talks:
                found.append((began, "connected", agent))
                found.append((ended, "conversation ended", agent))
        for ring in self.of(visit):
            found.append((ring.invite, "offered", ring.agent))
            if ring.rang is not None:
                found.append((ring.rang, "rang", ring.agent))
            if ring.talked is None or self._at_once(ring):
                found.append((ring.ended, "offer ended", ring.agent))
            if ring.talked is not None and self._at_once(ring):
                found.append((ring.talked, "connected", ring.agent))
                found.append((ring.ended, "conversation ended", ring.agent))
        return sorted(found)

    # ------------------------------------------------------------ fairness

    def fairness(self, queue: str, agent: str, period: Period) -> Figures:
        """Return how many offers an agent got, and how many were to be expected."""
        expected = offers = answered = 0.0
        for ring in self.day.rings:
            if not inside(ring.invite, period) or self._queue_of(ring) != queue:
                continue
            free = {
                name
                for name in self.rules.members[queue]
                if name == ring.agent or self.state_at(name, ring.invite) == "available"
            }
            expected += (agent in free) / len(free)
            offers += ring.agent == agent
            answered += ring.agent == agent and self.result(ring) == "answered"
        talks = [
            (who, ended - began)
            for who, of, began, ended in self.talks
            if of == queue and inside(began, period)
        ]
        own = self.gauge.total((length for who, length in talks if who == agent), times=2)
        return {
            "offers": Span.exactly(offers),
            "expected": Span(expected - 1.5 - expected * 0.01, expected + 1.5 + expected * 0.01),
            "answered": Span.exactly(answered),
            "talk_s": own,
        }
