"""Everyone logs in by the form, sees their own page in their language, and logs out."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.page_floor import PASSWORD, PageFloor
from tests.browser.visits import DIRECTIONS, LANGUAGES, Hand, Look, Visits, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]


async def test_log_in_and_out(visits: Visits, look: Look) -> None:
    page, t = await visits.page(look), words(look.language)
    hand = Hand(page, look)
    await hand.fill(page.get_by_label(t("user"), exact=True), "sam")
    await hand.fill(page.get_by_label(t("password"), exact=True), PASSWORD)
    await hand.press(page.get_by_role("button", name=t("log-in"), exact=True))
    await expect(page.locator(".age.good")).to_contain_text(t("live"))
    await hand.press(page.locator(".menu summary"))
    await hand.press(page.get_by_role("button", name=t("log-out"), exact=True))
    await expect(page.get_by_label(t("password"), exact=True)).to_be_visible()


async def test_a_wrong_password_is_said(visits: Visits) -> None:
    visits.expect_fault("401")
    page, t = await visits.page(), words("en")
    await page.get_by_label(t("user"), exact=True).fill("sam")
    await page.get_by_label(t("password"), exact=True).fill("not it")
    await page.get_by_role("button", name=t("log-in"), exact=True).click()
    await expect(page.get_by_role("alert")).to_have_text(t("wrong-login"))


async def test_what_the_daemon_says_is_said_in_the_language_of_the_page(visits: Visits) -> None:
    page, t = await visits.page(Look(language="zh")), words("zh")
    said = await page.evaluate(
        """async ([lines, phrases]) => {
          const { phrased, refusalText } = await import("/page/app/phrases.js");
          return [...phrased(lines, phrases), refusalText("busy", "busy"), refusalText("refused", "alice is not here")];
        }""",
        [
            ["paused by sam at 12:03: lunch", "in wrap-up for 75 s more", "a later reason", "old"],
            [
                {"code": "paused", "values": {"by": "sam", "at": "12:03", "reason": "lunch"}},
                {"code": "wrap-up", "values": {"left_s": 75}},
                {"code": "of-a-later-version", "values": {}},
            ],
        ],
    )
    assert said == [
        f"{t('reason.paused-by', by='sam', at='12:03')}: lunch",
        t("reason.wrap-up", left="1:15"),
        "a later reason",
        "old",
        t("refusal.busy"),
        "alice is not here",
    ]


async def test_another_language_needs_no_reload(visits: Visits, floor: PageFloor) -> None:
    page = await visits.log_in("sam")
    await page.evaluate("window.loadedOnce = true")
    before = "en"
    for language in (*LANGUAGES[1:], "en"):
        await page.get_by_role("combobox", name=words(before)("language")).select_option(language)
        await expect(page.locator("html")).to_have_attribute("lang", language)
        await expect(page.locator("html")).to_have_attribute("dir", DIRECTIONS[language])
        await expect(page.locator(".age.good")).to_contain_text(words(language)("live"))
        before = language
    assert await page.evaluate("window.loadedOnce")
