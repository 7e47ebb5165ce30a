"""Explains in plain words what does not fit the schema."""

from __future__ import annotations

import difflib
from functools import partial
from typing import Any, Final

from callrouter.model.text import phrase
from callrouter.settings.errors import hints
from callrouter.settings.errors.hiding import CONTAINERS, is_secret, without_secret
from callrouter.settings.errors.problems import Nearest, odd_blank, quoted
from callrouter.settings.schema.agent_options import AgentOptions, DeviceOptions
from callrouter.settings.schema.fields import fits, words_expected
from callrouter.settings.schema.options import (
    DRIVERS,
    TAGS,
    KeyPattern,
    OptionGroup,
    key_of,
    walk,
)
from callrouter.settings.schema.pbx_options import PBX_GROUPS, AsteriskOptions
from callrouter.settings.schema.queue_options import QueueOptions
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.schema.rule_options import RuleThenOptions, RuleWhenOptions
from callrouter.settings.yaml.reader import Section
from callrouter.settings.yaml.source import Document, KeyPath
from callrouter.settings.yaml.substitution import Substituted

_GROUPS: Final[dict[KeyPattern, type[OptionGroup]]] = dict(walk(RootOptions))
"""The options at each path; a PBX has those of its driver instead."""
_OWNERS: Final[dict[str, type[OptionGroup]]] = {
    phrase("owner-queue", "a queue"): QueueOptions,
    phrase("owner-agent", "an agent"): AgentOptions,
    phrase("owner-device", "a device"): DeviceOptions,
    phrase("owner-asterisk", "an Asterisk below pbx"): AsteriskOptions,
    phrase("owner-when", "a rule's when"): RuleWhenOptions,
    phrase("owner-then", "a rule's then"): RuleThenOptions,
}
"""Owners of keys that are sometimes written in the wrong place."""
_MANY: Final = 4
"""With this many possible places, the hint would not help."""
_SLIP: Final = 0.8
"""Similarity to a key of the right place from which a typo is assumed."""
_NOT_SUPPORTED: Final[dict[KeyPattern, frozenset[str]]] = {
    ("numbers",): frozenset({"registration"}),
}


def _list(example: str) -> str:
    return phrase("expected-list", "a list such as {example}", example=example)


def _mapping(example: str) -> str:
    return phrase("expected-mapping", "a mapping such as {example}", example=example)


_MAPPINGS: Final[dict[str, str]] = {
    "policy": phrase("expected-policies", "the name of a policy or a list of them"),
    "agents": phrase(
        "expected-members",
        "a list of agents, or a mapping such as {example}",
        example="{alice: 1, bob: 2}",
    ),
    "tls": _mapping("{certificate: cert.pem, key: key.pem}"),
    "dial_number": phrase(
        "expected-dial-strings",
        "one dial string such as {example}, or a list of one to five",
        example="PJSIP/{number}@carrier",
    ),
    "holidays": phrase(
        "expected-dates", "a list of dates such as {example}", example="[2026-12-25]"
    ),
    "shifts": _list("[{hours: mon-fri 17:30-21:00, agents: [alice]}]"),
    "widen": _list("[{after: 30s, at_once: 3}]"),
    "alerts": _list('[{name: long-wait, when: "longest_wait > 2m", to: [ops]}]'),
    "webhooks": _list("[{to: crm, events: [call.ended]}]"),
    "events": _list("[call.ended]"),
    "rules": _list('[{name: VIP, when: {caller: "+33*"}, then: {priority: 1}}]'),
}
_A_MAPPING: Final = phrase("expected-mapping-lines", "a mapping (key: value)")
_PRIORITIES: Final = frozenset(
    {
        ("queues", "*", "agents"),
        ("queues", "*", "shifts", "*", "agents"),
        ("queues", "*", "widen", "*", "agents"),
    }
)
_SKILLS: Final = frozenset(
    {
        ("agents", "*", "skills"),
        ("queues", "*", "skills"),
        ("queues", "*", "widen", "*", "skills"),
        ("rules", "*", "then", "skills"),
    }
)
_A_NUMBER: Final = phrase("quote-the-number", "write it in quotes, with + and the country")
_PBX_NAME: Final = phrase("key-pbx", "a PBX's name")
_KEY_OF: Final = {
    "pbx": _PBX_NAME,
    "users": phrase("key-user", "a user's name"),
    "agents": phrase("key-agent", "an agent's name"),
    "queues": phrase("key-queue", "a queue's name"),
    "destinations": phrase("key-destination", "a destination's name"),
    "devices": phrase("key-device", "a device's name"),
    "endpoint": _PBX_NAME,
    "pauses": phrase("key-pause", "a reason for a pause"),
    "skills": phrase("key-skill", "a skill's name"),
    "numbers": phrase("key-number", "a number that is called"),
}
_PLAIN_MAPPING: Final = phrase("a-mapping", "a mapping")
_A_NAME: Final = phrase("key-name", "a name")


