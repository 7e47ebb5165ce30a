"""Forms and completion: values with their places, what may be written, and going back."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from callrouter.daemon.editing import rollbacks
from callrouter.policies import REGISTRY
from callrouter.settings.config_files import remove_file
from tests.api.edited_house import (
    AGENTS,
    QUEUES,
    SITE,
    EditedHouse,
    Editing,
)

# ---------------------------------------------------------------- tables


async def test_values_have_their_places(house: EditedHouse, boss: Editing) -> None:
    view = await boss.get("tables")
    support, sales = view["queues"]
    assert (support["id"], support["name"], support["file"]) == (
        "support",
        "Support",
        "queues.yaml",
    )
    assert (support["line"], support["column"], support["may_edit"]) == (3, 3, True)
    assert support["value"]["shifts"] == [{"hours": "sat 10:00-14:00", "agents": ["alice"]}]
    lines = QUEUES.splitlines()
    for key, text in (
        ("ring_for", "20s"),
        ("shifts.0.hours", "sat 10:00-14:00"),
        ("agents.bob", "2"),
    ):
        line, column, end_line, end_column = support["places"][key]
        assert line == end_line
        assert lines[line - 1][column - 1 : end_column - 1] == text
    assert (sales["name"], sales["value"]) == ("sales", {"agents": ["bob", "carol"]})
    members = [
        (one["agent"], one["queue"], one["priority"], one["where"], one["index"], one["plain"])
        for one in view["memberships"]
    ]
    assert members == [
        ("alice", "support", 1, "agents", None, False),
        ("bob", "support", 2, "agents", None, False),
        ("alice", "support", 1, "shift", 0, True),
        ("bob", "sales", 1, "agents", None, True),
        ("carol", "sales", 1, "agents", None, True),
    ]
    assert view["memberships"][2]["path"] == ["queues", "support", "shifts", 0, "agents", "alice"]


async def test_every_key_is_described(boss: Editing) -> None:
    options = (await boss.get("tables"))["options"]
    ring_for = options["queues.*.ring_for"]
    assert (ring_for["type"], ring_for["default"], ring_for["required"]) == (
        "duration",
        "20s",
        False,
    )
    assert ring_for["description"] == "How long an agent rings."
    assert options["queues.*.shifts.*.hours"]["required"]
    assert options["queues.*.agents"]["names_of"] == "agents"
    assert options["agents.*.sign_in"]["choices"] == ["manual", "always"]
    assert (options["agents.*.capacity"]["minimum"], options["agents.*.capacity"]["maximum"]) == (
        1,
        10,
    )
    assert options["agents.*.pin"]["secret"]
    assert options["queues.*.on_full"]["type"] == "target"
    assert options["queues.*.policy"]["type"] == "policy"


async def test_every_policy_has_a_sentence(boss: Editing) -> None:
    policies = (await boss.get("tables"))["policies"]
    assert {one["name"] for one in policies} == set(REGISTRY)
    for one in policies:
        assert one["sentence"].endswith(".")
        assert len(one["sentence"]) > 20
        assert not one["own"]


async def test_a_draft_has_its_own_tables(house: EditedHouse, sam: Editing) -> None:
    draft = await sam.draft(
        {"path": ["queues", "support", "agents", "carol"], "insert": 4},
        {"path": ["agents", "erin"], "insert": {"devices": {"desk": "PJSIP/1009"}}},
        tables=True,
    )
    support, sales = draft["tables"]["queues"]
    assert support["value"]["agents"] == {"alice": 1, "bob": 2, "carol": 4}
    assert (sales["value"], sales["may_edit"]) == ("•••", False)
    agents = {one["id"]: (one["may_edit"], one["why_not"]) for one in draft["tables"]["agents"]}
    assert agents["alice"] == (True, "")
    assert agents["bob"] == (False, "bob also serves sales")
    assert draft["refused"] == [
        "agent carol serves none of your queues, so an admin adds them to support",
        "agent erin would serve none of your queues",
    ]
    assert house.read("queues.yaml") == QUEUES


async def test_a_wrong_edit_is_named(boss: Editing) -> None:
    edits: list[Any] = [
        {"path": ["queues", "support", "ring_for"], "value": "5s"},
        {"path": ["queues", "support", "shifts", 4], "remove": True},
    ]
    problem = await boss.post("draft", {"edits": edits}, 422)
    assert problem["type"].endswith(":wrong-edit")
    assert (problem["edit"], problem["detail"]) == (1, "there is no queues.support.shifts.4")


async def test_a_draft_says_what_it_would_do(house: EditedHouse, boss: Editing) -> None:
    house.callers = {"sales": 1}
    draft = await boss.draft(
        {"path": ["queues", "sales"], "remove": True},
        {"path": ["http", "listen"], "value": "127.0.0.1:9090"},
    )
    assert draft["ok"]
    assert any("sales" in line for line in draft["held"])
    assert any("9090" in line for line in draft["diff"])
    assert draft["needs_restart"]
    deleted = await boss.draft(files={"queues.yaml": None})
    assert deleted["problems"][0]["message"] == "unknown queue 'support'"
    assert house.config.settings.http.port == 8080


# ---------------------------------------------------------------- completion

START = "queues:\n  support:\n    "


@pytest.mark.parametrize(
    ("text", "wanted", "path"),
    [
        ("|", "queues: ", []),
        ("queues:\n  support:\n    ring|", "ring_for: ", ["queues", "support"]),
        (START + "ring_for: |", "20s", ["queues", "support", "ring_for"]),
        (START + "agents: [al|]", "alice", ["queues", "support", "agents", 0]),
        (START + "agents:\n    - bob\n    - |", "carol", ["queues", "support", "agents", 1]),
        (START + "agents: {alice: 1, b|}", "bob: ", ["queues", "support", "agents"]),
        (START + "shifts:\n      - hours: x\n        |", "agents: ", ["queues", "support", "shifts", 0]),
        (START + "shifts: [{hours: x, |", "agents: ", ["queues", "support", "shifts", 0]),
        (START + "policy: [priority, |", "linear", ["queues", "support", "policy", 0]),
        (START + "on_full: queue:s|", "queue:sales", ["queues", "support", "on_full"]),
        (START + "mu|sic: x", "music", ["queues", "support"]),
        ("agents:\n  x: {devices: {desk: {\n    endpoint: x, |", "ring_after: ", ["agents", "x", "devices", "desk"]),
    ],
)  # fmt: skip
async def test_what_may_be_written(
    boss: Editing, text: str, wanted: str, path: list[str | int]
) -> None:
    before, _, after = text.partition("|")
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    body = {"file": "new.yaml", "text": before + after, "line": line, "column": column}
    found = await boss.post("complete", body)
    assert wanted in [one["insert"] for one in found["options"]]
    assert found["path"] == path
    assert found["from"]["line"] == found["to"]["line"] == line


async def test_what_is_there_is_not_offered_again_and_is_explained(boss: Editing) -> None:
    text = START + "ring_for: 20s\n    \n    wrap_up: 5s\n  other:\n    music: x\n"
    found = await boss.post("complete", {"file": "q.yaml", "text": text, "line": 4, "column": 5})
    labels = [one["label"] for one in found["options"]]
    assert {"ring_for", "wrap_up"}.isdisjoint(labels)
    assert "music" in labels
    found = await boss.post("complete", {"file": "q.yaml", "text": text, "line": 3, "column": 8})
    assert found["about"]["key"] == "ring_for"
    assert found["about"]["default"] == "20s"
    comment = {"file": "q.yaml", "text": "queues: # |", "line": 1, "column": 11}
    assert (await boss.post("complete", comment))["options"] == []
    for line, column in ((0, 0), (-5, 3), (999, 999), (1, 10**9)):
        await boss.post(
            "complete", {"file": "q.yaml", "text": text, "line": line, "column": column}
        )
    await boss.post("complete", {"file": "nowhere.yaml"}, 404)


async def test_names_of_a_text_that_is_being_typed(boss: Editing) -> None:
    body = {
        "file": "queues.yaml",
        "text": START + "agents: [|",
        "line": 3,
        "column": 14,
        "files": {"agents.yaml": AGENTS + "  zoe:\n   devices: {\n"},
    }
    found = await boss.post("complete", body)
    assert [one["label"] for one in found["options"]] == ["alice", "bob", "carol", "zoe"]


# ---------------------------------------------------------------- history


async def test_a_rollback_by_the_page(house: EditedHouse, boss: Editing, sam: Editing) -> None:
    await boss.change("queues.yaml", "20s", "30s")
    await boss.post(
        "files",
        {"files": [{"name": "pauses.yaml", "text": "pauses: {lunch: {}}\n", "etag": ""}]},
    )
    dry = await boss.post("rollback", {"number": 1, "dry_run": True})
    assert "support: ring_for 30s -> 20s" in dry["changes"]
    assert (dry["put_back"], dry["removed"]) == (["queues.yaml"], ["pauses.yaml"])
    assert (house.folder / "pauses.yaml").exists()
    await boss.post("rollback", {"number": 1, "etags": {"queues.yaml": "0" * 64}}, 412)
    problem = await boss.post("rollback", {"number": 1}, 409)
    assert problem["held"][0].startswith("pauses.yaml is gone")
    done = await boss.post("rollback", {"number": 1, "confirm": True})
    assert done["number"] == 3
    assert house.read("queues.yaml") == QUEUES
    assert not (house.folder / "pauses.yaml").exists()
    change = (await boss.get("history"))["changes"][0]
    assert (change["who"], change["how"]) == ("boss", "rollback to before 1 from 127.0.0.1")
    assert house.config.settings.table.queues["support"].ring_for == 20
    problem = await boss.post("rollback", {"number": 1}, 409)
    assert problem["type"].endswith(":nothing-to-do")
    for number in (0, -1, 99, 10**12):
        await boss.post("rollback", {"number": number}, 404)
    for given in ("99", "x", "1e3", "9" * 50):
        await boss.get(f"history/{given}", 404)
    await sam.post("rollback", {"number": 1}, 403)


async def test_a_rollback_that_fails_halfway_gives_files_their_permissions_again(
    house: EditedHouse, boss: Editing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await boss.change("queues.yaml", "20s", "30s")
    new = {"pauses.yaml": "pauses: {lunch: {}}\n", "quiet.yaml": "# nothing yet\n"}
    await boss.post(
        "files", {"files": [{"name": n, "text": t, "etag": ""} for n, t in new.items()]}
    )
    (house.folder / "pauses.yaml").chmod(0o600)

    def remove(folder: Path, name: str) -> None:
        if name == "quiet.yaml":
            raise OSError(errno.EIO, "the disk is broken")
        remove_file(folder, name)

    monkeypatch.setattr(rollbacks, "remove_file", remove)
    problem = await boss.post("rollback", {"number": 1, "confirm": True}, 409)
    assert "the disk is broken" in problem["detail"]
    assert house.read("queues.yaml") == QUEUES.replace("20s", "30s")
    assert {name: house.read(name) for name in new} == new
    assert (house.folder / "pauses.yaml").stat().st_mode & 0o777 == 0o600


async def test_back_to_what_is_in_force(house: EditedHouse, boss: Editing) -> None:
    await boss.change("queues.yaml", "20s", "30s")
    good = house.read("queues.yaml")
    house.write("queues.yaml", "queues: [")
    done = await boss.post("rollback", {"number": None})
    assert house.read("queues.yaml") == good
    assert "never in force" in done["set_aside"][0]
    kept = done["set_aside"][0].rpartition("/")[2]
    assert (house.config.history.place / kept).read_text() == "queues: ["


async def test_a_supervisor_rolls_back_only_what_they_may_change(
    house: EditedHouse, boss: Editing, crm: Editing
) -> None:
    await boss.change("queues.yaml", "20s", "30s")
    await boss.change("callrouter.yaml", "Europe/London", "Europe/Paris")
    problem = await crm.post("rollback", {"number": 2}, 403)
    assert problem["refused"] == ["only an admin changes timezone"]
    house.write("callrouter.yaml", SITE)
    await crm.post("rollback", {"number": 1})
    assert house.read("queues.yaml") == QUEUES


async def test_a_rollback_that_removes_a_lot_must_be_confirmed(
    house: EditedHouse, boss: Editing
) -> None:
    await boss.change("queues.yaml", "queues:\n", "queues:\n  new: {agents: [alice]}\n")
    house.callers = {"new": 3}
    dry = await boss.post("rollback", {"number": 1, "dry_run": True})
    assert any("new" in line for line in dry["held"])
    problem = await boss.post("rollback", {"number": 1}, 409)
    assert problem["type"].endswith(":removals")
    await boss.post("rollback", {"number": 1, "confirm": True})
    assert house.read("queues.yaml") == QUEUES
