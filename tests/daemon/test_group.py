"""Users who are neither root nor the daemon's: a group may be let in at the command line's socket."""

from __future__ import annotations

import grp
import json
import os
import pwd
import stat
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from callrouter.api import control_socket
from callrouter.cli.daemon_client import DaemonClient, DaemonRefused
from callrouter.cli.output_text import CommandFailed
from callrouter.settings import ConfigError, Problem, load
from tests.daemon.process import AGENTS, Place, started

NOBODY = pwd.getpwnam("nobody")
GROUP = next(one for one in grp.getgrall() if one.gr_gid not in {0, NOBODY.pw_gid})
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def as_nobody(groups: list[int], act: Callable[[], str]) -> str:
    """What `act` says when a stranger does it, who is in these groups."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of threads, of which the child needs none
        child = os.fork()
    if child == 0:
        said = "failed"
        with suppress(BaseException):
            os.setgroups(groups)
            os.setgid(NOBODY.pw_gid)
            os.setuid(NOBODY.pw_uid)
            try:
                said = act()
            except (CommandFailed, DaemonRefused) as no:
                said = f"{type(no).__name__} {no.status}: {no}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as file:
        return file.read()


@pytest.fixture
def open_place(place: Place) -> Place:
    """A folder that strangers can reach, and the daemon's socket in it, as below /run."""
    place.folder.chmod(0o755)
    (place.folder / "run").mkdir()
    place.environ["XDG_RUNTIME_DIR"] = str(place.folder / "run")
    return place


def asking(place: Place, *path: str) -> Callable[[], str]:
    client = DaemonClient.of_folder(place.config, place.environ)
    return lambda: json.dumps(client.get(*path) if len(path) < 3 else client.post(*path))


@as_root
def test_the_group_is_let_in_and_others_are_told_how(open_place: Place) -> None:
    place = open_place
    text = (place.config / "callrouter.yaml").read_text()
    place.write("callrouter", f'{text}socket: {{group: "{GROUP.gr_name}"}}\n')
    with started(place) as daemon:
        path = control_socket.candidates(place.config, place.environ)[0]
        daemon.wait_for("2 queues from")
        assert place.call("status").returncode == 0
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o710
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert stat.S_IMODE(path.with_suffix(".lock").stat().st_mode) == 0o600
        groups = [GROUP.gr_gid]
        assert '"pid"' in as_nobody(groups, asking(place, "status"))
        assert '"id": "alice"' in as_nobody(groups, asking(place, "agents", "alice", "sign-in"))
        daemon.wait_for("by nobody")
        client = DaemonClient.of_folder(place.config, place.environ)
        told = as_nobody(groups, lambda: str(client.get("config", "diff", folder="/root")))
        assert told.startswith(
            "DaemonRefused 403: only root and the daemon's user may name a folder"
        )
        told = as_nobody([], asking(place, "status"))
        assert told.startswith(f"CommandFailed 3: not allowed to use {path}: ")
        assert f"only root and the members of group {GROUP.gr_name} may" in told
        assert f"usermod -aG {GROUP.gr_name}" in told
        assert "--url and a token" in told


@as_root
def test_with_role_agent_each_member_acts_for_the_agent_of_their_name(open_place: Place) -> None:
    place = open_place
    text = (place.config / "callrouter.yaml").read_text()
    place.write("callrouter", f'{text}socket: {{group: "{GROUP.gr_name}", role: agent}}\n')
    place.write("agents", AGENTS + "  nobody: {devices: {desk: PJSIP/1004}}\n")
    with started(place):
        groups = [GROUP.gr_gid]
        assert '"id": "nobody"' in as_nobody(groups, asking(place, "agents", "nobody", "sign-in"))
        told = as_nobody(groups, asking(place, "agents", "alice", "sign-in"))
        assert told.startswith("DaemonRefused 403: ")


@as_root
def test_without_a_group_only_root_and_the_daemons_user(open_place: Place) -> None:
    with started(open_place):
        told = as_nobody([GROUP.gr_gid], asking(open_place, "status"))
    assert "only root may, unless the configuration names a group (socket: group)" in told


@as_root
def test_files_that_one_may_not_read(open_place: Place) -> None:
    config = open_place.config
    os.chown(config, -1, GROUP.gr_gid)
    config.chmod(0o750)

    def read() -> str:
        [item] = problems(config)
        return f"{item.text} ({item.hint})"

    def problems(folder: Path) -> tuple[Problem, ...]:
        try:
            load(folder, environ={})
        except ConfigError as error:
            return error.problems
        return ()

    assert problems(config) == ()
    assert as_nobody([], read) == (
        "the configuration folder cannot be read: Permission denied "
        f"(root and the members of group {GROUP.gr_name} may read it)"
    )
    (config / "agents.yaml").chmod(0o600)
    assert as_nobody([GROUP.gr_gid], read) == (
        "cannot be read: Permission denied (root may read it)"
    )


def test_a_group_that_there_is_not(place: Place) -> None:
    text = (place.config / "callrouter.yaml").read_text()
    place.write("callrouter", f"{text}socket: {{group: no-such-group}}\n")
    checked = place.call("check")
    assert checked.returncode == 0
    assert "warning: this machine has no group 'no-such-group' (groupadd --system" in checked.stdout
    with started(place) as daemon:
        daemon.wait_for("group no-such-group cannot be let in at the command line's socket")
        assert place.call("status").returncode == 0


def test_a_change_of_it_counts_after_a_restart(place: Place) -> None:
    with started(place) as daemon:
        text = (place.config / "callrouter.yaml").read_text()
        place.write("callrouter", f'{text}socket: {{group: "{GROUP.gr_name}"}}\n')
        daemon.wait_for(f"socket: group none -> {GROUP.gr_name}; it counts after a restart")
        assert "socket" in place.call("status").stdout


def test_what_is_wrong_with_the_section(place: Place) -> None:
    text = (place.config / "callrouter.yaml").read_text()
    for wrong, said in (
        ("{}", "has no 'group'"),
        ("{group: users, role: boss}", "must be agent, supervisor or admin"),
        ("{grup: users}", "unknown key 'grup'"),
    ):
        place.write("callrouter", f"{text}socket: {wrong}\n")
        checked = place.call("check")
        assert checked.returncode == 1
        assert said in checked.stdout


def test_nothing_is_given_away_that_is_the_groups_already(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(
            1, "Operation not permitted"
        )  # as the unit's SystemCallFilter answers

    monkeypatch.setattr(os, "chown", forbidden)
    made = control_socket.claim(place.config, place.environ)
    try:
        made.open_to(os.getegid())
        assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o710
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o660
        with pytest.raises(PermissionError):
            made.open_to(GROUP.gr_gid)
    finally:
        made.release()


def test_a_folder_that_a_person_named_keeps_its_rights(tmp_path: Path) -> None:
    environ = {"CALLROUTER_SOCKET": str(tmp_path / "s")}
    tmp_path.chmod(0o755)
    made = control_socket.claim(tmp_path, environ)
    try:
        made.open_to(os.getgid())
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o660
    finally:
        made.release()
