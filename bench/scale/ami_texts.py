"""What an Asterisk writes into AMI during an ordinary call, as Asterisk 22 was recorded.

Headers and their order are those of Asterisk; `bench.scale.comparison` compares them with a real one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

GREETING: Final = b"Asterisk Call Manager/11.0.0\r\n"
BOOTED: Final = (
    b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 86400\r\nLastReload: 86400\r\n"
    b"Status: Fully Booted\r\n\r\n"
)
DOWN, RING, RINGING, UP = 0, 4, 5, 6
_STATES: Final = {DOWN: "Down", RING: "Ring", RINGING: "Ringing", UP: "Up"}


@dataclass(slots=True, eq=False)
class Channel:
    """A channel of the telephone system.

    Attributes:
        name: such as ``PJSIP/1001-0000002a``.
        uid: its unique id.
        state: one of `DOWN`, `RING`, `RINGING`, `UP`.
        number: the caller's number.
        context, exten, priority: where it is in the dialplan.
        linked: the id of the channel with which the call began.
        variables: what was set on it.
        bridge: the bridge it is in, or "".
    """

    name: str
    uid: str
    state: int
    number: str
    context: str
    exten: str
    priority: int = 1
    linked: str = ""
    connected: str = "<unknown>"
    variables: dict[str, str] = field(default_factory=dict)
    bridge: str = ""

    def described(self, prefix: str = "") -> str:
        """Return the headers that describe it, each line ended."""
        p = prefix
        return (
            f"{p}Channel: {self.name}\r\n{p}ChannelState: {self.state}\r\n"
            f"{p}ChannelStateDesc: {_STATES[self.state]}\r\n{p}CallerIDNum: {self.number}\r\n"
            f"{p}CallerIDName: <unknown>\r\n{p}ConnectedLineNum: {self.connected}\r\n"
            f"{p}ConnectedLineName: <unknown>\r\n{p}Language: en\r\n{p}AccountCode: \r\n"
            f"{p}Context: {self.context}\r\n{p}Exten: {self.exten}\r\n{p}Priority: {self.priority}\r\n"
            f"{p}Uniqueid: {self.uid}\r\n{p}Linkedid: {self.linked or self.uid}\r\n"
        )


def about(name: str, channel: Channel, *more: str) -> str:
    """Return an event about a channel, with further headers after its description."""
    kind = "user,all" if name == "UserEvent" else "call,all"
    lines = "".join(f"{line}\r\n" for line in more)
    return f"Event: {name}\r\nPrivilege: {kind}\r\n{channel.described()}{lines}\r\n"


def bridged(name: str, channel: Channel, bridge: str, inside: int, technology: str) -> str:
    """Return the event of a channel that entered or left a bridge with so many channels in it now."""
    return (
        f"Event: {name}\r\nPrivilege: call,all\r\nBridgeUniqueid: {bridge}\r\nBridgeType: basic\r\n"
        f"BridgeTechnology: {technology}\r\nBridgeCreator: <unknown>\r\nBridgeName: <unknown>\r\n"
        f"BridgeNumChannels: {inside}\r\nBridgeVideoSourceMode: none\r\n{channel.described()}\r\n"
    )


def hung_up(channel: Channel, cause: str, technical: str = "") -> str:
    """Return the event of a channel that is gone."""
    texts = {"16": "Normal Clearing", "17": "User busy", "19": "User alerting, no answer"}
    text = texts.get(cause, "Answered elsewhere" if cause == "26" else "Unknown")
    more = (f"TechCause: {technical}",) if technical else ()
    return about("Hangup", channel, f"Cause: {cause}", f"Cause-txt: {text}", *more)


def dialled(leg: Channel, status: str) -> str:
    """Return the event of a phone that rings, or does not any more."""
    described = leg.described("Dest")
    return f"Event: DialState\r\nPrivilege: call,all\r\n{described}DialStatus: {status}\r\n\r\n"


def originated(leg: Channel, *, reason: int) -> str:
    """Return the outcome of an Originate: reason 4 is an answer."""
    answer = "Success" if reason == 4 else "Failure"
    return (
        f"Event: OriginateResponse\r\nPrivilege: call,all\r\nActionID: {leg.uid}\r\n"
        f"Response: {answer}\r\nChannel: {leg.name}\r\nContext: callrouter-offer\r\nExten: desk\r\n"
        f"Reason: {reason}\r\nUniqueid: {leg.uid}\r\nCallerIDNum: {leg.number}\r\n"
        "CallerIDName: <unknown>\r\n\r\n"
    )


def device(name: str, state: str, action: str = "") -> str:
    """Return the event of a device's new state, or with an action's id its row of a list."""
    head = f"ActionID: {action}\r\n" if action else "Privilege: call,all\r\n"
    return f"Event: DeviceStateChange\r\n{head}Device: {name}\r\nState: {state}\r\n\r\n"


def replied(action: str, *headers: str, ok: bool = True) -> str:
    """Return the answer to an action."""
    lines = "".join(f"{line}\r\n" for line in headers)
    return f"Response: {'Success' if ok else 'Error'}\r\nActionID: {action}\r\n{lines}\r\n"


def status_row(channel: Channel, action: str, seconds: int, variables: list[str]) -> str:
    """Return a channel's row of the list that Status answers with."""
    lines = "".join(
        f"Variable: {name}={channel.variables.get(name, '(null)')}\r\n" for name in variables
    )
    return (
        f"Event: Status\r\nPrivilege: Call\r\n{channel.described()}Type: PJSIP\r\nDNID: 1000\r\n"
        "EffectiveConnectedLineNum: <unknown>\r\nEffectiveConnectedLineName: <unknown>\r\n"
        f"TimeToHangup: 0\r\nBridgeID: {channel.bridge}\r\nApplication: Wait\r\nData: 2.5\r\n"
        "Nativeformats: (ulaw)\r\nReadformat: slin\r\nReadtrans: Yes (ulaw@8000)->(slin@8000)\r\n"
        "Writeformat: slin\r\nWritetrans: Yes (slin@8000)->(ulaw@8000)\r\nCallgroup: 0\r\n"
        f"Pickupgroup: 0\r\nSeconds: {seconds}\r\n{lines}ActionID: {action}\r\n\r\n"
    )
