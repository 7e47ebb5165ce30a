"""Takes acts down, for the thread that writes them. Nothing waits for it."""

from __future__ import annotations

import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from callrouter.audit.act_rows import ACTS, PHRASES, ActOutcome, ActRow, ActVia
from callrouter.clock import Clock
from callrouter.model.text import Phrase, clean, phrase_data
from callrouter.store.record_writing import RecordWriter

LONGEST: Final = 200
_MOST_DETAILS: Final = 16_384
"""Characters of the details of an act beyond which phrases are stored as their texts alone."""
"""Characters of a value that are stored."""
FIRST: Final = 20
"""Refusals of one kind and origin within `FORGOTTEN_AFTER` that are all stored; after that …"""
ONE_IN: Final = 100
"""… one in this many, which says how many there were. So a stranger cannot fill the disk."""
FORGOTTEN_AFTER: Final = 3600.0
MOST_ORIGINS: Final = 5_000
"""Origins that are remembered; the one quiet for the longest is forgotten first."""
_RANDOM_BITS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act that is over. The fields are those of `ActRow`.

    Attributes:
        values: the values that matter, by name. Never a secret.
    """

    who: str
    role: str
    via: ActVia
    source: str
    act: str
    agent: str = ""
    queue: str = ""
    call: str = ""
    target: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    outcome: ActOutcome = ActOutcome.DONE
    kind: str = ""


@dataclass(slots=True)
class _Refusals:
    count: int
    last: float


class ActLog:
    """Numbers acts and hands them to the writing thread. It may be called in any thread.

    The serial number is the time in microseconds with random bits after it. So acts are in order of
    time, and a clock that is set back lets no act take the place of another.

    Args:
        writer: writes the rows.
        clock: the time.
    """

    def __init__(self, writer: RecordWriter, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0
        self._refusals: OrderedDict[tuple[str, ...], _Refusals] = OrderedDict()

    def add(self, act: Act) -> None:
        """Store an act soon.

        Of many refusals alike only some are stored, see `FIRST` and `ONE_IN`.
        """
        now = self._clock.now()
        with self._lock:
            refused = self._count_refused(act, now) if act.outcome is ActOutcome.REFUSED else 0
            if refused > FIRST and refused % ONE_IN:
                return
            serial = (int(now * 1e6) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
            serial = self._last = max(serial, self._last + 1)
        values = dict(act.values)
        if refused > FIRST:
            values["refused_so_far"] = refused
        row = ActRow(
            serial=serial,
            at=now,
            who=_short(act.who),
            role=act.role,
            via=act.via,
            source=_short(act.source),
            act=act.act,
            agent=_short(act.agent),
            queue=_short(act.queue),
            call=_short(act.call),
            target=_short(act.target),
            details=_details(values),
            outcome=act.outcome,
            kind=act.kind,
        )
        self._writer.record([(ACTS, (str(serial),), row)])

    def _count_refused(self, act: Act, now: float) -> int:
        """Return how many refusals of this kind and origin there have been, this one included."""
        key = (act.kind, act.who or act.source)
        found = self._refusals.get(key)
        if found is None or now - found.last > FORGOTTEN_AFTER:
            found = self._refusals[key] = _Refusals(0, now)
            if len(self._refusals) > MOST_ORIGINS:
                self._refusals.popitem(last=False)
        self._refusals.move_to_end(key)
        found.count += 1
        found.last = now
        return found.count


def _details(values: Mapping[str, object]) -> str:
    """Return values as JSON; those that are phrases have their codes in `PHRASES`, while there is room."""
    texts: dict[str, object] = {name: _short(str(value)) for name, value in values.items()}
    phrases = {
        name: phrase_data(value) for name, value in values.items() if isinstance(value, Phrase)
    }
    whole = json.dumps({**texts, PHRASES: phrases}) if phrases else ""
    return whole if 0 < len(whole) <= _MOST_DETAILS else json.dumps(texts)


def _short(text: str) -> str:
    return clean(text[: LONGEST + 1])[:LONGEST]
