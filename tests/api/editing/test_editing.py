"""Configuration files are read, drafted and saved over HTTP."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from callrouter.daemon.editing import file_changes
from callrouter.daemon.editing.folder_texts import digest
from callrouter.settings.config_files import read_snapshot, save_file
from tests.api.edited_house import (
    ADMIN,
    AGENT,
    AGENTS,
    QUEUES,
    SECRETS,
    SITE,
    EditedHouse,
    Editing,
)
from tests.api.world import Client

# ---------------------------------------------------------------- reading


async def test_the_list_of_files(house: EditedHouse, boss: Editing, sam: Editing) -> None:
    view = await boss.get("files")
    assert [file["name"] for file in view["files"]] == [
        "agents.yaml",
        "callrouter.yaml",
        "queues.yaml",
    ]
    queues = view["files"][2]
    assert queues["sections"] == ["queues"]
    assert queues["etag"] == digest(QUEUES.encode())
    assert (queues["size"], queues["lines"]) == (len(QUEUES.encode()), QUEUES.count("\n"))
    assert view["may"] == {"create": True, "sections": None, "queues": None}
    assert (view["state"], view["writable"], view["why_not_writable"]) == ("good", True, "")
    limited = (await sam.get("files"))["may"]
    assert limited == {"create": False, "sections": ["agents", "queues"], "queues": ["support"]}


async def test_an_admin_gets_the_file_as_it_is(house: EditedHouse, boss: Editing) -> None:
    answer = await boss.client.get("/api/config/files/callrouter.yaml", headers=ADMIN)
    view = await answer.json()
    assert (view["text"], view["hidden"]) == (SITE, 0)
    assert answer.headers["ETag"] == f'"{view["etag"]}"'
    again = await boss.client.get(
        "/api/config/files/callrouter.yaml",
        headers={**ADMIN, "If-None-Match": answer.headers["ETag"]},
    )
    assert (again.status, await again.text()) == (304, "")


async def test_supervisors_see_no_secret_anywhere(
    house: EditedHouse, crm: Editing, sam: Editing
) -> None:
    names = [f"files/{path.name}" for path in house.folder.glob("*.yaml")]
    for who in (crm, sam):
        for path in ("files", "tables", *names):
            text = str(await who.get(path))
            for secret in SECRETS:
                assert secret not in text, (path, secret)
        text = str(await who.draft(files={"agents.yaml": "agents: [", "x.yaml": "a: &x *x"}))
        text += str(await who.draft(tables=True))
        for secret in SECRETS:
            assert secret not in text
    text, _ = await sam.file("queues.yaml")
    assert '  sales: "•••"' in text
    assert "bob helps out" in text
    text, _ = await sam.file("agents.yaml")
    assert 'carol: "•••"' in text
    assert "Bob Jones" in text


async def test_agents_and_strangers_are_refused(client: Client) -> None:
    for path in ("files", "files/queues.yaml", "tables"):
        assert (await client.get(f"/api/config/{path}", headers=AGENT)).status == 403
        assert (await client.get(f"/api/config/{path}")).status == 401
    for path in ("draft", "complete", "rollback", "files"):
        assert (await client.post(f"/api/config/{path}", headers=AGENT, json={})).status == 403


@pytest.mark.parametrize(
    "name",
    [
        "..%2fsecret.yaml",
        "%2e%2e%2fsecret.yaml",
        "secret.txt",
        ".hidden.yaml",
        "a%00.yaml",
        "x.yaml",
    ],
)
async def test_no_other_file_is_read(house: EditedHouse, boss: Editing, name: str) -> None:
    (house.folder / "secret.txt").write_text("hunter2")
    (house.folder.parent / "secret.yaml").write_text("hunter2")
    answer = await boss.client.get(f"/api/config/files/{name}", headers=ADMIN)
    assert answer.status in {400, 404}, await answer.text()
    answer = await boss.client.put(
        f"/api/config/files/{name}",
        headers={**ADMIN, "If-Match": '"abc"'},
        json={"text": "queues: {}\n"},
    )
    assert answer.status in {400, 404, 412, 422}, await answer.text()
    assert (house.folder.parent / "secret.yaml").read_text() == "hunter2"
    assert not (house.folder / "x.yaml").exists()


# ---------------------------------------------------------------- saving


async def test_a_save_takes_effect_and_is_on_record(house: EditedHouse, boss: Editing) -> None:
    (house.folder / "queues.yaml").chmod(0o604)
    saved = await boss.change("queues.yaml", "ring_for: 20s", "ring_for: 30s")
    assert saved["changes"] == ["support: ring_for 20s -> 30s"]
    assert house.read("queues.yaml") == QUEUES.replace("ring_for: 20s", "ring_for: 30s")
    assert stat.S_IMODE((house.folder / "queues.yaml").stat().st_mode) == 0o604
    assert house.config.settings.table.queues["support"].ring_for == 30
    assert house.world.floor.table.queues["support"].ring_for == 30
    [change] = (await boss.get("history"))["changes"]
    assert (change["who"], change["how"]) == ("boss", "save from 127.0.0.1")
    assert change["how_phrase"]["values"] == {"address": "127.0.0.1"}
    assert change["changes_phrases"] == saved["changes_phrases"]
    assert saved["changes_phrases"][0]["code"]
    assert change["number"] == saved["number"] == 1
    detail = await boss.get("history/1")
    assert "-    ring_for: 20s" in detail["diff"]
    assert saved["etags"]["queues.yaml"] == digest((house.folder / "queues.yaml").read_bytes())
    assert [path.name for path in house.folder.iterdir() if path.name.startswith(".")] == []


async def test_nothing_is_saved_without_saying_what_it_was_made_from(
    house: EditedHouse, boss: Editing
) -> None:
    problem = await boss.put("queues.yaml", "queues: {}\n", None, 428)
    assert problem["type"].endswith(":no-if-match")
    for tag in ("*", '""'):
        answer = await boss.client.put(
            "/api/config/files/queues.yaml",
            headers={**ADMIN, "If-Match": tag},
            json={"text": "queues: {}\n"},
        )
        assert answer.status == 428
    assert house.read("queues.yaml") == QUEUES


async def test_another_persons_change_is_told_and_not_lost(
    house: EditedHouse, boss: Editing, crm: Editing
) -> None:
    text, etag = await boss.file("queues.yaml")
    await crm.change("queues.yaml", "ring_for: 20s", "ring_for: 25s")
    problem = await boss.put("queues.yaml", text.replace("Support", "Help"), etag, 412)
    assert problem["type"].endswith(":changed-since")
    assert "has changed since you opened it, by crm at " in problem["detail"]
    assert problem["changes"] == ["support: ring_for 20s -> 25s"]
    assert problem["text"] == house.read("queues.yaml")
    assert problem["etag"] == digest(problem["text"].encode())
    assert "+    ring_for: 25s" in problem["lines"]
    assert "ring_for: 25s" in house.read("queues.yaml")
    # From there the person goes on.
    await boss.put("queues.yaml", problem["text"].replace("Support", "Help"), problem["etag"])
    assert house.read("queues.yaml") == QUEUES.replace("Support", "Help").replace("20s", "25s")


async def test_a_change_on_the_server_is_told(house: EditedHouse, boss: Editing) -> None:
    text, etag = await boss.file("queues.yaml")
    house.write("queues.yaml", QUEUES + "# by hand\n")
    problem = await boss.put("queues.yaml", text, etag, 412)
    assert "(on the server)" in problem["who"]
    assert "+# by hand" in problem["lines"]
    (house.folder / "queues.yaml").unlink()
    problem = await boss.put("queues.yaml", text, etag, 412)
    assert "queues.yaml was deleted" in problem["detail"]
    assert (problem["etag"], problem["text"]) == ("", None)


async def test_of_two_saves_at_once_one_wins(house: EditedHouse, boss: Editing) -> None:
    text, etag = await boss.file("queues.yaml")
    answers = await asyncio.gather(
        *(
            boss.client.put(
                "/api/config/files/queues.yaml",
                headers={**ADMIN, "If-Match": etag},
                json={"text": text.replace("20s", f"{n}s")},
            )
            for n in range(31, 36)
        )
    )
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412, 412]
    [won] = [n for n, answer in enumerate(answers) if answer.status == 200]
    assert house.read("queues.yaml") == text.replace("20s", f"{31 + won}s")


async def test_mistakes_change_nothing(house: EditedHouse, boss: Editing) -> None:
    problem = await boss.change("queues.yaml", "alice: 1", "alcie: 1", 422)
    assert problem["type"].endswith(":config-mistakes")
    [mistake] = problem["problems"]
    assert (mistake["file"], mistake["line"], mistake["column"]) == ("queues.yaml", 6, 14)
    assert (mistake["end_line"], mistake["end_column"]) == (6, 19)
    assert mistake["hint"] == "did you mean 'alice'?"
    assert mistake["path"] == ["queues", "support", "agents", "alcie"]
    assert house.read("queues.yaml") == QUEUES
    assert (await boss.get("history"))["changes"] == []
    assert house.config.state.word == "good"


async def test_what_removes_a_queue_with_callers_must_be_confirmed(
    house: EditedHouse, boss: Editing
) -> None:
    house.callers = {"sales": 2}
    without = "\n  sales:\n    agents: [bob, carol]\n"
    problem = await boss.change("queues.yaml", without, "", 409)
    assert problem["type"].endswith(":removals")
    assert any("sales" in line for line in problem["held"])
    assert house.read("queues.yaml") == QUEUES
    saved = await boss.change("queues.yaml", without, "", confirm=True)
    assert saved["number"] == 1
    assert "sales" not in house.config.settings.table.queues


async def test_several_files_are_saved_together_or_not_at_all(
    house: EditedHouse, boss: Editing
) -> None:
    (agents, agents_tag), (queues, queues_tag) = [
        await boss.file(name) for name in ("agents.yaml", "queues.yaml")
    ]
    new_agents = agents + "  dave: {devices: {desk: PJSIP/1004}}\n"
    new_queues = queues.replace("[bob, carol]", "[bob, carol, dave]")
    await boss.put("queues.yaml", new_queues, queues_tag, 422)
    both = [
        {"name": "queues.yaml", "text": new_queues, "etag": queues_tag},
        {"name": "agents.yaml", "text": new_agents, "etag": agents_tag},
    ]
    wrong = [both[0], {**both[1], "etag": "0" * 64}]
    await boss.post("files", {"files": wrong}, 412)
    assert house.read("queues.yaml") == QUEUES
    saved = await boss.post("files", {"files": both})
    assert saved["etags"].keys() == {"queues.yaml", "agents.yaml"}
    assert "dave" in house.config.settings.table.agents
    assert (await boss.get("history"))["changes"][0]["files"] == ["agents.yaml", "queues.yaml"]
    await boss.post("files", {"files": []}, 422)
    await boss.post("files", {"files": [both[0], both[0]]}, 422)


async def test_a_new_file_is_made_once_and_by_an_admin(
    house: EditedHouse, boss: Editing, crm: Editing
) -> None:
    new = {"name": "pauses.yaml", "text": "pauses: {lunch: {}}\n", "etag": ""}
    problem = await crm.post("files", {"files": [new]}, 403)
    assert problem["refused"] == ["only an admin makes new files, such as pauses.yaml"]
    await boss.post("files", {"files": [new]})
    assert stat.S_IMODE((house.folder / "pauses.yaml").stat().st_mode) == 0o640
    problem = await boss.post("files", {"files": [new]}, 412)
    assert "is there already" in problem["detail"]
    for name in ("../x.yaml", "x.txt", ".x.yaml", "a/b.yaml", "", "x\n.yaml"):
        await boss.post("files", {"files": [{**new, "name": name}]}, 422)


async def test_a_file_broken_by_hand_is_seen_and_mended(
    house: EditedHouse, boss: Editing, crm: Editing
) -> None:
    house.write("agents.yaml", AGENTS.replace("agents:", "agents: ["))
    problem = await crm.get("files/agents.yaml", 409)
    assert problem["type"].endswith(":file-broken")
    assert "hunter2" not in str(problem)
    problem = await crm.change("queues.yaml", "20s", "30s", 422)
    assert problem["problems"][0]["file"] == "agents.yaml"
    text, etag = await boss.file("agents.yaml")
    saved = await boss.put("agents.yaml", text.replace("agents: [", "agents:"), etag)
    assert "never in force" in saved["set_aside"][0]
    assert house.read("agents.yaml") == AGENTS


async def test_windows_line_breaks_stay(house: EditedHouse, boss: Editing, sam: Editing) -> None:
    house.write("queues.yaml", QUEUES.replace("\n", "\r\n"))
    for who in (boss, sam):
        text, etag = await who.file("queues.yaml")
        text = text.replace("\r\n", "\n")  # as a browser's text field does
        await who.put("queues.yaml", text.replace("ring_for: ", "ring_for: 1"), etag)
    wanted = QUEUES.replace("ring_for: ", "ring_for: 11")
    assert house.read("queues.yaml") == wanted.replace("\n", "\r\n")


async def test_a_folder_that_cannot_be_written_is_said(
    house: EditedHouse, boss: Editing, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "access", lambda *_, **__: False)
    else:
        house.folder.chmod(0o500)
    problem = await boss.change("queues.yaml", "20s", "30s", 409)
    house.folder.chmod(0o700)
    assert problem["type"].endswith(":not-writable")
    assert "may not write in the configuration folder" in problem["detail"]
    assert house.read("queues.yaml") == QUEUES
    assert house.config.settings.table.queues["support"].ring_for == 20


async def test_a_link_out_of_the_folder_is_not_written_through(
    house: EditedHouse, boss: Editing, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "more.yaml"
    outside.write_text("pauses: {lunch: {}}\n")
    (house.folder / "more.yaml").symlink_to(outside)
    problem = await boss.change("more.yaml", "lunch", "tea", 409)
    assert problem["type"].endswith(":is-a-link")
    assert "lunch" in outside.read_text()
    (house.folder / "alias.yaml").symlink_to("/etc/passwd")
    (house.folder / "fifo.yaml").unlink(missing_ok=True)
    os.mkfifo(house.folder / "fifo.yaml")
    await boss.get("files/fifo.yaml", 409)
    await boss.get("files")


# ---------------------------------------------------------------- what supervisors may change


async def test_a_supervisor_changes_queues_and_agents_and_nothing_else(
    house: EditedHouse, crm: Editing
) -> None:
    await crm.change("queues.yaml", "ring_for: 20s", "ring_for: 30s")
    await crm.change("agents.yaml", "Alice Martin", "Alice Miller")
    assert house.read("agents.yaml") == AGENTS.replace("Alice Martin", "Alice Miller")
    problem = await crm.change("callrouter.yaml", "Europe/London", "Europe/Paris", 403)
    assert problem["refused"] == ["only an admin changes timezone"]
    problem = await crm.change("agents.yaml", 'password: "•••"', 'password: "x"', 403)
    assert problem["refused"] == ["only an admin changes the password of alice"]
    problem = await crm.change("agents.yaml", '    password: "•••"\n', "", 403)
    assert problem["refused"] == ["only an admin changes the password of alice"]
    problem = await crm.change("agents.yaml", "carol: {", "carol: {pin: '1234', ", 403)
    assert problem["refused"] == ["only an admin changes the pin of carol"]
    problem = await crm.change("callrouter.yaml", 'http: "•••"', "http: {listen: 0.0.0.0:80}", 403)
    assert problem["refused"] == ["only an admin changes http"]
    assert house.read("callrouter.yaml") == SITE


async def test_what_is_hidden_cannot_be_moved_to_where_it_is_shown(
    house: EditedHouse, crm: Editing
) -> None:
    for old, new in (
        ("Alice Martin", '"•••"'),
        ("name: Alice Martin", 'name: "see ••• here"'),
        ("  bob: {name: Bob Jones,", '  bob: {name: Bob Jones, extension: "•••",'),
        ('password: "•••"', 'name2: "•••"'),
    ):
        problem = await crm.change("agents.yaml", old, new, 403)
        assert "stands for nothing there" in problem["refused"][0]
    text, etag = await crm.file("agents.yaml")
    assert "#••• 1" in text
    folded = text.replace("name: Alice Martin  ", "name: >-\n      #••• 1\n    #")
    answer = await crm.put("agents.yaml", folded, etag, 403)
    assert "hunter2" not in str(answer)
    assert house.read("agents.yaml") == AGENTS


async def test_a_supervisor_of_one_queue_changes_that_one(house: EditedHouse, sam: Editing) -> None:
    saved = await sam.change("queues.yaml", "alice: 1, bob: 2", "alice: 2, bob: 1")
    assert saved["ok"]
    assert "    agents: [bob, carol]\n" in house.read("queues.yaml")
    for old, new, words in (
        (
            '  sales: "•••"',
            "  sales: {agents: [alice]}",
            "queue sales is not one of yours (support)",
        ),
        ('\n  sales: "•••"\n', "\n", "queue sales is not one of yours (support)"),
        ("  support:\n", "  new: {agents: [alice]}\n  support:\n", "queue new is not one of yours"),
    ):
        problem = await sam.change("queues.yaml", old, new, 403)
        assert problem["refused"][0].startswith(words)
    problem = await sam.change("agents.yaml", "Bob Jones", "Bob Smith", 403)
    assert problem["refused"] == ["agent bob also serves sales, which you do not lead"]
    await sam.change("agents.yaml", "Alice Martin", "Alice Miller")
    draft = await sam.draft(
        {"path": ["queues", "support", "ring_for"], "value": "25s"},
        {"path": ["queues", "support", "agents", "bob"], "value": 7},
    )
    assert (draft["ok"], draft["refused"]) == (True, [])
    assert "bob: 7" in draft["files"]["queues.yaml"]
    draft = await sam.draft({"path": ["timezone"], "value": "Europe/Paris"})
    assert (draft["ok"], draft["refused"]) == (False, ["only an admin changes timezone"])


async def test_the_places_of_mistakes_are_those_of_the_text_that_is_shown(
    house: EditedHouse, crm: Editing
) -> None:
    house.write("callrouter.yaml", SITE + QUEUES)
    (house.folder / "queues.yaml").unlink()
    text, _ = await crm.file("callrouter.yaml")
    wrong = text.replace("ring_for: 20s", "ring_fro: 20s")
    draft = await crm.draft(files={"callrouter.yaml": wrong})
    [mistake] = draft["problems"]
    lines = wrong.splitlines()
    assert lines[mistake["line"] - 1][mistake["column"] - 1 :] == "ring_fro: 20s"
    assert mistake["end_column"] == mistake["column"] + len("ring_fro")


async def test_mistakes_in_other_files_have_places_in_what_is_shown(
    house: EditedHouse, crm: Editing
) -> None:
    house.write("callrouter.yaml", SITE + "pauses: {lunch: {longest: 45x}}\n")
    text, _ = await crm.file("callrouter.yaml")
    draft = await crm.draft({"path": ["queues", "support", "ring_for"], "value": "25s"})
    [mistake] = draft["problems"]
    line = text.splitlines()[mistake["line"] - 1]
    assert line[mistake["column"] - 1 : mistake["end_column"] - 1] == "45x"
    assert mistake["path"] == ["pauses", "lunch", "longest"]


async def test_what_an_admin_took_away_is_not_confirmed_by_another(
    house: EditedHouse, sam: Editing, boss: Editing
) -> None:
    house.callers = {"sales": 2}
    house.write("queues.yaml", QUEUES.replace("  sales:\n    agents: [bob, carol]\n", ""))
    await house.config.reload()
    assert house.config.state.held
    problem = await sam.change("queues.yaml", "20s", "30s", 409, confirm=True)
    assert problem["type"].endswith(":removals")
    await boss.change("queues.yaml", "20s", "30s", confirm=True)


async def test_if_a_later_file_cannot_be_written_the_earlier_is_put_back(
    house: EditedHouse, boss: Editing, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = save_file
    numbers = iter((0, errno.ENOSPC))

    def fails(folder: Path, name: str, content: bytes, expected: bytes | None) -> None:
        number = next(numbers, 0)
        if number:
            raise OSError(number, os.strerror(number), name)
        write(folder, name, content, expected)

    monkeypatch.setattr(file_changes, "save_file", fails)
    body = []
    for name, old, new in (
        ("agents.yaml", "Alice Martin", "Alice Miller"),
        ("queues.yaml", "20s", "30s"),
    ):
        text, etag = await boss.file(name)
        body.append({"name": name, "text": text.replace(old, new), "etag": etag})
    problem = await boss.post("files", {"files": body}, 507)
    assert problem["type"].endswith(":disk-full")
    assert (house.read("agents.yaml"), house.read("queues.yaml")) == (AGENTS, QUEUES)
    assert not (house.config.history.place / "rollback.json").exists()
    assert (await boss.get("history"))["changes"] == []


async def test_a_save_that_the_daemon_did_not_live_to_record_is_the_persons(
    house: EditedHouse, boss: Editing
) -> None:
    new = QUEUES.replace("20s", "30s")
    folder = house.folder
    house.write("queues.yaml", new)
    files = read_snapshot(folder).files
    house.config.history.announce(who="boss", how="save from 192.0.2.7", files=files)
    await house.config.reload()
    [change] = (await boss.get("history"))["changes"]
    assert (change["who"], change["how"]) == ("boss", "save from 192.0.2.7")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("callrouter.yaml", "http: {public_url: 'http://${file:secret}'}\n"),
        ("callrouter.yaml", "pbx: {office: {driver: asterisk, host: '${file:secret}'}}\n"),
        ("x.yaml", "http: {public_url: 'http://${file:secret}'}\n"),
        ("x.yaml", "agents: {alice: {password: '${file:secret}'}}\n"),
        ("x.yaml", "smtp: {host: '${file:secret}', from: a@b.c}\nsmtp: {}\n"),
        ("x.yaml", "smtp: {host: '${file:nowhere}'}\nagents: [\n"),
        ("queues.yaml", QUEUES + "destinations: {a: {webhook: 'https://${file:secret}'}}\n"),
        ("agents.yaml", AGENTS.replace("carol: {", "carol: {pin: '${file:secret}', ")),
    ],
)
async def test_no_reference_of_a_supervisor_is_followed(
    house: EditedHouse, crm: Editing, sam: Editing, name: str, text: str
) -> None:
    """Else a draft would show the files that the daemon can read, and which there are."""
    house.write("secret", "read-by-the-daemon")
    for who in (crm, sam):
        draft = await who.draft(files={name: text})
        assert not draft["ok"]
        assert draft["diff"] == []
        told = json.dumps([draft["problems"], draft["warnings"], draft["refused"]])
        for word in ("read-by", "no such file", "looked in", "cannot be read"):
            assert word not in told


# ---------------------------------------------------------------- hostile texts


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "queues: " + "[" * 100_000,
        "queues: " + "{a: " * 5_000,
        'queues:\n  a: {name: "\x00"}\n',
        "queues: {a: {name: '\u2028'}}\n",
        "? [a, b]\n: c\n",
        "--- a\n--- b\n",
        "!!python/object:os.system x\n",
        "<<: {a: b}\n",
        "a: b: c",
        "'",
        "\ufeff\ufeffa",
        "queues:\n\tx: y\n",
        "queues: {a: {agents: {x: 1}}, a: {}}\n",
    ],
)
async def test_hostile_texts_are_mistakes(
    house: EditedHouse, boss: Editing, crm: Editing, text: str
) -> None:
    for who in (boss, crm):
        draft = await who.draft(files={"queues.yaml": text}, tables=True)
        assert not draft["ok"]
        assert draft["problems"] or draft["refused"], draft
        _, etag = await who.file("queues.yaml")
        await who.put("queues.yaml", text, etag, 403 if "<<" in text and who is crm else 422)
        await who.post("complete", {"file": "queues.yaml", "text": text, "line": 1, "column": 9})
        edits = [{"path": ["queues", "a", "x"], "value": 1}]
        body = {"files": {"queues.yaml": text}, "edits": edits}
        await who.post("draft", body, 200 if "<<" in text else 422)
    assert house.read("queues.yaml") == QUEUES


async def test_what_may_be_written_needs_a_place(boss: Editing) -> None:
    for body in ({}, {"line": 2}, {"files": {"queues.yaml": QUEUES}}):
        problem = await boss.post("complete", body, 422)
        assert problem["detail"] == "say where: 'file' or 'text' must be given"


async def test_long_lines_and_many_values(house: EditedHouse, boss: Editing) -> None:
    async def draft(text: str) -> tuple[int, Any]:
        body = io.BytesIO(json.dumps({"files": {"x.yaml": text}}).encode())
        answer = await boss.client.post("/api/config/draft", headers=ADMIN, data=body)
        return answer.status, await answer.json()

    status, view = await draft("pauses: {" + "a" * 7_000_000 + ": {}}")
    assert (status, view["ok"]) == (200, False)
    status, view = await draft("rules: [" + "a," * 310_000 + "]")
    assert "more than 300,000 values" in view["problems"][0]["message"]
    status, view = await draft("a" * 9_000_000)
    assert (status, view["detail"]) == (413, "the body is larger than 8 MiB")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"files": {"x.yaml": 1}}, 422),
        ({"files": {"../x.yaml": ""}}, 422),
        ({"files": {"x.yaml": "\ud800"}}, 422),
        ({"edits": [{"path": []}]}, 422),
        ({"edits": [{"path": [1.5], "value": 1}]}, 422),
        ({"edits": [{"path": ["a"], "value": 1, "remove": True}]}, 422),
        ({"edits": [{"path": ["a"], "value": None}]}, 422),
        ({"edits": [{"path": ["a"], "remove": False}]}, 422),
        ({"edits": [{"path": ["a"] * 21, "value": 1}]}, 422),
        ({"edits": [{"path": ["a"], "value": 1, "zzz": 1}]}, 422),
        ({"edits": [{"path": ["a"], "value": 1}] * 201}, 422),
        ({"edits": {}}, 422),
    ],
)
async def test_wrong_bodies(boss: Editing, body: object, status: int) -> None:
    problem = await boss.post("draft", body, status)
    assert problem["detail"]
