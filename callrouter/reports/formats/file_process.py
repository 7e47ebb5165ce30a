"""Files of reports, made by a process of their own: drawing takes a second of the processor."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

WITHIN: Final = 120.0
"""Seconds for the process."""
_NO_FORMAT: Final = 2
_NEEDED: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "PYTHONPATH",
    "MPLCONFIGDIR",
    "XDG_CACHE_HOME",
)
"""What of the environment is passed on. The daemon's own may have secrets in it."""


class FileNotMadeError(ValueError):
    """The report cannot be had in this format. The text says why."""


def make_file(report: bytes, name: str) -> bytes:
    """Return a report as a file. Blocks.

    Args:
        report: the report as JSON.
        name: of the format; see `callrouter.reports.formats.file_formats`.

    Raises:
        FileNotMadeError: this report cannot be had in the format, or took too long.
        RuntimeError: the process failed.
    """
    environ = {key: os.environ[key] for key in _NEEDED if key in os.environ}
    environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy would start a thread for each processor
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "callrouter.reports.formats", name],
            input=report,
            capture_output=True,
            timeout=WITHIN,
            env=environ,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FileNotMadeError(
            f"the file was not made within {WITHIN:.0f} s; choose a shorter period, or csv"
        ) from error
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode == _NO_FORMAT:
        raise FileNotMadeError(said)
    if done.returncode != 0:
        raise RuntimeError(f"the process that makes a {name} file ended: {said[-2000:]}")
    return done.stdout
