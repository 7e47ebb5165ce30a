"""The state of agents' phones: whether each is registered, and whether it is in a call of its own.

No I/O. Whether a phone is in use is determined from the channels on it, not from its device state:
the state includes our own legs and lags behind. `callrouter.model.endpoints` determines what kind
of device an endpoint is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from callrouter.model import endpoints
from callrouter.model.endpoints import EndpointKind
from callrouter.model.events import DEVICE_UNREACHABLE, DeviceState
from callrouter.model.routing_table import DeviceSpec
from callrouter.pbx.asterisk import contract

_NO_AGES: Final[Mapping[str, float]] = {}


@dataclass(frozen=True, slots=True)
class EndpointWatch:
    """What determines whether one endpoint can ring.

    Attributes:
        device: the device that must not be unreachable; "" if nothing is known about it.
        phones: a foreign channel on one of these means a private call.
        named_phones: phones named by a state or hint. At least one of them must be reachable.
        program_states: states set by a program, such as ``Custom:DND1001``.
    """

    device: str
    phones: frozenset[str] = frozenset()
    named_phones: frozenset[str] = frozenset()
    program_states: frozenset[str] = frozenset()

    @property
    def devices(self) -> AbstractSet[str]:
        """Every device whose state matters."""
        return (
            self.phones
            | self.named_phones
            | self.program_states
            | ({self.device} if self.device else set())
        )


def endpoint_watch(endpoint: str, states: Iterable[str], hints: Mapping[str, str]) -> EndpointWatch:
    """How to judge an endpoint.

    Args:
        endpoint: as in the routing table.
        states: the device's further states.
        hints: the devices of each hint in the dialplan, as far as they were queried.
    """
    try:
        what = endpoints.read(endpoint)
    except ValueError:  # from a table that was not built from settings
        what = endpoints.Endpoint(endpoint, EndpointKind.PHONE, endpoint)
    named_phones, program_states = set[str](), set[str]()
    for name in state_devices(states, hints):
        (named_phones if endpoints.on_a_phone(name) else program_states).add(name)
    named_phones.discard(what.device)
    own = {what.device} if what.kind is EndpointKind.PHONE else set[str]()
    return EndpointWatch(
        what.device,
        frozenset(own | named_phones),
        frozenset(named_phones),
        frozenset(program_states),
    )


def state_devices(states: Iterable[str], hints: Mapping[str, str]) -> Iterator[str]:
    """The devices that a device's `state` refers to, with hints resolved."""
    for source in states:
        if endpoints.hint_of(source) is None:
            yield source
        else:
            yield from endpoints.devices_of(hints.get(source, ""))


