"""`cluster:`: taken, refused, warned of, and what a change of it is in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.settings import changes
from callrouter.settings.loaded import ClusterSettings
from tests.settings.cases import loaded, told

POSTGRES = "database: 'postgresql://u:hunter@localhost/d'\n"


def test_none_by_default(tmp_path: Path) -> None:
    assert loaded(tmp_path).cluster is None


def test_taken(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        rest=POSTGRES + "cluster: {name: north-1, pool: sales, url: 'http://10.0.0.1:80/'}\n",
    )
    assert settings.cluster == ClusterSettings(
        name="north-1", pool="sales", url="http://10.0.0.1:80"
    )
    assert not [item for item in settings.warnings if "cluster" in item.text]


def test_the_default_address_is_the_one_it_listens_on(tmp_path: Path) -> None:
    text = POSTGRES + "cluster: {name: n}\nhttp: {listen: '10.0.0.7:8080'}\n"
    assert loaded(tmp_path, rest=text).cluster == ClusterSettings(
        name="n", pool="main", url="http://10.0.0.7:8080"
    )


@pytest.mark.parametrize(
    ("listen", "why"),
    [
        ("127.0.0.1:8080", "this machine only"),
        ("[::1]:8080", "this machine only"),
        ("localhost:8080", "this machine only"),
        ("0.0.0.0:8080", "says no address"),
        ("[::]:8080", "says no address"),
    ],
)
def test_an_address_that_other_machines_cannot_reach(tmp_path: Path, listen: str, why: str) -> None:
    text = POSTGRES + f"cluster: {{name: n}}\nhttp: {{listen: '{listen}'}}\n"
    warnings = [item for item in loaded(tmp_path, rest=text).warnings if why in item.text]
    assert len(warnings) == 1
    assert "url: http://HOST:PORT" in str(warnings[0])


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("cluster: {name: n}\n", "a cluster needs a PostgreSQL database"),
        (POSTGRES + "cluster: {pool: main}\n", "name"),
        (POSTGRES + "cluster: {name: North 1}\n", "(such as 'north-1')"),
        (POSTGRES + "cluster: {name: n, url: '10.0.0.1:80'}\n", "(write http://10.0.0.1:80)"),
        (POSTGRES + "cluster: {name: n, url: 'http://10.0.0.300:80'}\n", "http://10.0.0.1:8080"),
        ("database: ''\ncluster: {name: n}\n", "a cluster needs a PostgreSQL database"),
        (POSTGRES + "cluster: {name: n, pool: cluster}\n", "cannot be named 'cluster'"),
        (POSTGRES + f"cluster: {{name: n, pool: {'p' * 49}}}\n", "48 at most"),
        (POSTGRES + "cluster: {name: n, url: 'ftp://h'}\n", "http://10.0.0.1:8080"),
        (POSTGRES + "cluster: {name: n, url: 'http://h/path'}\n", "http://10.0.0.1:8080"),
        (POSTGRES + "cluster: {name: n, poll: main}\n", "did you mean 'pool'?"),
    ],
)
def test_refused(tmp_path: Path, text: str, right: str) -> None:
    assert right in " ".join(told(tmp_path, rest=text))


def test_a_change_needs_a_restart(tmp_path: Path) -> None:
    def at(text: str) -> list[str]:
        old = loaded(tmp_path, rest=POSTGRES + "cluster: {name: n, url: 'http://h:1'}\n")
        return changes(old, loaded(tmp_path, rest=POSTGRES + text))

    assert at("cluster: {name: m, pool: p, url: 'http://h:2'}\n") == [
        "cluster: name n -> m (needs a restart)",
        "cluster: pool main -> p (needs a restart)",
        "cluster: url http://h:1 -> http://h:2 (needs a restart)",
    ]
    assert at("") == ["cluster removed (needs a restart)"]
