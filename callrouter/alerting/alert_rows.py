"""What is stored of alarms, so that a restart raises none a second time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """An alarm whose condition holds, or that was sent and is not over.

    - `alert`, `subject`: the rule, and the queue, agent or PBX; empty: the site.
    - `since`: since when the condition of the rule holds (epoch seconds); None: it does not.
    - `raised`: whether it has held long enough, and is not over. `began`: when it began to hold then.
    - `told`: whether the destinations believe that it is on.
    """

    alert: str
    subject: str
    since: float | None = None
    raised: bool = False
    began: float = 0.0
    told: bool = False
