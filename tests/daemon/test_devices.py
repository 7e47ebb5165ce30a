"""A mobile from its number to a caller's ring, through the daemon as a process and its command line."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.process import Place, started, until
from tests.daemon.test_restart import ask, saved

NUMBER = "+447700900123"


@pytest.fixture
def dialling(place: Place) -> Place:
    """With a trunk, and Britain's numbers allowed."""
    place.replace(
        "callrouter", "secret: not-a-real-one", 'secret: x, dial_number: "PJSIP/{number}@c"'
    )
    place.write("numbers", "numbers: {region: GB}\n")
    return place


def devices(place: Place, agent: str = "alice") -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in ask(place, f"agents/{agent}/devices")}


def prove(place: Place, keys: Path) -> None:
    made = json.loads(place.call("device", "add", "alice", "07700", "900123", "--json").stdout)
    assert made["device"]["address"] == NUMBER
    keys.write_text(made["code"])
    until(lambda: devices(place)["mobile"]["status"] == "in-use")


def test_proved_and_found_again_after_kill_9(dialling: Place, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    scene = {"keys": str(keys)}
    with started(dialling, scene) as daemon:
        daemon.wait_for("office is in step")
        prove(dialling, keys)
        assert dialling.call("device", "off", "alice", "mobile").stdout == "mobile is off\n"
        shown = dialling.call("device", "list", "alice").stdout
        assert f"mobile  {NUMBER}" in shown
        assert "registered" in shown
        until(lambda: saved(dialling))
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        log = daemon.log
    assert NUMBER not in log
    assert "verified" in log
    with started(dialling, scene) as daemon:
        daemon.wait_for("office is in step")
        mobile = devices(dialling)["mobile"]
        assert (mobile["status"], mobile["enabled"], mobile["address"]) == ("in-use", False, NUMBER)
        assert ask(dialling, "status")["mobiles"]["calls_today"] == 1
        steps = [step["what"] for step in ask(dialling, "agents/alice/audit")["steps"]]
        assert steps == ["switched-off", "verified", "answered", "called", "registered"]
        assert dialling.call("device", "on", "alice", "mobile").returncode == 0
        assert devices(dialling)["mobile"]["enabled"] is True


def test_a_change_of_the_files_keeps_them_and_an_agent_who_left_has_none(
    dialling: Place, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    with started(dialling, {"keys": str(keys)}) as daemon:
        daemon.wait_for("office is in step")
        prove(dialling, keys)
        dialling.replace("agents", "name: Bob Jones", "name: Robert")
        assert dialling.call("reload").returncode == 0
        assert list(devices(dialling)) == ["desk", "mobile"]
        dialling.write("numbers", "numbers: {region: FR}\n")
        assert dialling.call("reload").returncode == 0
        assert "numbers of GB are not allowed" in devices(dialling)["mobile"]["trouble"]
        assert len(ask(dialling, "agents/alice")["devices"]) == 1
        dialling.write("numbers", "numbers: {region: GB}\n")
        assert dialling.call("reload").returncode == 0
        assert len(ask(dialling, "agents/alice")["devices"]) == 2


def test_the_command_line_says_no_in_words(dialling: Place, tmp_path: Path) -> None:
    with started(dialling, {"keys": str(tmp_path / "keys")}) as daemon:
        daemon.wait_for("office is in step")
        for words, status, text in (
            (("add", "alice", "09098 790000"), 2, "that is a premium-rate number"),
            (("add", "alice", "1@evil"), 2, "only digits"),
            (("add", "zoe", NUMBER), 2, "there is no agent 'zoe'"),
            (("verify", "alice", "desk"), 1, "is in the configuration"),
            (("verify", "alice", "cell"), 2, "alice has no device 'cell'"),
            (("remove", "alice", "cell"), 2, "alice has no device 'cell'"),
            (("off", "alice", "cell"), 2, "alice has no device 'cell'"),
            (("on", "alice", "dsk"), 2, "did you mean 'desk'?"),
            (("off", "zoe", "desk"), 2, "there is no agent 'zoe'"),
            (("change", "alice", "desk"), 2, "say what to change"),
        ):
            answer = dialling.call("device", *words)
            assert answer.returncode == status, answer
            assert text in answer.stderr
        added = dialling.call("device", "add", "alice", NUMBER, "--vouch", "--name", "cell")
        assert added.stdout == "cell is in use\n"
        changed = dialling.call("device", "change", "alice", "cell", "--ring-after", "10s")
        assert changed.stdout == "cell is changed\n"
        assert devices(dialling)["cell"]["ring_after_s"] == 10.0
        assert dialling.call("device", "remove", "alice", "cell").stdout == "cell is removed\n"
        assert list(devices(dialling)) == ["desk"]
    assert dialling.call("device", "list", "alice").returncode == 3
