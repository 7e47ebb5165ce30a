"""A file that can't be read or written: calls go on, and nothing is lost once it can be."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from callrouter.model.agent_row import AgentRow
from callrouter.model.agent_status import AgentState, PendingRequest
from callrouter.model.events import (
    DeviceState,
    PauseRequested,
    PbxSnapshot,
    SeenLeg,
    SignedIn,
    SignedOut,
)
from callrouter.model.text import phrase, phrase_data
from callrouter.store import availability
from callrouter.store.codec import parse, values
from callrouter.store.location import Address, File, StoreError, choose
from tests.core.tables import queue, table
from tests.store.tried import Tried
from tests.store.world import T0, Clock, running, until

TWO = table(queue("q", "ann bob"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "callrouter.db"


def held(path: Path) -> dict[str, bool]:
    with sqlite3.connect(path) as link:
        found = dict(link.execute("SELECT agent, signed_in FROM agents").fetchall())
    link.close()
    return {agent: bool(signed_in) for agent, signed_in in found.items()}


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [item.getMessage() for item in caplog.records if item.levelno >= logging.ERROR]


def kept(caplog: pytest.LogCaptureFixture) -> int:
    """How often it was said that nothing can be kept."""
    return sum("can't be kept" in text for text in complaints(caplog))


# ---------------------------------------------------------------- out of reach


async def test_away(tried: Tried, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    async with running(TWO, tried.place, clock) as world:
        with tried.away():
            world.post(SignedIn(agent="ann"))
            assert world.agent("ann").signed_in
            await until(lambda: kept(caplog) == 1)
            assert world.store.status()["state"] == "bad"
            await until(lambda: tried.AWAY in world.store.status()["problem"])
            clock.at += availability.LOG_EVERY
            await until(lambda: kept(caplog) == 2)
        await until(lambda: world.store.status()["state"] == "good" and not world.unsaved)
    assert tried.held() == {"ann": True}


async def test_away_from_the_start(tried: Tried, clock: Clock) -> None:
    with tried.away():
        async with running(TWO, tried.place, clock) as world:
            world.post(SignedIn(agent="ann"))
            assert tried.AWAY in world.store.status()["problem"]
    async with running(TWO, tried.place, clock) as world:
        assert not world.agent("ann").signed_in, "it was never there to be written to"
        world.post(SignedIn(agent="bob"))
    assert tried.held() == {"bob": True}


async def test_a_folder_that_cannot_be_written_to(clock: Clock) -> None:
    async with running(TWO, Path("/proc/self/callrouter.db"), clock) as world:
        world.post(SignedIn(agent="ann"))
        await until(lambda: world.unsaved == 1)
        assert world.store.status()["state"] == "bad"


async def test_locked_by_another_program(tried: Tried, clock: Clock) -> None:
    async with running(TWO, tried.place, clock) as world:
        with tried.locked():
            world.post(SignedIn(agent="ann"))
            await until(lambda: tried.LOCKED in str(world.store.status()["problem"]))
            world.post(PauseRequested(agent="ann", reason="a"), SignedIn(agent="bob"))
        await until(lambda: world.store.status()["state"] == "good" and not world.unsaved)
    assert tried.held() == {"ann": True, "bob": True}


async def test_locked_at_start_puts_back_late_but_no_one_who_acted(
    tried: Tried, clock: Clock
) -> None:
    async with running(TWO, tried.place, clock) as world:
        world.post(SignedIn(agent="ann"), SignedIn(agent="bob"))
        world.post(PauseRequested(agent="ann", reason="old"))
    locked = tried.locked(reading=True)
    locked.__enter__()
    async with running(TWO, tried.place, clock) as world:
        assert not world.agent("bob").signed_in
        world.connect()
        leg = SeenLeg(
            offer="x-1", device="desk", agent="bob", call="c", answered=True, bridged=True
        )
        world.post(
            PbxSnapshot(pbx="office", legs=(leg,), endpoints={"PJSIP/bob": DeviceState.IDLE})
        )
        assert world.agent("bob").status.state is AgentState.ON_CALL
        clock.at += 5
        world.post(SignedIn(agent="ann"))
        locked.__exit__(None, None, None)
        await until(lambda: world.agent("bob").signed_in)
        assert world.agent("bob").idle_since == T0
        assert world.agent("ann").pause is None
        assert world.agent("ann").idle_since == T0 + 5
        await until(lambda: not world.unsaved and tried.held() == {"ann": True, "bob": True})


async def test_deleted_while_running(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(TWO, path, clock) as world:
        world.post(SignedIn(agent="ann"))
        await until(lambda: not world.unsaved and path.stat().st_size > 0)
        for file in path.parent.glob("callrouter.db*"):
            file.unlink()
        world.post(SignedIn(agent="bob"))
        await until(lambda: not world.unsaved)
        assert held(path) == {"ann": True, "bob": True}
        assert "was taken away" in complaints(caplog)[0]


async def test_the_folder_goes_and_comes_back(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    async with running(TWO, folder / "a.db", clock) as world:
        shutil.rmtree(folder)
        world.post(SignedIn(agent="ann"))
        await until(lambda: world.store.status()["state"] == "bad")
        folder.mkdir()
        await until(lambda: not world.unsaved)
        assert held(folder / "a.db") == {"ann": True}


async def test_a_full_disk(tried: Tried, clock: Clock) -> None:
    async with running(TWO, tried.place, clock):
        pass
    with tried.full():
        async with running(TWO, tried.place, clock) as world:
            for n in range(100):
                reason = f"{n} " + "x" * 100_000
                world.post(SignedIn(agent="ann"), PauseRequested(agent="ann", reason=reason))
            await until(lambda: tried.FULL in str(world.store.status()["problem"]))
            assert world.unsaved == 1, "the latest of each agent, no more"
    assert tried.held() == {}


async def test_a_full_disk_that_has_room_again(tried: Tried, clock: Clock) -> None:
    async with running(TWO, tried.place, clock):
        pass
    full = tried.full()
    full.__enter__()
    async with running(TWO, tried.place, clock) as world:
        reason = "x" * 100_000
        world.post(SignedIn(agent="ann"), PauseRequested(agent="ann", reason=reason))
        await until(lambda: tried.FULL in str(world.store.status()["problem"]))
        full.__exit__(None, None, None)
        await until(lambda: not world.unsaved and world.store.status()["state"] == "good")
    async with running(TWO, tried.place, clock) as world:
        assert world.agent("ann").pause == reason


async def test_one_that_may_only_be_read(tried: Tried, clock: Clock) -> None:
    async with running(TWO, tried.place, clock) as world:
        world.post(SignedIn(agent="ann"))
    read_only = tried.read_only()
    read_only.__enter__()
    async with running(TWO, tried.place, clock) as world:
        await until(lambda: world.agent("ann").signed_in)
        world.post(SignedIn(agent="bob"))
        await until(lambda: tried.READ_ONLY in str(world.store.status()["problem"]))
        read_only.__exit__(None, None, None)
        await until(lambda: tried.held() == {"ann": True, "bob": True})


async def test_an_older_copy_in_its_place(path: Path, clock: Clock) -> None:
    async with running(TWO, path, clock) as world:
        world.post(SignedIn(agent="ann"))
    old = path.read_bytes()
    async with running(TWO, path, clock) as world:
        world.post(SignedOut(agent="ann"))
        await until(lambda: not world.unsaved and held(path) == {"ann": False})
        (path.parent / "old").write_bytes(old)
        (path.parent / "old").rename(path)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        world.post(SignedIn(agent="bob"))
        await until(lambda: not world.unsaved)
        assert held(path) == {"ann": False, "bob": True}


# ---------------------------------------------------------------- damaged


@pytest.mark.parametrize(
    "garbage", [b"not a database at all" * 300, b"SQLite format 3\0" + b"\xff" * 9000]
)
async def test_garbage_is_set_aside(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, garbage: bytes
) -> None:
    path.write_bytes(garbage)
    async with running(TWO, path, clock) as world:
        (line,) = complaints(caplog)
        assert "is damaged" in line
        world.post(SignedIn(agent="ann"))
    assert held(path) == {"ann": True}
    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.read_bytes() == garbage


async def test_a_page_that_was_overwritten(path: Path, clock: Clock) -> None:
    async with running(TWO, path, clock) as world:
        world.post(SignedIn(agent="ann"))
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    async with running(TWO, path, clock) as world:
        assert not world.agent("ann").signed_in
        assert world.store.status()["state"] == "good"


async def test_rows_that_make_no_sense_are_left_out(
    tried: Tried, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(TWO, tried.place, clock) as world:
        world.post(SignedIn(agent="ann"), SignedIn(agent="bob"))
    # To SQLite it is a text, to PostgreSQL a number that is none.
    tried.ask("UPDATE agents SET idle_since = 'NaN' WHERE agent = 'ann'")
    async with running(TWO, tried.place, clock) as world:
        assert not world.agent("ann").signed_in
        assert world.agent("bob").signed_in
        assert "1 rows make no sense" in complaints(caplog)[0]


@pytest.mark.parametrize("pending", [None, *PendingRequest])
@pytest.mark.parametrize("shown", [None, *AgentState])
def test_names_of_states_and_requests_are_read_back(
    pending: PendingRequest | None, shown: AgentState | None
) -> None:
    row = AgentRow(agent="ann", pending=pending, shown=shown)
    written = values(row)
    assert (written["pending"], written["shown"]) == (
        "" if pending is None else pending.value,
        "" if shown is None else shown.value,
    )
    assert parse(AgentRow, list(written.values())) == row
    odd = {**written, "pending": "lunch", "shown": "sulking"}
    assert parse(AgentRow, list(odd.values())) == AgentRow(agent="ann")


def stored_messages(row: dict[str, object]) -> tuple[tuple[float, str], ...]:
    found = parse(AgentRow, list(row.values()))
    assert found is not None
    return found.messages


def test_messages_are_read_with_the_codes_of_their_sentences() -> None:
    late = phrase("lasted", "it lasted {time_s}", time_s=70.0)
    told = phrase("told", "{what}: {names}", what=late, names=["ann", "bob"])
    row = AgentRow(agent="ann", messages=((1.0, "sam: hello"), (2.0, told)))
    written = dict(values(row))
    assert stored_messages(written) == row.messages
    assert [phrase_data(text) for _, text in stored_messages(written)] == [None, phrase_data(told)]
    # A version that knows no codes reads the texts.
    texts = json.loads(str(written["messages"]))
    assert [item for item in texts if isinstance(item, list)] == [[1.0, "sam: hello"], [2.0, told]]


@pytest.mark.parametrize(
    "odd", [None, [None], {}, [{"code": 1}], [{"code": "c", "text": "told", "values": {"a": None}}]]
)
def test_a_message_whose_code_makes_no_sense_is_text(odd: object) -> None:
    written = dict(values(AgentRow(agent="ann")))
    written["messages"] = json.dumps([[2.0, "told"], {"phrases": odd}])
    assert [(text, phrase_data(text)) for _, text in stored_messages(written)] == [("told", None)]


def test_what_no_database_holds_is_no_poison() -> None:
    kept = values(AgentRow(agent="ann", pause_reason="\ud800 and \0"))
    assert kept["pause_reason"] == "? and ?"


# ---------------------------------------------------------------- where it is


def test_beside_the_configuration(tmp_path: Path) -> None:
    assert choose("callrouter.db", tmp_path, {}) == File(tmp_path / "callrouter.db")
    assert choose("/var/lib/x.db", tmp_path, {}) == File(Path("/var/lib/x.db"))


def test_a_configuration_that_is_not_ours_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd = tmp_path / "state"
    systemd.mkdir()
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) == systemd)
    env = {"HOME": str(tmp_path / "me")}
    state = {"STATE_DIRECTORY": f"{systemd}:/var/lib/other"}
    assert choose("a.db", tmp_path, env | state) == File(systemd / "a.db")
    found = choose("a.db", tmp_path, env)
    assert isinstance(found, File)
    made = found.path
    assert made.parent.parent == tmp_path / "me/.local/state/callrouter", (
        "one for each configuration"
    )
    assert made.parent.is_dir()


def test_an_address_is_shown_without_its_password(tmp_path: Path) -> None:
    place = choose("postgresql://u:hun%2Fter@h:5/d?sslmode=require&password=hunter", tmp_path, {})
    assert isinstance(place, Address)
    assert str(place) == "postgresql://h:5/d"
    assert "hun" not in repr(place)
    assert place.without_password("of u, hun/ter or hun%2Fter") == "of u, … or …"


def test_postgresql_without_what_speaks_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callrouter.settings.extras.find_spec", lambda _: None)
    with pytest.raises(StoreError, match="pip install") as caught:
        choose("postgresql://u:hunter@h/d", tmp_path, {})
    assert "hunter" not in str(caught.value)
