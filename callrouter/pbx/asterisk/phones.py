"""What is known of the phones that agents use: registered or not, and in a call that is not ours.

No I/O. Whether a phone is in use is told by the channels on it, not by its device state: the state
counts our own legs as well, and lags behind. What a phone is, `callrouter.model.endpoints` decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from callrouter.model import endpoints
from callrouter.model.endpoints import Line
from callrouter.model.events import Reached
from callrouter.model.table import DeviceSpec
from callrouter.pbx.asterisk import words

_UNREACHABLE: Final = Reached.UNREACHABLE
_NO_AGES: Final[Mapping[str, float]] = {}


@dataclass(frozen=True, slots=True)
class Watch:
    """What tells of one endpoint whether it can ring.

    Attributes:
        device: whose state must not be "unreachable"; empty: nothing is known of it.
        phones: on these a foreign channel means a private call.
        beside: phones that a state or hint names: one of them at least must be reachable.
        says: states that a program sets, such as ``Custom:DND1001``.
    """

    device: str
    phones: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()
    says: frozenset[str] = frozenset()

    @property
    def devices(self) -> AbstractSet[str]:
        """All whose states matter."""
        return self.phones | self.beside | self.says | ({self.device} if self.device else set())


def watch(endpoint: str, states: Iterable[str], hints: Mapping[str, str]) -> Watch:
    """How to judge an endpoint.

    Args:
        endpoint: as the table has it.
        states: the device's further states.
        hints: what the dialplan has for each hint, as far as it was asked.
    """
    try:
        what = endpoints.read(endpoint)
    except ValueError:  # from a table that no settings made
        what = endpoints.Endpoint(endpoint, Line.PHONE, endpoint)
    beside, says = set[str](), set[str]()
    for name in state_devices(states, hints):
        (beside if endpoints.on_a_phone(name) else says).add(name)
    beside.discard(what.device)
    own = {what.device} if what.line is Line.PHONE else set[str]()
    return Watch(what.device, frozenset(own | beside), frozenset(beside), frozenset(says))


def state_devices(states: Iterable[str], hints: Mapping[str, str]) -> Iterator[str]:
    """The devices that a device's `state` comes to, with what the dialplan has for each hint."""
    for source in states:
        if endpoints.hint_of(source) is None:
            yield source
        else:
            yield from endpoints.devices_of(hints.get(source, ""))


