"""The steps of a call as bytes: its notices and the decisions, as `why` explains them.

Compressed JSON. A step is ``[serial, class, {field: value}, digest]``; fields that are at their default
are left out, so a class may gain fields that have one. A step of a class that is gone, or that lacks a
field, is left out when it is read.

The values of enums are written as ``Enum.MEMBER``, and dataclasses as ``[class, {field: value}]``. Which of them
a field may hold is known from its type. A sentence that has a code is written as text, with its code
beside it.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

from callrouter.model import call_notices
from callrouter.model.call_notices import OfferDecided
from callrouter.model.notices import CallNotice
from callrouter.model.text import Phrase, phrase_data, stored_phrase

MemberFacts: TypeAlias = tuple[int, Mapping[str, int]]
"""The escalation step that opens a queue's calls to an agent, and the agent's skills."""

_FORMAT: Final = b"\x01"
_LEVEL: Final = 6
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_AS_THEY_ARE: Final = frozenset({str, int, float, bool, type(None)})
_PHRASE: Final = "_phrase"
"""Ends the name of what is stored beside a text: its code and values."""
_DEFAULTS: Final[dict[type[Any], tuple[tuple[str, Any], ...]]] = {}
_HINTS: Final[dict[type[Any], dict[str, Any]]] = {}


class MemberList:
    """The members of a queue at some time. The digest is made when it is first asked for.

    Args:
        queue: the queue.
        members: what is known of each, by agent. Not copied: it must not change.

    Attributes:
        noted_at: when it was last handed over to be written, in epoch seconds; -inf: never.
    """

    __slots__ = ("_digest", "_text", "members", "noted_at", "queue")

    def __init__(self, queue: str, members: Mapping[str, MemberFacts]) -> None:
        self.queue = queue
        self.members = members
        self.noted_at = float("-inf")
        self._text = self._digest = ""

    @property
    def text(self) -> str:
        """The members as JSON, in their order: ``{agent: [escalation step, {skill: level}]}``."""
        if not self._text:
            found = {
                agent: [step, dict(sorted(skills.items()))]
                for agent, (step, skills) in self.members.items()
            }
            self._text = json.dumps(found, separators=(",", ":"))
        return self._text

    @property
    def digest(self) -> str:
        """Names these members of this queue."""
        if not self._digest:
            whole = f"{self.queue}\n{self.text}".encode("utf-8", "replace")
            self._digest = hashlib.blake2b(whole, digest_size=12).hexdigest()
        return self._digest


class StepItem(NamedTuple):
    """A step to be stored: its serial number, what happened, and for a decision the members."""

    serial: int
    notice: CallNotice | OfferDecided
    members: MemberList | None


class StoredStep(NamedTuple):
    """A step as it was stored. `digest` is that of a `MemberListRow`; empty: it is no decision."""

    serial: int
    notice: CallNotice | OfferDecided
    digest: str


def members_of(text: str) -> dict[str, MemberFacts]:
    """Return the members from the JSON of a `MemberListRow`."""
    return {agent: (step, skills) for agent, (step, skills) in json.loads(text).items()}


def pack_steps(items: Iterable[StepItem]) -> bytes:
    """Return steps as bytes. It takes about 20 µs for each, so it is done by the writing thread."""
    found = [
        [
            item.serial,
            type(item.notice).__name__,
            _packed(item.notice),
            "" if item.members is None else item.members.digest,
        ]
        for item in items
    ]
    return _closed(found)


def _closed(items: Sequence[Any]) -> bytes:
    text = _ENCODER.encode(items)
    made = zlib.compressobj(_LEVEL, zdict=_WORDS)
    return _FORMAT + made.compress(text.encode("utf-8", "replace")) + made.flush()


def unpack_steps(packed: bytes) -> list[StoredStep]:
    """Return steps that were packed; those that can no longer be read are left out."""
    found = []
    for serial, name, values, digest in _items(packed) or ():
        kind = _KINDS.get(name)
        notice = None if kind is None else _unpacked(kind, values)
        if notice is not None:
            found.append(StoredStep(serial, notice, digest))
    return found


def digests_of(packed: bytes) -> set[str]:
    """Return the digests of the lists of members that packed steps name."""
    return {item[3] for item in _items(packed) or () if item[3]}


def _items(packed: bytes) -> list[Any] | None:
    """Return the steps as JSON has them; None: these bytes are none."""
    if packed[:1] != _FORMAT:
        return None
    opened = zlib.decompressobj(zdict=_WORDS)
    try:
        found: list[Any] = json.loads(opened.decompress(packed[1:]) + opened.flush())
    except (zlib.error, ValueError):
        return None
    return found


def with_other_numbers(packed: bytes, change: Callable[[str], str]) -> bytes:
    """Return packed steps with each caller's number replaced, and without callers' names.

    Args:
        packed: the steps. Bytes that are no steps are returned as they are.
        change: returns what takes the place of a number.
    """
    items = _items(packed)
    if items is None:
        return packed
    for _, _, values, _ in items:
        if number := values.get("caller_number"):
            values["caller_number"] = change(number)
        if "caller_name" in values:
            values["caller_name"] = ""
    return _closed(items)


# ---------------------------------------------------------------- how a value is written


def _packed(item: Any) -> dict[str, Any]:
    found = {}
    for name, default in _defaults(type(item)):
        value = getattr(item, name)
        if value is not default and value != default:
            found[name] = value if type(value) in _AS_THEY_ARE else _plain(value)
            if type(value) is Phrase:
                found[name + _PHRASE] = phrase_data(value)
    return found


def _plain(value: Any) -> Any:
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, Phrase):
        return str(value)
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return [type(value).__name__, _packed(value)]


def _defaults(kind: type[Any]) -> tuple[tuple[str, Any], ...]:
    known = _DEFAULTS.get(kind)
    if known is None:
        known = _DEFAULTS[kind] = tuple((item.name, _default(item)) for item in fields(kind))
    return known


def _default(item: Field[Any]) -> Any:
    return item.default if item.default_factory is MISSING else item.default_factory()


# ---------------------------------------------------------------- how it is read


def _unpacked(kind: type[Any], values: Mapping[str, Any]) -> Any:
    hints = _hints(kind)
    try:
        taken = {
            name: stored_phrase(value, values[name + _PHRASE])
            if name + _PHRASE in values
            else _typed(hints[name], value)
            for name, value in values.items()
            if name in hints
        }
        return kind(**taken)
    except (TypeError, ValueError, KeyError):
        return None


def _hints(kind: type[Any]) -> dict[str, Any]:
    known = _HINTS.get(kind)
    if known is None:
        own = {item.name for item in fields(kind)}
        hints = get_type_hints(kind).items()
        known = _HINTS[kind] = {name: hint for name, hint in hints if name in own}
    return known


def _typed(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin = get_origin(hint)
    if origin is tuple:
        return _tuple(get_args(hint), value)
    if origin is frozenset:
        return frozenset(_typed(get_args(hint)[0], item) for item in value)
    kinds = get_args(hint) or (hint,)
    if isinstance(value, list):
        return _of_list(kinds, value)
    if isinstance(value, str) and str not in kinds:
        return _member(kinds, value)
    return value


def _tuple(inner: tuple[Any, ...], value: Sequence[Any]) -> tuple[Any, ...]:
    if inner[-1] is Ellipsis:
        return tuple(_typed(inner[0], item) for item in value)
    return tuple(_typed(hint, item) for hint, item in zip(inner, value, strict=True))


def _of_list(kinds: Sequence[Any], value: list[Any]) -> Any:
    """Return a dataclass, or a tuple that is one of several types."""
    named = {kind.__name__: kind for kind in kinds if isinstance(kind, type) and is_dataclass(kind)}
    if named:
        name, values = value
        return named[name](
            **{key: _typed(_hints(named[name])[key], item) for key, item in values.items()}
        )
    (inner,) = (kind for kind in kinds if get_origin(kind) is tuple)
    return _typed(inner, value)


def _member(kinds: Sequence[Any], value: str) -> Enum:
    name, _, member = value.partition(".")
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Enum) and kind.__name__ == name:
            return kind[member]
    raise ValueError(value)


_KINDS: Final[Mapping[str, type[CallNotice | OfferDecided]]] = {
    name: kind
    for name, kind in vars(call_notices).items()
    if (isinstance(kind, type) and issubclass(kind, CallNotice)) or kind is OfferDecided
}

_WORDS: Final = (
    b'"LegEnd.UNREACHABLE","LegEnd.DECLINED","LegEnd.BUSY","OfferEnd.WITHDRAWN","OfferEnd.LOST",'
    b'"LegEnd.NO_ANSWER","CallAbandoned",{"how":"CallerEnd.HUNG_UP"CallLeftQueue",{"Result.TIMEOUT",'
    b'"target":["ToDialplan",{"context":"voicemail""ToQueue",{"queue":"support""RuleApplied","rule":"'
    b'"HoldChanged",{"on":true"CallRequeued"ConversationTransferred","transfer":"TransferKind.BLIND"'
    b'"OfferEnded",{"outcome":"LegEnd.NO_ANSWER","by_agent":true,"preferred":true,"tried":["'
    b'"drawn":1,"needs":[["escalation_step":1"waited_s":0.0}"left_out":"'
    b'"CallEntered",{"at":176,"position":1,"caller_number":"44","caller_name":"","facts":["EntryFacts",'
    b'{"pbx":"office","priority":50,"first_entered_at":176,"queued_at":176,"called_number":"","tag":""}]},""],'
    b'"OfferMade",{"at":17,"call":"17","queue":"support","agent":"","offer":"","policy":["longest-idle"],'
    b'"idle_s":,"priority":1},""],"OfferDecided",{"at":17,"call":"","queue":"","agent":"","offer":"",'
    b'"policy":["longest-idle"],"available":1,"ranked":[[[1],17,"","waiting":1,"waited_s":0.0,"tried":[],'
    b'"by_agent":false,"preferred":false,"drawn":0},""],"OfferRang",{"at":17},""],'
    b'"OfferAccepted",{"device":"desk"},""],"ConversationStarted",{"wait_s":,"rang_s":},""],'
    b'"WrapUpStarted",{"wrap_up_s":10.0},""],"CallCompleted",{"by":"EndedBy.CALLER","wait_s":,'
    b'"talk_s":,"first_position":1,"agent":"","offer":"","call":"17","queue":""},""]]'
)
"""What most steps contain, so that few bytes are needed for it. Never change it: steps that were
packed with it could not be read. A new one needs a new `_FORMAT`.
"""
