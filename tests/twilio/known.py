"""What TwiML there is: the elements, their attributes and what may stand in them, read from the methods
of Twilio's library (which itself checks none of it)."""

from __future__ import annotations

import inspect
from xml.etree import ElementTree as ET

from twilio.twiml import TwiML, voice_response

HIDDEN = {"self", "kwargs"}


def _table() -> dict[str, tuple[set[str], set[str]]]:
    """By element: its attributes, and the elements that may stand in it."""
    table: dict[str, tuple[set[str], set[str]]] = {}
    methods: dict[str, set[str]] = {}
    for _, kind in inspect.getmembers(voice_response, inspect.isclass):
        if not issubclass(kind, TwiML):
            continue
        children = set()
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            if name.startswith("_") or name in vars(TwiML):
                continue
            child = _child(method)
            if child:
                children.add(child)
                words = {p for p in inspect.signature(method).parameters if p not in HIDDEN}
                methods.setdefault(child, set()).update(map(_camel, words))
        table[kind.__name__ if kind is not voice_response.VoiceResponse else "Response"] = (
            set(),
            children,
        )
    return {
        name: (methods.get(name, set()), table.get(name, (set(), set()))[1])
        for name in {*table, *methods}
    }


def _child(method: object) -> str:
    """The element that a method appends; the library names it once in the method's body."""
    source = inspect.getsource(method)  # type: ignore[arg-type]
    start = source.find("self.nest(")
    if start < 0:
        return ""
    return source[start:].removeprefix("self.nest(").strip().split("(")[0].strip()


def _camel(word: str) -> str:
    first, *rest = word.rstrip("_").split("_")
    return first + "".join(part.title() for part in rest)


TABLE = _table()


def faults(document: str) -> list[str]:
    """What there is in a document that the library does not know."""
    return list(_faults(ET.fromstring(document)))


def _faults(node: ET.Element) -> list[str]:
    attributes, children = TABLE[node.tag]
    found = [f"<{node.tag} {name}>" for name in node.attrib if name not in attributes]
    for child in node:
        if child.tag not in children:
            found.append(f"<{child.tag}> in <{node.tag}>")
        found += _faults(child)
    return found
