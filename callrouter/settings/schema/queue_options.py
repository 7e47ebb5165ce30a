"""The options of a queue, and of its shifts, escalation steps and announcements."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Discriminator, Tag

from callrouter.model.routing_table import AnnounceSpec, QueueSpec
from callrouter.model.text import phrase
from callrouter.settings.loaded import SHORT_ABANDON
from callrouter.settings.schema import fields as f
from callrouter.settings.schema import phone_fields as p
from callrouter.settings.schema import written_values as written
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.options import (
    LIST,
    MAPPING,
    OneOrList,
    OptionGroup,
    list_or_mapping,
    option,
)

_SPEC: Final = QueueSpec(id="", name="")
"""The defaults."""
_SAID: Final = AnnounceSpec()

Members = Annotated[
    Annotated[list[f.ListedName], Tag(LIST)] | Annotated[dict[f.Name, f.Priority], Tag(MAPPING)],
    Discriminator(list_or_mapping),
]
_MEMBERS: Final = "Agent: priority from 1 (first) to 100 (last); in a plain list all have 1."


class ServiceLevelOptions(OptionGroup):
    """The target that reports measure against."""

    within: f.LongerThanZero = option(
        ..., "The time within which a call must be answered.", example="20s"
    )
    target: f.Percent = option(
        ..., "The percentage of calls that must be answered within this time.", example="80"
    )
    short_abandon: f.Duration = option(
        SHORT_ABANDON,
        "A caller who hangs up sooner did not mean to wait; reports count them apart.",
        example="5s",
        words=format_duration,
    )


class AnnounceOptions(OptionGroup):
    """Announcements to waiting callers."""

    position: f.Bool = option(_SAID.position, "Say the place in the queue.", example="true")
    estimate: f.Bool = option(
        _SAID.estimate,
        "Say about how many minutes the wait will be, as soon as that can be estimated.",
        example="true",
    )
    every: f.LongerThanZero = option(
        _SAID.every,
        "How often; the first time after 5 s. On Twilio, when the music pauses.",
        example="1m",
    )


class ShiftOptions(OptionGroup):
    """Hours of the week during which other agents serve."""

    hours: f.HoursText = option(
        ..., "When, such as mon-fri 17:30-21:00.", example="mon-fri 17:30-21:00"
    )
    agents: Members = option(
        ...,
        f"Who serves, in place of the queue's agents. {_MEMBERS}",
        example="[carol]",
        attribute="members",
    )


class WidenStepOptions(OptionGroup):
    """What changes for a call that has waited for a while."""

    after: f.LongerThanZero = option(
        ..., "The time for which the call must have waited in the queue.", example="30s"
    )
    at_once: f.AtOnce | None = option(
        None, "How many agents ring at once from then on, or all.", example="3"
    )
    agents: Members = option(
        [], f"Who may be rung in addition. {_MEMBERS}", example="{carol: 10}", attribute="members"
    )
    skills: dict[f.Name, f.Skill] | None = option(
        None,
        "The minimum levels from then on; {} asks for none.",
        example="{french: 1}",
    )


class QueueOptions(OptionGroup):
    """Waiting calls, and the rules for serving them."""

    name: f.Text | None = option(
        None, "Name as shown. Default: the id.", example="Customer support", words=str
    )
    policy: OneOrList[f.PolicyName, f.PolicyName] = option(
        list(_SPEC.policy),
        "Who is rung first; in a list, the later policies break ties.",
        example="[priority, longest-idle]",
        words=", ".join,
    )
    agents: Members = option([], _MEMBERS, example="{alice: 1, bob: 2}", attribute="members")
    renamed_from: f.Name | None = option(
        None,
        "The queue's former name. Its callers and everything known under it move along.",
        example="helpdesk",
    )
    at_once: f.AtOnce = option(
        _SPEC.at_once or "all",
        "How many agents ring at once, or all.",
        example="2",
        words=written.at_once,
    )
    ring_all: p.RingAllWord = option(
        "each",
        "dial: Twilio rings SIP phones and browsers together by one <Dial>, without a limit of "
        "calls per second; no music while they ring, and no hold after that. each: one call for "
        "each phone.",
        example="dial",
        attribute="dial",
        words=lambda dial: "dial" if dial else "each",
    )
    ring_for: f.LongerThanZero = option(
        _SPEC.ring_for, "How long an agent rings.", example="15s", words=format_duration
    )
    ask_alone_for: f.Duration = option(
        _SPEC.ask_alone_for,
        "How long a phone that was picked up and is asked for key 1 keeps the call from the next "
        "agent.",
        example="10s",
        words=format_duration,
    )
    show: f.Text | None = option(
        None,
        "What desk phones show in place of the caller's name, such as {queue}: {name}; fields: "
        "queue, name, number, tag, wait. Default: the name.",
        example='"{queue}: {name}"',
        words=written.or_none,
    )
    alert_info: p.AlertInfo | None = option(
        None,
        "Header Alert-Info for desk phones, to give them another ring, such as "
        "<http://localhost>;info=ring3. Default: none.",
        example='"<http://localhost>;info=ring3"',
        words=written.or_none,
    )
    retry_after: f.Duration = option(
        _SPEC.retry_after,
        "Pause before the next round when all agents have been tried.",
        example="10s",
        words=format_duration,
    )
    wrap_up: f.Duration = option(
        _SPEC.wrap_up,
        "Time after a call before the agent gets the next one.",
        example="30s",
        words=format_duration,
    )
    weight: f.Count = option(
        _SPEC.weight,
        "If several queues want the same agent, the one with the higher weight goes first.",
        example="2",
        words=str,
    )
    max_wait: f.LongerThanZero | None = option(
        None,
        "Longest wait; then on_max_wait applies, but a phone that rings by then rings to its end first. "
        "Default: no limit.",
        example="5m",
        words=written.duration_or(written.NONE),
    )
    max_waiting: f.Count | None = option(
        None,
        "Maximum number of waiting calls; for a further one on_full applies. Default: no limit.",
        example="20",
        words=written.or_none,
    )
    on_max_wait: p.Target | None = option(
        None,
        "Where a call goes after max_wait.",
        example="queue:sales",
        words=written.target,
    )
    on_full: p.Target | None = option(
        None,
        "Where a call goes when the queue is full.",
        example='"dialplan:voicemail,support,1"',
        words=written.target,
    )
    on_nobody: p.TargetOrWait | None = option(
        None,
        "Where a call goes when no agent is there: at once if none is signed in and unpaused, "
        "after nobody_after if none of those has a phone that could ring; wait: it stays.",
        example="wait",
        words=written.target,
    )
    nobody_after: f.Duration = option(
        _SPEC.nobody_after,
        "How long no agent may have had a phone that could ring before on_nobody applies.",
        example="30s",
        words=format_duration,
    )
    on_closed: p.Target | None = option(
        None,
        "Where a call goes outside the hours.",
        example="hangup",
        words=written.target,
    )
    auto_pause: f.Count = option(
        _SPEC.auto_pause,
        "Missed calls in a row after which an agent is paused; 0: never.",
        example="5",
        words=str,
    )
    music: p.MusicClass = option(
        _SPEC.music,
        "Music class of the PBX for waiting callers.",
        example="jazz",
        words=str,
    )
    hours: f.HoursText | None = option(
        None,
        "When it is open, such as mon-fri 09:00-17:30; sat 10:00-14:00. Default: always.",
        example="mon-fri 09:00-17:30; sat 10:00-14:00",
        words=written.opening_hours,
    )
    timezone: f.Text | None = option(
        None,
        "Time zone of its hours and shifts. Default: the site's timezone.",
        example="Europe/Paris",
        words=written.or_site,
    )
    holidays: list[f.Holiday] = option(
        [],
        "Days on which hours and shifts do not apply: 2026-12-25, each year 12-26, a range "
        "2026-12-24..2027-01-01, a part of a day 2026-12-24 13:00-.",
        example='[2026-12-25, "12-26"]',
        attribute=None,
    )
    shifts: list[ShiftOptions] = option(
        [],
        "Who serves when; the first shift that applies replaces agents.",
        example="[{hours: mon-fri 17:30-21:00, agents: [carol]}]",
    )
    widen: list[WidenStepOptions] = option(
        [],
        "What changes for calls that wait long, by time waited.",
        example="[{after: 30s, at_once: 3}]",
    )
    skills: dict[f.Name, f.Skill] = option(
        {}, "Skill: the minimum level that an agent must have.", example="{french: 2}"
    )
    last_agent: f.LastAgent = option(
        "never",
        "A caller's last agent is rung first within this time of their last conversation, or "
        "never.",
        example="8h",
        words=written.duration_or(phrase("value-never", "never")),
    )
    prefer_for: f.Duration = option(
        _SPEC.prefer_for,
        "How long the agent that a call prefers is the only one rung.",
        example="15s",
        words=format_duration,
    )
    service_level: ServiceLevelOptions | None = option(
        None,
        "The target that reports measure against.",
        example="{within: 20s, target: 80, short_abandon: 5s}",
        attribute=None,
    )
    announce: AnnounceOptions | None = option(
        None,
        "What waiting callers are told.",
        example="{position: true, every: 1m}",
        words=written.announcement,
    )
    record: f.NotYet = option(
        False, "Calls are not recorded in this version.", example="false", attribute=None
    )
