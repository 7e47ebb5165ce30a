"""The Asterisk that `doctor` examines: reads variables and remembers events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from callrouter.pbx.asterisk.ami import AmiClient, AmiError, AmiMessage
from callrouter.pbx.asterisk.execution import actions


@dataclass
class InspectedAsterisk:
    """A session with an Asterisk, and every event received on it so far.

    Attributes:
        client: the session.
        heard: the events, in order.
    """

    client: AmiClient
    heard: list[AmiMessage] = field(default_factory=list)

    async def variable(self, name: str) -> str:
        """The value of a global variable or function, or "" if it cannot be read."""
        try:
            reply = await self.client.request(actions.getvar("", name))
        except AmiError:
            return ""
        return reply.get("Value")

    def has_event(self, name: str, uid: str) -> bool:
        """Whether this event has arrived for a channel."""
        return any(one.name == name and one.get("Uniqueid") == uid for one in self.heard)

    def has_event_with(self, uid: str, header: str, value: str) -> bool:
        """Whether an event for a channel has arrived with this value in this header."""
        return any(one.get("Uniqueid") == uid and one.get(header) == value for one in self.heard)


async def within(seconds: float, true: Callable[[], bool]) -> bool:
    """Wait up to `seconds` for a condition.

    Returns:
        Whether it became true.
    """
    try:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110 - a look at a list that grows
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True
