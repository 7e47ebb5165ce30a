"""`callrouter report`: what is asked, where it is read from, and the files it leaves or does not leave."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from rich.text import Text

from callrouter.cli.commands.report_command import INTERVALS
from callrouter.cli.main import cli
from callrouter.cli.output_text import CommandFailed
from callrouter.cli.tables import layout, report_table
from callrouter.record.rows import CallOutcome, StayOutcome
from callrouter.reports.formats.report_json import to_json
from callrouter.reports.intervals import LENGTHS
from callrouter.store.location import File
from tests.daemon.process import Daemon, Place, until
from tests.record.rows import call_row, fill, stay_row
from tests.reports import samples

NINE = samples.FRIDAY + 9 * 3600


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A configuration whose daemon does not run, with a Friday of three calls on record."""
    made = Place(tmp_path_factory.mktemp("r"))
    made.replace("callrouter", "http:", "timezone: Europe/London\nhttp:")
    abandoned = {"outcome": StayOutcome.ABANDONED, "talk_s": 0.0, "wait_s": 30.0}
    fill(
        File(made.config / "callrouter.db"),
        call_row("c1", NINE),
        stay_row("c1", 0, NINE),
        call_row("c2", NINE + 60),
        stay_row("c2", 0, NINE + 60, wait_s=40.0),
        call_row("c3", NINE + 3600, outcome=CallOutcome.ABANDONED, result="abandoned"),
        stay_row("c3", 0, NINE + 3600, **abandoned),
    )
    return made


