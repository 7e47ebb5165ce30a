"""The interface between a PBX driver and the rest of the program.

Every driver is a `Pbx`. The protocols after it are optional abilities: the program asks with
`isinstance` whether a driver has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from callrouter.model.commands import PbxCommand
from callrouter.model.events import Event
from callrouter.model.ivr import CallNumber, PhoneEvent, Say
from callrouter.model.notices import Notice
from callrouter.model.projections import AgentView, QueueView
from callrouter.model.routing_table import AgentSpec, DeviceSpec, QueueSpec, Table
from callrouter.queue_log.log_lines import CallChannels

if TYPE_CHECKING:
    from aiohttp.web import RouteDef  # slow to import, and few drivers have routes

Post: TypeAlias = Callable[[Event], None]
"""Passes an event to the runtime. Never blocks; may be called at any time on the loop."""


class LinkCount(NamedTuple):
    """A counter of the link to a PBX, since the start.

    Attributes:
        name: for metrics and status, such as ``ami_timeouts``.
        meaning: what is counted, as a sentence.
        value: how many.
    """

    name: str
    meaning: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxHealth:
    """The health of a driver, for operators and for `/healthz`.

    `up` says only that the driver has a link to its PBX. Whether the core has also been compared
    with the PBX is for `Runtime.in_step` to say.
    """

    up: bool
    comparing: bool = False
    """There is a session, and the first snapshot is on its way."""
    detail: str = ""
    """What is wrong, or what it is connected to, in words."""
    drift: int = 0
    """Number of differences found by resyncs, since the start, that no event had announced."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Counters of harmless anomalies by name: webhooks refused and why, legs overdue and more."""
    missing: tuple[str, ...] = ()
    """What the PBX lacks for serving callers, such as contexts of the dialplan."""
    faults: int = 0
    """Messages of the PBX that the driver failed on. Each is a bug of ours and was logged."""
    link: tuple[LinkCount, ...] = ()
    """What was sent and received, and what went wrong with it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of `doctor`: fine (`ok` is True), wrong (False), or worth knowing (None).

    Attributes:
        ok: True, False or None, as above. None is no reason to fail.
        what: what was found, in words.
        advice: what to do about it; empty if there is nothing to say.
    """

    ok: bool | None
    what: str
    advice: str = ""
    reached: bool = True
    """False if the PBX did not even answer."""


class DeviceBoard(Protocol):
    """What a driver may ask about agents, queues and their devices.

    See `callrouter.core.board.Board`, which has the answers. They are those after the last event.
    """

    def agent_named(self, name: str) -> AgentView | None:
        """The agent with this id, or who had it before a rename; None if there is none.

        A lamp on a phone may still carry the old id.
        """

    def agent_spec(self, name: str) -> AgentSpec | None:
        """An agent as configured; None if there is none.

        An agent who was removed from the configuration is still found while finishing a call.
        Unlike `agent_named`, it does not know former ids.
        """

    def signed_in(self, name: str) -> bool:
        """Whether there is an agent with this id who is signed in.

        False also for an unknown id and for the id from before a rename.
        """

    def agent_ids(self) -> tuple[str, ...]:
        """The ids of all agents.

        Removed agents who are finishing a call are among them.
        """

    def former_agent_ids(self) -> tuple[str, ...]:
        """The ids that agents had before they were renamed."""

    def queue(self, name: str) -> QueueView | None:
        """The queue with this id; None if there is none.

        A removed queue is still found while it serves calls.
        """

    def queue_named(self, name: str) -> QueueView | None:
        """The queue with this id, or that had it before a rename; None if there is none."""

    def queue_spec(self, name: str) -> QueueSpec | None:
        """A queue as configured; None if there is none.

        A removed queue is still found while it serves calls. Former ids are not known here.
        """

    def queue_ids(self) -> tuple[str, ...]:
        """The ids of all queues.

        Removed queues that still serve calls are among them.
        """

    def former_queue_ids(self) -> tuple[str, ...]:
        """The ids that queues had before they were renamed."""

    def reachable_devices(self, queue: str, pbx: str) -> Iterator[DeviceSpec]:
        """The devices that could ring for a queue's calls on a PBX, the first to ring first.

        Empty for an unknown queue. Devices of members who talk are among them, since they will be
        free again. Read the iterator before the next event is handled.
        """

    def priority(self, call: str) -> int | None:
        """The priority of a call, 1 (first) to 100 (last); None if there is no such call."""


class Authority(Protocol):
    """Whether this router may act on the PBXes.

    With ``cluster:``, several routers serve the same PBXes and one of them is active. Each take-over
    has an epoch, a number greater than all before.
    """

    @property
    def epoch(self) -> int:
        """The epoch of this router; 0: there is no cluster."""

    @property
    def active(self) -> bool:
        """Whether this router is the active one. A standby's drivers connect and stay silent."""

    def sure(self) -> bool:
        """Whether this router is certainly the active one at this moment.

        Cheap: it is called before every write to a PBX. False does not mean that another router is
        active, only that this one must ask the PBX for the epoch before it writes.
        """

    def newer_epoch(self, pbx: str, epoch: int) -> None:
        """A driver has seen a newer epoch than ours on its PBX: stop acting at once.

        Args:
            pbx: the PBX's name.
            epoch: what was seen there.
        """


