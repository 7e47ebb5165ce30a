"""`doctor`'s checks of feature codes: whether agents can dial them, and conflicts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Final

from callrouter.model.ivr import Code, PhoneCodes
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiError
from callrouter.pbx.asterisk.diagnostics.inspection import InspectedAsterisk
from callrouter.pbx.interface import Finding

_FREEPBX: Final = {
    "QUEUETOGGLE": "Queue Toggle",
    "QUEUEPAUSETOGGLE": "Queue Pause Toggle",
}
"""Global variables that hold the feature codes of FreePBX's own queues, and FreePBX's names for
them.
"""
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
    phones_by_context: dict[str, list[str]] = {}
    for phone in phones:
        tech, _, name = phone.partition("/")
        if tech == "PJSIP" and (
            context := await asterisk.variable(f"PJSIP_ENDPOINT({name},context)")
        ):
            phones_by_context.setdefault(context, []).append(phone)
    for context, own in phones_by_context.items():
        missing = [
            code
            for code in wanted
            if await asterisk.variable(f"DIALPLAN_EXISTS({context},{code},1)") == "0"
        ]
        if missing:
            more = f" and {len(own) - 1} more" if len(own) > 1 else ""
            others = " and others" if missing[1:] else ""
            yield Finding(
                None,
                f"{own[0]}{more} cannot dial the codes ({missing[0]}{others})",
                f"include => {contract.CODES} in [{context}], if agents are to use them",
            )
        for code in wanted:
            if code not in missing and (other_use := await _other_use(asterisk, context, code)):
                yield Finding(False, f"{code} in [{context}] is {other_use} as well", _MOVE)
    if await asterisk.variable("IFMODULE(res_pjsip_exten_state.so)") == "0":
        what = "lamps (BLF) cannot be shown: res_pjsip_exten_state is not loaded"
        yield Finding(None, what, "load it and res_pjsip_pubsub, if agents have such keys")


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