@pytest.fixture
def report(recorded: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command in this process."""
    for name, value in recorded.environ.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, ["report", *words], standalone_mode=False)

    return run


def refused(result: Result) -> str:
    """What a refused command says; its exit status is 2."""
    error = result.exception
    assert isinstance(error, click.ClickException)
    status = error.status if isinstance(error, CommandFailed) else error.exit_code
    assert status == 2
    return error.format_message()


# ---------------------------------------------------------------- formats


def test_a_table(report: Callable[..., Result]) -> None:
    said = report("queues", "2026-11-27").output
    assert said.startswith("Queues\nFriday 27 November 2026 (Europe/London)\n")
    [line] = [line for line in said.splitlines() if line.startswith("support")]
    assert line.split()[:5] == ["support", "3", "2", "1", "0"]
    assert "33.3 %" in line


def test_json(report: Callable[..., Result]) -> None:
    view = json.loads(report("queues", "2026-11-27", "--json").stdout)
    assert (view["what"], view["from"]) == ("queues", "2026-11-27T00:00:00+00:00")
    [row] = [row for row in view["rows"] if row["queue"] == "support"]
    assert (row["entered"], row["answered"], row["abandoned"]) == (3, 2, 1)
    assert row["wait_s"] == {"mean": 25.0, "median": 10.0, "p90": 40.0, "max": 40.0}


def test_csv_and_its_notes_apart(report: Callable[..., Result]) -> None:
    done = report("hours", "2026-11-27", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 24
    assert rows[9]["interval"] == "2026-11-27T09:00:00+00:00"
    assert [row["entered"] for row in rows[8:12]] == ["0", "2", "1", "0"]
    assert "The record begins" in done.stderr


def test_words_of_a_period_need_no_quotes(report: Callable[..., Result]) -> None:
    for words in (("last", "month"), ("Last  Month",), ()):
        assert report("queues", *words).exception is None


@pytest.mark.parametrize(("option", "starts"), [("--xlsx", b"PK\x03\x04"), ("--plot", b"\x89PNG")])
def test_files(report: Callable[..., Result], tmp_path: Path, option: str, starts: bytes) -> None:
    file = tmp_path / "out"
    done = report("queues", "2026-11-27", option, str(file))
    assert done.output == f"wrote {file} (2 rows)\n"
    assert file.read_bytes().startswith(starts)
    assert [item.name for item in tmp_path.iterdir()] == ["out"]
    assert report("queues", "2026-11-27", option, "-").stdout_bytes.startswith(starts)


# ---------------------------------------------------------------- files that cannot be written


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may be longer than 33,000 bytes, as on a full disk. SQLite's shared memory needs 32,768."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (33_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("before", [None, b"that of yesterday"])
def test_a_full_disk_leaves_no_half_file(
    report: Callable[..., Result], tmp_path: Path, before: bytes | None
) -> None:
    file = tmp_path / "hours.png"
    if before is not None:
        file.write_bytes(before)
    said = refused(report("hours", "2026-11-27", "--plot", str(file)))
    assert said == f"cannot write {file}: File too large; nothing was left of it"
    assert [item.read_bytes() for item in tmp_path.iterdir()] == [before] * (before is not None)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_gets_full_is_said(recorded: Place, tmp_path: Path, unbuffered: str) -> None:
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, "hours", "2026-11-27", "--by", "15m", "--json"],
            env={**recorded.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    said = "callrouter: the report cannot be written: File too large"
    assert done.stderr.splitlines()[-1] == said
    assert (tmp_path / "out").stat().st_size == 50_000


LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
os.execv(sys.executable, [sys.executable, "-m", "callrouter", "report", *sys.argv[1:]])
"""
"""Runs it where no file may be longer than 50,000 bytes."""


@pytest.mark.parametrize(
    ("file", "why"),
    [("nowhere/x.xlsx", "there is no folder nowhere"), (".", "it is a folder; name a file in it")],
)
def test_a_file_that_cannot_be(report: Callable[..., Result], file: str, why: str) -> None:
    assert refused(report("queues", "--xlsx", file)) == f"cannot write {file}: {why}"


def test_a_device_is_written_to_and_not_replaced(
    report: Callable[..., Result], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert report("queues", "2026-11-27", "--xlsx", str(pipe)).exception is None
    assert os.read(reader, 4) == b"PK\x03\x04"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert report("queues", "2026-11-27", "--xlsx", "/dev/null").exception is None
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_file_keeps_its_permissions(report: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "out.xlsx"
    file.touch(0o640)
    file.chmod(0o640)
    assert report("queues", "2026-11-27", "--xlsx", str(file)).exception is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_without_the_extra(
    report: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("callrouter.reports.formats.file_formats.find_spec", lambda _: None)
    said = refused(report("queues", "--plot", str(tmp_path / "x.png")))
    assert said.startswith("png needs matplotlib, which is not installed here; install the extra")
    assert "-m pip install 'XlsxWriter>=3.2' 'matplotlib>=3.10'" in said
    assert report("queues", "--csv").exception is None


def test_a_report_without_a_plot(
    report: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = samples.queues(("a",))
    monkeypatch.setattr(
        "callrouter.cli.report_source.report_from",
        lambda *_: type(made)(
            what="calls", title="", from_=0, to=1, zone=made.zone, columns=[], rows=[]
        ),
    )
    said = refused(report("calls", "--plot", str(tmp_path / "x.png")))
    assert "queues, hours and agents have one" in said
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- wrong words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("quues",), "Did you mean 'queues'?"),
        (("queues", "last wek"), "'last wek' is not a period"),
        (("queues", "last", "wek"), "Did you mean 'last week'?"),
        (("queues", "--by", "1hr"), "Did you mean '1h'?"),
        (("queues", "--by", "2h"), "'2h' is not one of '15m', '30m', '1h'"),
        (("queues", "2026-11-28..2026-11-27"), "runs backwards"),
        (("queues", "2126-11-28"), "is in the future"),
        (("queues", "2016-11-28..2026-11-27"), "a report covers 732 days"),
        (("queues", "2026-13-01"), "there is no such date"),
        (("queues", "2026-11-27", "--queue", "suport"), "did you mean 'support'?"),
        (("queues", "--json", "--csv"), "--json and --csv are different formats"),
        (("queues", "--xlsx", "a", "--plot", "b"), "--xlsx and --plot are different formats"),
        (("call",), "needs the id of a call"),
        (("call", "c1", "--by", "1h"), "takes no --by"),
    ],
)
def test_wrong_words(report: Callable[..., Result], words: tuple[str, ...], said: str) -> None:
    assert said in refused(report(*words))


def test_the_words_are_those_of_the_reports() -> None:
    assert INTERVALS == LENGTHS


def test_no_daemon_and_no_database(place: Place) -> None:
    done = place.call("report", "queues")
    assert done.returncode == 3
    assert "does not run, and there is no database of its own at" in done.stderr


def test_a_database_of_an_older_version(place: Place) -> None:
    (place.config / "callrouter.db").touch()
    done = place.call("report", "queues")
    assert done.returncode == 3
    assert "callrouter has not made its tables there yet; start it once" in done.stderr


# ---------------------------------------------------------------- the table


def test_the_table_fits_80_columns_and_says_what_it_leaves_out() -> None:
    for made in (
        samples.hours(samples.DayOfCalls()),
        samples.queues(("sales", "support"), 3600.0),
        samples.agents(list(samples.NAMES)),
    ):
        lines = report_table.lines(made, 80)
        assert max(line.cell_len for line in lines) <= 80
        assert "in a wider terminal" in lines[-1].plain
        assert "more column" not in report_table.lines(made, 300)[-1].plain


def test_nothing_happened_is_a_dash() -> None:
    lines = report_table.lines(samples.hours(samples.DayOfCalls()), 80)
    [line] = [line.plain for line in lines if line.plain.startswith("03:00")]
    assert line.split() == ["03:00", "0", "0", "0", *["\N{EN DASH}"] * 5]
    assert lines[-3].plain.split()[:2] == ["total", "834"]


def test_headings_of_two_words_take_two_lines() -> None:
    columns = [layout.Column("Queue"), layout.Column("Mean\nwait", right=True)]
    made = layout.table(columns, [[Text("a"), Text("1:05")]], 80)
    assert [line.plain for line in made] == ["       Mean", "Queue  wait", "a      1:05"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(7.9, "7 s"), (125, "2:05"), (3723, "1:02:03"), (576_725, "160:12:05")]
)
def test_a_duration_is_never_in_days(seconds: float, said: str) -> None:
    assert report_table.duration(seconds) == said


def test_a_text_from_outside_moves_no_cursor() -> None:
    made = samples.queues(("\x1b[2Jevil\n",))
    assert "\x1b" not in "".join(line.plain for line in report_table.lines(made, 80))


# ---------------------------------------------------------------- progress


def test_a_long_report_shows_progress_on_a_terminal_and_clears_it(recorded: Place) -> None:
    code = (
        "import time\nfrom callrouter.cli.progress_line import ProgressLine\n"
        "with ProgressLine('making the report') as line:\n"
        "    line.tell(0.42)\n    time.sleep(1.2)\n"
    )
    outer, inner = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code], env=recorded.environ, stderr=inner, check=True
    )
    os.close(inner)
    said = b""
    while True:
        try:
            part = os.read(outer, 1000)
        except OSError:  # the other end is closed
            break
        said += part
    os.close(outer)
    assert done.returncode == 0
    assert "making the report … 42 %, 1 s" in said.decode()
    assert said.endswith(b"\r\x1b[K")


