"""Files that are in the database are edited over HTTP as those of a folder are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from callrouter.config_source.config_sources import DatabaseSource, source_of
from callrouter.settings.config_files import ConfigFile
from callrouter.store.database import Database, server_at
from callrouter.store.location import Address
from tests.api.edited_house import ADMIN, AGENTS, QUEUES, SITE, SUPERVISOR, EditedHouse, Editing
from tests.api.served import Served
from tests.store.server import PostgresServer, running_server

OWN = "http:\n  listen: 127.0.0.1:8080\n"
OF_ALL = SITE.replace("  listen: 127.0.0.1:8080\n", "")
FILES = {"agents.yaml": AGENTS, "queues.yaml": QUEUES, "site.yaml": OF_ALL}


server = pytest.fixture(scope="module")(running_server)


@pytest.fixture
def place(server: PostgresServer) -> Address:
    made = Address(server.database())
    Database(server_at(made, lambda: 0.0)).close()
    return made


class DatabaseHouse(EditedHouse):
    """A world whose configuration is in the database."""

    def __init__(self, folder: Path, place: Address) -> None:
        self.place = place
        super().__init__(folder)

    def prepare(self) -> None:
        self.write("callrouter.yaml", f'database: "{self.place.url}"\nconfig: database\n{OWN}')
        self.store(FILES)

    def source(self) -> DatabaseSource:
        found = source_of(self.folder, {"XDG_STATE_HOME": str(self.folder)})
        assert isinstance(found, DatabaseSource)
        return found

    def store(self, texts: dict[str, str], who: str = "kim", *, confirmed: bool = False) -> int:
        """Another node, or `callrouter config push`, stores a version."""
        files = {name: ConfigFile(text.encode(), 0o640, "") for name, text in texts.items()}
        source = self.source()
        change = source.store(
            files, after=source.table.newest_number(), who=who, how="push", lines=("something",),
            removed_queues=(), confirmed=confirmed,
        )  # fmt: skip
        return change.number

    def texts(self) -> dict[str, str]:
        contents = self.source().snapshot().contents
        return {name: (content or b"").decode() for name, content in contents.items()}


@pytest.fixture
def house(tmp_path: Path, place: Address) -> Iterator[DatabaseHouse]:
    made = DatabaseHouse(tmp_path, place)
    yield made
    made.world.close()


@pytest.fixture
async def boss(house: DatabaseHouse) -> AsyncIterator[Editing]:
    async with TestClient(Served(house.world.app)) as client:
        yield Editing(client, ADMIN)


@pytest.fixture
def crm(boss: Editing) -> Editing:
    return Editing(boss.client, SUPERVISOR)


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not true():
        assert loop.time() < end, "it did not happen in time"
        await asyncio.sleep(0.02)


async def test_a_save_is_a_version_and_is_in_force(house: DatabaseHouse, boss: Editing) -> None:
    view = await boss.get("files")
    assert [file["name"] for file in view["files"]] == ["agents.yaml", "queues.yaml", "site.yaml"]
    assert view["writable"]
    assert all(file["modified"] for file in view["files"])
    saved = await boss.change("queues.yaml", "ring_for: 20s", "ring_for: 25s")
    assert (saved["number"], saved["set_aside"]) == (2, [])
    assert house.config.settings.table.queues["support"].ring_for == 25.0
    assert house.texts()["queues.yaml"] == QUEUES.replace("20s", "25s")
    assert not (house.folder / "queues.yaml").exists()
    (newest, first) = (await boss.get("history"))["changes"]
    assert (newest["number"], newest["who"], newest["files"]) == (2, "boss", ["queues.yaml"])
    assert newest["how"].startswith("save from 127.0.0.1")
    assert first["number"] == 1
    detail = await boss.get("history/2")
    assert any("ring_for: 25s" in line for line in detail["diff"])
    assert house.config.state.version == 2


async def test_a_mistake_is_refused_before_it_is_stored(
    house: DatabaseHouse, boss: Editing
) -> None:
    answer = await boss.change("queues.yaml", "ring_for: 20s", "ring_fro: 20s", 422)
    assert answer["problems"][0]["file"] == "queues.yaml"
    text, etag = await boss.file("site.yaml")
    answer = await boss.put("site.yaml", text + "database: x.db\n", etag, 422)
    assert "each router's own" in answer["problems"][0]["message"]
    missing = text.replace("0123456789abcdef", '"${NOT_HERE}"')
    answer = await boss.put("site.yaml", missing, etag, 422)
    assert "is not set" in answer["problems"][0]["message"]
    answer = await boss.put("callrouter.yaml", "timezone: UTC\n", "", 422)
    assert "each router's own file" in answer["detail"]
    assert house.source().version() == 1


async def test_what_removes_much_is_confirmed(house: DatabaseHouse, boss: Editing) -> None:
    house.callers["sales"] = 2
    gone = QUEUES.partition("  sales:")[0]
    _, etag = await boss.file("queues.yaml")
    answer = await boss.put("queues.yaml", gone, etag, 409)
    assert "2 callers are in it" in answer["held"][0]
    assert house.source().version() == 1
    saved = await boss.put("queues.yaml", gone, etag, confirm=True)
    assert saved["number"] == 2
    assert house.source().snapshot().confirmed


async def test_who_edits_what_another_has_saved_is_told(
    house: DatabaseHouse, boss: Editing
) -> None:
    text, etag = await boss.file("agents.yaml")
    house.store({**FILES, "agents.yaml": AGENTS + "  dora: {devices: {desk: PJSIP/1004}}\n"})
    answer = await boss.put("agents.yaml", text.replace("Alice Martin", "Alice M"), etag, 412)
    assert "by kim" in answer["detail"]
    assert answer["changes"] == ["something"]
    assert "dora" in answer["text"]
    saved = await boss.change("queues.yaml", "ring_for: 20s", "ring_for: 25s")
    assert saved["number"] == 3, "another file was changed: that is no conflict"
    assert "dora" in house.texts()["agents.yaml"]
    assert "dora" in house.config.settings.table.agents


async def test_two_save_the_same_file_at_once(house: DatabaseHouse, boss: Editing) -> None:
    other = Editing(boss.client, ADMIN)
    text, etag = await boss.file("queues.yaml")
    wanted = [text.replace("ring_for: 20s", f"ring_for: {n}s") for n in (25, 26)]
    source = house.config.source
    assert isinstance(source, DatabaseSource)
    real = source.store

    def store(*args: Any, **how: Any) -> Any:
        """Another node is quicker, each time but the last."""
        if house.source().version() < 3:
            house.store({**house.texts(), "agents.yaml": f"{AGENTS}# {house.source().version()}\n"})
        return real(*args, **how)

    source.store = store  # type: ignore[method-assign]
    saved = await boss.put("queues.yaml", wanted[0], etag)
    assert saved["number"] == 4, "of other files that were saved, each try takes notice"
    assert house.texts()["agents.yaml"] == f"{AGENTS}# 2\n"
    answer = await other.put("queues.yaml", wanted[1], etag, 412)
    assert "by boss" in answer["detail"]


async def test_a_rollback_is_a_version_as_well(
    house: DatabaseHouse, boss: Editing, crm: Editing
) -> None:
    await boss.change("queues.yaml", "ring_for: 20s", "ring_for: 25s")
    await boss.change("site.yaml", "Europe/London", "Europe/Paris")
    refused = await crm.post("rollback", {"number": 3}, 403)
    assert "timezone" in refused["detail"]
    plan = await boss.post("rollback", {"number": 2, "dry_run": True})
    assert plan["put_back"] == ["queues.yaml", "site.yaml"]
    assert house.source().version() == 3
    answer = await boss.post("rollback", {"number": 2})
    assert answer["number"] == 4
    assert house.texts() == FILES
    assert house.config.settings.timezone == "Europe/London"
    (newest, *_) = house.source().history.changes()
    assert (newest.who, newest.how.partition(" from")[0]) == ("boss", "rollback to before 2")


async def test_a_new_version_is_taken_up_by_itself(house: DatabaseHouse) -> None:
    following = asyncio.create_task(house.config.follow())
    try:
        number = house.store({**FILES, "queues.yaml": QUEUES.replace("20s", "25s")})
        begun = asyncio.get_running_loop().time()
        await until(lambda: house.config.state.version == number)
        assert house.config.settings.table.queues["support"].ring_for == 25.0
        assert asyncio.get_running_loop().time() - begun < 10, "2 s on a machine with nothing else"
        house.store({**FILES, "queues.yaml": "queues: nonsense"})
        await until(lambda: bool(house.config.state.problems))
        assert house.config.settings.table.queues["support"].ring_for == 25.0
        house.store(FILES)
        await until(lambda: not house.config.state.problems)
        assert house.config.settings.table.queues["support"].ring_for == 20.0
    finally:
        following.cancel()


async def test_a_version_that_takes_a_queue_from_callers_waits_here(house: DatabaseHouse) -> None:
    house.callers["sales"] = 1
    following = asyncio.create_task(house.config.follow())
    gone = {**FILES, "queues.yaml": QUEUES.partition("  sales:")[0]}
    try:
        house.store(gone)
        await until(lambda: bool(house.config.state.held))
        assert "sales" in house.config.settings.table.queues
        await house.config.reload(asked=True, who="kim", confirm=True)
        assert "sales" not in house.config.settings.table.queues
        house.store(FILES)
        await until(lambda: "sales" in house.config.settings.table.queues)
        house.store(gone, confirmed=True)
        await until(lambda: "sales" not in house.config.settings.table.queues)
    finally:
        following.cancel()


async def test_while_the_database_is_away(
    house: DatabaseHouse, boss: Editing, server: PostgresServer
) -> None:
    _, etag = await boss.file("queues.yaml")
    following = asyncio.create_task(house.config.follow())
    try:
        server.stop()
        try:
            await until(lambda: bool(house.config.state.away))
            assert "sales" in house.config.settings.table.queues
            answer = await boss.get("files", 503)
            assert "is in the database, which cannot be used now" in answer["detail"]
            await boss.put("queues.yaml", QUEUES, etag, 503)
            await boss.get("history", 503)
            assert not (await boss.post("reload", {}))["ok"]
            assert house.config.state.problems == ()
        finally:
            server.start()
        number = house.store({**FILES, "queues.yaml": QUEUES.replace("20s", "25s")})
        await until(lambda: house.config.state.version == number)
        assert house.config.state.away == ""
    finally:
        following.cancel()
