from __future__ import annotations

import getpass
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from callrouter import __version__
from callrouter.cli import global_options
from callrouter.cli.commands.query import STATES
from callrouter.cli.output_text import CommandFailed
from callrouter.model.agent_status import AgentState
from tests.api.contract import mistakes
from tests.daemon.process import AGENTS, NO_ASTERISK, Daemon, Place


def test_version_and_help(place: Place) -> None:
    assert place.call("--version").stdout == f"callrouter {__version__}\n"
    help_ = place.call("--help")
    assert help_.returncode == 0
    for command in (
        "run",
        "check",
        "status",
        "queues",
        "agents",
        "calls",
        "agent",
        "doctor",
        "why",
        "why-not",
        "device",
        "diff",
    ):
        assert f"\n  {command} " in help_.stdout
        assert place.call(command, "--help").returncode == 0


@pytest.mark.parametrize(
    "words", [["hop"], ["status", "--hop"], ["agent", "bob", "hop"], ["agent"]]
)
def test_bad_usage(place: Place, words: list[str]) -> None:
    answer = place.call(*words)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert "Error: " in answer.stderr


# ---------------------------------------------------------------- the folder


def test_no_folder_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path("/etc/callrouter") == global_options.SYSTEM
    # The machine that runs this test may have one.
    monkeypatch.setattr(global_options, "SYSTEM", tmp_path / "etc" / "callrouter")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandFailed) as caught:
        global_options.choose(None, {})
    assert caught.value.status == 2
    assert f"neither ./config (that is {tmp_path}/config)" in caught.value.message
    assert f"{tmp_path}/etc/callrouter" in caught.value.message
    assert "--config DIR or CALLROUTER_CONFIG" in caught.value.message
    (tmp_path / "etc" / "callrouter").mkdir(parents=True)
    assert global_options.choose(None, {}) == tmp_path / "etc" / "callrouter"


def test_a_folder_that_is_not_there(place: Place) -> None:
    answer = place.call("--config", "/nowhere", "check")
    assert (answer.returncode, answer.stderr) == (
        2,
        "callrouter: --config says /nowhere, which does not exist\n",
    )
    answer = place.call("check", env={"CALLROUTER_CONFIG": "/dev/null"})
    assert (answer.returncode, answer.stderr) == (
        2,
        "callrouter: CALLROUTER_CONFIG says /dev/null, which is not a folder\n",
    )


def test_the_folder_here(place: Place) -> None:
    del place.environ["CALLROUTER_CONFIG"]
    assert str(place.config) in place.call("check").stdout


# ---------------------------------------------------------------- check


def test_check_good(place: Place) -> None:
    place.replace("callrouter", "token: 0123456789abcdef", "token: kQ3x9vLp2mZ8tR5wYb7N4cJd")
    answer = place.call("check")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines()[-1] == (
        f"{place.config}: good, with 3 agents, 2 queues, 1 telephone system; no warnings"
    )


def test_check_says_all_that_is_wrong(place: Place) -> None:
    place.replace("queues", "bob: 2", "bbo: 200")
    place.replace("agents", "sign_in: always", "sign_in: alway")
    answer = place.call("check")
    assert answer.returncode == 1
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("agents.yaml:4:20: ")
    assert any(line.startswith("queues.yaml:2:") for line in lines)
    told = [line for line in lines[:-1] if not line.startswith("    ")]
    assert lines[-1] == f"{place.config}: {len(told)} mistakes"
    assert "sign_in: alway" in lines[1]  # each with the line as it is written
    assert len(lines) - 1 == 2 * len(told)
    view = json.loads(place.call("check", "--json").stdout)
    assert view["ok"] is False
    assert view["problems"][0]["file"] == "agents.yaml"
    assert view["problems"][0]["line"] == 4


def test_check_warns(place: Place) -> None:
    place.write("agents", AGENTS + "  carol: {}\n")
    answer = place.call("check")
    assert answer.returncode == 0
    assert "agents.yaml:5:3: warning: " in answer.stdout
    view = json.loads(place.call("check", "--json").stdout)
    assert (view["ok"], view["warnings"][0]["line"]) == (True, 5)


# ---------------------------------------------------------------- without a daemon


@pytest.mark.parametrize(
    "words", [["status"], ["queues"], ["agents"], ["calls", "--json"], ["agent", "bob", "ready"]]
)
def test_no_daemon(place: Place, words: list[str]) -> None:
    answer = place.call(*words)
    assert answer.returncode == 3
    assert answer.stdout == ""
    assert answer.stderr.startswith(f"callrouter: the daemon for {place.config} does not run; ")


def test_demo_or_a_word_about_it(place: Place) -> None:
    assert place.call("demo", "--help").returncode == 0