class _Alone:
    """The authority of a router without a cluster. See `Authority`."""

    epoch: Final = 0
    active: Final = True

    def sure(self) -> bool:
        """Return True: no other router is there."""
        return True

    def newer_epoch(self, pbx: str, epoch: int) -> None:
        """Do nothing: without a cluster, an epoch on a PBX is left over and means nothing."""


ALONE: Final[Authority] = _Alone()
"""The authority of a router without a cluster: epoch 0, always active, always sure."""


class Pbx(Protocol):
    """One telephone system.

    A driver owns the truth about its side. For every leg it was told to ring, it posts exactly one
    `LegEnded`. It never repeats a command whose outcome it does not know. It posts `PbxSnapshot`
    when it comes into step with the PBX, and `PbxLost` when it is out of step.
    """

    name: str

    async def run(self) -> None:
        """Connect and stay connected until cancelled.

        A lost link is no reason to return: the driver posts `PbxLost` and connects again.
        """

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        """Execute the commands of one event together. Never blocks, never raises.

        While the link is down, commands are dropped. The next snapshot lets the core correct the
        difference.
        """

    def use(self, table: Table) -> None:
        """Use a new routing table.

        The driver compares it with the one before. If other phones are now to be watched, it
        resyncs.
        """

    def resync(self, why: str) -> None:
        """Resync everything with the PBX, as after a gap.

        Never blocks. If the link is up, a `PbxSnapshot` is posted, at once or soon.

        Args:
            why: the reason in words, for the log.
        """

    def health(self) -> PbxHealth:
        """The current health of the driver.

        Cheap, and never asks the PBX: every request for the status or the metrics calls it.
        """


@runtime_checkable
class ClusterPbx(Protocol):
    """A driver that can stand by: connected, warm and silent, until its router is the active one."""

    def claim(self, *, handed_over: bool = False) -> None:
        """The router is the active one from now on: make the PBX obey it, and wait for `activate`.

        Called at most once, after `Authority.active` has become True, and before or after `run`. Never
        blocks. Nothing of the PBX is reported yet, because the router still reads what is stored.

        Args:
            handed_over: whether the router before gave up the lease by itself and acts no more, so
                that nothing of it can be under way.
        """

    def activate(self) -> None:
        """Serve the PBX from now on. Implies `claim`.

        Called once. Never blocks. A snapshot is posted when the driver has come into step.
        """


@runtime_checkable
class HasRoutes(Protocol):
    """A driver whose PBX calls us over HTTP.

    These routes bypass the API's authentication; the driver authenticates requests itself. It sets
    `http_keys.KNOWN` once it has: the server may delay refusals of all other requests.
    """

    def routes(self) -> Sequence[RouteDef]:
        """The routes. No other component has the same paths, and no path has a variable part.

        Read once, when the HTTP server is built, so they must not depend on what is reloaded later.
        """


@runtime_checkable
class KeepsRecords(Protocol):
    """A driver whose PBX stores data for us, such as a queue log or the queue of each caller.

    It is passed every notice of the core, but of calls on other PBXs that store data too, which
    `listen_elsewhere` gets instead.
    """

    def listen(self, notice: Notice) -> None:
        """Handle a notice. Never blocks, never raises.

        Called on the event loop, in the order in which the core gave the notices.
        """

    def listen_elsewhere(self, notice: Notice) -> None:
        """Handle a notice about a call on another PBX that stores its data itself.

        As `listen` otherwise. It is called for most notices, so it must cost little.
        """


@runtime_checkable
class NamesChannels(Protocol):
    """A driver whose telephone system has names for the channels of a call."""

    def call_channels(self, call: str) -> CallChannels:
        """The channels of one of this driver's calls, by the call's id. Never blocks."""


@runtime_checkable
class RemembersCalls(Protocol):
    """A driver that must remember over a restart which calls have ended.

    A late message about such a call would otherwise mislead it after the restart.
    """

    def remember(self, keep: Callable[[str, float], None]) -> None:
        """Report each ended call and its end time (epoch seconds) to `keep`. Never blocks."""

    def recall(self, over: Iterable[tuple[str, float]]) -> None:
        """Load the calls that have ended and their end times, in order of their end."""


@runtime_checkable
class HasPhoneDialogues(Protocol):
    """A driver whose phones support feature codes, digit input and the verification of numbers."""

    def report_phone_events(self, report: Callable[[PhoneEvent], None]) -> None:
        """Report every dialled feature code to `report`, and everything that follows from it."""

    def say(self, command: Say) -> None:
        """Play sounds, then read digits or hang up. Never blocks, never raises.

        What is keyed in, or that nothing was, is reported as `DigitsKeyed`.
        """

    def call_number(self, command: CallNumber) -> None:
        """Call an outside number. Never blocks, never raises.

        Exactly one outcome is reported, as `NumberAnswered` or `NumberFailed`.
        """
