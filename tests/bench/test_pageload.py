"""`make pageload`: its arithmetic and its words, without a browser."""

from __future__ import annotations

from pathlib import Path

from bench.page_daemon import traffic
from bench.pageload import Found, Timed, arguments, table, write
from callrouter.settings import load

FOUND = Found(
    seconds=10.0,
    timed=Timed([40.0] * 98 + [90.0, 250.0], [20.0] * 100, 3000, 100, 5_000_000),
    page={"TaskDuration": 2.0, "ScriptDuration": 1.2},
    heaps=[4.0, 4.1],
    nodes=[5000, 5010],
    daemon_s=3.0,
    daemon_mb=(100.0, 101.0),
    flushes=[0.002],
    answers=[1.0],
    other=[5_000_000],
)


def test_the_table() -> None:
    lines = "\n".join(table(FOUND, arguments([])))
    assert "1000 agents, 50 queues, 20 watchers, view board, 10 s" in lines
    assert "300 a second" in lines
    assert "10.0 a second, of 50.0 kB" in lines
    assert "40.0 / 40.0 / 91.6 / 250.0" in lines
    assert "p99 at most 100: met" in lines
    assert "20.0 % (script 12.0 %)" in lines
    assert "at most 35 %: met" in lines
    assert "2.0 / 2.0 / 2.0 / 2.0, for all watchers" in lines


def test_what_is_missed_is_said() -> None:
    slow = Found(**{**vars(FOUND), "timed": Timed([101.0]), "page": {"TaskDuration": 3.6}})
    assert "\n".join(table(slow, arguments([]))).count("MISSED") == 2


def test_its_configuration_is_one(tmp_path: Path) -> None:
    write(tmp_path, 8080, 100, 5, 19)
    settings = load(tmp_path, environ={})
    assert len(settings.table.agents) == 100
    assert len(settings.http.api_tokens) == 4
    members = [len(queue.members) for queue in settings.table.queues.values()]
    assert sum(members) >= 100
    assert min(members) > 0


def test_the_rate_is_shared_by_the_queues() -> None:
    busy = traffic(60.0, 50)
    assert busy.arrivals("q01") * 50 == 60.0 * 60
