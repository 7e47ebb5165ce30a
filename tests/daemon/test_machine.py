"""`callrouter doctor` on this machine: each of the usual mistakes is found and said."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from callrouter.daemon import host_checks
from callrouter.daemon.host_checks import look
from callrouter.settings import load
from tests.daemon.process import Place, free_port, started

FINE = {
    "pid": os.getpid(),
    "config": {"needs_restart": []},
    "store": {"state": "good", "database": "a.db", "problem": None},
}


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own folder, which is closed to others: what is tested is whether the files are.
    with tempfile.TemporaryDirectory(prefix="cr-") as name:
        Path(name).chmod(0o755)
        made = Path(name) / "config"
        made.mkdir(0o755)
        write(made)
        yield made


def write(folder: Path, more: str = "", secret: str = "${AMI}") -> None:
    (folder / "all.yaml").write_text(
        f"pbx: {{office: {{driver: asterisk, username: x, secret: '{secret}'}}}}\n"
        f"http: {{listen: '127.0.0.1:{free_port()}'}}\n"
        "agents: {ann: {devices: {desk: PJSIP/1001}}}\nqueues: {q: {agents: [ann]}}\n" + more
    )


def found(
    folder: Path, status: Mapping[str, Any] | None = None, environ: Mapping[str, str] = {}
) -> list[tuple[bool | None, str, str]]:
    variables = {"AMI": "x", "HOME": str(folder.parent)} | dict(environ)
    settings = load(folder, environ=variables)

    async def looked() -> list[tuple[bool | None, str, str]]:
        looks = look(settings, folder, variables, status)
        return [(one.ok, one.what, one.advice) async for one in looks]

    return asyncio.run(looked())


def wrong(findings: list[tuple[bool | None, str, str]]) -> list[str]:
    return [f"{what}: {advice}" for ok, what, advice in findings if ok is False]


def test_nothing_is_wrong(folder: Path) -> None:
    findings = found(folder)
    assert wrong(findings) == []
    said = [what for ok, what, _ in findings if ok]
    assert "files and secrets are not open to other users" in said
    assert any(what.endswith("is free to be served") for what in said)
    assert any(what.startswith("states can be kept in ") for what in said)


def test_what_a_daemon_says_of_itself(folder: Path) -> None:
    assert wrong(found(folder, FINE)) == []
    bad = {
        **FINE,
        "config": {"needs_restart": ["http: listen"]},
        "store": {"state": "bad", "database": "/x.db", "problem": "disk is full"},
    }
    findings = found(folder, bad)
    assert (None, "changed, and counts after a restart: http: listen", "") in findings
    [text] = wrong(findings)
    assert text.startswith("states cannot be kept in /x.db: disk is full")


def test_a_secret_that_everybody_may_read(folder: Path) -> None:
    write(folder, secret="hunter-two")
    (folder / "all.yaml").chmod(0o644)
    [text] = wrong(found(folder))
    assert "every user of this machine may read" in text
    assert text.endswith(f"chmod o-rwx {folder}/all.yaml")
    assert "hunter" not in text
    folder.chmod(0o750)
    assert wrong(found(folder)) == [], "nobody gets there"
    folder.chmod(0o755)
    write(folder, "# secret: hunter-two, database: postgresql://u:hunter@h/d\n")
    assert wrong(found(folder)) == [], "an example in a comment is no secret"
    write(folder, "database: postgresql://u:hunter@127.0.0.1:1/d\n")
    assert len([text for text in wrong(found(folder)) if "may read" in text]) == 1


def test_a_file_with_a_secret_that_everybody_may_read(folder: Path) -> None:
    write(folder, secret="${file:ami}")
    (folder / "ami").write_text("hunter-two")
    (folder / "ami").chmod(0o644)
    (folder / "environment").write_text("X=hunter-two")
    (folder / "environment").chmod(0o604)
    texts = wrong(found(folder))
    assert [text.rpartition(" ")[2] for text in texts] == [f"{folder}/environment", f"{folder}/ami"]
    for name in ("ami", "environment"):
        (folder / name).chmod(0o640)
    assert wrong(found(folder)) == []


def test_files_that_everybody_may_change(folder: Path) -> None:
    (folder / "all.yaml").chmod(0o666)
    [text] = wrong(found(folder))
    assert text.startswith("every user may change all.yaml: chmod o-w ")


@pytest.mark.parametrize(
    ("database", "says"),
    [
        ("/nowhere/at/all/a.db", "there is no folder /nowhere/at/all"),
        ("/tmp", "that is a folder"),
        ("postgresql://u:hunter@127.0.0.1:1/d", "onnection"),
    ],
)
def test_a_database_that_is_out_of_reach(folder: Path, database: str, says: str) -> None:
    write(folder, f"database: {database}\n")
    folder.chmod(0o750)
    [text] = wrong(found(folder))
    assert says in text
    assert "hunter" not in text


def test_a_database_that_may_not_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.access
    # The tests may run as root, whom no rights hold back.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and real(path, mode))
    write(folder, f"database: {folder}/a.db\n")
    [text] = wrong(found(folder))
    assert "this user may not write to" in text


def test_what_the_daemon_wrote_and_others_may_read(folder: Path) -> None:
    (folder / "callrouter.db.version-0001-x").touch()
    (folder / "callrouter.db.version-0001-x").chmod(0o640)
    (folder / "history").mkdir(mode=0o755)
    texts = wrong(found(folder))
    assert len(texts) == 2
    assert all("others on this machine may read" in text for text in texts)


def test_a_damaged_database_is_left_alone(folder: Path) -> None:
    (folder / "callrouter.db").write_bytes(b"no database" * 100)
    (folder / "callrouter.db").chmod(0o600)
    [text] = wrong(found(folder))
    assert "not a database" in text
    assert (folder / "callrouter.db").read_bytes() == b"no database" * 100


def test_a_disk_that_is_almost_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_checks, "LEAST_FREE", 1 << 60)
    [text] = wrong(found(folder))
    assert "MB are free where the database is" in text


def test_a_port_in_use_and_one_that_is_not_ours(folder: Path) -> None:
    settings = load(folder, environ={"AMI": "x"})
    with socket.create_server(("127.0.0.1", settings.http.port)):
        [text] = wrong(found(folder))
    assert f"127.0.0.1:{settings.http.port} is in use" in text
    text = (folder / "all.yaml").read_text()
    (folder / "all.yaml").write_text(text.replace("127.0.0.1", "192.0.2.1"))
    [text] = wrong(found(folder))
    assert "is not an address of this machine" in text


def test_a_certificate_that_cannot_be_used(folder: Path) -> None:
    text = (folder / "all.yaml").read_text()
    for name in ("cert.pem", "key.pem"):
        (folder / name).write_text("none")
    (folder / "all.yaml").write_text(
        text.replace("listen:", "tls: {certificate: cert.pem, key: key.pem}, listen:")
    )
    [text] = wrong(found(folder))
    assert "http.tls" in text


def test_too_few_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (256, 256))
    [text] = wrong(found(folder))
    assert text == (
        "only 256 files may be open at once: LimitNOFILE=65536 in the systemd unit, or ulimit -Hn"
    )


def test_doctor_beside_the_daemon(place: Place) -> None:
    with started(place) as daemon:
        daemon.wait_for("office is in step")
        answer = place.call("doctor")
        assert answer.returncode == 3, "its Asterisk is a scene"
        assert f"  ✓ the daemon runs (process {daemon.process.pid})\n" in answer.stdout
        assert "  ✓ states are kept in " in answer.stdout
        assert "in use" not in answer.stdout
        assert daemon.stop() == 0
