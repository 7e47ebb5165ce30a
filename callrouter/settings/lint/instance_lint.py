"""Warnings: settings that are legal but unwise, or have no effect yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from callrouter.mobiles.number_policy import high_cost
from callrouter.model.routing_table import Table
from callrouter.model.text import phrase
from callrouter.settings.builders import queue_builder
from callrouter.settings.builders.site_builder import is_loopback
from callrouter.settings.errors.hiding import SECRET_KEYS
from callrouter.settings.errors.problems import quoted
from callrouter.settings.lint.queue_lint import warn_of_queues
from callrouter.settings.lint.secret_lint import warn_of_secrets
from callrouter.settings.lint.staffing_lint import warn_of_staffing
from callrouter.settings.schema.pbx_options import AsteriskOptions
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.reader import Items, Section
from callrouter.settings.yaml.source import Document, KeyPath
from callrouter.settings.yaml.substitution import Substituted

_COMMENT: Final = re.compile(r"\s+#\S")


def add_warnings(root: RootOptions, table: Table, document: Document, now: float | None) -> None:
    """Add all warnings about a valid configuration.

    It is called only if there are no errors. `now` is in epoch seconds, to find holidays that are
    all past; None: they are not looked for.
    """
    _cut_secrets(document)
    _agents(root, table, document)
    _shared_phones(table, document)
    _dear_numbers(table, document)
    _shared_lamps(root, table, document)
    _one_asterisk_twice(root, document)
    _tokens_named_like_people(root, document)
    _rules(table, document)
    warn_of_queues(root, table, document, now)
    warn_of_staffing(root, table, document)
    warn_of_secrets(root, document)


def _cut_secrets(document: Document) -> None:
    """Warn of a secret that contains ``#`` after a space: YAML treats the rest as a comment."""
    for path, value in _secrets(document.root, ()):
        rest_of_line = "" if isinstance(value, Substituted) else document.rest_of_line(path)
        if rest_of_line.startswith(value) and _COMMENT.match(rest_of_line[len(value) :]):
            text = phrase(
                "ends-before-what-follows-comment",
                "{path} ends before the #: what follows is a comment",
                path=path[-1],
            )
            document.warning(
                path,
                text,
                phrase(
                    "put-in-quotes-if-part",
                    "put the {path} in quotes if the # is part of it",
                    path=path[-1],
                ),
            )


