"""What an alarm watches (`Measure`) and when it is raised (`AlertRule`). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from callrouter.model.hours import Hours


class Unit(Enum):
    """How the values of a measure are written."""

    COUNT = "a whole number"
    DURATION = "a duration such as 2m"
    PERCENT = "a percentage from 0 to 100"


class Watched(Enum):
    """What a measure is taken of. There is one alarm for each queue, agent, PBX or node."""

    QUEUE = "queue"
    AGENT = "agent"
    PBX = "pbx"
    NODE = "node"
    SITE = ""


class Measure(Enum):
    """A figure that an alarm compares with a limit. The value's first part is its name in the files."""

    WAITING = ("waiting", Watched.QUEUE, Unit.COUNT, "the number of callers waiting in {where}")
    LONGEST_WAIT = ("longest_wait", Watched.QUEUE, Unit.DURATION, "the longest wait in {where}")
    SERVICE_LEVEL = ("service_level", Watched.QUEUE, Unit.PERCENT, "the service level of {where}")
    SIGNED_IN = (
        "signed_in",
        Watched.QUEUE,
        Unit.COUNT,
        "the number of agents signed in to {where}",
    )
    PRESENT = (
        "present", Watched.QUEUE, Unit.COUNT, "the number of agents in {where} who are not paused",
    )  # fmt: skip
    PAUSE = ("pause", Watched.AGENT, Unit.DURATION, "the length of the pause of {where}")
    UNREACHABLE_PHONES = (
        "unreachable_phones", Watched.AGENT, Unit.COUNT, "the number of phones of {where} that cannot be reached",
    )  # fmt: skip
    PBX_AWAY = ("pbx_away", Watched.PBX, Unit.DURATION, "the time without {where}")
    DATABASE_AWAY = ("database_away", Watched.SITE, Unit.DURATION, "the time without the database")
    NO_STANDBY = ("no_standby", Watched.SITE, Unit.DURATION, "the time without a standby")
    NODE_AWAY = ("node_away", Watched.NODE, Unit.DURATION, "the time without {where}")
    CONFIG_DIFFERS = (
        "config_differs", Watched.NODE, Unit.DURATION, "the time with another configuration on {where}",
    )  # fmt: skip
    REFUSED_LOGINS = (
        "refused_logins", Watched.SITE, Unit.COUNT, "the number of refused logins of the last 10 minutes",
    )  # fmt: skip

    def __init__(self, word: str, watched: Watched, unit: Unit, meaning: str) -> None:
        self.word = word
        self.watched = watched
        self.unit = unit
        self.meaning = meaning

    @property
    def takes_queues(self) -> bool:
        """Whether an alarm of this measure may be limited to some queues."""
        return self.watched in {Watched.QUEUE, Watched.AGENT}


MEASURES: Final = {measure.word: measure for measure in Measure}
"""By the name in the files."""

OPPOSITE: Final = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "=": "!="}
"""By the sign of a limit, the sign of the one that holds exactly when it does not."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A comparison such as ``> 120``. `value` is a count, seconds or percent."""

    sign: str
    value: float

    def holds(self, value: float) -> bool:
        """Whether the comparison is true of a value."""
        match self.sign:
            case ">":
                return value > self.value
            case ">=":
                return value >= self.value
            case "<":
                return value < self.value
            case "<=":
                return value <= self.value
            case "=":
                return value == self.value
            case _:
                return value != self.value

    def opposite(self) -> Limit:
        """The limit that holds exactly when this one does not; not for ``!=``."""
        return Limit(OPPOSITE[self.sign], self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """An alarm as configured.

    It is raised when `when` has held for `for_s` seconds, and over when `clear` holds. `queues`
    limit it to these queues, or to their members; empty: all. Within `quiet` hours nothing is sent;
    what is true at their end is sent then. `to` names destinations.
    """

    name: str
    measure: Measure
    when: Limit
    clear: Limit
    for_s: float = 0.0
    queues: tuple[str, ...] = ()
    quiet: Hours | None = None
    to: tuple[str, ...] = ()
