"""A router whose configuration is in the database starts with it, without it, and with parts of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from callrouter.config_source.config_sources import source_of
from callrouter.config_source.start_config import StartConfig
from callrouter.daemon.last_good import choose_start
from callrouter.settings import ConfigError
from callrouter.store.location import Address
from tests.config_source.pool_house import FILES, bootstrap, environ, node, source, stored


def start(folder: Path, **more: str) -> StartConfig:
    return choose_start(folder, {**environ(folder), **more}, 0.0)


def run_once(folder: Path, **more: str) -> StartConfig:
    """A daemon has started, and has kept what is in force."""
    found = start(folder, **more)
    source(folder).history.begin(found.files)
    return found


def away(folder: Path, address: Address) -> None:
    own = folder / "callrouter.yaml"
    own.write_text(bootstrap(replace(address, url="postgresql://u:hunter2@127.0.0.1:1/d")))


def test_everything_comes_from_the_two_together(address: Address, tmp_path: Path) -> None:
    folder = node(tmp_path, address, more="http: {listen: '127.0.0.1:8099'}\n")
    (folder / "old.yaml").write_text("queues: nonsense")
    stored(source(folder), FILES)
    found = start(folder)
    assert sorted(found.settings.table.queues) == ["support"]
    assert found.settings.http.port == 8099
    assert found.settings.http.public_url == "https://calls.example.com"
    assert found.settings.pool == address.pool
    assert found.settings.config == "database"
    assert found.snapshot.version == 1
    assert (found.problems, found.away) == ((), "")


def test_without_a_version_the_start_says_what_to_do(address: Address, tmp_path: Path) -> None:
    folder = node(tmp_path, address)
    with pytest.raises(ConfigError) as caught:
        start(folder)
    (problem,) = caught.value.problems
    assert problem.file == "callrouter.yaml"
    assert "has no configuration" in problem.text
    assert "`callrouter config push DIR`" in problem.text


def test_a_start_without_the_database_takes_what_was_in_force(
    address: Address, tmp_path: Path
) -> None:
    folder = node(tmp_path, address)
    stored(source(folder), FILES)
    run_once(folder)
    away(folder, address)
    found = start(folder)
    assert sorted(found.settings.table.queues) == ["support"]
    assert "127.0.0.1" in found.away
    assert "hunter2" not in found.away
    kept = [path for path in (folder / "history").rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)


def test_a_first_start_without_the_database_says_so(address: Address, tmp_path: Path) -> None:
    folder = node(tmp_path, address)
    away(folder, address)
    with pytest.raises(ConfigError, match=r"the configuration cannot be read: .*127\.0\.0\.1"):
        start(folder)


def test_a_secret_that_is_not_here_leaves_this_router_with_what_it_has(
    address: Address, tmp_path: Path
) -> None:
    here = node(tmp_path, address, "north-1")
    there = node(tmp_path, address, "north-2")
    stored(source(here), FILES)
    run_once(here)
    run_once(there)
    token = "http: {api_tokens: [{name: crm, role: supervisor, token: '${CRM_TOKEN}'}]}\n"
    stored(source(here), {**FILES, "site.yaml": FILES["site.yaml"].partition("http")[0] + token})
    good = run_once(here, CRM_TOKEN="0123456789abcdef-of-here")
    assert good.problems == ()
    assert good.settings.http.api_tokens[0].token == "0123456789abcdef-of-here"
    lacking = start(there)
    (problem,) = lacking.problems
    assert (problem.file, problem.text) == (
        "site.yaml",
        "the environment variable in ${…} is not set",
    )
    assert lacking.settings.http.api_tokens == ()
    assert sorted(lacking.settings.table.queues) == ["support"]


def test_files_of_secrets_are_each_routers_own(address: Address, tmp_path: Path) -> None:
    token = "http: {api_tokens: [{name: crm, role: supervisor, token: '${file:crm-token}'}]}\n"
    files = {**FILES, "site.yaml": "pbx: {office: {driver: simulated}}\n" + token}
    for name in ("north-1", "north-2"):
        folder = node(tmp_path, address, name)
        (folder / "crm-token").write_text(f"the-token-of-{name}\n")
        if name == "north-1":
            stored(source(folder), files)
        assert start(folder).settings.http.api_tokens[0].token == f"the-token-of-{name}"
    kept = source(tmp_path / "north-1").snapshot().contents.values()
    assert not any(b"the-token-of" in (content or b"") for content in kept)


def test_a_mistake_in_the_routers_own_file(address: Address, tmp_path: Path) -> None:
    folder = node(tmp_path, address)
    stored(source(folder), FILES)
    own = folder / "callrouter.yaml"
    own.write_text(bootstrap(address) + "queues: {}\nagents: {}\n")
    with pytest.raises(ConfigError) as caught:
        start(folder)
    own_matter = (
        "{} belongs to the whole pool, not to this router (put it into the pool's "
        "configuration with `callrouter config push DIR`)"
    )
    assert [str(problem) for problem in caught.value.problems] == [
        "callrouter.yaml:4:1: " + own_matter.format("'queues'"),
        "callrouter.yaml:5:1: " + own_matter.format("'agents'"),
    ]
    own.write_text(bootstrap(address))
    run_once(folder)
    own.write_text(bootstrap(address) + "queues: {}\n")
    found = start(folder)
    assert len(found.problems) == 1
    assert sorted(found.settings.table.queues) == ["support"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("database: x.db", "'database' is each router's own"),
        ("cluster: {name: x}", "'cluster' is each router's own"),
        ("config: files", "'config' is each router's own"),
        ("http: {listen: '127.0.0.1:1'}", "'http: listen' is each router's own"),
    ],
)
def test_what_is_each_routers_own_is_no_matter_of_the_pool(
    address: Address, tmp_path: Path, line: str, said: str
) -> None:
    folder = node(tmp_path, address)
    stored(source(folder), {"agents.yaml": FILES["agents.yaml"], "more.yaml": line + "\n"})
    with pytest.raises(ConfigError) as caught:
        start(folder)
    assert any(said in problem.text for problem in caught.value.problems), caught.value


def test_a_key_of_http_in_both(address: Address, tmp_path: Path) -> None:
    folder = node(tmp_path, address, more="http: {public_url: 'https://x.example.com'}\n")
    stored(source(folder), FILES)
    with pytest.raises(ConfigError) as caught:
        start(folder)
    (problem,) = caught.value.problems
    assert str(problem) == (
        "site.yaml:2:8: 'http: public_url' appears twice (first in callrouter.yaml:4)"
    )


def test_only_postgresql_keeps_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "callrouter.yaml").write_text("config: database\n")
    with pytest.raises(ConfigError, match="only a PostgreSQL database can keep the configuration"):
        source_of(tmp_path, {})
