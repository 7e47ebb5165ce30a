"""queue_log in a file of the daemon's own: from `callrouter run` as a process."""

from __future__ import annotations

import json
import signal

from tests.daemon.process import Place, started, until

TALKS = {"calls": [["office-1.1", "support", "+442079460018", "Ann | Lee"]], "talk": 0.3}


def to_file(place: Place, *, name: str = "", who: str = "file") -> None:
    own = f"queue_log_file: {name}\n" if name else ""
    place.write("log", f"queue_log: {who}\n{own}")


def test_lines_go_into_the_file_and_a_moved_one_is_left_at_sighup(place: Place) -> None:
    to_file(place)
    path = place.config / "queue_log"
    with started(place, TALKS) as daemon:
        until(lambda: path.exists() and "COMPLETECALLER" not in path.read_text())
        assert place.call("agent", "alice", "sign-in").returncode == 0
        until(lambda: "COMPLETECALLER" in path.read_text())
        path.rename(path.with_suffix(".1"))
        daemon.signal(signal.SIGHUP)
        until(path.exists)
        assert place.call("agent", "alice", "pause", "tea").returncode == 0
        until(lambda: "PAUSEALL" in path.read_text())
    lines = [line.split("|") for line in path.with_suffix(".1").read_text().splitlines()]
    assert [(line[1], line[2], line[3], line[4], *line[5:]) for line in lines] == [
        ("1.1", "support", "NONE", "ENTERQUEUE", "", "+442079460018", "1", "Ann Lee"),
        ("NONE", "NONE", "Alice Martin", "AGENTLOGIN", lines[1][5]),
        ("MANAGER", "support", "Alice Martin", "ADDMEMBER", ""),
        ("1.1", "support", "Alice Martin", "CONNECT", lines[3][5], "", "0"),
        ("1.1", "support", "Alice Martin", "COMPLETECALLER", lines[3][5], "0", "1"),
    ]
    times = [int(line[0]) for line in lines]
    assert times == sorted(times)
    events = [line.split("|")[4] for line in path.read_text().splitlines()]
    assert events == ["PAUSE", "PAUSEALL"]


def test_a_file_that_cannot_be_written_is_said_and_stops_nothing(place: Place) -> None:
    to_file(place, name="/dev/full", who="both")
    with started(place, TALKS) as daemon:
        daemon.wait_for("office is in step")
        daemon.wait_for("queue_log: cannot write /dev/full: No space left on device")
        answer = json.loads(place.call("status", "--json").stdout)
        assert answer["queue_log"]["problem"] == "No space left on device"
        assert answer["queue_log"]["waiting"] > 0
        assert "queue_log is not being written" in place.call("status").stdout
        daemon.stop()
    assert "missing in /dev/full" in daemon.log, "what is lost at the end is said"


def test_by_default_there_is_no_file(place: Place) -> None:
    with started(place, TALKS) as daemon:
        daemon.wait_for("office is in step")
        assert "queue_log" not in json.loads(place.call("status", "--json").stdout)
    assert not (place.config / "queue_log").exists()
