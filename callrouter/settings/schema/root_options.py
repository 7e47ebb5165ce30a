"""All sections of the configuration, and the options of those that concern the whole site."""

from __future__ import annotations

from typing import Final

from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.model.ivr import SHIPPED_CODES
from callrouter.settings.loaded import DEFAULT_QUEUE_LOG_FILE, HistorySettings
from callrouter.settings.schema import fields as f
from callrouter.settings.schema import phone_fields as p
from callrouter.settings.schema import written_values as written
from callrouter.settings.schema.agent_options import AgentOptions, PauseOptions
from callrouter.settings.schema.alert_options import (
    AlertOptions,
    DestinationOptions,
    SmtpOptions,
    WebhookOptions,
)
from callrouter.settings.schema.cluster_options import ClusterOptions
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.options import OptionGroup, option
from callrouter.settings.schema.pbx_options import PbxOptions
from callrouter.settings.schema.queue_options import QueueOptions
from callrouter.settings.schema.rule_options import RuleOptions
from callrouter.settings.schema.sizes import format_size
from callrouter.settings.schema.transfer_options import TransfersOptions

_NUMBERS: Final = NumberSettings()
"""The defaults."""
_HISTORY: Final = HistorySettings()
_HASH: Final = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"


class TlsServerOptions(OptionGroup):
    """TLS of the HTTP server."""

    certificate: f.FilePath = option(
        ..., "PEM file with the certificate chain.", example="cert.pem", restart=True
    )
    key: f.FilePath = option(..., "PEM file with the private key.", example="key.pem", restart=True)


class ApiTokenOptions(OptionGroup):
    """A program that may use the HTTP API."""

    name: f.Name = option(..., "The program's name, for the log.", example="crm")
    role: f.TokenRole = option(
        ...,
        "What it may see and do. metrics: the page /metrics and nothing else.",
        example="supervisor",
    )
    token: f.Token = option(
        ...,
        "The bearer token, at least 16 characters; `callrouter token` makes one.",
        example="${CRM_TOKEN}",
        secret=True,
    )
    agent: f.Name | None = option(
        None,
        "With role agent: the agent it acts for. Without, it sees only the queues' counts.",
        example="alice",
    )
    queues: list[f.Name] = option(
        [],
        "With role supervisor: the queues it sees and acts on. Default: all.",
        example="[support]",
    )


class OidcOptions(OptionGroup):
    """A provider of OpenID Connect, at which people log in for the page."""

    issuer: f.SiteUrl = option(
        ..., "The provider's address, as its discovery document says it.",
        example="https://login.example.com/realms/office", words=str,
    )  # fmt: skip
    client_id: f.Text = option(..., "What the provider calls us.", example="callrouter", words=str)
    client_secret: f.Secret | None = option(
        None,
        "The secret for it; none for a client that proves itself by PKCE alone.",
        example="${OIDC_SECRET}",
        secret=True,
    )
    claim: f.Claim = option(
        "email",
        "The claim that says who it is: the id, or the email, of a user or agent.",
        example="preferred_username",
        words=str,
    )
    scopes: list[f.Scope] = option(
        ["email"],
        "What is asked for besides openid.",
        example="[email, profile]",
        words=written.names_or_none,
    )
    name: f.Text | None = option(
        None,
        "What the button on the page calls it. Default: the name of its host.",
        example="Example SSO",
        words=written.or_none,
    )


class HttpOptions(OptionGroup):
    """The HTTP API and the web page."""

    listen: f.Listen = option(
        "127.0.0.1:8080",
        "Address and port to listen on.",
        example="0.0.0.0:8443",
        restart=True,
    )
    public_url: f.SiteUrl | None = option(
        None,
        "How browsers (and Twilio) reach it, also through a proxy. Pages of this address may open "
        "the live view.",
        example="https://calls.example.com",
        words=written.or_none,
    )
    tls: TlsServerOptions | None = option(
        None,
        "Serve HTTPS with this certificate.",
        example="{certificate: cert.pem, key: key.pem}",
        restart=True,
    )
    oidc: OidcOptions | None = option(
        None,
        "Lets people log in at the page through a provider of OpenID Connect, besides by password. "
        "Needs public_url.",
        example="{issuer: https://login.example.com, client_id: callrouter, "
        "client_secret: '${OIDC_SECRET}'}",
        attribute=None,
    )
    trusted_proxies: list[f.Text] = option(
        [],
        "Addresses and networks of reverse proxies whose X-Forwarded-For is believed, so that lockouts "
        "and the audit are about the client.",
        example="[127.0.0.1, 10.0.0.0/24]",
        words=written.names_or_none,
    )
    api_tokens: list[ApiTokenOptions] = option(
        [],
        "Programs that may use the API.",
        example="[{name: crm, role: supervisor, token: '${CRM_TOKEN}'}]",
    )


