"""A private Asterisk is fetched without a change of the system, and not by an index of any age."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from callrouter.lab import tree


class Commands:
    """Stands for what is run: notes it, and lets apt fetch or fail."""

    def __init__(self, expired: str = "") -> None:
        self.run: list[tuple[tuple[str, ...], dict[str, str]]] = []
        self._expired = expired

    async def __call__(self, *command: str, more: dict[str, str] | None = None) -> str:
        self.run.append((command, more or {}))
        late = "Acquire::Check-Valid-Until=false" in command
        if "update" in command and self._expired and not late:
            raise tree.TreeError(
                f"E: Release file for x is expired (invalid since {self._expired})"
            )
        if "debootstrap" in command and more is not None:
            archives = Path(more["APT_CONFIG"]).parent / "cache/archives"
            archives.mkdir(parents=True)
            (archives / "debootstrap_1.0_all.deb").touch()
        return ""


@pytest.fixture
def said() -> list[str]:
    return []


async def test_debootstrap_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    commands = Commands()
    monkeypatch.setattr(tree, "_run", commands)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    command, environment = await tree._debootstrap(tmp_path, said.append)
    assert command == str(tmp_path / "debootstrap/usr/sbin/debootstrap")
    assert environment == {"DEBOOTSTRAP_DIR": str(tmp_path / "debootstrap/usr/share/debootstrap")}
    for words, more in commands.run:
        if words[0] == "apt-get":  # its own lists and cache, and nothing but a download
            assert more == {"APT_CONFIG": str(tmp_path / "apt.conf")}
            assert "update" in words or "--download-only" in words
    assert commands.run[-1][0][:2] == ("dpkg-deb", "-x")


async def test_the_machines_own_debootstrap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/sbin/{name}")
    assert await tree._debootstrap(tmp_path, print) == ("/usr/sbin/debootstrap", {})


@pytest.mark.parametrize(
    ("since", "taken"),
    [
        ("", True),
        ("3h 2min 1s", True),
        ("399d 1h", True),
        ("401d 0h 0min 0s", False),
        ("4000d", False),
    ],
)
async def test_an_index_past_its_date(
    monkeypatch: pytest.MonkeyPatch, said: list[str], since: str, taken: bool
) -> None:
    commands = Commands(since)
    monkeypatch.setattr(tree, "_run", commands)
    if not taken:
        with pytest.raises(tree.TreeError, match="days past its date"):
            await tree._updated(["apt-get"], {}, said.append)
        assert len(commands.run) == 1
        return
    late = await tree._updated(["apt-get"], {}, said.append)
    assert bool(late) is bool(since) is bool(said)
