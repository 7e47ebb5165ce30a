"""The SIP phone and its related types, in one namespace."""

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
from callrouter.lab.phone import Phone, RegistrationFailedError
from callrouter.lab.rtp import Pace

__all__ = [
    "Answer",
    "AnswerThenBye",
    "Behaviour",
    "CallEndedError",
    "Dialog",
    "EarlyMedia",
    "Pace",
    "Phone",
    "Redirect",
    "Refuse",
    "RegistrationFailedError",
    "RingOnly",
    "Silent",
    "TryingOnly",
]
