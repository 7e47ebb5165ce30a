"""The PBXes that can call a mobile and talk to the person who picks up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

from callrouter.model.ivr import CallNumber, Say


@runtime_checkable
class CallsNumbers(Protocol):
    """A driver that can call a number and talk to it. `callrouter.pbx.interface` says more."""

    def say(self, command: Say) -> None:
        """Play sounds, then read digits or hang up."""

    def call_number(self, command: CallNumber) -> None:
        """Call an outside number."""


class CallingPbxes:
    """Chooses the PBX for a verification call, and sends commands to it.

    Args:
        pbxes: all drivers, by name. Those that are no `CallsNumbers` place no calls.
        in_step: whether a PBX, by name, has a connection and can place calls now.
    """

    def __init__(self, pbxes: Mapping[str, object], in_step: Callable[[str], bool]) -> None:
        self._pbxes = pbxes
        self.in_step = in_step

    def first_ready(self, names: Iterable[str]) -> str:
        """The first of the PBXes that can call a number now; empty if there is none."""
        for name in names:
            if self._driver(name) is not None and self.in_step(name):
                return name
        return ""

    def send(self, command: Say | CallNumber) -> bool:
        """Send a command to its PBX. Returns False if there is no such PBX, or it cannot talk."""
        driver = self._driver(command.pbx)
        if driver is None:
            return False
        if isinstance(command, Say):
            driver.say(command)
        else:
            driver.call_number(command)
        return True

    def _driver(self, name: str) -> CallsNumbers | None:
        driver = self._pbxes.get(name)
        return driver if isinstance(driver, CallsNumbers) else None
