"""The rows of the record, from which every figure of history and reports is derived.

Times are epoch seconds, durations (``_s``) seconds. A time or a duration that is None has not come
about yet; an empty text means none or not known. Each class is a table; `callrouter.record.record_tables`
says which and by which key, migration 0009 makes them.

Enums are stored as their values, which are stable.
"""

from __future__ import annotations

from enum import Enum

from callrouter.model.frozen import frozen


class CallOutcome(Enum):
    """What became of a call in the end."""

    ANSWERED = "answered"
    """It had a conversation, however that ended, and no later stay without one."""
    ABANDONED = "abandoned"
    """The caller hung up while waiting, or while being connected."""
    LEFT = "left"
    """A rule of its last queue sent it away, or a supervisor ended it while it waited."""
    MOVED_AWAY = "moved-away"
    """Another program took the waiting caller out of the queue."""
    LOST = "lost"
    """It was gone after a time without a router. What became of it is not known."""


class HowIn(Enum):
    """How a call came into a queue."""

    NEW = "new"
    OVERFLOW = "overflow"
    """A rule of another queue sent it here."""
    TRANSFER = "transfer"
    """An agent transferred the caller here, to the queue or to a colleague in it."""
    MOVED = "moved"
    """A supervisor moved it from another queue while it waited."""
    RE_ENTRY = "re-entry"
    """The call had ended for the router, and the same caller's channel came back."""
    FOUND = "found"
    """It was in the queue after a gap, and nothing of this stay was known before."""


