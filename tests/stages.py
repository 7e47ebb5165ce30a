"""What `make test` runs, and what beside what.

    python -m tests.stages [NAME …] [-- PYTEST-ARGUMENTS]

runs all stages, or the named ones. Tests that compute (on a virtual clock) run at the lowest priority beside the minutes of
faults, which mostly wait; the load test has the machine for itself; real calls and browsers come last and take longest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tests.side_by_side import Stage, run

PURE = tuple(
    f"tests/{folder}"
    for folder in ("core", "settings", "simulated", "api", "model", "mobiles", "twilio")
)
"""Folders of tests that use the processor, on a virtual clock; the others mostly wait for real time."""
NOT_PURE = tuple(f"--ignore={folder}" for folder in PURE)
REAL = "not load and not chaos and not labday"
BESIDE = ("--dist", "loadfile")
SLOWLY = (*BESIDE, "--timeout", "300")
"""At the lowest priority a second of the processor may take many."""
BY_ITSELF = ("-s", "--no-header", "-p", "no:cacheprovider")
PREPARED = ("collected", "style", "asterisk", "openapi", "oidc", "chromium")


def _bin(program: str, *arguments: str) -> tuple[str, ...]:
    return (f"{sys.prefix}/bin/{program}", *arguments)


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def stages(*pytest: str) -> tuple[Stage, ...]:
    """All stages, in the order in which their output is to be read.

    Args:
        *pytest: more arguments for the tests with and without real calls.
    """
    return (
        Stage(
            "style",
            "style, dead code, types, layers",
            (
                _bin("ruff", "check", "--quiet", "."),
                _bin("ruff", "format", "--quiet", "--check", "."),
                _bin("vulture"),
                _bin("mypy", "--no-error-summary"),
                _bin("lint-imports", "--no-cache"),
            ),
        ),
        Stage(
            "collected",
            "everything compiled, and every test collected",
            (_python("tests.collected"),),
        ),
        Stage(
            "asterisk",
            "Asterisk for the tests with real calls",
            (_python("callrouter.lab"),),
        ),
        Stage(
            "openapi",
            "Twilio's OpenAPI document, for the tests of requests to it",
            (_python("tests.twilio.openapi"),),
        ),
        Stage(
            "oidc",
            "a provider of OpenID Connect, for the test of logging in through one",
            (_python("tests.oidc.node_provider"),),
        ),
        Stage(
            "chromium",
            "Chromium for the tests of the page",
            (_python("tests.browser.chromium"),),
        ),
        Stage(
            "chaos",
            "two minutes of faults on a busy floor, and fifty callers over the router's death",
            (_python("pytest", *BY_ITSELF, "-m", "chaos", "tests/chaos"),),
            after=PREPARED,
        ),
        Stage(
            "pure",
            "tests on a virtual clock",
            (_python("tests.twice", *SLOWLY, "-n", "2", *PURE, "-m", "not load", *pytest),),
            after=PREPARED,
            gives_way=True,
        ),
        Stage(
            "soak",
            "a quarter of an hour of five calls a second, on a virtual clock",
            (_python("pytest", *BY_ITSELF, "-m", "load", "tests/simulated/test_soak.py"),),
            after=PREPARED,
            gives_way=True,
        ),
        Stage(
            "interpreters",
            "every Python on this machine that callrouter supports",
            (_python("tests.interpreters"),),
            gives_way=True,
        ),
        Stage(
            "load",
            "a busy floor, measured",
            (_python("tests.twice", "-s", "-m", "load", "tests/asterisk/test_load.py"),),
            after=("chaos", "pure", "soak", "interpreters"),
        ),
        Stage(
            "real",
            "real calls and browsers",
            (_python("tests.twice", *BESIDE, "-n", "8", *NOT_PURE, "-m", REAL, *pytest),),
            after=("load",),
        ),
    )


def coverage(*pytest: str) -> tuple[Stage, ...]:
    """Which lines the tests reach; slower than `stages`, which do not measure that."""
    measured = ("--cov", "--cov-append", *pytest)
    return (
        Stage(
            "coverage",
            "tests, with the lines that they reach",
            (
                _bin("coverage", "erase"),
                _python(
                    "pytest",
                    *BESIDE,
                    "-n",
                    "2",
                    *PURE,
                    "-m",
                    "not load",
                    *measured,
                    "--cov-report=",
                ),
                _python(
                    "pytest",
                    *BESIDE,
                    "-n",
                    "3",
                    *NOT_PURE,
                    "-m",
                    "not load and not chaos",
                    *measured,
                    "--cov-report=term:skip-covered",
                ),
            ),
        ),
    )


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for. Returns the exit status."""
    # Each process would compile the same files once more.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    split = arguments.index("--") if "--" in arguments else len(arguments)
    names, pytest = arguments[:split], arguments[split + 1 :]
    known = {stage.name: stage for stage in (*stages(*pytest), *coverage(*pytest))}
    if unknown := [name for name in names if name not in known]:
        sys.stderr.write(f"no such stage: {', '.join(unknown)}; there are {', '.join(known)}\n")
        return 2
    return run([known[name] for name in names] or stages(*pytest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
