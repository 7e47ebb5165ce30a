"""Words of `why` and `why-not`: ranks of candidates, outcomes of offers, durations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Final, TypeAlias

from callrouter.api.calllog.agent_timelines import Standing
from callrouter.model.agent_status import AgentStatus
from callrouter.model.events import LegEnd
from callrouter.model.outcomes import NAMES, OfferOutcome, RequeueReason
from callrouter.model.text import phrase
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
    hour = phrase(
        "rank-hour", "on calls {hour_share} of the last hour", hour_share=abs(float(share))
    )
    if not load:
        return hour
    text = "{load_share} of capacity in use, {hour}"
    return phrase("rank-load", text, load_share=abs(float(load)), hour=hour)


def _turn(rank: Rank) -> str:
    if _number(rank) < 0:
        return phrase("rank-no-turn", "no turn yet")
    return phrase("rank-turn", "last turn no. {turn}", turn=_number(rank))


def _calls(rank: Rank) -> str:
    text, many = "{count} call today", "{count} calls today"
    return phrase("rank-calls", text, many, count=int(_number(rank)))


_SAYS_NOTHING: Final = frozenset({"random", "weighted-random", "ring-all", "longest-idle"})
"""Policies whose values are the same for all, or are shown anyway (the idle time)."""

_VALUES: Final[Mapping[str, Word]] = {
    "priority": lambda rank: phrase("rank-level", "level {level}", level=_number(rank)),
    "linear": lambda rank: phrase(
        "rank-place", "{place_th} in the table", place_th=int(_number(rank)) + 1
    ),
    "round-robin": _turn,
    "fewest-calls": _calls,
    "least-talk-time": lambda rank: phrase(
        "rank-talked", "talked {talked_s} today", talked_s=_number(rank)
    ),
    "skills": lambda rank: phrase("rank-skill", "skill {level}", level=-_number(rank)),
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
    words: list[str] = []
    for name, rank in zip(policy, ranks, strict=False):
        if name not in _SAYS_NOTHING:
            say = _VALUES.get(name)
            words.append(say(rank) if say is not None else f"{name} {plain_rank(rank)}")
    if idle is not None:
        words.append(phrase("rank-idle", "idle {idle_s}", idle_s=idle))
    return in_a_row(words)


def in_a_row(parts: Sequence[str]) -> str:
    """Return phrases in one line, separated by commas; empty if there are none."""
    return reduce(_and_then, parts) if parts else ""


def _and_then(first: str, second: str) -> str:
    return phrase("and-then", "{first}, {second}", first=first, second=second)


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
        return "unknown", phrase("not-known", "not known any more")
    match standing.status:
        case AgentStatus.AVAILABLE:
            return "", ""
        case AgentStatus.PAUSED:
            reason = standing.pause_reason
            return "paused", pause_words(reason)
        case AgentStatus.ON_CALL:
            return "on-call", phrase("on-other-call", "on another call")
        case AgentStatus.PRIVATE_CALL:
            return "private-call", phrase("in-private-call", "in a private call")
        case AgentStatus.WRAP_UP:
            return "wrap-up", phrase("in-wrap-up", "in wrap-up")
        case AgentStatus.RINGING | AgentStatus.RESERVED | AgentStatus.CLOSING:
            return "busy", phrase("rung-for-other-call", "being rung for another call")
        case AgentStatus.NO_PHONE:
            return "no-phone", phrase("phone-not-reachable", "phone not reachable")
        case AgentStatus.SIGNED_OUT:
            return "signed-out", phrase("signed-out", "signed out")


def pause_words(reason: str) -> str:
    """Say that an agent is paused, with the reason if one was given."""
    if reason:
        return phrase("paused-for", "paused: {reason}", reason=reason)
    return phrase("paused", "paused")


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
            return phrase("tried", "tried already")
        case RequeueReason.PASSED_ON:
            return phrase("tried-passed-on", "has passed this call on")
        case LegEnd.NO_ANSWER | LegEnd.NOT_ACCEPTED:
            return phrase("tried-missed", "tried already: missed it")
        case LegEnd.DECLINED | LegEnd.WRONG_KEY | LegEnd.BUSY:
            return phrase("tried-refused", "tried already: refused it")
        case _:
            return phrase("tried-ended", "tried already: {outcome}", outcome=NAMES[outcome])


def lacking(needs: Iterable[tuple[str, int]], skills: Mapping[str, int]) -> str:
    """Say which skills an agent lacks: ``lacks french 3 (has 1)``.

    Args:
        needs: the required skills with their levels.
        skills: the agent's skills.

    Returns:
        Empty if nothing is lacking.
    """
    parts = [
        _lacking_skill(skill, level, skills.get(skill, 0))
        for skill, level in sorted(needs)
        if skills.get(skill, 0) < level
    ]
    if not parts:
        return ""
    return phrase("lacks", "lacks {skills}", skills=in_a_row(parts))


def _lacking_skill(skill: str, level: int, has: int) -> str:
    if has:
        text = "{skill} {level} (has {has})"
        return phrase("lacking-skill-has", text, skill=skill, level=level, has=has)
    return phrase("lacking-skill", "{skill} {level}", skill=skill, level=level)


# ---------------------------------------------------------------- what became of an offer


def after_ringing(rang: float | None, words: str) -> str:
    """Put the seconds of ringing before what followed: ``rang 20 s, no answer``; None: none.

    Args:
        rang: seconds of ringing; None: no phone has said that it rings.
        words: what followed.
    """
    if rang is None:
        return words
    return phrase("after-ringing", "rang {rang_s}, {what}", rang_s=rang, what=words)
