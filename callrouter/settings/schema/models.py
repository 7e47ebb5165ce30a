"""The schema of the configuration: keys, types, bounds, and the meaning of each key.

The descriptions become part of the JSON Schema, where editors show them.
`callrouter.settings.builders.table_builder` checks consistency across keys.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.model.ivr import SHIPPED_CODES
from callrouter.model.routing_table import QueueSpec
from callrouter.settings.schema import fields as f
from callrouter.settings.schema.building_blocks import (
    LIST,
    LONG,
    MAPPING,
    SHORT,
    OptionGroup,
    driver_tag,
    list_or_mapping,
    list_or_short,
    short_or_long,
)
from callrouter.settings.schema.rule_models import RuleOptions

_QUEUE = QueueSpec(id="", name="")
_NUMBERS = NumberSettings()


class TlsClientOptions(OptionGroup):
    """TLS towards a PBX."""

    ca: f.FilePath = Field(
        description="File with the certificates to trust, instead of the system's."
    )


class AsteriskOptions(OptionGroup):
    """An Asterisk, reached through its manager interface (AMI)."""

    driver: Literal["asterisk"] = Field(description="Kind of telephone system.")
    host: f.Host = Field("127.0.0.1", description="Where Asterisk's manager interface listens.")
    port: f.Port = Field(5038, description="TCP port of the manager interface.")
    username: f.Text = Field(description="Section of manager.conf to log in as.")
    secret: f.Secret = Field(
        description="Its secret; better ${NAME} or ${file:PATH} than in clear."
    )
    dial_number: (
        Annotated[
            Annotated[f.DialNumber, Tag(SHORT)] | Annotated[f.DialNumbers, Tag(LIST)],
            Discriminator(list_or_short),
        ]
        | None
    ) = Field(
        None,
        description="How an outside number is dialled, in which {number} is the number; of several the "
        "next where a trunk fails. Without it, this PBX rings no outside numbers.",
    )
    number_format: f.NumberFormat = Field(
        "e164",
        description="How {number} is written: e164 (no +), plus, national (of numbers.region), or 00.",
    )
    caller_id: f.PhoneNumber | None = Field(
        None,
        description="The business's number, shown by mobiles where the caller's own is not.",
    )
    show: f.Show = Field(
        "caller",
        description="What mobiles show, where the trunk allows it: the caller's number, or always "
        "the business's (caller_id).",
    )
    tls: Annotated[
        Annotated[f.Bool, Tag(SHORT)] | Annotated[TlsClientOptions, Tag(LONG)],
        Discriminator(short_or_long),
    ] = Field(False, description="Whether to use TLS: true, false or {ca: FILE}.")


class TwilioOptions(OptionGroup):
    """A Twilio account, which calls us over HTTP and is controlled over HTTP."""

    driver: Literal["twilio"] = Field(description="Kind of telephone system.")
    account_sid: f.AccountSid = Field(description="The account that has the numbers.")
    auth_token: f.Secret = Field(
        description="Its auth token, with which Twilio signs; better ${NAME} or ${file:PATH}."
    )
    other_auth_token: f.Secret | None = Field(
        None, description="The one before or after, which counts as well while it is replaced."
    )
    api_key: f.ApiKeySid | None = Field(
        None, description="API key to ask Twilio with, in place of the auth token."
    )
    api_secret: f.Secret | None = Field(None, description="The secret of the API key.")
    public_url: f.PublicUrl | None = Field(
        None,
        description="How Twilio reaches the HTTP side; what it signs, also through a proxy. "
        "Default: http.public_url.",
    )
    numbers: dict[f.PhoneNumber, f.Name] = Field(description="Number called: queue.")
    caller_id: f.PhoneNumber = Field(description="The number that agents' phones show.")
    calls_per_second: f.CallsPerSecond = Field(
        1.0, description="Calls that may be placed in a second; Twilio allows 1 unless raised."
    )
    codes: f.PhoneNumber | None = Field(
        None, description="The number that agents call to key in a code, such as *45."
    )
    fallback: f.PhoneNumber | None = Field(
        None, description="Where callers are sent when they leave a queue without a target."
    )
    places: dict[f.ContextName, f.PhoneNumber] = Field(
        default={}, description="Context of a dialplan: target; the number that it is here."
    )
    music: dict[f.MusicClass, f.MediaUrl] = Field(
        default={}, description="Music class: sound file of half a minute, played over and over."
    )
    api_url: f.PublicUrl = Field(
        "https://api.twilio.com", description="Where Twilio is asked; a proxy of one's own."
    )


class SimulatedOptions(OptionGroup):
    """A PBX that exists only in memory, for trials and tests."""

    driver: Literal["simulated"] = Field(description="Kind of telephone system.")
    seed: f.Seed | None = Field(None, description="Seed of its random behaviour.")


class TlsServerOptions(OptionGroup):
    """TLS of the HTTP server."""

    certificate: f.FilePath = Field(description="PEM file with the certificate chain.")
    key: f.FilePath = Field(description="PEM file with the private key.")


class ApiTokenOptions(OptionGroup):
    """A program that may use the HTTP API."""

    name: f.Name = Field(description="Who it is, for the log.")
    role: f.TokenRole = Field(
        description="What it may see and do. metrics: the page /metrics and nothing else."
    )
    token: f.Token = Field(description="The bearer token, 16 characters at least.")
    agent: f.Name | None = Field(
        None,
        description="With role agent: the agent it acts for. Without, it sees the queues' counts only.",
    )
    queues: list[f.Name] = Field(
        default=[],
        description="With role supervisor: the queues it sees and acts on. Default: all.",
    )


class HttpOptions(OptionGroup):
    """The HTTP API and the web page."""

    listen: f.Listen = Field("127.0.0.1:8080", description="Address and port to listen on.")
    public_url: f.SiteUrl | None = Field(
        None,
        description="How browsers (and Twilio) reach it, also through a proxy. Pages of this address "
        "may open the live view.",
    )
    tls: TlsServerOptions | None = Field(None, description="Serve HTTPS with this certificate.")
    api_tokens: list[ApiTokenOptions] = Field(
        default=[], description="Programs that may use the API."
    )


class SocketOptions(OptionGroup):
    """Who may use the command line on this machine, besides root and the daemon's own user."""

    group: f.Text = Field(description="The group of this machine whose members may.")
    role: f.Role = Field(
        "supervisor",
        description="What they may do. agent: each member acts for the agent whose id is the member's "
        "user name.",
    )


