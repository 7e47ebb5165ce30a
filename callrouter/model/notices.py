"""Notices: what the core reports to its listeners (the log, the API, ``queue_log``, `why`).

There is a class for each kind of notice. Each has a `kind`, a stable name under which logs, the API
and pages know it. Field names are those of the API as well: seconds end in ``_s``. The notices about
calls are in `callrouter.model.call_notices`.

`CallNotice`, `OfferNotice`, `AgentNotice` and so on are base classes that say what a notice is about.
None of them is ever published itself: a listener that follows every call, or every agent, tests for
them.

A notice describes what happened, with the values at that time. It is never changed and holds no
reference to the live state. It contains no sentences, except for the message that an agent was given
and the reason why a device was left out; `callrouter.api.notice_text` makes all others.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from callrouter.model.agent_status import AgentStatus
from callrouter.model.commands import PbxCommand
from callrouter.model.frozen import frozen

# ---------------------------------------------------------------- what a notice is about


@frozen
class Notice:
    """Something that the core reports. `at` is its time in epoch seconds."""

    kind: ClassVar[str]
    """The stable name of this kind of notice."""

    at: float


@frozen
class CallNotice(Notice):
    """About a call. `queue` is the queue that the call is in, or was in until now."""

    call: str
    queue: str


@frozen
class CallAndAgentNotice(CallNotice):
    """About a call and an agent. `agent` is empty if it is not known who it was."""

    agent: str


@frozen
class OfferNotice(CallAndAgentNotice):
    """About an offer of a call to an agent, or about the conversation that came of it.

    `offer` is empty for a conversation that was found after a gap and whose agent is not known.
    """

    offer: str


@frozen
class AgentNotice(Notice):
    """About an agent, apart from any call."""

    agent: str


@frozen
class QueueNotice(Notice):
    """About a queue as a whole."""

    queue: str


# ---------------------------------------------------------------- agents


@frozen
class AgentSignedIn(AgentNotice):
    """An agent signed in, or `by` signed them in; empty: the agent did."""

    kind = "signed-in"

    by: str


@frozen
class AgentSignedOut(AgentNotice):
    """An agent signed out, after being signed in for `signed_in_s`."""

    kind = "signed-out"

    signed_in_s: float
    by: str


@frozen
class AgentPaused(AgentNotice):
    """A pause began, for a configured reason or, if none are configured, any text.

    If it was requested during a call, it begins after the call.
    """

    kind = "paused"

    reason: str
    by: str


@frozen
class AgentResumed(AgentNotice):
    """A pause ended. `reason` is that of the pause."""

    kind = "resumed"

    reason: str
    by: str


@frozen
class WrapUpEnded(AgentNotice):
    """After-call work ended, for a call of `queue`."""

    kind = "wrap-up-ended"

    queue: str


@frozen
class AgentDeviceSwitched(AgentNotice):
    """A device of an agent was switched on or off at run time."""

    kind = "device"

    device: str
    on: bool
    by: str


@frozen
class PrivateCallDisregarded(AgentNotice):
    """What was on an agent's phone no longer counts as a call.

    `channel` is the PBX's name for it; empty if unknown.
    """

    kind = "freed"

    device: str
    channel: str
    by: str


@frozen
class AgentNotified(AgentNotice):
    """The agent was sent a message, which is kept with them for display."""

    kind = "told"

    message: str


@frozen
class AgentStatusChanged(AgentNotice):
    """The agent's state, as the API shows it, changed. `pause_reason` is empty unless paused."""

    kind = "state"

    status: AgentStatus
    pause_reason: str = ""


# ---------------------------------------------------------------- the routing table


@frozen
class AgentRenamed(AgentNotice):
    """An agent has a new id, `agent`. Until now it was `former_id`."""

    kind = "renamed"

    former_id: str


@frozen
class QueueRenamed(QueueNotice):
    """A queue has a new id, `queue`. Until now it was `former_id`."""

    kind = "renamed"

    former_id: str


@frozen
class ShiftChanged(QueueNotice):
    """A shift of a queue began or ended, so that it now has this number of members."""

    kind = "shift"

    members: int


@frozen
class QueueDrained(QueueNotice):
    """The last call of a queue removed from the table has ended, and the queue is gone."""

    kind = "drained"


@frozen
class TablePartlyReloaded(Notice):
    """A part of a large change is in force; the next part follows at once."""

    kind = "reloading"

    agents: int
    queues: int


@frozen
class TableReloaded(Notice):
    """A routing table is in force, with this number of agents and queues."""

    kind = "reloaded"

    agents: int
    queues: int


# ---------------------------------------------------------------- everything else


@frozen
class Oddity(Notice):
    """Something odd that was otherwise ignored. It is logged.

    `mistake` is set if the fault lies in how calls are sent to the router, such as a queue that
    does not exist. It names the wrong value (``queue``, ``priority``, ``agent``, ``skills``,
    ``tag``) and is the label under which the oddity is counted.
    """

    kind = "note"

    text: str
    mistake: str = ""


Output: TypeAlias = PbxCommand | Notice
"""What the core gives for an event: commands for a PBX, and notices."""
