"""Questions to Asterisk about phones that its lists leave out: single states, hints, registered contacts.

`Getvar` and `ExtensionState` need write=call, which the router's user has.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from callrouter.model import endpoints
from callrouter.pbx.asterisk.errors import AmiDown, AmiTimeout
from callrouter.pbx.asterisk.session import AmiReply, AmiSession

_AT_A_TIME: Final = 100
"""Questions in one write: their answers never hold up an offer."""

MOST_CONTACTS: Final = 9
"""Phones rung at one endpoint. Whoever has the endpoint's password decides how many register."""

_CONTACT: Final = re.compile(r"sips?:[^\x00-\x20\x7f,|&\"]{1,300}")


async def states(session: AmiSession, devices: Sequence[str]) -> dict[str, str]:
    """The state of each device, from its driver."""
    asked = [_variable(f"DEVICE_STATE({device})") for device in devices]
    answers = await _ask(session, asked)
    return {
        device: answer.get("Value") or "INVALID"
        for device, answer in zip(devices, answers, strict=True)
        if answer is not None
    }


async def hints(session: AmiSession, sources: Sequence[str]) -> dict[str, str]:
    """What the dialplan has for each hint, such as ``PJSIP/1001&Custom:DND1001``."""
    places = [endpoints.hint_of(source) or ("", "") for source in sources]
    asked = [
        {"Action": "ExtensionState", "Exten": extension, "Context": context}
        for extension, context in places
    ]
    answers = await _ask(session, asked)
    return {
        source: answer.get("Hint")
        for source, answer in zip(sources, answers, strict=True)
        if answer is not None
    }


async def contacts(session: AmiSession, phones: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The phones that can be reached at each endpoint, as dial strings."""
    names = [phone.partition("/")[2] for phone in phones]
    asked = [_variable(f"PJSIP_DIAL_CONTACTS({name})") for name in names]
    answers = await _ask(session, asked)
    return {
        phone: dialled(phone, answer.get("Value"))
        for phone, answer in zip(phones, answers, strict=True)
        if answer is not None
    }


def dialled(phone: str, text: str) -> tuple[str, ...]:
    """The contacts in what ``PJSIP_DIAL_CONTACTS`` gives: ``PJSIP/1001/sip:…&PJSIP/1001/sip:…``.

    A contact is a phone's own word. One that is more than an address is left out.
    """
    start = f"{phone}/"
    parts = text.removeprefix(start).split(f"&{start}") if text.startswith(start) else []
    found = sorted({part for part in parts if _CONTACT.fullmatch(part)})
    return tuple(start + part for part in found[:MOST_CONTACTS])


def _variable(name: str) -> dict[str, str]:
    return {"Action": "Getvar", "Variable": name}


async def _ask(session: AmiSession, actions: Sequence[Mapping[str, str]]) -> list[AmiReply | None]:
    """The answers; None for what Asterisk refused.

    Raises:
        AmiError: the link is down, or there was no answer in time.
    """
    answers: list[AmiReply | None] = []
    for first in range(0, len(actions), _AT_A_TIME):
        answers += await _gathered(session, actions[first : first + _AT_A_TIME])
    return answers


async def _gathered(
    session: AmiSession, actions: Iterable[Mapping[str, str]]
) -> list[AmiReply | None]:
    futures = session.send(list(actions))
    found = await asyncio.gather(*futures, return_exceptions=True)
    answers: list[AmiReply | None] = []
    for one in found:
        if isinstance(one, AmiDown | AmiTimeout):
            raise one
        answers.append(None if isinstance(one, BaseException) else one)
    return answers
