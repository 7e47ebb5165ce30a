"""``callrouter cluster``: asked of two nodes over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from callrouter.cli.commands import cluster_command
from callrouter.cli.daemon_client import DaemonClient, NoAnswer
from callrouter.cli.main import cli
from callrouter.cli.output_text import CommandFailed
from tests.api.forwarding.pair import Pair, node, pair, pool


@pytest.fixture
async def two() -> AsyncIterator[Pair]:
    async with pair() as made:
        yield made


async def ask(client: Any, *words: str, token: str = "admin-token-123456") -> tuple[int, str]:
    """The exit status, and what is printed or said of a failure."""
    url = client if isinstance(client, str) else str(client.make_url("/"))

    def work() -> tuple[int, str]:
        runner = CliRunner()
        found = runner.invoke(cli, ["--url", url, "--token", token, *words], standalone_mode=False)
        if isinstance(found.exception, SystemExit) or found.exception is None:
            return found.exit_code, found.output
        raise found.exception

    try:
        return await asyncio.to_thread(work)
    except CommandFailed as failed:
        return failed.status, failed.message


async def test_the_table_fits_80_columns(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    first, second = two.shared.pool.nodes
    long = "a-node-with-a-very-long-name-indeed"
    two.shared.pool = replace(
        two.shared.pool,
        nodes=(first, replace(second, config_digest="0123456789abcdef"), node(long, seen_s=99.0)),
    )
    two.shared.others = [pool("", node("south-1"), name="backup", lease_left_s=0.0)]
    for client in (two.active, two.standby):
        status, said = await ask(client, "cluster")
        lines = said.splitlines()
        assert status == 0
        assert max(map(len, lines)) <= 80
        assert lines[0] == "pool backup: no node is active"
        assert any(line.startswith("pool main: north-1 is active since ") for line in lines)
        assert any(line.split()[:2] == ["north-2", "standby"] for line in lines)
        assert "! north-2: its configuration is not the active node's" in lines
        assert f"! {long}: no sign of life for 99 seconds" in lines
        assert "01234567 " in said
    monkeypatch.setenv("COLUMNS", "160")
    _, said = await ask(two.active, "cluster")
    assert "http://127.0.0.1:" in said
    assert "north-1.example" in said


async def test_json_is_what_the_api_answers(two: Pair) -> None:
    status, said = await ask(two.standby, "cluster", "--json")
    found = json.loads(said)
    assert (status, found["node"], found["role"]) == (0, "north-2", "standby")
    assert found["pools"][0]["active"] == "north-1"


async def test_a_hand_over_is_waited_for(two: Pair) -> None:
    two.shared.obeys = True
    status, said = await ask(two.standby, "cluster", "hand-over", "--to", "north-2")
    assert status == 0
    first, last = said.splitlines()
    assert first == "pool main: north-2 takes over from north-1"
    assert last.startswith("north-2 is active for pool main, after ")
    status, said = await ask(two.standby, "cluster", "hand-over", "--pool", "main", "--json")
    order = json.loads(said)
    assert (status, order["to"], order["active"], order["epoch"]) == (0, "north-1", "north-2", 8)
    assert order["took_s"] < 5


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["--to", "north-9"], 2, "has no node north-9"),
        (["--to", "north-1"], 1, "active for pool main already"),
        (["--pool", "other"], 2, "there is no pool other"),
    ],
)
async def test_what_cannot_be_handed_over(
    two: Pair, words: list[str], status: int, text: str
) -> None:
    assert (await ask(two.active, "cluster", "hand-over", *words))[0] == status
    assert text in (await ask(two.active, "cluster", "hand-over", *words))[1]


async def test_a_hand_over_that_does_not_happen(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_command, "HAND_OVER_WITHIN", 0.5)
    status, said = await ask(two.active, "cluster", "hand-over")
    assert status == 1
    assert "north-2 has not taken pool main over within 0 s; north-1 is active" in said


@pytest.mark.parametrize("words", [(), ("--to", "north-2"), ("--pool", "main", "--json")])
async def test_a_daemon_that_takes_the_order_and_does_not_answer(
    two: Pair, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    post = DaemonClient.post

    def unanswered(client: DaemonClient, *path: str, **what: Any) -> Any:
        post(client, *path, **what)
        raise NoAnswer(3, "the daemon does not answer in time")

    monkeypatch.setattr(DaemonClient, "post", unanswered)
    two.shared.obeys = True
    status, said = await ask(two.active, "cluster", "hand-over", *words)
    assert status == 0
    if "--json" in words:
        assert json.loads(said)["to"] == "north-2"
    else:
        first, last = said.splitlines()
        assert first == "pool main: north-2 takes over from north-1"
        assert last.startswith("north-2 is active for pool main, after ")


async def test_a_daemon_that_may_have_taken_the_order(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unanswered(client: DaemonClient, *path: str, **what: Any) -> Any:
        raise NoAnswer(3, "the daemon does not answer in time")

    monkeypatch.setattr(DaemonClient, "post", unanswered)
    monkeypatch.setattr(cluster_command, "HAND_OVER_WITHIN", 0.5)
    status, said = await ask(two.active, "cluster", "hand-over")
    assert status == 3
    assert said.startswith("the daemon does not answer in time; it is not known whether the order")


async def test_who_may_not_and_who_cannot(two: Pair) -> None:
    status, said = await ask(two.active, "cluster", "hand-over", token="supervisor-token-1")
    assert (status, "role admin" in said) == (1, True)
    two.serve("")
    status, said = await ask(two.standby, "agents")
    assert (status, "no node is active" in said) == (3, True)
    url = str(two.active.make_url("/"))
    await two.servers[0].close()
    assert (await ask(url, "cluster"))[0] == 3