def explain_error(document: Document, nearest: Nearest, error: Any) -> KeyPath:
    """Report one of pydantic's errors in plain words.

    Args:
        document: The document that does not fit; it receives the report.
        nearest: Finds the right name for a mistyped one.
        error: The error, as in `pydantic.ValidationError.errors`.

    Returns:
        The path of the part that must be removed.
    """
    loc = tuple(part for part in error["loc"] if part not in TAGS)
    kind, value = error["type"], error["input"]
    if kind == "missing":
        return _missing(document, loc)
    if kind == "extra_forbidden":
        _unknown_key(document, nearest, loc)
        return loc
    if kind == "expected" and loc[-1] == "[key]":
        path = loc[:-1]
        what = _KEY_OF.get(str(path[-2]), _A_NAME) if len(path) > 1 else _A_NAME
        text = _must_be(what, words_expected(error["msg"]), quoted(str(path[-1])))
        name = str(path[-1])
        number = path[-2] == "numbers" if len(path) > 1 else False
        document.error(path, text, _A_NUMBER if number else hints.as_name(name), key=True)
        return path
    if kind == "expected":
        _wrong_value(document, nearest, loc, error)
        return loc
    if kind.startswith("union_tag"):
        _wrong_driver(document, nearest, loc, value)
        return loc
    text = _must_be(_subject(loc), _container(kind, loc), _not(loc, value))
    document.error(loc, text, hints.blank(value))
    return loc


def _missing(document: Document, loc: KeyPath) -> KeyPath:
    owner = document.written(*loc[:-1])
    # A key that was written but found invalid is not missing.
    if not (isinstance(owner, Section) and loc[-1] in owner.at):
        missing, text = str(loc[-1]), "{subject} has no {key}"
        text = phrase("missing-key", text, subject=_subject(loc[:-1]), key=quoted(missing))
        hint = phrase("add-a-line", "add a line '{key}: …'", key=missing)
        document.error(loc[:-1], text, hint, key=True)
    return loc[:-1]


def _unknown_key(document: Document, nearest: Nearest, loc: KeyPath) -> None:
    key = str(loc[-1])
    pattern = _pattern(loc[:-1])
    if key in _NOT_SUPPORTED.get(pattern, ()):
        text = "{key} is not supported by this version"
        document.error(loc, phrase("not-supported", text, key=quoted(key)), key=True)
        return
    model = _group(document, loc[:-1], pattern)
    named = model.model_fields.items() if model else ()
    known = tuple(key_of(name, field) for name, field in named)
    slip = bool(difflib.get_close_matches(key, known, 1, _SLIP))
    hint = odd_blank(key) or ("" if slip else _elsewhere(key, model))
    hint = hint or nearest.hint(key, known)
    hint = hint or (phrase("known-names", "known: {names}", names=known) if known else "")
    text = phrase("unknown-key", "unknown key {key}", key=quoted(key))
    document.error(loc, text, hint, key=True)


_WITH_SECRETS: Final = frozenset({"pbx", "http", "users"})
_BESIDE_SECRETS: Final = frozenset({"account_sid", "name", "role", "driver"})
_SECRET_LEAST: Final = 12
"""Length from which a value with letters and digits looks like a secret."""


def _elsewhere(key: str, model: type[OptionGroup] | None) -> str:
    """Say where a misplaced key belongs; empty if unclear."""
    owners = [
        what for what, owner in _OWNERS.items() if owner is not model and key in owner.model_fields
    ]
    if not 0 < len(owners) < _MANY:
        return ""
    return phrase("key-of", "it is a key of {owners_or}", owners_or=owners)


def _wrong_value(document: Document, nearest: Nearest, loc: KeyPath, error: Any) -> None:
    value, expected = error["input"], words_expected(error["msg"])
    secret = _is_secret(loc)
    kind = error["ctx"]["kind"]
    hint = "" if secret else hints.value(nearest, kind, value, document.names("queues"))
    if not secret and kind in {"text", "name"} and isinstance(value, bool | int | float):
        hint = hints.as_text(value, partial(fits, expected))
    document.error(loc, _must_be(_subject(loc), expected, _not(loc, value)), hint)