class PhoneStates:
    """The phones in the routing table, and the foreign channels on them.

    Attributes:
        watched: the endpoints that matter, and how each is judged.
        devices: the state of each device, in Asterisk's terms.
    """

    def __init__(
        self, on_change: Callable[[str, DeviceState], None], now: Callable[[], float] = lambda: 0.0
    ) -> None:
        """Watch nothing yet.

        Args:
            on_change: called with each watched endpoint whose state has changed.
            now: a clock (epoch seconds).
        """
        self.watched: dict[str, EndpointWatch] = {}
        self.devices: dict[str, str] = {}
        self._on_change = on_change
        self._endpoints_of: dict[str, tuple[str, ...]] = {}
        """The endpoints that each device affects."""
        self._phone_of: dict[str, str] = {}
        """Foreign channels on watched phones: uniqueid to phone."""
        self._channels_on: dict[str, dict[str, tuple[str, float]]] = {}
        """The same by phone: the name and start time of each channel. No phone has an empty dict."""
        self._left_behind: set[str] = set()
        """Channels that are to be disregarded because they are not calls."""
        self._now = now
        self._reported: dict[str, DeviceState] = {}
        self._specs: dict[str, tuple[str, ...]] = {}
        self._hints: dict[str, str] = {}

    def use(self, devices: Iterable[DeviceSpec]) -> bool:
        """Watch the endpoints of these devices.

        Returns:
            Whether anything changed, so that states and hints must be read again.
        """
        wanted: dict[str, tuple[str, ...]] = {}
        for device in devices:
            known = wanted.get(device.endpoint, ())
            wanted[device.endpoint] = known + tuple(s for s in device.states if s not in known)
        if wanted == self._specs:
            return False
        self._specs = wanted
        self._rebuild()
        return True

    def hints(self) -> list[str]:
        """The hints that must be queried."""
        named = (source for states in self._specs.values() for source in states)
        return [source for source in dict.fromkeys(named) if endpoints.hint_of(source)]

    def has_hint(self, source: str) -> bool:
        """Whether the dialplan has this hint.

        Args:
            source: as in a device's `state`, such as ``hint:1001@from-internal``.
        """
        return bool(endpoints.devices_of(self._hints.get(source, "")))

    def set_hints(self, found: Mapping[str, str]) -> None:
        """Store what the dialplan now has for each hint.

        Args:
            found: the devices of each hint, joined by ``&``; "" if there is no such hint.
        """
        if found != self._hints:
            self._hints = dict(found)
            self._rebuild()

    def _rebuild(self) -> None:
        self.watched = {
            endpoint: endpoint_watch(endpoint, states, self._hints)
            for endpoint, states in self._specs.items()
        }
        concerns: dict[str, list[str]] = {}
        for endpoint, watch in self.watched.items():
            for device in watch.devices:
                concerns.setdefault(device, []).append(endpoint)
        self._endpoints_of = {device: tuple(names) for device, names in concerns.items()}

    def state_of(self, endpoint: str) -> DeviceState:
        """The state of an endpoint.

        A foreign channel on one of its phones makes it in use, whatever the device state says. A
        device that Asterisk has never reported cannot be rung.
        """
        watch = self.watched.get(endpoint)
        if watch is None:
            return DEVICE_UNREACHABLE
        for phone in watch.phones:
            if phone in self._channels_on:
                return DeviceState.IN_USE
        if watch.device and self._state(watch.device) is DEVICE_UNREACHABLE:
            return DEVICE_UNREACHABLE
        if not watch.named_phones and not watch.program_states:
            return DeviceState.IDLE  # the usual case
        if watch.named_phones and all(
            self._state(phone) is DEVICE_UNREACHABLE for phone in watch.named_phones
        ):
            return DEVICE_UNREACHABLE
        if any(self.devices.get(name) in endpoints.TAKES_NONE for name in watch.program_states):
            return DeviceState.BUSY
        return DeviceState.IDLE

    def states(self, endpoint: str) -> tuple[str, ...]:
        """The devices that must be free before the dialplan rings an endpoint.

        An empty result means that only the endpoint's own device counts.
        """
        watch = self.watched.get(endpoint)
        if watch is None or (watch.phones == {endpoint} and not watch.program_states):
            return ()
        return (*sorted(watch.phones | watch.program_states),) or (contract.ANY_STATE,)

    def _state(self, device: str) -> DeviceState:
        state = self.devices.get(device)
        return DEVICE_UNREACHABLE if state is None else endpoints.device_state(state)

    def report_all(self) -> dict[str, DeviceState]:
        """The state of every watched endpoint. They count as reported from now on."""
        self._reported = {endpoint: self.state_of(endpoint) for endpoint in self.watched}
        return dict(self._reported)

    def unlisted(self, listed: AbstractSet[str]) -> list[str]:
        """Devices that matter but are in none of Asterisk's lists, so that each must be queried.

        Args:
            listed: the devices in the list of device states.
        """
        return [
            device
            for device in self._endpoints_of
            if device not in listed and not device.startswith("Custom:")
        ]

    def missing(self) -> list[str]:
        """Watched endpoints that do not exist in Asterisk."""
        return sorted(
            endpoint
            for endpoint, watch in self.watched.items()
            if watch.device and self.devices.get(watch.device, "INVALID") == "INVALID"
        )

    def _report_changes(self, device: str) -> None:
        """Report the endpoints that a device affects, if their state has changed."""
        for endpoint in self._endpoints_of.get(device, ()):
            state = self.state_of(endpoint)
            if self._reported.get(endpoint) is not state:
                self._reported[endpoint] = state
                self._on_change(endpoint, state)

    def device_changed(self, name: str, state: str) -> None:
        """Handle a device state from Asterisk.

        Args:
            name: the device, such as ``PJSIP/1001`` or ``Custom:DND1001``.
            state: in Asterisk's terms, such as ``NOT_INUSE``.
        """
        self.devices[name] = state
        self._report_changes(name)

    def channel_began(self, uid: str, channel: str) -> None:
        """Handle a channel that is not one of our legs. It counts if it is on a watched phone.

        Args:
            uid: its uniqueid.
            channel: its name, which begins with the phone's.
        """
        phone = contract.endpoint_of(channel)
        if (
            phone in self._endpoints_of
            and uid not in self._phone_of
            and uid not in self._left_behind
        ):
            self._phone_of[uid] = phone
            self._channels_on.setdefault(phone, {})[uid] = channel, self._now()
            self._report_changes(phone)

    def channel_ended(self, uid: str) -> None:
        """A channel has ended, or has turned out to be one of our legs."""
        phone = self._phone_of.pop(uid, None)
        self._left_behind.discard(uid)
        if phone is not None:
            del self._channels_on[phone][uid]
            if not self._channels_on[phone]:
                del self._channels_on[phone]
            self._report_changes(phone)

    def endpoint_at(self, phone: str) -> str:
        """The table's name of the endpoint that a phone belongs to; the phone itself if that is unclear.

        An extension that is rung through the dialplan (``Local/…``) stands there as such; its
        `state` or hint names the phone.
        """
        if phone in self.watched:
            return phone
        named = [
            endpoint
            for endpoint in self._endpoints_of.get(phone, ())
            if endpoint.startswith("Local/") and phone in self.watched[endpoint].named_phones
        ]
        return named[0] if len(named) == 1 else phone

    def oldest_foreign_channel(self, endpoint: str) -> tuple[str, float | None]:
        """The oldest foreign channel on an endpoint's phones and its start time.

        ("", None) if there is none.
        """
        found = (
            (since, name)
            for phone in self._phones_of(endpoint)
            for name, since in self._channels_on.get(phone, {}).values()
        )
        since, name = min(found, default=(None, ""))
        return name, since

    def _phones_of(self, endpoint: str) -> list[str]:
        watch = self.watched.get(endpoint)
        return sorted(watch.phones) if watch is not None else []

    def disregard(self, endpoint: str) -> None:
        """Disregard the foreign channels now on an endpoint's phones: they are not calls.

        The core orders this if an agent declares that their phone is free although a channel hangs
        on it.
        """
        for phone in self._phones_of(endpoint):
            for uid in list(self._channels_on.get(phone, ())):
                self.channel_ended(uid)
                self._left_behind.add(uid)

    def channels(self) -> frozenset[str]:
        """The uniqueids of the foreign channels on watched phones.

        Those that are disregarded are included, since they must be recognised until they end.
        """
        return frozenset(self._phone_of) | self._left_behind

    def apply_lists(
        self,
        states: Mapping[str, str],
        channels: Mapping[str, str],
        touched: Iterable[str],
        ages: Mapping[str, float] = _NO_AGES,
    ) -> None:
        """Take in lists of all device states and all foreign channels, without reporting anything.

        Args:
            states: device state by device.
            channels: channel name by uniqueid.
            touched: uniqueids and devices that events have touched since the lists were requested.
                For these the present knowledge is newer than the lists.
            ages: age of each channel in seconds, where known.
        """
        newer = frozenset(touched)
        self.devices = {
            device: self.devices[device] if device in newer else state
            for device, state in states.items()
        } | {name: self.devices[name] for name in newer if name in self.devices}
        kept = {uid: phone for uid, phone in self._phone_of.items() if uid in newer}
        began = {uid: one for on in self._channels_on.values() for uid, one in on.items()}
        for uid, channel in channels.items():
            phone = contract.endpoint_of(channel)
            if uid not in newer and phone in self._endpoints_of and uid not in self._left_behind:
                kept[uid] = phone
                began.setdefault(uid, (channel, self._now() - ages.get(uid, 0.0)))
        self._left_behind &= channels.keys() | newer
        self._phone_of = kept
        self._channels_on = {}
        for uid, phone in kept.items():
            self._channels_on.setdefault(phone, {})[uid] = began[uid]
