"""The configuration as used by the rest of callrouter. All durations are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeAlias

from callrouter.alerting.alert_rules import AlertRule
from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.model.ivr import SHIPPED_CODES, PhoneCodes
from callrouter.model.phone_numbers import NOWHERE, Numbering
from callrouter.model.routing_table import Table
from callrouter.outbox.destinations import Destination, MailServer, Subscription
from callrouter.settings.errors.problems import Problem

_DAY: Final = 86_400.0

Role: TypeAlias = Literal["agent", "supervisor", "admin"]
TokenRole: TypeAlias = Literal["metrics", "agent", "supervisor", "admin"]
"""What a program may see and do; see `callrouter.api.access.permissions`."""

QueueLogTarget: TypeAlias = Literal["asterisk", "file", "both", "off"]
"""Who writes queue_log: Asterisk, by its QueueLog action; callrouter itself; both; neither."""
ConfigPlace: TypeAlias = Literal["files", "database"]
"""Where the configuration is: in the folder of each router, or in the database of its pool."""
DEFAULT_QUEUE_LOG_FILE: Final = "queue_log"
"""Relative to the state folder, as the database is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsteriskSettings:
    """An Asterisk and the login for its manager interface.

    Outside phones display the caller's number or, with `show` ``business``, always `caller_id`.
    `dial_number` contains exactly one ``{number}``, replaced by the number as `number_format` says;
    empty: this PBX rings no outside numbers. `dial_numbers` are tried after it if a trunk fails.
    `home` is the country of ``national`` numbers. With `tls`, a `ca` of None means the system's
    certificates. `queue_log`: Asterisk is told to write the lines of queue_log.
    """

    driver: ClassVar[Literal["asterisk"]] = "asterisk"

    id: str
    host: str = "127.0.0.1"
    port: int = 5038
    username: str
    secret: str = field(repr=False)
    dial_number: str = ""
    dial_numbers: tuple[str, ...] = ()
    number_format: Literal["e164", "plus", "national", "00"] = "e164"
    home: Numbering = NOWHERE
    caller_id: str = ""
    show: Literal["caller", "business"] = "caller"
    tls: bool = False
    ca: Path | None = None
    queue_log: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioSettings:
    """A Twilio account.

    `numbers` maps each called number to its queue, `codes` is the number that agents call for
    feature codes, `places` maps contexts of ``dialplan:`` targets to numbers, and `music` maps
    music classes to sound files. Without `api_key`, requests to Twilio use the auth token. Changes
    of fields with numbers or secrets are reported without their values.
    """

    driver: ClassVar[Literal["twilio"]] = "twilio"

    id: str
    account_sid: str
    auth_token: str = field(repr=False)
    other_auth_token: str = field(default="", repr=False)
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    public_url: str
    numbers: Mapping[str, str] = field(repr=False)
    caller_id: str = field(repr=False)
    calls_per_second: float = 1.0
    codes: str = field(default="", repr=False)
    fallback: str = field(default="", repr=False)
    places: Mapping[str, str] = field(default_factory=dict, repr=False)
    music: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_url: str = "https://api.twilio.com"
    phone_codes: PhoneCodes = SHIPPED_CODES


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedSettings:
    """An in-memory PBX.

    `seed` is that of its random behaviour; None: none is given.
    """

    driver: ClassVar[Literal["simulated"]] = "simulated"

    id: str
    seed: int | None = None


