"""What is left on the PBX, seen through a second, independent AMI client: the package asterisk-ami.

It has a reader thread of its own and shares no line of code with the router's session.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from asterisk.ami import AMIClient, SimpleAction

USER = """
[second]
secret = second
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = call
write = call,reporting,originate
"""


@dataclass(frozen=True)
class Seen:
    """The channels and bridges there are."""

    channels: tuple[dict[str, str], ...]
    bridges: tuple[dict[str, str], ...]

    @property
    def names(self) -> list[str]:
        """The channels' names, without the shells that Asterisk forgets in its list."""
        found = (channel["Channel"] for channel in self.channels)
        return sorted(name for name in found if not name.startswith("Surrogate/"))


def _list(client: AMIClient, action: str, event: str, end: str) -> tuple[dict[str, str], ...]:
    found: list[dict[str, str]] = []
    done = threading.Event()

    def take(event: Any, **_: Any) -> None:
        found.append(dict(event.keys))

    client.add_event_listener(on_event=take, white_list=[event])
    client.add_event_listener(on_event=lambda **_: done.set(), white_list=[end])
    response = client.send_action(SimpleAction(action)).response
    assert response is not None, f"{action}: no answer"
    assert not response.is_error(), response
    assert done.wait(5), f"{action}: no end"
    return tuple(found)


@contextmanager
def _client(port: int) -> Iterator[AMIClient]:
    with warnings.catch_warnings():
        # Its reader thread calls notifyAll(); as an error that would leave its lock held for ever.
        warnings.simplefilter("ignore", DeprecationWarning)
        client = AMIClient(address="127.0.0.1", port=port, timeout=5)
        try:
            assert not client.login("second", "second").response.is_error()
            yield client
            client.logoff()
        finally:
            client.disconnect()


def _look(port: int) -> Seen:
    with _client(port) as client:
        channels = _list(client, "CoreShowChannels", "CoreShowChannel", "CoreShowChannelsComplete")
        bridges = _list(client, "BridgeList", "BridgeListItem", "BridgeListComplete")
        return Seen(channels, bridges)


def _order(port: int, action: str, headers: dict[str, str]) -> None:
    with _client(port) as client:
        response = client.send_action(SimpleAction(action, **headers)).response
        assert response is not None, f"{action}: no answer"
        assert not response.is_error(), response


async def look(port: int) -> Seen:
    """All channels and bridges of the Asterisk whose manager listens on `port`."""
    return await asyncio.to_thread(_look, port)


async def order(port: int, action: str, **headers: str) -> None:
    """Do something to the PBX that the router knows nothing of."""
    await asyncio.to_thread(_order, port, action, headers)
