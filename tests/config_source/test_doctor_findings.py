"""What doctor says of a configuration that is in the database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from callrouter.daemon.host_checks import look
from callrouter.daemon.last_good import choose_start
from callrouter.store.location import Address
from tests.config_source.pool_house import FILES, bootstrap, environ, node, source, stored


async def said(folder: Path) -> list[tuple[bool | None, str]]:
    settings = choose_start(folder, environ(folder), 0.0).settings
    found = [each async for each in look(settings, folder, environ(folder), None)]
    return [(each.ok, each.what) for each in found]


async def test_doctor_reads_the_configuration_in_the_database(
    address: Address, tmp_path: Path
) -> None:
    folder = node(tmp_path, address, more="http: {listen: '127.0.0.1:0'}\n")
    stored(source(folder), FILES)
    (folder / "old.yaml").write_text("queues: {}\n")
    found = await said(folder)
    assert (True, "the configuration is version 1 of the database") in found
    assert any(good is None and what.startswith("old.yaml is not read") for good, what in found)
    source(folder).history.begin(source(folder).snapshot().files)
    nowhere = replace(address, url="postgresql://u@127.0.0.1:1/d")
    (folder / "callrouter.yaml").write_text(bootstrap(nowhere))
    assert any(
        good is False and what.startswith("the configuration in the database cannot be read: ")
        for good, what in await said(folder)
    )
