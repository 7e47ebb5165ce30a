"""Stages run side by side: in order, each one's output in one piece, and together they end."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.side_by_side import Stage, run
from tests.stages import PURE, main, stages

ROOT = Path(__file__).parents[2]


def shell(name: str, *lines: str, after: tuple[str, ...] = (), gives_way: bool = False) -> Stage:
    return Stage(
        name,
        f"what {name} is",
        tuple(("sh", "-c", line) for line in lines),
        after,
        gives_way=gives_way,
    )


def said(*made: Stage) -> tuple[int, str]:
    out = io.BytesIO()
    status = run(made, out)
    return status, out.getvalue().decode()


def test_output_reads_as_if_they_ran_one_after_the_other(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    status, text = said(
        shell("one", f"echo 1; until [ -e {seen} ]; do sleep 0.05; done", "echo 2"),
        shell("two", f"echo 3; touch {seen}"),
        shell("three", "echo 4", after=("one", "two")),
    )
    assert status == 0
    *lines, figures = text.splitlines()
    assert lines == ["— what one is", "1", "2", "— what two is", "3", "— what three is", "4"]
    assert re.fullmatch(r"— \d+ s: one \d+ s \(processors \d+ s\), two .*, three .*", figures)


def test_a_stage_begins_when_those_before_it_are_over(tmp_path: Path) -> None:
    status, text = said(
        shell("last", f"ls {tmp_path}", after=("first", "second", "one that was not asked for")),
        shell("first", "sleep 0.3", f"touch {tmp_path}/first"),
        shell("second", f"touch {tmp_path}/second"),
    )
    assert status == 0
    assert "— what last is\nfirst\nsecond\n" in text


def test_the_first_that_fails_ends_the_others_and_is_shown_last() -> None:
    began = time.monotonic()
    status, text = said(
        shell("long", "echo begun; sleep 50", "echo never"),
        shell("bad", "echo why; exit 7", "echo never"),
        shell("later", "echo never", after=("long",)),
    )
    assert status == 7
    assert time.monotonic() - began < 20
    start, end = text.split("— what bad is\n")
    assert start.startswith("— what long is\nbegun\n")
    assert re.fullmatch(r"why\n— bad failed after .*; ended before they were done: long\n", end)


def test_a_stage_that_only_computes_takes_what_others_leave() -> None:
    _, text = said(shell("polite", "sleep 0.2; nice", gives_way=True))
    assert text.splitlines()[1] == "19"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_all_that_they_started(tmp_path: Path, number: signal.Signals) -> None:
    pid, inner, outer = tmp_path / "pid", tmp_path / "inner.py", tmp_path / "outer.py"
    inner.write_text(
        f"import os, time\nopen({str(pid)!r}, 'w').write(f'{{os.getpid()}}\\n')\n"
        "try:\n    time.sleep(50)\nexcept KeyboardInterrupt:\n    time.sleep(0.5); print('ended')"
    )
    outer.write_text(  # gone at once, while what it has started takes a while
        f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, {str(inner)!r}])\n"
        "try:\n    time.sleep(50)\nexcept KeyboardInterrupt:\n    pass"
    )
    text = (
        "import sys; from tests.side_by_side import Stage, run;"
        f"sys.exit(run([Stage('a', 'a', ((sys.executable, {str(outer)!r}),))]))"
    )
    runner = subprocess.Popen(
        [sys.executable, "-c", text], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    while not (pid.exists() and pid.read_text().endswith("\n")):
        time.sleep(0.02)
    time.sleep(0.3)
    runner.send_signal(number)
    said, _ = runner.communicate(timeout=50)
    assert (runner.returncode, said) == (130, "— a\nended\n")
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


def test_every_test_is_in_a_stage() -> None:
    made = {stage.name: " ".join(stage.commands[-1]) for stage in stages()}
    assert all(set(stage.after) <= made.keys() for stage in stages())
    assert all((ROOT / folder).is_dir() for folder in PURE)
    assert all(folder in made["pure"] and f"--ignore={folder}" in made["real"] for folder in PURE)
    for path in (ROOT / "tests").rglob("test_*.py"):
        file, text = str(path.relative_to(ROOT)), path.read_text()
        if re.search(r"^pytestmark = .*mark\.load|^@pytest\.mark\.load", text, re.MULTILINE):
            assert file in made["load"] + made["soak"]
        if re.search(r"^pytestmark = .*mark\.chaos|^@pytest\.mark\.chaos", text, re.MULTILINE):
            assert file.startswith("tests/chaos/")


def test_stages_that_do_not_exist_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["real", "unreal"]) == 2
    assert "no such stage: unreal; there are style, " in capsys.readouterr().err
