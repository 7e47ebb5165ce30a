"""Converts prompts to text for Twilio to speak.

The router names prompts after Asterisk's core sounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

WORDS: Final = {
    "activated": "is on.",
    "agent-incorrect": "That was not right. Key in your extension, then press the pound key.",
    "agent-loggedoff": "You are signed out.",
    "agent-loginok": "You are signed in.",
    "agent-pass": "Key in your code, then press the pound key.",
    "agent-user": "Key in your extension, then press the pound key.",
    "auth-incorrect": "That was not right. Try again.",
    "auth-thankyou": "Thank you.",
    "call-waiting": "Taking calls",
    "de-activated": "is off.",
    "dictate/pause": "Pause",
    "dictate/paused": "You are paused.",
    "feature-not-avail-line": "That is not possible here.",
    "im-sorry": "Sorry.",
    "is": "is",
    "is-in-use": "is in use already.",
    "one-moment-please": "After this call:",
    "please-try-call-later": "Please try again later.",
    "privacy-incorrect": "That number can not be taken.",
    "privacy-prompt": "Key in the number,",
    "telephone-number": "Your mobile",
    "vm-goodbye": "Goodbye.",
    "vm-incorrect": "That was not right.",
    "vm-isonphone": "You are on a call.",
    "vm-password": "The code",
    "vm-then-pound": "then press the pound key.",
} | {f"digits/{digit}": f"{digit}." for digit in range(10)}
"""A phrase for each sound. Consecutive phrases form a sentence."""

_SILENCE: Final = "silence/1"


def sentences(sounds: Iterable[str]) -> Iterator[str]:
    """The texts for sounds, one for each part between silences. Unknown sounds are left out."""
    text: list[str] = []
    for sound in (*sounds, _SILENCE):
        if sound != _SILENCE:
            text += [WORDS[sound]] if sound in WORDS else []
        elif text:
            yield " ".join(text)
            text = []
