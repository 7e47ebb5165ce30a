"""One telephone system of the load: what it knows, and what it answers.

It knows the way of a call through callrouter's dialplan as far as ordinary calls go: a caller enters a queue and hears
music, a phone rings and is answered or not, both are bridged, and one of them hangs up. Anything else is counted as not
understood, so that a run says when it measured nonsense.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final, cast

from bench.scale.ami_texts import (
    BOOTED,
    DOWN,
    GREETING,
    RING,
    RINGING,
    UP,
    Channel,
    about,
    bridged,
    device,
    dialled,
    hung_up,
    originated,
    replied,
    status_row,
)
from callrouter.pbx.asterisk import contract

SECRET: Final = "of-the-load"
_TRUNK: Final = "PJSIP/carrier"
_CHALLENGE: Final = "552481840"
_ASKED: Final = ".".join(["KCgoKCgoKCgoKCgo"] * 5)
"""What a dialplan that asks for nothing asks for, each part in base64."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a call goes if the router lets it.

    Attributes:
        rings: seconds until the phone is answered; None: it is not.
        talks: seconds of the conversation.
        caller_ends: whether the caller hangs up, and not the agent.
        patience: seconds after which a caller who still waits hangs up.
    """

    rings: float | None = 1.0
    talks: float = 10.0
    caller_ends: bool = False
    patience: float = 120.0


@dataclass(slots=True)
class Tally:
    """What the telephone systems of the load have seen since `began`.

    Attributes:
        counts: how often what happened.
        offered: seconds from a call's entry to its first Originate.
        connected: seconds from an answer to the order to connect.
        read, written: bytes from the router and to it.
        actions: how often the router sent which action.
    """

    began: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)
    offered: list[float] = field(default_factory=list)
    connected: list[float] = field(default_factory=list)
    read: int = 0
    written: int = 0
    actions: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, eq=False)
class _Call:
    caller: Channel
    manner: Manner
    entered: float
    offered: bool = False
    answered: float = 0.0
    leg: Channel | None = None


class LoadAsterisk:
    """A telephone system with phones such as ``PJSIP/1001``.

    Attributes:
        tally: replaced to begin a new count.
    """

    def __init__(self, phones: list[str], tally: Tally) -> None:
        self.tally = tally
        self._phones = dict.fromkeys(phones, "NOT_INUSE")
        self._phones[_TRUNK] = "NOT_INUSE"
        self._custom: dict[str, str] = {}
        self._globals: dict[str, str] = {}
        self._channels: dict[str, Channel] = {}
        self._since: dict[str, float] = {}
        self._calls: dict[str, _Call] = {}
        self._legs: dict[str, _Call] = {}
        self._numbers = count(1)
        self._boot = int(time.time())
        self._out: list[str] = []
        self._transport: asyncio.Transport | None = None
        self._answers: dict[str, Callable[[dict[str, str], list[str], str], str]] = {
            "Challenge": self._challenge,
            "Login": self._login,
            "Status": self._status,
            "DeviceStateList": self._devices,
            "ListCommands": self._commands,
            "Ping": lambda _a, _v, own: replied(own, "Ping: Pong", f"Timestamp: {time.time():.6f}"),
            "Getvar": self._getvar,
            "Setvar": self._setvar,
            "Originate": self._originate,
            "Redirect": self._redirect,
            "Hangup": self._hangup,
            "QueueLog": lambda _a, _v, own: replied(own, "Message: Event added successfully"),
            "UserEvent": self._echo,
            "ExtensionState": self._extension,
            "ExtensionStateList": lambda _a, _v, own: self._listed(
                "ExtensionStateList", own, [], "Extension Statuses will follow"
            ),
        }

    @property
    def connected(self) -> bool:
        """Whether a router is connected."""
        return self._transport is not None

    @property
    def talking(self) -> int:
        """How many calls are in conversation."""
        return sum(call.caller.bridge != "" for call in self._calls.values())

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._calls) - self.talking

    # ------------------------------------------------------------ the connection

    def serve(self) -> asyncio.Protocol:
        """Return the protocol of a connection."""
        return _Connection(self)

    def attach(self, transport: asyncio.Transport) -> None:
        """Write to this connection from now on."""
        self._transport = transport
        transport.write(GREETING)

    def lost(self) -> None:
        """Write nowhere."""
        self._transport = None

    def handle(self, action: dict[str, str], variables: list[str]) -> None:
        """Answer an action."""
        name = action.get("action", "")
        self.tally.actions[name] += 1
        answer = self._answers.get(name)
        if answer is None:
            self.tally.counts[f"not understood: {name}"] += 1
            self.write(
                replied(action.get("actionid", ""), "Message: Invalid/unknown command", ok=False)
            )
            return
        self.write(answer(action, variables, action.get("actionid", "")))

    def write(self, text: str) -> None:
        """Write soon, together with what else is written now."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(text)

    def _flush(self) -> None:
        data = "".join(self._out).encode()
        self._out.clear()
        self.tally.written += len(data)
        if self._transport is not None:
            self._transport.write(data)

    # ------------------------------------------------------------ a caller

    def call(self, queue: str, manner: Manner) -> None:
        """Let a caller enter a queue."""
        number = next(self._numbers)
        uid = f"{self._boot}.{number}"
        caller = Channel(
            f"{_TRUNK}-{number:08x}", uid, RING, f"44163296{number % 10000:04d}", "from-carrier", "1000"
        )  # fmt: skip
        self._add(caller)
        call = _Call(caller, manner, time.monotonic())
        self._calls[uid] = call
        self.tally.counts["callers"] += 1
        self.write(about("Newchannel", caller))
        entered = f"{time.time():.3f}"
        caller.context, caller.exten, caller.priority = contract.ENTRY, queue, 4
        caller.variables |= {
            "CALLROUTER_STATE": "waiting", "CALLROUTER_QUEUE": queue, "CALLROUTER_ENTERED": entered,
            "CALLROUTER_QUEUED": entered, "CALLROUTER_CALLED": "1000", "CALLROUTER_ASKED": _ASKED,
        }  # fmt: skip
        self.write(
            about(
                "UserEvent", caller, "UserEvent: CallrouterCall", f"CallQueue: {queue}",
                f"CallEntered: {entered}", f"CallNow: {entered}", "CallCalled: 1000", "CallHidden: ",
                "CallRank: ", f"CallAsked: {_ASKED}",
            )
        )  # fmt: skip
        caller.state, caller.priority = UP, 6
        self.write(about("Newstate", caller))
        if len(self._calls) == 1:
            self._device(_TRUNK, "INUSE")
        caller.context, caller.priority = "callrouter-hold", 2
        asyncio.get_running_loop().call_later(manner.patience, self._give_up, call)

    def _give_up(self, call: _Call) -> None:
        if call.caller.uid in self._calls and not call.caller.bridge:
            self.tally.counts["gave up"] += 1
            self.write(about("HangupRequest", call.caller) + about("MusicOnHoldStop", call.caller))
            self._gone(call.caller)

    def _add(self, channel: Channel) -> None:
        self._channels[channel.uid] = channel
        self._since[channel.uid] = time.monotonic()

    def _gone(self, channel: Channel, cause: str = "16", technical: str = "") -> None:
        """A channel is gone: say so, once."""
        if self._channels.pop(channel.uid, None) is None:
            return
        self._since.pop(channel.uid, None)
        self.write(hung_up(channel, cause, technical))
        if self._calls.pop(channel.uid, None) is not None and not self._calls:
            self._device(_TRUNK, "NOT_INUSE")
        if self._legs.pop(channel.uid, None) is not None:
            self._device(contract.endpoint_of(channel.name), "NOT_INUSE")

    def _device(self, name: str, state: str) -> None:
        self._phones[name] = state
        self.write(device(name, state))

    # ------------------------------------------------------------ a phone

    def _originate(self, action: dict[str, str], variables: list[str], own: str) -> str:
        given = dict(line.partition("=")[::2] for line in variables)
        call = self._calls.get(given.get("CALLROUTER_FOR_CALL", "").rpartition("-")[2])
        if call is not None and not call.offered:
            call.offered = True
            self.tally.offered.append(time.monotonic() - call.entered)
        phone = action["channel"]
        number = next(self._numbers)
        leg = Channel(
            f"{phone}-{number:08x}", action["channelid"], DOWN, phone[6:], "from-phones", "s",
            variables=given,
        )  # fmt: skip
        if self._phones.get(phone) != "NOT_INUSE":
            self.tally.counts["rung though in use"] += 1
        self._add(leg)
        self._legs[leg.uid] = call or _Call(leg, Manner(rings=None), 0.0)
        self._phones[phone] = "RINGING"
        asyncio.get_running_loop().call_soon(self._ring, leg, self._legs[leg.uid])
        return replied(own, "Message: Originate successfully queued")

    def _ring(self, leg: Channel, call: _Call) -> None:
        self.write(about("Newchannel", leg))
        leg.state, leg.number = RINGING, call.caller.number
        leg.connected = leg.number
        self.write(about("Newstate", leg) + dialled(leg, "RINGING"))
        self._device(contract.endpoint_of(leg.name), "RINGING")
        self.tally.counts["rung"] += 1
        if call.manner.rings is not None:
            asyncio.get_running_loop().call_later(call.manner.rings, self._answer, leg, call)

    def _answer(self, leg: Channel, call: _Call) -> None:
        if leg.uid not in self._channels:
            return
        leg.state = UP
        self.write(about("Newstate", leg))
        leg.context, leg.exten, leg.priority = contract.OFFER, contract.DESK, 2
        given = leg.variables
        self.write(
            about(
                "UserEvent", leg, "UserEvent: CallrouterAccepted",
                f"Offer: {given.get('CALLROUTER_OFFER', '')}", f"Device: {given.get('CALLROUTER_DEVICE', '')}",
            )
            + originated(leg, reason=4)
        )  # fmt: skip
        self._device(contract.endpoint_of(leg.name), "INUSE")
        leg.priority = 4
        call.answered = time.monotonic()

    def _hangup(self, action: dict[str, str], _variables: list[str], own: str) -> str:
        """Hang up a leg; with cause 26 it was answered elsewhere."""
        channel = self._channels.get(action["channel"])
        if channel is None:
            return replied(own, "Message: No such channel", ok=False)
        asyncio.get_running_loop().call_soon(self._stopped, channel, action.get("cause", "16"))
        return replied(own, "Message: Channel Hungup")

    def _stopped(self, channel: Channel, cause: str) -> None:
        rang = channel.state != UP
        self._gone(channel, cause, "SIP 487" if rang else "")
        if rang and channel.uid.startswith(contract.LEG):
            self.tally.counts["not answered"] += 1
            self.write(originated(channel, reason=3))

    # ------------------------------------------------------------ a conversation

    def _redirect(self, action: dict[str, str], _variables: list[str], own: str) -> str:
        channel = self._channels.get(action["channel"])
        if channel is None:
            return replied(own, "Message: Channel does not exist: " + action["channel"], ok=False)
        loop, call = asyncio.get_running_loop(), self._calls.get(channel.uid)
        match action["context"]:
            case contract.CONNECT if call is not None:
                loop.call_soon(self._bridge, call)
            case contract.LEAVE:
                channel.context, channel.exten = contract.LEAVE, "h"
                loop.call_soon(self._gone, channel)
            case contract.AGAIN if call is not None:  # the agent hung up at once: it waits again
                channel.context, channel.priority, call.leg = "callrouter-hold", 2, None
            case context:
                self.tally.counts[f"not understood: Redirect to {context}"] += 1
        return replied(own, "Message: Redirect successful")

    def _bridge(self, call: _Call) -> None:
        leg = self._channels.get(call.caller.variables.get("CALLROUTER_LEG", ""))
        if leg is None or leg.state != UP or call.caller.uid not in self._channels:
            self.tally.counts["not bridged"] += 1
            return
        caller, call.leg = call.caller, leg
        self.tally.connected.append(time.monotonic() - call.answered)
        self.tally.counts["conversations"] += 1
        self.write(about("MusicOnHoldStop", caller))
        bridge = str(uuid.uuid4())
        caller.context, caller.priority = contract.CONNECT, 6
        for inside, channel in enumerate((leg, caller), start=1):
            channel.bridge = bridge
            channel.linked = caller.uid
            self.write(bridged("BridgeEnter", channel, bridge, inside, "simple_bridge"))
        asyncio.get_running_loop().call_later(call.manner.talks, self._over, call, leg)

    def _over(self, call: _Call, leg: Channel) -> None:
        caller = call.caller
        if caller.uid not in self._channels or leg.uid not in self._channels:
            return
        first, second = (caller, leg) if call.manner.caller_ends else (leg, caller)
        bridge, caller.bridge, leg.bridge = caller.bridge, "", ""
        self.write(about("HangupRequest", first))
        self.write(bridged("BridgeLeave", first, bridge, 1, "native_rtp"))
        self.tally.counts["conversations over"] += 1
        if call.manner.caller_ends:
            caller.exten = "h"
            self._gone(caller)
            self.write(bridged("BridgeLeave", second, bridge, 0, "native_rtp"))
            self._gone(leg)
            return
        self.write(bridged("BridgeLeave", second, bridge, 0, "native_rtp"))
        caller.priority = 9
        self.write(about("UserEvent", caller, "UserEvent: CallrouterReleased"))
        self._gone(leg)
        asyncio.get_running_loop().call_later(2.0, self._left_alone, caller)

    def _left_alone(self, caller: Channel) -> None:
        """No order came after a conversation: the dialplan goes on by itself."""
        if caller.uid in self._channels and caller.context == contract.CONNECT:
            self.tally.counts["left alone after a conversation"] += 1
            self._gone(caller)

    # ------------------------------------------------------------ everything else

    def _challenge(self, _action: dict[str, str], _variables: list[str], own: str) -> str:
        return replied(own, f"Challenge: {_CHALLENGE}")

    def _login(self, action: dict[str, str], _variables: list[str], own: str) -> str:
        key = hashlib.md5((_CHALLENGE + SECRET).encode(), usedforsecurity=False).hexdigest()
        if action.get("key") != key:
            return replied(own, "Message: Authentication failed", ok=False)
        return replied(own, "Message: Authentication accepted") + BOOTED.decode()

    def _setvar(self, action: dict[str, str], _variables: list[str], own: str) -> str:
        name, value, uid = action["variable"], action.get("value", ""), action.get("channel")
        done = replied(own, "Message: Variable Set")
        if uid is None:
            if name.startswith("DEVICE_STATE("):
                lamp = name[13:-1]
                changed, self._custom[lamp] = self._custom.get(lamp) != value, value
                self.tally.counts["lamps"] += 1
                return done + (device(lamp, value) if changed else "")
            self._globals[name.removeprefix("GLOBAL(").removesuffix(")")] = value
            return done
        channel = self._channels.get(uid)
        if channel is None:
            return replied(own, "Message: No such channel", ok=False)
        channel.variables[name] = value
        return done

    def _getvar(self, action: dict[str, str], _variables: list[str], own: str) -> str:
        name, uid = action["variable"], action.get("channel")
        if uid is not None:
            channel = self._channels.get(uid)
            if channel is None:
                return replied(own, "Message: No such channel", ok=False)
            value = channel.context if name == "CONTEXT" else channel.variables.get(name, "")
        else:
            value = self._value(name)
        return replied(own, f"Variable: {name}", f"Value: {value}")

    def _value(self, name: str) -> str:
        function, _, rest = name.partition("(")
        inner = rest.removesuffix(")")
        match function:
            case "DIALPLAN_EXISTS":
                return "1"
            case "PJSIP_DIAL_CONTACTS":
                return f"PJSIP/{inner}/sip:{inner}@127.0.0.1:5060"
            case "DEVICE_STATE":
                return self._phones.get(inner) or self._custom.get(inner, "UNKNOWN")
            case "GLOBAL":
                return self._globals.get(inner, "")
            case _:
                return self._globals.get(name, "")

    def _status(self, action: dict[str, str], _variables: list[str], own: str) -> str:
        names, now = action.get("variables", "").split(","), time.monotonic()
        # STRFTIME(,UTC,%s.%3q) has commas of its own.
        names = [name for name in names if name.startswith("CALLROUTER_")]
        clock = f"{contract.ASTERISKS_TIME}={time.time():.3f}"
        rows = []
        for channel in self._channels.values():
            row = status_row(channel, own, int(now - self._since[channel.uid]), names)
            rows.append(row.replace("ActionID: ", f"Variable: {clock}\r\nActionID: "))
        return self._listed("Status", own, rows, "Channel status will follow")

    def _devices(self, _action: dict[str, str], _variables: list[str], own: str) -> str:
        states = {**self._phones, **self._custom}
        rows = [device(name, state, own) for name, state in states.items()]
        return self._listed("DeviceStateList", own, rows, "Device State Changes will follow")

    def _listed(self, name: str, own: str, rows: list[str], text: str) -> str:
        head = replied(own, "EventList: start", f"Message: {text}")
        tail = f"EventList: Complete\r\nListItems: {len(rows)}\r\n\r\n"
        return f"{head}{''.join(rows)}Event: {name}Complete\r\nActionID: {own}\r\n{tail}"

    def _commands(self, _action: dict[str, str], _variables: list[str], own: str) -> str:
        return replied(own, *(f"{name}: (Priv: call,all)" for name in (*contract.NEEDS, "Ping")))

    def _echo(self, action: dict[str, str], _variables: list[str], own: str) -> str:
        event = action.get("userevent", "")
        return replied(own, "Message: Event Sent") + (
            f"Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: {event}\r\nActionID: {own}\r\n\r\n"
        )

    def _extension(self, action: dict[str, str], _variables: list[str], own: str) -> str:
        place = (f"Exten: {action.get('exten')}", f"Context: {action.get('context')}")
        return replied(own, "Message: Extension Status", *place, "Hint: ", "Status: -1")


class _Connection(asyncio.Protocol):
    """A connection of a router, read line by line."""

    def __init__(self, asterisk: LoadAsterisk) -> None:
        self._asterisk = asterisk
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._asterisk.attach(cast("asyncio.Transport", transport))

    def connection_lost(self, exc: Exception | None) -> None:
        self._asterisk.lost()

    def data_received(self, data: bytes) -> None:
        self._asterisk.tally.read += len(data)
        *messages, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for message in messages:
            action: dict[str, str] = {}
            variables: list[str] = []
            for line in message.decode().split("\r\n"):
                key, _, value = line.partition(": ")
                if key == "Variable" and "variable" in action:
                    variables.append(value)
                else:
                    action.setdefault(key.lower(), value)
            if action.get("action") == "Originate":
                variables.insert(0, action.get("variable", ""))
            self._asterisk.handle(action, variables)
