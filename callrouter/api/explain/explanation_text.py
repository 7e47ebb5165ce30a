"""Words of `why` and `why-not`: ranks of candidates, outcomes of offers, durations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from callrouter.api.calllog.agent_timelines import Standing
from callrouter.model.agent_status import AgentStatus
from callrouter.model.device_failures import DeviceFailure
from callrouter.model.events import LegEnd
from callrouter.model.outcomes import OfferEnd, OfferOutcome, RequeueReason
from callrouter.model.text import counted, ordinal, rough_duration
from callrouter.policies.base import Rank

Word: TypeAlias = Callable[[Rank], str]

NAMED: Final = 6
"""Names in a row before "and 12 more"."""


# ---------------------------------------------------------------- what ranked a candidate


def _number(rank: Rank) -> float:
    return rank[0] if isinstance(rank, tuple) else rank


def _hands(rank: Rank) -> str:
    """Return the utilisation in words; max-utilization stores it negated."""
    load, share = rank if isinstance(rank, tuple) else (0.0, rank)
    hour = f"on calls {abs(share):.0%} of the last hour"
    return f"{abs(load):.0%} of capacity in use, {hour}" if load else hour


_SAYS_NOTHING: Final = frozenset({"random", "weighted-random", "ring-all", "longest-idle"})
"""Policies whose values are the same for all, or are shown anyway (the idle time)."""

_VALUES: Final[Mapping[str, Word]] = {
    "priority": lambda rank: f"level {_number(rank):g}",
    "linear": lambda rank: f"{ordinal(int(_number(rank)) + 1)} in the table",
    "round-robin": lambda rank: (
        f"last turn no. {_number(rank):g}" if _number(rank) >= 0 else "no turn yet"
    ),
    "fewest-calls": lambda rank: f"{counted(int(_number(rank)), 'call', zero='0')} today",
    "least-talk-time": lambda rank: f"talked {rough_duration(_number(rank))} today",
    "skills": lambda rank: f"skill {-_number(rank):g}",
    "average-utilization": _hands,
    "max-utilization": _hands,
}


def values(policy: Sequence[str], ranks: Sequence[Rank], idle: float | None) -> str:
    """Return the values that ranked a candidate, most significant first: ``level 1, idle 34 s``.

    Args:
        policy: the queue's policies, most significant first.
        ranks: the value of each policy, in the same order.
        idle: seconds since the agent became available; None: not known, or a draw decided.
    """
    words = []
    for name, rank in zip(policy, ranks, strict=False):
        if name not in _SAYS_NOTHING:
            say = _VALUES.get(name)
            words.append(say(rank) if say is not None else f"{name} {plain_rank(rank)}")
    if idle is not None:
        words.append(f"idle {rough_duration(idle)}")
    return ", ".join(words)


def plain_rank(rank: Rank) -> str:
    """Format a rank of a policy that we have no words for.

    Numbers of a rank with several parts are separated by `` / ``. It is for policies that were
    added without words in `_VALUES`.
    """
    return " / ".join(f"{part:g}" for part in (rank if isinstance(rank, tuple) else (rank,)))


# ---------------------------------------------------------------- why an agent was passed over


def standing_words(standing: Standing | None) -> tuple[str, str]:
    """Return why an agent in this state is not rung: a stable keyword, and words.

    ``("", "")``: no reason.
    """
    if standing is None:
        return "unknown", "not known any more"
    match standing.status:
        case AgentStatus.AVAILABLE:
            return "", ""
        case AgentStatus.PAUSED:
            reason = standing.pause_reason
            return "paused", f"paused: {reason}" if reason else "paused"
        case AgentStatus.ON_CALL:
            return "on-call", "on another call"
        case AgentStatus.PRIVATE_CALL:
            return "private-call", "in a private call"
        case AgentStatus.WRAP_UP:
            return "wrap-up", "in wrap-up"
        case AgentStatus.RINGING | AgentStatus.RESERVED | AgentStatus.CLOSING:
            return "busy", "being rung for another call"
        case AgentStatus.NO_PHONE:
            return "no-phone", "phone not reachable"
        case AgentStatus.SIGNED_OUT:
            return "signed-out", "signed out"


ORDER: Final = (
    "ringing", "tried", "later", "not-drawn", "preferred", "opens-later", "skills", "busy",
    "on-call", "private-call", "wrap-up", "paused", "no-phone", "other-pbx", "signed-out", "unknown",
)  # fmt: skip
"""Reasons for passing over an agent, most informative first."""


def tried_words(outcome: OfferOutcome | None) -> str:
    """Say what an agent did who was rung for this call earlier; None: that is not known.

    `RequeueReason.PASSED_ON` stands for any transfer that brought the caller back to the queue.
    """
    match outcome:
        case None:
            return "tried already"
        case RequeueReason.PASSED_ON:
            return "has passed this call on"
        case LegEnd.NO_ANSWER | LegEnd.NOT_ACCEPTED:
            return "tried already: missed it"
        case LegEnd.DECLINED | LegEnd.WRONG_KEY | LegEnd.BUSY:
            return "tried already: refused it"
        case _:
            return f"tried already: {outcome.value}"


def lacking(needs: Iterable[tuple[str, int]], skills: Mapping[str, int]) -> str:
    """Say which skills an agent lacks: ``lacks french 3 (has 1)``.

    Args:
        needs: the required skills with their levels.
        skills: the agent's skills.

    Returns:
        Empty if nothing is lacking.
    """
    parts = [
        f"{skill} {level}" + (f" (has {skills[skill]})" if skills.get(skill) else "")
        for skill, level in sorted(needs)
        if skills.get(skill, 0) < level
    ]
    return f"lacks {', '.join(parts)}" if parts else ""


# ---------------------------------------------------------------- what became of an offer

_FAILED: Final[Mapping[OfferOutcome | DeviceFailure, str]] = {
    LegEnd.NO_ANSWER: "no answer",
    LegEnd.SILENT: "the phone did not reply, not even that it rings",
    LegEnd.NOT_ACCEPTED: "picked up, but key 1 was not pressed",
    LegEnd.DECLINED: "declined",
    LegEnd.WRONG_KEY: "picked up, and pressed neither 1 nor 2",
    LegEnd.BUSY: "busy",
    LegEnd.UNAVAILABLE: "the phone takes no calls now",
    LegEnd.UNREACHABLE: "the phone could not be reached",
    LegEnd.FAILED: "the telephone system could not place it",
    LegEnd.NUMBER_REFUSED: "the carrier refused the number that was shown (see caller_id and show)",
    LegEnd.HUNG_UP: "picked up and hung up before the call was taken",
    OfferEnd.CALLER_GONE: "the caller hung up",
}


def failed_words(outcome: OfferOutcome | DeviceFailure) -> str:
    """Say how an offer, or the call to one device, ended that was not accepted.

    Outcomes without words of their own are shown by their value.
    """
    return _FAILED.get(outcome, outcome.value)


def after_ringing(rang: float | None, words: str) -> str:
    """Put the seconds of ringing before what followed: ``rang 20 s, no answer``; None: none.

    Args:
        rang: seconds of ringing; None: no phone has said that it rings.
        words: what followed.
    """
    return words if rang is None else f"rang {rough_duration(rang)}, {words}"