class SocketOptions(OptionGroup):
    """Who may use the command line on this machine, besides root and the daemon's own user."""

    group: f.Text = option(
        ...,
        "The group of this machine whose members may use it.",
        example="callrouter",
        restart=True,
        words=written.or_none,
    )
    role: f.Role = option(
        "supervisor",
        "What they may do. agent: each member acts for the agent whose id is the member's user "
        "name.",
        example="admin",
        restart=True,
        words=str,
    )


class UserOptions(OptionGroup):
    """A person who is not an agent."""

    role: f.Role = option(..., "What the person may do.", example="supervisor", words=str)
    queues: list[f.Name] = option(
        [],
        "With role supervisor: the queues the person sees and acts on. Default: all.",
        example="[support]",
        words=written.names_or_all,
    )
    password: f.Hash | None = option(
        None,
        "Hash of the password, made by 'callrouter passwd'. It may be left out if the person logs in "
        "through http.oidc.",
        example=_HASH,
        secret=True,
    )
    email: f.MailAddress | None = option(
        None,
        "The person's mail address, by which http.oidc knows them.",
        example="sam@example.com",
        words=written.or_none,
    )


class NumbersOptions(OptionGroup):
    """Which mobiles agents may register, and how often verification calls are placed."""

    region: p.Country | None = option(
        None, "Country of numbers written without +.", example="GB", words=written.or_none
    )
    countries: list[p.Country] = option(
        [],
        "Countries allowed. Default: that of region; without one, none.",
        example="[GB, IE]",
        words=written.names_or_none,
    )
    types: list[p.NumberType] = option(
        [],
        "Kinds allowed. Default: both.",
        example="[mobile]",
        words=written.names_or_none,
    )
    approval: f.ApprovalWord = option(
        _NUMBERS.approval.value,
        "supervisor: a mobile that was proved waits until a supervisor approves it.",
        example="supervisor",
        words=written.enum_value,
    )
    devices_per_agent: f.Count = option(
        _NUMBERS.devices_per_agent,
        "Maximum number of mobiles that an agent may register.",
        example="2",
        words=written.or_none,
    )
    attempts_per_hour: f.Count = option(
        _NUMBERS.attempts_per_hour,
        "Maximum number of one agent's requests in an hour, successful or not.",
        example="5",
        words=str,
    )
    calls_per_hour: f.Count = option(
        _NUMBERS.calls_per_hour,
        "Maximum number of verification calls in an hour for one agent, and to one number; in 24 "
        "hours four times as many.",
        example="5",
        words=str,
    )
    calls_per_day: f.Count = option(
        _NUMBERS.calls_per_day,
        "Maximum number of verification calls in 24 hours, of all agents.",
        example="50",
        words=str,
    )
    calls_per_country: f.Count = option(
        _NUMBERS.calls_per_country,
        "Maximum number of verification calls to one country in 24 hours.",
        example="20",
        words=str,
    )


class HistoryNumbersOptions(OptionGroup):
    """What becomes of callers' numbers and names in the record of calls."""

    keep: f.StoredForOrNot = option(
        _HISTORY.numbers.keep,
        "How long after a call its caller's number and name are kept as they are; at most as long as "
        "the call.",
        example="30d",
        words=format_duration,
    )
    then: f.NumberFateWord = option(
        _HISTORY.numbers.then,
        "What happens then: mask (country and last digits stay), hash (a code by which calls of one "
        "caller can still be told to be of one caller) or drop (nothing stays). The name is deleted "
        "in each case.",
        example="hash",
        words=str,
    )


class HistoryOptions(OptionGroup):
    """How long calls and what belongs to them are kept in the database."""

    keep: f.StoredFor = option(
        _HISTORY.keep,
        "How long calls, their stays in queues, offers, conversations and agents' states are kept.",
        example="2000d",
        words=format_duration,
    )
    decisions: f.StoredForOrNot = option(
        _HISTORY.decisions,
        "How long the reasons for each offer are kept, which `callrouter why` needs; at most `keep`.",
        example="30d",
        words=format_duration,
    )
    numbers: HistoryNumbersOptions | None = option(
        None,
        "What becomes of callers' numbers and names.",
        example="{keep: 30d, then: hash}",
        attribute=None,
    )
    max_size: f.Size | None = option(
        None,
        "The size of the record beyond which the oldest calls are deleted, though younger than "
        "`keep`. Default: 20GB.",
        example="500MB",
        words=format_size,
    )


class ReloadOptions(OptionGroup):
    """How changes of the files are applied."""

    removals: f.RemovalsWord = option(
        "confirm",
        "What happens to a change that removes a queue with callers, much of the call centre, or "
        "what a file held that is now empty, gone or truncated: confirm (it waits for 'callrouter "
        "reload') or at-once.",
        example="at-once",
    )