class Phones:
    """The phones that the routing table names, and the foreign channels on them.

    Attributes:
        watched: the endpoints that matter, and how each is judged.
        devices: device states by device, as Asterisk words them.
    """

    def __init__(
        self, tell: Callable[[str, Reached], None], now: Callable[[], float] = lambda: 0.0
    ) -> None:
        """Take `tell`, which is called with each watched endpoint whose state has changed, and a clock."""
        self.watched: dict[str, Watch] = {}
        self.devices: dict[str, str] = {}
        self._tell = tell
        self._concerns: dict[str, tuple[str, ...]] = {}
        """Device: the endpoints that it tells of."""
        self._on: dict[str, str] = {}
        """Channels on watched phones that are not ours: uniqueid to phone."""
        self._named: dict[str, tuple[str, float]] = {}
        """What those channels are called, and when each began."""
        self._left_behind: set[str] = set()
        """Channels that were said to be no calls."""
        self._now = now
        self._busy: Counter[str] = Counter()
        self._told: dict[str, Reached] = {}
        self._specs: dict[str, tuple[str, ...]] = {}
        self._hints: dict[str, str] = {}

    def use(self, devices: Iterable[DeviceSpec]) -> bool:
        """Watch the endpoints of these devices; whether that is any change."""
        wanted: dict[str, tuple[str, ...]] = {}
        for device in devices:
            known = wanted.get(device.endpoint, ())
            wanted[device.endpoint] = known + tuple(s for s in device.states if s not in known)
        if wanted == self._specs:
            return False
        self._specs = wanted
        self._judge()
        return True

    def hints(self) -> list[str]:
        """The hints whose devices are to be asked for."""
        named = (source for states in self._specs.values() for source in states)
        return [source for source in dict.fromkeys(named) if endpoints.hint_of(source)]

    def known_hint(self, source: str) -> bool:
        """Whether the dialplan has a hint."""
        return bool(endpoints.devices_of(self._hints.get(source, "")))

    def know_hints(self, found: Mapping[str, str]) -> None:
        """What the dialplan has for each hint now."""
        if found != self._hints:
            self._hints = dict(found)
            self._judge()

    def _judge(self) -> None:
        self.watched = {
            endpoint: watch(endpoint, states, self._hints)
            for endpoint, states in self._specs.items()
        }
        concerns: dict[str, list[str]] = {}
        for endpoint, how in self.watched.items():
            for device in how.devices:
                concerns.setdefault(device, []).append(endpoint)
        self._concerns = {device: tuple(names) for device, names in concerns.items()}

    def reached(self, endpoint: str) -> Reached:
        """What is known of an endpoint. A device that Asterisk has never told of cannot be rung."""
        how = self.watched.get(endpoint)
        if how is None:
            return _UNREACHABLE
        for phone in how.phones:
            if self._busy[phone]:
                return Reached.IN_USE
        if how.device and self._state(how.device) is _UNREACHABLE:
            return _UNREACHABLE
        if not how.beside and not how.says:
            return Reached.IDLE  # nearly every one
        if how.beside and all(self._state(phone) is _UNREACHABLE for phone in how.beside):
            return _UNREACHABLE
        if any(self.devices.get(name) in endpoints.TAKES_NONE for name in how.says):
            return Reached.BUSY
        return Reached.IDLE

    def states(self, endpoint: str) -> tuple[str, ...]:
        """The devices that must be free for the dialplan to ring an endpoint; none: its own is all."""
        how = self.watched.get(endpoint)
        if how is None or (how.phones == {endpoint} and not how.says):
            return ()
        return (*sorted(how.phones | how.says),) or (words.ANY_STATE,)

    def _state(self, device: str) -> Reached:
        state = self.devices.get(device)
        return _UNREACHABLE if state is None else endpoints.reached(state)

    def all(self) -> dict[str, Reached]:
        """All watched endpoints; they count as told from here on."""
        self._told = {endpoint: self.reached(endpoint) for endpoint in self.watched}
        return dict(self._told)

    def unlisted(self, listed: AbstractSet[str]) -> list[str]:
        """Devices that matter and are in no list of Asterisk's: each must be asked for by itself."""
        return [
            device
            for device in self._concerns
            if device not in listed and not device.startswith("Custom:")
        ]

    def missing(self) -> list[str]:
        """Watched endpoints that Asterisk does not know at all."""
        return sorted(
            endpoint
            for endpoint, how in self.watched.items()
            if how.device and self.devices.get(how.device, "INVALID") == "INVALID"
        )

    def look(self, device: str) -> None:
        """Tell what is known of the endpoints that a device concerns, if that is news."""
        for endpoint in self._concerns.get(device, ()):
            state = self.reached(endpoint)
            if self._told.get(endpoint) is not state:
                self._told[endpoint] = state
                self._tell(endpoint, state)

    def device(self, name: str, state: str) -> None:
        """Asterisk reports a device state."""
        self.devices[name] = state
        self.look(name)

    def came(self, uid: str, channel: str) -> None:
        """There is a channel that is not a leg of ours; it counts if it is on a watched phone."""
        phone = words.endpoint_of(channel)
        if phone in self._concerns and uid not in self._on and uid not in self._left_behind:
            self._on[uid] = phone
            self._named[uid] = channel, self._now()
            self._busy[phone] += 1
            self.look(phone)

    def went(self, uid: str) -> None:
        """A channel is gone, or is known to be a leg of ours."""
        phone = self._on.pop(uid, None)
        self._left_behind.discard(uid)
        if phone is not None:
            self._named.pop(uid, None)
            self._busy[phone] -= 1
            self.look(phone)

    def private(self, endpoint: str) -> tuple[str, float | None]:
        """The oldest foreign channel on an endpoint's phones, and when it began."""
        how = self.watched.get(endpoint)
        found = [
            self._named[uid]
            for uid, phone in self._on.items()
            if how is not None and phone in how.phones and uid in self._named
        ]
        return min(found, key=lambda one: one[1], default=("", None))

    def disregard(self, endpoint: str) -> None:
        """The foreign channels that are on an endpoint's phones now are no calls."""
        how = self.watched.get(endpoint)
        for uid, phone in list(self._on.items()):
            if how is not None and phone in how.phones:
                self.went(uid)
                self._left_behind.add(uid)

    def channels(self) -> frozenset[str]:
        """The uniqueids of the foreign channels on watched phones."""
        return frozenset(self._on) | self._left_behind

    def take_in(
        self,
        states: Mapping[str, str],
        channels: Mapping[str, str],
        moved: Iterable[str],
        ages: Mapping[str, float] = _NO_AGES,
    ) -> None:
        """Agree with lists of all device states and all foreign channels, and tell nothing yet.

        Args:
            states: device state by device.
            channels: channel name by uniqueid.
            moved: uniqueids and devices of which something was heard after the lists were asked
                for: what is known of those is newer.
            ages: for how many seconds each channel has been there, where that is told.
        """
        newer = frozenset(moved)
        self.devices = {
            device: self.devices[device] if device in newer else state
            for device, state in states.items()
        } | {name: self.devices[name] for name in newer if name in self.devices}
        kept = {uid: phone for uid, phone in self._on.items() if uid in newer}
        for uid, channel in channels.items():
            phone = words.endpoint_of(channel)
            if uid not in newer and phone in self._concerns and uid not in self._left_behind:
                kept[uid] = phone
                self._named.setdefault(uid, (channel, self._now() - ages.get(uid, 0.0)))
        self._left_behind &= channels.keys() | newer
        self._named = {uid: named for uid, named in self._named.items() if uid in kept}
        self._on = kept
        self._busy = Counter(kept.values())