def _must_be(subject: str, expected: str, found: str) -> str:
    """Say what a value must be, and what it is unless that is hidden."""
    if not found:
        text = "{subject} must be {expected}"
        return phrase("must-be", text, subject=subject, expected=expected)
    text = "{subject} must be {expected}, not {found}"
    return phrase("must-be-not", text, subject=subject, expected=expected, found=found)


def _wrong_driver(document: Document, nearest: Nearest, loc: KeyPath, value: object) -> None:
    driver = value.get("driver") if isinstance(value, dict) else None
    if not isinstance(value, dict):
        document.error(loc, _must_be(_subject(loc), _PLAIN_MAPPING, _not(loc, value)))
    elif driver is None:
        _missing(document, (*loc, "driver"))
        # Without a driver its keys were not checked; the driver itself may be mistyped.
        either = {key for group in PBX_GROUPS.values() for key in group.model_fields}
        for key in value.keys() - either:
            _unknown_key(document, nearest, (*loc, key))
    else:
        known = tuple(DRIVERS)
        drivers = phrase("expected-choice", "{choices_or}", choices_or=known)
        text = _must_be("driver", drivers, _not((*loc, "driver"), driver))
        hint = nearest.hint(driver, known) if isinstance(driver, str) else ""
        document.error((*loc, "driver"), text, hint)


def _pattern(loc: KeyPath) -> tuple[str, ...]:
    """Return the path with "*" in place of names chosen by users."""
    free = {("pbx", 1), ("users", 1), ("agents", 1), ("agents", 3), ("pauses", 1), ("queues", 1)}
    free.add(("destinations", 1))
    return tuple(
        "*" if isinstance(part, int) or (loc[0], depth) in free else part
        for depth, part in enumerate(loc)
    )


def _group(document: Document, loc: KeyPath, pattern: tuple[str, ...]) -> type[OptionGroup] | None:
    if pattern == ("pbx", "*"):
        return PBX_GROUPS.get(str(document.written(*loc, "driver")), AsteriskOptions)
    return _GROUPS.get(pattern)


def _subject(loc: KeyPath) -> str:
    if not loc:
        return phrase("the-configuration", "the configuration")
    last = loc[-1]
    if isinstance(last, int):
        text = "item {number} of {list}"
        return phrase("item-of", text, number=last + 1, list=str(loc[-2]))
    owner = _pattern(loc[:-1])
    if owner in _PRIORITIES:
        return phrase("priority-of", "priority of {agent}", agent=last)
    if owner in _SKILLS:
        return phrase("skill-named", "skill {skill}", skill=last)
    plain = last.isprintable() and len(last) < 65 and without_secret(last) == last
    return last if plain else quoted(last)


def _container(kind: str, loc: KeyPath) -> str:
    if kind == "list_type":
        return _MAPPINGS.get(str(loc[-1])) or _list("[a, b]")
    if len(loc) > 1 and loc[0] != "http":
        return _MAPPINGS.get(str(loc[-1]), _A_MAPPING)
    return _MAPPINGS["tls"] if loc[-1] == "tls" else _A_MAPPING


def _not(loc: KeyPath, value: object) -> str:
    """Return what was found, for a message; nothing for secrets."""
    return "" if _is_secret(loc) or _is_misplaced(loc, value) else _shown(value)


def _is_misplaced(loc: KeyPath, value: object) -> bool:
    """Return whether a value may be a secret written by mistake after a neighbouring key."""
    beside = loc[0] in _WITH_SECRETS and loc[-1] in _BESIDE_SECRETS
    if not beside or not isinstance(value, str) or len(value) < _SECRET_LEAST:
        return False
    return any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def _is_secret(loc: KeyPath) -> bool:
    """Return whether the value at a path is, or may have been meant as, a secret."""
    keys = [part for part in loc if isinstance(part, str)]
    # An item in a list of tokens that is not a mapping may be a token without its key. In place of
    # a user there may be a password.
    if len(loc) == 2 and loc[0] == "users":
        return True
    return any(map(is_secret, set(keys) - CONTAINERS)) or bool(keys and keys[-1] in CONTAINERS)


def _shown(value: object) -> str:
    if isinstance(value, Substituted):
        return quoted(value.written)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return _PLAIN_MAPPING
    return phrase("a-list", "a list") if isinstance(value, list) else str(value)
