"""Sessions are listed and ended, and the audit is searched: by mouse, by keyboard, in every language."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession
from playwright.async_api import expect

from tests.browser.page_floor import PASSWORD, PageFloor
from tests.browser.visits import Hand, Look, Visits, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]


async def test_a_session_is_ended_from_another_window(visits: Visits, look: Look) -> None:
    """The other window is told at once, and asks for a log-in."""
    visits.forget("sam")
    other = await visits.log_in("sam")
    visits.forget("sam")
    page = await visits.log_in("sam", look)
    t, hand = words(look.language), Hand(page, look)
    await hand.press(page.locator(".menu summary"))
    await hand.press(page.get_by_role("link", name=t("view.people")))
    rows = page.locator("section[aria-labelledby=sessions] tbody tr")
    own = rows.filter(has_text=t("people.this"))
    await expect(own).to_have_count(1)
    before = await rows.count()
    assert before >= 2
    others = rows.filter(has_not_text=t("people.this"))
    await hand.press(others.first.get_by_role("button"))
    await expect(rows).to_have_count(before - 1)
    await expect(other.get_by_label(words("en")("password"), exact=True)).to_be_visible()
    await expect(page.locator(".age.good")).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    await hand.press(page.locator("section[aria-labelledby=sessions] .bar button"))
    await expect(page.get_by_label(t("password"), exact=True)).to_be_visible()
    visits.forget("sam")


async def test_who_did_what(visits: Visits, floor: PageFloor, look: Look) -> None:
    await floor.sign_in("bob")
    await floor.act("bob", "pause", reason="lunch")
    await floor.sign_out("bob")
    page = await visits.log_in("ada", look, view="people")
    t, hand = words(look.language), Hand(page, look)
    form = page.get_by_role("search", name=t("audit.filter"))
    rows = page.locator("table.acts tbody tr")
    await expect(rows.first).to_be_visible()
    await hand.fill(form.get_by_label(t("audit.about"), exact=True), "bob")
    await hand.press(form.get_by_role("button", name=t("audit.show"), exact=True))
    pause = rows.filter(has_text=t("audit.act.agents.pause")).first
    await expect(pause).to_contain_text("lunch")
    await expect(pause).to_contain_text(t("audit.done"))
    await expect(pause).to_contain_text(t("audit.via.socket"))
    await expect(rows.filter(has_text=t("audit.act.session.log-in"))).to_have_count(0)
    await visits.accessible(page)
    await hand.press(form.get_by_role("button", name=t("audit.all"), exact=True))
    await expect(rows.filter(has_text=t("audit.act.session.log-in")).first).to_be_visible()
    await hand.fill(form.get_by_label(t("audit.who"), exact=True), "no-one-of-this-name")
    await hand.press(form.get_by_role("button", name=t("audit.show"), exact=True))
    await expect(page.get_by_text(t("audit.none"))).to_be_visible()
    await floor.sign_out("bob")


async def test_an_agent_sees_acts_on_the_agent_alone(visits: Visits, floor: PageFloor) -> None:
    await floor.sign_in("alice", "dave")
    page, t = await visits.log_in("alice", view="people"), words("en")
    rows = page.locator("table.acts tbody tr")
    await expect(rows.filter(has_text=t("audit.act.agents.sign-in")).first).to_be_visible()
    await expect(rows.filter(has_text="dave")).to_have_count(0)
    await floor.sign_out("alice", "dave")


async def test_a_person_who_is_taken_out_is_logged_out_at_once(
    visits: Visits, floor: PageFloor
) -> None:
    """By a change of the files, which is on record itself."""
    page, t = await visits.log_in("pat", view="board"), words("en")
    path = floor.folder / "config" / "callrouter.yaml"
    before = path.read_text("utf-8")
    lines = before.splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "  pat: " not in line), "utf-8")
    try:
        await expect(page.get_by_label(t("password"), exact=True)).to_be_visible()
        other = await visits.log_in("ada", view="people")
        row = other.locator("table.acts tbody tr").filter(has_text=t("audit.act.config.files"))
        await expect(row.first).to_contain_text("pat")
        await expect(row.first).to_contain_text(t("audit.via.file"))
    finally:
        path.write_text(before, "utf-8")
        visits.forget("pat")
    await floor.until(lambda: _may_log_in(floor, "pat"))


async def _may_log_in(floor: PageFloor, user: str) -> bool:
    """Whether the files are in force again."""
    body = {"user": user, "password": PASSWORD}
    async with (
        ClientSession() as client,
        client.post(f"{floor.url}api/session", json=body) as answer,
    ):
        return answer.status == 200
