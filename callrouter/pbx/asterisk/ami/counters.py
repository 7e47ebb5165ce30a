"""What a client counts, over all its connections."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class AmiCounters:
    """Counters of one client, over all its connections. None is ever reset.

    Attributes:
        received_bytes: bytes read.
        events: events passed to `on_event`.
        skipped: events that were not parsed: not wanted, or received before the session was up.
        forged: events that were dropped because Asterisk does not write them like that.
        replies: answers delivered.
        late_replies: answers and list events that arrived after their request had ended.
        unmatched: messages that are neither an event nor the answer to a request.
        timeouts: actions that were not answered in time.
        rejected: actions answered with ``Response: Error``.
        connects: connections opened.
        reconnects: times the session came up again.
        refused_logins: logins that Asterisk refused.
        handler_errors: exceptions raised by `on_event`, `on_up` or `on_down`.
    """

    received_bytes: int = 0
    events: int = 0
    skipped: int = 0
    forged: int = 0
    replies: int = 0
    late_replies: int = 0
    unmatched: int = 0
    timeouts: int = 0
    rejected: int = 0
    connects: int = 0
    reconnects: int = 0
    refused_logins: int = 0
    handler_errors: int = 0

    def by_name(self) -> dict[str, int]:
        """Every counter and its value, in the order above."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
