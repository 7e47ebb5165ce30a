"""Checks an Asterisk for what the router needs, and says how to fix what is missing."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from callrouter.model.ivr import SHIPPED_CODES, PhoneCodes
from callrouter.model.routing_table import Table
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiClient, AmiError, AmiMessage
from callrouter.pbx.asterisk.diagnostics import (
    dialplan_checks,
    inbound_checks,
    phone_checks,
    requirements,
)
from callrouter.pbx.asterisk.diagnostics.inspection import InspectedAsterisk, within
from callrouter.pbx.asterisk.diagnostics.requirements import ECHO_WITHIN, ActionReport, EventClass
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.login import ami_account
from callrouter.pbx.base import Finding
from callrouter.settings import AsteriskSettings

SUPPORTED = re.compile(r"(certified[-/])?(20|22)\.")
"""The versions that are tested and documented."""

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
_BEATS = 1.3
"""Seconds. A router that is in step updates its tick every second."""
_SAME_START = 5.0
"""Seconds by which two readings of a router's start time may differ."""
CLOCK_MAY_DIFFER = 2.0
"""Seconds. After a restart, the waiting times of existing calls are off by the difference."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What to check besides the routing table.

    Attributes:
        spoken: the sounds that are played, by language ("" means Asterisk's default language).
        router: process id and start (epoch seconds) of the router with this configuration; None if
            it is not running.
        codes: the feature codes that agents dial.
        counts: what that router has counted on this Asterisk.
    """

    spoken: Mapping[str, Iterable[str]]
    router: tuple[int, float] | None
    codes: PhoneCodes = SHIPPED_CODES
    counts: Mapping[str, int] = field(default_factory=dict)


async def examine(
    name: str, settings: AsteriskSettings, table: Table, examination: Examination
) -> AsyncIterator[Finding]:
    """Run every check, yielding findings as they are made. The first one is about the login.

    Args:
        name: the PBX's name.
        settings: its address and account.
        table: the routing table, whose phones and queues are checked.
        examination: what else to check.
    """
    heard: list[AmiMessage] = []
    up = asyncio.Event()
    client = AmiClient(
        ami_account(settings), on_event=heard.append, on_up=up.set, on_down=lambda _why: None
    )
    running = asyncio.create_task(client.run())  # noqa: TID251 - awaited below, in every case
    where = f"{settings.host}:{settings.port}"
    try:
        if not await within(8.0, lambda: up.is_set() or bool(client.last_error)) or not up.is_set():
            why = client.last_error or "no answer"
            reached = client.refused is not None
            yield Finding(False, f"{name}: log in at {where}", why, reached=reached)
            return
        yield Finding(True, f"{name}: logged in at {where} as {settings.username}")
        if settings.secret == "change-me":  # noqa: S105 - the one from the sample
            yield Finding(False, "the secret is the sample's", "choose one of your own")
        async for finding in _examine(
            InspectedAsterisk(client, heard), settings, table, examination
        ):
            yield finding
    finally:
        await client.close()
        await asyncio.gather(running, return_exceptions=True)


async def _examine(
    asterisk: InspectedAsterisk,
    settings: AsteriskSettings,
    table: Table,
    examination: Examination,
) -> AsyncIterator[Finding]:
    phones = [
        (device, agent)
        for agent in table.agents.values()
        for device in agent.devices
        if device.endpoint and settings.id in device.pbxes
    ]
    endpoints = dict.fromkeys(device.endpoint for device, _ in phones)
    routes = actions.outbound_routes(settings) or [""]
    for part in (
        _version(asterisk),
        _modules(asterisk),
        _clock(asterisk),
        _requirements(asterisk, table, endpoints, examination),
        _routes(asterisk, routes, examination.counts),
        phone_checks.check_headers(asterisk, table, phones),
        phone_checks.check_phones(asterisk, phones),
    ):
        async for finding in part:
            yield finding


async def _requirements(
    asterisk: InspectedAsterisk,
    table: Table,
    endpoints: Iterable[str],
    examination: Examination,
) -> AsyncIterator[Finding]:
    """Check permissions, events and the dialplan, as the check at login does, and in more detail."""
    report = await _read_actions(asterisk)
    for finding in _actions(report):
        yield finding
    async for finding in _routers(asterisk, examination.router):
        yield finding
    missing = await _missing_contexts(asterisk)
    if missing:
        what = f"dialplan context missing: {', '.join(missing)}"
        yield Finding(False, what, dialplan_checks.WRITE_IT)
    async for finding in _events(asterisk, report, has_dialplan=not missing):
        yield finding
    if not missing:
        async for finding in dialplan_checks.check_dialplan(
            asterisk, table, endpoints, examination.spoken, examination.codes
        ):
            yield finding


