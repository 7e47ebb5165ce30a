"""`doctor`'s checks of the dialplan: our contexts, what they lead to, and the feature codes.

Of the site's contexts it checks those that ours lead to. Of the codes it checks whether agents can
dial them, and whether they conflict with others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from callrouter.model.ivr import Code, PhoneCodes
from callrouter.model.routing_table import TARGETS, QueueSpec, Table, ToDialplan
from callrouter.model.text import listed
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiError
from callrouter.pbx.asterisk.diagnostics import requirements
from callrouter.pbx.asterisk.diagnostics.inspection import InspectedAsterisk, within
from callrouter.pbx.asterisk.fallback import music_class
from callrouter.pbx.interface import Finding

WRITE_IT = (
    "#include extensions_callrouter.conf in extensions.conf (callrouter dialplan writes "
    'it), then asterisk -rx "dialplan reload"'
)
_NO_SUCH = "callrouter/no-such-sound"
_TRIED_WITHIN = 5.0
"""Seconds for Asterisk to report that a sound is missing which certainly is."""
_A_MOMENT = 0.3
_AT_ONCE = 15
"""Number of sounds tested at once. Each is a call from Asterisk to itself."""


async def check_dialplan(
    asterisk: InspectedAsterisk,
    table: Table,
    phones: Iterable[str],
    spoken: Mapping[str, Iterable[str]],
    codes: PhoneCodes,
) -> AsyncIterator[Finding]:
    """Check the dialplan. Requires that none of our contexts is missing.

    Args:
        asterisk: the Asterisk.
        table: the routing table, whose queues send callers to places in the dialplan.
        phones: the endpoints of agents.
        spoken: the sounds that are played, by language ("" means Asterisk's default language).
        codes: the feature codes that agents dial.
    """
    if await _is_ours(asterisk):
        yield Finding(True, "dialplan is there, of this version")
    else:
        what = "the dialplan is of another version of callrouter"
        yield Finding(False, what, WRITE_IT)
    async for finding in _targets_exist(asterisk, table):
        yield finding
    async for finding in _music(asterisk, table):
        yield finding
    async for finding in check_codes(asterisk, phones, codes):
        yield finding
    async for finding in _sounds(asterisk, spoken):
        yield finding


async def _is_ours(asterisk: InspectedAsterisk) -> bool:
    try:
        return await requirements.is_dialplan_ours(asterisk.client) is True
    except AmiError:
        return False


async def _targets_exist(asterisk: InspectedAsterisk, table: Table) -> AsyncIterator[Finding]:
    """Check the places to which queues send callers."""
    bare = []
    for queue in table.queues.values():
        for option, target in _targets(queue):
            if "$" not in target and await asterisk.variable(f"DIALPLAN_EXISTS({target})") == "0":
                what = f"{queue.id}: {option} leads to {target}, which is not in the dialplan"
                yield Finding(False, what, "callers would leave as if the queue had no such target")
        user = f"DIALPLAN_EXISTS({contract.FALLBACK_USER},{queue.id},1)"
        if await asterisk.variable(user) == "0":
            bare.append(queue.id)
    if bare:
        shown = ", ".join(bare[:5]) + (" …" if len(bare) > 5 else "")
        yield Finding(
            None,
            f"no extension of yours in [{contract.FALLBACK_USER}] for {shown}",
            "without the router and with no phone to ring, callers hear that all lines are busy; "
            "put what should happen instead there",
        )


async def _music(asterisk: InspectedAsterisk, table: Table) -> AsyncIterator[Finding]:
    """Check the music classes that queues name. Asterisk plays its default for a missing class."""
    queues: dict[str, list[str]] = {}
    for queue in table.queues.values():
        if music := music_class(queue):
            queues.setdefault(music, []).append(queue.id)
    if not queues:
        return
    if await asterisk.variable("IFMODULE(func_config.so)") != "1":
        what = f"music classes not readable: {', '.join(queues)}"
        yield Finding(None, what, "load func_config, so that doctor can look at them")
        return
    for music, names in queues.items():
        if await asterisk.variable(f"AST_CONFIG(musiconhold.conf,{music},mode)"):
            yield Finding(True, f"music class {music} is there")
        else:
            what = f"{', '.join(names)}: there is no music class {music} in musiconhold.conf"
            yield Finding(False, what, "callers hear the default class instead")


def _targets(queue: QueueSpec) -> Iterable[tuple[str, str]]:
    for option in TARGETS:
        target = getattr(queue, option)
        if isinstance(target, ToDialplan):
            yield option, f"{target.context},{target.extension},{target.priority}"


# ---------------------------------------------------------------- sounds


async def _sounds(
    asterisk: InspectedAsterisk, spoken: Mapping[str, Iterable[str]]
) -> AsyncIterator[Finding]:
    missing: list[str] = []
    packages: set[str] = set()
    tried = 0
    for language, names in spoken.items():
        wanted = sorted({*contract.SOUNDS, *names})
        for first in range(0, len(wanted), _AT_ONCE):
            part = wanted[first : first + _AT_ONCE]
            found = await _unplayable(asterisk, language, part)
            if found is None:
                yield Finding(None, "sounds not readable: a probe call came to nothing")
                return
            tried += len(part)
            missing += [f"{name} ({language})" if language else name for name in found]
            if found:
                packages.add(f"asterisk-core-sounds-{language.partition('_')[0] or 'en'}")
    if missing:
        shown = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if missing[6:] else "")
        advice = f"install Asterisk's core sounds: {listed(sorted(packages))}"
        yield Finding(False, f"sounds missing: {shown}", advice)
    else:
        yield Finding(True, f"sounds are there ({tried} tried)")


async def _unplayable(
    asterisk: InspectedAsterisk, language: str, names: list[str]
) -> list[str] | None:
    """The sounds in this list that cannot be played; None if that cannot be determined."""
    base = f"callrouter-probe-{time.time_ns():x}"
    calls = {f"{base}-{n}": name for n, name in enumerate([*names, _NO_SUCH])}
    try:
        for uid, name in calls.items():
            await asterisk.client.request(_playing(uid, name, language))
        if not await within(
            _TRIED_WITHIN, lambda: asterisk.has_event_with(f"{uid}-2", "Status", "FAILED")
        ):
            return None
        await asyncio.sleep(_A_MOMENT)
        return [
            name
            for uid, name in list(calls.items())[:-1]
            if asterisk.has_event_with(f"{uid}-2", "Status", "FAILED")
        ]
    except AmiError:
        return None
    finally:
        await _hang_up(asterisk, calls)


def _playing(uid: str, name: str, language: str) -> dict[str, str | list[str]]:
    return {
        "Action": "Originate",
        "Channel": f"Local/sound@{contract.PROBE}/n",
        "ChannelId": uid,
        "OtherChannelId": f"{uid}-2",
        "Application": "Wait",
        "Data": "5",
        "Variable": [f"__CALLROUTER_SAY={name}", f"__CALLROUTER_LANGUAGE={language}"],
        "Async": "true",
    }


async def _hang_up(asterisk: InspectedAsterisk, calls: Iterable[str]) -> None:
    for uid in calls:
        try:
            await asterisk.client.request({"Action": "Hangup", "Channel": uid})
        except AmiError:
            continue  # it has ended already


# ---------------------------------------------------------------- feature codes

_FREEPBX: Final = {
    "QUEUETOGGLE": "Queue Toggle",
    "QUEUEPAUSETOGGLE": "Queue Pause Toggle",
}
"""Global variables that hold the feature codes of FreePBX's own queues, and FreePBX's names for
them.
"""
_WRITE_AGAIN: Final = (
    'write the dialplan again (callrouter dialplan), then asterisk -rx "dialplan reload"'
)
_MOVE: Final = "choose others in codes: and write the dialplan again (callrouter dialplan), or take theirs away"


async def check_codes(
    asterisk: InspectedAsterisk, phones: Iterable[str], codes: PhoneCodes
) -> AsyncIterator[Finding]:
    """Check that agents can dial the codes, that no other feature uses them, and that BLF works.

    Args:
        asterisk: the Asterisk.
        phones: the agents' endpoints.
        codes: the feature codes as configured.
    """
    wanted = [codes.named(code) for code in Code if codes.named(code)]
    unwritten = await _missing(asterisk, contract.CODES, wanted)
    phones_by_context: dict[str, list[str]] = {}
    for phone in phones:
        tech, _, name = phone.partition("/")
        if tech == "PJSIP" and (
            context := await asterisk.variable(f"PJSIP_ENDPOINT({name},context)")
        ):
            phones_by_context.setdefault(context, []).append(phone)
    nowhere: dict[str, None] = {}
    for context, own in phones_by_context.items():
        missing = await _missing(asterisk, context, wanted)
        nowhere.update((code, None) for code in missing if code in unwritten)
        if not_included := [code for code in missing if code not in unwritten]:
            more = f" and {len(own) - 1} more" if len(own) > 1 else ""
            others = " and others" if not_included[1:] else ""
            yield Finding(
                None,
                f"{own[0]}{more} cannot dial the codes ({not_included[0]}{others})",
                f"include => {contract.CODES} in [{context}], if agents are to use them",
            )
        for code in wanted:
            if code not in missing and (other_use := await _other_use(asterisk, context, code)):
                yield Finding(False, f"{code} in [{context}] is {other_use} as well", _MOVE)
    if nowhere:
        what = f"[{contract.CODES}] does not have the codes of codes: {', '.join(nowhere)}"
        yield Finding(False, what, _WRITE_AGAIN)
    if await asterisk.variable("IFMODULE(res_pjsip_exten_state.so)") == "0":
        what = "lamps (BLF) cannot be shown: res_pjsip_exten_state is not loaded"
        yield Finding(None, what, "load it and res_pjsip_pubsub, if agents have such keys")


async def _missing(asterisk: InspectedAsterisk, context: str, codes: Iterable[str]) -> list[str]:
    """The codes that cannot be dialled in a context."""
    return [
        code
        for code in codes
        if await asterisk.variable(f"DIALPLAN_EXISTS({context},{code},1)") == "0"
    ]


async def _other_use(asterisk: InspectedAsterisk, context: str, code: str) -> str:
    """What else uses a code in the context of the agents' phones, in words; "" if nothing is known.

    Only accounts with write=reporting may list the whole dialplan, and the router's account does
    not need that. Without it there are two signs: the variables in which FreePBX keeps its feature
    codes, and a second priority at the extension, which ours does not have.
    """
    contexts = await _contexts_with(asterisk, context, code)
    if contexts:
        return "that of " + ", ".join(f"[{name}]" for name in contexts)
    for variable, feature in _FREEPBX.items():
        if await asterisk.variable(f"GLOBAL({variable})") == code:
            return f"FreePBX's own ({feature})"
    if await asterisk.variable(f"DIALPLAN_EXISTS({context},{code},2)") == "1":
        return f"that of another context in or below [{context}]"
    return ""


async def _contexts_with(asterisk: InspectedAsterisk, context: str, code: str) -> list[str]:
    """The contexts other than ours, in or included by `context`, that have this extension.

    Empty if the account may not list the dialplan.
    """
    try:
        rows = await asterisk.client.list(
            {"Action": "ShowDialPlan", "Context": context, "Extension": code}
        )
    except AmiError:
        return []
    named = (row.get("Context") for row in rows if row.get("Extension"))
    return [name for name in dict.fromkeys(named) if name and name != contract.CODES]
