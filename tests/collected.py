"""Compile callrouter and its tests once, and see that all tests can be collected.

``python -m tests.collected`` spares each worker and each daemon of the tests to compile the same files once more, which
takes a worker as long as the imports themselves. What was compiled before and has not changed is left alone.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys

FOLDERS = ("callrouter", "tests", "bench", "release")


def main() -> int:
    """Do it, and print how many tests there are, or what is wrong. Returns the exit status."""
    for folder in FOLDERS:
        compileall.compile_dir(folder, quiet=1)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},  # what pytest makes of them is kept too
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout.rstrip().rpartition("\n")[2] if not done.returncode else done.stdout
    sys.stdout.write(f"{said}\n{done.stderr}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
