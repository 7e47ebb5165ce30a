"""What root's commands do in folders of the daemon's and of Asterisk's user, whatever those put there."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from callrouter.cli.commands.check import _write
from callrouter.cli.commands.twilio import _How
from callrouter.cli.output_text import CommandFailed
from callrouter.settings.config_files import ConfigFile, put_back, read_snapshot
from callrouter.settings.config_history import ConfigHistory
from callrouter.store.file_permissions import loose, make
from tests.files.hostile import SECRET, USER, Place, do, meanwhile

GOOD = (
    "pbx: {office: {driver: asterisk, username: u, secret: a-long-secret-of-the-house}}\n"
    "agents: {alice: {devices: {desk: PJSIP/1001}}}\nqueues: {support: {agents: [alice]}}\n"
)
OTHER = GOOD.replace("alice", "bob")


def callrouter(place: Place, *words: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
    """Root's command line, from outside the project's folder."""
    command = [sys.executable, "-m", "callrouter", "--config", str(place.etc), *words]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=place.etc, timeout=50,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **(environ or {})},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def files(text: str) -> dict[str, ConfigFile]:
    return {"all.yaml": ConfigFile(text.encode(), 0o644, "root")}


@pytest.fixture
def kept(place: Place) -> Place:
    """A history as the daemon, which is the user, has left it: two changes."""
    database = f"database: {place.theirs}/callrouter.db\n"

    def live() -> None:
        past = ConfigHistory(place.theirs / "history")
        past.begin(files(GOOD + database))
        for at, line, text in ((1.0, "one", OTHER), (2.0, "two", GOOD)):
            past.add(
                at=at,
                who="sam",
                how="file",
                lines=(line,),
                files=files(text + database),
                removed_queues=(),
            )

    do(live)
    (place.etc / "all.yaml").write_text(GOOD + database)
    return place


def test_a_rollback_of_an_honest_daemon(kept: Place) -> None:
    code, said = callrouter(kept, "rollback", "2")
    assert code == 0, said
    assert "bob" in (kept.etc / "all.yaml").read_text()
    assert (kept.etc / "all.yaml").stat().st_uid == 0
    for path in (kept.theirs / "history").rglob("*"):
        assert path.stat().st_uid == USER
    kept.untouched()


def change(kept: Place, before: dict[str, list[object]]) -> Callable[[], None]:
    """A change that the daemon's user made up."""

    def act() -> None:
        view = {
            "number": 17, "at": 3.0, "who": "x", "how": "file", "lines": ["x"], "before": before, "after": {},
        }  # fmt: skip
        (kept.theirs / "history/changes/000017.json").write_text(json.dumps(view))

    return act


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "name",
    [
        "../outside/evil.yaml", "/etc/cron.d/evil.yaml", "../../outside/folder/inner.yaml", "..", ".", "", ".x.yaml",
        "x", "evil.sh", "a/b.yaml", "x\0.yaml", "passwd", f"{'a' * 260}.yaml",
    ],
)  # fmt: skip
def test_names_that_are_none(kept: Place, name: str) -> None:
    def act() -> None:
        (kept.theirs / "history/files" / digest(OTHER)).write_text(OTHER)
        change(kept, {"all.yaml": [digest(OTHER), 0o644], name: [digest(OTHER), 0o755]})()

    do(act)
    before = sorted(kept.etc.iterdir())
    code, said = callrouter(kept, "rollback", "17")
    assert code == 2, said
    assert "there is no change 17" in said
    assert sorted(kept.etc.iterdir()) == before
    kept.untouched()


@pytest.mark.parametrize(
    ("given", "mode"),
    [("evil", 0o755), (digest("else"), 0o755), ("../../../outside/passwd", 0o644), ("a" * 64, -1), ("b" * 64, "x")],
)  # fmt: skip
def test_digests_that_are_none(kept: Place, given: str, mode: object) -> None:
    def act() -> None:
        folder = kept.theirs / "history/files"
        for name in ("evil", "a" * 64, "b" * 64, digest("else")):
            (folder / name).write_text(OTHER)
        change(kept, {"all.yaml": [given, mode]})()

    do(act)
    code, said = callrouter(kept, "rollback", "17")
    assert code == 2, said
    assert "bob" not in (kept.etc / "all.yaml").read_text()
    kept.untouched()


def test_what_is_put_back_nobody_else_may_write_to_or_run(kept: Place) -> None:
    def act() -> None:
        (kept.theirs / "history/files" / digest(OTHER)).write_text(OTHER)
        change(kept, {"all.yaml": [digest(OTHER), 0o644], "more.yaml": [digest("# x\n"), 0o6777]})()
        (kept.theirs / "history/files" / digest("# x\n")).write_text("# x\n")

    do(act)
    code, said = callrouter(kept, "rollback", "17")
    assert code == 0, said
    assert stat.S_IMODE((kept.etc / "more.yaml").stat().st_mode) == 0o644


def links(kept: Place) -> None:
    history = kept.theirs / "history"
    for name in ("rollback.json", "aside-all.yaml", ".gitignore"):
        (history / name).unlink(missing_ok=True)
        (history / name).symlink_to(kept.outside / "passwd")


def link_of_folder(kept: Place) -> None:
    history = kept.theirs / "history"
    for name in ("files", "changes"):
        (history / name).rename(history / f"{name}-away")
        (history / name).symlink_to(kept.outside / "folder")


def link_of_all(kept: Place) -> None:
    (kept.theirs / "history").rename(kept.theirs / "away")
    (kept.theirs / "history").symlink_to(kept.outside / "folder")


