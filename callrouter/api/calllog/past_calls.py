"""Calls of earlier runs and earlier days: read from the record, explained like those in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from callrouter.api.calllog.agent_timelines import AgentTimelines, Standing, Standings
from callrouter.api.calllog.call_log import AmbiguousIdError, CallLog
from callrouter.api.calllog.logged_call import NO_MEMBERS, LoggedCall, Step, replayed
from callrouter.core.floor import Floor
from callrouter.core.state import Agent, Membership, Queue
from callrouter.model.agent_status import AgentStatus
from callrouter.model.call_notices import CallEntered, OfferDecided, OfferEnded
from callrouter.model.notices import CallNotice
from callrouter.model.routing_table import AgentSpec, MemberSpec, QueueSpec, SignIn
from callrouter.record.call_heads import CallHead, head_of, heads_of
from callrouter.record.call_steps import MemberFacts, StoredStep, members_of, unpack_steps
from callrouter.record.reading_threads import ReadingThread
from callrouter.record.record_reader import RecordReader
from callrouter.record.rows import AgentStateRow

_SHIFT: Final = 10**18
"""Is taken from serial numbers of the record, so that they are below those of this run's log."""
_NO_SERIAL: Final = -2 * _SHIFT
"""Stands for the 0 of the log, and is below the serial numbers of decisions as that is."""
_AFTER: Final = 1.0
"""Seconds after the last step of a call within which what agents did next explains it."""
_STATUSES: Final = {status.name.lower().replace("_", "-"): status for status in AgentStatus}


class PastCall(NamedTuple):
    """A call with what agents were doing at its steps."""

    call: LoggedCall
    standings: Standings


class ReasonsGoneError(Exception):
    """A call is in the record, and its steps are not any more.

    Attributes:
        call: the call, without steps.
    """

    def __init__(self, call: LoggedCall) -> None:
        super().__init__(call.call)
        self.call = call


class _Read(NamedTuple):
    """What was read of a call: plain values, that no thread shares with the floor."""

    head: CallHead
    steps: list[StoredStep]
    members: Mapping[str, Mapping[str, MemberFacts]]
    states: Sequence[AgentStateRow]


class PastCalls:
    """Finds calls in the record.

    Args:
        record: asks it.
        floor: the escalation steps of queues, which say from when an agent is open to a call.
        log: the calls of this run.
    """

    def __init__(self, record: ReadingThread, floor: Floor, log: CallLog) -> None:
        self._record = record
        self._floor = floor
        self._log = log

    async def find(self, part: str) -> PastCall | None:
        """Return the call with this id, or whose id starts or ends with it; None: there is none.

        ``last`` is the latest call. Of a call that goes on, or went on in this run, what is in the
        log follows what the record has of earlier runs.

        Raises:
            AmbiguousIdError: several calls match.
            ReasonsGoneError: the call is known, and its steps are no longer kept.
            StoreError: the record cannot be read.
        """
        names = await self._record.ask(lambda reader: reader.find(part))
        if len(names) > 1:
            heads = await self._record.ask(lambda reader: heads_of(reader, names[:5]))
            raise AmbiguousIdError(part, [logged_head(head) for head in heads])
        return await self.read(names[0]) if names else None

    async def read(self, name: str) -> PastCall | None:
        """Return a call by its whole id; None: the record does not have it.

        Raises:
            ReasonsGoneError: the call is known, and its steps are no longer kept.
            StoreError: the record cannot be read.
        """
        found = await self._record.ask(lambda reader: _read(reader, name))
        if found is None:
            return None
        lists = {
            digest: _PastMembers(self._queue(queue), members)
            for digest, (queue, members) in _by_queue(found).items()
        }
        kept = [_kept(step, lists) for step in found.steps]
        here = self._log.call(name)
        if here is not None and not here.in_record:
            kept = [*_before(kept, here), *here.kept]
        if not kept:
            raise ReasonsGoneError(logged_head(found.head))
        call = replayed(name, kept)
        if found.head.row.ended_at is not None and call.ended_at is None and here is None:
            lost = logged_head(found.head)  # it was gone after a time without a router
            call.state, call.ended_at, call.result = lost.state, lost.ended_at, lost.result
        return PastCall(call, _PastStandings(found.states, self._log, self._is_always_signed_in))

    async def call(self, name: str) -> LoggedCall | None:
        """Return a call that has ended, by its whole id, with its steps if they are kept.

        None: the record does not have it, or it has not ended.

        Raises:
            StoreError: the record cannot be read.
        """
        try:
            found = await self.read(name)
        except ReasonsGoneError as gone:
            return gone.call
        return None if found is None or found.call.ended_at is None else found.call

    def _queue(self, name: str) -> Queue:
        queue = self._floor.queues.get(self._floor.former_queues.get(name, name))
        return Queue(spec=QueueSpec(id=name, name=name)) if queue is None else queue

    def _is_always_signed_in(self, agent: str) -> bool:
        spec = self._floor.table.agents.get(agent)
        return spec is not None and spec.sign_in is SignIn.ALWAYS


