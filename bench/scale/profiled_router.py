"""`callrouter run` that notes what its loop spends its processor time on.

    python -m bench.scale.profiled_router --config DIR run

A timer that runs on the main thread's processor time (timer_create(2), CLOCK_THREAD_CPUTIME_ID) interrupts it every two
milliseconds of work; the innermost function of callrouter that is being run then gets the sample. So the shares are those
of the processor time, whatever else the machine does. At its end the samples are in ``profile.json`` beside DIR.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

from callrouter.cli.main import main

EVERY_NS: Final = 2_000_000
_THREAD_CPU: Final = 3
_SENDING: Final = frozenset({"submit", "submit_list", "send", "request", "expect"})
_AMI: Final = "/pbx/asterisk/ami/"
KINDS: Final = (
    ("/daemon/main.py", "event loop"),  # nothing of ours inside of it
    ("/pbx/asterisk/tracking/", "tracking"),
    ("/pbx/asterisk/resync.py", "tracking"),
    ("/pbx/asterisk/blf.py", "lamps"),
    ("/pbx/asterisk/fallback.py", "fallback's lists"),
    ("/pbx/asterisk/queue_log_writer.py", "queue_log"),
    ("/queue_log/", "queue_log"),
    ("/pbx/asterisk/execution/", "writing"),
    ("/pbx/asterisk/heartbeat.py", "writing"),
    ("/pbx/", "driver"),
    ("/core/", "core"),
    ("/policies/", "core"),
    ("/model/", "core"),
    ("/runtime.py", "core"),
    ("/record/", "record"),
    ("/store/", "record"),
    ("/api/", "memory of calls, log, events"),
    ("/daemon/", "memory of calls, log, events"),
    ("/outbox/", "memory of calls, log, events"),
    ("/logs.py", "memory of calls, log, events"),
    ("/alerting/", "memory of calls, log, events"),
)
"""Which part of the router a file belongs to; the first that fits."""


class _Event(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("padding", ctypes.c_byte * 48),
    )


class _Times(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns")
    )


def kind_of(frame: FrameType | None) -> tuple[str, str]:
    """Return the part of the router that is at work, and the function."""
    while frame is not None:
        path = frame.f_code.co_filename
        _, ours, rest = path.rpartition("/callrouter/")
        if ours:
            function = f"{rest}:{frame.f_code.co_name}"
            rest = f"/{rest}"
            if rest.startswith(_AMI):
                return _direction(frame), function
            return next(
                (kind for start, kind in KINDS if rest.startswith(start)), "other"
            ), function
        frame = frame.f_back
    return "event loop", ""


def _direction(frame: FrameType | None) -> str:
    """Whether AMI is being written or read."""
    while frame is not None and _AMI in frame.f_code.co_filename:
        if frame.f_code.co_name in _SENDING:
            return "writing"
        frame = frame.f_back
    return "parsing"


def sample_main_thread(kinds: Counter[str], functions: Counter[str]) -> None:
    """Count samples from now on."""

    def note(_number: int, frame: FrameType | None) -> None:
        kind, function = kind_of(frame)
        kinds[kind] += 1
        functions[function] += 1

    signal.signal(signal.SIGPROF, note)
    libc = ctypes.CDLL(None, use_errno=True)
    event = _Event(signal=signal.SIGPROF, notify=0)
    timer = ctypes.c_void_p()
    if libc.timer_create(_THREAD_CPU, ctypes.byref(event), ctypes.byref(timer)):
        raise OSError(ctypes.get_errno(), "timer_create")
    times = _Times(0, EVERY_NS, 0, EVERY_NS)
    if libc.timer_settime(timer, 0, ctypes.byref(times), None):
        raise OSError(ctypes.get_errno(), "timer_settime")


if __name__ == "__main__":
    by_kind: Counter[str] = Counter()
    by_function: Counter[str] = Counter()

    def begin_again(_number: int, _frame: FrameType | None) -> None:
        by_kind.clear()
        by_function.clear()

    signal.signal(signal.SIGUSR1, begin_again)
    sample_main_thread(by_kind, by_function)
    try:
        main()
    finally:
        place = Path(sys.argv[sys.argv.index("--config") + 1]).parent / "profile.json"
        place.write_text(json.dumps({"kinds": by_kind, "functions": by_function.most_common(60)}))
