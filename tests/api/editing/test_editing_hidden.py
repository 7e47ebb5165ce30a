"""What a supervisor may not see of the configuration files stays hidden, however they edit them."""

from __future__ import annotations

import pytest

from tests.api.edited_house import (
    AGENTS,
    LIMITED,
    QUEUES,
    SITE,
    EditedHouse,
    Editing,
)
from tests.api.world import Client

HOOK = """\
destinations:
  ops:
    webhook: https://hooks.example.com/T0/hook-of-ops
    secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz
"""
OLD_PASSWORD = "    # password:\n    #   swordfish-of-bob\n"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("agents.yaml", "    # password:\n", ""),  # why the line below is hidden
        ("agents.yaml", "# Who works here", "#••• 1"),
        ("callrouter.yaml", "Europe/London", "Europe/London  #••• 3"),  # a section that is seen
    ],
)
async def test_a_hidden_comment_cannot_be_moved_to_where_it_is_seen(
    house: EditedHouse, crm: Editing, name: str, old: str, new: str
) -> None:
    house.write("agents.yaml", AGENTS.replace("  bob:", f"{OLD_PASSWORD}  bob:"))
    house.write("callrouter.yaml", SITE.replace("timezone:", "  # let go: joe-of-old\ntimezone:"))
    before = house.read(name)
    text, _ = await crm.file(name)
    assert "-of-" not in text
    problem = await crm.change(name, old, new, 403)
    assert "must stay where it was, and so must the lines above it" in problem["detail"]
    assert house.read(name) == before
    draft = await crm.draft(files={name: text.replace(old, new)})
    assert "must stay where it was" in draft["refused"][0]
    assert "-of-" not in str(draft)
    await crm.change("agents.yaml", "Alice Martin", "Bea Martin")
    assert OLD_PASSWORD in house.read("agents.yaml")


async def test_a_change_on_record_shows_a_supervisor_what_the_files_show_them(
    house: EditedHouse, boss: Editing, crm: Editing
) -> None:
    await boss.change("callrouter.yaml", "timezone:", f"{HOOK}timezone:")
    assert "hook-of-ops" in str((await boss.get("history/1"))["diff"])
    shown = await crm.get("history/1")
    assert "hook-of-ops" not in str(shown)
    assert '+destinations: "•••"' in shown["diff"]
    await boss.change("queues.yaml", "ring_for: 20s", "ring_for: 30s")
    assert "+    ring_for: 30s" in (await crm.get("history/2"))["diff"]


async def test_only_an_admin_says_by_which_mail_address_an_agent_logs_in(
    house: EditedHouse, boss: Editing, crm: Editing
) -> None:
    mine = "bob: {email: crm@example.com, "
    problem = await crm.change("agents.yaml", "bob: {", mine, 403)
    assert problem["refused"] == ["only an admin changes the email of bob"]
    new = "agents:\n  eve: {email: eve@example.com, devices: {desk: PJSIP/1}}\n"
    problem = await crm.change("agents.yaml", "agents:\n", new, 403)
    assert problem["refused"] == ["only an admin changes the email of eve"]
    await boss.change("agents.yaml", "bob: {", mine)
    await crm.change("agents.yaml", "Bob Jones", "Robert Jones")


async def test_a_limited_supervisor_gets_no_agent_of_another_queue(
    house: EditedHouse, boss: Editing, client: Client
) -> None:
    sam = Editing(client, LIMITED)
    with_carol = "agents: {alice: 1, bob: 2, carol: 3}"
    problem = await sam.change("queues.yaml", "agents: {alice: 1, bob: 2}", with_carol, 403)
    assert problem["refused"] == [
        "agent carol serves none of your queues, so an admin adds them to support"
    ]
    assert house.read("queues.yaml") == QUEUES
    await boss.change("queues.yaml", "agents: {alice: 1, bob: 2}", with_carol)
    await sam.change("queues.yaml", "carol: 3", "carol: 4")


async def test_a_rollback_looks_at_no_file_elsewhere(house: EditedHouse, boss: Editing) -> None:
    body = {"etags": {"../../../../etc/passwd": "x"}}
    assert "plain name" in (await boss.post("rollback", body, 422))["detail"]
