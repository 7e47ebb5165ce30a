"""Tells Asterisk which devices could take each queue's calls, in case the router fails.

The dialplan's fallback rings these devices. They are set in global variables, which the dialplan
copies into AstDB: AMI's `Setvar` may not write `DB()` for a user without write=system.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from callrouter.model.projections import QueueView
from callrouter.model.routing_table import DeviceSpec, QueueSpec
from callrouter.pbx.asterisk.ami import Action
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.interface import DeviceBoard

DESKS = "CALLROUTER_DESKS_"
MOBILES = "CALLROUTER_MOBILES_"
STAMP = "CALLROUTER_STAMP_"
"""The version of the two lists. The dialplan copies them once per version."""

MUSIC = "CALLROUTER_MUSIC_"
"""The music class of a queue. Empty means the class of the caller's channel."""
USUAL_MUSIC = "default"

NONE = "-"
"""Stands for an empty list. An empty variable would look like one that was never set."""

LONGEST = 900
"""Maximum length of a list in bytes. Asterisk accepts header lines of about 1,000."""

_MEMBERS_AT_A_TIME = 1000
"""Members examined in one pass, so that a large routing table never delays an offer."""


StatesOf: TypeAlias = Callable[[str], Sequence[str]]
"""Returns the devices that must be free before an endpoint is rung.

An empty result means that only the endpoint's own device counts.
"""


def _own_alone(_endpoint: str) -> Sequence[str]:
    return ()


class DialLists(NamedTuple):
    """What the fallback rings for a queue: dial strings joined by ``&``, or `NONE`.

    Attributes:
        desks: rung together.
        mobiles: rung one after the other, because each must press 1.
    """

    desks: str
    mobiles: str


def available_devices(
    board: DeviceBoard, queue: str, pbx: str, dial_number: str, states: StatesOf = _own_alone
) -> DialLists:
    """The available desk phones and mobiles of a queue, joined by ``&``.

    Each entry is a dial string, followed by ``^`` and a device name for every further device that
    must be free. The lists include agents who are signed in and not on a break, by priority and
    then in file order. Agents on a call count too, since they will be free again. Disabled and
    unreachable devices do not.
    """
    desks, mobiles = _List(), _List()
    for device in board.reachable_devices(queue, pbx):
        if desks.full and mobiles.full:
            break
        where = mobiles if device.confirm else desks
        dialled = device.endpoint or _number(device, dial_number)
        where.add("^".join((dialled, *states(device.endpoint))))
    return DialLists(desks.text, mobiles.text)


def _number(device: DeviceSpec, dial_number: str) -> str:
    try:
        return actions.dial_string(dial_number, device.number)
    except ValueError:
        return ""


def _stamp(devices: DialLists) -> str:
    return hashlib.blake2s("|".join(devices).encode(), digest_size=8).hexdigest()


class _List:
    def __init__(self) -> None:
        self.text = NONE
        self.full = False

    def add(self, dial: str) -> None:
        """Add a dial string if there is room. Duplicates are ignored."""
        if not dial or dial in self.text.split("&"):
            return
        longer = dial if self.text == NONE else f"{self.text}&{dial}"
        self.full = self.full or len(longer.encode()) > LONGEST
        if not self.full:
            self.text = longer


class FallbackDevices:
    """Publishes what has changed since the last call; called once a second.

    A large routing table is processed in several rounds.
    """

    def __init__(
        self,
        board: DeviceBoard,
        pbx: str,
        dial_number: str,
        states: StatesOf = _own_alone,
    ) -> None:
        self._board = board
        self._states = states
        self._pbx = pbx
        self._dial_number = dial_number
        self._published: dict[str, DialLists] = {}
        self._music: dict[str, str] = {}
        self._queues_left: list[str] = []

    def forget(self) -> None:
        """Publish everything again: Asterisk may have been restarted."""
        self._published.clear()
        self._music.clear()

    def changes(self) -> Iterator[Action]:
        """The actions that publish the changes."""
        examined = 0
        self._queues_left = self._queues_left or sorted(self._board.queue_ids())
        while self._queues_left and examined < _MEMBERS_AT_A_TIME:
            queue = self._board.queue(self._queues_left.pop(0))
            if queue is None:
                continue
            examined += queue.members
            former = queue.spec.renamed_from  # callers may still be at that extension
            names = (queue.id, former) if former else (queue.id,)
            yield from self._music_of(queue, names)
            devices = available_devices(
                self._board, queue.id, self._pbx, self._dial_number, self._states
            )
            before: DialLists | None = self._published.get(queue.id)
            if devices != before:
                self._published[queue.id] = devices
                for name in names:
                    yield actions.setvar("", DESKS + name, devices.desks)
                    yield actions.setvar("", MOBILES + name, devices.mobiles)
                    yield actions.setvar("", STAMP + name, _stamp(devices))

    def usual_music(self) -> Iterator[Action]:
        """Reset the queues that have no music class, in case an earlier run set one."""
        for queue in self._board.queue_ids():
            if not music_class(self._board.queue_spec(queue)):
                yield actions.setvar("", MUSIC + queue, "")

    def _music_of(self, queue: QueueView, names: Iterable[str]) -> Iterator[Action]:
        """Publish a queue's music class. Without one, callers keep the class of their channel."""
        music = music_class(queue.spec)
        if self._music.get(queue.id, "") != music:
            self._music[queue.id] = music
            for name in names:
                yield actions.setvar("", MUSIC + name, music)


def music_class(spec: QueueSpec | None) -> str:
    """The music class for callers of a queue. Empty means the class of their channel."""
    return "" if spec is None or spec.music == USUAL_MUSIC else spec.music
