"""Two daemons as processes, with one PostgreSQL: each answers for the pool, whichever is active."""

from __future__ import annotations

import http.client
import json
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from tests.daemon.process import BUSY, Daemon, Place, started, until
from tests.store.server import PostgresServer

PASSWORD = "correct horse battery"
ADMIN = "an-admins-token-123456"
SUPERVISOR = "0123456789abcdef"


def made(folder: Path, name: str, database: str, users: str) -> Place:
    """A place whose daemon is a node of the pool, with the same configuration as the others."""
    folder.mkdir()
    place = Place(folder)
    place.replace(
        "callrouter", "api_tokens: [", f"api_tokens: [{{name: boss, role: admin, token: {ADMIN}}}, "
    )
    address = f"http://127.0.0.1:{place.port}"
    cluster = f"cluster: {{name: {name}, pool: main, url: {address}}}\ndatabase: {database}\n"
    text = (place.config / "callrouter.yaml").read_text()
    place.write("callrouter", text + cluster)
    place.write("users", users)
    return place


@pytest.fixture
def places(server: PostgresServer) -> Iterator[tuple[Place, Place]]:
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    users = f'users: {{ada: {{role: admin, password: "{hasher.hash(PASSWORD)}"}}}}\n'
    database = server.database()
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield (
            made(Path(folder) / "1", "north-1", database, users),
            made(Path(folder) / "2", "north-2", database, users),
        )


def ask(
    place: Place, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any, str]:
    """Status, JSON and the cookie of an answer; status 0: the daemon cannot be reached."""
    link = http.client.HTTPConnection("127.0.0.1", place.port, timeout=BUSY)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        link.request(method, path, None if body is None else json.dumps(body), sent)
        answer = link.getresponse()
        content = answer.read()
        cookie = (answer.headers.get("Set-Cookie") or "").partition(";")[0]
        return answer.status, json.loads(content) if content else None, cookie
    except OSError:
        return 0, None, ""
    finally:
        link.close()


def token(text: str = SUPERVISOR) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def pool(place: Place) -> Any:
    status, found, _ = ask(place, "GET", "/api/cluster", **token())
    return found["pools"][0] if status == 200 else None


def is_active(place: Place, name: str) -> bool:
    found = pool(place)
    return found is not None and found["active"] == name


def serves(place: Place) -> bool:
    """Whether requests are answered for the pool at this node."""
    return ask(place, "GET", "/api/agents", **token())[0] == 200


def standbys(place: Place) -> list[str]:
    found = pool(place)
    return [node["name"] for node in found["nodes"] if node["role"] == "standby"] if found else []


def log_in(place: Place) -> str:
    body = {"user": "ada", "password": PASSWORD}
    status, _, cookie = ask(place, "POST", "/api/session", body)
    assert status == 200
    return cookie


def who(place: Place, cookie: str) -> Any:
    return ask(place, "GET", "/api/session", Cookie=cookie)


@pytest.mark.timeout(300)
def test_each_node_answers_for_the_pool_whichever_is_active(places: tuple[Place, Place]) -> None:
    one, two = places
    with started(one) as first:
        until(lambda: is_active(one, "north-1") and serves(one))
        with started(two) as second:
            until(lambda: standbys(one) == ["north-2"] and serves(two))
            by_the_standby(one, two)
            cookie = by_a_session(two)
            secret_is_in_no_log(first, second)
            first.signal(signal.SIGKILL)
            first.wait()
            until(lambda: is_active(two, "north-2") and serves(two))
            status, found, _ = who(two, cookie)
            assert (status, found["user"]) == (200, "ada"), "a session outlives its node"
            assert found["cluster"]["via"] is None
            with started(one) as third:
                until(lambda: standbys(two) == ["north-1"] and serves(one))
                handed_over_and_back(one, two, cookie)
                secret_is_in_no_log(second, third)
                assert third.stop() == 0
                answer = two.call("cluster", "hand-over")
                assert (answer.returncode, "has no standby" in answer.stderr) == (1, True)
            assert second.stop() == 0
    without_a_daemon(one)


