"""`doctor`'s findings about what the router needs: permitted actions, events, our contexts.

The checks are those of `requirements`, which run at each login as well. Here they are told in more
detail, and a call that Asterisk places to itself shows which of a channel's events arrive.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Final

from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiError
from callrouter.pbx.asterisk.diagnostics import requirements
from callrouter.pbx.asterisk.diagnostics.inspection import InspectedAsterisk, within
from callrouter.pbx.asterisk.diagnostics.requirements import ECHO_WITHIN, ActionReport, EventClass
from callrouter.pbx.interface import Finding

_LAMP: Final = "Custom:callrouter-doctor"
_LAMP_STATES: Final = ("INUSE", "NOT_INUSE")
"""It must end as it was, since phones may show it."""
_EVENTS: Final = {
    "Newchannel": EventClass.CALL,
    "Hangup": EventClass.CALL,
    "DeviceStateChange": EventClass.CALL,
    "UserEvent": EventClass.USER,
}
"""The events that are checked, one or more of each class."""


async def read_actions(asterisk: InspectedAsterisk) -> ActionReport | AmiError:
    """Which actions the user may execute, or why that cannot be read."""
    try:
        return await requirements.check_actions(asterisk.client)
    except AmiError as error:
        return error


def check_actions(report: ActionReport | AmiError) -> Iterator[Finding]:
    """Tell which actions the user may not execute."""
    if isinstance(report, AmiError):
        yield Finding(None, "permissions not readable", str(report))
        return
    if not report.has_app_queue:
        yield Finding(
            None,
            "app_queue is not loaded, so no queue_log is written",
            "callers are served all the same; load app_queue.so for reports that read queue_log",
        )
    if not report.forbidden:
        yield Finding(True, "may do all that the router needs")
    for action, need in report.forbidden.items():
        yield Finding(
            False,
            f"may not {action}",
            f"add {need} to write= of this user in manager_callrouter.conf, then "
            'asterisk -rx "manager reload"',
        )


async def missing_contexts(asterisk: InspectedAsterisk) -> list[str]:
    """Our contexts that are not there, or of which nothing can be learned."""
    try:
        report = await requirements.check_contexts(asterisk.client)
    except AmiError:
        return list(contract.CONTEXTS)
    return [*report.missing, *report.unreadable]


async def check_events(
    asterisk: InspectedAsterisk, report: ActionReport | AmiError, *, has_dialplan: bool
) -> AsyncIterator[Finding]:
    """Check which events arrive.

    First the echoes that the check at login waits for as well. Then a channel that Asterisk calls
    itself runs through our dialplan. The events we receive for it are the ones we are permitted to
    receive.
    """
    client = asterisk.client
    forbidden = {} if isinstance(report, AmiError) else report.forbidden
    may_send = "UserEvent" not in forbidden
    expected = await requirements.cause_echoes(client, _LAMP, _LAMP_STATES, may_send=may_send)
    uid = await _probe_call(asterisk) if has_dialplan and "Originate" not in forbidden else ""
    await within(ECHO_WITHIN, lambda: expected <= _echoed(asterisk))
    silent = expected - _echoed(asterisk)
    heard = {
        "DeviceStateChange": (EventClass.CALL not in silent)
        if EventClass.CALL in expected
        else None,
        "UserEvent": (EventClass.USER not in silent) if EventClass.USER in expected else None,
    }
    if uid:
        heard |= {name: asterisk.has_event(name, uid) for name in ("Newchannel", "Hangup")}
        heard["UserEvent"] = (
            asterisk.has_event("UserEvent", uid) and heard["UserEvent"] is not False
        )
    for event, need in _EVENTS.items():
        if heard.get(event) is not None:
            yield _heard(event, need, fine=heard[event] is True)


def _echoed(asterisk: InspectedAsterisk) -> set[EventClass]:
    return {one for event in asterisk.heard for one in requirements.echo_classes(event, _LAMP)}


def _heard(event: str, need: EventClass, *, fine: bool) -> Finding:
    if fine:
        return Finding(True, f"receives {event}")
    advice = (
        f"add {need.value} to read= of this user, and copy eventfilter from "
        "manager_callrouter.conf (callrouter dialplan writes it), then "
        'asterisk -rx "manager reload"'
    )
    return Finding(False, f"does not receive {event}", advice)


async def _probe_call(asterisk: InspectedAsterisk) -> str:
    """Let a channel run through our dialplan. Return its id, or "" if there was none."""
    probe = f"callrouter-probe-{time.time_ns():x}"
    uid = f"{probe}-2"
    try:
        await asterisk.client.request(
            {
                "Action": "Originate",
                "Channel": f"Local/desk@{contract.OFFER}/n",
                "ChannelId": probe,
                "OtherChannelId": uid,
                "Application": "Wait",
                "Data": "0.2",
                "Async": "true",
            }
        )
    except AmiError:
        return ""
    await within(ECHO_WITHIN, lambda: asterisk.has_event("UserEvent", uid))
    with contextlib.suppress(AmiError):
        await asterisk.client.request({"Action": "Hangup", "Channel": uid})
    await within(ECHO_WITHIN, lambda: asterisk.has_event("Hangup", uid))
    return uid
