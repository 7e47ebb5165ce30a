"""Carries out a phone's `Behaviour`.

It runs as one task of the phone per incoming call.
"""

from __future__ import annotations

import contextlib
import time

from callrouter.lab.behaviour import (
    Answer,
    AnswerThenBye,
    Behaviour,
    EarlyMedia,
    Redirect,
    Refuse,
    RingOnly,
    Silent,
    TryingOnly,
)
from callrouter.lab.call_record import CallEndedError
from callrouter.lab.dialog import Dialog


async def behave(dialog: Dialog, behaviour: Behaviour) -> None:
    """Handle an incoming call as `behaviour` says.

    Returns when that is done or the call has ended.
    """
    with contextlib.suppress(CallEndedError):
        match behaviour:
            case Silent() | TryingOnly():
                return
            case RingOnly():
                dialog.ring()
            case Refuse(code, after):
                await _ring_for(dialog, after)
                await dialog.refuse(code)
            case Redirect(target, after):
                await _ring_for(dialog, after)
                await dialog.redirect(target)
            case EarlyMedia(answer_after):
                await _early(dialog, answer_after)
            case AnswerThenBye(after, talk_s):
                await _answer(dialog, Answer(after, talk=talk_s))
            case Answer():
                await _answer(dialog, behaviour)


async def _ring_for(dialog: Dialog, seconds: float) -> None:
    if seconds > 0:
        dialog.ring()
        await _sleep_until(dialog, dialog.invite_at + seconds)


async def _early(dialog: Dialog, answer_after: float | None) -> None:
    dialog.ring(early_media=True)
    dialog.ring()
    if answer_after is not None:
        await _sleep_until(dialog, dialog.invite_at + answer_after)
        await dialog.answer()


async def _answer(dialog: Dialog, how: Answer) -> None:
    if how.ring:
        dialog.ring()
    await _sleep_until(dialog, dialog.invite_at + how.after)
    await dialog.answer()
    answered = time.monotonic()
    for after, digit, method in how.dtmf:
        await _sleep_until(dialog, answered + after)
        await dialog.send_dtmf(digit, method)
    if how.talk is not None:
        await _sleep_until(dialog, answered + how.talk)
        await dialog.bye()


async def _sleep_until(dialog: Dialog, when: float) -> None:
    """Sleep until the monotonic time `when`; raises CallEndedError as soon as the call ends."""
    left = when - time.monotonic()
    if left > 0:
        with contextlib.suppress(TimeoutError):
            await dialog.wait_ended(left)
    if dialog.state == "ended":
        raise CallEndedError(dialog.final_code)
