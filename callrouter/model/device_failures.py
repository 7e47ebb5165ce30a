"""How devices fail to take a call, and their failures in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from callrouter.model.text import phrase


class DeviceFailure(Enum):
    """A kind of device failure. The values are shown to people."""

    REFUSED = "refused a call"
    NOT_REACHED = "could not be reached"
    NOT_ACCEPTED = "was answered without key 1"
    SILENT = "does not answer"
    """It neither rang nor refused nor was picked up."""
    DROPPED = "hung up right after it was picked up"
    DEAD = "did not stop ringing when told to"

    __hash__ = object.__hash__


FAILURES: Final[Mapping[Enum, str]] = {
    DeviceFailure.REFUSED: phrase("device-refused", "refused a call"),
    DeviceFailure.NOT_REACHED: phrase("device-not-reached", "could not be reached"),
    DeviceFailure.NOT_ACCEPTED: phrase("device-not-accepted", "was answered without key 1"),
    DeviceFailure.SILENT: phrase("device-silent", "does not answer"),
    DeviceFailure.DROPPED: phrase("device-dropped", "hung up right after it was picked up"),
    DeviceFailure.DEAD: phrase("device-dead", "did not stop ringing when told to"),
}
"""How a device failed, as a sentence with a code. The words are the values."""


@dataclass(frozen=True, slots=True)
class FailureStreak:
    """How the device at an address failed, and how many times in a row.

    `until`: the end of its cooldown, in epoch seconds.
    """

    kind: DeviceFailure
    count: int
    address: str
    until: float = 0.0

    def words(self) -> str:
        """A description for people, to follow the name of the device.

        For example ``does not answer, twice in a row``. The address is not mentioned.
        """
        failed = FAILURES[self.kind]
        if self.count == 1:
            return failed
        if self.kind is DeviceFailure.REFUSED:
            text = "refused {count} calls in a row"
            return phrase("device-refused-in-a-row", text, count=self.count)
        if self.count == 2:
            return phrase("device-failed-twice", "{failed}, twice in a row", failed=failed)
        text = "{failed}, {count} times in a row"
        return phrase("device-failed-often", text, failed=failed, count=self.count)
