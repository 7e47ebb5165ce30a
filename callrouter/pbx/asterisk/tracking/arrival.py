"""Builds the core's `CallArrived` from a channel and its variables. No I/O."""

from __future__ import annotations

from collections.abc import Callable

from callrouter.model.events import CallArrived
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.entry_time import EntryClock, entered, queued
from callrouter.pbx.asterisk.sanitize import clean_name, clean_number
from callrouter.pbx.asterisk.tracking.entry_request import asked


def arrival(
    pbx: str,
    call: str,
    channel: AmiMessage,
    variable: Callable[[str], str],
    clock: EntryClock | None = None,
) -> CallArrived:
    """The `CallArrived` event for a caller.

    Args:
        pbx: name of the PBX.
        call: id of the call.
        channel: any message that describes the caller's channel.
        variable: looks up a value by name: Queue, Asked (see `asked`), Called and Hidden; for the
            times Entered, Queued, Now, Since and QueuedSince.
        clock: the router's clock.
    """
    wants = asked(variable)
    number, name = channel.get("CallerIDNum"), channel.get("CallerIDName")
    if variable("Hidden"):  # the network gives us the number, but the caller has withheld it
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
