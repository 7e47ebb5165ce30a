"""What the record of earlier runs tells the core after a restart, beside the agents' rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from callrouter.model.frozen import frozen


@frozen
class TriedBefore:
    """The agents who refused or missed a call that waited when the last run ended.

    Attributes:
        call: the call.
        queue: the queue in which that was.
        agents: those tried in its last round, in that order.
        failed_at: when the last of them failed, in epoch seconds.
    """

    call: str
    queue: str
    agents: tuple[str, ...]
    failed_at: float


@frozen
class TalkingBefore:
    """A conversation that went on when the last run ended.

    Attributes:
        call: the call.
        agent: who had the caller.
        since: when it began, in epoch seconds.
    """

    call: str
    agent: str
    since: float


@frozen
class LastTalk:
    """A caller's last conversation in a queue.

    Attributes:
        queue: the queue by which the call came.
        number: the caller's number in its canonical form.
        agent: who had the caller.
        at: its end, in epoch seconds.
    """

    queue: str
    number: str
    agent: str
    at: float


@frozen
class QueueHistory:
    """What a queue's estimates and turns are based on.

    Attributes:
        queue: the queue.
        advances: intervals in seconds between two callers taken while the queue was never empty,
            oldest first.
        turns: agents whose turn it has been, the latest last. `round-robin` ranks by it.
    """

    queue: str
    advances: tuple[float, ...] = ()
    turns: tuple[str, ...] = ()


@frozen
class HistoryRestored:
    """What was true before a restart and is in no agent's row. Parts of it may come one by one.

    Attributes:
        tried: of calls that may still wait.
        talking: of calls that may still be in conversation.
        last_talks: oldest first.
        queues: of each queue that has any.
        work: conversations that ended within the last hour, by agent: from, to. Policies rank by
            the share of time on calls.
    """

    tried: tuple[TriedBefore, ...] = ()
    talking: tuple[TalkingBefore, ...] = ()
    last_talks: tuple[LastTalk, ...] = ()
    queues: tuple[QueueHistory, ...] = ()
    work: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
