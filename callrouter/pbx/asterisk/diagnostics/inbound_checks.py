"""`doctor`'s checks of the inbound route: whether it accepts arbitrary characters.

The extension a caller dials and the number they call from may contain line breaks, and Asterisk
writes both into its events unescaped. The router guards against that (see `ami.event_shapes`). A
dialplan that accepts only digits removes the risk altogether.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from typing import Final

from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiError, AmiMessage
from callrouter.pbx.asterisk.diagnostics.inspection import InspectedAsterisk
from callrouter.pbx.interface import Finding

_LIKELY: Final = (
    *("from-trunk", "from-pstn", "from-external", "from-outside", "from-did-direct", "ext-did"),
    *("inbound", "incoming", "public", "default"),
)
"""Common contexts for inbound calls. The check asks Asterisk which of them exist."""
_STRANGE: Final = ("7~~", "+7~~", "~~7")
"""Extensions that only a pattern matching any character accepts."""
_JUMPS: Final = frozenset({"goto", "gotoif", "gosub", "gosubif", "gotoiftime", "execif"})
_OURS: Final = re.compile(rf"(?<![\w-]){contract.ENTRY}(?:-codes|-person)?,", re.ASCII)
_MOST: Final = 5

_ADVICE: Final = (
    "let digits in alone: begin there with "
    'GotoIf($["${FILTER(0-9+*#,${EXTEN})}" != "${EXTEN}"]?…) to a Hangup(21); see docs/security.md'
)


async def check_inbound(asterisk: InspectedAsterisk, dial_number: str) -> AsyncIterator[Finding]:
    """Check the routes by which calls reach the queues, as far as this user may see them.

    Args:
        asterisk: the Asterisk.
        dial_number: how outside numbers are dialled. Its trunk is probably the one callers come in
            by.
    """
    tech, _, rest = dial_number.partition("/")
    trunk = (
        rest.rpartition("@")[2]
        if tech.lower() == "pjsip" and "{" not in rest.rpartition("@")[2]
        else ""
    )
    if await _may_list(asterisk):
        async for finding in _check_listed(asterisk):
            yield finding
    else:
        async for finding in _probe(asterisk, trunk):
            yield finding
    if trunk and await asterisk.variable(f"PJSIP_ENDPOINT({trunk},trust_id_inbound)") in {
        "true",
        "yes",
    }:
        yield Finding(
            None,
            f"the trunk {trunk} is believed what number it asserts (trust_id_inbound), whatever characters are in it",
            "have the provider or a session border controller pass digits only; see docs/security.md",
        )


async def _may_list(asterisk: InspectedAsterisk) -> bool:
    try:
        return "ShowDialPlan" in await asterisk.client.request({"Action": "ListCommands"})
    except AmiError:
        return False


async def _check_listed(asterisk: InspectedAsterisk) -> AsyncIterator[Finding]:
    try:
        rows = await asterisk.client.list({"Action": "ShowDialPlan"})
    except AmiError as error:
        yield Finding(None, "the dialplan is not readable", str(error))
        return
    found = loose_patterns(rows)
    for context, pattern in found[:_MOST]:
        what = f"[{context}] {pattern} leads to callrouter and takes any character, line ends too"
        yield Finding(None, what, _ADVICE)
    if len(found) > _MOST:
        yield Finding(None, f"… and {len(found) - _MOST} more patterns like that", _ADVICE)
    if not found:
        yield Finding(True, "no pattern that takes any character leads to callrouter")


def loose_patterns(rows: Iterable[AmiMessage]) -> list[tuple[str, str]]:
    """Patterns outside our contexts that lead to a queue or feature code and match any character.

    Args:
        rows: the events of `ShowDialPlan`.

    Returns:
        Context and pattern of each, without duplicates, in dialplan order.
    """
    found: dict[tuple[str, str], None] = {}
    for row in rows:
        context, pattern = row.get("Context"), row.get("Extension")
        ours = context == contract.ENTRY or context.startswith(f"{contract.ENTRY}-")
        if ours or not pattern.startswith("_") or not pattern.endswith((".", "!")):
            continue
        if row.get("Application").lower() in _JUMPS and _OURS.search(row.get("AppData")):
            found[context, pattern] = None
    return list(found)


async def _probe(asterisk: InspectedAsterisk, trunk: str) -> AsyncIterator[Finding]:
    """Without permission to list the dialplan, test which extensions it accepts."""
    contexts = dict.fromkeys(_LIKELY)
    if trunk and (context := await asterisk.variable(f"PJSIP_ENDPOINT({trunk},context)")):
        contexts = {context: None} | contexts
    for context in contexts:
        for extension in _STRANGE:
            if await asterisk.variable(f"DIALPLAN_EXISTS({context},{extension},1)") == "1":
                what = f"[{context}] takes an extension of any characters (such as {extension}), line ends too"
                yield Finding(None, what, _ADVICE)
                break
