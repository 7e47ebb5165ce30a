"""Queries about phones for what Asterisk's lists leave out: single states, hints, contacts.

`Getvar` and `ExtensionState` need write=call, which the router's user has.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Final

from callrouter.model import endpoints
from callrouter.pbx.asterisk.ami import Action, AmiClient, AmiDown, AmiReply, AmiTimeout
from callrouter.pbx.asterisk.execution import actions

_AT_A_TIME: Final = 100
"""Queries in one write. More at once could delay an offer."""

MOST_CONTACTS: Final = 9
"""Maximum number of phones rung at one endpoint.

Without a limit, a client with the endpoint's password could register any number of phones.
"""

_CONTACT: Final = re.compile(r"sips?:[^\x00-\x20\x7f,|&\"]{1,300}")


async def states(client: AmiClient, devices: Sequence[str]) -> dict[str, str]:
    """The state of each device, as its channel driver reports it.

    Returns:
        The states in Asterisk's terms; ``INVALID`` for a device that it does not know.

    Raises:
        AmiError: the link is down, or an answer did not arrive in time.
    """
    asked = [actions.getvar("", f"DEVICE_STATE({device})") for device in devices]
    answers = await _request_all(client, asked)
    return {
        device: answer.get("Value") or "INVALID"
        for device, answer in zip(devices, answers, strict=True)
        if answer is not None
    }


async def hints(client: AmiClient, sources: Sequence[str]) -> dict[str, str]:
    """The devices of each hint in the dialplan, such as ``PJSIP/1001&Custom:DND1001``.

    Raises:
        AmiError: the link is down, or an answer did not arrive in time.
    """
    places = [endpoints.hint_of(source) or ("", "") for source in sources]
    asked = [
        {"Action": "ExtensionState", "Exten": extension, "Context": context}
        for extension, context in places
    ]
    answers = await _request_all(client, asked)
    return {
        source: answer.get("Hint")
        for source, answer in zip(sources, answers, strict=True)
        if answer is not None
    }


async def contacts(client: AmiClient, phones: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The reachable phones at each endpoint, as dial strings.

    Args:
        client: asks the questions.
        phones: endpoints such as ``PJSIP/1001``.

    Raises:
        AmiError: the link is down, or an answer did not arrive in time.
    """
    names = [phone.partition("/")[2] for phone in phones]
    asked = [actions.getvar("", f"PJSIP_DIAL_CONTACTS({name})") for name in names]
    answers = await _request_all(client, asked)
    return {
        phone: dialled(phone, answer.get("Value"))
        for phone, answer in zip(phones, answers, strict=True)
        if answer is not None
    }


def dialled(phone: str, text: str) -> tuple[str, ...]:
    """Parse the result of ``PJSIP_DIAL_CONTACTS``: ``PJSIP/1001/sip:…&PJSIP/1001/sip:…``.

    A phone chooses its own contact, so one that is more than an address is left out.
    """
    start = f"{phone}/"
    parts = text.removeprefix(start).split(f"&{start}") if text.startswith(start) else []
    found = sorted({part for part in parts if _CONTACT.fullmatch(part)})
    return tuple(start + part for part in found[:MOST_CONTACTS])


async def _request_all(client: AmiClient, actions: Sequence[Action]) -> list[AmiReply | None]:
    """Send queries and return the answers; None stands for a query that Asterisk refused.

    Raises:
        AmiError: the link is down, or an answer did not arrive in time.
    """
    answers: list[AmiReply | None] = []
    for first in range(0, len(actions), _AT_A_TIME):
        answers += await _gathered(client, actions[first : first + _AT_A_TIME])
    return answers


async def _gathered(client: AmiClient, actions: Iterable[Action]) -> list[AmiReply | None]:
    futures = client.send(list(actions))
    found = await asyncio.gather(*futures, return_exceptions=True)
    answers: list[AmiReply | None] = []
    for one in found:
        if isinstance(one, AmiDown | AmiTimeout):
            raise one
        answers.append(None if isinstance(one, BaseException) else one)
    return answers