# ---------------------------------------------------------------- in the thread


def _read(reader: RecordReader, name: str) -> _Read | None:
    story = reader.story(name)
    if story is None:
        return None
    head = head_of(story)
    steps = [step for part in story.decisions for step in unpack_steps(part.steps)]
    texts = reader.member_lists({step.digest for step in steps if step.digest})
    members = {digest: members_of(text) for digest, text in texts.items()}
    if not steps:
        return _Read(head, steps, members, ())
    begin, end = steps[0].notice.at, max(step.notice.at for step in steps) + _AFTER
    names = {agent for found in members.values() for agent in found}
    names |= {step.notice.agent for step in steps if isinstance(step.notice, OfferDecided)}
    return _Read(head, steps, members, reader.agent_states(begin, end, names))


def _by_queue(found: _Read) -> dict[str, tuple[str, Mapping[str, MemberFacts]]]:
    """Return the lists of members, each with the queue of a decision that it belongs to."""
    return {
        step.digest: (step.notice.queue, found.members[step.digest])
        for step in found.steps
        if step.digest in found.members
    }


# ---------------------------------------------------------------- as the log has it


def logged_head(head: CallHead) -> LoggedCall:
    """Return an ended call as the log shows it in lists, without steps."""
    row = head.row
    return LoggedCall(
        call=row.call,
        began=row.entered_at,
        serial=0,
        queue=row.last_queue,
        entered_at=row.entered_at,
        caller_number=row.caller_number,
        caller_name=row.caller_name,
        priority=row.priority,
        state=head.state,
        result=head.result,
        agent=row.agent,
        wait=head.wait_s,
        talk=head.talk_s,
        ended_at=row.ended_at,
        entered=True,
        in_record=True,
    )


def _kept(step: StoredStep, lists: Mapping[str, _PastMembers]) -> CallNotice | Step:
    """Return a step as the log keeps it: with a serial number only where that says something."""
    notice = step.notice
    if isinstance(notice, OfferDecided):
        return (step.serial - _SHIFT, notice, lists.get(step.digest, NO_MEMBERS))
    if isinstance(notice, OfferEnded):
        return (step.serial - _SHIFT, notice, NO_MEMBERS)
    return (_NO_SERIAL, notice, NO_MEMBERS)


def _before(kept: list[CallNotice | Step], here: LoggedCall) -> list[CallNotice | Step]:
    """Return what is older than a call of this run, which may be in the record as well by now."""
    first = here.steps()[0][1]
    for place in range(len(kept) - 1, -1, -1):
        item = kept[place]
        notice = item[1] if isinstance(item, tuple) else item
        if isinstance(notice, CallEntered) and notice == first:
            return kept[:place]
    return kept if here.found else []


class _PastMembers(Mapping[str, Membership]):
    """The members of a queue at some time. Each is made when it is looked at: there may be thousands."""

    def __init__(self, queue: Queue, facts: Mapping[str, MemberFacts]) -> None:
        self._queue = queue
        self._facts = facts

    def __getitem__(self, agent: str) -> Membership:
        step, skills = self._facts[agent]
        person = Agent(spec=AgentSpec(id=agent, name=agent, skills=skills))
        return Membership(person, self._queue, MemberSpec(agent=agent), escalation_step=step)

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


class _PastStandings:
    """What agents were doing: by the record for serial numbers of the record, else by the log."""

    def __init__(
        self, states: Sequence[AgentStateRow], log: CallLog, always_signed_in: Callable[[str], bool]
    ) -> None:
        self._log = log
        self._timelines = AgentTimelines(always_signed_in)
        for row in states:
            status = _STATUSES.get(row.status)
            if status is not None:
                self._timelines.add(row.agent, row.serial - _SHIFT, status, row.reason)

    def standing(self, agent: str, serial: int) -> Standing | None:
        """See `Standings`."""
        if serial > 0:
            return self._log.standing(agent, serial)
        return self._timelines.before(agent, serial)

    def standing_after(self, agent: str, serial: int) -> Standing | None:
        """See `Standings`."""
        if serial > 0:
            return self._log.standing_after(agent, serial)
        return self._timelines.after(agent, serial)