def pipes(kept: Place) -> None:
    history = kept.theirs / "history"
    (history / "head.json").unlink()
    os.mkfifo(history / "head.json")
    os.mkfifo(history / "changes/000099.json")
    for path in (history / "files").iterdir():
        path.unlink()
        os.mkfifo(path)


def giants(kept: Place) -> None:
    history = kept.theirs / "history"
    (history / "changes/000099.json").touch()
    for path in [history / "changes/000099.json", *(history / "files").iterdir()]:
        os.truncate(path, 1 << 36)


def content_of_roots(kept: Place) -> None:
    for path in (kept.theirs / "history/files").iterdir():
        path.unlink()
        path.symlink_to(kept.outside / "passwd")


@pytest.mark.parametrize(
    "act", [links, link_of_folder, link_of_all, pipes, giants, content_of_roots]
)
def test_a_history_that_is_a_trap(kept: Place, act: Callable[[Place], None]) -> None:
    """Every command ends, in words or well, and nothing of root's is read out, written or given away."""
    do(lambda: act(kept))
    (kept.etc / "all.yaml").write_text(GOOD + f"database: {kept.theirs}/callrouter.db\n# new\n")
    for words in (
        ["history"],
        ["history", "2"],
        ["rollback", "--dry-run", "2"],
        ["rollback", "2"],
        ["rollback"],
    ):
        code, said = callrouter(kept, *words)
        assert code in {0, 1, 2}, said
        assert "Traceback" not in said
        assert SECRET not in said
        kept.untouched()
    assert (kept.etc / "all.yaml").stat().st_uid == 0


def test_a_configuration_folder_of_theirs(place: Place) -> None:
    """Files that are links to root's are not taken into a history that they can read."""

    def act() -> None:
        (place.theirs / "a.yaml").symlink_to(place.outside / "passwd")
        (place.theirs / "b.yaml").symlink_to(place.outside / "folder/inner.yaml")
        (place.theirs / "c.yaml").write_text("x: 1\n")

    do(act)
    assert sorted(read_snapshot(place.theirs).files) == ["c.yaml"]
    for name in ("a.yaml", "b.yaml"):
        with pytest.raises(OSError, match="leads out"):
            put_back(place.theirs, name, b"x", 0o644)
    put_back(place.theirs, "c.yaml", b"x: 2\n", 0o644)
    assert (place.theirs / "c.yaml").stat().st_uid == USER
    place.untouched()


def test_dialplan_beside_one_who_moves_things(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    def replace() -> None:
        for name in os.listdir(place.theirs):
            if name.startswith("."):
                os.symlink(place.outside / "passwd", place.theirs / "link")
                os.rename(place.theirs / "link", place.theirs / name)

    with meanwhile(replace):
        for _ in range(200):
            try:
                _write(place.theirs / "extensions_callrouter.conf", "text", 0o644)
            except OSError:
                continue
    place.untouched()
    capsys.readouterr()


def test_dialplan_into_a_link(place: Place) -> None:
    (place.etc / "all.yaml").write_text(GOOD)

    def act() -> None:
        (place.theirs / "asterisk").symlink_to(place.outside / "folder")
        (place.theirs / "extensions_callrouter.conf").symlink_to(place.outside / "passwd")

    do(act)
    code, said = callrouter(place, "dialplan", "--output", str(place.theirs / "asterisk"))
    assert code == 2, said
    assert callrouter(place, "dialplan", "--output", str(place.theirs))[0] == 0
    written = place.theirs / "extensions_callrouter.conf"
    assert not written.is_symlink()
    assert written.stat().st_uid == USER
    place.untouched()


def test_passwords_go_to_the_file_that_was_made(place: Place) -> None:
    how = _How(apply=True, yes=True, passwords=place.theirs / "new")
    how.keep("one", "1")

    def act() -> None:
        (place.theirs / "new").rename(place.theirs / "away")
        (place.theirs / "new").symlink_to(place.outside / "passwd")

    do(act)
    how.keep("two", "2")
    assert (place.theirs / "away").read_text() == "one 1\ntwo 2\n"
    assert stat.S_IMODE((place.theirs / "away").stat().st_mode) == 0o600
    with pytest.raises(CommandFailed, match="is there already"):
        _How(apply=True, yes=True, passwords=place.theirs / "new").keep("x", "y")
    place.untouched()


def test_a_database_that_is_a_link(place: Place) -> None:
    do(lambda: (place.theirs / "callrouter.db").symlink_to(place.outside / "passwd"))
    with pytest.raises(OSError, match="leads out"):
        make(place.theirs / "callrouter.db")
    place.untouched()


def test_a_database_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = tmp_path / "callrouter.db"
        make(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        link = sqlite3.connect(path)
        link.execute("PRAGMA journal_mode = WAL")
        link.execute("CREATE TABLE a (b)")
        for each in tmp_path.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600, each
        assert len(list(tmp_path.iterdir())) == 3
        for name in ("callrouter.db", "callrouter.db-wal", "callrouter.db.version-0001-x"):
            (tmp_path / name).touch()
            (tmp_path / name).chmod(0o664)
        (tmp_path / "callrouter.dbx").touch(0o644)
        assert len(loose(path)) == 3
        make(path)
        assert loose(path) == []
        assert stat.S_IMODE((tmp_path / "callrouter.dbx").stat().st_mode) == 0o644
        link.close()
    finally:
        os.umask(before)