class UserOptions(OptionGroup):
    """A person who is not an agent."""

    role: f.Role = Field(description="What the person may do.")
    password: f.Hash = Field(description="Hash of the password, made by 'callrouter passwd'.")


class NumbersOptions(OptionGroup):
    """Which mobiles agents may register, and how often verification calls are placed."""

    region: f.Country | None = Field(None, description="Country of numbers written without +.")
    countries: list[f.Country] = Field(
        default=[], description="Countries allowed. Default: that of region; without one, none."
    )
    types: list[f.NumberType] = Field(default=[], description="Kinds allowed. Default: both.")
    approval: f.ApprovalWord = Field(
        _NUMBERS.approval.value,
        description="supervisor: a mobile that was proved waits until a supervisor approves it.",
    )
    devices_per_agent: f.Count = Field(
        _NUMBERS.devices_per_agent, description="Most mobiles that an agent may register."
    )
    attempts_per_hour: f.Count = Field(
        _NUMBERS.attempts_per_hour,
        description="Most requests of one agent in an hour, whatever comes of them.",
    )
    calls_per_hour: f.Count = Field(
        _NUMBERS.calls_per_hour,
        description="Most verification calls in an hour for one agent, and to one number; "
        "in 24 hours four times as many.",
    )
    calls_per_day: f.Count = Field(
        _NUMBERS.calls_per_day, description="Most verification calls in 24 hours, of all agents."
    )
    calls_per_country: f.Count = Field(
        _NUMBERS.calls_per_country,
        description="Most verification calls to one country in 24 hours.",
    )


