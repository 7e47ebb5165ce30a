"""The steps of README.md and of the operator's page, run as they are written, in folders of the test's own.

Without the network: the packages that callrouter needs are those of the environment that runs the tests.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from callrouter import __version__
from tests.daemon.process import BUSY, NO_ASTERISK, ROOT, free_port, until

PAGES = {name: (ROOT / name).read_text() for name in ("README.md", "docs/operator.md")}
pytestmark = pytest.mark.timeout(300)


def blocks(page: str, kind: str = "") -> list[str]:
    """The code blocks of a page, of one kind, without their indent."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", PAGES[page], re.MULTILINE | re.DOTALL)
    return [
        "\n".join(line.removeprefix(indent) for line in text.splitlines())
        for indent, its, text in found
        if its == kind
    ]


def block(page: str, having: str, kind: str = "") -> list[str]:
    [text] = [item for item in blocks(page, kind) if having in item]
    return [line for line in text.splitlines() if line]


class Machine:
    """A machine of its own, as far as the steps write to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {
            "PATH": f"{root}/usr/local/bin:{os.environ['PATH']}",
            "HOME": str(root),
            "LC_ALL": "C.UTF-8",
            "XDG_RUNTIME_DIR": f"{root}/run",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this one the wrong way round
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        for folder in ("usr/local/bin", "opt", "etc/asterisk"):
            (root / folder).mkdir(parents=True)

    def here(self, line: str) -> str:
        """A line of the page with this machine's folders in place of the system's."""
        for folder in ("/opt/", "/etc/", "/usr/local/bin"):
            line = re.sub(rf"(?<![\w/]){folder}", f"{self.root}{folder}", line)
        return re.sub(r"^python3 ", f"{sys.executable} ", line)

    def run(self, lines: list[str], cwd: Path = ROOT) -> str:
        """Run lines in one shell that stops at the first that fails; gives what they said."""
        script = ["set -e", *(self.here(line) for line in lines)]
        for line in list(script):
            made = re.search(r"-m venv (\S+)", line)
            if made is not None:  # what a package index would give
                place = f"{made[1]}/lib/python3.{sys.version_info.minor}/site-packages/deps.pth"
                script.insert(
                    script.index(line) + 1, f"echo {sysconfig.get_path('purelib')} > {place}"
                )
        done = subprocess.run(
            ["sh", "-c", "\n".join(script)],
            cwd=cwd,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One on which the README's first two steps were done."""
    root = tmp_path_factory.mktemp("m")
    made = Machine(root)
    made.run([*block("README.md", "pip install .", "sh"), *block("README.md", "init", "sh")])
    yield made
    shutil.rmtree(root, ignore_errors=True)


def test_the_pages_name_this_version() -> None:
    for text in PAGES.values():
        assert f"/opt/callrouter-{__version__}" in text


def test_the_first_queue_of_the_readme(machine: Machine) -> None:
    config = machine.root / "etc/callrouter"
    found = subprocess.run(
        ["sh", "-c", "command -v callrouter"],
        env=machine.environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert found == f"{machine.root}/usr/local/bin/callrouter"
    place = machine.run(
        [
            f"cd /; {machine.root}/opt/callrouter/bin/python -c 'import callrouter; print(callrouter)'"
        ]
    )
    assert f"{machine.root}/opt/callrouter/lib/" in place, "not the source tree"
    machine.environ["CALLROUTER_CONFIG"] = str(config)  # what /etc/callrouter is on a real machine
    samples = {name: (config / name).read_text() for name in ("agents.yaml", "queues.yaml")}
    try:
        for text in blocks("README.md", "yaml"):
            (config / text.splitlines()[0].removeprefix("# ")).write_text(text)
        said = machine.run(block("README.md", "callrouter check", "sh"))
        assert "good, with 2 agents, 1 queue, 1 telephone system" in said
        manager = (machine.root / "etc/asterisk/manager_callrouter.conf").read_text()
        assert f"secret = {(config / 'ami-secret').read_text().strip()}" in manager
        runs(machine, config)
    finally:
        for name, text in samples.items():
            (config / name).write_text(text)


def runs(machine: Machine, config: Path) -> None:
    """The daemon starts, and the README's last commands do what they should."""
    text = (config / "callrouter.yaml").read_text()
    changed = re.sub(r"port: 5038", f"port: {NO_ASTERISK}", text)
    changed = re.sub(r"listen: 127.0.0.1:8080", f"listen: 127.0.0.1:{free_port()}", changed)
    assert changed.count(str(NO_ASTERISK)) == 1
    (config / "callrouter.yaml").write_text(changed)
    log = machine.root / "log"
    command = f"{machine.root}/usr/local/bin/callrouter"
    with log.open("wb") as out:
        daemon = subprocess.Popen([command, "run"], env=machine.environ, stderr=out, cwd="/")
    try:
        until(lambda: "2 agents, 1 queue" in log.read_text() or daemon.poll() is not None, BUSY)
        assert daemon.poll() is None, log.read_text()
        machine.run(["callrouter agent alice sign-in", "callrouter agent bob sign-in"])
        assert "support" in machine.run(["callrouter queues"])
    finally:
        daemon.terminate()
        assert daemon.wait(BUSY) == 0
        (config / "callrouter.yaml").write_text(text)


def test_the_upgrade_keeps_the_extras(machine: Machine, tmp_path: Path) -> None:
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(tmp_path), "."]
    subprocess.run(wheel, cwd=ROOT, env=machine.environ, check=True, timeout=120)
    lines = block("docs/operator.md", "EXTRAS=")
    ours = [line for line in lines if not line.startswith(("asterisk ", "systemctl "))]
    assert len(ours) == len(lines) - 2
    # The libraries are those of the tests: nothing is fetched here.
    [locked] = [line for line in ours if "--require-hashes" in line]
    ours.remove(locked)
    assert locked.endswith("callrouter/shipped/production.lock")
    # pip insists that a wheel's name tells its version: the new one is this one again.
    ours = [line.replace("0.2.0-py3", f"{__version__}-py3") for line in ours]
    said = machine.run([*ours, 'echo "extras: $EXTRAS"'], cwd=tmp_path)
    assert "good, with" in said
    assert "extras: [postgres,twilio" in said
    assert (machine.root / "opt/callrouter").resolve() == machine.root / "opt/callrouter-0.2.0"
    assert machine.run(["callrouter --version"]) == f"callrouter {__version__}\n"
