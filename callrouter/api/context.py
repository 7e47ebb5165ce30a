"""`Backend`: the rest of the daemon as the API sees it, and what a handler finds out from its request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from aiohttp import web

from callrouter.api.access.logins import Logins
from callrouter.api.access.refused_requests import RefusedRequests
from callrouter.api.access.sessions import Sessions
from callrouter.api.access.tokens import ApiCaller
from callrouter.api.access.wall_screens import WallScreens
from callrouter.api.calllog.call_log import CallLog
from callrouter.api.calllog.past_calls import PastCalls
from callrouter.api.calllog.service_totals import ServiceTotals
from callrouter.api.editing.config_editing import ConfigEditing
from callrouter.api.forwarding.cluster_directory import ClusterDirectory
from callrouter.api.oidc.oidc_logins import OidcLogins
from callrouter.api.record_access import RecordAccess
from callrouter.api.views.floor_views import FloorViews
from callrouter.api.views.sight import Sight
from callrouter.audit.act_log import ActLog
from callrouter.clock import Clock
from callrouter.mobiles.mobile_service import MobileService
from callrouter.model.events import Event
from callrouter.settings import Problem
from callrouter.settings.config_change import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReadResult:
    """The result of reading the configuration: the changes in words, or the mistakes.

    Attributes:
        changes: empty if nothing changes.
        problems: mistakes. If there are any, nothing was applied.
        warnings: what is odd but accepted.
    """

    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    held: tuple[str, ...] = ()
    """What the files remove, which must be confirmed. If not empty, nothing was applied."""


class ConfigFilesAccess(Protocol):
    """The API's access to the configuration files."""

    async def diff(self, folder: Path | None) -> ConfigReadResult:
        """Return what the files in `folder` (None: the daemon's own) would change."""

    async def reload(self, who: str, *, confirm: bool = True) -> ConfigReadResult:
        """Read and apply the daemon's files now.

        Without `confirm`, a change that removes a lot is held.
        """

    def changes(self) -> list[Change]:
        """Return the recorded changes, newest first. Reads files, so do not call it on the loop."""


class LinkCounter(Protocol):
    """A counter of the link to a PBX (see `callrouter.pbx.interface.LinkCount`).

    It appears in ``/api/status`` under its name, and in the metrics with its meaning as the help
    text.
    """

    @property
    def name(self) -> str:
        """For metrics and status, such as ``ami_timeouts``."""

    @property
    def meaning(self) -> str:
        """What is counted, as a sentence."""

    @property
    def value(self) -> int:
        """How many, since the start."""


class DriverHealth(Protocol):
    """Health of a PBX driver (see `callrouter.pbx.interface.PbxHealth`).

    The API asks for it each time, on the event loop: for health, status and metrics.
    """

    @property
    def up(self) -> bool:
        """Whether the link is up.

        A PBX whose link is up may still not be usable: see `Backend.in_step`.
        """

    @property
    def detail(self) -> str:
        """What is wrong, or what the driver is connected to."""

    @property
    def drift(self) -> int:
        """Number of differences found by a comparison that no event had announced."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Counts of unusual but harmless events, by name.

        In the metrics they are ``callrouter_pbx_odd_total``, with the name as the label ``what``.
        """

    @property
    def missing(self) -> tuple[str, ...]:
        """What is missing to serve calls, such as contexts of the dialplan.

        Empty: nothing. The metrics show only how many there are.
        """

    @property
    def faults(self) -> int:
        """Number of messages from the PBX that the driver failed to handle."""

    @property
    def link(self) -> Sequence[LinkCounter]:
        """What was sent and received, and what went wrong with it."""