def test_doctor_cannot_reach_it(place: Place) -> None:
    answer = place.call("doctor")
    assert answer.returncode == 3
    assert answer.stdout.startswith("this machine\n  - the daemon does not run\n")
    assert f"\noffice: Asterisk at 127.0.0.1:{NO_ASTERISK}\n  ✗ " in answer.stdout
    assert answer.stderr == ""
    answer = place.call("doctor", "--json")
    assert answer.returncode == 3
    here, view = json.loads(answer.stdout)
    assert here["pbx"] is None
    assert (view["pbx"], view["port"], view["ok"]) == ("office", NO_ASTERISK, False)
    assert "refused the connection" in view["findings"][0]["advice"]


def test_dialplan(place: Place) -> None:
    out = place.folder / "new/out"
    answer = place.call("dialplan", "--output", str(out))
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "[callrouter]" in (out / "extensions_callrouter.conf").read_text()
    manager = out / "manager_callrouter.conf"
    assert "not-a-real-one" in manager.read_text()
    assert manager.stat().st_mode & 0o007 == 0
    assert "not-a-real-one" not in answer.stdout
    answer = place.call("dialplan", "--output", str(manager / "x"))
    assert answer.returncode == 2
    assert "see --output DIR" in answer.stderr


# ---------------------------------------------------------------- with a daemon


def test_tables(place: Place, running: Daemon) -> None:
    status = place.call("status")
    assert (status.returncode, status.stderr) == (0, "")
    assert "pbx office  up a scene\n" in status.stdout
    assert "calls       3 waiting\n" in status.stdout
    queues = place.call("queues").stdout
    assert "Place" in queues
    agents = place.call("agents").stdout
    head, _, columns, first, *_ = agents.splitlines()
    assert head == "3 agents: 1 reserved, 2 offline"
    assert columns.split() == ["Agent", "Name", "State", "For", "Today", "Phones", "Queues"]
    assert first.split()[:2] == ["front", "reserved"]
    for text in (status.stdout, queues, agents):
        assert "\x1b" not in text
        assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("command", ["status", "queues", "agents", "calls"])
def test_tables_fit(place: Place, running: Daemon, command: str, columns: str) -> None:
    lines = place.call(command, env={"COLUMNS": columns}).stdout.splitlines()
    assert max(map(len, lines)) <= int(columns)


@pytest.mark.parametrize("command", [["queues"], ["calls"]])
def test_hostile_names_are_shown_as_they_are(
    place: Place, running: Daemon, command: list[str]
) -> None:
    text = place.call(*command).stdout
    assert "[bold red]evil[/] �[31m�ana" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "withheld" in text


def test_json(place: Place, running: Daemon) -> None:
    for command in ("status", "queues", "agents", "calls"):
        answer = place.call(command, "--json")
        assert answer.returncode == 0
        assert json.loads(answer.stdout)
    assert len(json.loads(place.call("calls", "--json").stdout)) == 3


def test_empty_states_are_said_in_words(place: Place) -> None:
    from tests.daemon.process import started  # noqa: PLC0415

    place.write("agents", "agents: {}\n")
    place.write("queues", "queues: {}\n")
    with started(place):
        assert place.call("queues").stdout == "no queues\n"
        assert place.call("agents").stdout == "no agents\n"
        assert place.call("calls").stdout == "no calls\n"
        assert "no calls have ended" in place.call("calls", "--ended").stdout


def test_nobody_waits(place: Place) -> None:
    from tests.daemon.process import started  # noqa: PLC0415

    with started(place):
        assert place.call("queues").stdout.endswith("\nno caller waits\n")


def test_an_agents_day(place: Place, running: Daemon) -> None:
    def say(*words: str) -> str:
        answer = place.call("agent", *words)
        assert (answer.returncode, answer.stderr) == (0, ""), answer
        return answer.stdout

    assert say("bob").startswith("bob (Bob Jones) is offline")
    assert say("bob", "sign-in") == "bob (Bob Jones) is reserved\n"
    said = say("bob", "pause", "long", "lunch")
    assert said.startswith("bob (Bob Jones) is paused: long lunch, by ")
    assert f"paused by {getpass.getuser()}: long lunch" in say("bob")
    assert f"paused long lunch, by {getpass.getuser()}" in place.call("agents").stdout
    assert f": tea, by {getpass.getuser()} at " in say("bob", "pause", "tea")
    running.wait_for(f"agent bob paused: tea (by {getpass.getuser()})")
    say("bob", "resume")
    say("bob", "ready")
    assert json.loads(place.call("agent", "bob", "sign-out", "--json").stdout)["state"] == "offline"
    assert "paused" not in place.call("agents", "--state", "paused").stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["nobody", "ready"], 2, "there is no agent 'nobody'"),
        (["front", "sign-out"], 1, "front is always signed in (sign_in: always); pause instead"),
        (["bob", "pause"], 1, "bob is not signed in"),
        (["bob", "pause", "x" * 300], 2, "'reason' must be one line of 200 characters at most"),
    ],
)
def test_an_agent_who_cannot(
    place: Place, running: Daemon, words: list[str], status: int, text: str
) -> None:
    answer = place.call("agent", *words)
    assert (answer.returncode, answer.stdout, answer.stderr) == (
        status,
        "",
        f"callrouter: {text}\n",
    )