async def _routes(
    asterisk: InspectedAsterisk, dial_numbers: list[str], counts: Mapping[str, int]
) -> AsyncIterator[Finding]:
    """Check the inbound route for callers and the outbound routes to mobiles."""
    async for finding in inbound_checks.check_inbound(asterisk, dial_numbers[0]):
        yield finding
    for dial_number in dial_numbers:
        async for finding in phone_checks.check_outbound_route(asterisk, dial_number):
            yield finding
    for count, what, advice in (
        (
            counts.get(contract.NUMBERS_REFUSED, 0),
            "were refused for the caller's number they showed",
            _SHOW,
        ),
        (
            counts.get(contract.NEXT_TRUNK, 0),
            "failed by the first dial_number and went on by the next",
            _TRUNK,
        ),
    ):
        if count:
            yield Finding(None, f"dial_number: {count} calls to agents' phones {what}", advice)


_SHOW: Final = "the business's number was shown instead; show: business does so at once"
_TRUNK: Final = "is the first trunk registered, does its provider answer?"


async def _version(asterisk: InspectedAsterisk) -> AsyncIterator[Finding]:
    # Not the CoreSettings action: it needs write=system, which the router's user does not have.
    version = await asterisk.variable("VERSION(ASTERISK_VERSION)")
    if not version:
        yield Finding(
            None, "version not readable", "load func_version; supported are Asterisk 20 and 22"
        )
        return
    fine = SUPPORTED.match(version) is not None
    yield Finding(
        True if fine else None,
        f"Asterisk {version}",
        "" if fine else "supported are Asterisk 20 and 22; others may work",
    )


async def _modules(asterisk: InspectedAsterisk) -> AsyncIterator[Finding]:
    found = {m: await asterisk.variable(f"IFMODULE({m}.so)") for m in contract.MODULES}
    if not any(found.values()):
        yield Finding(
            None, "modules not readable", "load func_module, so that doctor can look at them"
        )
        return
    missing = [name for name, there in found.items() if there != "1"]
    if missing:
        yield Finding(
            False,
            f"modules not loaded: {', '.join(missing)}",
            "load them in modules.conf (or install the package they come in), then restart Asterisk",
        )
    else:
        yield Finding(True, "modules are loaded")


async def _clock(asterisk: InspectedAsterisk) -> AsyncIterator[Finding]:
    try:
        theirs = float(await asterisk.variable("EPOCH"))
    except (AmiError, ValueError):
        yield Finding(None, "clock not readable")
        return
    apart = abs(theirs - time.time())  # noqa: TID251 - the very clock that is to be compared
    if apart <= CLOCK_MAY_DIFFER:
        yield Finding(True, "clocks agree")
    else:
        yield Finding(False, f"clocks are {apart:.0f} s apart", "run NTP on both machines")


async def _read_actions(asterisk: InspectedAsterisk) -> ActionReport | AmiError:
    try:
        return await requirements.check_actions(asterisk.client)
    except AmiError as error:
        return error


def _actions(report: ActionReport | AmiError) -> Iterator[Finding]:
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


async def _missing_contexts(asterisk: InspectedAsterisk) -> list[str]:
    """Our contexts that are not there, or of which nothing can be learned."""
    try:
        report = await requirements.check_contexts(asterisk.client)
    except AmiError:
        return list(contract.CONTEXTS)
    return [*report.missing, *report.unreadable]


async def _routers(
    asterisk: InspectedAsterisk, ours: tuple[int, float] | None
) -> AsyncIterator[Finding]:
    """Check whether another router serves this Asterisk.

    Each router updates the tick every second.
    """
    before = await asterisk.variable(contract.TICK)
    await asyncio.sleep(_BEATS)
    now = await asterisk.variable(contract.TICK)
    if before == now:
        return  # no router, or one that is not running any more
    for said in {before, now}:
        seen = contract.run_of_tick(said)
        if seen is not None and (
            ours is None or seen[0] != ours[0] or abs(seen[1] - ours[1]) > _SAME_START
        ):
            pid, since = seen[0], datetime.fromtimestamp(seen[1], UTC)
            yield Finding(
                False,
                f"another router (process {pid} on its machine, running since {since:%d %b %H:%M} UTC) "
                "serves this Asterisk",
                "two would ring phones for the same callers: stop one of them",
            )
            return
    yield Finding(True, "the router of this configuration serves it")


async def _events(
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
        return Finding(True, f"hears {event}")
    advice = (
        f"add {need.value} to read= of this user, and take eventfilter over from "
        "manager_callrouter.conf (callrouter dialplan writes it), then "
        'asterisk -rx "manager reload"'
    )
    return Finding(False, f"does not hear {event}", advice)


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
