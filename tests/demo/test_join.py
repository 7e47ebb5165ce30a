"""What the demo says on how to take part can be copied from a terminal of 80 columns."""

from __future__ import annotations

import random
import shlex
import shutil
import sys

import pytest

from callrouter.demo.centre import Centre


@pytest.mark.parametrize(
    "program", ["/opt/callrouter/bin/callrouter", "/srv/a/work/wt/main/.venv/bin/callrouter"]
)
def test_the_command_to_ask_it_stands_whole_on_a_line(
    monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    centre = Centre(None, random.Random(1), print)
    try:
        lines = centre.join()
    finally:
        shutil.rmtree(centre.place)
    assert all(len(line) <= 80 for line in lines), lines
    words = shlex.split(lines[-1])
    assert words[-4:] == [program, "--config", str(centre.daemon.config), "status"]
