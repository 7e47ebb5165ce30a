"""The options of an agent, of an agent's phones, and of the reasons for pauses."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Discriminator, Tag

from callrouter.model.routing_table import AgentSpec, DeviceSpec
from callrouter.model.text import phrase
from callrouter.settings.schema import fields as f
from callrouter.settings.schema import phone_fields as p
from callrouter.settings.schema import written_values as written
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.options import (
    LONG,
    SHORT,
    OneOrByName,
    OneOrList,
    OptionGroup,
    option,
    short_or_long,
)

_AGENT: Final = AgentSpec(id="", name="")
"""The defaults."""
_DEVICE: Final = DeviceSpec(id="", agent="", pbxes=())


class DeviceOptions(OptionGroup):
    """A phone of an agent; exactly one of `endpoint`, `dial` and `number`."""

    endpoint: OneOrByName[p.Endpoint, f.Name] | None = option(
        None,
        "A phone that the PBX knows, such as PJSIP/1001. A phone that several PBXes can ring has an "
        'address on each: {north: PJSIP/1001, south: "PJSIP/1001@north"}.',
        example="PJSIP/1001",
    )
    number: p.PhoneNumber | None = option(
        None,
        "An outside number in international form, such as +447700900123.",
        example='"+447700900123"',
    )
    dial: p.Endpoint | None = option(
        None,
        "What Asterisk dials to ring it, such as Local/1001@from-internal/n for an extension with "
        "its rules, or PJSIP/2004@branch for one of another PBX.",
        example="Local/1001@from-internal/n",
        attribute=None,
    )
    state: OneOrList[p.StateSource, p.StateSource] | None = option(
        None,
        "Other states that show whether it is in use or takes no calls: hint:1001@ext-local, "
        "Custom:DND1001, PJSIP/1001, or a list of these. It is in use when one of them is.",
        example="hint:1001@ext-local",
        attribute="states",
        words=written.names_or_none,
    )
    contacts: p.Contacts = option(
        "all",
        "If several phones are registered at the endpoint: all of them ring, or the first.",
        example="first",
        attribute="all_contacts",
        words=lambda every: "all" if every else "first",
    )
    auto_answer: f.Bool = option(
        _DEVICE.auto_answer,
        "true: the phone is asked to answer by itself, as for a headset (Call-Info and "
        "Alert-Info).",
        example="true",
        words=written.yes_or_no,
    )
    pbx: f.Name | None = option(
        None,
        "The PBX that rings it, if several could.",
        example="office",
        attribute="pbxes",
        words=", ".join,
    )
    ring_after: f.Duration = option(
        _DEVICE.ring_after,
        "How long after the agent's first phone it starts to ring.",
        example="10s",
        words=format_duration,
    )
    confirm: f.Bool | None = option(
        None,
        "Whether the call is connected only after key 1. Default: true for a number and for any "
        "device that may forward (Local/…, another PBX's extension), otherwise false. A phone with an "
        "address on each PBX is asked only through a PBX where it is not registered, while the router "
        "cannot see at the other one whether it is the phone that answers.",
        example="true",
        words=written.yes_or_no,
    )
    accept_within: f.LongerThanZero | None = option(
        None,
        "How long to wait for key 1 after the answer, 1 s to 5 min. Default: 25s.",
        example="40s",
        words=format_duration,
    )
    hours: f.HoursText | None = option(
        None,
        "When it rings, such as mon-fri 08:00-18:00. Default: always.",
        example="mon-fri 08:00-18:00",
        words=written.opening_hours,
    )
    enabled: f.Bool = option(_DEVICE.enabled, "false: it never rings.", example="false")


class AgentOptions(OptionGroup):
    """A person who takes calls."""

    name: f.Text | None = option(
        None, "Name as shown. Default: the id.", example="Alice Martin", words=str
    )
    renamed_from: f.Name | None = option(
        None,
        "The agent's former id. Calls, state and everything known of the agent move along.",
        example="alicia",
    )
    pin: f.Hash | None = option(
        None,
        "Hash of the PIN, made by 'callrouter passwd'.",
        example="$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
        attribute=None,
        secret=True,
    )
    password: f.Hash | None = option(
        None,
        "Hash of a password for the web page, made by 'callrouter passwd'. Without one, the PIN "
        "is the password.",
        example="$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
        attribute=None,
        secret=True,
    )
    email: f.MailAddress | None = option(
        None,
        "The agent's mail address, by which http.oidc knows them.",
        example="alice@example.com",
        attribute=None,
    )
    extension: p.Extension | None = option(
        None,
        "Keyed in with the PIN at phones that are not the agent's. Default: the digits of the "
        "first phone of a PBX.",
        example="1001",
        words=written.or_none,
    )
    language: p.Language = option(
        _AGENT.language,
        "Language of the prompts that the agent hears, such as en.",
        example="fr",
        words=str,
    )
    timezone: f.Text | None = option(
        None,
        "Time zone of the hours of the agent's phones. Default: the site's timezone.",
        example="Europe/Paris",
        words=written.or_site,
    )
    sign_in: f.SignInWord = option(
        _AGENT.sign_in.value,
        "manual, or always for a phone at which no agent signs in.",
        example="always",
        words=written.enum_value,
    )
    capacity: f.Capacity = option(
        _AGENT.capacity, "Maximum number of calls at once, 1 to 10.", example="2", words=str
    )
    wrap_up: f.Duration | None = option(
        None,
        "Time after a call before the next one; overrides the queue's.",
        example="30s",
        words=written.duration_or(phrase("that-of-queue", "that of the queue")),
    )
    skills: dict[f.Name, f.Skill] = option({}, "Skill: level from 0 to 100.", example="{french: 3}")
    enabled: f.Bool = option(
        True,
        "false: the agent is treated as absent, in no queue.",
        example="false",
        attribute=None,
    )
    devices: dict[
        f.Name,
        Annotated[
            Annotated[p.Endpoint, Tag(SHORT)] | Annotated[DeviceOptions, Tag(LONG)],
            Discriminator(short_or_long),
        ],
    ] = option(
        {},
        "Name of the phone: the phone, or a mapping with its details.",
        example="{desk: PJSIP/1001}",
    )


class PauseOptions(OptionGroup):
    """A reason for a pause."""

    longest: f.LongerThanZero | None = option(
        None, "How long a pause for this reason may last. Default: no limit.", example="45m"
    )
    then: f.PauseEndWord | None = option(
        None,
        "What happens at the limit: tell (the agent is told and the pause goes on), resume (calls "
        "ring again) or sign-out. Default: tell.",
        example="resume",
    )
    default: f.Bool = option(
        False, "true: the reason of a pause that is requested without one.", example="true"
    )
