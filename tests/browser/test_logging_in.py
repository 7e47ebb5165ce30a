"""Everyone logs in by the form, sees their own page in their language, and logs out."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from release.sentences import sentences
from tests.browser.page_floor import PASSWORD, PIN
from tests.browser.visits import DIRECTIONS, LANGUAGES, Hand, Look, Visits, looks, words

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


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_an_agent_logs_in_by_extension_and_pin_and_out_everywhere(
    visits: Visits, look: Look
) -> None:
    visits.forget("dave")
    other, t = await visits.log_in("dave", look), words(look.language)
    visits.forget("dave")
    page = await visits.page(look)
    hand = Hand(page, look)
    await hand.fill(page.get_by_label(t("user"), exact=True), "1004")
    await hand.fill(page.get_by_label(t("password"), exact=True), PIN)
    await hand.press(page.get_by_role("button", name=t("log-in"), exact=True))
    menu = page.locator(".menu summary")
    await expect(menu).to_contain_text("Dave Brown")
    await expect(page.get_by_role("link", name=t("view.mine"))).to_be_visible()
    await hand.press(menu)
    await visits.accessible(page)
    await hand.press(page.get_by_role("button", name=t("log-out-everywhere"), exact=True))
    for window in (page, other):
        await expect(window.get_by_label(t("password"), exact=True)).to_be_visible()


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_wrong_password_is_said(visits: Visits, look: Look) -> None:
    visits.expect_fault("401|429")
    page, t = await visits.page(look), words(look.language)
    hand = Hand(page, look)
    await hand.fill(page.get_by_label(t("user"), exact=True), f"not-{look.language}-{look.width}")
    await hand.fill(page.get_by_label(t("password"), exact=True), "not it")
    await hand.press(page.get_by_role("button", name=t("log-in"), exact=True))
    await expect(page.get_by_role("alert")).to_have_text(t("wrong-login"))
    await visits.accessible(page)


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
    unsaid = re.compile(r"\{\w+\}|English of")
    assert [line for line in every if unsaid.search(line)] == []
    plain_text = re.sub("[\u200f\u2068\u2069]", "", but)
    expected = {"ar": "أخذها بعد دقيقة و١٥ ثانية", "zh": "1分钟15秒后接下来电"}
    assert plain_text.startswith(expected[language])


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_another_language_needs_no_reload(visits: Visits, look: Look) -> None:
    page = await visits.log_in("sam", look)
    hand = Hand(page, look)
    await page.evaluate("window.loadedOnce = true")
    before = look.language
    for language in [one for one in LANGUAGES if one != before] + [before]:
        menu = page.locator(".language select")
        await expect(menu).to_have_accessible_name(words(before)("language"))
        await hand.choose(menu, language)
        await expect(page.locator("html")).to_have_attribute("lang", language)
        await expect(page.locator("html")).to_have_attribute("dir", DIRECTIONS[language])
        await expect(page.locator(".age.good")).to_contain_text(words(language)("live"))
        before = language
    assert await page.evaluate("window.loadedOnce")
