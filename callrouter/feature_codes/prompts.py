"""The announcements, as names of Asterisk's core sounds. docs/agent.md lists them for agents."""

from __future__ import annotations

from typing import Final

SIGNED_IN: Final = ("agent-loginok",)
SIGNED_OUT: Final = ("agent-loggedoff",)
PAUSED: Final = ("dictate/paused",)
NOT_PAUSED: Final = ("dictate/pause", "de-activated")
READY: Final = ("call-waiting", "activated")
ON_A_CALL: Final = ("vm-isonphone",)
LATER: Final = ("one-moment-please",)
"""Spoken before what will be true after the present call."""
PAUSE: Final = ("dictate/pause",)
MOBILE_ON: Final = ("telephone-number", "activated")
MOBILE_OFF: Final = ("telephone-number", "de-activated")

CODE_IS: Final = ("vm-password", "is")
"""Spoken before the digits that the verification call will ask for."""
IN_USE: Final = ("telephone-number", "is-in-use")
NO_NUMBER: Final = ("privacy-incorrect",)
ASK_NUMBER: Final = ("privacy-prompt", "vm-then-pound")

ASK_EXTENSION: Final = ("agent-user",)
ASK_EXTENSION_AGAIN: Final = ("agent-incorrect",)
ASK_PIN: Final = ("agent-pass",)
WRONG: Final = ("vm-incorrect", "vm-goodbye")
LOCKED: Final = ("vm-incorrect", "please-try-call-later")
NOTHING_KEYED: Final = ("vm-goodbye",)

REFUSED: Final = ("im-sorry",)
"""Spoken before what remains true."""
NOT_POSSIBLE: Final = ("feature-not-avail-line",)
NOT_NOW: Final = ("im-sorry", "please-try-call-later")


def every() -> tuple[str, ...]:
    """All sound names, each once. One digit stands for all ten.

    `callrouter doctor` looks for these files on Asterisk.
    """
    said = {
        name: None for words in globals().values() if isinstance(words, tuple) for name in words
    }
    return (*said, "digits/1", "silence/1")
