"""What failed beside others runs once more alone; what fails twice stays a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLAKY = """
from pathlib import Path

def test_that_passes():
    with open("passed", "a") as file:
        file.write("x")

def test_the_second_time():
    first = not Path("seen").exists()
    Path("seen").touch()
    assert not first

def test_always():
    assert {always}
"""


def run(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "tests.twice", "-q", "test_it.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "-p no:randomly"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_failure_that_passes_alone_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, FLAKY.format(always="True"))
    assert done.returncode == 0, done.stdout
    assert (
        "passed alone, failed beside others:\n    test_it.py::test_the_second_time" in done.stdout
    )
    assert (tmp_path / "passed").read_text() == "x", "what passed does not run again"


def test_what_fails_twice_is_a_failure(tmp_path: Path) -> None:
    done = run(tmp_path, FLAKY.format(always="False"))
    assert done.returncode == 1
    assert "passed alone, failed" not in done.stdout


@pytest.mark.parametrize("text", ["def test_many(): pass", "import nothing_of_this_name"])
def test_other_ends_are_passed_on(tmp_path: Path, text: str) -> None:
    assert run(tmp_path, text).returncode == (0 if "pass" in text else 2)


def test_many_failures_do_not_run_again(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.parametrize('n', range(13))\ndef test_it(n): assert not 'x'"
    done = run(tmp_path, text)
    assert done.returncode == 1
    assert "now alone" not in done.stdout
