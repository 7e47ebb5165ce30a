"""Policies from other packages, through the entry-point group ``callrouter.policies``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from callrouter.policies import register

GROUP: Final = "callrouter.policies"

_loaded: set[tuple[str, str]] = set()
"""Entry points loaded by this process: name and target."""


class PluginError(Exception):
    """A package's policy cannot be used; `str()` names the package and says why."""


def load_policies() -> None:
    """Register the policies of all installed packages. Repeated calls load each only once.

    Raises:
        PluginError: one cannot be imported, is not a policy, or has another policy's name.
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
        # A third-party module may raise anything when imported.
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
    """A sample agent to try a policy on (`callrouter.policies.base.Candidate`).

    It has all attributes of a real one, so that a policy can be tried without a routing table.
    """

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
    """Try a policy, so that it fails here and not on the first call.

    Raises:
        Exception: raised by the policy, or TypeError if its rank cannot be compared.
    """
    if not hasattr(policy, "rank"):
        return  # `register` reports that
    rank = policy.rank(_Somebody(), {})
    parts = rank if isinstance(rank, tuple) else (rank,)
    if not all(isinstance(part, int | float) for part in parts):
        raise TypeError(f"its rank is {rank!r}, and must be a number or a tuple of numbers")
