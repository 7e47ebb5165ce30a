"""The policies a queue can name. To add one, write a class in `builtin` and list it in `REGISTRY`.

Another package can add its own: when the configuration is read, `register` is called for each entry
point in the group ``callrouter.policies``.
"""

from __future__ import annotations

from callrouter.policies.base import Policy
from callrouter.policies.builtin import (
    AverageUtilization,
    FewestCalls,
    LeastTalkTime,
    Linear,
    LongestIdle,
    MaxUtilization,
    Priority,
    Random,
    RingAll,
    RoundRobin,
    Skills,
    WeightedRandom,
)

REGISTRY: dict[str, Policy] = {
    policy.name: policy
    for policy in (
        AverageUtilization(),
        FewestCalls(),
        LeastTalkTime(),
        Linear(),
        LongestIdle(),
        MaxUtilization(),
        Priority(),
        Random(),
        RingAll(),
        RoundRobin(),
        Skills(),
        WeightedRandom(),
    )
}

BUILT_IN = frozenset(REGISTRY)


def reads_busy_share(name: str) -> bool:
    """Whether a policy needs `Candidate.busy_share`; False for an unknown name."""
    return bool(getattr(REGISTRY.get(name), "reads_busy_share", False))


def reads_turn(name: str) -> bool:
    """Whether a policy needs `Candidate.turn` of before a restart; False for an unknown name."""
    return bool(getattr(REGISTRY.get(name), "reads_turn", False))


def known() -> frozenset[str]:
    """The names that `policy:` accepts.

    These are the built-in ones and those that other packages have registered so far.
    """
    return frozenset(REGISTRY)


def sentences() -> dict[str, str]:
    """What each policy does, in a sentence for supervisors, by its name.

    A policy without a sentence has the first line of its docstring, which may be empty.
    """
    found = {}
    for name, policy in sorted(REGISTRY.items()):
        said = getattr(policy, "sentence", "") or (policy.__doc__ or "").strip().partition("\n")[0]
        found[name] = str(said)[:200]
    return found


def register(name: str, policy: object) -> None:
    """Add a policy of another package.

    Args:
        name: the name for `policy:`. A later policy of the same name replaces an earlier one.
        policy: a policy, or a class that is called without arguments to make one.

    Raises:
        ValueError: it is not a policy, or would replace a built-in one.
    """
    if name in BUILT_IN:
        raise ValueError(f"policy '{name}' comes with callrouter and can't be replaced")
    made = policy() if isinstance(policy, type) else policy
    for attribute in ("draws", "rings_all", "rank"):
        if not hasattr(made, attribute):
            raise ValueError(f"policy '{name}' has no '{attribute}': see callrouter.policies.base")
    REGISTRY[name] = made  # type: ignore[assignment]  # checked above
