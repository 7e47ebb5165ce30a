"""Where options may stand, and what is meant by a word that is not quite right."""

from __future__ import annotations

import json

import click
import pytest

from callrouter.cli.global_options import in_order
from callrouter.cli.suggestions import near
from tests.daemon.process import Daemon, Place


@pytest.mark.parametrize(
    ("words", "ordered"),
    [
        ("check --config x", "--config x check"),
        ("check --config=x", "--config=x check"),
        ("--json status", "status --json"),
        ("--watch --json calls --ended", "calls --ended --watch --json"),
        ("--json device list alice", "device list alice --json"),
        ("agent bob --url http://x --token t pause", "--url http://x --token t agent bob pause"),
        ("agent bob pause -- --config x", "agent bob pause -- --config x"),
        ("--json call c1 hold -- x", "call c1 hold --json -- x"),
        ("status --json", "status --json"),
        ("", ""),
    ],
)
def test_the_order_of_words(words: str, ordered: str) -> None:
    assert in_order(words.split()) == ordered.split()


def test_an_option_without_its_value() -> None:
    with pytest.raises(click.BadOptionUsage, match="'--config' requires an argument"):
        in_order(["check", "--config"])


def test_options_stand_before_and_behind_the_command(place: Place, running: Daemon) -> None:
    del place.environ["CALLROUTER_CONFIG"]
    try:
        folder = str(place.config)
        outputs = [
            place.call(*words)
            for words in (
                ["--config", folder, "--json", "agent", "bob"],
                ["agent", "--config", folder, "bob", "--json"],
                ["agent", "bob", "--json", f"--config={folder}"],
                ["--json", "agent", "bob", "--config", folder],
            )
        ]
        for output in outputs:
            assert output.returncode == 0, output
            assert json.loads(output.stdout)["id"] == "bob"
        assert json.loads(place.call("--json", "device", "list", "bob", "--config", folder).stdout)
        checked = place.call("check", "--config", "/nowhere")
        assert (checked.returncode, checked.stderr) == (
            2,
            "callrouter: --config says /nowhere, which does not exist\n",
        )
        lacks = place.call("check", "--config")
        assert lacks.returncode == 2
        assert "'--config' requires an argument" in lacks.stderr
    finally:
        place.environ["CALLROUTER_CONFIG"] = str(place.config)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["stauts"], "No such command 'stauts'. Did you mean 'status'?"),
        (["agnets"], "Did you mean 'agents' or 'agent'?"),
        (["Check"], "Did you mean 'check'?"),
        (["device", "lst", "bob"], "No such command 'lst'. Did you mean 'list'?"),
        (["twilio", "stup"], "Did you mean 'setup'?"),
        (["status", "--jsno"], "Did you mean '--json'?"),
        (["check", "--confg", "x"], "Did you mean '--config'?"),
        (["status", "--tokn", "x"], "Did you mean '--token'?"),
        (["--jsn", "status"], "No such option '--jsn'. Did you mean '--json'?"),
        (["agent", "bob", "sign-inn"], "Did you mean 'sign-in' or 'sign-out'?"),
        (["agent", "bob", "signout"], "Did you mean 'sign-out'?"),
        (["agents", "--state", "ofline"], "Did you mean 'offline'?"),
        (["call", "c1", "tranfer"], "Did you mean 'transfer'?"),
    ],
)
def test_words_of_the_command_line(place: Place, words: list[str], meant: str) -> None:
    answer = place.call(*words)
    assert answer.returncode == 2
    assert meant in answer.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["agent", "alcie"], "there is no agent 'alcie'; did you mean 'alice'?"),
        (["agent", "Bob", "sign-in"], "there is no agent 'Bob'; did you mean 'bob'?"),
        (["agents", "--queue", "suport"], "did you mean 'support'?"),
        (["why-not", "alic"], "did you mean 'alice'?"),
        (["why-not", "alice", "suport"], "did you mean 'support'?"),
        (["device", "list", "alicee"], "did you mean 'alice'?"),
        (["device", "off", "bob", "dsk"], "bob has no device 'dsk'; did you mean 'desk'?"),
        (["call", "ffront", "hold"], "there is no agent or call 'ffront'; did you mean 'front'?"),
        (["why", "c33"], "did you mean 'c3'"),
    ],
)
def test_names_that_the_daemon_knows(
    place: Place, running: Daemon, words: list[str], meant: str
) -> None:
    answer = place.call(*words)
    assert answer.returncode in {1, 2}, answer
    assert meant in answer.stderr
    assert answer.stdout == ""


def test_a_flag_that_a_command_does_not_have(place: Place) -> None:
    for words in (["passwd", "--json"], ["--json", "passwd"], ["agent", "bob", "--watch"]):
        answer = place.call(*words)
        assert answer.returncode == 2
        assert "No such option '--" in answer.stderr
        assert "Did you mean" not in answer.stderr


def test_nothing_is_near(place: Place, running: Daemon) -> None:
    answer = place.call("agent", "zacharias")
    assert (answer.returncode, answer.stderr) == (2, "callrouter: there is no agent 'zacharias'\n")
    assert "Did you mean" not in place.call("xyzzy").stderr


def test_the_nearest_words() -> None:
    assert near("ALICE", ["alice", "bob"]) == ["alice"]
    assert near("sup", ["support", "sales"]) == ["support"]
    assert near("office-1795839848.363", ["office-1795839848.364", "c1"]) == [
        "office-1795839848.364"
    ]
