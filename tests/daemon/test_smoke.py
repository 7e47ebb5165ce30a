"""What must work with every Python that callrouter supports: `tests.interpreters` runs this with each."""

from __future__ import annotations

import subprocess
import sys

from tests.daemon.process import ROOT, Place, started

EVERY_MODULE = """\
import importlib, pkgutil, callrouter
for module in pkgutil.walk_packages(callrouter.__path__, "callrouter."):
    if not module.name.startswith("callrouter.store.migrations.") and "__main__" not in module.name:
        importlib.import_module(module.name)
        print(module.name)
"""


def test_every_module_can_be_imported_without_a_warning() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EVERY_MODULE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 200


def test_the_daemon_starts_logs_answers_reloads_and_stops(place: Place) -> None:
    with started(place) as daemon:
        assert "2 queues from " in daemon.log
        for words in (["status"], ["agents"], ["agent", "alice", "sign-in"], ["why-not", "bob"]):
            answer = place.call(*words)
            assert (answer.returncode, answer.stderr) == (0, ""), answer
        place.replace("agents", "Bob Jones", "Robert Jones")
        daemon.wait_for("Robert Jones")
        assert daemon.stop() == 0
        daemon.wait_for("stopped; every call stays where it is")
    assert "Traceback" not in daemon.log
    assert "Warning" not in daemon.log