def test_json_of_a_report_is_what_the_api_answers() -> None:
    assert set(to_json(samples.queues(("a",)))) == {
        *("what", "title", "from", "to", "timezone", "by", "edges"),
        *("columns", "rows", "total", "notes"),
    }


# ---------------------------------------------------------------- a daemon that runs


def test_the_daemon_is_asked_while_it_runs(place: Place, running: Daemon, tmp_path: Path) -> None:
    """Two callers wait in support, and one rings at the front desk."""
    assert running.process.poll() is None

    def entered() -> dict[str, int]:
        done = place.call("report", "queues", "--json")
        assert done.returncode == 0, done.stderr
        return {row["queue"]: row["entered"] for row in json.loads(done.stdout)["rows"]}

    until(lambda: entered() == {"support": 2, "desk": 1})
    remote = {
        "CALLROUTER_URL": f"http://127.0.0.1:{place.port}",
        "CALLROUTER_TOKEN": "0123456789abcdef",
    }
    done = place.call("report", "hours", "--plot", str(tmp_path / "today.png"), env=remote)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "today.png").read_bytes().startswith(b"\x89PNG")
    wrong = place.call("report", "queues", "--queue", "suport")
    assert wrong.returncode == 2
    assert wrong.stderr.count("did you mean 'support'?") == 1
    assert place.call("report", "queues", "2126-01-01").returncode == 2
    assert place.call("report", "call", "no-such-call").returncode == 2