def _secrets(section: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    items: Iterable[tuple[str | int, object]] = ()
    if isinstance(section, Section):
        items = section.items()
    elif isinstance(section, Items):
        items = enumerate(section)
    for key, value in items:
        if key in SECRET_KEYS and isinstance(value, str):
            yield (*path, key), value
        elif isinstance(value, Section | Items):
            yield from _secrets(value, (*path, key))


def _agents(root: RootOptions, table: Table, document: Document) -> None:
    known = queue_builder.queues_by_agent(table.queues)
    for id_, agent in table.agents.items():
        if not any(device.enabled for device in agent.devices):
            all_off = bool(root.agents[id_].devices)
            text = phrase("agent-no-phone", "agent {id} has no phone", id=id_)
            if all_off:
                text = phrase("agent-all-off", "agent {id} has no phone that is enabled", id=id_)
            document.warning(
                ("agents", id_), text, phrase("no-call-can-ring", "no call can ring"), key=True
            )
        if id_ not in known:
            document.warning(
                ("agents", id_),
                phrase("agent-in-no-queue", "agent {name} is in no queue", name=id_),
                key=True,
            )


def _dear_numbers(table: Table, document: Document) -> None:
    for agent in table.agents.values():
        for device in agent.devices:
            why = high_cost(device.number) if device.number else ""
            if why:
                path: KeyPath = ("agents", agent.id, "devices", device.id)
                text = phrase(
                    "every-call-costs",
                    "{number} is {why}; every call to it costs",
                    number=device.number,
                    why=why,
                )
                document.warning(
                    path,
                    text,
                    phrase("agents-could-not-register", "agents could not register it"),
                    key=True,
                )


def _shared_lamps(root: RootOptions, table: Table, document: Document) -> None:
    """Warn of an agent whose lamp (BLF) is that of a queue: ``queue-support`` and ``support``."""
    if not any(isinstance(pbx, AsteriskOptions) for pbx in root.pbx.values()):
        return
    for agent in table.agents:
        queue = agent.removeprefix("queue-")
        if queue != agent and queue in table.queues:
            text = phrase(
                "same-lamp",
                "agent {agent} and queue {queue} have the same lamp on phones, {lamp}",
                agent=quoted(agent),
                queue=quoted(queue),
                lamp=f"callrouter-{agent}",
            )
            hint = "give one of them another name; renamed_from keeps what is known of it"
            document.warning(("agents", agent), text, phrase("rename-one", hint), key=True)


def _one_asterisk_twice(root: RootOptions, document: Document) -> None:
    """Warn of two PBXes that are one Asterisk: each would take the other for another router."""
    first: dict[tuple[str, int], str] = {}
    for id_, pbx in root.pbx.items():
        if not isinstance(pbx, AsteriskOptions):
            continue
        host = "localhost" if is_loopback(pbx.host) else pbx.host.lower()
        other = first.setdefault((host, pbx.port), id_)
        if other != id_:
            text = phrase(
                "one-asterisk-twice",
                "{pbx} is the same Asterisk as {other}: both have the same host and port",
                pbx=id_,
                other=other,
            )
            hint = phrase("correct-host-or-remove", "correct host or port, or remove one of them")
            document.warning(("pbx", id_), text, hint, key=True)


def _tokens_named_like_people(root: RootOptions, document: Document) -> None:
    """Warn of a token with the name of a user or agent: what it did would look like theirs.

    A token that acts for an agent may be named after that agent, as `callrouter token` does it.
    """
    for index, token in enumerate(root.http.api_tokens if root.http else ()):
        if token.name == token.agent:
            continue
        if token.name in root.users:
            text = phrase(
                "token-named-like-user", "token {name} has a user's name", name=token.name
            )
        elif token.name in root.agents:
            text = phrase(
                "token-named-like-agent", "token {name} has an agent's name", name=token.name
            )
        else:
            continue
        hint = phrase(
            "token-another-name-such-as",
            "the audit and what agents are told would name both alike: give the token another name, "
            "such as {name}-app",
            name=token.name,
        )
        document.warning(("http", "api_tokens", index, "name"), text, hint)


def _shared_phones(table: Table, document: Document) -> None:
    first: dict[tuple[str, str], KeyPath] = {}
    for agent in table.agents.values():
        for device in agent.devices:
            path: KeyPath = ("agents", agent.id, "devices", device.id)
            for pbx in device.pbxes:
                address = device.endpoint_on(pbx) or device.number
                other = first.setdefault((pbx, address), path)
                if other != path:
                    text = phrase(
                        "also-phone",
                        "{address} is also a phone of {other}",
                        address=address,
                        other=other[1],
                    )
                    document.warning(
                        path,
                        text,
                        phrase("see", "see {place}", place=document.line(other)),
                        key=True,
                    )
                    break


def _rules(table: Table, document: Document) -> None:
    """Warn of rules that never apply, because an earlier one matches every call they would.

    Only equal conditions, and an earlier rule without any, are noticed: not one that is merely
    wider.
    """
    first: dict[object, int] = {}
    everything = None
    for index, rule in enumerate(table.rules):
        when = (
            frozenset(rule.callers),
            frozenset(rule.called),
            rule.queues,
            rule.tags,
            rule.hours,
            rule.waiting,
        )
        earlier = first.setdefault(when, index) if everything is None else everything
        if earlier != index:
            name = table.rules[earlier].name
            text = phrase(
                "rule-never-applies-takes-its-calls",
                "rule {name} never applies: {taker} takes its calls",
                name=quoted(rule.name),
                taker=quoted(name),
            )
            hint = phrase("see", "see {place}", place=document.line(("rules", earlier, "name")))
            document.warning(("rules", index), text, hint)
        elif not any(when):
            everything = index
