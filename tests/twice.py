"""Runs tests side by side; what fails beside others runs once more, alone.

Eight files at a time share the processors, so a phone of the laboratory may be seconds late through
no fault of the router. A test that then passes alone is named at the end, so that it gets looked
at. One that fails both times is a failure, and so are more than `MOST` failures at once.

    python -m tests.twice PYTEST-ARGUMENTS
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MOST = 12
"""Above this many failures something is really broken. One Asterisk that does not start fails a file."""

FAILED = Path(".pytest_cache/v/cache/lastfailed")
_TESTS_FAILED = 1  # pytest's exit status


def main(arguments: list[str]) -> int:
    """Run pytest with `arguments`, and its failures a second time. Returns the exit status."""
    FAILED.unlink(missing_ok=True)
    pytest = (sys.executable, "-m", "pytest")
    status = subprocess.run([*pytest, *arguments], check=False).returncode
    if status != _TESTS_FAILED:
        return status
    failed = sorted(json.loads(FAILED.read_text("utf-8")))
    if not 0 < len(failed) <= MOST:
        return status
    _say(f"— {len(failed)} failed beside others; now alone")
    again = subprocess.run([*pytest, "--no-header", *failed], check=False).returncode
    if again == 0:
        _say("\n    ".join(("— passed alone, failed beside others:", *failed)))
    return again


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
