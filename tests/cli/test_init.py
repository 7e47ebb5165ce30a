"""``callrouter init``: sample files to begin with."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from callrouter.cli.commands.init import NAMES, SECRET
from callrouter.settings.bootstrap import read_bootstrap
from tests.daemon.process import Place


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_what_it_makes_is_good_and_private(place: Place, tmp_path: Path) -> None:
    del place.environ["CALLROUTER_CONFIG"]
    folder = tmp_path / "etc" / "callrouter"
    made = place.call("init", str(folder))
    assert (made.returncode, made.stderr) == (0, ""), made
    assert modes(folder) == dict.fromkeys((*NAMES, SECRET), 0o640)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    secret = (folder / SECRET).read_text().strip()
    assert len(secret) == 32
    assert secret not in made.stdout
    assert [line.partition(" --config ")[2] for line in made.stdout.splitlines()[-3:]] == [
        f"{folder} check",
        f"{folder} dialplan --output /etc/asterisk",
        f"{folder} run",
    ]
    checked = place.call("check", "--config", str(folder))
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
    assert "good, with 5 agents, 4 queues, 1 telephone system" in checked.stdout
    asterisk = place.call("dialplan", "--output", str(tmp_path), "--config", str(folder))
    assert asterisk.returncode == 0
    assert secret in (tmp_path / "manager_callrouter.conf").read_text()


def test_each_has_a_secret_of_its_own(place: Place, tmp_path: Path) -> None:
    for name in "ab":
        assert place.call("init", str(tmp_path / name)).returncode == 0
    assert (tmp_path / "a" / SECRET).read_text() != (tmp_path / "b" / SECRET).read_text()


def test_the_folder_may_come_by_the_option_and_be_there_already(
    place: Place, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "environment").write_text("A=b\n")
    made = place.call("init", "--config", str(tmp_path))
    assert made.returncode == 0, made
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700, "a folder that is there keeps its rights"
    assert (tmp_path / "environment").read_text() == "A=b\n"


@pytest.mark.parametrize("there", [*NAMES, SECRET, "mine.yaml"])
def test_nothing_is_written_over(place: Place, tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    made = place.call("init", str(tmp_path))
    assert (made.returncode, made.stdout) == (1, "")
    assert f"{tmp_path} has {there} already; nothing was written" in made.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {there: "mine"}


def test_a_link_is_not_followed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "agents.yaml").symlink_to(tmp_path / "elsewhere")
    assert place.call("init", str(tmp_path / "folder")).returncode == 1
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to a group")
def test_what_root_makes_is_for_the_group_of_the_folder(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    os.chown(folder, -1, 4321)
    assert place.call("init", str(folder)).returncode == 0
    assert {(path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()} == {(0, 4321)}


def test_what_it_cannot_do(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for words, status, said in (
        (["init"], 2, "say which folder, such as `callrouter init /etc/callrouter`"),
        (["init", str(file)], 2, "is not a folder"),
        (["init", str(file / "below")], 2, "cannot write"),
        (["init", "/proc/callrouter"], 2, "cannot write /proc/callrouter"),
    ):
        answer = place.call(*words)
        assert answer.returncode == status, answer
        assert said in answer.stderr
        assert answer.stdout == ""


def test_a_router_whose_configuration_is_in_the_database(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    url = "postgresql://callrouter:${DB_PASSWORD}@127.0.0.1/callrouter"
    words = ("--database", url, "--name", "north-1", "--pool", "north")
    refused = place.call("init", str(folder), *words)
    assert refused.returncode == 2
    assert "environment variable" in refused.stderr
    assert not folder.exists()
    secret = {"DB_PASSWORD": "hunter2"}
    made = place.call("init", str(folder), *words, env=secret)
    assert (made.returncode, made.stderr) == (0, ""), made
    assert modes(folder) == {"callrouter.yaml": 0o640}
    found = read_bootstrap(folder, secret)
    assert found is not None
    assert (found.database, found.pool) == (url.replace("${DB_PASSWORD}", "hunter2"), "north")
    assert b"hunter2" not in found.content
    assert f"--config {folder} config push site" in made.stdout
    again = place.call("init", str(folder), *words, env=secret)
    assert again.returncode == 1
    assert "callrouter.yaml already" in again.stderr


def test_the_options_of_such_a_router_go_together(place: Place, tmp_path: Path) -> None:
    assert place.call("init", str(tmp_path / "a"), "--name", "x").returncode == 2
    for words, said in (
        (("--database", "x.db"), "only a PostgreSQL database"),
        (("--database", "postgresql://h/d", "--pool", "A B"), "small letters"),
    ):
        refused = place.call("init", str(tmp_path / "b"), *words)
        assert refused.returncode == 2
        assert said in refused.stderr, refused
        assert not (tmp_path / "b").exists()
