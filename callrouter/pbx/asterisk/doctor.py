"""Looks at an Asterisk the way the router needs it, and says what to mend."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable

from callrouter.model.table import Table
from callrouter.pbx.asterisk import words
from callrouter.pbx.asterisk.driver import account
from callrouter.pbx.asterisk.session import (
    AmiError,
    AmiMessage,
    AmiRejected,
    AmiSession,
)
from callrouter.pbx.base import Finding
from callrouter.settings import AsteriskSettings

SUPPORTED = re.compile(r"(certified[-/])?(20|22)\.")
"""Versions that the tests and the documentation speak for."""

ACTIONS = {
    "Originate": "originate",
    "Hangup": "call",
    "Redirect": "call",
    "Setvar": "call",
    "Getvar": "call",
    "Status": "call",
    "DeviceStateList": "call",
    "QueueLog": "agent",
}
"""What the router does over AMI, and the class of `write` that each needs."""

CLOCK_MAY_DIFFER = 2.0
"""Seconds. Waiting times of calls found after a restart are wrong by as much."""


async def examine(name: str, settings: AsteriskSettings, table: Table) -> AsyncIterator[Finding]:
    """Look at everything, one finding at a time. The first is whether it can be reached at all."""
    heard: list[AmiMessage] = []
    up = asyncio.Event()
    session = AmiSession(
        account(settings), on_event=heard.append, on_up=up.set, on_down=lambda _why: None
    )
    running = asyncio.create_task(session.run())  # noqa: TID251 - awaited below, in every case
    where = f"{settings.host}:{settings.port}"
    try:
        if (
            not await _within(8.0, lambda: up.is_set() or bool(session.last_error))
            or not up.is_set()
        ):
            why = session.last_error or "no answer"
            refused = "refused the login" in why
            yield Finding(False, f"{name}: log in at {where}", why, reached=refused)
            return
        yield Finding(True, f"{name}: logged in at {where} as {settings.username}")
        if settings.secret == "change-me":  # noqa: S105 - the one from the sample
            yield Finding(False, "the secret is the sample's", "choose one of your own")
        for step in (_version, _modules, _clock, _actions, _probe):
            async for finding in step(session, heard):
                yield finding
        async for finding in _phones(session, name, table):
            yield finding
    finally:
        await session.close()
        await asyncio.gather(running, return_exceptions=True)


async def _within(seconds: float, true: Callable[[], bool]) -> bool:
    try:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110 - a look at a list that grows
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True


async def _version(session: AmiSession, _heard: list[AmiMessage]) -> AsyncIterator[Finding]:
    # Not the CoreSettings action, which would need write=system: more than the router's user is given.
    version = await _getvar(session, "VERSION(ASTERISK_VERSION)")
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


async def _modules(session: AmiSession, _heard: list[AmiMessage]) -> AsyncIterator[Finding]:
    found = {m: await _getvar(session, f"IFMODULE({m}.so)") for m in words.MODULES}
    if not any(found.values()):
        yield Finding(None, "modules not readable", "load func_module to have them looked at")
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


async def _clock(session: AmiSession, _heard: list[AmiMessage]) -> AsyncIterator[Finding]:
    try:
        theirs = float(await _getvar(session, "EPOCH"))
    except (AmiError, ValueError):
        yield Finding(None, "clock not readable")
        return
    apart = abs(theirs - time.time())  # noqa: TID251 - the very clock that is to be compared
    if apart <= CLOCK_MAY_DIFFER:
        yield Finding(True, "clocks agree")
    else:
        yield Finding(False, f"clocks are {apart:.0f} s apart", "run NTP on both machines")


async def _actions(session: AmiSession, _heard: list[AmiMessage]) -> AsyncIterator[Finding]:
    """ListCommands names what this user may do, and nothing else."""
    try:
        allowed = await session.request({"Action": "ListCommands"})
    except AmiError as error:
        yield Finding(None, "permissions not readable", str(error))
        return
    missing = {action: need for action, need in ACTIONS.items() if action not in allowed}
    if not missing:
        yield Finding(True, "may do all that the router needs")
    for action, need in missing.items():
        yield Finding(
            False,
            f"may not {action}",
            f"add {need} to write= of this user in manager_callrouter.conf, then "
            'asterisk -rx "manager reload"',
        )


async def _probe(session: AmiSession, heard: list[AmiMessage]) -> AsyncIterator[Finding]:
    """A channel of Asterisk's own runs through our dialplan; what we hear of it is what we may hear."""
    missing = [c for c in words.CONTEXTS if await _getvar(session, words.is_there(c)) != "1"]
    if missing:
        yield Finding(
            False,
            f"dialplan context missing: {', '.join(missing)}",
            "#include extensions_callrouter.conf in extensions.conf (callrouter dialplan writes "
            'it), then asterisk -rx "dialplan reload"',
        )
        return
    yield Finding(True, "dialplan is there")
    probe = f"callrouter-probe-{time.time_ns():x}"
    try:
        await session.request(
            {
                "Action": "Originate",
                "Channel": f"Local/desk@{words.OFFER}/n",
                "ChannelId": probe,
                "OtherChannelId": f"{probe}-2",
                "Application": "Wait",
                "Data": "0.2",
                "Async": "true",
            }
        )
    except AmiRejected:
        return  # said already: may not Originate
    except AmiError as error:
        yield Finding(None, "the probe call failed", str(error))
        return
    ours = f"{probe}-2"
    said = await _within(2.0, lambda: _heard(heard, "UserEvent", ours))
    for event, need, fine in (
        ("Newchannel", "call", _heard(heard, "Newchannel", ours)),
        ("UserEvent", "user", said),
    ):
        if fine:
            yield Finding(True, f"hears {event}")
        else:
            yield Finding(
                False,
                f"does not hear {event}",
                f"add {need} to read= of this user, and check its eventfilter and that "
                "app_userevent is loaded",
            )


def _heard(heard: list[AmiMessage], event: str, uid: str) -> bool:
    return any(message.name == event and message.get("Uniqueid") == uid for message in heard)


async def _phones(session: AmiSession, name: str, table: Table) -> AsyncIterator[Finding]:
    for agent in table.agents.values():
        for device in agent.devices:
            if not device.endpoint or name not in device.pbxes:
                continue
            state = await _getvar(session, f"DEVICE_STATE({device.endpoint})")
            what = f"{device.endpoint} ({agent.id}, {device.id})"
            if state == "INVALID" or not state:
                yield Finding(
                    False, f"{what}: no such endpoint", "check agents.yaml and pjsip.conf"
                )
            elif state == "UNAVAILABLE":
                yield Finding(None, f"{what}: not registered now", "it is rung once it registers")
            else:
                yield Finding(True, f"{what}: {state.lower().replace('_', ' ')}")


async def _getvar(session: AmiSession, variable: str) -> str:
    """The value of a global variable or function; empty if it can't be had."""
    try:
        reply = await session.request({"Action": "Getvar", "Variable": variable})
    except AmiError:
        return ""
    return reply.get("Value")
