"""What is known of the phones that agents use: registered or not, and in a call that is not ours.

No I/O. Whether a phone is in use is told by the channels on it, not by its device state: the state
counts our own legs as well, and lags behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from callrouter.model.events import Reached
from callrouter.pbx.asterisk import words


class Phones:
    """The phones that the routing table names, and the foreign channels on them.

    Attributes:
        watched: the endpoints that matter.
        devices: device states by endpoint, as Asterisk words them.
    """

    def __init__(self, tell: Callable[[str, Reached], None]) -> None:
        """Take `tell`, which is called with each watched endpoint whose state has changed."""
        self.watched: frozenset[str] = frozenset()
        self.devices: dict[str, str] = {}
        self._tell = tell
        self._on: dict[str, str] = {}
        """Channels on watched phones that are not ours: uniqueid to endpoint."""
        self._busy: Counter[str] = Counter()
        self._told: dict[str, Reached] = {}

    def reached(self, endpoint: str) -> Reached:
        """What is known of a phone. Missing from Asterisk's own list, it does not exist there."""
        if self._busy[endpoint]:
            return Reached.IN_USE
        state = self.devices.get(endpoint)
        if state is None or state in words.UNREACHABLE_STATES:
            return Reached.UNREACHABLE
        return Reached.IDLE

    def all(self) -> dict[str, Reached]:
        """All watched phones; they count as told from here on."""
        self._told = {endpoint: self.reached(endpoint) for endpoint in self.watched}
        return dict(self._told)

    def missing(self) -> list[str]:
        """Watched phones that Asterisk does not know at all."""
        return sorted(self.watched - self.devices.keys())

    def look(self, endpoint: str) -> None:
        """Tell what is known of a phone if that is news."""
        if endpoint not in self.watched:
            return
        state = self.reached(endpoint)
        if self._told.get(endpoint) is not state:
            self._told[endpoint] = state
            self._tell(endpoint, state)

    def device(self, endpoint: str, state: str) -> None:
        """Asterisk reports a device state."""
        self.devices[endpoint] = state
        self.look(endpoint)

    def came(self, uid: str, channel: str) -> None:
        """There is a channel that is not a leg of ours; it counts if it is on a watched phone."""
        endpoint = words.endpoint_of(channel)
        if endpoint in self.watched and uid not in self._on:
            self._on[uid] = endpoint
            self._busy[endpoint] += 1
            self.look(endpoint)

    def went(self, uid: str) -> None:
        """A channel is gone, or is known to be a leg of ours."""
        endpoint = self._on.pop(uid, None)
        if endpoint is not None:
            self._busy[endpoint] -= 1
            self.look(endpoint)

    def take_in(
        self, states: Mapping[str, str], channels: Mapping[str, str], moved: Iterable[str]
    ) -> None:
        """Agree with lists of all device states and all foreign channels, and tell nothing yet.

        Args:
            states: device state by endpoint.
            channels: channel name by uniqueid.
            moved: uniqueids and endpoints of which something was heard after the lists were asked
                for: what is known of those is newer.
        """
        newer = frozenset(moved)
        self.devices = {
            endpoint: self.devices[endpoint] if endpoint in newer else state
            for endpoint, state in states.items()
        } | {name: self.devices[name] for name in newer if name in self.devices}
        kept = {uid: endpoint for uid, endpoint in self._on.items() if uid in newer}
        for uid, channel in channels.items():
            endpoint = words.endpoint_of(channel)
            if uid not in newer and endpoint in self.watched:
                kept[uid] = endpoint
        self._on = kept
        self._busy = Counter(kept.values())