class StayOutcome(Enum):
    """How the wait in a queue ended."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    TIMEOUT = "timeout"
    """`max_wait` was over."""
    FULL = "full"
    """Not let in: the queue was full."""
    CLOSED = "closed"
    """Not let in, or sent away: the queue was closed or is gone."""
    NOBODY = "nobody"
    """No agent was there."""
    ENDED = "ended"
    """A supervisor ended the call while it waited."""
    MOVED = "moved"
    """A supervisor moved it to another queue."""
    MOVED_AWAY = "moved-away"
    """Another program took the caller out of the queue."""
    LOST = "lost"
    """Gone after a time without a router."""


class OfferResult(Enum):
    """What became of an offer."""

    ACCEPTED = "accepted"
    """A conversation followed. Accepted offers whose connect failed are `accepted_at` and below."""
    NO_ANSWER = "no-answer"
    """A miss: the phone rang until its time was up."""
    NO_REPLY = "no-reply"
    """The phone did not even say that it rings."""
    DECLINED = "declined"
    WRONG_KEY = "wrong-key"
    NOT_ACCEPTED = "not-accepted"
    """A mobile was picked up and key 1 not pressed."""
    HUNG_UP = "hung-up"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    NUMBER_REFUSED = "number-refused"
    LOST = "lost"
    """Another agent accepted first."""
    WITHDRAWN = "withdrawn"
    """The agent paused or signed out, or the call was moved or left its queue."""
    CALLER_GONE = "caller-gone"
    FOUND_TALKING = "found-talking"
    """After a gap the caller was found in a conversation."""
    NOT_BROUGHT_IN = "not-brought-in"
    """A consulted colleague picked up and could not be connected."""
    PASSED_ON = "passed-on"
    """Accepted; the agent gave the call back to its queue."""
    HUNG_UP_AT_ONCE = "hung-up-at-once"
    """Accepted; the agent hung up within a second, so the caller waits again."""
    FAULTY_LINE = "faulty-line"
    FOUND_WAITING = "found-waiting"
    FOUND_WITH_ANOTHER = "found-with-another"
    CONNECT_CALLER_GONE = "connect-caller-gone"
    CONNECT_LEG_GONE = "connect-leg-gone"
    CONNECT_FAILED = "connect-failed"
    ROUTER_DOWN = "router-down"
    """It was being made when the router stopped, and was not found again."""


class ConversationKind(Enum):
    """How an agent came to have the caller."""

    FIRST = "first"
    """By an offer for the waiting call."""
    PUT_THROUGH = "put-through"
    """A colleague consulted this agent, and completed the transfer."""
    FOUND = "found"
    """The conversation was found after a gap; its beginning is not known exactly."""


class ConversationEnd(Enum):
    """How a conversation ended."""

    AGENT = "agent"
    CALLER = "caller"
    SUPERVISOR = "supervisor"
    BLIND_TRANSFER = "blind-transfer"
    ATTENDED_TRANSFER = "attended-transfer"
    """To a place outside the router, with the keys of the phone."""
    PUT_THROUGH = "put-through"
    """After a consultation: the colleague has the caller, in a conversation of its own."""
    REQUEUED = "requeued"
    """The caller waits again: it broke off at once, or was given back. Not an answered call: the stay
    goes on. The time talked counts for the agent.
    """
    LOST = "lost"
    """Gone after a time without a router."""


class GapKind(Enum):
    """Why something is missing from the record."""

    ROUTER_DOWN = "router-down"
    """No router was running."""
    ROWS_LOST = "rows-lost"
    """The database was away for so long that rows had to be dropped."""


@frozen
class CallRow:
    """A call, from its first entry to its end.

    Attributes:
        call: its id.
        pbx: the telephone system.
        entered_at: its first entry into any queue.
        ended_at: None while it is live.
        queue: the first queue.
        last_queue: the queue it is in, or was in last.
        priority: 1 is first; that of the last stay.
        outcome: None while it is live.
        result: of the last stay, as in ``CALLROUTER_RESULT``; empty while it is live.
        agent: who had the caller last; empty: no agent.
        wait_s: total of its stays, up to `ended_at`.
        talk_s: total of its conversations, holds included.
        hold_s: total on hold.
        stays: how many, also those in which it was not let in.
        offers: how many.
        conversations: how many, without those after which the caller waited again.
        transfers: how many times an agent gave the caller away.
        ended_by: as `ConversationEnd`; ``caller`` if abandoned; ``rule`` if it left by a rule;
            else empty.
        ended_by_name: the supervisor who ended it.
        number_key: finds the caller's calls when the number itself is hashed; empty before that.
    """

    call: str
    pbx: str
    entered_at: float
    ended_at: float | None
    caller_number: str
    caller_name: str
    called_number: str
    tag: str
    priority: int
    queue: str
    last_queue: str
    outcome: CallOutcome | None
    result: str
    agent: str
    wait_s: float
    talk_s: float
    hold_s: float
    stays: int
    offers: int
    conversations: int
    transfers: int
    ended_by: str
    ended_by_name: str
    number_key: str


@frozen
class StayRow:
    """A call's wait in a queue, and what came of it. The key is `call` and `n`, which counts from 0.

    Attributes:
        entered_at: entry into this queue.
        left_at: when the wait ended: connected, abandoned, sent away; None while it waits.
        outcome: None while it waits. A conversation that breaks off at once does not count: the
            stay goes on.
        wait_s: the wait until `left_at`, without time spent talking in between; None while it waits.
        first_position: counts from 1; 0: not let in.
        position: at the end of the wait; 0: not known, or it did not wait.
        agent: who had the caller last in this stay.
        talk_s: total of the stay's conversations, holds included.
        target: where the queue's rules sent it, as files write it: ``queue:sales``; empty: back.
        by: the supervisor who moved or ended it.
        requeues: how often it went back in line because a connect failed or broke off.
    """

    call: str
    n: int
    queue: str
    entered_at: float
    left_at: float | None
    outcome: StayOutcome | None
    wait_s: float | None
    first_position: int
    position: int
    priority: int
    agent: str
    answered_at: float | None
    talk_s: float
    hold_s: float
    how_in: HowIn
    target: str
    by: str
    offers: int
    requeues: int


@frozen
class OfferRow:
    """An offer of a call to an agent. The key is `offer`.

    Attributes:
        stay: the `n` of its stay.
        agent: who was rung.
        taker: who accepted; differs from `agent` if another phone picked the call up.
        device: the phone that accepted.
        policy: the queue's policies, joined by ``,``.
        level: the agent's priority in the queue.
        idle_s: for how long the agent had been idle.
        rang_at: when the first phone rang.
        ended_at: when it ended without a conversation, or when that began.
        result: None while it rings.
        rang_s: from the offer to its end.
    """

    offer: str
    call: str
    stay: int
    queue: str
    agent: str
    taker: str
    device: str
    policy: str
    level: int
    idle_s: float
    made_at: float
    rang_at: float | None
    accepted_at: float | None
    ended_at: float | None
    result: OfferResult | None
    rang_s: float | None


@frozen
class ConversationRow:
    """A conversation of a caller with an agent. The key is `call` and `n`, which counts from 0.

    Attributes:
        stay: the `n` of its stay.
        offer: the offer by which the agent has the caller; empty if it was found.
        talk_s: from its beginning to its end, holds included; None while it goes on.
        wrap_up_s: after-call work; None: not over yet, or there was none.
        ended_by: None while it goes on.
        to: where the caller was transferred: a queue, an agent or an extension.
        by: the person who ended or transferred it, if that was not done on the agent's phone.
    """

    call: str
    n: int
    stay: int
    queue: str
    agent: str
    offer: str
    kind: ConversationKind
    started_at: float
    ended_at: float | None
    talk_s: float | None
    hold_s: float
    wrap_up_s: float | None
    ended_by: ConversationEnd | None
    to: str
    by: str


@frozen
class HoldRow:
    """The caller on hold. The key is `call` and `n`. `by` is empty if the agent did it."""

    call: str
    n: int
    conversation: int
    agent: str
    began_at: float
    ended_at: float | None
    by: str


@frozen
class ConsultationRow:
    """An agent asks a colleague while the caller is on hold. The key is `call` and `n`.

    Attributes:
        agent: who asks.
        talked_at: when the two heard each other; None: they did not, or not yet.
        outcome: ``put-through``, ``hung up``, ``no phone rings``, or how the offer to the colleague
            ended; empty while it goes on.
    """

    call: str
    n: int
    conversation: int
    queue: str
    agent: str
    colleague: str
    asked_at: float
    talked_at: float | None
    ended_at: float | None
    outcome: str


@frozen
class AgentStateRow:
    """What an agent was doing for a while. The key is `serial`.

    Attributes:
        serial: grows with every notice, over all runs. It orders what happened at the same time,
            also against the steps of decisions.
        at: when it began.
        until: None: it goes on.
        status: as `AgentStatus` in small letters with dashes: ``signed-out``, ``no-phone``,
            ``private-call`` and so on.
        state: the value of `AgentState`, as the API shows it.
        reason: of a pause.
        by: who signed the agent in or out, paused or resumed them, if that led to this; empty: the
            agent, or no person did.
    """

    serial: int
    agent: str
    at: float
    until: float | None
    status: str
    state: str
    reason: str
    by: str


@frozen
class DecisionRow:
    """Steps of a call, enough to explain it. The key is `call` and `part`, which counts from 0.

    Attributes:
        began_at: time of the first step in it.
        ended_at: time of the last step.
        steps: packed by `callrouter.record.call_steps`.
    """

    call: str
    part: int
    began_at: float
    ended_at: float
    steps: bytes


@frozen
class MemberListRow:
    """The members of a queue at some decisions. The key is `digest`, of queue and members.

    `members` is JSON: ``{agent: [escalation step, {skill: level}]}``.
    """

    digest: str
    queue: str
    members: str


@frozen
class RunRow:
    """A run of the daemon. The key is `run`.

    Attributes:
        alive_at: it was running at least until then, and had written what there was.
        stopped_at: None: it runs, or did not stop in order.
    """

    run: str
    started_at: float
    alive_at: float
    stopped_at: float | None


@frozen
class GapRow:
    """Something that is missing from the record. The key is `run` and `n`.

    Attributes:
        run: the run that noted it.
        began_at: from when; `ended_at`: until when.
        table_name: whose rows were dropped; empty: no router was running.
        rows_lost: how many rows.
    """

    run: str
    n: int
    kind: GapKind
    began_at: float
    ended_at: float
    table_name: str
    rows_lost: int