PbxSettings: TypeAlias = AsteriskSettings | TwilioSettings | SimulatedSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A program that may use the HTTP API.

    With the role ``agent`` it acts only for `agent`; without one it sees only the queues' totals.
    With the role ``supervisor`` it is limited to `queues`, unless they are empty.
    """

    name: str
    role: TokenRole
    token: str = field(repr=False)
    agent: str = ""
    queues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """A provider of OpenID Connect; see `callrouter.settings.schema.root_options.OidcOptions`."""

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    claim: str = "email"
    scopes: tuple[str, ...] = ("email",)
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Where the HTTP API listens. Either both `certificate` and `key` are set, or neither."""

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    key: Path | None = None
    api_tokens: tuple[ApiToken, ...] = ()
    public_url: str = ""
    """Public URL for browsers and Twilio, such as ``https://calls.example.com``; empty: not
    given.
    """
    oidc: OidcSettings | None = None
    trusted_proxies: tuple[str, ...] = ()
    """Networks, as `ipaddress` writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketSettings:
    """A local group whose members may use the command line; empty: none.

    `role` is what they may do; with ``agent``, each acts for the agent of the same name as the
    user.
    """

    group: str = ""
    role: Role = "supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSettings:
    """A person who is not an agent; `password` is an argon2id hash.

    `queues` limits a supervisor to these; empty: no limit.
    """

    id: str
    role: Role
    queues: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)
    email: str | None = None


SHORT_ABANDON: Final = 5.0
"""Seconds: the usual limit of a short abandon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """The target of a queue: `target` percent of its calls answered within `within` seconds.

    An abandoned call that waited less than `short_abandon` seconds is a short one.
    """

    within: float
    target: int
    short_abandon: float = SHORT_ABANDON


NumberFate: TypeAlias = Literal["mask", "hash", "drop"]
"""What becomes of a caller's number; see `callrouter.record.retention`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRetention:
    """How long callers' numbers and names are stored as they are, and what happens then.

    Attributes:
        keep: seconds after the end of a call.
        then: what takes the place of the number. The name is deleted.
    """

    keep: float = 90 * _DAY
    then: NumberFate = "mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """How long the record of calls is kept. Neither `decisions` nor `numbers.keep` is longer than `keep`.

    Attributes:
        keep: seconds for which calls and all that belongs to them are kept, and agents' states.
        decisions: seconds for which the reasons of offers are kept.
        numbers: what becomes of callers' numbers and names.
        max_size: bytes of the record beyond which its oldest calls are deleted.
    """

    keep: float = 400 * _DAY
    decisions: float = 90 * _DAY
    numbers: NumberRetention = NumberRetention()
    max_size: int = 20_000_000_000


ALONE: Final = "main"
"""The pool of a daemon without ``cluster:``, and the one that ``cluster:`` names if it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """This daemon as one of several that serve the same queues.

    Attributes:
        name: of this daemon; no other in the pool has it.
        pool: the daemons of which one is active.
        url: where the others reach the HTTP side of this one, without a slash at the end.
    """

    name: str
    pool: str = ALONE
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The complete configuration.

    `pins` and `passwords` are the argon2id hashes of agents' PINs and passwords, by agent. `files` are the files read. `warnings`
    lists what is legal but unwise, by file and line.
    """

    table: Table
    pbxes: Mapping[str, PbxSettings]
    http: HttpSettings
    socket: SocketSettings = SocketSettings()
    users: Mapping[str, UserSettings]
    pins: Mapping[str, str] = field(repr=False)
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    emails: Mapping[str, str] = field(default_factory=dict)
    """Mail addresses of agents, by agent."""
    service_levels: Mapping[str, ServiceLevel]
    numbers: NumberSettings
    codes: PhoneCodes = SHIPPED_CODES
    timezone: str
    history: HistorySettings
    database: str = field(repr=False)
    cluster: ClusterSettings | None = None
    config: ConfigPlace = "files"
    digest: str = ""
    """What the routers of a pool compare (`callrouter.settings.config_digest`); empty: no cluster."""
    queue_log: QueueLogTarget = "asterisk"
    queue_log_file: str = DEFAULT_QUEUE_LOG_FILE
    """The file for the targets ``file`` and ``both``, as written."""
    removals_at_once: bool = False
    """Whether to apply large removals without confirmation; see `callrouter.settings.removals`."""
    destinations: Mapping[str, Destination] = field(default_factory=dict)
    alerts: tuple[AlertRule, ...] = ()
    webhooks: tuple[Subscription, ...] = ()
    smtp: MailServer | None = None
    warnings: tuple[Problem, ...]
    files: tuple[Path, ...]

    @property
    def pool(self) -> str:
        """The pool whose part of a PostgreSQL database this daemon uses."""
        return ALONE if self.cluster is None else self.cluster.pool
