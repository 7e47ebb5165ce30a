"""The daemon as a process: its files are edited over HTTP while editors on the server write too."""

from __future__ import annotations

import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.process import QUEUES, Daemon, Place, started, until

TOKENS = (
    "{name: crm, role: supervisor, token: 0123456789abcdef}, "
    "{name: boss, role: admin, token: fedcba9876543210}"
)


class Editor:
    """A program that edits the files of a daemon."""

    def __init__(self, place: Place, token: str = "fedcba9876543210") -> None:
        self._url = f"http://127.0.0.1:{place.port}"
        self._token = token

    def ask(self, method: str, path: str, body: Any = None, etag: str = "") -> tuple[int, Any]:
        request = urllib.request.Request(
            f"{self._url}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                **({"If-Match": f'"{etag}"'} if etag else {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def file(self, name: str) -> tuple[str, str]:
        status, view = self.ask("GET", f"config/files/{name}")
        assert status == 200, view
        return view["text"], view["etag"]

    def save(self, name: str, text: str, etag: str) -> tuple[int, Any]:
        return self.ask("PUT", f"config/files/{name}", {"text": text}, etag)


@pytest.fixture
def daemon(place: Place) -> Iterator[Daemon]:
    place.replace("callrouter", "{name: crm, role: supervisor, token: 0123456789abcdef}", TOKENS)
    with started(place) as made:
        made.wait_for("office is in step")
        yield made


def test_a_save_is_applied_once_and_recorded_once(place: Place, daemon: Daemon) -> None:
    editor = Editor(place)
    text, etag = editor.file("queues.yaml")
    status, saved = editor.save("queues.yaml", text.replace("bob: 2", "bob: 1"), etag)
    assert (status, saved["changes"]) == (200, ["bob moves from priority 2 to 1 in support"])
    assert (place.config / "queues.yaml").read_text() == QUEUES.replace("bob: 2", "bob: 1")
    place.write("extra", "# nothing\n")  # so that the watch has looked again
    until(lambda: len(editor.ask("GET", "config/history")[1]["changes"]) > 1)
    extra, change = editor.ask("GET", "config/history")[1]["changes"]
    assert extra["files"] == ["extra.yaml"]
    assert (change["who"], change["how"]) == ("boss", "save from 127.0.0.1")
    assert daemon.log.count("bob moves from priority 2 to 1 in support") == 1
    [line] = [line for line in place.call("history").stdout.splitlines() if "  1  " in line[:6]]
    assert "boss (save from 127.0.0.1): bob moves" in line
    acts = editor.ask("GET", "audit")[1]["acts"]
    [act] = [act for act in acts if act["act"] == "config.files.save"]
    assert (act["who"], act["target"]) == ("boss", "queues.yaml")
    assert not [act for act in acts if "draft" in act["act"]]


def test_a_file_broken_by_hand_while_the_editor_is_open(place: Place, daemon: Daemon) -> None:
    editor = Editor(place)
    text, etag = editor.file("queues.yaml")
    place.replace("queues", "policy", "polciy")
    daemon.wait_for("what was in force stays in force")
    status, problem = editor.save("queues.yaml", text.replace("bob: 2", "bob: 1"), etag)
    assert (status, problem["type"]) == (412, "urn:callrouter:problem:changed-since")
    assert "polciy" in problem["text"]
    assert any("polciy" in line for line in problem["lines"])
    status, view = editor.ask("GET", "config/files")
    assert (view["state"], [file["problems"] for file in view["files"]]) == ("bad", [0, 0, 1])
    status, saved = editor.save("queues.yaml", text.replace("bob: 2", "bob: 1"), problem["etag"])
    assert status == 200
    assert "never in force" in saved["set_aside"][0]
    daemon.wait_for("the configuration is good again")
    assert editor.ask("GET", "config/files")[1]["state"] == "good"


def test_editors_on_the_server_and_saves_lose_nothing(place: Place, daemon: Daemon) -> None:
    """Each of two writers adds its own lines to one file. In the end all of them are there."""
    path = place.config / "queues.yaml"
    done: list[str] = []
    stop = threading.Event()

    def by_hand() -> None:
        n = 0
        while not stop.is_set():
            # As a careful program on the server would: a new file, and only if nothing changed.
            before = path.read_text()
            new = path.with_name(f".{n}.tmp")
            new.write_text(f"{before}# by hand {n}\n")
            if path.read_text() != before:
                new.unlink()
                continue
            new.replace(path)
            done.append(f"# by hand {n}\n")
            n += 1
            stop.wait(0.3)

    thread = threading.Thread(target=by_hand)
    editor = Editor(place)
    thread.start()
    try:
        for n in range(8):
            while True:
                text, etag = editor.file("queues.yaml")
                status, answer = editor.save("queues.yaml", f"{text}# by page {n}\n", etag)
                if status == 200:
                    break
                assert status == 412, answer
    finally:
        stop.set()
        thread.join()
    found = path.read_text()
    for n in range(8):
        assert f"# by page {n}\n" in found
    # The careful program itself has a gap between its look and its rename, which is not ours.
    kept = [line for line in done if line in found]
    assert len(kept) >= len(done) - 1
    assert list(place.config.glob(".q*")) == []


def test_a_daemon_that_may_not_write_says_so(place: Place) -> None:
    """As installed: the folder is root's, and the daemon may read it."""
    place.replace("callrouter", "{name: crm, role: supervisor, token: 0123456789abcdef}", TOKENS)
    place.write("database", f"database: {place.folder}/callrouter.db\n")
    through: list[str] = []
    if os.geteuid() == 0:  # then root does without the right that ignores permissions
        os.chown(place.config, 65534, 65534)
        through = ["setpriv", "--bounding-set", "-dac_override"]
    place.config.chmod(0o555)
    with started(place, through=through) as daemon:
        daemon.wait_for("office is in step")
        editor = Editor(place)
        view = editor.ask("GET", "config/files")[1]
        assert (view["writable"], view["files"][0]["writable"]) == (False, False)
        text, etag = editor.file("queues.yaml")
        status, problem = editor.save("queues.yaml", text.replace("bob: 2", "bob: 1"), etag)
        assert (status, problem["type"]) == (409, "urn:callrouter:problem:not-writable")
        assert "may not write in the configuration folder" in problem["detail"]
        assert "docs/operator.md" in problem["detail"]
        assert editor.ask("POST", "config/draft", {"files": {"queues.yaml": text}})[1]["ok"]
    place.config.chmod(0o700)
    assert (place.config / "queues.yaml").read_text() == QUEUES


def test_a_save_survives_a_kill(place: Place, daemon: Daemon) -> None:
    editor = Editor(place)
    text, etag = editor.file("queues.yaml")
    assert editor.save("queues.yaml", text.replace("bob: 2", "bob: 1"), etag)[0] == 200
    daemon.process.kill()
    daemon.wait()
    with started(place) as again:
        again.wait_for("office is in step")
        changes = Editor(place).ask("GET", "config/history")[1]["changes"]
        assert [change["who"] for change in changes] == ["boss"]
        assert Editor(place).file("queues.yaml")[0] == QUEUES.replace("bob: 2", "bob: 1")


def test_a_supervisor_of_the_daemon_sees_no_secret(place: Place, daemon: Daemon) -> None:
    crm = Editor(place, "0123456789abcdef")
    text, _ = crm.file("callrouter.yaml")
    assert text == 'pbx: "•••"\nhttp: "•••"\n'
    assert Path(place.config / "callrouter.yaml").read_text().count("not-a-real-one") == 1
    for path in ("config/tables", "config/files", "config/history"):
        answer = str(crm.ask("GET", path)[1])
        assert "not-a-real-one" not in answer
        assert "fedcba9876543210" not in answer
