"""A caller as the core gets to know them, read from a channel and its variables. No I/O."""

from __future__ import annotations

from collections.abc import Callable

from callrouter.model.events import CallArrived
from callrouter.model.table import DEFAULT_PRIORITY, FIRST_PRIORITY, LAST_PRIORITY
from callrouter.pbx.asterisk.entry import Moments, entered
from callrouter.pbx.asterisk.text import clean_name, clean_number
from callrouter.pbx.asterisk.wire import AmiMessage


def arrival(
    pbx: str,
    call: str,
    channel: AmiMessage,
    variable: Callable[[str], str],
    clock: Moments | None = None,
) -> CallArrived:
    """The event for a caller.

    Args:
        pbx: where.
        call: the call's id.
        channel: who they are: any message that describes their channel.
        variable: what they want, by name: Queue, Priority, Agent, Tag, Called; and Entered, Now, Since.
        clock: the router's.
    """
    return CallArrived(
        call=call,
        pbx=pbx,
        queue=variable("Queue"),
        caller_number=clean_number(channel.get("CallerIDNum").removeprefix("<unknown>")),
        caller_name=clean_name(channel.get("CallerIDName").removeprefix("<unknown>")),
        called_number=variable("Called"),
        priority=_priority(variable("Priority")),
        agent=variable("Agent"),
        tag=variable("Tag"),
        entered_at=entered(clock, variable),
    )


def _priority(raw: str) -> int:
    """A caller's priority as the dialplan set it; anything that is none counts as not set."""
    if not raw.isascii() or not raw.isdigit() or len(raw) > 3:
        return DEFAULT_PRIORITY
    priority = int(raw)
    return priority if FIRST_PRIORITY <= priority <= LAST_PRIORITY else DEFAULT_PRIORITY
