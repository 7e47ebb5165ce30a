"""What the person at a phone hears of Asterisk's prompts, and what they key in."""

from __future__ import annotations

import asyncio
import re
from typing import Protocol

from callrouter.lab import Lab
from callrouter.lab.behaviour import DtmfMethod
from tests.asterisk.floor import Dialog, Floor


class Room(Protocol):
    """Where there is a laboratory."""

    lab: Lab


class Ear:
    """What Asterisk plays to whom, by its own log: a line for every sound file that it opens."""

    def __init__(self, here: Room) -> None:
        self._path = here.lab.asterisk.log_path
        self._from = self._path.stat().st_size

    def heard(self, phone: str) -> list[str]:
        """The sounds that a phone was played since, in order."""
        return [sound for _, sound in self._played(phone)]

    def by_call(self, phone: str) -> list[list[str]]:
        """The sounds that each of a phone's calls was played since, the first to hear any first."""
        found: dict[str, list[str]] = {}
        for channel, sound in self._played(phone):
            found.setdefault(channel, []).append(sound)
        return list(found.values())

    def _played(self, phone: str) -> list[tuple[str, str]]:
        with self._path.open("rb") as log:
            log.seek(self._from)
            text = log.read().decode(errors="replace")
        return re.findall(rf"<PJSIP/{phone}-([0-9a-f]+)> Playing '([^']+?)(?:\.\w+)?' ", text)


async def dial(here: Floor, phone: str, code: str) -> list[str]:
    """Dial a code, listen to the end, and return what was heard."""
    ear = Ear(here)
    dialog = await here.phone(phone).call(code)
    await dialog.wait_heard("", 10)
    await dialog.wait_ended(20)
    assert dialog.ended_by == "them"
    return ear.heard(phone)


def heard(*parts: tuple[str, ...]) -> list[str]:
    return [name for part in parts for name in part]


async def key(dialog: Dialog, digits: str, how: DtmfMethod = "rfc4733") -> None:
    """Key in an answer."""
    for digit in digits:
        await dialog.send_dtmf(digit, how)
        await asyncio.sleep(0.06)
