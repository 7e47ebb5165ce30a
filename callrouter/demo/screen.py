"""The demo's output: the live view, and the terminal or pipe it is written to.

The view is one frame from the daemon's API; 80 columns and 24 lines are enough.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from callrouter.demo.figures import Figures, Json, epoch
from callrouter.demo.sentences import Story, StoryLine
from callrouter.model.text import clean, clock_duration, stopwatch

_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "offline": ("offline", "dim"),
    "available": ("free", "green"),
    "reserved": ("dialling", "yellow"),
    "ringing": ("rings", "bold yellow"),
    "on-call": ("talks", "cyan"),
    "wrap-up": ("wrap-up", "blue"),
    "paused": ("paused", "magenta"),
}
_LINES: Final[Mapping[str, str]] = {
    "offered": "",
    "offer-ended": "yellow",
    "requeued": "yellow",
    "left": "magenta",
    "paused": "magenta",
}
_NO_PHONES: Final = " no phone really rings here, so the daemon's speed is not measured"
UNKNOWN: Final = "-"
"""Shown for a figure that is not known yet."""
WIDE: Final = 110
"""Terminal width from which everything is shown in more detail."""


@dataclass(slots=True)
class Picture:
    """The content of a frame; `agents`, `queues` and `calls` as in the API.

    `measured`: there are phones at which the daemon's speed can be measured.
    """

    title: str
    join: Sequence[str]
    figures: Figures
    story: Story
    now: float
    measured: bool = True
    agents: Sequence[Json] = ()
    queues: Sequence[Json] = ()
    calls: Mapping[str, Json] = field(default_factory=dict)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render one frame, as large as the terminal."""
        width, height = options.max_width, options.height or console.height
        yield _frame(self, width, height)


def milliseconds(seconds: float | None) -> str:
    """Return ``4 ms``; a dash for an unknown value.

    Rounded to whole milliseconds.
    """
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def clock(seconds: float) -> str:
    """Return the time since the start: ``02:05``.

    Rounded down. An hour and more is in minutes too: ``75:10``.
    """
    return stopwatch(seconds).zfill(5)


