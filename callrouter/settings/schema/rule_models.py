"""The schema of the rules for arriving calls; see `callrouter.settings.schema.models`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from callrouter.settings.schema import fields as f
from callrouter.settings.schema.building_blocks import LIST, SHORT, OptionGroup, list_or_short

NumberOrList = Annotated[
    Annotated[f.CallNumber, Tag(SHORT)] | Annotated[list[f.CallNumber], Tag(LIST)],
    Discriminator(list_or_short),
]


class RuleWhenOptions(OptionGroup):
    """Conditions of a rule. All must match; of several values in one condition, any."""

    caller: NumberOrList = Field(
        default=[], description="Who calls: a number, a beginning and *, or withheld."
    )
    called: NumberOrList = Field(default=[], description="Which number was called.")
    queue: Annotated[
        Annotated[f.Name, Tag(SHORT)] | Annotated[list[f.ListedName], Tag(LIST)],
        Discriminator(list_or_short),
    ] = Field(default=[], description="The queue that the call enters.")
    hours: Annotated[
        Annotated[f.HoursText, Tag(SHORT)] | Annotated[list[f.HoursText], Tag(LIST)],
        Discriminator(list_or_short),
    ] = Field(default=[], description="When it comes, such as sat-sun 00:00-24:00.")
    waiting: f.Comparison | None = Field(
        default=None,
        description='How many callers wait in the queue that the call enters, such as "> 20".',
    )
    tag: Annotated[
        Annotated[f.Text, Tag(SHORT)] | Annotated[list[f.Text], Tag(LIST)],
        Discriminator(list_or_short),
    ] = Field(default=[], description="The tag that the dialplan gave it.")


class RuleThenOptions(OptionGroup):
    """What a rule does with a call."""

    priority: f.Priority | None = Field(None, description="Its priority, 1 (first) to 100.")
    queue: f.Name | None = Field(None, description="The queue that it enters instead.")
    agent: f.Name | None = Field(None, description="The agent to try first.")
    tag: f.Text | None = Field(None, description="The tag that it gets.")
    skills: dict[f.Name, f.Skill] = Field(
        default={}, description="Skill: the least level that an agent must have for it."
    )


class RuleOptions(OptionGroup):
    """A change made to arriving calls."""

    name: f.Text = Field(description="What it is called, in answers to 'why'.")
    when: RuleWhenOptions = Field(
        default_factory=RuleWhenOptions, description="Which calls; without it, every one."
    )
    then: RuleThenOptions = Field(description="What is changed.")
