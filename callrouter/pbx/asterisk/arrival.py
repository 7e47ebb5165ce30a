"""A caller as the core gets to know them, read from a channel and its variables. No I/O."""

from __future__ import annotations

from collections.abc import Callable

from callrouter.model.events import CallArrived
from callrouter.pbx.asterisk.asked import asked
from callrouter.pbx.asterisk.entry import Moments, entered, queued
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
        variable: what they want, by name: Queue, Asked (see `asked`), Called, Hidden; and for the times Entered,
            Queued, Now, Since, QueuedSince.
        clock: the router's.
    """
    wants = asked(variable)
    number, name = channel.get("CallerIDNum"), channel.get("CallerIDName")
    if variable("Hidden"):  # the network passes it on to us, and not for anyone to see
        number = name = ""
    return CallArrived(
        call=call,
        pbx=pbx,
        queue=wants.queue,
        caller_number=clean_number(number.removeprefix("<unknown>")),
        caller_name=clean_name(name.removeprefix("<unknown>")),
        called_number=variable("Called"),
        priority=wants.priority,
        agent=wants.agent,
        tag=wants.tag,
        skills=wants.skills,
        refused=tuple(wants.refused),
        entered_at=entered(clock, variable),
        queued_at=queued(clock, variable),
    )
