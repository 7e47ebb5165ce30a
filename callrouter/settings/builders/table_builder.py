"""Builds the routing table from valid options; resolves and checks names."""

from __future__ import annotations

from callrouter.model.phone_numbers import Numbering
from callrouter.model.routing_table import (
    PauseEnd,
    PauseSpec,
    Table,
)
from callrouter.model.text import phrase
from callrouter.settings.builders.agent_builder import build_agents
from callrouter.settings.builders.build_context import BuildContext
from callrouter.settings.builders.queue_builder import build_queue
from callrouter.settings.builders.renamed import check_renames
from callrouter.settings.builders.rule_builder import build_rules
from callrouter.settings.builders.transfer_builder import build_transfers
from callrouter.settings.errors.problems import quoted
from callrouter.settings.loaded import TwilioSettings
from callrouter.settings.schema.number_parsing import at_home, numbering
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.reader import Section
from callrouter.settings.yaml.source import KeyPath


def build_table(root: RootOptions, context: BuildContext) -> Table:
    """Build the routing table; inconsistencies are reported to the document.

    Agents are built first, then queues, then rules, since each needs those before. A table is
    returned even if something was reported; `load_snapshot` raises then.
    """
    agents = build_agents(root, context)
    queues = {id_: build_queue(id_, queue, agents, context) for id_, queue in root.queues.items()}
    for section, written in (("agents", root.agents), ("queues", root.queues)):
        former = {id_: one.renamed_from for id_, one in written.items() if one.renamed_from}
        check_renames(section, former, context.document)
    home = numbering((root.numbers.region if root.numbers is not None else None) or "")
    with at_home(home.region):
        rules = build_rules(root.rules, agents, queues, context)
    for id_, pbx in context.pbxes.items():
        if isinstance(pbx, TwilioSettings):
            _numbers(id_, pbx, home, context)
    return Table(
        agents=agents,
        queues=queues,
        rules=rules,
        zone=context.zone,
        pauses=_pauses(root, context),
        numbering=home,
        outside=build_transfers(root, context),
    )


def _numbers(id_: str, pbx: TwilioSettings, home: Numbering, context: BuildContext) -> None:
    """Check the numbers of a Twilio account as written: each once, and for an existing queue.

    In the options, all spellings of a number have become one, so the document is read.
    """
    path: KeyPath = ("pbx", id_, "numbers")
    written = context.document.written(*path)
    seen: dict[str, KeyPath] = {}
    for text in written if isinstance(written, Section) else ():
        number = home.form(str(text))
        place: KeyPath = (*path, text)
        if number in pbx.numbers:
            context.check_name("queues", pbx.numbers[number], place, "queue")
        first = seen.setdefault(number, place)
        if first != place:
            hint = phrase(
                "first-in-however-written",
                "first in {place}, however it is written",
                place=context.document.line(first),
            )
            context.document.error(
                place,
                phrase("this-number-stands-twice", "this number appears twice"),
                hint,
                key=True,
            )


def _pauses(root: RootOptions, context: BuildContext) -> dict[str, PauseSpec]:
    """Build the pause reasons. At most one is the default for a pause without a reason.

    The reasons stay in the order of the files: a phone code chooses one by its position.
    """
    found: dict[str, PauseSpec] = {}
    default = ""
    for reason, pause in root.pauses.items():
        path: KeyPath = ("pauses", reason)
        written = context.document.written(*path)
        # A `longest` that was written but invalid has been reported already.
        limited = isinstance(written, Section) and "longest" in written.at
        if pause.then is not None and not limited:
            text = phrase(
                "then-says-what-comes-after-length",
                "then: {then} says what comes after a length that is not there",
                then=pause.then,
            )
            context.document.error(
                (*path, "then"),
                text,
                phrase("add-longest-such-as-45m", "add a longest, such as 45m"),
            )
        if pause.default and default:
            text = phrase(
                "default-true-stands-for-too",
                "default: true stands for {default} too",
                default=quoted(default),
            )
            context.document.error(
                (*path, "default"),
                text,
                phrase("one-reason-at-most-default", "one reason at most is the default"),
            )
        default = default or (reason if pause.default else "")
        values = spec_values(pause, then=PauseEnd(pause.then or "tell"))
        found[reason] = PauseSpec(reason=reason, **values)
    return found
