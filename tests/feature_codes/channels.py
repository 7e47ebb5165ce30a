"""Channels of Asterisk as far as they answer what they are asked: what they are, and what they last said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiMessage


class Channels:
    """Answers `Getvar` as the dialplan's `callrouter-person` would have it.

    Attributes:
        context: where every channel stands.
    """

    def __init__(self) -> None:
        self.context = contract.PERSON
        self._said: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def sends(self, message: AmiMessage) -> None:
        """A channel is about to send this event; what it says stands in its variable first."""
        uid = message.get("Uniqueid")
        self._names.setdefault(uid, message.get("Channel"))
        match message.get("UserEvent"):
            case "CallrouterCode":
                said = f"code {message.get('Code')} {message.get('Number')}"
            case "CallrouterKeyed":
                said = f"keyed {message.get('Digits')}"
            case "CallrouterNumber":
                said = "number"
            case _:
                return
        self._said[uid] = said

    def answer(self, steps: Sequence[tuple[Mapping[str, Any], Any]]) -> list[Mapping[str, Any]]:
        """Answer the questions among these actions; returns the others."""
        others = []
        for action, told in steps:
            if action["Action"] != "Getvar":
                others.append(action)
                continue
            uid = action["Channel"]
            value = {
                contract.SAID: self._said.get(uid, ""),
                "CHANNEL(name)": self._names.get(uid, ""),
                "CONTEXT": self.context,
            }[action["Variable"]]
            told(AmiMessage(f"Response: Success\r\nValue: {value}".encode()))
        return others
