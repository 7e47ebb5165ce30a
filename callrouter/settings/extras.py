"""What callrouter needs only in part of its installations, whether it is here, and how to get it."""

from __future__ import annotations

import ctypes.util
import shlex
import sys
from importlib.util import find_spec
from typing import Final

REQUIREMENTS: Final = {
    "postgres": "psycopg[binary]>=3.2",
    "twilio": "twilio>=9.13,<10",
    "fast": "uvloop>=0.21",
}
"""What each extra of the package installs, as pyproject.toml has it."""
_MODULES: Final = {"postgres": "psycopg", "twilio": "twilio", "fast": "uvloop"}


def lacks(extra: str) -> str:
    """What of an extra is not installed, in words; empty when it can be used."""
    if find_spec(_MODULES[extra]) is None:
        return f"{_MODULES[extra]}, which is not installed here"
    if extra == "postgres" and not _has_libpq():
        return "libpq, which is not installed here"
    return ""


def _has_libpq() -> bool:
    """Whether psycopg finds the library of PostgreSQL: inside a wheel, or the machine's."""
    if find_spec("psycopg_binary") is not None or find_spec("psycopg_c") is not None:
        return True
    return ctypes.util.find_library("pq") is not None


def remedy(extra: str) -> str:
    """The command that installs an extra into the environment that runs now."""
    return f"{shlex.quote(sys.executable)} -m pip install '{REQUIREMENTS[extra]}'"


def installed() -> str:
    """The extras of this installation as pip takes them: ``[postgres,twilio]``, or nothing."""
    found = [extra for extra in REQUIREMENTS if not lacks(extra)]
    return f"[{','.join(found)}]" if found else ""
