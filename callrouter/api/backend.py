"""What the API is given to read, and the one way in which it asks for changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from callrouter.api.counts import Counts
from callrouter.api.history import History
from callrouter.api.refusals import Refusals
from callrouter.api.why import Journal
from callrouter.clock import Clock
from callrouter.core.state import Floor
from callrouter.mobiles.words import Answer, Asked
from callrouter.model.events import Event
from callrouter.model.registered import AuditRow, MobileRow
from callrouter.settings import Problem
from callrouter.settings.past import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What reading the configuration came to: what it changes in words, or what is wrong with it."""

    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    held: tuple[str, ...] = ()
    """What the files take away, and what therefore waits for a second sign; nothing was taken up."""


class Files(Protocol):
    """The configuration files, as the API may ask about them."""

    async def diff(self, folder: Path | None) -> Outcome:
        """What the files in `folder` (None: the daemon's own) would change."""

    async def reload(self, who: str, *, confirm: bool = True) -> Outcome:
        """Read the daemon's files now and take up what they say; unless `confirm`, not what takes away much."""

    def changes(self) -> list[Change]:
        """The changes that are kept, the newest first. Reads files: not for the loop."""


class Mobiles(Protocol):
    """Agents' devices, as the API may ask about them and change them."""

    def ask(self, event: Asked) -> Answer:
        """Do what is asked, or say why not."""

    def of(self, agent: str) -> list[tuple[MobileRow, str]]:
        """An agent's registered mobiles in order, each with why it is not rung (empty: it is)."""

    async def steps(self, agent: str, most: int) -> Sequence[AuditRow]:
        """The last steps of an agent's registrations, the newest first.

        Raises:
            Exception: they can't be read now.
        """


class Health(Protocol):
    """How a PBX's driver is doing (see `callrouter.pbx.base.PbxHealth`)."""

    @property
    def up(self) -> bool:
        """Whether the link is up."""

    @property
    def detail(self) -> str:
        """What is wrong, or what it is connected to."""

    @property
    def drift(self) -> int:
        """Differences that comparing found and nobody had announced."""

    @property
    def counts(self) -> Mapping[str, int]:
        """What was odd and harmless, by name."""

    @property
    def missing(self) -> tuple[str, ...]:
        """What it lacks for callers to be served, such as contexts of the dialplan."""

    @property
    def faults(self) -> int:
        """Messages of the PBX that the driver failed on."""


@dataclass(slots=True, kw_only=True)
class ConfigState:
    """How the configuration in force compares with the files.

    `problems` is what is wrong with the files as they are now, `held` what they take away and what
    waits for a second sign; while either is not empty, what was loaded at `loaded_at` stays in force.
    `last_good`: the daemon was started with such files, and runs with those that were in force before.
    `needs_restart` names what has changed and is not taken up while running.
    """

    folder: str
    loaded_at: float
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    needs_restart: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    last_good: bool = False

    @property
    def word(self) -> str:
        """``good``, ``bad`` (mistakes) or ``held`` (something is lost)."""
        return "bad" if self.problems else "held" if self.held else "good"


@dataclass(slots=True, kw_only=True)
class Backend:
    """The rest of the daemon, as the API sees it. Nothing here is written to but by `post`."""

    floor: Floor
    post: Callable[[Event], None]
    clock: Clock
    history: History
    journal: Journal
    config: ConfigState
    health: Callable[[], Mapping[str, Health]]
    started_at: float
    pid: int
    files: Files | None = None
    """None where there are none (tests, the simulation)."""
    mobiles: Mobiles | None = None
    """None where there are none (tests, the simulation)."""
    listen: str = ""
    public_url: Callable[[], str] = str
    """How browsers reach us (`http.public_url`, as it is now); empty: not given."""
    extra: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    """Further things that ``/api/status`` tells, by name."""
    counts: Counts = field(default_factory=Counts)
    """To be told every record."""
    refusals: Refusals = field(default_factory=Refusals)
    """What the HTTP side refused and failed at."""

    def in_step(self, name: str, health: Health) -> bool:
        """Whether a PBX can be worked with: its link is up and it was compared with."""
        return health.up and name in self.floor.up
