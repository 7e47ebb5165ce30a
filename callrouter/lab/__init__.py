"""The laboratory: a private Asterisk and small SIP phones on loopback.

For the demo, the integration tests and the benchmarks. It is part of the package only because
`callrouter demo` needs it; the daemon imports none of it, and nothing here runs in production.
"""

from callrouter.lab.asterisk import Asterisk, AsteriskFailedError
from callrouter.lab.asterisk_config import Options
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
from callrouter.lab.fixtures import Lab, close_phones, lab, start_phones
from callrouter.lab.install import Install, NoAsteriskError, find_asterisk
from callrouter.lab.phone import Phone, RegistrationFailedError
from callrouter.lab.ports import NoFreePortsError
from callrouter.lab.rtp import Pace

__all__ = [
    "Answer",
    "AnswerThenBye",
    "Asterisk",
    "AsteriskFailedError",
    "Behaviour",
    "CallEndedError",
    "Dialog",
    "EarlyMedia",
    "Install",
    "Lab",
    "NoAsteriskError",
    "NoFreePortsError",
    "Options",
    "Pace",
    "Phone",
    "Redirect",
    "Refuse",
    "RegistrationFailedError",
    "RingOnly",
    "Silent",
    "TryingOnly",
    "close_phones",
    "find_asterisk",
    "lab",
    "start_phones",
]
