"""Tracks the phones registered at each endpoint, so that all of them can be rung at once.

``PJSIP/1001`` rings only one of several registered phones, so each phone gets its own dial string.
When only one phone is registered, the endpoint itself is dialled, which is correct even if the
registration has just changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from callrouter.model import endpoints
from callrouter.model.routing_table import DeviceSpec
from callrouter.pbx.asterisk.ami import AmiClient, AmiError, AmiMessage
from callrouter.pbx.asterisk.lookups import phone_queries
from callrouter.tasks import Tasks

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
        self._contacts |= await phone_queries.contacts(self._client, self._wanted[:most])

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
            self._contacts |= await phone_queries.contacts(self._client, names)
        except AmiError:
            return  # everything is queried again once the link is back


def _registers(endpoint: str) -> bool:
    """Whether phones register at this endpoint."""
    try:
        what = endpoints.read(endpoint)
    except ValueError:
        return False
    return what.kind is endpoints.EndpointKind.PHONE and what.text.startswith("PJSIP/")
