"""The file of queue_log: in order, each line once, over rotation, a full disk and a torn line."""

from __future__ import annotations

import logging
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callrouter.queue_log import log_file
from callrouter.queue_log.log_file import QueueLogFile
from callrouter.queue_log.log_lines import QueueLogLine
from tests.daemon.process import until

AT = 1_795_839_848.9


def line(number: int) -> QueueLogLine:
    return QueueLogLine("ENTERQUEUE", ("", str(number), "1"), queue="support", call=f"{number}.1")


def text(number: int) -> str:
    return f"1795839848|{number}.1|support|NONE|ENTERQUEUE||{number}|1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue_log"


@contextmanager
def opened(path: Path) -> Iterator[QueueLogFile]:
    file = QueueLogFile(path)
    file.start()
    try:
        yield file
    finally:
        file.close(10.0)


def add(file: QueueLogFile, *numbers: int) -> None:
    for number in numbers:
        file.add(line(number), AT)


def written(file: QueueLogFile) -> bool:
    return not file.waiting


def test_lines_as_asterisk_writes_them_readable_to_the_group(path: Path) -> None:
    with opened(path) as file:
        add(file, *range(300))
        until(lambda: written(file))
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_text() == "".join(map(text, range(300)))
    assert file.lost == 0


def test_what_was_added_before_the_start_and_before_the_end_is_written(path: Path) -> None:
    file = QueueLogFile(path)
    add(file, 1)
    file.start()
    add(file, 2)
    file.close(10.0)
    assert path.read_text() == text(1) + text(2)


def test_a_file_that_was_moved_is_left_and_a_new_one_begins(path: Path) -> None:
    with opened(path) as file:
        add(file, 1)
        until(lambda: written(file))
        path.rename(path.with_suffix(".1"))
        add(file, 2)
        until(lambda: written(file))
        assert path.read_text() == text(2)
        path.unlink()
        file.reopen()  # as by SIGHUP: at once, although nothing is to be written
        until(path.exists)
        assert path.read_text() == ""
        add(file, 3)
    assert path.with_suffix(".1").read_text() == text(1)
    assert path.read_text() == text(3)


def test_a_file_that_was_truncated_in_place_goes_on_from_its_start(path: Path) -> None:
    with opened(path) as file:
        add(file, 1)
        until(lambda: written(file))
        os.truncate(path, 0)
        add(file, 2)
    assert path.read_text() == text(2)


def test_another_program_may_write_to_the_same_file(path: Path) -> None:
    path.write_text("1|NONE|NONE|NONE|QUEUESTART|\n")
    with opened(path) as file:
        add(file, 1)
        until(lambda: written(file))
        with path.open("a") as other:
            other.write("2|NONE|NONE|NONE|CONFIGRELOAD|\n")
        add(file, 2)
    assert [row.split("|")[4] for row in path.read_text().splitlines()] == [
        "QUEUESTART",
        "ENTERQUEUE",
        "CONFIGRELOAD",
        "ENTERQUEUE",
    ]


def test_a_line_that_an_earlier_run_left_in_part_spoils_no_other(path: Path) -> None:
    path.write_text(text(1) + text(2)[:20])
    with opened(path) as file:
        add(file, 3)
    assert path.read_text() == text(1) + text(2)[:20] + "\n" + text(3)


@contextmanager
def disk_full_at(size: int) -> Iterator[None]:
    """No file of this process may be longer, which every write beyond is told by EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_in_the_middle_of_a_line_loses_nothing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with opened(path) as file:
        add(file, 1)
        until(lambda: written(file))
        with disk_full_at(len(text(1)) + 10):
            add(file, 2, 3)
            until(lambda: bool(file.problem))
            assert path.read_text() == text(1) + text(2)[:10]
            assert (file.waiting, file.lost) == (2, 0)
        file.reopen()
        until(lambda: written(file))
        assert file.problem == ""
    assert path.read_text() == text(1) + text(2) + text(3)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        f"queue_log: cannot write {path}: File too large; the lines wait",
        f"queue_log: {path} can be written again",
    ]


def test_a_line_that_was_torn_is_whole_in_the_next_file(path: Path) -> None:
    with opened(path) as file:
        add(file, 1)
        until(lambda: written(file))
        with disk_full_at(len(text(1)) + 10):
            add(file, 2)
            until(lambda: bool(file.problem))
            path.rename(path.with_suffix(".1"))
        file.reopen()
        until(lambda: written(file))
    assert path.read_text() == text(2)


def test_a_full_device_is_said_and_lines_beyond_all_measure_are_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_file, "MAX_WAITING", 10)
    with opened(Path("/dev/full")) as file:
        add(file, 0)
        until(lambda: bool(file.problem))
        add(file, *range(1, 14))
        assert file.problem == "No space left on device"
        assert (file.waiting, file.lost) == (10, 4)
        assert "4 lines missing in /dev/full: No space left on device" in caplog.text
    assert file.lost == 14, "the ten that waited at the end are lost, and that is said"
    assert "14 lines missing in /dev/full" in caplog.text


@pytest.mark.parametrize("kind", ["folder", "no folder", "pipe"])
def test_what_cannot_be_written_stops_nothing(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with opened(path if kind != "no folder" else path / "there/queue_log") as file:
        if kind == "pipe":  # opened for both directions, it takes what fits and blocks on nothing
            add(file, *range(5000))
        else:
            add(file, 1)
        until(lambda: bool(file.problem))
        assert file.lost == 0


def test_a_hostile_caller_writes_neither_a_line_nor_a_column(path: Path) -> None:
    evil = "1|x|\r\n1795839848|9.9|support|NONE|ABANDON|1|1|1\n\u2028\x85"
    hostile = QueueLogLine("ENTERQUEUE", ("", evil, "1", evil), queue=evil, call=evil, agent=evil)
    with opened(path) as file:
        file.add(hostile, AT)
        add(file, 2)
    first, second, rest = path.read_bytes().split(b"\n")
    assert rest == b""
    assert second.decode() + "\n" == text(2)
    columns = first.decode().split("|")
    assert len(columns) == 5 + 4
    assert (columns[4], columns[5], columns[7]) == ("ENTERQUEUE", "", "1")
    assert first.decode().splitlines() == [first.decode()]