class CodesOptions(OptionGroup):
    """What agents dial; `callrouter dialplan` writes these codes into the dialplan."""

    sign_in: p.PhoneCode = option(
        SHIPPED_CODES.sign_in, "Sign in or out.", example='"*65"', words=written.or_none
    )
    pause: p.PhoneCode = option(
        SHIPPED_CODES.pause,
        "Pause or resume; followed by a digit, a pause for the reason at that position.",
        example='"*66"',
        words=written.or_none,
    )
    mobile: p.PhoneCode = option(
        SHIPPED_CODES.mobile,
        "Switch the agent's own mobiles on or off.",
        example='"*67"',
        words=written.or_none,
    )
    register_: p.PhoneCode = option(
        SHIPPED_CODES.register,
        "Register a mobile.",
        example='"*68"',
        attribute="register",
        words=written.or_none,
        alias="register",
    )
    ready: p.PhoneCode = option(
        SHIPPED_CODES.ready, "End wrap-up.", example='"*69"', words=written.or_none
    )


class RootOptions(OptionGroup):
    """callrouter configuration: a top-level section may be in any file, but only once overall."""

    pbx: dict[f.Name, PbxOptions] = option(
        {},
        "The telephone systems.",
        example="{office: {driver: asterisk, username: callrouter, secret: '${AMI_SECRET}'}}",
        restart=True,
    )
    http: HttpOptions | None = option(
        None, "The HTTP API and the web page.", example="{listen: 127.0.0.1:8080}"
    )
    socket: SocketOptions | None = option(
        None,
        "A group whose members may use the command line. Default: none.",
        example="{group: callrouter}",
        restart=True,
    )
    users: dict[f.Name, UserOptions] = option(
        {},
        "People who are not agents.",
        example=f"{{sam: {{role: supervisor, password: '{_HASH}'}}}}",
    )
    database: f.Database = option(
        "callrouter.db",
        "What outlives a restart: a SQLite file, or postgresql://…",
        example="/var/lib/callrouter/callrouter.db",
        restart=True,
        secret=True,
    )
    cluster: ClusterOptions | None = option(
        None,
        "This daemon is one of several for the same queues, which agree by the database on which of "
        "them is active. Default: it is alone.",
        example="{name: north-1, pool: main}",
        restart=True,
    )
    config: f.ConfigWord = option(
        "files",
        "Where all else is configured: in the files of this folder, or in the database, for all "
        "routers of a pool (`callrouter config push`). With database, this file has `database`, "
        "`cluster`, `config` and what this router has for itself: `http: {listen, tls}`, `socket`, "
        "`queue_log_file`.",
        example="database",
        words=str,
        restart=True,
    )
    queue_log: f.QueueLogWord = option(
        "asterisk",
        "Who writes queue_log: asterisk (the action QueueLog), file (callrouter itself, for all "
        "telephone systems), both or off.",
        example="file",
        words=str,
        restart=True,
    )
    queue_log_file: f.FilePath = option(
        DEFAULT_QUEUE_LOG_FILE,
        "The file for file and both. A relative one is beside the database.",
        example="/var/log/callrouter/queue_log",
        words=str,
        restart=True,
    )
    reload: ReloadOptions | None = option(
        None, "How changes of the files are applied.", example="{removals: at-once}"
    )
    history: HistoryOptions | None = option(
        None,
        "How long calls are kept in the database, and callers' numbers with them.",
        example="{keep: 2000d, numbers: {keep: 30d, then: drop}}",
    )
    timezone: f.Text = option("UTC", "Time zone such as Europe/London.", example="Europe/London")
    numbers: NumbersOptions | None = option(
        None, "Which mobiles agents may register.", example="{region: GB}"
    )
    transfers: TransfersOptions | None = option(
        None,
        "Which numbers outside callers may be passed on to. Default: none.",
        example='{outside: ["+44"]}',
    )
    agents: dict[f.Name, AgentOptions] = option(
        {},
        "The people who take calls.",
        example="{alice: {devices: {desk: PJSIP/1001}}}",
    )
    pauses: dict[f.Name, PauseOptions] = option(
        {},
        "The reasons that a pause may have. Default: any text.",
        example="{lunch: {longest: 45m}}",
    )
    codes: CodesOptions | None = option(
        None,
        "What agents dial, if not the codes *45 to *49.",
        example='{sign_in: "*65"}',
    )
    queues: dict[f.Name, QueueOptions] = option(
        {}, "The queues.", example="{support: {agents: [alice]}}"
    )
    rules: list[RuleOptions] = option(
        [],
        "Changes to calls on arrival; the first rule that matches applies.",
        example='[{name: France, when: {caller: "+33*"}, then: {skills: {french: 2}}}]',
    )
    destinations: dict[f.Name, DestinationOptions] = option(
        {},
        "Where alarms and other events are sent.",
        example="{sam: {mail: sam@example.com}}",
    )
    alerts: list[AlertOptions] = option(
        [],
        "Alarms, for sites that no other system watches.",
        example='[{name: long-wait, when: "longest_wait > 2m", clear: "< 1m", to: [sam]}]',
    )
    webhooks: list[WebhookOptions] = option(
        [],
        "Events for other programs, such as a CRM.",
        example="[{to: crm, events: [call.ended]}]",
    )
    smtp: SmtpOptions | None = option(
        None,
        "The server that takes mail for delivery.",
        example="{host: mail.example.com, from: callrouter@example.com}",
    )
