"""Files that have lost something, and files that cannot be used at a start: no caller is thrown out by either."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.daemon.process import BUSY, QUEUES, Place, started, until

SCENE = {"calls": [["c1", "support", "+44770090001", "x"], ["c2", "desk", "+44770090002", "y"]]}
FOUND = {"found": [["c1", "support"], ["c2", "desk"]], "in_step": True}
HELD = "configuration held back: "
IN_FORCE = "what was in force stays in force"


def ask(place: Place, path: str) -> Any:
    """What the API says; a command of the command line takes a hundred times as long to begin."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{place.port}/api/{path}",
        headers={"Authorization": "Bearer 0123456789abcdef"},
    )
    with urllib.request.urlopen(request, timeout=BUSY) as answer:
        return json.load(answer)


def status(place: Place) -> dict[str, Any]:
    return ask(place, "status")["config"]  # type: ignore[no-any-return]


def waiting(place: Place) -> list[str]:
    return sorted(call["id"] for call in ask(place, "calls?only=live"))


def git(place: Place, *words: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    environ = {"PATH": os.environ["PATH"], "HOME": str(place.folder)}
    subprocess.run(
        ["git", *who, *words], cwd=place.config, check=True, env=environ, capture_output=True
    )


def stashed(place: Place) -> Callable[[], None]:
    """The queues are in no commit yet, and are stashed."""
    (place.config / ".gitignore").write_text("history/\n*.db*\n")
    git(place, "init", "-q")
    git(place, "add", "callrouter.yaml", "agents.yaml", ".gitignore")
    git(place, "commit", "-qm", "x")
    git(place, "stash", "-q", "--include-untracked")
    return lambda: git(place, "stash", "pop", "-q")


def written(text: str) -> Callable[[Place], Callable[[], None]]:
    def write(place: Place) -> Callable[[], None]:
        place.write("queues", text)
        return lambda: place.write("queues", QUEUES)

    return write


def deleted(place: Place) -> Callable[[], None]:
    (place.config / "queues.yaml").unlink()
    return lambda: place.write("queues", QUEUES)


def in_place(place: Place) -> Callable[[], None]:
    """As `rsync --inplace` of a slow line does: the same file, cut, and then written on."""
    with (place.config / "queues.yaml").open("r+b") as file:
        file.truncate(len("queues:\n"))

    def on() -> None:
        with (place.config / "queues.yaml").open("r+b") as file:
            file.write(QUEUES.encode())

    return on


CUT = {
    "cut at a line end": written("".join(QUEUES.splitlines(keepends=True)[:2])),
    "emptied": written(""),
    "only a section's name": written("queues:\n"),
    "deleted": deleted,
    "in place": in_place,
    "stashed": stashed,
    "members cut short": written(QUEUES.replace(", agents: {alice: 1, bob: 2}", "")),
}


@pytest.mark.parametrize("how", CUT)
def test_callers_of_what_is_lost_wait_on(place: Place, how: str) -> None:
    with started(place, {**SCENE, "in_step": True}) as daemon:
        until(lambda: waiting(place) == ["c1", "c2"])
        put_back = CUT[how](place)
        daemon.wait_for(HELD)
        daemon.wait_for(IN_FORCE)
        assert "callrouter reload" in daemon.log
        config = status(place)
        assert config["state"] == "held"
        assert config["held"]
        shown = place.call("status").stdout
        assert "held back" in shown
        assert config["held"][0].split(",")[0] in " ".join(shown.split())
        said = place.call("diff").stdout
        assert f"held back: {config['held'][0]}" in said
        checked = place.call("check")
        assert checked.returncode == 0
        assert f"held back by the daemon: {config['held'][0]}" in checked.stdout
        assert "callrouter reload" in checked.stdout
        assert waiting(place) == ["c1", "c2"]
        put_back()
        daemon.wait_for("nothing is held back any more")
        assert status(place)["state"] == "good"
        assert waiting(place) == ["c1", "c2"]
        assert "left" not in "".join(daemon.log.splitlines()[-30:]).replace("left of", "")
        assert "held back" not in place.call("check").stdout


def test_a_second_sign_takes_it_up_and_those_who_wait_are_served(place: Place) -> None:
    with started(place, {**SCENE, "in_step": True}) as daemon:
        until(lambda: waiting(place) == ["c1", "c2"])
        place.write("queues", "".join(QUEUES.splitlines(keepends=True)[:2]))
        answer = place.call("reload")
        assert answer.returncode == 0, answer
        assert "taken away: queue desk is gone, and 1 caller is in it" in answer.stdout
        assert "queue desk is gone; it serves those who wait in it" in answer.stdout
        assert status(place)["state"] == "good"
        assert waiting(place) == ["c1", "c2"]
        assert "configuration: confirmed by " in daemon.log
    with started(place, FOUND):  # a restart throws no caller out either
        until(lambda: waiting(place) == ["c1", "c2"])


def test_a_hangup_signal_is_a_second_sign(place: Place) -> None:
    with started(place, {**SCENE, "in_step": True}) as daemon:
        until(lambda: waiting(place) == ["c1", "c2"])
        place.write("queues", "")
        daemon.wait_for(HELD)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("configuration: confirmed: ")
        daemon.wait_for("configuration: queue support is gone")
        assert waiting(place) == ["c1", "c2"]


def test_at_once_waits_for_nothing(place: Place) -> None:
    place.write("reload", "reload: {removals: at-once}\n")
    with started(place, {**SCENE, "in_step": True}) as daemon:
        until(lambda: waiting(place) == ["c1", "c2"])
        place.write("queues", "")
        daemon.wait_for("configuration: queue support is gone")
        assert HELD not in daemon.log
        assert waiting(place) == ["c1", "c2"]


def test_a_small_change_needs_no_second_sign(place: Place) -> None:
    with started(place, {"calls": SCENE["calls"][:1], "in_step": True}) as daemon:
        until(lambda: waiting(place) == ["c1"])
        place.write("queues", "".join(QUEUES.splitlines(keepends=True)[:2]))
        daemon.wait_for("configuration: queue desk is gone")
        assert HELD not in daemon.log


def test_a_restart_while_held_back_starts_with_what_was_in_force(place: Place) -> None:
    with started(place, {**SCENE, "in_step": True}) as daemon:
        until(lambda: waiting(place) == ["c1", "c2"])
        place.write("queues", "".join(QUEUES.splitlines(keepends=True)[:2]))
        daemon.wait_for(IN_FORCE)
        daemon.process.kill()
        daemon.wait()
    with started(place, FOUND) as daemon:
        daemon.wait_for("started with the last good configuration")
        assert f"{HELD}queue desk is gone" in daemon.log
        until(lambda: waiting(place) == ["c1", "c2"])
        config = status(place)
        assert (config["state"], config["last_good"]) == ("held", True)
        assert health(place) == {"config": "last-good"}
        place.write("queues", QUEUES)
        daemon.wait_for("nothing is held back any more")
        config = status(place)
        assert (config["state"], config["last_good"]) == ("good", False)
        assert health(place) == {}


def health(place: Place) -> dict[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{place.port}/healthz") as answer:
        view = json.loads(answer.read())
    return {key: view[key] for key in ("config",) if key in view}


def spoilt(place: Place) -> None:
    place.replace("queues", "policy: priority", "polciy: priority")


def gone(place: Place) -> None:
    (place.config / "queues.yaml").unlink()


def unreadable(place: Place) -> None:
    path = place.config / "queues.yaml"
    path.unlink()
    path.mkdir()  # which no user can read, root included


def emptied(place: Place) -> None:
    place.write("queues", "")


def all_gone(place: Place) -> None:
    for path in place.config.glob("*.yaml"):
        path.unlink()


@pytest.mark.parametrize("how", [spoilt, gone, unreadable, emptied, all_gone])
def test_a_start_with_files_that_cannot_be_used(place: Place, how: Callable[[Place], None]) -> None:
    kept = place.folder / "kept"
    shutil.copytree(place.config, kept)
    with started(place, {"in_step": True}):
        until((place.config / "history/head.json").exists)
    how(place)
    with started(place, FOUND) as daemon:
        daemon.wait_for("started with the last good configuration")
        until(lambda: waiting(place) == ["c1", "c2"])
        config = status(place)
        assert config["last_good"]
        assert config["state"] in {"bad", "held"}
        assert health(place) == {"config": "last-good"}
        assert "last good configuration" in " ".join(place.call("status").stdout.split())
        checked = " ".join(place.call("check").stdout.split())
        assert "in force" in checked
        path = place.config / "queues.yaml"
        if path.is_dir():
            path.rmdir()
        for file in kept.glob("*.yaml"):
            shutil.copy(file, place.config / file.name)
        until(lambda: status(place)["state"] == "good")
        assert not status(place)["last_good"]
        assert waiting(place) == ["c1", "c2"]


def test_other_files_put_in_place_while_no_daemon_runs_are_taken(place: Place) -> None:
    with started(place, {"in_step": True}):
        until((place.config / "history/head.json").exists)
    (place.config / "queues.yaml").unlink()
    place.write(
        "agents", "agents: {zoe: {devices: {desk: PJSIP/7}}}\nqueues: {q: {agents: [zoe]}}\n"
    )
    with started(place, {"in_step": True}) as daemon:
        assert "last good" not in daemon.log
        assert [agent["id"] for agent in ask(place, "agents")] == ["zoe"]


def test_what_was_held_back_for_its_agents_alone_stays_so_over_a_restart(place: Place) -> None:
    with started(place, {**SCENE, "in_step": True}) as daemon:
        until(lambda: waiting(place) == ["c1", "c2"])
        place.write("queues", QUEUES.replace(", agents: {alice: 1, bob: 2}", ", agents: []"))
        daemon.wait_for(IN_FORCE)
    with started(place, FOUND) as daemon:
        daemon.wait_for("configuration held back: queue support loses all of its agents")
        until(lambda: waiting(place) == ["c1", "c2"])


def test_a_first_start_with_a_mistake_ends(place: Place) -> None:
    spoilt(place)
    answer = place.call("run")
    assert answer.returncode == 2
    assert "polciy" in answer.stderr


def test_last_good_files_that_were_tampered_with_are_not_used(place: Place) -> None:
    with started(place, {"in_step": True}):
        until((place.config / "history/head.json").exists)
    spoilt(place)
    for path in (place.config / "history/files").iterdir():
        path.write_bytes(path.read_bytes() + b"# more\n")
    answer = place.call("run")
    assert answer.returncode == 2
    assert "is not what it was" in answer.stderr or "polciy" in answer.stderr


def test_small_changes_while_no_daemon_runs_are_taken_up_at_the_start(place: Place) -> None:
    with started(place, {"in_step": True}):
        until((place.config / "history/head.json").exists)
    place.write("queues", "".join(QUEUES.splitlines(keepends=True)[:2]))
    with started(place, FOUND):
        until(lambda: waiting(place) == ["c1", "c2"])  # c2 waits in a queue that is no more
        assert status(place)["state"] == "good"
        assert sorted(queue["id"] for queue in ask(place, "queues")) == ["desk", "support"]
