"""Queries about phones for what Asterisk's lists leave out: single states, hints, contacts.

`Getvar` and `ExtensionState` need write=call, which the router's user has. `RegisteredContacts`
tracks the phones registered at each endpoint, so that all of them can be rung at once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Final

from callrouter.model import endpoints
from callrouter.model.routing_table import DeviceSpec
from callrouter.pbx.asterisk.ami import (
    Action,
    AmiClient,
    AmiDown,
    AmiError,
    AmiMessage,
    AmiReply,
    AmiTimeout,
)
from callrouter.pbx.asterisk.execution import actions
from callrouter.tasks import Tasks

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


_SETTLED: Final = 0.02
"""Seconds to wait after an event before asking. One registration causes several events."""

AT_START: Final = 500
"""Endpoints queried before the first offer. The rest follow while calls are already routed."""


class RegisteredContacts:
    """The registered phones of the endpoints in the routing table."""

    def __init__(self, client: AmiClient, tasks: Tasks) -> None:
        self._client = client
        self._tasks = tasks
        self._wanted: tuple[str, ...] = ()
        self._contacts: dict[str, tuple[str, ...]] = {}
        self._due: dict[str, None] = {}

    def use(self, devices: Iterable[DeviceSpec]) -> None:
        """Watch the endpoints of these devices, except where only the first phone is to ring."""
        first = {device.endpoint for device in devices if not device.all_contacts}
        wanted = (device.endpoint for device in devices if device.endpoint not in first)
        self._wanted = tuple(name for name in dict.fromkeys(wanted) if _registers(name))
        self._contacts = {
            name: self._contacts[name] for name in self._wanted if name in self._contacts
        }

    def of(self, endpoint: str) -> Sequence[str]:
        """Dial strings of the phones at an endpoint. Empty if none are known."""
        return self._contacts.get(endpoint, ())

    async def refresh(self, *, most: int | None = None) -> None:
        """Query all endpoints, or only the first `most`."""
        self._contacts |= await contacts(self._client, self._wanted[:most])

    def refresh_rest(self) -> None:
        """Query the endpoints beyond `AT_START` in the background."""
        if len(self._wanted) > AT_START:
            self._spawn(self._wanted[AT_START:])

    def on_contact_status(self, message: AmiMessage) -> None:
        """Handle `ContactStatus`: a phone registered, unregistered or stopped responding."""
        endpoint = f"PJSIP/{message.get('EndpointName') or message.get('AOR')}"
        if endpoint not in self._wanted:
            return
        if not self._due:
            asyncio.get_running_loop().call_later(_SETTLED, self._query_due)
        self._due[endpoint] = None

    def _query_due(self) -> None:
        due, self._due = tuple(self._due), {}
        self._spawn(due)

    def _spawn(self, names: Sequence[str]) -> None:
        if self._client.up:
            self._tasks.spawn(self._query(names), "contacts of endpoints")

    async def _query(self, names: Sequence[str]) -> None:
        try:
            self._contacts |= await contacts(self._client, names)
        except AmiError:
            return  # everything is queried again once the link is back


def _registers(endpoint: str) -> bool:
    """Whether phones register at this endpoint."""
    try:
        what = endpoints.read(endpoint)
    except ValueError:
        return False
    return what.kind is endpoints.EndpointKind.PHONE and what.text.startswith("PJSIP/")
