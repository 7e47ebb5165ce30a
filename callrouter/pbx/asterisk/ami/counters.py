"""What a client counts, over all its connections."""

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple


class AmiCount(NamedTuple):
    """One counter: its name, what it counts, and its value."""

    name: str
    meaning: str
    value: int


def _counts(meaning: str) -> Any:
    return field(default=0, metadata={"meaning": meaning})


@dataclass(slots=True)
class AmiCounters:
    """Counters of one client. None is ever reset."""

    received_bytes: int = _counts("Bytes read.")
    events: int = _counts("Events passed on.")
    skipped_events: int = _counts(
        "Events that were not parsed: not wanted, or received before the session was up."
    )
    forged_events: int = _counts(
        "Events that were dropped because Asterisk does not write them like that."
    )
    unmatched_messages: int = _counts(
        "Messages that are neither an event nor the answer to a request."
    )
    replies: int = _counts("Answers delivered.")
    late_replies: int = _counts(
        "Answers and list events that arrived after their request had ended."
    )
    timeouts: int = _counts("Actions that were not answered in time.")
    rejected_actions: int = _counts("Actions that Asterisk answered with an error.")
    connects: int = _counts("Connections opened.")
    reconnects: int = _counts("Times the session came up again.")
    refused_logins: int = _counts("Logins that Asterisk refused.")
    handler_errors: int = _counts("Exceptions of the functions that events are passed to.")

    def all(self) -> list[AmiCount]:
        """Every counter, in the order above."""
        return [
            AmiCount(one.name, one.metadata["meaning"], getattr(self, one.name))
            for one in fields(self)
        ]
