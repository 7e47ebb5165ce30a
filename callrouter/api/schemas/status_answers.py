"""Answers about the daemon itself: its health, its PBXes, and the parts it runs."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from callrouter.api.schemas.cluster_answers import ClusterRole, ClusterStatusJson
from callrouter.api.schemas.config_answers import ConfigStatusJson
from callrouter.api.schemas.vocabulary import AgentStateName, Counts, Moment, UpOrDown
from callrouter.outbox.payloads import AlertSubject


class HealthJson(TypedDict):
    """Whether calls are served."""

    state: Literal["up", "degraded", "down"]
    pbx: dict[str, UpOrDown]
    config: NotRequired[Literal["bad", "held", "last-good"]]
    """Present unless the files are in force: they have mistakes, or must be confirmed."""
    role: NotRequired[ClusterRole]
    """Of a node of a cluster: whether it is the active one of its pool."""
    standbys: NotRequired[int]
    """How many nodes of its pool could take over now."""
    store: NotRequired[UpOrDown]
    """Whether the database can be written."""
    drift: NotRequired[Counts]
    """Differences found on each PBX that no event had announced. Only with a token."""
    version: NotRequired[str]
    """Only with a token."""


class PbxStatusJson(TypedDict):
    """A PBX as its driver sees it."""

    state: UpOrDown
    """``up``: connected and compared with."""
    detail: Annotated[str, Field(examples=["Asterisk 22.5.2 at 127.0.0.1:5038"])]
    drift: int
    """Differences found that no event had announced."""
    faults: int
    """Messages that the driver failed to handle."""
    counts: Counts
    """Unusual but harmless events, by name."""
    link: Counts
    """What went over the link to the PBX, by name."""


class StoreStatusJson(TypedDict):
    """How agents' states are being saved."""

    state: Literal["good", "bad"]
    database: str | None
    """Its location; null except for admins."""
    problem: str | None
    unsaved: int
    """Rows that wait to be written."""
    lost: int
    """Rows of the audit given up while the database was away."""


class RecordStatusJson(TypedDict):
    """How the record of calls and agents is being written."""

    waiting: int
    """Rows that wait to be written."""
    lost: int
    """Rows given up since the start, because the database was away for too long."""


class QueueLogStatusJson(TypedDict):
    """The file of queue_log, if the configuration asks for one."""

    file: str | None
    """Its path; null except for admins."""
    problem: str | None
    waiting: int
    """Lines that are not in the file yet."""
    lost: int
    """Lines given up since the start."""


class RefusedStatusJson(TypedDict):
    """The HTTP side."""

    refused: Counts
    """Refused requests, by the end of the problem's `type`."""


class InvariantsStatusJson(TypedDict):
    """The daemon's check of its own state."""

    rounds: int
    breaches: int
    last_breach: str | None


class LoopStatusJson(TypedDict):
    """How often calls were held up by something slow."""

    held_up: int
    longest_ms: int
    by: str | None


class FeatureCodesStatusJson(TypedDict):
    """Agents who dial a code."""

    conversations: int
    """Now."""
    wrong_pins: int
    lockouts: int
    outside_closed_s: NotRequired[int]
    """Seconds for which no PIN is accepted from outside."""


class MobilesStatusJson(
    TypedDict("_MobilesByState", {"unverified": int, "waiting": int, "in-use": int})
):
    """Registered mobiles, by state, and their verification calls."""

    calls_today: int
    """Verification calls within the last 24 hours."""
    refused: Counts
    """Refused requests and codes, by reason."""


class AlertStatusJson(AlertSubject):
    """An alarm that is on."""

    alert: str
    """Its name."""
    text: str
    """For people."""
    since: str
    """When its condition began to hold."""
    quiet: bool
    """Whether it is not told to its destinations, because of quiet hours."""


class DestinationStatusJson(TypedDict):
    """The events for one destination."""

    waiting: int
    """Not delivered yet."""
    oldest_s: float | None
    """How long ago the oldest of those happened."""
    delivered: int
    failed_attempts: int
    given_up: int
    trouble: str | None
    """What the last attempt met; null: it was delivered."""


class OutboxStatusJson(TypedDict):
    """Events on their way to other programs. Counts are since the start."""

    waiting: int
    given_up: int
    destinations: dict[str, DestinationStatusJson]


class TotalsJson(TypedDict):
    """How much is going on."""

    agents: dict[AgentStateName, int]
    """How many agents are in each state."""
    calls: dict[Literal["waiting", "connecting", "talking"], int]
    """How many active calls are in each state."""
    queues: int


class StatusJson(TotalsJson):
    """The daemon, its PBXes and its configuration, and totals of everything."""

    version: str
    pid: int
    started_at: Moment
    uptime_s: float
    listen: Annotated[str, Field(examples=["http://127.0.0.1:8080"])]
    pbx: dict[str, PbxStatusJson]
    config: ConfigStatusJson
    history: NotRequired[str]
    """Where earlier versions of the configuration are kept. For admins."""
    deleted: NotRequired[Counts]
    """Rows of the record deleted since the start as `history` says, by what they are."""
    handled: NotRequired[int]
    """Events handled since the start."""
    faults: NotRequired[int]
    """The daemon's own faults since the start; each is in the log."""
    cluster: NotRequired[ClusterStatusJson]
    http: NotRequired[RefusedStatusJson]
    store: NotRequired[StoreStatusJson]
    record: NotRequired[RecordStatusJson]
    invariants: NotRequired[InvariantsStatusJson]
    loop: NotRequired[LoopStatusJson]
    queue_log: NotRequired[QueueLogStatusJson]
    reception: NotRequired[FeatureCodesStatusJson]
    mobiles: NotRequired[MobilesStatusJson]
    alerts: NotRequired[list[AlertStatusJson]]
    """The alarms that are on. A supervisor of some queues sees those of these queues."""
    outbox: NotRequired[OutboxStatusJson]
    """Not for supervisors of some queues only."""
