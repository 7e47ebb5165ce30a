"""Commands that ask a daemon elsewhere: --url and --token, CALLROUTER_URL and CALLROUTER_TOKEN."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from callrouter.cli.remote_daemon import RemoteDaemon
from tests.daemon.process import Daemon, Place, free_port

TOKEN = "0123456789abcdef"


@contextmanager
def far(place: Place, **env: str) -> Iterator[None]:
    """Neither folder nor socket of the daemon can be found, as on another machine."""
    kept = dict(place.environ)
    place.environ.update({"XDG_RUNTIME_DIR": "/nowhere", **env})
    del place.environ["CALLROUTER_CONFIG"]
    try:
        yield
    finally:
        place.environ.clear()
        place.environ.update(kept)


@pytest.mark.timeout(180)
def test_every_live_command(place: Place, running: Daemon) -> None:
    url = f"http://127.0.0.1:{place.port}"
    with far(place, CALLROUTER_URL=url, CALLROUTER_TOKEN=TOKEN):
        for words in (
            ["status"],
            ["queues"],
            ["agents"],
            ["calls"],
            ["agent", "alice"],
            ["agent", "alice", "sign-in"],
            ["agent", "alice", "sign-out"],
            ["device", "list", "alice"],
            ["why", "c3"],
            ["why-not", "bob"],
            ["diff"],
            ["reload"],
        ):
            answer = place.call(*words)
            assert (answer.returncode, answer.stderr) == (0, ""), (words, answer)
            assert answer.stdout
        assert "alice" in place.call("agents").stdout
    with far(place):
        for words in (
            ["--url", url, "--token", TOKEN, "agents", "--json"],
            ["agents", "--url", f"{url}/", "--json", f"--token={TOKEN}"],
            ["agents", "--url", f"{url}/api", "--token", TOKEN, "--json"],
        ):
            answer = place.call(*words)
            assert [view["id"] for view in json.loads(answer.stdout)] == ["alice", "bob", "front"]


def test_what_was_asked_elsewhere_is_put_down_to_the_token(place: Place, running: Daemon) -> None:
    with far(place, CALLROUTER_URL=f"http://127.0.0.1:{place.port}", CALLROUTER_TOKEN=TOKEN):
        assert place.call("agent", "bob", "sign-in").returncode == 0
        assert place.call("agent", "bob", "sign-out").returncode == 0
    running.wait_for("by crm")
    assert TOKEN not in running.log


def test_the_option_counts_more_than_the_environment(place: Place, running: Daemon) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    folder = str(place.config)
    here = place.call("agents", "--config", folder, env={"CALLROUTER_URL": dead})
    assert here.returncode == 0, here
    with far(place, CALLROUTER_URL=dead, CALLROUTER_TOKEN="wrong"):
        words = ["--url", f"http://127.0.0.1:{place.port}", "--token", TOKEN]
        assert place.call("status", *words).returncode == 0


def test_no_is_said_in_words(place: Place, running: Daemon) -> None:
    with far(place, CALLROUTER_URL=f"http://127.0.0.1:{place.port}"):
        answer = place.call("status")
        assert answer.returncode == 1
        assert "give a token with CALLROUTER_TOKEN or --token" in answer.stderr
        answer = place.call("status", "--token", "not-the-right-one")
        assert answer.returncode == 1
        assert "token" in answer.stderr
        assert "not-the-right-one" not in answer.stderr
        answer = place.call("agent", "alcie", "--token", TOKEN)
        assert (answer.returncode, answer.stderr) == (
            2,
            "callrouter: there is no agent 'alcie'; did you mean 'alice'?\n",
        )


def test_what_cannot_be_reached(place: Place, running: Daemon) -> None:
    port = free_port()
    with far(place):
        for url, said in (
            (f"http://127.0.0.1:{port}", "Connection refused"),
            ("http://callrouter.invalid", "cannot be reached"),
            (f"https://127.0.0.1:{place.port}", "is it http:// or another port?"),
        ):
            answer = place.call("status", "--url", url, "--token", TOKEN)
            assert answer.returncode == 3, answer
            assert said in answer.stderr
            assert TOKEN not in answer.stderr
            assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (200, {}, "answers, but not as callrouter does (HTTP status 200)"),
        (301, {"Location": "https://x.example/"}, "sends us on to https://x.example/"),
        (502, {}, "(HTTP status 502)"),
    ],
)
def test_another_server_answers(
    place: Place, status: int, headers: dict[str, str], said: str
) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for item in headers.items():
                self.send_header(*item)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        answer = place.call("status", "--url", url, "--token", TOKEN)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert answer.returncode == 3
    assert said in answer.stderr
    assert TOKEN not in answer.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "--url", "http://x"], "check works on this machine's files"),
        (["history", "--url", "http://x"], "history works on this machine's files"),
        (["status", "--url", "http://x", "--config", "x"], "name two daemons"),
        (["status", "--token", "x"], "--token is for a daemon that --url"),
        (["status", "--url", "calls.example.com"], "not an http:// or https:// address"),
        (["status", "--url", ""], "not an http:// or https:// address"),
        (["status", "--url", "ftp://x"], "not an http:// or https:// address"),
        (["status", "--url", "http://a:b@x"], "has a user or password in it"),
        (["status", "--url", "http://x:99999"], "is not an address"),
        (["status", "--url", "http://x/?a=b"], "has a ? or # in it"),
        (["status", "--url", "http://x/a b"], "characters that an address cannot have"),
        (["status", "--url", "http://x", "--token", "a\r\nb: c"], "token has characters"),
        (["diff", "--url", "http://x", "/tmp"], "/tmp is on this machine"),
    ],
)
def test_what_makes_no_sense(place: Place, words: list[str], said: str) -> None:
    answer = place.call(*words)
    assert answer.returncode == 2, answer
    assert said in answer.stderr
    assert "a:b" not in answer.stderr


@pytest.mark.parametrize(
    ("url", "token", "exposed"),
    [
        ("http://calls.example.com", "t", True),
        ("http://calls.example.com", "", False),
        ("https://calls.example.com", "t", False),
        ("http://localhost:8080", "t", False),
        ("http://127.0.0.1:8080", "t", False),
        ("http://[::1]:8080", "t", False),
        ("http://10.0.0.7", "t", True),
    ],
)
def test_a_token_that_crosses_a_network_unencrypted(url: str, token: str, exposed: bool) -> None:
    assert RemoteDaemon.parse(url, token).exposes_token is exposed


def test_the_warning_about_it(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as refused:
        name = f"http://{socket.gethostname()}.invalid:{refused.getsockname()[1]}"
        answer = place.call("status", "--url", name, "--token", TOKEN)
    assert answer.returncode == 3
    assert "warning: the token goes to" in answer.stderr
    assert TOKEN not in answer.stderr


def test_the_address_as_people_see_it() -> None:
    made = RemoteDaemon.parse(" https://[::1]:8443/calls/api/ ", " t ")
    assert (made.shown, made.prefix, made.token) == ("https://[::1]:8443/calls", "/calls", "t")
