"""The digest by which routers of a pool compare what they have."""

from __future__ import annotations

from pathlib import Path

from callrouter.settings import load

OWN = """\
database: postgresql://h/d
cluster: {{name: {name}, url: "http://{name}:8080"}}
http: {{listen: "127.0.0.1:{port}", public_url: "https://calls.example.com"}}
pbx: {{office: {{driver: asterisk, username: x, secret: "${{AMI_SECRET}}"}}}}
"""
AGENTS = "agents:\n  alice: {devices: {desk: PJSIP/1001}}\n  bob: {devices: {desk: PJSIP/1002}}\n"


def digest(folder: Path, *, secret: str = "not-a-real-one", **files: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.yaml"):
        path.unlink()
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return load(folder, environ={"AMI_SECRET": secret}).digest


def test_what_is_each_routers_own_does_not_count(tmp_path: Path) -> None:
    north = digest(tmp_path / "n", callrouter=OWN.format(name="north-1", port=1), agents=AGENTS)
    assert len(north) == 16
    moved = AGENTS.partition("  bob")[0] + "  # layout\n" + "  bob: {devices: {desk: PJSIP/1002}}\n"
    south = OWN.format(name="south-1", port=2) + "socket: {group: staff}\n" + moved
    assert digest(tmp_path / "s", callrouter=south, secret="another") == north


def test_every_other_difference_counts(tmp_path: Path) -> None:
    own = OWN.format(name="north-1", port=1)
    found = {
        digest(tmp_path / "n", callrouter=text, agents=agents)
        for text, agents in (
            (own, AGENTS),
            (own.replace("calls.example", "other.example"), AGENTS),
            (own.replace("AMI_SECRET", "HOME_SECRET"), AGENTS),
            (own + "timezone: Europe/London\n", AGENTS),
            (own, AGENTS.replace("1002", "1003")),
            (own, AGENTS.replace("bob", "rob")),
        )
        if "HOME_SECRET" not in text
    }
    assert len(found) == 5
    assert digest(tmp_path / "m", callrouter=own.replace('"${AMI_SECRET}"', "plain"), agents=AGENTS
                  ) not in found  # fmt: skip


def test_a_router_that_is_alone_has_none(tmp_path: Path) -> None:
    assert digest(tmp_path, callrouter="pbx: {office: {driver: simulated}}\n", agents=AGENTS) == ""
