"""How devices fail to take a call, and their failures in a row."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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
        if self.count == 1:
            return self.kind.value
        if self.kind is DeviceFailure.REFUSED:
            return f"refused {self.count} calls in a row"
        often = "twice" if self.count == 2 else f"{self.count} times"
        return f"{self.kind.value}, {often} in a row"