def by_the_standby(one: Place, two: Place) -> None:
    """Over HTTP, over the socket, and for the node itself."""
    for place in (one, two):
        status, found, _ = ask(place, "GET", "/api/agents", **token())
        assert (status, [agent["id"] for agent in found]) == (200, ["alice", "bob", "front"])
        assert ask(place, "GET", "/api/agents", **token("wrong"))[0] == 401
    _, health, _ = ask(two, "GET", "/healthz")
    assert health["role"] == "standby"
    assert ask(one, "GET", "/healthz")[1]["role"] == "active"
    answer = two.call("agent", "alice", "sign-in")
    assert (answer.returncode, answer.stderr) == (0, "")
    _, alice, _ = ask(one, "GET", "/api/agents/alice", **token())
    assert alice["signed_in"]
    acts: list[Any] = []

    def told() -> bool:
        found = ask(one, "GET", "/api/audit?target=alice", **token(ADMIN))[1]["acts"]
        acts[:] = [act for act in found if act["act"] == "agents.sign-in"]
        return bool(acts)

    until(told)
    assert acts[0]["from"].startswith("socket uid ")
    assert acts[0]["from"].endswith(" via north-2")
    nodes = pool(one)["nodes"]
    assert [bool(node["config"]) for node in nodes] == [True, True]
    assert [node["config_differs"] for node in nodes] == [False, False]
    two.replace("agents", "Bob Jones", "Robert Jones")
    until(lambda: [node["config_differs"] for node in pool(one)["nodes"]] == [False, True])
    one.replace("agents", "Bob Jones", "Robert Jones")
    until(lambda: [node["config_differs"] for node in pool(one)["nodes"]] == [False, False])
    shown = two.call("cluster")
    assert shown.returncode == 0
    assert shown.stdout.startswith("pool main: north-1 is active since ")


def by_a_session(two: Place) -> str:
    cookie = log_in(two)
    _, found, _ = who(two, cookie)
    assert (found["cluster"]["node"], found["cluster"]["via"]) == ("north-1", "north-2")
    status, _, _ = ask(two, "POST", "/api/agents/bob/sign-in", {}, Cookie=cookie)
    assert status == 403, "a change needs the token of the page"
    sent = {"Cookie": cookie, "X_CSRF_Token": found["csrf_token"]}
    assert ask(two, "POST", "/api/agents/bob/sign-in", {}, **sent)[0] == 200
    return cookie


def handed_over_and_back(one: Place, two: Place, cookie: str) -> None:
    answer = one.call("cluster", "hand-over", "--to", "north-1")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines()[0] == "pool main: north-1 takes over from north-2"
    assert is_active(one, "north-1")
    until(lambda: standbys(one) == ["north-2"] and serves(one) and serves(two))
    assert who(two, cookie)[0] == who(one, cookie)[0] == 200
    answer = one.call("cluster", "hand-over", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["to"] == "north-2"
    until(lambda: standbys(two) == ["north-1"])
    answer = one.call("cluster", "hand-over", "--to", "north-2")
    assert answer.returncode == 1
    assert "north-2 is active for pool main already" in answer.stderr
    answer = one.call("cluster", "hand-over", "--to", "north-9")
    assert answer.returncode == 2
    assert "it has: north-1, north-2" in answer.stderr


def without_a_daemon(one: Place) -> None:
    """The command line reads the database itself."""
    answer = one.call("cluster", "--json")
    assert (answer.returncode, answer.stderr) == (0, "")
    found = json.loads(answer.stdout)
    assert (found["node"], found["pools"][0]["active"]) == ("north-1", None)
    assert found["pools"][0]["epoch"] >= 4
    answer = one.call("cluster", "hand-over")
    assert answer.returncode == 1
    assert "no node is active" in answer.stderr
    one.replace("callrouter", "?host=", "?host=/nowhere")
    assert one.call("cluster").returncode == 3
    text = (one.config / "callrouter.yaml").read_text()
    one.write("callrouter", text.partition("cluster:")[0])
    answer = one.call("cluster")
    assert answer.returncode == 2
    assert "belongs to no cluster" in answer.stderr


def secret_is_in_no_log(*daemons: Daemon) -> None:
    for daemon in daemons:
        for secret in (SUPERVISOR, ADMIN, PASSWORD, "X-Callrouter-Node"):
            assert secret not in daemon.log
