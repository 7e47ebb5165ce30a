"""Takes over what the record tells of earlier runs. What happened in this run is newer and stays."""

from __future__ import annotations

from collections import OrderedDict

from callrouter.core import clock_changes
from callrouter.core.calls import bridging, eligibility, waiting
from callrouter.core.floor import Floor
from callrouter.core.state import CallState, Queue
from callrouter.model.restored_history import (
    HistoryRestored,
    LastTalk,
    QueueHistory,
    TalkingBefore,
    TriedBefore,
)


def restore(floor: Floor, event: HistoryRestored) -> None:
    """Restore who was tried for a call, since when callers talk, who talked to them last, and so on.

    Agents and queues that have been renamed are found under their new names; those that are gone
    are left out. No restored time lies in the future: the clock may have been ahead.
    """
    for tried in event.tried:
        _tried(floor, tried)
    for talking in event.talking:
        _talking(floor, talking)
    if event.last_talks:
        _last_talks(floor, event.last_talks)
    for history in event.queues:
        queue = floor.queues.get(floor.former_queues.get(history.queue, history.queue))
        if queue is not None:
            _turns(floor, queue, history)
            # Those of this run stand behind them, and push out the oldest.
            advances = [*history.advances, *queue.advances]
            queue.advances.clear()
            queue.advances.extend(advances)
    if floor.drifting:
        _work(floor, event)


def _tried(floor: Floor, tried: TriedBefore) -> None:
    """Remember who was tried for a call until the call is found, or apply it if it was."""
    floor.before.tried[tried.call] = tried
    call = floor.calls.get(tried.call)
    if call is not None and call.state is CallState.WAITING:
        waiting.restore_tried(floor, call)


def _talking(floor: Floor, talking: TalkingBefore) -> None:
    """Remember when a conversation began until it is found, or apply it if it was."""
    floor.before.talking[talking.call] = talking
    call = floor.calls.get(talking.call)
    if call is not None and call.winner is not None and call.winner.adopted:
        bridging.restore_talk(floor, call, call.winner.agent)


def _last_talks(floor: Floor, talks: tuple[LastTalk, ...]) -> None:
    merged: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
    for talk in talks:
        agent = floor.agent_named(talk.agent)
        queue = floor.queues.get(floor.former_queues.get(talk.queue, talk.queue))
        if agent is None or queue is None or queue.spec.last_agent is None or not talk.number:
            continue
        merged.pop((queue.id, talk.number), None)
        merged[queue.id, talk.number] = (agent.id, min(floor.now, talk.at))
    for key, latest in floor.last_talks.items():
        merged.pop(key, None)
        merged[key] = latest
    while len(merged) > eligibility.REMEMBERED:
        merged.popitem(last=False)
    floor.last_talks = merged


def _turns(floor: Floor, queue: Queue, history: QueueHistory) -> None:
    """Put the restored turns before those of this run.

    They are restored only for queues whose policy reads them, so all members are ranked again.
    """
    agents = [floor.agent_named(name) for name in history.turns]
    members = [queue.known.get(agent.id) for agent in agents if agent is not None]
    restored = [member for member in members if member is not None and not member.turn]
    shift = len(restored)
    if not shift:
        return
    queue.turns += shift
    for offer in floor.offers.values():
        if offer.call.queue is queue:
            offer.turn += shift
    for member in queue.known.values():
        if member.turn:
            member.turn += shift
    for number, member in enumerate(restored, start=1):
        member.turn = number
    for member in queue.members.values():
        floor.mark_changed(member.agent)


def _work(floor: Floor, event: HistoryRestored) -> None:
    for name, intervals in event.work.items():
        agent = floor.agent_named(name)
        if agent is None:
            continue
        recent = [*((begin, min(floor.now, end)) for begin, end in intervals), *agent.busy]
        agent.busy.clear()
        agent.busy.extend(sorted(recent, key=lambda interval: interval[1]))
        floor.mark_changed(agent)
        if floor.timers.minute.at("") is None:
            clock_changes.arm_minute(floor)
