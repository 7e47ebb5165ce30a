"""Answers about the cluster: its pools, their nodes, and which of them is active."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from callrouter.api.schemas.vocabulary import Moment, PhraseJson

ClusterRole: TypeAlias = Literal["active", "standby"]
NodeRole: TypeAlias = Literal["active", "standby", "away"]


class ClusterNodeJson(TypedDict):
    """A node: a daemon that is registered for a pool."""

    name: Annotated[str, Field(examples=["north-1"])]
    role: NodeRole
    """``away``: it gives no sign of life, or cannot take over; `trouble` says why."""
    since: Moment | None
    """When it took its present role; null: not known."""
    seen_s: float
    """Seconds since its last sign of life."""
    host: str
    """The name of its machine."""
    url: str
    """Where the other nodes reach it."""
    pid: int
    version: str
    config: str
    """The digest of the configuration that it has in force; empty: not known."""
    config_source: Annotated[str, Field(examples=["files", "database"])]
    config_differs: bool
    """Whether it has another configuration in force than the active node."""
    trouble: list[str]
    """What is wrong with it, in words."""
    trouble_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""


class ClusterPoolJson(TypedDict):
    """A pool: agents and queues that one node at a time serves."""

    pool: str
    active: str | None
    """The node that serves it; null: none does."""
    since: Moment | None
    """Since when; null: none does."""
    epoch: int
    """How many times a node has taken the pool over."""
    lease_left_s: float
    """Seconds for which the active node may serve the pool without asking the database again."""
    hand_to: str | None
    """The node that it is being handed over to."""
    trouble: list[str]
    """What is wrong with it, in words."""
    trouble_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    nodes: list[ClusterNodeJson]


class ClusterJson(TypedDict):
    """All pools of the database, and the node that was asked."""

    node: str
    pool: str
    role: ClusterRole
    pools: list[ClusterPoolJson]


class HandOverJson(TypedDict):
    """A pool that is being handed over. It takes about a second."""

    pool: str
    active: str | None
    """The node that served it when that was asked for."""
    to: str
    """The node that takes over."""
    epoch: int
    """How many times a node had taken the pool over; it grows by one."""


class ClusterStatusJson(TypedDict):
    """The cluster as the daemon sees it."""

    node: str
    pool: str
    role: ClusterRole
    state: NotRequired[Literal["good", "bad"]]
    active: NotRequired[str]
    """The node that is active, as far as is known; empty: none is."""
    since_s: NotRequired[float]
    """Seconds since this node took its role."""
    lease_s: NotRequired[float | None]
    """Seconds for which the active node may serve without asking the database; null: a standby."""
    problem: NotRequired[str | None]
    """What keeps this node from taking over or from renewing its lease; null: nothing."""
    epoch: int
    standbys: int
    """How many nodes could take over now."""
    forwarded: dict[str, int]
    """Requests that came while this node was a standby, by what became of them."""