def test_a_reason_where_none_belongs(place: Place) -> None:
    answer = place.call("agent", "bob", "ready", "now")
    assert answer.returncode == 2
    assert "only pause takes a reason" in answer.stderr


def test_agents_of_a_queue(place: Place, running: Daemon) -> None:
    views = json.loads(place.call("agents", "--queue", "support", "--json").stdout)
    assert [view["id"] for view in views] == ["alice", "bob"]
    assert place.call("agents", "--queue", "none").returncode == 2


def test_agents_in_a_state(place: Place, running: Daemon) -> None:
    # Their states change meanwhile: a phone that cannot be rung is tried again and again.
    for _ in range(10):
        every = json.loads(place.call("agents", "--json").stdout)
        state = next(view["state"] for view in every if view["id"] == "front")
        found = json.loads(place.call("agents", "--state", state, "--json").stdout)
        assert {view["state"] for view in found} <= {state}
        if "front" in [view["id"] for view in found]:
            break
    else:
        pytest.fail("front is never among the agents of its own state")
    answer = place.call("agents", "--state", "idle")
    assert answer.returncode == 2
    assert "'idle' is not one of" in answer.stderr
    assert {state.value for state in AgentState} == set(STATES)


def test_watch_in_a_pipe(place: Place, running: Daemon) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "callrouter", "calls", "--watch", "--json"],
        env=place.environ,
        cwd=place.folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        lines = [process.stdout.readline() for _ in range(2)]
        process.stdout.close()
        process.send_signal(2)
        process.wait(10)
    assert [len(json.loads(line)) for line in lines] == [3, 3]


def test_a_reader_that_has_enough(place: Place, running: Daemon) -> None:
    answer = subprocess.run(
        f"{sys.executable} -m callrouter agents --json | head -1",
        shell=True,
        env=place.environ,
        cwd=place.folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert answer.stdout == "[\n"
    assert answer.stderr == ""


@pytest.mark.parametrize(
    ("words", "makes"),
    [
        (["agents", "--json"], ()),
        (["--help"], ()),
        (["init", "new"], ("new/agents.yaml", "new/queues.yaml", "new/callrouter.yaml")),
        (
            ["--config", "etc", "dialplan", "--output", "dial"],
            ("dial/extensions_callrouter.conf", "dial/manager_callrouter.conf"),
        ),
    ],
)
def test_a_reader_that_has_gone_already_is_no_error(
    place: Place, running: Daemon, words: list[str], makes: tuple[str, ...]
) -> None:
    (place.folder / "etc").mkdir(exist_ok=True)
    (place.folder / "etc/callrouter.yaml").write_text(_ASTERISK)
    process = subprocess.Popen(
        [sys.executable, "-c", _GONE, *words],
        env=place.environ,
        cwd=place.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        status = process.wait(60)
    assert (status, said) == (0, b"")
    assert all((place.folder / name).is_file() for name in makes)


_ASTERISK = """\
pbx: {office: {driver: asterisk, username: callrouter, secret: kQ3x9vLp2mZ8}}
agents: {alice: {devices: {desk: PJSIP/1001}}}
queues: {support: {agents: [alice]}}
"""
_GONE = "import time; time.sleep(0.3); from callrouter.cli.main import main; main()"
"""It writes when its reader has gone."""


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("words", "schema"),
    [
        (["status"], {"$ref": "#/components/schemas/Status"}),
        (["queues"], {"items": {"$ref": "#/components/schemas/Queue"}}),
        (["agents"], {"items": {"$ref": "#/components/schemas/Agent"}}),
        (["calls"], {"items": {"$ref": "#/components/schemas/Call"}}),
        (["why", "c1"], {"$ref": "#/components/schemas/Why"}),
        (["why-not", "bob"], {"$ref": "#/components/schemas/WhyNot"}),
        (["device", "list", "bob"], {"items": {"$ref": "#/components/schemas/OwnDevice"}}),
        (["diff"], {"$ref": "#/components/schemas/Outcome"}),
    ],
    ids=lambda item: item[0] if isinstance(item, list) else "",
)
def test_what_a_daemon_answers_is_in_the_document(
    place: Place, running: Daemon, words: list[str], schema: dict[str, Any]
) -> None:
    """The tests of the API have no store, loop or mobiles; a daemon has all of them."""
    answer = json.loads(place.call(*words, "--json").stdout)
    assert answer
    assert mistakes(answer, schema) == []
