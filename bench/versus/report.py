"""The results as a table, for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.versus import results
from bench.versus.results import Effort, Results
from bench.versus.targets import Target, as_they_come, backlog

COLUMNS = {"app_queue": "app_queue", "floor": "bare script", "callrouter": "callrouter"}
_NOTHING = "–"  # noqa: RUF001 - as tables have it
_TIMES = "×"  # noqa: RUF001 - the sign for it
_PERCENTILES = ("median", "p90", "p99", "most")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table; without cells it is the heading of the rows below."""

    label: str
    cells: tuple[str, ...] = ()
    against: str = ""


def rows(found: Results, loads: Sequence[float], ring_all: Sequence[int]) -> list[Row]:
    """Return the table, without the parts that were not measured."""
    parts = [
        _times(found, "(a) caller queued → first INVITE, agents idle (ms)", results.QUEUED),
        _times(
            found, "(b) agent hangs up → their next INVITE, callers waiting (ms)", results.FREED
        ),
        _throughput(found),
        _processor(found),
        _rung(found, ring_all),
        _waits(found, loads),
    ]
    return [row for part in parts for row in _without_empty(part)]


def _without_empty(part: Iterator[Row]) -> list[Row]:
    title, *lines = part
    kept = [line for line in lines if any(cell != _NOTHING for cell in line.cells)]
    return [title, *kept] if kept else []


def _times(found: Results, title: str, name: str) -> Iterator[Row]:
    yield Row(title)
    spreads = [found.spread(system, name) for system in COLUMNS]
    yield Row("how many", tuple(f"{one.count}" if one else _NOTHING for one in spreads))
    for figure in _PERCENTILES:
        values = [getattr(one, figure) if one else None for one in spreads]
        yield _row({"most": "max"}.get(figure, figure), values)


def _throughput(found: Results) -> Iterator[Row]:
    yield Row("(c) an endless line of callers")
    answered = _each(found, backlog, Effort.per_minute)
    yield Row("calls answered in 60 s", tuple(map(whole, answered)), _more(answered))
    idle = _each(found, backlog, Effort.idle_share)
    yield Row("agents' time between two calls", tuple(map(_percent, idle)))


def _processor(found: Results) -> Iterator[Row]:
    yield Row("(d) processor time per call (ms)")
    for label, get in (("a line of callers", backlog), ("as they come", as_they_come)):
        asterisk = _each(found, get, Effort.asterisk_ms)
        yield Row(f"Asterisk, {label}", tuple(map(number, asterisk)), _more(asterisk))
        beside = [value or None for value in _each(found, get, Effort.router_ms)]
        yield Row(f"beside it, {label}", tuple(map(number, beside)))


def _rung(found: Results, sizes: Sequence[int]) -> Iterator[Row]:
    yield Row("(e) all phones ring, one answers (ms)")
    for size in sizes:
        for label, name in (
            (f"{size} phones: first → last INVITE", results.spreading(size)),
            (f"{size} phones: answer → last CANCEL", results.cancelling(size)),
        ):
            spreads = [found.spread(system, name) for system in COLUMNS]
            yield _row(f"{label}, median", [one.median if one else None for one in spreads])
            yield _row(f"{label}, max", [one.most if one else None for one in spreads])


def _waits(found: Results, loads: Sequence[float]) -> Iterator[Row]:
    yield Row("(f) callers' wait until they hear an agent (ms)")
    for load in loads:
        spreads = [found.spread(system, results.waited(load)) for system in COLUMNS]
        for figure in ("median", "p90", "p99"):
            values = [getattr(one, figure) if one else None for one in spreads]
            yield _row(f"agents {load:.0%} busy, {figure}", values)


def _each(
    found: Results,
    get: Callable[[Results, str], Effort | None],
    figure: Callable[[Effort], float | None],
) -> list[float | None]:
    efforts = [get(found, system) for system in COLUMNS]
    return [figure(effort) if effort else None for effort in efforts]


def _row(label: str, values: Sequence[float | None]) -> Row:
    return Row(label, tuple(map(number, values)), faster(values[0], values[-1]))


def faster(theirs: float | None, ours: float | None) -> str:
    """Compare our figure with theirs in words; a factor is given from two times on."""
    if not theirs or not ours:
        return ""
    if theirs / ours >= 2.0:
        return f"{number(theirs / ours)} {_TIMES} faster"
    if ours / theirs >= 2.0:
        return f"{number(ours / theirs)} {_TIMES} slower"
    return f"{ours - theirs:+.1f} ms" if abs(ours - theirs) < 100 else f"{ours - theirs:+,.0f} ms"


def _more(values: Sequence[float | None]) -> str:
    theirs, ours = values[0], values[-1]
    return f"{(ours / theirs - 1) * 100 + 0.0:+.0f} %" if theirs and ours else ""


def number(value: float | None) -> str:
    """Format with three significant digits."""
    if value is None:
        return _NOTHING
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def whole(value: float | None) -> str:
    """Format as an integer."""
    return _NOTHING if value is None else f"{value:,.0f}"


def _percent(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.1f} %"


# ---------------------------------------------------------------- for a terminal


def text(head: str, lines: Sequence[Row], aims: Sequence[Target]) -> str:
    """Format for a terminal of 100 columns."""
    names = [*COLUMNS.values(), "against app_queue"]
    shown = ["", head, "", _line("", names)]
    for line in lines:
        if line.cells:
            shown.append(_line(f"  {line.label}", (*line.cells, line.against)))
        else:
            shown += ["", line.label]
    if aims:
        shown += ["", "Targets"]
        shown += [
            f"  ({aim.part}) {aim.wanted}".ljust(74) + aim.figure.rjust(12) + "  " + aim.word
            for aim in aims
        ]
    return "\n".join([*shown, ""])


def _line(label: str, cells: Sequence[str]) -> str:
    return (
        label.ljust(44) + "".join(cell.rjust(13) for cell in cells[:-1]) + cells[-1].rjust(19)
    ).rstrip()


# ---------------------------------------------------------------- for a page


def markdown(head: str, lines: Sequence[Row], aims: Sequence[Target]) -> str:
    """Format as Markdown."""
    names = [*COLUMNS.values(), "against app_queue"]
    page = [head, "", f"| | {' | '.join(names)} |", "|---|" + "--:|" * len(names)]
    for line in lines:
        cells = (*line.cells, line.against) if line.cells else ("",) * len(names)
        label = line.label if line.cells else f"**{line.label}**"
        page.append(f"| {label} | {' | '.join(cells)} |")
    if aims:
        page += ["", "| | target | measured | |", "|---|---|--:|---|"]
        page += [f"| {aim.part} | {aim.wanted} | {aim.figure} | {aim.word} |" for aim in aims]
    return "\n".join(page) + "\n"
