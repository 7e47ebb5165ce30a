"""Optional dependencies: whether they are installed, and how to install them."""

from __future__ import annotations

import ctypes.util
import shlex
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

from callrouter.model.text import phrase

POSTGRESQL: Final = "postgresql://"
"""How the URL of a database begins that needs the extra ``postgres``."""
REQUIREMENTS: Final = {
    "postgres": ("psycopg[binary]>=3.2",),
    "twilio": ("twilio>=9.13,<10",),
    "fast": ("uvloop>=0.21",),
    "reports": ("XlsxWriter>=3.2", "matplotlib>=3.10"),
    "oidc": ("Authlib>=1.9", "joserfc>=1.8"),
}
"""Requirements of each extra of the package, as in pyproject.toml."""
_MODULES: Final = {
    "postgres": ("psycopg",),
    "twilio": ("twilio",),
    "fast": ("uvloop",),
    "reports": ("xlsxwriter", "matplotlib"),
    "oidc": ("authlib", "joserfc"),
}


def lacks(extra: str) -> str:
    """Return what is missing of an extra, in words; empty if it is usable.

    For PostgreSQL, libpq is needed as well.

    Raises:
        KeyError: there is no such extra; see `REQUIREMENTS`.
    """
    if missing := [module for module in _MODULES[extra] if find_spec(module) is None]:
        return _not_installed(missing)
    if extra == "postgres" and not _has_libpq():
        return _not_installed(["libpq"])
    return ""


def _not_installed(missing: Sequence[str]) -> str:
    one = "{modules_and}, which is not installed here"
    many = "{modules_and}, which are not installed here"
    return phrase("not-installed-here", one, many, count=len(missing), modules_and=missing)


def _has_libpq() -> bool:
    """Return whether psycopg finds libpq, in its wheel or on the system."""
    if find_spec("psycopg_binary") is not None or find_spec("psycopg_c") is not None:
        return True
    return ctypes.util.find_library("pq") is not None


def remedy(extra: str) -> str:
    """Return the command that installs an extra into the running environment.

    It is quoted for a shell, and uses the pip of the interpreter in use.

    Raises:
        KeyError: there is no such extra; see `REQUIREMENTS`.
    """
    wanted = " ".join(f"'{requirement}'" for requirement in REQUIREMENTS[extra])
    return f"{shlex.quote(sys.executable)} -m pip install {wanted}"


def installed() -> str:
    """Return the installed extras in pip's notation: ``[postgres,twilio]``, or nothing.

    They are in the order of `REQUIREMENTS`.
    """
    found = [extra for extra in REQUIREMENTS if not lacks(extra)]
    return f"[{','.join(found)}]" if found else ""
