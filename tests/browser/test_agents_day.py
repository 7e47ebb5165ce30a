"""An agent's day at the page: signs in, pauses, resumes, takes a real call, is ready; adds a mobile."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Page, Route, expect

from callrouter.lab import Answer, RingOnly
from tests.asterisk.ear import Ear, key
from tests.browser.page_floor import MOBILE, QUEUES, PageFloor
from tests.browser.visits import Hand, Look, Visits, digits, looks, said, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]

FILES = {"queues": QUEUES.replace("wrap_up: 0s", "wrap_up: 40s")}


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


@pytest.mark.parametrize("look", looks(), ids=str)
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
    await expect(page.locator(".end")).to_contain_text(t("mine.then.resume"))
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
    await hand.fill(dialog.get_by_label(t("search"), exact=True), "BOB")
    await expect(dialog.get_by_role("listitem").filter(has_text="Sales")).to_have_count(0)
    colleague = dialog.get_by_role("listitem").filter(has_text="Bob Jones")
    await expect(colleague).to_contain_text(t("state.available"))
    await hand.press(colleague.get_by_role("button", name=t("transfer"), exact=True))
    await expect(dialog).to_have_count(0)
    await floor.agent("bob", state="ringing")
    await caller.bye()
    await expect(page.locator(".standing")).to_contain_text(t("state.wrap-up"))
    await expect(page.get_by_role("progressbar")).to_be_visible()
    today = page.get_by_role("region", name=t("mine.today"), exact=True)
    await expect(today.locator("dd").first).not_to_have_text(digits("0", look.language))
    await hand.press(button(page, t("ready")))
    await expect(page.locator(".standing")).to_contain_text(t("state.available"))
    await floor.agent("alice", state="available")

    await hand.press(button(page, t("sign-out")))
    await expect(page.locator(".standing")).to_contain_text(t("state.offline"))
    await floor.agent("alice", signed_in=False)


@pytest.mark.parametrize("look", looks(3), ids=str)
async def test_a_reason_is_written_where_none_are_set(
    floor: PageFloor, visits: Visits, look: Look
) -> None:
    await floor.quiet()
    await floor.sign_out("alice")
    await floor.sign_in("alice")
    page, t = await visits.log_in("alice", look, view="mine"), words(look.language)
    await page.route("**/api/pauses", lambda route: route.fulfill(json=[]))
    await page.reload()
    hand = Hand(page, look)
    await visits.accessible(page)
    await hand.fill(page.get_by_label(t("reason"), exact=True), "short")
    await hand.press(button(page, t("pause")))
    await expect(page.locator(".standing")).to_contain_text("short")
    await floor.agent("alice", state="paused", pause_reason="short")


@pytest.mark.parametrize("look", looks(1, 2), ids=str)
async def test_a_mobile(floor: PageFloor, visits: Visits, look: Look) -> None:
    carrier, ear = floor.lab["carrier"], Ear(floor)
    carrier.behaviour = Answer(after=0.1)
    before = len(carrier.incoming)
    page, t = await visits.log_in("bob", look, view="mine"), words(look.language)
    hand = Hand(page, look)
    phones = page.get_by_role("region", name=t("phones"), exact=True)
    number_field = phones.get_by_label(t("mine.new-mobile"), exact=True)
    visits.expect_fault("422")
    await hand.fill(number_field, "999")
    await hand.press(button(page, t("add-mobile")))
    emergency = {"en": "emergency", "ar": "طوارئ", "zh": "紧急"}[look.language]
    await expect(phones.get_by_role("alert")).to_contain_text(emergency)
    await hand.fill(number_field, "07400 123456")
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
    await hand.press(row.get_by_role("button", name=t("switch-off")))
    await hand.press(row.get_by_role("button", name=t("switch-on")))
    await expect(row.get_by_role("button", name=t("switch-off"))).to_be_visible()
    await hand.press(row.get_by_role("button", name=t("mine.when-rings", phone="mobile")))
    dialog = page.get_by_role("dialog", name=t("mine.when-rings", phone="mobile"))
    await hand.fill(dialog.get_by_label(t("mine.hours"), exact=True), "mon-fri 9-5")
    await hand.press(dialog.get_by_role("button", name=t("mine.save"), exact=True))
    await expect(dialog.get_by_role("alert")).not_to_be_empty()
    await hand.fill(dialog.get_by_label(t("mine.hours"), exact=True), "mon-fri 09:00-17:00")
    await visits.accessible(page)
    await hand.press(dialog.get_by_role("button", name=t("mine.save"), exact=True))
    await expect(row).to_contain_text("mon-fri 09:00-17:00")
    await hand.fill(number_field, "07400 123457")
    await hand.press(button(page, t("add-mobile")))
    mobiles = phones.get_by_role("listitem").filter(has_text="+4474001234")
    await expect(mobiles).to_have_count(2)
    second = mobiles.filter(has_text="+447400123457")
    await hand.press(second.get_by_role("button", name=t("mine.earlier", phone="mobile-2")))
    await expect(mobiles.first).to_contain_text("+447400123457")
    for row in (second, mobiles):
        await hand.press(row.get_by_role("button", name=t("remove")))
        dialog = page.get_by_role("dialog", name=t("remove-phone"))
        await hand.press(dialog.get_by_role("button", name=t("remove"), exact=True))
        await expect(row).to_have_count(0)


async def test_a_late_answer_takes_no_phone_off_the_page(floor: PageFloor, visits: Visits) -> None:
    await floor.quiet()
    await floor.sign_in("alice")
    page, t = await visits.log_in("alice", view="mine"), words("en")
    phones = page.get_by_role("region", name=t("phones"), exact=True)
    off, on = (button(phones, f"{t(key)}: desk") for key in ("switch-off", "switch-on"))
    await expect(off).to_be_visible()
    held: list[Route] = []

    async def hold(route: Route) -> None:
        if held:
            await route.continue_()
        else:
            held.append(route)

    await page.route("**/api/agents/alice/devices", hold)
    await off.click()
    await expect(on).to_be_visible()  # by a second look, as the feed has the change too
    await held[0].fulfill(json=[])
    await page.wait_for_timeout(300)  # in which a late answer would be shown
    await expect(on).to_be_visible()
    await on.click()
    await expect(off).to_be_visible()
    await page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_what_others_did(floor: PageFloor, visits: Visits, look: Look) -> None:
    """A supervisor's pause is told at once, and stays in the list."""
    await floor.quiet()
    await floor.sign_out("alice", "bob")  # which ends wrap-up, too
    await floor.sign_in("alice", "bob")
    for agent in ("alice", "bob"):
        floor.phone(agent).behaviour = Answer(after=0.1)
    page, t = await visits.log_in("alice", look, view="mine"), words(look.language)
    hand = Hand(page, look)
    await floor.act("alice", "pause", reason="short")
    by = (await floor.get("agents/alice"))["by"]
    who = t("mine.by.paused-for", name=by, reason="short")
    await expect(page.get_by_role("status").filter(has_text=who)).to_be_visible()
    await expect(page.get_by_role("region", name=t("messages"))).to_contain_text(who)
    await hand.press(button(page, t("mine.other-reason")))
    await hand.press(page.get_by_role("button", name=t("pause-for", reason="meeting")))
    await floor.agent("alice", pause_reason="meeting")
    await hand.press(button(page, t("resume")))
    await floor.agent("alice", state="available")
    caller = await floor.caller("support")
    call = page.get_by_role("region", name=t("call"), exact=True)
    await expect(call).to_contain_text(t("mine.hold-by-phone"))
    await expect(button(call, t("hold"))).to_have_count(0)
    await hand.press(button(call, t("transfer")))
    dialog = page.get_by_role("dialog", name=t("transfer"))
    colleague = dialog.get_by_role("listitem").filter(has_text="Bob Jones")
    to_bob = colleague.get_by_role("button", name=t("transfer"), exact=True)
    await expect(to_bob).to_be_enabled()
    await floor.sign_out("bob")  # what is open says who is free now
    await expect(colleague).to_contain_text(t("state.not-there"))
    await expect(to_bob).to_be_disabled()
    await floor.sign_in("bob")
    await expect(to_bob).to_be_enabled()
    await visits.accessible(page)
    sales = dialog.get_by_role("listitem").filter(has_text="Sales")
    await hand.press(button(sales, t("transfer")))
    await expect(call).to_have_count(0)
    await caller.bye()


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_caller_is_passed_on_to_a_number_outside(
    floor: PageFloor, visits: Visits, look: Look
) -> None:
    visits.expect_fault("422")
    await floor.quiet()
    await floor.sign_out("alice", "bob")
    await floor.sign_in("alice")
    floor.phone("alice").behaviour = Answer(after=0.1)
    carrier = floor.lab["carrier"]
    carrier.behaviour = Answer(after=0.1)
    rung = len(carrier.incoming)
    page, t = await visits.log_in("alice", look, view="mine"), words(look.language)
    hand = Hand(page, look)
    caller = await floor.caller("support")
    await floor.agent("alice", state="on-call")
    await hand.press(button(page, t("transfer")))
    dialog = page.get_by_role("dialog", name=t("transfer"))
    form = dialog.locator("form.outside")
    await expect(form).to_contain_text("+44…")
    await expect(form).to_contain_text("+12125550100…")
    field = form.get_by_label(t("outside.number"), exact=True)
    await hand.fill(field, "+33 1 23 45 67 89")
    await hand.press(form.get_by_role("button", name=t("transfer"), exact=True))
    why = said("outside-beginning", look.language)
    await expect(form.get_by_role("alert")).to_contain_text(why)
    await visits.accessible(page)
    await hand.fill(field, "020 7946 0018")
    await hand.press(form.get_by_role("button", name=t("transfer"), exact=True))
    await expect(dialog).to_have_count(0)
    await caller.wait_heard("carrier")
    assert len(carrier.incoming) == rung + 1
    await floor.agent("alice", call=None)
    await caller.bye()


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_the_phone_rings_in_the_browser(floor: PageFloor, visits: Visits, look: Look) -> None:
    """A notification and a ring, which were turned on and are still on after a reload."""
    await floor.quiet()
    await floor.sign_out("alice", "bob")
    await floor.sign_in("alice")
    floor.phone("alice").behaviour = RingOnly()
    t, may = words(look.language), ["notifications"]
    page = await visits.log_in("alice", look, view="mine", permissions=may)
    hand = Hand(page, look)
    await page.add_init_script(
        """
        window.told = [];
        window.Notification = class extends EventTarget {
          static permission = "granted";
          static requestPermission = async () => "granted";
          constructor(title, options) { super(); told.push([title, options.body]); }
          close() { told.push("closed"); }
        };
        const start = AudioBufferSourceNode.prototype.start;
        AudioBufferSourceNode.prototype.start = function () { told.push(this.loop ? "rings" : "?"); start.call(this); };
        const stop = AudioBufferSourceNode.prototype.stop;
        AudioBufferSourceNode.prototype.stop = function () { told.push("quiet"); stop.call(this); };
        """
    )
    await page.reload()
    await hand.tick(page.get_by_label(t("mine.notice")))
    await hand.tick(page.get_by_label(t("mine.sound")))
    assert await page.evaluate("told.splice(0)") == ["rings"], "it is heard once"
    await page.reload()
    await expect(page.get_by_label(t("mine.notice"))).to_be_checked()
    await expect(page.get_by_label(t("mine.sound"))).to_be_checked()
    # The browser lets a page make no sound before it has been touched.
    if look.hand == "mouse":
        await page.get_by_role("heading", name=t("mine.today")).click()
    else:
        await page.keyboard.press("Tab")
    caller = await floor.caller("support", name="Ann Caller")
    await expect(page).to_have_title(re.compile("Customer support"))
    told = await page.evaluate("told.splice(0)")
    assert "rings" in told
    [[title, body]] = [item for item in told if isinstance(item, list)]
    assert title == t("mine.rings", queue="Customer support")
    assert body.startswith("Ann Caller · ")
    assert f"{t('waited')} {digits('0:0', look.language)}" in body.replace("\u2066", "")
    await caller.bye()
    await expect(page).to_have_title("callrouter")
    assert await page.evaluate("told.splice(0)") == ["quiet", "closed"]
