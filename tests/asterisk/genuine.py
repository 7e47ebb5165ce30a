"""Events of channels in the very shape in which Asterisk writes them."""

from __future__ import annotations


def genuine(name: str, uid: str, channel: str, *more: str, before: tuple[str, ...] = ()) -> bytes:
    """An event of a channel; `more` are its headers behind the channel's, `before` those in front."""
    lines = (
        f"Event: {name}",
        "Privilege: call,all",
        *before,
        f"Channel: {channel}",
        "ChannelState: 6",
        "ChannelStateDesc: Up",
        "CallerIDNum: <unknown>",
        "CallerIDName: <unknown>",
        "ConnectedLineNum: <unknown>",
        "ConnectedLineName: <unknown>",
        "Language: en",
        "AccountCode: ",
        "Context: nowhere",
        "Exten: s",
        "Priority: 1",
        f"Uniqueid: {uid}",
        f"Linkedid: {uid}",
        *more,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()
