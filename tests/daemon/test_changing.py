"""diff, reload, history, rollback: with the daemon, and without."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

from tests.daemon.process import AGENTS, Daemon, Place, started


def say(place: Place, *words: str, status: int = 0) -> list[str]:
    answer = place.call(*words)
    assert answer.returncode == status, answer
    return (answer.stdout + answer.stderr).splitlines()


def change(place: Place, daemon: Daemon, old: str, new: str, file: str = "agents") -> None:
    place.replace(file, old, new)
    if say(place, "reload") == ["nothing has changed"]:
        # The daemon, which looks at the files by itself, was quicker than the command.
        assert say(place, "diff") == ["nothing would change"]


def test_diff(place: Place) -> None:
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        assert say(place, "diff") == ["nothing would change"]
        copy = place.folder / "copy"
        copy.mkdir()
        for path in place.config.glob("*.yaml"):
            (copy / path.name).write_text(path.read_text().replace("bob: 2", "bob: 1"))
        assert say(place, "diff", str(copy)) == ["bob moves from priority 2 to 1 in support"]
        (copy / "queues.yaml").write_text("queues: {support: {agents: {bbo: 1}}}\n")
        lines = say(place, "diff", str(copy), status=1)
        assert lines[0] == "queues.yaml:1:29: unknown agent 'bbo' (did you mean 'bob'?)"
        view = json.loads(place.call("diff", str(copy), "--json").stdout)
        assert (view["ok"], view["problems"][0]["line"]) == (False, 1)
        assert "is not a folder" in say(place, "diff", "/nowhere", status=2)[0]
        place.replace("agents", "desk: PJSIP/1002", "desk: 1002")
        assert say(place, "diff", status=1)[0].startswith("agents.yaml:3:42: ")
    assert say(place, "diff", status=3)


def test_paths_in_a_copy_are_those_of_the_daemon(place: Place) -> None:
    (place.config / "token").write_text("0123456789abcdef")
    place.replace("callrouter", "token: 0123456789abcdef", "token: '${file:token}'")
    copy = place.folder / "copy"
    copy.mkdir()
    for path in place.config.glob("*.yaml"):
        (copy / path.name).write_text(path.read_text())
    with started(place):
        assert say(place, "diff", str(copy)) == ["nothing would change"]


def test_history_and_rollback(place: Place) -> None:
    (place.config / "agents.yaml").chmod(0o640)
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        assert say(place, "history") == [
            "no change has been applied since the daemon was first started"
        ]
        change(place, daemon, "Bob Jones", "Bob Smith")
        change(place, daemon, "bob: 2", "bob: 1", "queues")
        place.write("extra", "users: {}\n")
        say(place, "reload")
        newest, *_, oldest = say(place, "history")
        # The watch may have been quicker than the command.
        assert re.search(r"  \S+(?: \(reload\))?: only comments or layout$", newest)
        assert re.search(r"  \S+(?: \(reload\))?: bob: name Bob Jones -> Bob Smith$", oldest)
        assert oldest.split()[0] == "1"
        shown = say(place, "history", "1")
        assert shown[1] == "  bob: name Bob Jones -> Bob Smith"
        assert "+++ after/agents.yaml" in shown
        assert "-  bob: {name: Bob Jones, devices: {desk: PJSIP/1002}}" in shown
        view = json.loads(place.call("history", "--json").stdout)
        assert [item["number"] for item in view] == [3, 2, 1]

        assert say(place, "rollback", "1", "--dry-run") == [
            "bob: name Bob Smith -> Bob Jones",
            "bob moves from priority 1 to 2 in support",
        ]
        assert (place.config / "extra.yaml").exists()
        lines = say(place, "rollback", "1")
        assert lines[-1] == "done; the daemon has taken it up"
        assert not (place.config / "extra.yaml").exists()
        assert (place.config / "agents.yaml").read_text() == AGENTS
        assert stat.S_IMODE((place.config / "agents.yaml").stat().st_mode) == 0o640
        assert "(rollback to before 1): bob: name Bob Smith" in say(place, "history")[0]
        assert say(place, "rollback", "1") == [
            "nothing to restore: the files are already like that"
        ]
        assert say(place, "rollback", "99", status=2)
        daemon.wait_for("configuration: bob: name Bob Smith -> Bob Jones")
    history = place.config / "history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o700
    assert (history / ".gitignore").read_text() == "*\n"
    for path in history.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_back_to_what_is_in_force(place: Place) -> None:
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        place.replace("queues", "policy", "polciy")
        daemon.wait_for("what was in force stays in force")
        lines = say(place, "rollback")
        assert "it is kept in " in lines[1]
        assert "polciy" in Path(lines[1].rpartition(" ")[2]).read_text()
        daemon.wait_for("the configuration is good again")


def test_a_rollback_that_would_not_pass_check(place: Place) -> None:
    (place.config / "token").write_text("0123456789abcdef")
    place.replace("callrouter", "token: 0123456789abcdef", "token: '${file:token}'")
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        place.replace("callrouter", "token: '${file:token}'", "token: 0123456789abcdef")
        say(place, "reload")
        (place.config / "token").unlink()
        lines = say(place, "rollback", "1", status=1)
        assert lines[0].startswith("callrouter.yaml:5:")
        assert "would not pass" in lines[-1]
        assert "${file" not in (place.config / "callrouter.yaml").read_text()


def test_changes_while_the_daemon_did_not_run(place: Place) -> None:
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        place.replace("agents", "Bob Jones", "Bob Smith")
        say(place, "reload")  # which a slow machine may have done by itself before
    place.replace("queues", "bob: 2", "bob: 1")
    assert say(place, "history")[0].startswith("  1  ")
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        line = say(place, "history")[0]
        assert line.endswith("(before the start): bob moves from priority 2 to 1 in support")
    lines = say(place, "rollback", "2")
    assert lines[-1] == "done; the daemon does not run, and starts with these files"
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        assert "(rollback to before 2): bob moves from priority 1 to 2" in say(place, "history")[0]


def test_a_change_by_file_is_its_owners(place: Place) -> None:
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        place.replace("agents", "Bob Jones", "Bob Smith")
        if os.getuid() == 0:
            os.chown(place.config / "agents.yaml", 12345, -1)
        daemon.wait_for("configuration: bob: name")
        who = "user 12345" if os.getuid() == 0 else "  "
        assert who in say(place, "history")[0]
