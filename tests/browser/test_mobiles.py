"""Mobiles of agents before a supervisor: approved, rejected with a reason, vouched for, switched and removed."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from callrouter.lab import Answer
from tests.asterisk.ear import Ear, key
from tests.browser.page_floor import MOBILE, OPERATOR, PageFloor
from tests.browser.visits import Hand, Look, Visits, looks, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]

FILES = {"callrouter": OPERATOR.replace("countries: [GB]", "countries: [GB], approval: supervisor")}


async def registered(floor: PageFloor, visits: Visits) -> None:
    """Have Bob register a mobile at his page and prove it by the call."""
    carrier, ear = floor.lab["carrier"], Ear(floor)
    carrier.behaviour = Answer(after=0.1)
    before = len(carrier.incoming)
    page = await visits.log_in("bob", view="mine")
    answer = await page.evaluate(
        "async (number) => { const who = await (await fetch('/api/session')).json();"
        " const answer = await fetch('/api/agents/bob/devices', {method: 'POST', headers:"
        " {'X-CSRF-Token': who.csrf_token}, body: JSON.stringify({number})}); return answer.json(); }",
        MOBILE,
    )
    call = await carrier.wait_incoming(before + 1, within=20)

    async def asked() -> bool:
        return ear.heard("carrier")[-1:] == ["agent-pass"]

    await floor.until(asked, 20)
    await key(call, f"{answer['code']}#")
    await floor.until(lambda: waits(floor), 20)
    await page.context.close()


async def waits(floor: PageFloor) -> bool:
    return bool(await floor.get("mobiles?status=waiting"))


@pytest.mark.parametrize("look", looks(0, 1), ids=str)
async def test_a_mobile_waits_for_a_supervisor(
    floor: PageFloor, visits: Visits, look: Look
) -> None:
    await registered(floor, visits)
    page, t = await visits.log_in("sam", look, view="mobiles"), words(look.language)
    hand = Hand(page, look)
    waiting = page.get_by_role("region", name=t("mobiles.status.waiting"), exact=True)
    row = waiting.get_by_role("row").filter(has_text=MOBILE)
    await expect(row).to_contain_text("Bob Jones")
    await visits.accessible(page)
    await hand.press(row.get_by_role("button", name=t("mobiles.reject"), exact=True))
    dialog = page.get_by_role(
        "dialog", name=t("mobiles.reject-title", number=MOBILE, name="Bob Jones")
    )
    await hand.fill(dialog.get_by_label(t("mobiles.reject-reason")), "a private phone")
    await hand.press(dialog.get_by_role("button", name=t("mobiles.reject"), exact=True))
    await expect(row).to_have_count(0)
    assert await floor.get("mobiles") == []
    told = (await floor.get("agents/bob"))["messages"][-1]["text"]
    assert told == "sam: your mobile mobile was not accepted: a private phone"

    await registered(floor, visits)
    await page.reload()
    await hand.press(row.get_by_role("button", name=t("mobiles.approve"), exact=True))
    used = page.get_by_role("region", name=t("mobiles.status.in-use"), exact=True)
    row = used.get_by_role("row").filter(has_text=MOBILE)
    await hand.press(row.get_by_role("button", name=t("switch-off"), exact=True))
    await hand.press(row.get_by_role("button", name=t("switch-on"), exact=True))
    await hand.press(row.get_by_role("button", name=t("remove"), exact=True))
    sure = page.get_by_role("dialog", name=t("acts.sure"))
    await hand.press(sure.get_by_role("button", name=t("remove"), exact=True))
    await expect(row).to_have_count(0)
    audit = (await floor.get("agents/bob/audit"))["steps"]
    assert [step["what"] for step in audit][:4] == [
        *("removed", "switched-on", "switched-off", "approved"),
    ]
    assert {step["who"] for step in audit[:4]} == {"sam"}


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_limited_supervisor_sees_the_mobiles_of_own_agents(
    floor: PageFloor, visits: Visits, look: Look
) -> None:
    floor.lab["carrier"].behaviour = Answer(after=0.1)
    await floor.daemon.post("/api/agents/alice/devices", {"number": MOBILE})
    page, t = await visits.log_in("pat", look, view="mobiles"), words(look.language)
    section = page.get_by_role("region", name=t("mobiles.status.unverified"), exact=True)
    await expect(section).to_contain_text(t("mobiles.none"))
    page = await visits.log_in("sam", look, view="agent/alice")
    hand = Hand(page, look)
    phones = page.get_by_role("region", name=t("phones"), exact=True)
    row = phones.get_by_role("listitem").filter(has_text=MOBILE)
    await expect(row).to_contain_text(t("mobiles.status.unverified"))
    await hand.press(row.get_by_role("button", name=t("mobiles.vouch"), exact=True))
    sure = page.get_by_role("dialog", name=t("acts.sure"))
    await hand.press(sure.get_by_role("button", name=t("mobiles.vouch"), exact=True))
    await expect(row.get_by_role("button", name=t("switch-off"), exact=True)).to_be_visible()
    await hand.press(phones.locator("summary").filter(has_text=t("mobiles.audit")))
    await expect(phones).to_contain_text("vouched")
    await visits.accessible(page, both=False)
    await hand.press(row.get_by_role("button", name=t("remove"), exact=True))
    await hand.press(sure.get_by_role("button", name=t("remove"), exact=True))
    await expect(row).to_have_count(0)
