"""Plots: they are pictures of the right size, whatever is in the report."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import pytest

from callrouter.reports.formats.plot import to_png
from callrouter.reports.formats.plot_style import NoPlotError, clock_text, tick_step
from callrouter.reports.report import Report, ReportColumn, Shown
from tests.reports import samples


def size(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG, of which every part is whole."""
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    place, kinds = 8, []
    while place < len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        data = content[place + 8 : place + 8 + length]
        [checksum] = struct.unpack_from(">I", content, place + 8 + length)
        assert zlib.crc32(kind + data) == checksum
        kinds.append(kind)
        place += length + 12
    assert (kinds[0], kinds[-1]) == (b"IHDR", b"IEND")
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


@pytest.mark.parametrize(
    ("report", "height"),
    [
        (samples.hours(samples.DayOfCalls()), 988),
        (samples.queues(("sales", "support", "billing")), 387),
        (samples.queues(("sales", "support", "billing"), 3600.0), 1027),
        (samples.queues(tuple(f"queue-{number}" for number in range(9)), 3600.0), 1027),
        (samples.agents(list(samples.NAMES[:2])), 297),
        (samples.agents([f"{name} {n}" for name in samples.NAMES for n in range(5)]), 2333),
    ],
    ids=["hours", "queues", "queues-1h", "nine-queues", "two-agents", "sixty-agents"],
)
def test_a_plot_is_a_picture_that_grows_with_what_it_shows(report: Report, height: int) -> None:
    found = size(to_png(report))
    assert found[0] == 1300
    assert abs(found[1] - height) <= 2


def test_nothing_happened() -> None:
    day = samples.hours(samples.DayOfCalls())
    quiet = [{"interval": row["interval"], "entered": 0} for row in day.rows]
    assert size(to_png(replace(day, rows=quiet)))[0] == 1300
    assert size(to_png(replace(day, rows=[])))[0] == 1300
    assert size(to_png(samples.agents([])))[0] == 1300
    assert size(to_png(replace(samples.queues(("a",)), rows=[])))[0] == 1300


@pytest.mark.parametrize(
    "name", [r"$\frac{1}{", "日本語", "\x1b[2J", "x" * 500, "_hidden", "a\nb", "\u202eabc", "100 %"]
)
def test_any_name_can_be_drawn(name: str) -> None:
    assert size(to_png(samples.agents([name])))[0] == 1300
    assert size(to_png(samples.queues((name, "other"), 7200.0)))[0] == 1300


def test_some_reports_have_no_plot() -> None:
    report = replace(
        samples.agents([]),
        what="calls",
        columns=[ReportColumn(name="call", title="Call", shown=Shown.TEXT)],
    )
    with pytest.raises(NoPlotError, match="'calls' has no plot; queues, hours and agents have one"):
        to_png(report)


@pytest.mark.parametrize("longest", [0.1, 5, 59, 60, 100, 3599, 3600, 30_000, 700_000, 9e7])
def test_an_axis_of_time_has_few_ticks_and_each_its_own_text(longest: float) -> None:
    step = tick_step(longest)
    ticks = [number * step for number in range(int(longest / step) + 1)]
    assert len(ticks) <= 7
    assert len({clock_text(tick, longest) for tick in ticks}) == len(ticks)
