"""A running daemon stays quick with a bad file, and tells of it without a word that may be a secret."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest

from tests.daemon.process import BUSY, Place, started, until

MARKER = "7hUnterTw0-x9Zq"
HEADERS = {"Authorization": "Bearer 0123456789abcdef"}
BROKEN = (
    f"secret = {MARKER}\n",
    f"pbx: {{office: {{driver: asterisk, username: u, secret:{MARKER}}}}}\n",
    f"pbx:\n  office:\n    driver: asterisk\n    pass: {MARKER}\n",
    f"http:\n  api_tokens:\n    - name: x\n      token:\n      {MARKER}\n",
    f"users:\n  sam: {{role: admin, password: ${{{MARKER}}}}}\n",
    f"pbx:\n  b:\n    ? secret\n    : {MARKER}: x\n",
)


def asked(place: Place, path: str) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{place.port}{path}", headers=HEADERS)
    with urllib.request.urlopen(request, timeout=BUSY) as answer:
        found: bytes = answer.read()
    return found


def problems(place: Place) -> int:
    return len(json.loads(asked(place, "/api/status"))["config"]["problems"])


def test_a_long_wrong_line_stops_nothing(place: Place) -> None:
    """60,000 letters in one wrong line once held every call up for 44 s."""
    with started(place, {"in_step": True}) as daemon:
        place.write("more", "nonsense: {a: " + "b" * 60_000 + "\n")
        slowest = 0.0
        end = time.monotonic() + BUSY
        while problems(place) == 0 and time.monotonic() < end:
            began = time.monotonic()
            asked(place, "/healthz")
            time.sleep(0.05)
            slowest = max(slowest, time.monotonic() - began - 0.05)
        assert problems(place) > 0
        assert slowest < 5
        assert len(asked(place, "/api/status")) < 100_000
        assert len(daemon.log) < 100_000
        # Many mistakes: the first hundred, and how many more.
        place.write("more", "nonsense: 1\nagents2: [" + "x, " * 10_000 + "]\n" + "".join(
            f"key{n}: {'y' * 1_000}\n" for n in range(10_000)
        ))  # fmt: skip
        until(lambda: problems(place) == 101, BUSY)
        assert len(asked(place, "/api/status")) < 200_000
        assert len(daemon.log) < 300_000
        assert place.call("check").stdout.count("\n") < 500


@pytest.mark.timeout(180)  # it starts thirty commands
def test_no_answer_and_no_line_has_a_secret(place: Place) -> None:
    with started(place, {"in_step": True}) as daemon:
        said = b""
        for n, text in enumerate(BROKEN):
            place.write("more", text)
            until(lambda: problems(place) > 0, BUSY)
            said += asked(place, "/api/status") + asked(place, "/api/config/diff")
            for words in (
                ["check"],
                ["check", "--json"],
                ["diff"],
                ["status", "--json"],
                ["reload"],
            ):
                answer = place.call(*words)
                said += (answer.stdout + answer.stderr).encode()
            place.write("more", f"# good {n}\n")
            until(lambda: problems(place) == 0, BUSY)
        assert MARKER.encode() not in said
        assert MARKER not in daemon.log
        assert "mistake" in daemon.log


def test_history_shows_no_secret(place: Place) -> None:
    with started(place, {"in_step": True}):
        for word in ("one", "two"):
            text = (place.config / "callrouter.yaml").read_text()
            before = text.partition("secret: ")[2].partition("}")[0]
            place.replace("callrouter", f"secret: {before}", f"secret: {MARKER}{word}")
            assert place.call("reload").returncode == 0
        said = place.call("history", "1").stdout + place.call("history", "--json", "2").stdout
        assert "secret: …" in said
        assert "-  office: {driver: asterisk" in said
        assert MARKER not in said
        assert "not-a-real-one" not in said
