"""Builds the rules of the routing table from those that fit the schema."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from callrouter.model.routing_table import AgentSpec, Comparison, QueueSpec, Rule
from callrouter.model.text import listed, phrase
from callrouter.settings.builders.build_context import BuildContext, is_damaged
from callrouter.settings.builders.queue_builder import queues_by_agent
from callrouter.settings.errors.problems import quoted
from callrouter.settings.schema.number_parsing import read_pattern
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.rule_options import RuleOptions
from callrouter.settings.yaml.reader import Items
from callrouter.settings.yaml.source import KeyPath


def build_rules(
    rules: list[RuleOptions],
    agents: Mapping[str, AgentSpec],
    queues: Mapping[str, QueueSpec],
    context: BuildContext,
) -> tuple[Rule, ...]:
    """Build the rules in the order written.

    Args:
        rules: The rules' options.
        agents: The agents who are not disabled.
        queues: The queues.
        context: Receives what is inconsistent.
    """
    found: list[Rule] = []
    names: dict[str, KeyPath] = {}
    # After a mistake elsewhere, an agent may be missing from a queue only because of it.
    known = None if context.document.findings.errors else queues_by_agent(queues)
    for index, rule in enumerate(rules):
        path: KeyPath = ("rules", index)
        first = names.setdefault(rule.name, path)
        if first != path:
            text = phrase("rule-stands-twice", "rule {name} appears twice", name=quoted(rule.name))
            hint = phrase(
                "first-in", "first in {place}", place=context.document.line((*first, "name"))
            )
            context.document.error((*path, "name"), text, hint)
        _not_empty(rule, path, context)
        found.append(_rule(rule, path, agents, known, context))
    return tuple(found)


def _rule(
    rule: RuleOptions,
    path: KeyPath,
    agents: Mapping[str, AgentSpec],
    known: Mapping[str, Collection[str]] | None,
    context: BuildContext,
) -> Rule:
    when, then = rule.when, rule.then
    for place, name in _each((*path, "when", "queue"), when.queue).items():
        context.check_name("queues", name, place, "queue")
    if then.queue is not None:
        context.check_name("queues", then.queue, (*path, "then", "queue"), "queue")
    conditions = spec_values(
        when,
        callers=tuple(read_pattern(text) for text in _listed(when.caller)),
        called=tuple(read_pattern(text) for text in _listed(when.called)),
        queues=frozenset(_listed(when.queue)),
        tags=frozenset(_listed(when.tag)),
        hours=context.hours(_each((*path, "when", "hours"), when.hours)),
        waiting=_waiting(when.waiting),
    )
    agent = _agent(rule, (*path, "then", "agent"), agents, known, context)
    return Rule(**spec_values(rule), **conditions, **spec_values(then, agent=agent))


def _waiting(text: str | None) -> Comparison | None:
    """Parse a count such as ``> 20``; a bare number means exactly that many.

    The schema has checked the text. None: the rule has no such condition.
    """
    if text is None:
        return None
    count = text.lstrip("<>= ")
    return Comparison(text.removesuffix(count).strip() or "=", int(count))


def _agent(
    rule: RuleOptions,
    path: KeyPath,
    agents: Mapping[str, AgentSpec],
    known: Mapping[str, Collection[str]] | None,
    context: BuildContext,
) -> str:
    name = rule.then.agent
    if name is None or not context.check_name("agents", name, path, "agent"):
        return ""
    if name not in agents:
        text = phrase("agent-switched-off", "agent {name} is switched off", name=quoted(name))
        context.document.warning(path, text, phrase("rule-does-without", "the rule does without"))
        return ""
    if known is None:
        return name
    if name not in known:
        text = phrase("agent-in-no-queue", "agent {name} is in no queue", name=quoted(name))
        context.document.error(
            path, text, phrase("name-one-who-serves-calls", "name one who serves the calls")
        )
        return name
    queues = [rule.then.queue] if rule.then.queue else _listed(rule.when.queue)
    others = [queue for queue in queues if queue not in known[name]]
    if others:
        text = phrase(
            "agent-not-in",
            "agent {name} is not in {others}",
            name=quoted(name),
            others=listed(others),
        )
        context.document.warning(
            path, text, phrase("will-not-be-tried-there", "and will not be tried there")
        )
    return name


def _not_empty(rule: RuleOptions, path: KeyPath, context: BuildContext) -> None:
    """Report a `then` that changes nothing, and a condition without values.

    An invalid value, which has been reported, counts as one.
    """
    then = context.document.written(*path, "then")
    changed = any(getattr(rule.then, key) not in (None, {}) for key in rule.then.model_fields_set)
    # An invalid value, already reported, would have changed something.
    if not changed and not is_damaged(then):
        hint = phrase(
            "give-priority-queue-agent-tag-or", "give it priority, queue, agent, tag or skills"
        )
        context.document.error(
            (*path, "then"), phrase("then-changes-nothing", "then changes nothing"), hint
        )
    for key in sorted(rule.when.model_fields_set):
        written = context.document.written(*path, "when", key)
        if isinstance(written, Items) and not written and not written.thinned:
            text = phrase("names-none", "{key} names none", key=key)
            hint = phrase("write-value-or-take-key-out", "write a value, or take the key out")
            context.document.error((*path, "when", key), text, hint)


def _each(path: KeyPath, written: str | list[str]) -> dict[KeyPath, str]:
    if isinstance(written, str):
        return {path: written}
    return {(*path, index): text for index, text in enumerate(written)}


def _listed(written: str | list[str]) -> list[str]:
    return [written] if isinstance(written, str) else written
