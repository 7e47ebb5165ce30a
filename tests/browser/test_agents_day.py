"""An agent's day at the page: signs in, pauses, resumes, takes a real call, is ready; adds a mobile."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from callrouter.lab import Answer, RingOnly
from tests.asterisk.ear import Ear, key
from tests.browser.page_floor import MOBILE, QUEUES, PageFloor
from tests.browser.visits import LOOKS, Hand, Look, Visits, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

FILES = {"queues": QUEUES.replace("wrap_up: 0s", "wrap_up: 40s")}


def button(page: Page, name: str) -> object:
    return page.get_by_role("button", name=name, exact=True)


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_a_day(floor: PageFloor, visits: Visits, look: Look) -> None:
    await floor.quiet()
    await floor.sign_out("alice")
    await floor.sign_in("bob")
    for agent in ("alice", "bob"):
        floor.phone(agent).behaviour = RingOnly()
    page, t = await visits.log_in("alice", look, view="mine"), words(look.language)
    hand = Hand(page, look)
    await hand.press(button(page, t("sign-in")))
    await expect(page.locator(".standing")).to_contain_text(t("state.available"))
    await floor.agent("alice", signed_in=True, state="available")

    await hand.press(page.get_by_role("button", name=t("pause-for", reason="lunch")))
    await expect(page.locator(".standing")).to_contain_text(t("state.paused"))
    await expect(page.locator(".standing")).to_contain_text("lunch")
    await floor.agent("alice", state="paused", pause_reason="lunch")
    await hand.press(button(page, t("resume")))
    await floor.agent("alice", state="available")

    caller = await floor.caller("support", name="Ann Caller", number="02079460123")
    ringing = page.get_by_role("region", name=t("call"), exact=True)
    await expect(ringing).to_contain_text("Ann Caller")
    await expect(ringing).to_contain_text(t("waited"))
    await expect(ringing).to_contain_text("Customer support")
    await floor.phone("alice").dialogs[-1].answer()
    await hand.press(button(page, t("transfer")))
    dialog = page.get_by_role("dialog", name=t("transfer"))
    await hand.fill(dialog.get_by_label(t("colleague"), exact=True), "bob")
    await hand.press(dialog.get_by_role("button", name=t("transfer"), exact=True))
    await expect(dialog).to_have_count(0)
    await floor.agent("bob", state="ringing")
    await caller.bye()
    await expect(page.locator(".standing")).to_contain_text(t("state.wrap-up"))
    await hand.press(button(page, t("ready")))
    await expect(page.locator(".standing")).to_contain_text(t("state.available"))
    await floor.agent("alice", state="available")

    await hand.press(button(page, t("sign-out")))
    await expect(page.locator(".standing")).to_contain_text(t("state.offline"))
    await floor.agent("alice", signed_in=False)


@pytest.mark.parametrize("look", LOOKS[1:3], ids=str)
async def test_a_mobile(floor: PageFloor, visits: Visits, look: Look) -> None:
    carrier, ear = floor.lab["carrier"], Ear(floor)
    carrier.behaviour = Answer(after=0.1)
    before = len(carrier.incoming)
    page, t = await visits.log_in("bob", look, view="mine"), words(look.language)
    hand = Hand(page, look)
    phones = page.get_by_role("region", name=t("phones"), exact=True)
    await hand.fill(phones.get_by_label(t("mobile-number"), exact=True), "07400 123456")
    await hand.press(button(page, t("add-mobile")))
    code = await page.locator(".code strong").inner_text()
    mobile = await carrier.wait_incoming(before + 1, within=20)
    assert mobile.called == MOBILE.removeprefix("+")

    async def asked() -> bool:
        return ear.heard("carrier")[-1:] == ["agent-pass"]

    await floor.until(asked, 20)
    await key(mobile, f"{code}#")
    await expect(page.locator(".code.good")).to_contain_text(t("verified"))
    row = phones.get_by_role("listitem").filter(has_text=MOBILE)
    await hand.press(row.get_by_role("button", name=t("switch-off"), exact=True))
    await hand.press(row.get_by_role("button", name=t("switch-on"), exact=True))
    await expect(row.get_by_role("button", name=t("switch-off"), exact=True)).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    await hand.press(row.get_by_role("button", name=t("remove"), exact=True))
    await expect(row).to_have_count(0)
