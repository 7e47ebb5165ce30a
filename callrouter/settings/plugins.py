"""Policies that other packages bring, by the entry-point group ``callrouter.policies``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from callrouter.policies import register

GROUP: Final = "callrouter.policies"

_loaded: set[tuple[str, str]] = set()
"""Entry points taken up by this process: name and what it points to."""


class PluginError(Exception):
    """A package's policy cannot be used; `str()` names the package and says why."""


def load_policies() -> None:
    """Register the policies of all installed packages. Each is taken up once, however often asked.

    Raises:
        PluginError: one cannot be imported, is no policy, or has the name of another.
    """
    for point in entry_points(group=GROUP):
        if (point.name, point.value) not in _loaded:
            _take(point)
            _loaded.add((point.name, point.value))


def _take(point: EntryPoint) -> None:
    package = point.dist.name if point.dist is not None else "an unknown package"
    version = f" {point.dist.version}" if point.dist is not None else ""
    who = f"policy '{point.name}' of package {package}{version} ({point.value})"
    if any(name == point.name for name, _ in _loaded):
        raise PluginError(
            f"{who}: another package brings a policy of this name; remove one of them"
        )
    try:
        made = point.load()
    except Exception as error:
        # Whatever a stranger's module does when it is imported.
        text = str(error) or type(error).__name__
        raise PluginError(f"{who} cannot be loaded: {text}; mend or remove the package") from error
    try:
        policy = made() if isinstance(made, type) else made
        _try(policy)
        register(point.name, policy)
    except Exception as error:
        text = str(error) or type(error).__name__
        raise PluginError(f"{who} cannot be used: {text}; mend or remove the package") from error


@dataclass(frozen=True, slots=True)
class _Somebody:
    """An agent to try a policy on (`callrouter.policies.base.Candidate`)."""

    level: int = 1
    order: int = 0
    turn: int = 0
    calls: int = 0
    talk: float = 0.0
    load: float = 0.0
    busy_share: float = 0.0
    offers_per_second: float = math.inf
    skills: Mapping[str, int] = field(default_factory=dict)
    idle_since: float = 1.0


def _try(policy: Any) -> None:
    """A policy that fails here would fail on the first call.

    Raises:
        Exception: whatever the policy raises, or TypeError when its rank cannot be sorted by.
    """
    if not hasattr(policy, "rank"):
        return  # `register` says so
    rank = policy.rank(_Somebody(), {})
    parts = rank if isinstance(rank, tuple) else (rank,)
    if not all(isinstance(part, int | float) for part in parts):
        raise TypeError(f"its rank is {rank!r}, and must be a number or a tuple of numbers")
