"""Reports the events of phone dialogues, and keeps the promises that every driver makes about them.

See `callrouter.model.ivr` for the events. What a person keys in and what a trunk claims is hostile
until it is cleaned here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from callrouter.model.events import LegEnd
from callrouter.model.ivr import (
    Code,
    CodeDialled,
    DigitsKeyed,
    NumberAnswered,
    NumberFailed,
    PersonLeft,
    PhoneEvent,
)

LONGEST_DIALOGUE: Final = 120.0
"""Seconds after which a driver ends a dialogue, whatever its PBX reports."""

_MOST_KEYS: Final = 40
_NOT_KEYS: Final = re.compile(r"[^0-9*#]", re.ASCII)


class PhoneEventReporter:
    """Reports what happens on the phones of one PBX.

    Every channel with a dialogue is opened once and closed once, with one `PersonLeft`. Every
    number that is called gets exactly one outcome, `NumberAnswered` or `NumberFailed`, however many
    messages of the PBX and deadlines claim one.

    Args:
        pbx: name of the PBX.
    """

    def __init__(self, pbx: str) -> None:
        self._pbx = pbx
        self._report: Callable[[PhoneEvent], None] = lambda _event: None
        self._numbers: set[str] = set()

    def listen(self, report: Callable[[PhoneEvent], None]) -> None:
        """Report all further events to `report`.

        It replaces the earlier receiver. Events before the first call of this are dropped.
        """
        self._report = report

    # ------------------------------------------------------------ dialogues

    def code_dialled(
        self, channel: str, code: Code, digit: str, *, endpoint: str, caller_number: str
    ) -> None:
        """A feature code was dialled.

        Args:
            channel: the channel, which has a dialogue from now on.
            code: the code.
            digit: the digit after a pause code; "" if there was none.
            endpoint: the phone, if the PBX has authenticated it; else "".
            caller_number: the number that the caller claims, cleaned by the driver.
        """
        self._report(
            CodeDialled(
                pbx=self._pbx,
                channel=channel,
                code=code,
                endpoint=endpoint,
                caller_number=caller_number,
                digit=digit,
            )
        )

    def digits_keyed(self, channel: str, text: str) -> None:
        """Digits were keyed in, or none in time ("").

        `text` may hold anything that a PBX passed on: all but keys is removed, as by `clean_keys`.
        """
        self._report(DigitsKeyed(pbx=self._pbx, channel=channel, digits=clean_keys(text)))

    def person_left(self, channel: str) -> None:
        """The channel of a dialogue is gone.

        The driver calls this once per channel; repetitions are not filtered here.
        """
        self._report(PersonLeft(pbx=self._pbx, channel=channel))

    # ------------------------------------------------------------ numbers that are called

    def number_called(self, ref: str) -> None:
        """A number is being called, so an outcome is due.

        Without this, `number_answered` and `number_failed` ignore the reference.
        """
        self._numbers.add(ref)

    def awaits(self, ref: str) -> bool:
        """Whether the outcome of a call to a number is still to be reported.

        False for a reference that was never announced with `number_called`.
        """
        return ref in self._numbers

    def number_answered(self, ref: str, channel: str) -> None:
        """A number was picked up. Its channel has a dialogue from now on.

        Ignored after an outcome.
        """
        if ref in self._numbers:
            self._numbers.remove(ref)
            self._report(NumberAnswered(pbx=self._pbx, ref=ref, channel=channel))

    def number_failed(self, ref: str, why: LegEnd) -> None:
        """A number was not picked up, or could not be called. Ignored after an outcome."""
        if ref in self._numbers:
            self._numbers.remove(ref)
            self._report(NumberFailed(pbx=self._pbx, ref=ref, why=why))


def clean_keys(text: str) -> str:
    """The keys in a text: digits, ``*`` and ``#``, 40 at most.

    Everything else is dropped, letters A to D and digits of other scripts included. The result may
    be empty.
    """
    return _NOT_KEYS.sub("", text)[:_MOST_KEYS]
