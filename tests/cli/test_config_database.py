"""The command line with a configuration that is in the database: push, pull, check, history, rollback."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from callrouter.cli import output_text
from callrouter.cli.main import main
from tests.config_source.pool_house import AGENTS, QUEUES, SITE
from tests.store.server import PostgresServer, running_server

OWN = "http: {listen: '127.0.0.1:8099'}\n"
TOKEN = "http: {api_tokens: [{name: crm, role: supervisor, token: '${CRM_TOKEN}'}]}\n"


server = pytest.fixture(scope="module")(running_server)


class Operator:
    """Runs commands in a folder, in this process."""

    def __init__(self, folder: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.etc = folder / "etc"
        self.etc.mkdir()
        self.work = folder / "work"
        self.own = (
            f'database: "{url}"\ncluster: {{name: north-1, pool: north, url: "http://h:1"}}\n'
        )
        self._capsys = capsys

    def write(self, name: str, text: str, folder: Path | None = None) -> None:
        (folder or self.etc).mkdir(exist_ok=True)
        ((folder or self.etc) / name).write_text(text)

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.work / name).read_text()
        assert old in text
        (self.work / name).write_text(text.replace(old, new))

    def __call__(self, *words: str, status: int = 0) -> str:
        """What a command says, on both outputs."""
        before, sys.argv = sys.argv, ["callrouter", "--config", str(self.etc), *words]
        try:
            with pytest.raises(SystemExit) as caught:
                main()
        finally:
            sys.argv = before
        said = self._capsys.readouterr()
        assert (caught.value.code or 0) == status, said
        return said.out + said.err


@pytest.fixture
def run(
    server: PostgresServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    for name in ("CALLROUTER_URL", "CALLROUTER_CONFIG", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    made = Operator(tmp_path, server.database(), capsys)
    made.write("callrouter.yaml", made.own + OWN + SITE.partition("http")[0])
    made.write("agents.yaml", AGENTS)
    made.write("queues.yaml", QUEUES)
    return made


@pytest.fixture
def moved(run: Operator) -> Operator:
    """The files are in the database, and the folder has the router's own file."""
    run("config", "push")
    run.write("callrouter.yaml", run.own + "config: database\n" + OWN)
    for name in ("agents.yaml", "queues.yaml"):
        (run.etc / name).unlink()
    return run


def test_moving_into_the_database(run: Operator) -> None:
    said = run("config", "push", "--dry-run")
    assert "the first version: 2 agents, 1 queue" in said
    said = run("config", "push")
    assert "stored as version 1 of pool north" in said
    assert "write config: database into callrouter.yaml" in said
    assert "has the same files" in run("config", "push")
    run.write("callrouter.yaml", run.own + "config: database\n" + OWN)
    said = run("check")
    assert "agents.yaml: warning: is not read" in said
    assert f"{run.etc}, with version 1 of the database: good, with 2 agents, 1 queue, 1" in said
    (run.etc / "agents.yaml").unlink()
    (run.etc / "queues.yaml").unlink()
    assert "not read" not in run("check")
    assert "say which folder" in run("config", "push", status=2)


def test_pull_edit_push(moved: Operator) -> None:
    run = moved
    said = run("config", "pull", str(run.work))
    assert f"wrote {run.work}/queues.yaml" in said
    assert sorted(path.name for path in run.work.glob("*.yaml")) == [
        "agents.yaml", "queues.yaml", "site.yaml",
    ]  # fmt: skip
    assert (run.work / "queues.yaml").read_text() == QUEUES
    run.replace("queues.yaml", "on_nobody: wait", "on_nobody: wiat")
    said = run("config", "push", str(run.work), status=1)
    assert "queues.yaml:2:" in said
    assert "1 mistake; nothing was stored" in said
    run.replace("queues.yaml", "on_nobody: wiat", "on_nobody: wait, ring_for: 25s")
    said = run("config", "push", str(run.work))
    assert "ring_for" in said
    assert "stored as version 2" in said
    run.replace("queues.yaml", "25s", "30s")
    assert "stored as version 3" in run("config", "push", str(run.work)), "the mark moves along"
    listed = json.loads(run("history", "--json"))
    assert [(each["number"], each["how"]) for each in listed] == [
        (3, "push"), (2, "push"), (1, "push"),
    ]  # fmt: skip
    assert "+  support: {agents: [alice, bob], on_nobody: wait, ring_for: 30s}" in run(
        "history", "3"
    )


