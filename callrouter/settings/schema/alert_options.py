"""The options of alarms, of webhooks and of the destinations that both are sent to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from callrouter.model.text import phrase
from callrouter.outbox.destinations import EVENT_NAMES, GIVE_UP_AFTER, EventName
from callrouter.settings.schema import fields as f
from callrouter.settings.schema import written_values as written
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.options import (
    OneOrList,
    OptionGroup,
    option,
)

NameOrList = OneOrList[f.Name, f.ListedName]
HookUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?"
        r"(?:[/?][!-~]{0,1800})?$"
    ),
    f.Expected(f.address_such_as("https://hooks.example.com/calls")),
]
Event = Annotated[
    EventName,
    f.Expected(
        phrase("expected-one-of", "one of {names}", names=EVENT_NAMES), "|".join(EVENT_NAMES)
    ),
]
MailTls = Annotated[
    Literal["starttls", "tls", "none"],
    f.Expected(f.one_of("starttls|tls|none"), "starttls|tls|none"),
]
ConditionText = Annotated[
    str,
    BeforeValidator(f.digits_as_text),
    Field(min_length=1, max_length=100),
    f.Expected(
        phrase(
            "expected-condition", "a comparison such as {example}", example='"longest_wait > 2m"'
        ),
        "form",
    ),
    WithJsonSchema({"type": "string"}),
]


class AlertOptions(OptionGroup):
    """An alarm: sent once when its condition holds, and once when it is over."""

    name: f.Name = option(..., "The name of the alarm, in what is sent.", example="long-wait")
    when: ConditionText = option(
        ...,
        "What raises it: one comparison of a measure with a value; operator.md lists the measures.",
        example='"longest_wait > 2m"',
    )
    clear: ConditionText | None = option(
        None,
        "When it is over, such as `< 1m`. Default: when `when` does not hold any more.",
        example='"< 1m"',
    )
    for_: f.Duration = option(
        0.0,
        "How long the condition must hold without interruption.",
        example="30s",
        attribute="for_s",
        alias="for",
    )
    queues: list[f.ListedName] = option(
        [],
        "The queues that are watched, each by itself; of a measure of agents, their members. "
        "Default: all.",
        example="[support]",
    )
    quiet: OneOrList[f.HoursText, f.HoursText] = option(
        [],
        "Days and times at which nothing is sent. What is still true afterwards is sent then.",
        example='"daily 22:00-07:00"',
    )
    to: NameOrList = option(..., "The destinations it is sent to.", example="[ops]")


class DestinationOptions(OptionGroup):
    """Where events are sent: a webhook with its secret, or a mail address."""

    webhook: HookUrl | None = option(
        None,
        "The address that events are posted to, as Standard Webhooks. Redirects are not followed.",
        example="https://hooks.example.com/calls",
    )
    secret: f.Secret | None = option(
        None,
        "What a webhook is signed with: `whsec_` and 24 to 64 random bytes in base64.",
        example="${OPS_HOOK_SECRET}",
        secret=True,
    )
    mail: f.MailAddress | None = option(
        None, "The address that mail is sent to; needs the section smtp.", example="sam@example.com"
    )
    plain_http: f.Bool = option(
        False,
        "Allow http:// to another machine: what is sent can then be read on its way.",
        example="true",
        words=written.yes_or_no,
    )
    give_up_after: f.LongerThanZero = option(
        GIVE_UP_AFTER,
        "How long the delivery of an event is tried. Then it is given up, logged and counted.",
        example="3d",
        words=format_duration,
    )


class WebhookOptions(OptionGroup):
    """Events for another program, such as a CRM."""

    to: NameOrList = option(..., "The destinations they are sent to.", example="crm")
    events: list[Event] = option(
        ..., "Which events; operator.md describes each.", example="[call.ended, call.offered]"
    )
    queues: list[f.ListedName] = option(
        [], "Only events of calls in these queues. Default: all.", example="[support]"
    )


class SmtpOptions(OptionGroup):
    """The server that takes mail for delivery."""

    host: f.Host = option(..., "Its name or address.", example="mail.example.com", words=str)
    port: f.Port = option(
        587, "Its port; servers with tls from the start use 465.", example="465", words=str
    )
    tls: MailTls = option(
        "starttls",
        "starttls: encrypted after a plain start; tls: from the start; none: not at all, and only "
        "on this machine if there is a password.",
        example="tls",
        words=str,
    )
    user: f.Text | None = option(
        None, "The user to log in as. Default: no login.", example="alarms", words=written.or_none
    )
    password: f.Secret | None = option(
        None, "The user's password.", example="${SMTP_PASSWORD}", secret=True
    )
    from_: f.MailAddress = option(
        ...,
        "The address that mail is from.",
        example="callrouter@example.com",
        attribute="sender",
        words=str,
        alias="from",
    )
