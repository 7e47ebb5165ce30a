"""The options of the rules for arriving calls."""

from __future__ import annotations

from callrouter.settings.schema import fields as f
from callrouter.settings.schema import phone_fields as p
from callrouter.settings.schema.options import (
    OneOrList,
    OptionGroup,
    option,
)


class RuleWhenOptions(OptionGroup):
    """Conditions of a rule. All must match; of several values in one condition, any."""

    caller: OneOrList[p.CallNumber, p.CallNumber] = option(
        [],
        "The caller's number: a number, a beginning and *, or withheld.",
        example='"+33*"',
        attribute="callers",
    )
    called: OneOrList[p.CallNumber, p.CallNumber] = option(
        [], "The number that was called.", example='"+442079460018"'
    )
    queue: OneOrList[f.Name, f.ListedName] = option(
        [], "The queue that the call enters.", example="support", attribute="queues"
    )
    hours: OneOrList[f.HoursText, f.HoursText] = option(
        [],
        "When the call arrives, such as sat-sun 00:00-24:00.",
        example="sat-sun 00:00-24:00",
    )
    waiting: p.Comparison | None = option(
        None,
        'How many callers wait in the queue that the call enters, such as "> 20".',
        example='"> 20"',
    )
    tag: OneOrList[f.Text, f.Text] = option(
        [], "The tag that the dialplan gave the call.", example="website", attribute="tags"
    )


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
        RuleWhenOptions(),
        "Which calls; without it, every call.",
        example='{caller: "+33*"}',
        attribute=None,
    )
    then: RuleThenOptions = option(
        ..., "What is changed.", example="{skills: {french: 2}}", attribute=None
    )