class DeviceOptions(OptionGroup):
    """A phone of an agent; exactly one of `endpoint`, `dial` and `number`."""

    endpoint: f.Endpoint | None = Field(
        None, description="A phone that the PBX knows, such as PJSIP/1001."
    )
    number: f.PhoneNumber | None = Field(
        None, description="An outside number in international form, such as +447700900123."
    )
    dial: f.Endpoint | None = Field(
        None,
        description="What Asterisk dials to ring it, such as Local/1001@from-internal/n for an extension "
        "with its rules, or PJSIP/2004@branch for one of another PBX.",
    )
    state: (
        Annotated[
            Annotated[f.StateSource, Tag(SHORT)] | Annotated[list[f.StateSource], Tag(LIST)],
            Discriminator(list_or_short),
        ]
        | None
    ) = Field(
        None,
        description="What else tells whether it is in use, or takes no calls: hint:1001@ext-local, "
        "Custom:DND1001, PJSIP/1001, or a list of such. In use when one of them is.",
    )
    contacts: f.Contacts = Field(
        "all",
        description="Of several phones that are registered at the endpoint: ring all, or the first only.",
    )
    auto_answer: f.Bool = Field(
        False,
        description="true: the phone is asked to answer by itself, as for a headset (Call-Info and "
        "Alert-Info).",
    )
    pbx: f.Name | None = Field(None, description="The PBX that rings it, where several could.")
    ring_after: f.Duration = Field(
        0.0, description="Rings this long after the agent's first phone."
    )
    confirm: f.Bool | None = Field(
        None,
        description="The call is connected only after key 1. Default: true for a number and for whatever "
        "may forward (Local/…, another PBX's extension), else false.",
    )
    accept_within: f.LongerThanZero | None = Field(
        None,
        description="How long key 1 is waited for after the answer, 1 s to 5 min. Default: 25s.",
    )
    hours: f.HoursText | None = Field(
        None, description="When it rings, such as mon-fri 08:00-18:00. Default: always."
    )
    enabled: f.Bool = Field(True, description="false: never rings.")


class AgentOptions(OptionGroup):
    """A person who takes calls."""

    name: f.Text | None = Field(None, description="Name as shown. Default: the id.")
    renamed_from: f.Name | None = Field(
        None,
        description="The agent's id before: calls, state and all that is known of them go along.",
    )
    pin: f.Hash | None = Field(None, description="Hash of the PIN, made by 'callrouter passwd'.")
    extension: f.Extension | None = Field(
        None,
        description="Keyed in with the PIN at phones that are not the agent's. Default: the digits of "
        "the first phone of a PBX.",
    )
    language: f.Language = Field("en", description="Language of what the agent hears, such as en.")
    timezone: f.Text | None = Field(
        None,
        description="Time zone of the hours of the agent's phones. Default: the site's timezone.",
    )
    sign_in: f.SignInWord = Field(
        "manual", description="manual, or always for a phone that nobody signs in on."
    )
    capacity: f.Capacity = Field(1, description="Calls at once, 1 to 10.")
    wrap_up: f.Duration | None = Field(
        None, description="Rest after a call; overrides the queue's."
    )
    skills: dict[f.Name, f.Skill] = Field(default={}, description="Skill: level from 0 to 100.")
    enabled: f.Bool = Field(True, description="false: as if the agent were not there.")
    devices: dict[
        f.Name,
        Annotated[
            Annotated[f.Endpoint, Tag(SHORT)] | Annotated[DeviceOptions, Tag(LONG)],
            Discriminator(short_or_long),
        ],
    ] = Field(
        default={}, description="Name of the phone: the phone, or a mapping with its details."
    )


class PauseOptions(OptionGroup):
    """A configured pause reason."""

    longest: f.LongerThanZero | None = Field(
        None, description="How long a pause of this reason may last. Default: no limit."
    )
    then: f.PauseEndWord | None = Field(
        None,
        description="What comes after the longest length: tell (the agent is told and the pause "
        "goes on), resume (calls ring again) or sign-out. Default: tell.",
    )
    default: f.Bool = Field(False, description="true: of a pause without a reason.")


class ServiceLevelOptions(OptionGroup):
    """The target that reports measure against."""

    within: f.LongerThanZero = Field(description="Answered within this time …")
    target: f.Percent = Field(description="… are so many percent of the calls.")


class AnnounceOptions(OptionGroup):
    """Announcements to waiting callers."""

    position: f.Bool = Field(False, description="Say the place in the queue.")
    estimate: f.Bool = Field(
        False, description="Say about how many minutes it will take, once that can be told."
    )
    every: f.LongerThanZero = Field(
        45.0, description="How often; the first time after 5 s. On Twilio, when the music pauses."
    )


