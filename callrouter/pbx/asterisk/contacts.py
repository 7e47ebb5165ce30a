"""Which phones are registered at each endpoint, so that all of them can be rung at once.

``PJSIP/1001`` rings one of several; each phone is rung by a dial string of its own. Where there is but one,
the endpoint itself is dialled, which is right at any moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from callrouter.model import endpoints
from callrouter.model.table import DeviceSpec
from callrouter.pbx.asterisk import probe
from callrouter.pbx.asterisk.errors import AmiError
from callrouter.pbx.asterisk.session import AmiMessage, AmiSession
from callrouter.tasks import Tasks

_SETTLED: Final = 0.02
"""Seconds from an event to the question: a phone that registers again causes several events."""

AT_START: Final = 500
"""Endpoints asked for before the first offers; the others follow while calls are routed."""


class Contacts:
    """The registered phones of the endpoints that the table names."""

    def __init__(self, session: AmiSession, tasks: Tasks) -> None:
        self._session = session
        self._tasks = tasks
        self._wanted: tuple[str, ...] = ()
        self._known: dict[str, tuple[str, ...]] = {}
        self._due: dict[str, None] = {}

    def use(self, devices: Iterable[DeviceSpec]) -> None:
        """Ask for the endpoints of these devices, but for those of which the first phone will do."""
        first = {device.endpoint for device in devices if not device.all_contacts}
        wanted = (device.endpoint for device in devices if device.endpoint not in first)
        self._wanted = tuple(name for name in dict.fromkeys(wanted) if _registers(name))
        self._known = {name: self._known[name] for name in self._wanted if name in self._known}

    def of(self, endpoint: str) -> Sequence[str]:
        """The phones at an endpoint, as dial strings; none where nothing is known."""
        return self._known.get(endpoint, ())

    async def refresh(self, *, most: int | None = None) -> None:
        """Ask for all of them, or for the first `most`."""
        self._known |= await probe.contacts(self._session, self._wanted[:most])

    def refresh_rest(self) -> None:
        """Ask for those that `AT_START` left out, beside everything else."""
        if len(self._wanted) > AT_START:
            self._spawn(self._wanted[AT_START:])

    def heard(self, message: AmiMessage) -> None:
        """A phone registered, unregistered, or answers no more (`ContactStatus`)."""
        endpoint = f"PJSIP/{message.get('EndpointName') or message.get('AOR')}"
        if endpoint not in self._wanted:
            return
        if not self._due:
            asyncio.get_running_loop().call_later(_SETTLED, self._ask)
        self._due[endpoint] = None

    def _ask(self) -> None:
        due, self._due = tuple(self._due), {}
        self._spawn(due)

    def _spawn(self, names: Sequence[str]) -> None:
        if self._session.up:
            self._tasks.spawn(self._learn(names), "contacts of endpoints")

    async def _learn(self, names: Sequence[str]) -> None:
        try:
            self._known |= await probe.contacts(self._session, names)
        except AmiError:
            return  # all are asked for once the link is back


def _registers(endpoint: str) -> bool:
    """Whether phones register at it."""
    try:
        what = endpoints.read(endpoint)
    except ValueError:
        return False
    return what.line is endpoints.Line.PHONE and what.text.startswith("PJSIP/")
