"""What is kept of earlier configurations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callrouter.model.text import coded, phrase
from callrouter.settings import config_history as module
from callrouter.settings import load_snapshot
from callrouter.settings.config_change import rollback_words
from callrouter.settings.config_files import ConfigFile, put_back, read_snapshot
from callrouter.settings.config_history import HISTORY_FOLDER, ConfigHistory, find_history
from callrouter.settings.state_location import state_candidates, state_folder


def files(**texts: str) -> dict[str, ConfigFile]:
    return {f"{name}.yaml": ConfigFile(text.encode(), 0o644, "sam") for name, text in texts.items()}


def add(past: ConfigHistory, lines: tuple[str, ...], at: float = 0.0, **texts: str) -> int | None:
    change = past.add(
        at=at, who="sam", how="file", lines=lines, files=files(**texts), removed_queues=()
    )
    return change.number if change is not None else None


def test_changes_are_kept_with_their_files(tmp_path: Path) -> None:
    past = ConfigHistory(tmp_path / "history")
    assert past.begin(files(a="1")) is None
    assert add(past, ("one",), a="2") == 1
    assert add(past, (), a="2") is None
    assert add(past, ("secret changed",), a="2") == 2
    assert add(past, ("two",), a="2", b="x") == 3
    newest, *_ = past.changes()
    assert (newest.number, newest.lines, newest.who) == (3, ("two",), "sam")
    first = past.change(1)
    assert first is not None
    assert past.content(first.before["a.yaml"][0]) == b"1"
    assert past.content(first.after["a.yaml"][0]) == b"2"
    assert ConfigHistory(tmp_path / "history").head() == newest.after


def test_the_queues_that_a_change_removed(tmp_path: Path) -> None:
    past = ConfigHistory(tmp_path)
    past.begin(files(a="1"))
    past.add(
        at=1.0,
        who="sam",
        how="file",
        lines=("queue old is gone",),
        files=files(a="2"),
        removed_queues=("old",),
    )
    [change] = past.changes()
    assert change.removed_queues == ("old",)
    place = tmp_path / "changes/000001.json"
    earlier = json.loads(place.read_text())
    del earlier["removed_queues"]  # as a version before this one wrote it
    place.write_text(json.dumps(earlier))
    assert past.changes()[0].removed_queues is None


def test_what_changed_keeps_its_codes(tmp_path: Path) -> None:
    past = ConfigHistory(tmp_path)
    past.begin(files(a="1"))
    line = phrase("queue-removed", "queue {queue} is gone", queue="old")
    past.announce(who="sam", how=rollback_words(7), files=files(a="2"))
    add(past, (line, "plain"), a="2")
    past.hold(files(a="3"), (line,))
    [change] = ConfigHistory(tmp_path).changes()
    assert change.lines == ("queue old is gone", "plain")
    assert (coded(change.lines[0]), coded(change.lines[1])["code"]) == (coded(line), "")
    assert (change.how, coded(change.how)["values"]) == ("rollback to before 7", {"number": 7})
    assert [coded(held) for held in past.held_lines()] == [coded(line)]


@pytest.mark.parametrize("codes", [None, [], "x", [None], [{"code": 1}], [{"text": "other"}]])
def test_what_changed_is_read_without_codes_too(tmp_path: Path, codes: object) -> None:
    past = ConfigHistory(tmp_path)
    past.begin(files(a="1"))
    add(past, ("queue old is gone",), a="2")
    place = tmp_path / "changes/000001.json"
    stored = json.loads(place.read_text())
    stored["line_phrases"] = stored["how_phrase"] = codes
    place.write_text(json.dumps(stored))
    [change] = past.changes()
    assert (change.lines, change.how) == (("queue old is gone",), "file")


def test_a_snapshot_of_what_is_stored_can_be_loaded(tmp_path: Path) -> None:
    past = ConfigHistory(tmp_path / "history")
    text = "pbx: {sim: {driver: simulated}}\n"
    past.begin({"a.yaml": ConfigFile(text.encode(), 0o644, "sam")})
    head = past.head()
    assert head is not None
    snapshot = past.snapshot(tmp_path, head)
    settings = load_snapshot(snapshot, environ={})
    assert list(settings.pbxes) == ["sim"]
    assert settings.files == (tmp_path / "a.yaml",)
    (tmp_path / "history/files" / head["a.yaml"][0]).write_text("damaged")
    with pytest.raises(OSError, match="damaged"):
        past.snapshot(tmp_path, head)


def test_only_so_many_and_their_files_go_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 5)
    past = ConfigHistory(tmp_path)
    past.begin(files(a="0"))
    for n in range(1, 12):
        add(past, ("x",), a=str(n))
    assert [change.number for change in past.changes()] == [11, 10, 9, 8, 7]
    assert len(list((tmp_path / "files").iterdir())) == 6


def test_what_is_damaged_is_passed_over(tmp_path: Path) -> None:
    past = ConfigHistory(tmp_path)
    past.begin(files(a="0"))
    add(past, ("x",), a="1")
    (tmp_path / "changes/000002.json").write_text("{")
    (tmp_path / "rollback.json").write_text("[]")
    (tmp_path / "head.json").write_text("nonsense")
    assert [change.number for change in past.changes()] == [1]
    assert past.head() is None
    assert add(past, ("y",), a="2") == 2


def test_a_rollback_is_put_down_to_who_did_it(tmp_path: Path) -> None:
    past = ConfigHistory(tmp_path)
    past.begin(files(a="0"))
    past.announce(who="root", how="rollback to before 1", files=files(a="1"))
    add(past, ("x",), a="1")
    past.announce(who="root", how="rollback to before 1", files=files(a="0"))
    add(past, ("y",), a="5")
    assert [(c.who, c.how) for c in past.changes()] == [
        ("sam", "file"),
        ("root", "rollback to before 1"),
    ]


def test_where_it_is(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path / "home"), "STATE_DIRECTORY": f"{tmp_path}/state:/other"}
    folder = tmp_path / "config"
    folder.mkdir()
    (tmp_path / "data").mkdir()
    assert state_folder(folder, "callrouter.db", environ) == folder
    assert state_folder(folder, f"{tmp_path}/data/x.db", environ) == tmp_path / "data"
    assert state_folder(folder, "postgresql://u:p@h/d", environ) == folder
    (tmp_path / "state").mkdir()
    assert state_folder(folder, "/nowhere/x.db", environ) == tmp_path / "state"
    (tmp_path / "state").rmdir()
    home = state_folder(folder, "/nowhere/x.db", environ)
    assert home.parent == tmp_path / "home/.local/state/callrouter"
    assert state_candidates(folder, "x.db", {"XDG_STATE_HOME": "/xdg"})[-1].parent == Path(
        "/xdg/callrouter"
    )
    assert find_history(folder, "callrouter.db", environ) is None
    ConfigHistory(folder / HISTORY_FOLDER).begin({})
    found = find_history(folder, "callrouter.db", environ)
    assert found is not None
    assert found.place == folder / HISTORY_FOLDER


def test_writing_follows_links_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.yaml").write_text("old")
    (tmp_path / "a.yaml").symlink_to("real/a.yaml")
    put_back(tmp_path, "a.yaml", b"new", 0o600)
    assert (tmp_path / "a.yaml").is_symlink()
    assert (tmp_path / "real/a.yaml").read_text() == "new"
    with pytest.raises(OSError, match="Is a directory"):
        put_back(tmp_path, "real", b"x", 0o600)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "real"]


def test_a_snapshot_says_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a")
    (tmp_path / "c.yaml").mkdir()
    (tmp_path / "d.yml").symlink_to("nowhere")
    found = read_snapshot(tmp_path)
    assert found.names == ["a.yaml", "c.yaml", "d.yml"]
    assert found.contents == {"a.yaml": b"a", "c.yaml": None}
    assert isinstance(found.faults["d.yml"], FileNotFoundError)
    assert isinstance(read_snapshot(tmp_path / "nothing").fault, FileNotFoundError)
    before = found.digest()
    (tmp_path / "a.yaml").touch()
    assert read_snapshot(tmp_path).digest() == before
    (tmp_path / "c.yaml").rmdir()
    assert read_snapshot(tmp_path).digest() != before


def test_taking_files_passes_over_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a")
    (tmp_path / ".b.yaml").write_text("b")
    (tmp_path / "c.yaml").mkdir()
    (tmp_path / "d.yml").symlink_to("nowhere")
    assert list(read_snapshot(tmp_path).files) == ["a.yaml"]
    assert read_snapshot(tmp_path / "nothing").files == {}
