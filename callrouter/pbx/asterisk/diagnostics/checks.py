"""Checks an Asterisk for what the router needs, and says how to fix what is missing."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from callrouter.model.ivr import SHIPPED_CODES, PhoneCodes
from callrouter.model.routing_table import Table
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiClient, AmiError, AmiMessage, AmiRejected
from callrouter.pbx.asterisk.diagnostics import dialplan_checks, inbound_checks, phone_checks
from callrouter.pbx.asterisk.diagnostics.inspection import Inspection, within
from callrouter.pbx.asterisk.driver import account
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.base import Finding
from callrouter.settings import AsteriskSettings

SUPPORTED = re.compile(r"(certified[-/])?(20|22)\.")
"""The versions that are tested and documented."""

_LAMP = "Custom:callrouter-doctor"
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
    name: str, settings: AsteriskSettings, table: Table, wanted: Examination
) -> AsyncIterator[Finding]:
    """Run every check, yielding findings as they are made. The first one is about the login."""
    heard: list[AmiMessage] = []
    up = asyncio.Event()
    session = AmiClient(
        account(settings), on_event=heard.append, on_up=up.set, on_down=lambda _why: None
    )
    running = asyncio.create_task(session.run())  # noqa: TID251 - awaited below, in every case
    where = f"{settings.host}:{settings.port}"
    try:
        if (
            not await within(8.0, lambda: up.is_set() or bool(session.last_error))
            or not up.is_set()
        ):
            why = session.last_error or "no answer"
            reached = session.refused is not None
            yield Finding(False, f"{name}: log in at {where}", why, reached=reached)
            return
        yield Finding(True, f"{name}: logged in at {where} as {settings.username}")
        if settings.secret == "change-me":  # noqa: S105 - the one from the sample
            yield Finding(False, "the secret is the sample's", "choose one of your own")
        async for finding in _looks(Inspection(session, heard), settings, table, wanted):
            yield finding
    finally:
        await session.close()
        await asyncio.gather(running, return_exceptions=True)


async def _looks(
    ask: Inspection, settings: AsteriskSettings, table: Table, wanted: Examination
) -> AsyncIterator[Finding]:
    for step in (_version, _modules, _clock, _actions):
        async for finding in step(ask):
            yield finding
    async for finding in _routers(ask, wanted.router):
        yield finding
    phones = [
        (device, agent)
        for agent in table.agents.values()
        for device in agent.devices
        if device.endpoint and settings.id in device.pbxes
    ]
    missing = await dialplan_checks.contexts(ask)
    if missing:
        yield Finding(
            False, f"dialplan context missing: {', '.join(missing)}", dialplan_checks.WRITE_IT
        )
    else:
        async for finding in _echoes(ask):
            yield finding
        endpoints = dict.fromkeys(device.endpoint for device, _ in phones)
        async for finding in dialplan_checks.look(
            ask, table, endpoints, wanted.spoken, wanted.codes
        ):
            yield finding
    async for finding in _ways(ask, actions.ways(settings) or [""], wanted.counts):
        yield finding
    async for finding in phone_checks.headers(ask, table, phones):
        yield finding
    async for finding in phone_checks.phones(ask, phones):
        yield finding


async def _ways(
    ask: Inspection, dial_numbers: list[str], counts: Mapping[str, int]
) -> AsyncIterator[Finding]:
    """Check the inbound route for callers and the outbound routes to mobiles."""
    async for finding in inbound_checks.look(ask, dial_numbers[0]):
        yield finding
    for dial_number in dial_numbers:
        async for finding in phone_checks.way_out(ask, dial_number):
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


async def _version(ask: Inspection) -> AsyncIterator[Finding]:
    # Not the CoreSettings action: it needs write=system, which the router's user does not have.
    version = await ask.variable("VERSION(ASTERISK_VERSION)")
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


async def _modules(ask: Inspection) -> AsyncIterator[Finding]:
    found = {m: await ask.variable(f"IFMODULE({m}.so)") for m in contract.MODULES}
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


async def _clock(ask: Inspection) -> AsyncIterator[Finding]:
    try:
        theirs = float(await ask.variable("EPOCH"))
    except (AmiError, ValueError):
        yield Finding(None, "clock not readable")
        return
    apart = abs(theirs - time.time())  # noqa: TID251 - the very clock that is to be compared
    if apart <= CLOCK_MAY_DIFFER:
        yield Finding(True, "clocks agree")
    else:
        yield Finding(False, f"clocks are {apart:.0f} s apart", "run NTP on both machines")


async def _actions(ask: Inspection) -> AsyncIterator[Finding]:
    """Check the permissions.

    ListCommands returns the actions this user may execute, and no others.
    """
    try:
        allowed = await ask.session.request({"Action": "ListCommands"})
    except AmiError as error:
        yield Finding(None, "permissions not readable", str(error))
        return
    missing = {action: need for action, need in contract.NEEDS.items() if action not in allowed}
    if "QueueLog" in missing and await ask.variable(contract.HAS_APP_QUEUE) == "0":
        del missing["QueueLog"]
        yield Finding(
            None,
            "app_queue is not loaded, so no queue_log is written",
            "callers are served all the same; load app_queue.so for reports that read queue_log",
        )
    if not missing:
        yield Finding(True, "may do all that the router needs")
    for action, need in missing.items():
        yield Finding(
            False,
            f"may not {action}",
            f"add {need} to write= of this user in manager_callrouter.conf, then "
            'asterisk -rx "manager reload"',
        )


async def _routers(ask: Inspection, ours: tuple[int, float] | None) -> AsyncIterator[Finding]:
    """Check whether another router serves this Asterisk.

    Each router updates the tick every second.
    """
    before = await ask.variable(contract.TICK)
    await asyncio.sleep(_BEATS)
    now = await ask.variable(contract.TICK)
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


async def _echoes(ask: Inspection) -> AsyncIterator[Finding]:
    """Check which events arrive.

    A channel that Asterisk calls itself runs through our dialplan. The events we receive for it are
    the ones we are permitted to receive.
    """
    probe = f"callrouter-probe-{time.time_ns():x}"
    lamp = {"Action": "Setvar", "Variable": f"DEVICE_STATE({_LAMP})"}
    try:
        for state in ("INUSE", "NOT_INUSE"):
            await ask.session.request(lamp | {"Value": state})
        await ask.session.request(
            {
                "Action": "Originate",
                "Channel": f"Local/desk@{contract.OFFER}/n",
                "ChannelId": probe,
                "OtherChannelId": f"{probe}-2",
                "Application": "Wait",
                "Data": "0.2",
                "Async": "true",
            }
        )
    except AmiRejected:
        return  # already reported: may not Originate
    except AmiError as error:
        yield Finding(None, "the probe call failed", str(error))
        return
    ours = f"{probe}-2"
    await within(2.0, lambda: ask.event("UserEvent", ours))
    with contextlib.suppress(AmiError):
        await ask.session.request({"Action": "Hangup", "Channel": ours})
    await within(2.0, lambda: ask.event("Hangup", ours))
    changed = any(one.get("Device") == _LAMP for one in ask.heard)
    for event, need, fine in (
        ("Newchannel", "call", ask.event("Newchannel", ours)),
        ("Hangup", "call", ask.event("Hangup", ours)),
        ("DeviceStateChange", "call", changed),
        ("UserEvent", "user", ask.event("UserEvent", ours)),
    ):
        if fine:
            yield Finding(True, f"hears {event}")
        else:
            advice = (
                f"add {need} to read= of this user, and take eventfilter over from "
                "manager_callrouter.conf (callrouter dialplan writes it), then "
                'asterisk -rx "manager reload"'
            )
            yield Finding(False, f"does not hear {event}", advice)