Members = Annotated[
    Annotated[list[f.ListedName], Tag(LIST)] | Annotated[dict[f.Name, f.Priority], Tag(MAPPING)],
    Discriminator(list_or_mapping),
]
_MEMBERS = "Agent: priority from 1 (first) to 100 (last); a plain list: all 1."


class ShiftOptions(OptionGroup):
    """Hours of the week during which other agents serve."""

    hours: f.HoursText = Field(description="When, such as mon-fri 17:30-21:00.")
    agents: Members = Field(description=f"Who, in place of the queue's agents. {_MEMBERS}")


class WidenStepOptions(OptionGroup):
    """What changes for a call that has waited for a while."""

    after: f.LongerThanZero = Field(description="When it has waited this long.")
    at_once: f.AtOnce | None = Field(
        None, description="How many agents ring at once from then on, or all."
    )
    agents: Members = Field(default=[], description=f"Who may be rung besides. {_MEMBERS}")
    skills: dict[f.Name, f.Skill] | None = Field(
        None, description="The least levels from then on; {} asks for none."
    )


class QueueOptions(OptionGroup):
    """Waiting calls, and the rules for serving them."""

    name: f.Text | None = Field(None, description="Name as shown. Default: the id.")
    policy: Annotated[
        Annotated[f.PolicyName, Tag(SHORT)] | Annotated[list[f.PolicyName], Tag(LIST)],
        Discriminator(list_or_short),
    ] = Field(
        list(_QUEUE.policy),
        description="Who is rung first; in a list, the later ones break ties.",
    )
    agents: Members = Field(default=[], description=_MEMBERS)
    renamed_from: f.Name | None = Field(
        None,
        description="The queue's name before: its callers and all that is known of it go along.",
    )
    at_once: f.AtOnce = Field(
        _QUEUE.at_once or "all", description="How many agents ring at once, or all."
    )
    ring_all: f.RingAllWord = Field(
        "each",
        description="dial: Twilio rings SIP phones and browsers together by one <Dial>, without a limit "
        "of calls per second; no music while they ring, and no hold after that. each: one call for each phone.",
    )
    ring_for: f.LongerThanZero = Field(_QUEUE.ring_for, description="How long an agent rings.")
    show: f.Text | None = Field(
        None,
        description="What desk phones show in place of the caller's name, such as {queue}: {name}; "
        "fields: queue, name, number, tag, wait. Default: the name.",
    )
    alert_info: f.AlertInfo | None = Field(
        None,
        description="Header Alert-Info for desk phones, for a ring of its own, such as "
        "<http://localhost>;info=ring3. Default: none.",
    )
    ask_alone_for: f.Duration = Field(
        _QUEUE.ask_alone_for,
        description="How long a phone that was picked up and is asked for key 1 keeps the call from the "
        "next agent.",
    )
    retry_after: f.Duration = Field(
        _QUEUE.retry_after, description="Pause before going round again when all have been tried."
    )
    wrap_up: f.Duration = Field(_QUEUE.wrap_up, description="Rest of an agent after a call.")
    weight: f.Count = Field(
        _QUEUE.weight, description="Between queues that want the same agent, the higher goes first."
    )
    max_wait: f.LongerThanZero | None = Field(
        None, description="Longest wait; then on_max_wait. Default: no limit."
    )
    max_waiting: f.Count | None = Field(
        None, description="Most calls waiting; a further one takes on_full. Default: no limit."
    )
    on_max_wait: f.Target | None = Field(None, description="Where a call goes after max_wait.")
    on_full: f.Target | None = Field(None, description="Where a call goes when the queue is full.")
    on_nobody: f.TargetOrWait | None = Field(
        None,
        description="Where a call goes when no agent is there: at once when none is signed in and "
        "unpaused, after nobody_after when none of those has a phone that could ring; wait: it stays.",
    )
    nobody_after: f.Duration = Field(
        _QUEUE.nobody_after,
        description="How long no agent must have had a phone that could ring before on_nobody applies.",
    )
    auto_pause: f.Count = Field(
        _QUEUE.auto_pause,
        description="Missed calls in a row after which an agent is paused; 0: never.",
    )
    music: f.MusicClass = Field(
        _QUEUE.music, description="Music class of the PBX for those who wait."
    )
    hours: f.HoursText | None = Field(
        None,
        description="When it is open, such as mon-fri 09:00-17:30; sat 10:00-14:00. Default: always.",
    )
    timezone: f.Text | None = Field(
        None, description="Time zone of its hours and shifts. Default: the site's timezone."
    )
    holidays: list[f.Holiday] = Field(
        default=[],
        description="Days on which hours and shifts are off: 2026-12-25, each year 12-26, a range "
        "2026-12-24..2027-01-01, a part of a day 2026-12-24 13:00-.",
    )
    on_closed: f.Target | None = Field(None, description="Where a call goes outside the hours.")
    shifts: list[ShiftOptions] = Field(
        default=[], description="Who serves when; the first that is on replaces agents."
    )
    widen: list[WidenStepOptions] = Field(
        default=[], description="What changes for calls that wait long, by time waited."
    )
    skills: dict[f.Name, f.Skill] = Field(
        default={}, description="Skill: the least level that an agent must have."
    )
    last_agent: f.LastAgent = Field(
        "never",
        description="A caller's last agent is rung first within this time of their last talk, "
        "or never.",
    )
    prefer_for: f.Duration = Field(
        _QUEUE.prefer_for,
        description="So long, the agent that a call prefers is the only one rung.",
    )
    service_level: ServiceLevelOptions | None = Field(None, description="The aim of reports.")
    announce: AnnounceOptions | None = Field(None, description="What waiting callers are told.")
    record: f.NotYet = Field(False, description="Calls are not recorded in this version.")


