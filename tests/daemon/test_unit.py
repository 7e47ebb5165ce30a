"""The systemd unit that is shipped, and lines as journald wants them."""

from __future__ import annotations

import configparser
import logging
import os
import shutil
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from callrouter.logs import Log
from tests.daemon.process import AGENTS, BUSY, ROOT, Place, until

CALLROUTER_SIMULATED = """\
pbx: {{office: {{driver: simulated}}}}
http:
  listen: 127.0.0.1:{port}
  api_tokens: [{{name: crm, role: supervisor, token: 0123456789abcdef}}]
"""
UNIT = ROOT / "config/callrouter.service"


def test_the_unit_says_what_the_daemon_needs() -> None:
    unit = configparser.RawConfigParser(strict=False)  # SystemCallFilter= stands there twice
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert float(service["RestartSec"]) <= 2, "callers wait 15 s for a router to come back"
    assert service["User"] not in {"", "root"}
    for key in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome"):
        assert service[key] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    calls = [line for line in UNIT.read_text().splitlines() if line.startswith("SystemCallFilter=")]
    assert calls == [
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged",
        "SystemCallFilter=~@resources",
    ]
    assert service["StateDirectoryMode"] == "0700"
    assert service["LimitCORE"] == "0"
    assert service["StateDirectory"] == service["RuntimeDirectory"] == "callrouter"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("/opt/callrouter/bin/callrouter", "/bin/true")
    (tmp_path / UNIT.name).write_text(text.replace("User=callrouter", "User=daemon"))
    answer = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT.name)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    complaints = [line for line in answer.stderr.splitlines() if UNIT.name in line]
    assert complaints == []


def written(log_lines: list[tuple[int, str]], *, journal: bool) -> list[str]:
    reader, writer = os.pipe()
    log = Log(fd=writer, journal=journal)
    for level, text in log_lines:
        logging.getLogger("x").log(level, text)
    try:
        int("no")
    except ValueError:
        logging.getLogger("x").exception("failed")
    log.close()
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        return file.read().splitlines()


def test_journald_is_told_how_bad_a_line_is() -> None:
    lines = written([(logging.INFO, "one"), (logging.WARNING, "two")], journal=True)
    assert [line[:3] for line in lines[:3]] == ["<6>", "<4>", "<3>"]
    assert lines[0] == "<6>one", "journald has the time and the level"
    assert all(line.startswith("<3>") for line in lines[2:]), "a traceback is one thing"
    assert len(lines) > 4


def test_a_terminal_gets_the_time_and_no_numbers() -> None:
    lines = written([(logging.INFO, "one")], journal=False)
    assert lines[0].endswith(" INFO    one")
    assert not lines[0].startswith("<")


HARDENED = """
import ctypes, os, resource, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN: Linux 6.3
    sys.exit(77)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.execv(sys.executable, [sys.executable, "-m", "callrouter", *sys.argv[1:]])
"""
"""Starts it as `MemoryDenyWriteExecute=yes` and `LimitCORE=0` do."""


def test_it_runs_where_no_memory_is_both_written_and_run(place: Place) -> None:
    place.write("callrouter", CALLROUTER_SIMULATED.format(port=place.port))
    place.write("agents", AGENTS.replace("PJSIP", "SIM"))
    log = place.folder / "hardened.log"
    command = [sys.executable, "-c", HARDENED, "run"]
    with log.open("wb") as out:
        daemon = subprocess.Popen(command, env=place.environ, stderr=out, cwd=place.folder)
    try:
        until(lambda: "is in step" in log.read_text() or daemon.poll() is not None, BUSY)
        if daemon.poll() == 77:
            pytest.skip("this kernel cannot deny it")
        assert daemon.poll() is None, log.read_text()
        assert place.call("agent", "alice", "sign-in").returncode == 0
        assert "support" in place.call("queues").stdout
        headers = {"Authorization": "Bearer 0123456789abcdef"}
        asked = urllib.request.Request(f"http://127.0.0.1:{place.port}/metrics", headers=headers)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert b"callrouter_" in answer.read()
        if find_spec("matplotlib"):  # `tests.interpreters` does without it
            asked.full_url = f"http://127.0.0.1:{place.port}/api/reports/hours?format=png"
            with urllib.request.urlopen(asked, timeout=60) as answer:
                assert answer.read().startswith(b"\x89PNG")
    finally:
        daemon.terminate()
        assert daemon.wait(BUSY) == 0
    hashed = subprocess.run(
        [sys.executable, "-c", HARDENED, "passwd"],
        input=b"831642", env=place.environ, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert hashed.stdout.startswith(b"$argon2id$")
