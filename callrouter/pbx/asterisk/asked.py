"""What a dialplan asks for a call: the queue, and CALLROUTER_PRIORITY, _AGENT, _SKILLS and _TAG. No I/O.

The values come from outside and may hold anything. The dialplan sends each in base64 (``CallAsked``), so nothing
is lost or altered on the way and no character of theirs can look like another header. Here each is taken exactly as
it was set, or refused with a reason.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from callrouter.model.table import DEFAULT_PRIORITY, FIRST_PRIORITY, LAST_PRIORITY

PREFIX: Final = "(" * 12
"""What the dialplan puts before each value: a function of Asterisk's wants an argument, and the brackets keep a
value's own from being counted."""
MOST_LETTERS: Final = 200
"""Of a tag."""
_PARTS: Final = 5
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SKILL: Final = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})=([0-9]{1,3})")
_SHOWN: Final = 40
_HIGHEST_LEVEL: Final = 100


@dataclass(slots=True)
class Asked:
    """What was asked for, and what was refused: what it is of, and why.

    An agent is asked for in the queue that was dialled, and in none to which the call was moved since.
    """

    queue: str
    priority: int = DEFAULT_PRIORITY
    agent: str = ""
    tag: str = ""
    skills: dict[str, int] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, what: str, why: str) -> None:
        """Leave a value out."""
        self.refused.append((what, why))


def encoded(*values: str) -> str:
    """The values as the dialplan sends them: extension, priority, agent, skills, tag."""
    return ".".join(base64.b64encode((PREFIX + value).encode()).decode() for value in values)


def asked(variable: Callable[[str], str]) -> Asked:
    """Read what a call asks for.

    Args:
        variable: by name, Queue, Asked, and Rank, the priority that the call had before; of a channel that entered
            by an older dialplan, Priority, Agent and Tag.
    """
    found = Asked(variable("Queue"))
    raw = variable("Asked")
    if not raw:
        values = ["", variable("Priority"), variable("Agent"), "", variable("Tag")]
    else:
        try:
            values = _values(raw)
        except ValueError:
            found.refuse("entry", "what the dialplan asked for cannot be read")
            return found
    _queue(found, values[0])
    _priority(found, values[1] if values[1].strip() else variable("Rank"))
    if values[0].lower() in {"", found.queue}:
        _agent(found, values[2])
    _skills(found, values[3])
    _tag(found, values[4])
    return found


def _values(raw: str) -> list[str]:
    """The five values.

    Raises:
        ValueError: they are not as the dialplan writes them.
    """
    parts = raw.split(".")
    if len(parts) != _PARTS:
        raise ValueError("not five values")
    values = []
    for part in parts:
        try:
            text = base64.b64decode(part, validate=True).decode("utf-8", "surrogateescape")
        except binascii.Error as error:
            raise ValueError("not base64") from error
        if not text.startswith(PREFIX):
            raise ValueError("not written by the dialplan")
        values.append(text.removeprefix(PREFIX))
    return values


def _queue(found: Asked, extension: str) -> None:
    """The queue that was dialled. Names are in small letters, so capital ones can only mean those."""
    wrong, slash, _ = extension.partition("/")
    name = wrong if slash else extension
    if name and name.lower() != found.queue and not _NAME.fullmatch(name.lower()):
        found.queue = shown(name)


def _priority(found: Asked, raw: str) -> None:
    text = raw.strip()
    if not text:
        return
    if text.isascii() and text.isdigit() and len(text) <= 3:
        priority = int(text)
        if FIRST_PRIORITY <= priority <= LAST_PRIORITY:
            found.priority = priority
            return
    why = f"CALLROUTER_PRIORITY must be a whole number from {FIRST_PRIORITY} to {LAST_PRIORITY}"
    found.refuse("priority", f"{why}, not {shown(raw)}; {DEFAULT_PRIORITY} is used")


def _agent(found: Asked, raw: str) -> None:
    name = raw.strip().lower()
    if not name:
        return
    if _NAME.fullmatch(name):
        found.agent = name
    else:
        found.refuse("agent", f"CALLROUTER_AGENT must be the name of an agent, not {shown(raw)}")


def _skills(found: Asked, raw: str) -> None:
    levels: dict[str, int] = {}
    for part in raw.split("&") if raw.strip() else ():
        skill = _SKILL.fullmatch(part.strip().lower())
        if skill is None or int(skill[2]) > _HIGHEST_LEVEL:
            why = f"CALLROUTER_SKILLS must be such as french=2&billing=1 (levels 0 to {_HIGHEST_LEVEL})"
            found.refuse("skills", f"{why}, not {shown(raw)}; no skill is asked for")
            return
        levels[skill[1]] = int(skill[2])
    found.skills = levels


def _tag(found: Asked, raw: str) -> None:
    if not raw:
        return
    if len(raw) > MOST_LETTERS:
        found.refuse("tag", f"CALLROUTER_TAG has more than {MOST_LETTERS} characters: {shown(raw)}")
    elif not raw.isprintable():
        why = "has a control character, or is not UTF-8"
        found.refuse("tag", f"CALLROUTER_TAG {why}: {shown(raw)}")
    else:
        found.tag = raw


def shown(raw: str) -> str:
    """A value for people to read: short, in quotes, and nothing in it that a terminal would obey."""
    short = raw if len(raw) <= _SHOWN else raw[: _SHOWN - 1] + "…"
    return f"'{short}'" if short.isprintable() else ascii(short)
