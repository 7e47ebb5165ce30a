"""Starting, being told things, and ending."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest

from tests.daemon.process import AGENTS, Daemon, Place, started, until
from tests.noise import noise

WAITING = {"calls": [["c1", "support", "+442079460018", "Ann"]]}


def status(place: Place) -> dict[str, object]:
    answer = place.call("status", "--json")
    assert answer.returncode == 0, answer.stderr
    found: dict[str, object] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(place: Place, number: signal.Signals) -> None:
    with started(place, WAITING) as daemon:
        daemon.wait_for("office is in step")
        assert len(list((place.folder / "run/callrouter").glob("*.sock"))) == 1
        began = time.monotonic()
        daemon.signal(number)
        assert daemon.wait() == 0
        assert time.monotonic() - began < 5
        assert daemon.log.splitlines()[-1].endswith("stopped; every call stays where it is")
        assert "Traceback" not in daemon.log
        assert not list((place.folder / "run/callrouter").glob("*.sock"))


def test_a_driver_that_does_not_end_does_not_keep_us(place: Place) -> None:
    with started(place, {"hang": True}) as daemon:
        daemon.wait_for("office is in step")
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        daemon.wait()
        assert time.monotonic() - began < 5


def test_a_stderr_nobody_reads_does_not_keep_us(place: Place) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 65536)
    except BlockingIOError:
        os.set_blocking(writer, True)
    try:
        with started(place, WAITING, stderr=writer) as daemon:
            until(lambda: place.call("status").returncode == 0)
            began = time.monotonic()
            daemon.signal(signal.SIGTERM)
            daemon.wait()
            assert time.monotonic() - began < 5
    finally:
        os.close(reader)
        os.close(writer)


def test_the_log_masks_and_cleans(place: Place) -> None:
    scene = {"calls": [["c1", "support", "+442079460018", "a\x1b[31m\r\nERROR fake"]]}
    with started(place, scene) as daemon:
        daemon.wait_for("call c1 entered support at position 1 (+44…018)")
        assert "42079460018" not in daemon.log
        assert "\x1b" not in daemon.log


def test_a_second_daemon_is_refused(place: Place) -> None:
    with started(place) as daemon:
        answer = place.call("run")
        assert answer.returncode == 2
        assert answer.stderr == (
            "callrouter: the daemon for this configuration is already running "
            f"(pid {daemon.process.pid})\n"
        )
        assert status(place)["pid"] == daemon.process.pid


def test_after_a_crash_the_socket_is_taken_over(place: Place) -> None:
    with started(place) as daemon:
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        assert list((place.folder / "run/callrouter").glob("*.sock"))
        assert place.call("status").returncode == 3
    with started(place):
        assert status(place)["version"]


def test_a_port_in_use(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.port)):
        answer = place.call("run")
    assert answer.returncode == 2
    last = answer.stderr.splitlines()[-1]
    assert last == (
        f"callrouter: 127.0.0.1:{place.port} is in use: set http.listen in callrouter.yaml "
        "or stop what uses it"
    )
    assert "Traceback" not in answer.stderr


def test_a_bad_configuration_does_not_start(place: Place) -> None:
    place.replace("queues", "policy", "polciy")
    answer = place.call("run")
    assert answer.returncode == 2
    first, *_, last = answer.stderr.splitlines()
    assert first.startswith("queues.yaml:2:28: unknown key 'polciy'")
    assert last == f"callrouter: not started: 1 mistake in {place.config}"
    assert answer.stdout == ""


def test_health_over_http(place: Place) -> None:
    url = f"http://127.0.0.1:{place.port}/healthz"
    with started(place, {"in_step": False}):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url)
        with caught.value as error:
            assert error.code == 503
            assert json.load(error)["pbx"] == {"office": "down"}
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        with urllib.request.urlopen(url) as answer:
            assert json.load(answer)["pbx"] == {"office": "up"}


# ---------------------------------------------------------------- configuration


def test_a_good_change_is_taken_up(place: Place) -> None:
    with started(place, WAITING) as daemon:
        daemon.wait_for("call c1 entered")
        place.replace("queues", "bob: 2", "bob: 1")
        began, still = time.monotonic(), noise()
        daemon.wait_for("configuration: bob moves from priority 2 to 1 in support")
        assert time.monotonic() - began < 2 + noise(still)
        (call,) = json.loads(place.call("calls", "--json").stdout)
        assert call["id"] == "c1"


def test_a_bad_change_changes_nothing_until_mended(place: Place) -> None:
    with started(place) as daemon:
        place.replace("agents", "desk: PJSIP/1002", "desk: 1002")
        daemon.wait_for("what was in force stays in force")
        assert "agents.yaml:3:42: " in daemon.log
        config = status(place)["config"]
        assert isinstance(config, dict)
        assert config["state"] == "bad"
        assert config["problems"][0]["line"] == 3
        shown = place.call("status").stdout
        assert "mistakes in the configuration" in shown
        assert "agents.yaml:3:42: " in shown
        assert place.call("agent", "bob").returncode == 0
        place.write("agents", AGENTS)
        daemon.wait_for("the configuration is good again")
        assert "mistakes" not in place.call("status").stdout


def test_a_file_that_is_only_touched_is_not_taken_up(place: Place) -> None:
    with started(place) as daemon:
        (place.config / "agents.yaml").touch()
        place.replace("agents", "Bob Jones", "Bob Smith")
        daemon.wait_for("configuration: bob: name Bob Jones -> Bob Smith")
        assert daemon.log.count("routing table in force") == 1


def test_sighup_reads_again_and_says_so(place: Place) -> None:
    with started(place) as daemon:
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("configuration: read again, nothing has changed")


def test_what_needs_a_restart_is_said(place: Place) -> None:
    with started(place) as daemon:
        place.replace("callrouter", str(place.port), "1")
        place.replace("callrouter", "not-a-real-one", "another-secret")
        daemon.wait_for("http: listen 127.0.0.1:")
        daemon.wait_for("it counts after a restart")
        assert "pbx office: secret changed" in daemon.log
        assert "another-secret" not in daemon.log
        assert (
            "after a restart: pbx office: secret changed, http: listen"
            in place.call("status").stdout
        )


def test_agents_and_queues_come_and_go(place: Place) -> None:
    with started(place) as daemon:
        place.write("agents", AGENTS + "  carol: {devices: {desk: PJSIP/1004}}\n")
        place.replace("queues", "  desk: {agents: [front]", "  sales: {agents: [carol]")
        daemon.wait_for("configuration: agent carol is new (1 device)")
        daemon.wait_for("configuration: queue sales is new")
        assert "configuration: queue desk is gone" in daemon.log


# ---------------------------------------------------------------- systemd


def test_systemd_is_told(place: Place) -> None:
    path = place.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "200000"}
        with started(place, env=env) as daemon:
            heard = [_heard(manager) for _ in range(3)]
            daemon.stop()
            assert any(text.startswith("READY=1\n") for text in heard)
            assert "WATCHDOG=1" in heard
            assert heard[-1] == "WATCHDOG=1"
            while not (text := _heard(manager)).startswith("STOPPING=1"):
                assert text == "WATCHDOG=1"


def _heard(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def test_not_ready_before_a_pbx_is_in_step(place: Place) -> None:
    path = place.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(0.7)
        with (
            started(place, {"in_step": False}, env={"NOTIFY_SOCKET": str(path)}),
            pytest.raises(TimeoutError),
        ):
            _heard(manager)


def test_where_the_socket_goes(place: Place) -> None:
    runtime = place.folder / "systemd"
    runtime.mkdir()
    env = {"RUNTIME_DIRECTORY": str(runtime)}
    with started(place, env=env):
        assert len(list(runtime.glob("*.sock"))) == 1
        assert place.call("status", env=env).returncode == 0
    with started(place, env={"CALLROUTER_SOCKET": str(place.folder / "my.sock")}) as daemon:
        explicit = {"CALLROUTER_SOCKET": str(place.folder / "my.sock")}
        assert place.call("status", env=explicit).returncode == 0
        assert place.call("status").returncode == 3
        _stops(daemon)


def _stops(daemon: Daemon) -> None:
    assert daemon.stop() == 0
