"""What is asked of a report, of which site, and how much of it the asker may see."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final

from callrouter.model.routing_table import AgentSpec, QueueSpec
from callrouter.model.text import in_quotes, mask, phrase
from callrouter.reports.periods import Period
from callrouter.reports.service_level import Target
from callrouter.settings.loaded import Settings

MOST_ROWS: Final = 10_000
"""The most calls that a report lists."""


class ReportError(ValueError):
    """A report that cannot be made. The text says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """What is asked for.

    Attributes:
        what: the kind of report; see `callrouter.reports.catalog`.
        period: the time it is about. ``call`` ignores it.
        by: the length of its intervals; empty: it is not divided, or ``hours`` by the hour.
        queue: its id, if the report is about one; empty: about all.
        agent: likewise.
        call: the id of the call, for ``call``.
        figure: for ``calls``: only those that make this figure, such as ``queues.answered``.
        most: how many calls ``calls`` and ``abandoned`` list at most.
    """

    what: str
    period: Period
    by: str = ""
    queue: str = ""
    agent: str = ""
    call: str = ""
    figure: str = ""
    most: int = MOST_ROWS


@dataclass(frozen=True, slots=True)
class Scope:
    """What the asker may see.

    Attributes:
        queues: ids; None: all.
        agents: ids; None: all.
        agent: the agent the asker acts for; empty: none. If `masked`, only this agent's calls are
            listed.
        masked: whether callers' numbers are masked.
    """

    queues: frozenset[str] | None = None
    agents: frozenset[str] | None = None
    agent: str = ""
    masked: bool = False

    def number(self, number: str) -> str:
        """Return a caller's number as the asker may see it."""
        return mask(number) if self.masked else number

    def person(self, agent: str) -> str | None:
        """Return an agent as the asker may see them: agents see no other names. None: none, or hidden."""
        hidden = self.masked and agent != self.agent
        return None if hidden or not agent else agent


ALL: Final = Scope()


@dataclass(frozen=True, slots=True)
class Names:
    """Queues or agents: those of the configuration, and who had another id before.

    Attributes:
        kind: ``queue`` or ``agent``, for messages.
        shown: the name for people, by id.
        former: ids that one had before, with its present id.
    """

    kind: str
    shown: Mapping[str, str]
    former: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: str, specs: Mapping[str, QueueSpec] | Mapping[str, AgentSpec]) -> Names:
        """Return the names of a configuration's queues or agents."""
        shown = {id_: spec.name for id_, spec in specs.items()}
        former = {
            spec.renamed_from: id_
            for id_, spec in specs.items()
            if spec.renamed_from and spec.renamed_from not in specs
        }
        return cls(kind, shown, former)

    def current(self, id_: str) -> str:
        """Return the present id of one that is on record with `id_`."""
        return self.former.get(id_, id_)

    def name(self, id_: str) -> str:
        """Return the name for people; the id of one that is no longer configured."""
        return self.shown.get(id_, id_)

    def recorded(self, ids: Collection[str]) -> frozenset[str]:
        """Return the ids under which these are on record: their own and former ones."""
        return frozenset(ids) | {old for old, new in self.former.items() if new in ids}

    def unknown(self, id_: str, known: Collection[str]) -> ReportError:
        """Return the error for an id that there is not, with the nearest one.

        Args:
            id_: as asked for.
            known: the ids there are.
        """
        close = difflib.get_close_matches(id_.lower()[:100], known, n=1, cutoff=0.6)
        if close:
            hint: str = phrase("did-you-mean", "did you mean {name}?", name=in_quotes(close[0]))
        elif known:
            first = sorted(known)[:5]
            hint = phrase("there-are", "there are {names}", names=first)
            if len(known) > 5:
                hint = phrase("there-are-others", "there are {names} and others", names=first)
        else:
            hint = phrase("there-is-none", "there is none")
        if self.kind == "queue":
            text = "there is no queue {name}; {hint}"
            return ReportError(phrase("no-queue-on-record", text, name=in_quotes(id_), hint=hint))
        text = "there is no agent {name}; {hint}"
        return ReportError(phrase("no-agent-on-record", text, name=in_quotes(id_), hint=hint))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What reports need of the configuration, and the time.

    Attributes:
        zone: the site's time zone.
        now: epoch seconds.
        queues: the queues.
        agents: the agents.
        targets: the service levels that queues aim at, by id; others have `Target()`.
        members: the level of each agent that serves a queue, by queue and agent; also of those who
            do so only in shifts or after a wait.
    """

    zone: tzinfo
    now: float
    queues: Names
    agents: Names
    targets: Mapping[str, Target] = field(default_factory=dict)
    members: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, now: float) -> Site:
        """Return the site of a configuration."""
        table = settings.table
        return cls(
            zone=table.zone,
            now=now,
            queues=Names.of("queue", table.queues),
            agents=Names.of("agent", table.agents),
            targets={
                id_: Target(level.within, level.short_abandon, level.target)
                for id_, level in settings.service_levels.items()
            },
            members={id_: _members(spec) for id_, spec in table.queues.items()},
        )

    def target(self, queue: str) -> Target:
        """Return what a queue aims at."""
        return self.targets.get(queue, Target())


def _members(queue: QueueSpec) -> dict[str, int]:
    """Return the level of each agent who may serve a queue at some time."""
    shifts = [member for shift in queue.shifts for member in shift.members]
    later = [member for step in queue.widen for member in step.members]
    return {member.agent: member.level for member in (*later, *shifts, *queue.members)}