@dataclass(slots=True, kw_only=True)
class ConfigState:
    """How the configuration in force relates to the files.

    `problems` is what is wrong with the current files, `held` what they remove and must be
    confirmed. While either is not empty, what was loaded at `loaded_at` stays in force.
    `last_good`: the daemon was started with such files and runs with those last in force.
    `needs_restart` names changes that are not applied while running. `differs_from` is the active
    router of the pool, if it has another configuration. `version` is the number of the
    version in force, if the configuration is in the database (else 0), and `away` why that cannot be
    read now.
    """

    folder: str
    loaded_at: float
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    needs_restart: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    last_good: bool = False
    in_database: bool = False
    version: int = 0
    away: str = ""
    differs_from: str = ""

    @property
    def word(self) -> Literal["good", "bad", "held"]:
        """Return ``good``, ``bad`` (mistakes) or ``held`` (a loss must be confirmed).

        Mistakes come before losses: files that have both are ``bad``.
        """
        return "bad" if self.problems else "held" if self.held else "good"


@dataclass(slots=True, kw_only=True)
class Backend:
    """The rest of the daemon as the API sees it.

    Changes of agents and calls go through `post`, of the configuration through `files`, and of own
    mobiles through `mobiles`.
    """

    views: FloorViews
    """What the API shows of the floor."""
    call_log: CallLog
    service_totals: ServiceTotals
    post: Callable[[Event], None]
    clock: Clock
    config: ConfigState
    health: Callable[[], Mapping[str, DriverHealth]]
    started_at: float
    pid: int
    files: ConfigFilesAccess | None = None
    """None if unavailable (tests, the simulation)."""
    editor: ConfigEditing | None = None
    """None if unavailable (tests, the simulation)."""
    mobiles: MobileService | None = None
    """None if unavailable (tests, the simulation)."""
    record: RecordAccess | None = None
    """None if unavailable (tests, the simulation)."""
    past_calls: PastCalls | None = None
    """None if unavailable (tests, the simulation)."""
    listen: Callable[[], str] = str
    """The URL where the API listens; empty before it does."""
    public_url: Callable[[], str] = str
    """Our URL for browsers (the current `http.public_url`); empty: not configured."""
    trusted_proxies: Callable[[], tuple[str, ...]] = tuple
    """Networks of proxies whose word about the client counts (the current `http.trusted_proxies`)."""
    extra: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    """Further sections of ``/api/status``, by name."""
    sessions: Sessions | None = None
    """Who is logged in at the page; None: logging in is not possible (tests, the simulation)."""
    logins: Logins | None = None
    """Checks passwords. Given together with `sessions`."""
    oidc: OidcLogins | None = None
    """Logs people in through a provider; None: not possible (tests, the simulation)."""
    screens: WallScreens | None = None
    """The links of wall screens; None: they are not stored (tests, the simulation)."""
    cluster: ClusterDirectory | None = None
    """The cluster as this node sees it; None: this daemon belongs to none."""
    acts: ActLog | None = None
    """Takes down who did what; None: nothing is taken down (tests, the simulation)."""
    forwarded: Counter[str] = field(default_factory=Counter)
    """Requests that came to this node while it was a standby, by what became of them."""
    refusals: RefusedRequests = field(default_factory=RefusedRequests)
    """Requests that the HTTP side refused or failed to handle."""

    def in_step(self, name: str, health: DriverHealth) -> bool:
        """Return whether a PBX is usable: its link is up and it has been compared with.

        Args:
            name: the id of the PBX.
            health: what its driver says now.
        """
        return health.up and self.views.in_step(name)


# ---------------------------------------------------------------- from a request

BACKEND: Final = web.AppKey("backend", Backend)
CALLER: Final = web.RequestKey("caller", ApiCaller)
"""Set once the request is authenticated."""
SIGHT: Final = web.RequestKey("sight", Sight)
"""What the caller may see of the floor. Set once the request is authorized."""


def backend_of(request: web.Request) -> Backend:
    """Return the daemon as the API sees it."""
    return request.app[BACKEND]


def floor_of(request: web.Request) -> FloorViews:
    """Return the API's sight of the floor."""
    return request.app[BACKEND].views