def test_two_who_have_pulled_the_same_version(moved: Operator) -> None:
    run = moved
    run("config", "pull", str(run.work))
    second = run.folder / "second"
    run("config", "pull", str(second))
    run.replace("queues.yaml", "on_nobody: wait", "on_nobody: wait, ring_for: 25s")
    run("config", "push", str(run.work))
    (second / "agents.yaml").write_text(AGENTS + "# mine\n")
    said = run("config", "push", str(second), status=1)
    assert "is from version 1, and version 2 was stored since" in said
    assert "queues.yaml in" in run("config", "pull", str(second), status=1)
    assert "stored as version 3" in run("config", "push", str(second), "--overwrite")


def test_a_pull_beside_the_files_that_were_pushed_says_what_is_in_the_way(moved: Operator) -> None:
    run = moved
    run.write("callrouter.yaml", run.own + SITE, run.work)
    said = run("config", "pull", str(run.work))
    assert "callrouter.yaml is not in version 1: take it away" in said
    assert f"--config {run.etc} config push {run.work}\n" in said
    said = run("config", "push", str(run.work), status=2)
    assert "move these sections into site.yaml" in said
    (run.work / "callrouter.yaml").unlink()
    assert "nothing was stored" in run("config", "push", str(run.work))


def test_what_is_stored_although_the_reader_has_gone(
    moved: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = moved
    run("config", "pull", str(run.work))
    run.replace("agents.yaml", "PJSIP/1001", "PJSIP/1009")

    def gone(*_: object, **_more: object) -> None:
        raise BrokenPipeError

    with monkeypatch.context() as patched:
        patched.setattr(output_text, "print_text", gone)
        run("config", "push", str(run.work))
    assert "PJSIP/1009" in run("history", "2")
    with monkeypatch.context() as patched:
        patched.setattr(output_text, "print_text", gone)
        run("rollback", "2")
    assert "rollback to before 2" in run("history")


def test_what_takes_away_much_is_confirmed(moved: Operator) -> None:
    run = moved
    for name, text in (("site.yaml", SITE), ("agents.yaml", AGENTS)):
        run.write(name, text, run.work)
    run.write("queues.yaml", "", run.work)
    said = run("config", "push", str(run.work), status=1)
    assert "taken away:" in said
    assert "nothing was stored; say --yes if that is meant" in said
    assert "stored as version 2" in run("config", "push", str(run.work), "--yes")
    said = run("rollback", "2", "--dry-run")
    assert "support" in said
    assert "stored as version 3; the routers take it up within 2 s" in run("rollback", "2")
    assert "1 queue" in run("check")
    assert "nothing to restore: the files are already like that" in run("rollback", "2")
    assert "there is no change 9" in run("rollback", "9", status=2)


def test_a_secret_that_is_not_here_stays_a_reference(
    moved: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = moved
    run("config", "pull", str(run.work))
    site = (run.work / "site.yaml").read_text().partition("http")[0]
    run.write("site.yaml", site + TOKEN, run.work)
    said = run("config", "push", str(run.work))
    assert "http.api_tokens.token: the environment variable in ${…} is not set here; each" in said
    assert "stored as version 2" in said
    assert "the environment variable in ${…} is not set" in run("check", status=1)
    monkeypatch.setenv("CRM_TOKEN", "0123456789abcdef-secret")
    assert "good, with" in run("check")
    run("config", "pull", str(run.folder / "again"))
    assert "${CRM_TOKEN}" in (run.folder / "again/site.yaml").read_text()
    misspelt = TOKEN.replace("${CRM_TOKEN}", "${CRM TOKEN}")
    run.write("site.yaml", site + misspelt, run.work)
    run("config", "push", str(run.work), status=1)


def test_without_the_database(moved: Operator, server: PostgresServer) -> None:
    run = moved
    server.stop()
    try:
        assert "the configuration cannot be read" in run("check", status=3)
        found = json.loads(run("check", "--json", status=3))
        assert (found["ok"], found["count"]) == (False, 1)
        for line in ("doctor", "dialplan", "run"):
            said = run(line, status=3)
            assert said.count("the configuration cannot be read") == 1, line
            assert "mistake" not in said, line
        assert "has no configuration files of the pool" in run(
            "config", "push", str(run.etc), status=2
        )
        run.write("site.yaml", SITE, run.work)
        assert "callrouter: " in run("config", "push", str(run.work), status=3)
        assert "callrouter: " in run("config", "pull", str(run.folder / "new"), status=3)
        for line in ("history", "rollback 1", "cluster", "cluster hand-over"):
            said = run(*line.split(), status=3)
            assert said.startswith("callrouter: "), line
            assert said.count(str(server.folder)) == 1, line
    finally:
        server.start()
    assert "good, with" in run("check")


def test_the_cluster_needs_no_more_of_the_configuration_than_where_it_is(run: Operator) -> None:
    run("config", "push")  # makes the tables
    assert "no pool" in run("cluster", "hand-over", status=2)
    run.write("queues.yaml", QUEUES + "  suport: {agents: [nobody], ring_fro: 5s}\n")
    run.write("odd.yaml", "queues: [\n")
    assert run("check", status=1)
    assert "no pool" in run("cluster", "hand-over", status=2)
    assert (
        run("cluster")
        == "no pool is in this database yet: no daemon with cluster: has run with it\n"
    )
    own = run.own + OWN + SITE.partition("http")[0]
    run.write(
        "callrouter.yaml",
        own.replace("postgresql://", "postgres://", 1).replace("pool: north", "pool: No"),
    )
    assert "callrouter.yaml:2:" in run("cluster", status=2)
    run.write("callrouter.yaml", own.replace("pool: north", "pool: '${NO_SUCH_POOL}'"))
    assert "NO_SUCH_POOL" in run("cluster", status=2)
    run.write("callrouter.yaml", own)
    run.write("odd.yaml", "cluster: {name: south-1, pool: south}\n")
    assert "section 'cluster' appears twice" in run("cluster", status=2)
    run.write("odd.yaml", own.partition("cluster")[2])
    run.write("callrouter.yaml", OWN)
    assert "odd.yaml:1:" in run("cluster", status=2), (
        "what cannot be read may be what is looked for"
    )
    (run.etc / "odd.yaml").unlink()
    assert "belongs to no cluster" in run("cluster", status=2)


def test_a_pool_without_a_configuration_has_no_history(run: Operator) -> None:
    run.write("callrouter.yaml", run.own + "config: database\n" + OWN)
    for line in ("history", "rollback 1", "rollback"):
        said = run(*line.split(), status=2)
        assert said.startswith("callrouter: "), line
        assert said.count("postgresql:") < 2, line
    assert "has no configuration" in run("check", status=1)


def test_pools_of_one_database_have_their_own(moved: Operator) -> None:
    run = moved
    run.own = run.own.replace("pool: north", "pool: south")
    run.write("callrouter.yaml", run.own + "config: database\n")
    assert "pool south has no configuration" in run("check", status=1)
    for name, text in (("site.yaml", SITE), ("agents.yaml", AGENTS), ("queues.yaml", QUEUES)):
        run.write(name, text, run.work)
    assert "stored as version 1 of pool south" in run("config", "push", str(run.work))


def test_where_no_database_can_keep_it(run: Operator) -> None:
    run.write("callrouter.yaml", SITE)
    assert "names no PostgreSQL database" in run("config", "push", status=2)
