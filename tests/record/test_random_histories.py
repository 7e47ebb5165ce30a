"""Random histories are recorded, across restarts; the rows agree with each other and with other books.

The world is that of the core's random histories. The books here count what callers, agents and phones
experience by the notices alone, and share nothing with the recorder.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from random import Random

import pytest

from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    CallPutThrough,
    ConversationStarted,
    ConversationTransferred,
    OfferDecided,
    OfferMade,
    RuleApplied,
    WaitingCallMoved,
)
from callrouter.model.events import Event
from callrouter.model.notices import AgentStatusChanged, CallNotice
from callrouter.record.call_steps import StoredStep
from callrouter.record.record_tables import AGENT_STATES, CALLS, CONVERSATIONS, OFFERS, STAYS
from callrouter.record.rows import CallOutcome, ConversationEnd, StayOutcome
from tests.core.world import ACTS, World
from tests.record.recording import Recording

WEIGHTED = [act for act, weight in ACTS.items() for _ in range(weight)]
ENDS = {
    CallAbandoned: StayOutcome.ABANDONED,
    CallMovedAway: StayOutcome.MOVED_AWAY,
}


class Recorded(World):
    """The world, with a recorder that writes now and then, and books of its own."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.chance = chance
        self.recording: Recording | None = None
        self.seen: Counter[str] = Counter()
        self.steps: defaultdict[str, list[object]] = defaultdict(list)
        self.states: dict[str, str] = {}

    def start_router(self) -> None:
        super().start_router()
        self.states = {}
        self.here: set[str] = set()
        if self.recording is None:
            self.recording = Recording(self.router)
        else:
            self.recording.write()  # the last quarter of a second may be lost; not here
            self.recording.restart(self.router)

    def feed(self, event: Event) -> None:
        super().feed(event)
        assert self.recording is not None
        notices = self.replay[-1][2]
        self.recording.hear(notices)
        for notice in notices:
            self._note(notice)
        if self.chance.random() < 0.2:
            self.recording.write()

    def _note(self, notice: object) -> None:
        if isinstance(notice, CallEntered):
            self.here.add(notice.call)
        # What is said of a call that ended before a restart, such as of a phone that still rings, is
        # said of a call that the new router does not know.
        known = isinstance(notice, RuleApplied) or getattr(notice, "call", "") in self.here
        if isinstance(notice, CallNotice | OfferDecided) and known:
            self.steps[notice.call].append(notice)
        match notice:
            case CallEntered(waited_s=None):
                self.seen["entered"] += 1
            case CallEntered() if notice.refused is not None:
                self.seen["entered"] += 1
            case WaitingCallMoved() if notice.to_queue:
                self.seen["moved or same"] += 1
            case OfferMade():
                self.seen["offers"] += 1
            case ConversationStarted():
                self.seen["conversations"] += 1
            case CallPutThrough():
                self.seen["put through"] += 1
            case CallCompleted() | ConversationTransferred():
                self.seen["talked"] += 1
                self.seen["transfers"] += isinstance(notice, ConversationTransferred)
            case CallAbandoned() | CallMovedAway():
                self.seen[ENDS[type(notice)].value] += 1
            case CallLeftQueue():
                self.seen["left"] += 1
            case AgentStatusChanged():
                self.states[notice.agent] = notice.status.state.value
            case _:
                pass


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(8))
def test_the_rows_agree_with_what_was_seen(seed: int) -> None:
    chance = Random(seed)
    world = Recorded(Random(seed + 1000))
    world.begin(chance)
    for _ in range(300):
        chance.choice(WEIGHTED)(world, chance)
    world.finish()
    recording = world.recording
    assert recording is not None
    recording.close_lost(world.now)
    agree_with_each_other(recording)
    agree_with_what_was_seen(recording, world)


def agree_with_each_other(recording: Recording) -> None:
    """Sums of rows are those of the row above, and nothing is left open."""
    for call in recording.all(CALLS):
        stays, talks = recording.stays(call.call), recording.conversations(call.call)
        offers = recording.offers(call.call)
        assert call.ended_at is not None, call
        assert call.outcome is not None
        assert call.stays == len(stays) >= 1
        assert [stay.n for stay in stays] == list(range(len(stays)))
        assert all(stay.outcome is not None and stay.left_at is not None for stay in stays), stays
        assert call.wait_s == pytest.approx(sum(stay.wait_s or 0.0 for stay in stays))
        assert call.queue == stays[0].queue
        assert call.last_queue == stays[-1].queue
        assert [talk.n for talk in talks] == list(range(len(talks)))
        assert all(talk.ended_at is not None and talk.ended_by is not None for talk in talks)
        assert call.talk_s == pytest.approx(sum(talk.talk_s or 0.0 for talk in talks))
        counted = [talk for talk in talks if talk.ended_by is not ConversationEnd.REQUEUED]
        assert call.conversations == len(counted)
        assert call.offers == len(offers)
        assert all(offer.result is not None and offer.ended_at is not None for offer in offers)
        for n, stay in enumerate(stays):
            own = [talk for talk in counted if talk.stay == n]
            assert (stay.outcome is StayOutcome.ANSWERED) == bool(own), (stay, talks)
            assert stay.offers == sum(offer.stay == n for offer in offers)
            assert stay.talk_s == pytest.approx(
                sum(talk.talk_s or 0.0 for talk in talks if talk.stay == n)
            )
        assert (call.outcome is CallOutcome.ANSWERED) <= bool(counted)
    by_agent = defaultdict(list)
    for state in sorted(recording.all(AGENT_STATES), key=lambda state: state.serial):
        by_agent[state.agent].append(state)
    for states in by_agent.values():
        for one, following in pairwise(states):
            assert one.until in {following.at, None}
            assert one.at <= following.at


def agree_with_what_was_seen(recording: Recording, world: Recorded) -> None:
    """Nothing is missing, and nothing is there twice."""
    seen = world.seen
    stays = recording.all(STAYS)
    outcomes = Counter(stay.outcome for stay in stays)
    assert sum(stay.how_in.value not in {"found", "moved"} for stay in stays) == seen["entered"]
    assert outcomes[StayOutcome.ABANDONED] == seen["abandoned"]
    assert outcomes[StayOutcome.MOVED_AWAY] == seen["moved-away"]
    assert sum(call.transfers for call in recording.all(CALLS)) >= seen["transfers"]
    talks = recording.all(CONVERSATIONS)
    firsts = [talk for talk in talks if talk.kind.value == "first"]
    assert len(firsts) == seen["conversations"]
    assert sum(talk.kind.value == "put-through" for talk in talks) == seen["put through"]
    assert len([offer for offer in recording.all(OFFERS) if offer.policy]) == seen["offers"]
    for agent, state in world.states.items():
        assert recording.states(agent)[-1].state == state
    for call, notices in world.steps.items():
        if recording.of(CALLS, call):
            steps: list[StoredStep] = recording.steps(call)
            assert [step.notice for step in steps] == notices
            assert [step.serial for step in steps] == sorted(step.serial for step in steps)