def _frame(p: Picture, width: int, height: int) -> Layout:
    wide = width >= WIDE
    body = max(11, min(len(p.agents) + 2, 14))
    root = Layout()
    root.split_column(
        Layout(_header(p, wide=wide), size=3, name="header"),
        Layout(name="body", size=body),
        Layout(_decisions(p, max(1, height - 3 - body - len(p.join) - 2)), name="decisions"),
        Layout(_join(p.join), size=len(p.join), name="join"),
    )
    root["body"].split_row(
        Layout(_waiting(p, body - 2), size=width * 9 // 20),
        Layout(_agents(p, wide=wide)),
    )
    return root


def _header(p: Picture, *, wide: bool) -> Group:
    f = p.figures
    title = Table.grid(expand=True)
    title.add_column(no_wrap=True)
    title.add_column(justify="right", no_wrap=True)
    left = Text.assemble(("callrouter demo ", "bold"), (clean(p.title), "dim"))
    title.add_row(
        left, Text.assemble(clock(p.now - p.story.started_at), ("  Ctrl-C ends it", "dim"))
    )
    counts = Text.assemble(
        *_count("calls", len(f.entered), ""),
        *_count("answered", len(f.answered), "green"),
        *_count("gave up", len(f.abandoned), "red" if f.abandoned else ""),
        *_count("waiting", sum(len(queue["waiting"]) for queue in p.queues), "yellow"),
        ("│ wait median ", "dim"),
        (clock_duration(f.median_wait, digits=1, unknown=UNKNOWN), "bold"),
        (" worst ", "dim"),
        (clock_duration(max(f.waits, default=None), digits=1, unknown=UNKNOWN), "bold"),
    )
    quick = _reactions(f, wide=wide) if p.measured else Text(_NO_PHONES, style="dim")
    for line in (counts, quick):
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(title, counts, quick)


def _reactions(f: Figures, *, wide: bool) -> Text:
    return Text.assemble(
        (" agent free, a caller waiting → that agent's phone rings: median ", "dim"),
        (milliseconds(f.median_reaction), "bold green"),
        (f" of {len(f.reactions)}" if f.reactions else "", "dim"),
        (f", worst {milliseconds(max(f.reactions))}" if wide and f.reactions else "", "dim"),
    )


def _count(name: str, count: int, style: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ((f" {name} ", "dim"), (f"{count} ", f"bold {style}".strip()))


def _waiting(p: Picture, rows: int) -> Panel:
    """Show each queue with its callers in order; those without room are only counted."""
    room = rows - len(p.queues)
    lines: list[Text] = []
    for queue in p.queues:
        free = len(queue["agents"].get("available", ()))
        counts = f" {len(queue['waiting'])} wait {queue['talking']} talk {free} free"
        lines.append(Text.assemble((f"{clean(queue['id']):<10}", "bold"), (counts, "dim")))
        share = _share(p, queue, room)
        lines += [_caller(call) for call in queue["waiting"][:share]]
        more = len(queue["waiting"]) - share
        if more > 0 and lines:
            lines[-1].append(f" +{more}", style="dim")
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return _panel(Group(*lines), "waiting")


def _share(p: Picture, queue: Json, room: int) -> int:
    """Return how many callers of a queue are shown: all if there is room, otherwise by turns.

    By turns means that each queue shows its first caller before any shows a second one.
    """
    lengths = [len(q["waiting"]) for q in p.queues]
    if sum(lengths) <= room:
        return len(queue["waiting"])
    shares = [0] * len(lengths)
    while sum(shares) < room:
        for i, length in enumerate(lengths):
            if shares[i] < length and sum(shares) < room:
                shares[i] += 1
    return shares[[q["id"] for q in p.queues].index(queue["id"])]


def _caller(call: Json) -> Text:
    text = Text.assemble(
        (f" {call['position']:>2} ", "dim"),
        clean(call["caller_number"] or "withheld"),
        (f" {clock_duration(call['wait_s']):>5}", "red" if call["wait_s"] >= 20 else "yellow"),
    )
    if call["ringing"]:
        text.append(f" → {clean(', '.join(call['ringing']))}", style="bold yellow")
    return text


def _agents(p: Picture, *, wide: bool) -> Panel:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, ratio=1)
    if wide:
        table.add_column(no_wrap=True, ratio=1)
    table.add_column(justify="right", no_wrap=True)
    for agent in p.agents:
        word, style = _STATES.get(agent["state"], (agent["state"], ""))
        if agent["state"] == "offline" and not agent["signed_in"]:
            word = "off"
        call = p.calls.get(agent["call"] or "")
        row = [Text(clean(agent["id"]), style="bold"), Text(word, style=style)]
        row.append(_doing(agent, call))
        if wide:
            row.append(Text(clean(call["queue"]) if call else "", style="dim"))
        since = agent["since"]
        held = (
            clock_duration(max(0.0, p.now - epoch(since)))
            if since and agent["state"] != "offline"
            else ""
        )
        table.add_row(*row, Text(held, style="dim"))
    return _panel(table, "agents")


def _doing(agent: Json, call: Json | None) -> Text:
    if call is not None:
        mobile = _on_mobile(agent, call)
        return Text(clean(call["caller_number"] or "withheld") + (" mobile" if mobile else ""))
    if agent["state"] == "offline" and agent["signed_in"]:
        return Text("no phone yet", style="dim", overflow="ellipsis")
    return Text(clean(agent["reason"] or ""), style="dim", overflow="ellipsis")


def _on_mobile(agent: Json, call: Json) -> bool:
    """Return whether the agent's mobile is the phone that rings or is connected."""
    for offer in call.get("offers", ()):
        if offer["agent"] == agent["id"]:
            state = offer["devices"].get("mobile", "")
            return state in {"placed", "ringing", "answered", "accepted"}
    return False


def _decisions(p: Picture, rows: int) -> Panel:
    lines = list(p.story.decisions)[-rows:]
    return _panel(Group(*(_decision(line) for line in lines)), "last decisions")


def _decision(line: StoryLine) -> Text:
    text = Text.assemble((f"{clock(line.seconds)} ", "dim"), (line.text, _LINES.get(line.kind, "")))
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _join(lines: Sequence[str]) -> Group:
    return Group(*(Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in lines))


def _panel(content: Group | Table, title: str) -> Panel:
    return Panel(
        content,
        title=Text(title, style="bold"),
        title_align="left",
        box=box.ROUNDED,
        border_style="dim",
        padding=(0, 1),
    )


class Terminal(Console):
    """Standard output.

    When its reader is gone, `on_gone` is called once and all output is dropped.
    """

    def __init__(self, on_gone: Callable[[], None]) -> None:
        super().__init__(highlight=False)
        self._on_gone = on_gone
        self._gone = False

    @property
    def shows_frames(self) -> bool:
        """Whether this is a terminal that can show a live view.

        False for a pipe and for a dumb terminal, which get plain lines.
        """
        return sys.stdout.isatty() and not self.is_dumb_terminal

    def say(self, *lines: str) -> None:
        """Print plain lines and flush. Never fails.

        A terminal that has gone counts as a closed pipe: `on_gone` is called. Markup is not
        interpreted.
        """
        try:
            for line in lines:
                self.print(Text(line), soft_wrap=True)
        except OSError:  # the terminal was closed
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Called by Rich when a pipe is closed. Its default would exit the process at once."""
        if self._gone:
            return
        self._gone = self.quiet = True
        # Data still in the buffer must not cause an error when Python flushes it on exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        self._on_gone()
