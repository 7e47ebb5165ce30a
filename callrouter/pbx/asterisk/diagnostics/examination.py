"""Examines an Asterisk for `callrouter doctor`: what is wrong with it, and how to mend that."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from callrouter.model.ivr import SHIPPED_CODES, PhoneCodes
from callrouter.model.routing_table import Table
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiClient, AmiError, AmiMessage
from callrouter.pbx.asterisk.diagnostics import (
    dialplan_checks,
    inbound_checks,
    phone_checks,
    requirement_checks,
    router_checks,
)
from callrouter.pbx.asterisk.diagnostics.inspection import InspectedAsterisk, within
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.login import ami_account
from callrouter.pbx.interface import Finding
from callrouter.settings import AsteriskSettings

SUPPORTED = re.compile(r"(certified[-/])?(20|22)\.")
"""The versions that are tested and documented."""

CLOCK_MAY_DIFFER = 2.0
"""Seconds. After a restart, the waiting times of existing calls are off by the difference."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What to check besides the routing table.

    Attributes:
        spoken: the sounds that are played, by language ("" means Asterisk's default language).
        router: the run of the router with this configuration; None if it is not running.
        codes: the feature codes that agents dial.
        counts: what that router has counted on this Asterisk.
        cluster: whether other routers of a cluster may serve it.
    """

    spoken: Mapping[str, Iterable[str]]
    router: contract.RouterRun | None
    codes: PhoneCodes = SHIPPED_CODES
    counts: Mapping[str, int] = field(default_factory=dict)
    cluster: bool = False


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
    where = f"{settings.host}:{settings.port}"
    try:
        account = ami_account(settings)
    except OSError as error:
        why = f"tls: {settings.ca} cannot be used ({error.strerror or error})"
        yield Finding(False, f"{name}: log in at {where}", why, reached=False)
        return
    client = AmiClient(account, on_event=heard.append, on_up=up.set, on_down=lambda _why: None)
    running = asyncio.create_task(client.run())  # noqa: TID251 - awaited below, in every case
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
        for device in agent.devices_on(settings.id)
        if device.endpoint
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
    """Check permissions, events and dialplan as the check at login does, and in more detail."""
    report = await requirement_checks.read_actions(asterisk)
    for finding in requirement_checks.check_actions(report):
        yield finding
    async for finding in router_checks.check_routers(
        asterisk, examination.router, cluster=examination.cluster
    ):
        yield finding
    missing = await requirement_checks.missing_contexts(asterisk)
    if missing:
        what = f"dialplan context missing: {', '.join(missing)}"
        yield Finding(False, what, dialplan_checks.WRITE_IT)
    async for finding in requirement_checks.check_events(
        asterisk, report, has_dialplan=not missing
    ):
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
