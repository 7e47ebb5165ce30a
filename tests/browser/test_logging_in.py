"""Everyone logs in by the form, sees their own page in their language, and logs out."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from release.sentences import sentences
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


@pytest.mark.parametrize("language", ["ar", "zh"])
async def test_what_the_daemon_says_is_said_in_the_language_of_the_page(
    visits: Visits, language: str
) -> None:
    """Every sentence that it can say, and those of a later version."""
    page, t = await visits.page(Look(language=language)), words(language)
    lines, phrases = [], []
    for code, sentence in sentences().items():
        names = {"count", *re.findall(r"\{(\w+)\}", str(sentence))}
        lines.append(f"English of {code}")
        phrases.append({"code": code, "values": dict.fromkeys(sorted(names), 3)})
    own = {"text": "took it", "code": "took-it", "values": {}}
    values: dict[str, object] = {"took": own, "after_s": 75, "why": "old"}
    lines += ["took it after 1 min 15 s, but old", "a later reason", "no code"]
    phrases += [
        {"code": "took-but", "values": values},
        {"code": "of-a-later-version", "values": {}},
    ]
    said, *refusals = await page.evaluate(
        """async ([lines, phrases]) => {
          const { phrased, refusalText } = await import("/page/app/phrases.js");
          return [phrased(lines, phrases), refusalText("busy", "busy"), refusalText("refused", "alice is not here")];
        }""",
        [lines, phrases],
    )
    assert refusals == [t("refusal.busy"), "alice is not here"]
    *every, but, later, plain = said
    assert (later, plain) == ("a later reason", "no code")
    assert [line for line in every if "{" in line or line.startswith("English of")] == []
    plain_text = but.replace("\u2068", "").replace("\u2069", "")
    expected = {"ar": "أخذها بعد دقيقة و١٥ ثانية", "zh": "1分钟15秒后接下来电"}
    assert plain_text.startswith(expected[language])


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