PbxOptions = Annotated[
    Annotated[AsteriskOptions, Tag("<asterisk>")]
    | Annotated[TwilioOptions, Tag("<twilio>")]
    | Annotated[SimulatedOptions, Tag("<simulated>")],
    Discriminator(driver_tag),
]


class ReloadOptions(OptionGroup):
    """How changes of the files are applied."""

    removals: f.RemovalsWord = Field(
        "confirm",
        description="What takes away a queue with callers, much of the floor, or what a file that is empty, gone "
        "or cut short held: confirm (it waits for 'callrouter reload') or at-once.",
    )


class CodesOptions(OptionGroup):
    """What agents dial; `callrouter dialplan` writes these codes into the dialplan."""

    sign_in: f.PhoneCode = Field(SHIPPED_CODES.sign_in, description="Sign in or out.")
    pause: f.PhoneCode = Field(
        SHIPPED_CODES.pause,
        description="Pause or resume; with a digit behind it, a pause for the reason of that place.",
    )
    mobile: f.PhoneCode = Field(SHIPPED_CODES.mobile, description="Own mobiles on or off.")
    register_: f.PhoneCode = Field(
        SHIPPED_CODES.register, alias="register", description="Register a mobile."
    )
    ready: f.PhoneCode = Field(SHIPPED_CODES.ready, description="End the rest after a call.")


class RootOptions(OptionGroup):
    """callrouter configuration: a top-level section may be in any file, but only once overall."""

    pbx: dict[f.Name, PbxOptions] = Field(default={}, description="The telephone systems.")
    http: HttpOptions | None = Field(None, description="HTTP API and web page.")
    socket: SocketOptions | None = Field(
        None, description="A group whose members may use the command line. Default: none."
    )
    users: dict[f.Name, UserOptions] = Field(default={}, description="People who are not agents.")
    database: f.Database = Field(
        "callrouter.db", description="What outlives a restart: a SQLite file, or postgresql://…"
    )
    reload: ReloadOptions | None = Field(None, description="How changes of the files are taken up.")
    timezone: f.Text = Field("UTC", description="Time zone such as Europe/London.")
    numbers: NumbersOptions | None = Field(
        None, description="What agents may register as a mobile."
    )
    agents: dict[f.Name, AgentOptions] = Field(default={}, description="The people who take calls.")
    pauses: dict[f.Name, PauseOptions] = Field(
        default={}, description="Reasons that a pause may have. Default: any text."
    )
    codes: CodesOptions | None = Field(
        None, description="What agents dial, where other codes than *45 to *49 are wanted."
    )
    queues: dict[f.Name, QueueOptions] = Field(default={}, description="The queues.")
    rules: list[RuleOptions] = Field(
        default=[], description="What is changed about calls on arrival; the first that fits."
    )
