"""The options of the rules for arriving calls."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Tag

from callrouter.settings.schema import fields as f
from callrouter.settings.schema import phone_fields as p
from callrouter.settings.schema.options import LIST, SHORT, OptionGroup, list_or_short, option

NumberOrList = Annotated[
    Annotated[p.CallNumber, Tag(SHORT)] | Annotated[list[p.CallNumber], Tag(LIST)],
    Discriminator(list_or_short),
]


class RuleWhenOptions(OptionGroup):
    """Conditions of a rule. All must match; of several values in one condition, any."""

    caller: NumberOrList = option(
        [], "The caller's number: a number, a beginning and *, or withheld.", example='"+33*"'
    )
    called: NumberOrList = option([], "The number that was called.", example='"+442079460018"')
    queue: Annotated[
        Annotated[f.Name, Tag(SHORT)] | Annotated[list[f.ListedName], Tag(LIST)],
        Discriminator(list_or_short),
    ] = option([], "The queue that the call enters.", example="support")
    hours: Annotated[
        Annotated[f.HoursText, Tag(SHORT)] | Annotated[list[f.HoursText], Tag(LIST)],
        Discriminator(list_or_short),
    ] = option(
        [],
        "When the call arrives, such as sat-sun 00:00-24:00.",
        example="sat-sun 00:00-24:00",
    )
    waiting: p.Comparison | None = option(
        None,
        'How many callers wait in the queue that the call enters, such as "> 20".',
        example='"> 20"',
    )
    tag: Annotated[
        Annotated[f.Text, Tag(SHORT)] | Annotated[list[f.Text], Tag(LIST)],
        Discriminator(list_or_short),
    ] = option([], "The tag that the dialplan gave the call.", example="website")


class RuleThenOptions(OptionGroup):
    """What a rule does with a call."""

    priority: f.Priority | None = option(
        None, "The call's priority, 1 (first) to 100.", example="1"
    )
    queue: f.Name | None = option(None, "The queue that it enters instead.", example="sales")
    agent: f.Name | None = option(None, "The agent to try first.", example="alice")
    tag: f.Text | None = option(None, "The tag that it gets.", example="VIP")
    skills: dict[f.Name, f.Skill] = option(
        {},
        "Skill: the minimum level that an agent must have for it.",
        example="{french: 2}",
    )


class RuleOptions(OptionGroup):
    """A change made to arriving calls."""

    name: f.Text = option(..., "The name of the rule in answers to 'why'.", example="France")
    when: RuleWhenOptions = option(
        RuleWhenOptions(), "Which calls; without it, every call.", example='{caller: "+33*"}'
    )
    then: RuleThenOptions = option(..., "What is changed.", example="{skills: {french: 2}}")
