"""A supervisor's work at the page: the floor with its controls, a call's story, and what is refused."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, Route, expect

from callrouter.lab import Answer, RingOnly
from tests.browser.page_floor import PageFloor
from tests.browser.visits import Hand, Look, Visits, digits, looks, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]


def button(place: Page | Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True)


def agents(page: Page, t: Any, name: str) -> Locator:
    region = page.get_by_role("region", name=t("agents"), exact=True)
    return region.get_by_role("listitem").filter(has_text=name)


async def controls(page: Page, t: Any, hand: Hand, name: str) -> Locator:
    """Where an agent's buttons are: in the row, or on the agent's own page in a narrow window."""
    row = agents(page, t, name)
    if hand.look.width > 600:
        return row
    await hand.press(row.get_by_role("link", name=t("floor.more-about", name=name)))
    return page.get_by_role("region", name=name, exact=True)


async def agrees(page: Page, t: Any, hand: Hand, verb: str) -> None:
    await hand.press(button(page.get_by_role("dialog", name=t("acts.sure")), t(verb)))


async def test_agents(floor: PageFloor, visits: Visits, look: Look) -> None:
    await floor.quiet()
    await floor.sign_out("alice")
    page, t = await visits.log_in("sam", look, view="floor"), words(look.language)
    hand = Hand(page, look)
    place = await controls(page, t, hand, "Alice Martin")
    await hand.press(button(place, t("sign-in")))
    await floor.agent("alice", signed_in=True, by="sam")
    if look.hand == "keys":  # the button that was pressed is gone, the focus is on the next one
        await expect(button(place, t("floor.pause"))).to_be_focused()
    await hand.press(button(place, t("floor.pause")))
    dialog = page.get_by_role("dialog", name=t("floor.pause-title", name="Alice Martin"))
    await visits.accessible(page)
    await hand.press(dialog.get_by_role("button", name="lunch"))
    await expect(dialog).to_have_count(0)
    await floor.agent("alice", state="paused", pause_reason="lunch", by="sam")
    await hand.press(button(place, t("resume")))
    await floor.agent("alice", state="available")
    await hand.press(button(place, t("sign-out")))
    await agrees(page, t, hand, "acts.no")
    await floor.agent("alice", signed_in=True)
    await hand.press(button(place, t("sign-out")))
    await agrees(page, t, hand, "sign-out")
    await floor.agent("alice", signed_in=False)


async def test_calls(floor: PageFloor, visits: Visits, look: Look) -> None:
    await floor.quiet()
    await floor.sign_out("alice", "bob", "carol", "dave")
    first = await floor.caller("support", name="First Caller", number="02079460123")
    await floor.until(lambda: _lasting(floor, 1))
    second = await floor.caller("support", name="Second Caller", number="02079460124")
    page, t = await visits.log_in("sam", look, view="floor"), words(look.language)
    hand = Hand(page, look)
    rows = page.get_by_role("region", name=t("calls"), exact=True).get_by_role("row")
    row = rows.filter(has_text="Second Caller")
    await hand.press(button(row, t("floor.up", priority=digits("49", look.language))))
    both = rows.filter(has_text=re.compile("(First|Second) Caller"))
    await expect(both.nth(0)).to_contain_text("Second Caller")
    await hand.press(button(row, t("floor.move")))
    dialog = page.get_by_role("dialog", name=t("floor.move-title"))
    await expect(button(dialog, t("move"))).to_be_disabled()
    await hand.choose(dialog.get_by_role("combobox", name=t("queue")), "sales")
    await hand.press(button(dialog, t("floor.to-front")))
    await hand.press(button(dialog, t("move")))
    await expect(dialog).to_have_count(0)
    [moved] = [one for one in await live_calls(floor) if one["caller_name"] == "Second Caller"]
    assert (moved["queue"], moved["priority"]) == ("sales", 1)
    await hand.press(button(row, t("end")))
    await agrees(page, t, hand, "floor.end")
    await second.wait_ended()
    await expect(row).to_have_count(0)
    await first.cancel()


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_conversation_is_transferred_and_refusals_are_said(
    floor: PageFloor, visits: Visits, look: Look
) -> None:
    visits.expect_fault("409")
    await floor.quiet()
    await floor.sign_out("bob")
    await floor.sign_in("alice")
    floor.phone("alice").behaviour = Answer(after=0.1)
    caller = await floor.caller("support")
    await floor.agent("alice", state="on-call")
    page, t = await visits.log_in("sam", look, view="floor"), words(look.language)
    hand = Hand(page, look)
    row = page.get_by_role("row").filter(has_text="Ann Caller")
    assert await button(row, t("hold")).count() == 0, "Asterisk's phones hold by themselves"
    await hand.press(button(row, t("floor.transfer")))
    dialog = page.get_by_role("dialog", name=t("floor.transfer-title", agent="Alice Martin"))
    await hand.choose(dialog.get_by_role("combobox", name=t("floor.to-agent")), "bob")
    await hand.press(button(dialog, t("floor.transfer-now")))
    why = "bob can't be rung now: " if look.language == "en" else ""
    await expect(dialog.locator(".refused")).to_contain_text(re.compile(f"{why}."))
    await visits.accessible(page)
    await floor.sign_in("bob")
    floor.phone("bob").behaviour = RingOnly()
    await hand.press(button(dialog, t("floor.transfer-now")))
    await expect(dialog).to_have_count(0)
    await floor.agent("bob", state="ringing")
    await caller.bye()


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_the_wallboard_leads_to_calls_and_agents(
    floor: PageFloor, visits: Visits, look: Look
) -> None:
    await floor.quiet()
    await floor.sign_out("alice", "bob", "carol", "dave")
    await floor.caller("sales", name="Linked Caller")
    page, t = await visits.log_in("pat", look, view="board"), words(look.language)
    hand = Hand(page, look)
    await hand.press(page.get_by_role("link", name="Linked Caller"))
    story = page.get_by_role("region", name=t("floor.story"), exact=True)
    await expect(story.locator(".now-text")).not_to_be_empty()
    await expect(story.locator(".timeline > li").first).to_contain_text(t("story.entered"))
    await hand.press(page.get_by_role("link", name=t("view.board"), exact=True))
    await hand.press(page.get_by_role("link", name="Carol Smith"))
    await expect(page.get_by_role("heading", name="Carol Smith", exact=True)).to_be_visible()
    await floor.quiet()


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_several_agents_at_once(floor: PageFloor, visits: Visits, look: Look) -> None:
    await floor.quiet()
    await floor.sign_out("alice", "bob", "carol", "dave")
    page, t = await visits.log_in("sam", look, view="floor"), words(look.language)
    hand = Hand(page, look)
    line = f"Fire drill at noon, {look}"

    async def choose(*names: str) -> None:
        for name in names:
            await hand.tick(page.get_by_role("checkbox", name=t("floor.choose", name=name)))

    await choose("Alice Martin", "Carol Smith")
    batch = page.get_by_role("group", name=t("floor.batch"))
    await hand.press(batch.get_by_role("button", name=t("sign-in")))
    for agent in ("alice", "carol"):
        await floor.agent(agent, signed_in=True)
    await expect(batch.get_by_role("status")).to_contain_text(digits("2", look.language))
    await choose("Alice Martin", "Carol Smith")
    await hand.press(batch.locator("summary").filter(has_text=t("floor.pause")))
    await visits.accessible(page, both=False)
    await hand.press(batch.get_by_role("button", name="meeting"))
    for agent in ("alice", "carol"):
        await floor.agent(agent, pause_reason="meeting")
    await choose("Bob Jones")
    await hand.press(batch.locator("summary").filter(has_text=t("floor.message")))
    await hand.fill(batch.get_by_label(t("floor.message-all")), line)
    await hand.press(button(batch, t("floor.send")))
    await floor.until(lambda: _told(floor, "bob", f"sam: {line}"))
    assert (await floor.get("agents/bob"))["signed_in"] is False


async def test_a_slow_link_shows_progress_and_acts_once(floor: PageFloor, visits: Visits) -> None:
    visits.expect_fault("ERR_FAILED")
    await floor.sign_out("dave")
    page, t = await visits.log_in("sam", view="agent/dave"), words("en")
    sent: list[str] = []
    gate = asyncio.Event()

    async def slowly(route: Route) -> None:
        sent.append(route.request.url)
        await gate.wait()
        await route.continue_()

    await page.route("**/sign-in", slowly)
    press = button(page.get_by_role("region", name="Dave Brown", exact=True), t("sign-in"))
    await press.click()
    busy = page.locator('button[aria-busy="true"]')
    await expect(busy).to_contain_text("waiting for")
    for _ in range(3):
        await page.keyboard.press("Enter")
    await busy.click(force=True)
    assert len(sent) == 1
    gate.set()
    await floor.agent("dave", signed_in=True)
    await expect(busy).to_have_count(0)
    assert len(sent) == 1
    await page.route("**/pause", lambda route: route.abort())
    await button(page, t("floor.pause")).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="lunch").click()
    await expect(dialog.locator(".refused")).to_contain_text(t("acts.no-answer"))


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_line_to_an_agent(floor: PageFloor, visits: Visits, look: Look) -> None:
    page, t = await visits.log_in("sam", look, view="agent/alice"), words(look.language)
    alice = await visits.log_in("alice", look, view="mine")
    hand, line = Hand(page, look), f"Please call me, {look}"
    await hand.fill(page.get_by_role("textbox", name=t("floor.message"), exact=True), line)
    await hand.press(button(page, t("floor.send")))
    await expect(page.locator(".messages li").filter(has_text=line)).to_contain_text("sam")
    await expect(alice.get_by_role("status").filter(has_text=line)).to_be_visible()
    told = alice.get_by_role("region", name=t("messages")).get_by_role("listitem")
    await expect(told.filter(has_text=line)).to_contain_text("sam")


@pytest.mark.parametrize("look", looks(0, 1, 2), ids=str)
async def test_a_calls_story_is_found_and_sent_to_a_colleague(
    floor: PageFloor, visits: Visits, look: Look
) -> None:
    await floor.quiet()
    await floor.sign_out("alice", "bob", "carol", "dave")
    await floor.sign_in("alice")
    floor.phone("alice").behaviour = Answer(after=0.1)
    caller = await floor.caller("support", name="Told Caller", number="02079460199")
    await floor.until(lambda: _talking(floor))
    await caller.bye()
    await floor.until(lambda: _some(floor))
    page, t = await visits.log_in("sam", look, view="records"), words(look.language)
    hand = Hand(page, look)
    await hand.fill(page.get_by_label(t("records.number"), exact=True), "02079460199")
    await hand.press(button(page, t("search")))
    await hand.press(page.get_by_role("link", name="Told Caller").first)
    story = page.get_by_role("region", name=t("floor.story"), exact=True)
    timeline = story.locator(".timeline > li")
    for word in ("entered", "offered", "accepted", "connected", "conversation-ended"):
        await expect(timeline.filter(has_text=t(f"story.{word}")).first).to_be_visible()
    await hand.press(story.locator(".reasons summary").first)
    await expect(story.locator(".reasons").first).to_contain_text(t("story.candidates"))
    await expect(story.locator(".reasons").first).to_contain_text("Alice Martin")
    await visits.accessible(page)
    there = page.url.partition("#")[2]
    visits.expect_fault("404.*/api/calls/last")
    await page.goto(f"{floor.url}#call/last")
    await expect(page).to_have_url(f"{floor.url}#{there}")
    colleague = await visits.log_in("ada", view=there)
    await expect(colleague.locator(".timeline")).to_contain_text("Alice Martin")


async def test_an_answer_that_comes_late_changes_no_other_view(
    floor: PageFloor, visits: Visits
) -> None:
    await floor.quiet()
    await floor.sign_in("alice")
    floor.phone("alice").behaviour = Answer(after=0.1)
    caller = await floor.caller("support", name="Late Caller", number="02079460199")
    await floor.until(lambda: _talking(floor))
    await caller.bye()
    await floor.until(lambda: _some(floor))
    page, t = await visits.log_in("sam", view="floor"), words("en")
    visits.expect_fault("404.*/api/calls/last")
    release = asyncio.Event()

    async def hold(route: Route) -> None:
        await release.wait()
        await route.continue_()

    await page.route("**/api/calls/last**", hold)
    await page.route("**/api/records/calls?queue=support**", hold)
    await page.goto(f"{floor.url}#call/last")
    await expect(page.get_by_text(t("story.reading"))).to_be_visible()
    await page.goto(f"{floor.url}#records?queue=support")
    await expect(page.get_by_text(t("story.reading"))).to_be_visible()
    await page.goto(f"{floor.url}#records?number=02079460000")
    await expect(page.get_by_text(t("records.none"))).to_be_visible()
    late: list[str] = []
    page.on("response", lambda one: late.append(one.url))
    release.set()
    await floor.until(lambda: _answered(late, "calls/last/why", "queue=support"))
    await page.wait_for_timeout(300)  # in which a late answer would be shown
    await expect(page).to_have_url(f"{floor.url}#records?number=02079460000")
    await expect(page.get_by_text(t("records.none"))).to_be_visible()
    await expect(page.get_by_text("Late Caller")).to_have_count(0)
    await page.unroute_all(behavior="ignoreErrors")


async def _answered(urls: list[str], *parts: str) -> bool:
    return all(any(part in url for url in urls) for part in parts)


async def _talking(floor: PageFloor) -> bool:
    return any(one["state"] == "talking" for one in await live_calls(floor))


async def _some(floor: PageFloor) -> bool:
    return bool((await floor.get("records/calls?number=02079460199"))["calls"])


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_why_an_agent_is_not_rung_now_and_before(
    floor: PageFloor, visits: Visits, look: Look
) -> None:
    await floor.quiet()
    await floor.sign_in("alice")
    await floor.act("alice", "pause", reason="lunch")
    page, t = await visits.log_in("sam", look, view="floor"), words(look.language)
    hand = Hand(page, look)
    row = agents(page, t, "Alice Martin")
    await hand.press(row.get_by_role("link", name=t("floor.more-about", name="Alice Martin")))
    why = page.get_by_role("region", name=t("whynot.title", name="Alice Martin"))
    await expect(why).to_contain_text("lunch")
    await floor.act("alice", "resume")
    await expect(why.locator(".why")).to_have_count(0)
    when = why.get_by_label(t("whynot.at"), exact=True)
    await when.fill("2001-01-01T09:00")  # Chromium's field of a date has its own keys
    await hand.press(button(why, t("whynot.ask")))
    await expect(page).to_have_url(re.compile("at=2001-01-01T09"))
    await expect(why.locator(".hint").first).to_be_visible()
    await visits.accessible(page, both=False)
    await hand.press(button(why, t("now")))
    await expect(when).to_have_value("")
    await hand.fill(why.get_by_label(t("whynot.call"), exact=True), "nothing")
    visits.expect_fault("404")
    await hand.press(button(why, t("whynot.ask")))
    await expect(why.locator(".problem")).not_to_be_empty()


async def test_a_limited_supervisor_sees_only_their_queues(
    floor: PageFloor, visits: Visits
) -> None:
    visits.expect_fault("403|422")
    await floor.quiet()
    await floor.sign_out("alice", "bob", "carol", "dave")
    await floor.caller("support", name="Not Theirs")
    await floor.caller("sales", name="Theirs")
    await floor.until(lambda: _lasting(floor, 2))
    [other] = [one["id"] for one in await live_calls(floor) if one["queue"] == "support"]
    page, t = await visits.log_in("pat", view="floor"), words("en")
    await expect(page.get_by_role("row").filter(has_text="Theirs")).to_have_count(1)
    await expect(agents(page, t, "Carol Smith")).to_be_visible()
    await expect(agents(page, t, "Alice Martin")).to_have_count(0)
    await page.goto(f"{floor.url}#call/{other}")
    await expect(page.locator(".problem")).to_contain_text("limited to the queues sales")
    await page.goto(f"{floor.url}#agent/alice")
    await expect(page.locator("main")).to_contain_text(t("floor.no-such-agent", name="alice"))
    await page.goto(f"{floor.url}#records?queue=support")
    await expect(page.locator(".problem")).to_contain_text("limited to the queues sales")
    await floor.quiet()


async def _told(floor: PageFloor, agent: str, text: str) -> bool:
    return any(item["text"] == text for item in (await floor.get(f"agents/{agent}"))["messages"])


async def live_calls(floor: PageFloor) -> Any:
    return await floor.get("calls?only=live")


async def _lasting(floor: PageFloor, count: int) -> bool:
    return len(await live_calls(floor)) == count
