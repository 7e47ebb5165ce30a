"""Reports at the page: from a figure to its calls and to the story of one; curves, files, refusals, rights."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.page_floor import PageFloor
from tests.browser.visits import DIRECTIONS, WEB, Hand, Look, Visits, looks, said, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]

FILES: dict[str, str] = {}  # as everywhere, but with no other calls on record


@pytest_asyncio.fixture(scope="module", loop_scope="package", autouse=True)
async def on_record(floor: PageFloor) -> AsyncIterator[None]:
    """One call that alice answered, and one whose caller gave up."""
    await floor.sign_in("alice")
    answered = await floor.caller("support")
    await floor.agent("alice", state="on-call")
    await answered.bye()
    await floor.agent("alice", state="available")
    await floor.act("alice", "pause", reason="lunch")
    given_up = await floor.caller("support", name="Ben Caller")
    await floor.until(lambda: _waits(floor))
    await given_up.bye()
    await floor.quiet()
    await floor.until(lambda: _recorded(floor), 20)
    yield


async def _waits(floor: PageFloor) -> bool:
    return bool((await floor.get("queues/support"))["waiting"])


async def _recorded(floor: PageFloor) -> bool:
    total = (await floor.get("reports/queues"))["total"]
    return (total["answered"], total["abandoned"]) == (1, 1)


ENGLISH = {"missed": "Missed", "agent": "Agent"}
"""As the daemon has them, which says them in English."""


def figures(look: Look, kind: str, name: str) -> str:
    """The title or the meaning of a figure in the language of the page."""
    if look.language == "en":
        return ENGLISH[name] if kind == "titles" else "the phone rang until its time was up"
    path = WEB / "lang" / "figures" / f"{look.language}.json"
    text: str = json.loads(path.read_text("utf-8"))[kind][name]
    return text


def figure(page: Page, row: str, place: int) -> Locator:
    """The link in a cell of a row of the report."""
    return (
        page.locator("table.report tbody tr")
        .filter(has_text=row)
        .locator("td")
        .nth(place)
        .get_by_role("link")
    )


async def test_a_figure_leads_to_its_calls_and_a_call_to_its_story(
    floor: PageFloor, visits: Visits, look: Look
) -> None:
    page, t = await visits.log_in("sam", look, view="reports"), words(look.language)
    hand = Hand(page, look)
    await expect(page.locator("table.report")).to_be_visible()
    entered = figure(page, "Customer support", 0)
    await expect(entered).to_be_visible()
    await hand.press(entered)
    rows = page.locator("table.report tbody tr")
    await expect(rows).to_have_count(2)
    assert "figure=queues.entered" in page.url
    await hand.press(page.get_by_role("button", name=t("reports.back"), exact=True))
    await hand.press(figure(page, "Customer support", 2))  # abandoned
    await expect(rows).to_have_count(1)
    await expect(rows.first).to_contain_text("Ben Caller")
    call = rows.first.get_by_role("link")
    id_ = await call.inner_text()
    await hand.press(call)
    await expect(page).to_have_url(re.compile(r"#call/"))
    assert (await floor.get(f"reports/call?call={id_}"))["rows"][0]["what"] == "entered"


async def test_choices_stand_in_the_address_and_curves_have_their_table(
    visits: Visits, look: Look
) -> None:
    page, t = await visits.log_in("sam", look, view="reports/queues"), words(look.language)
    hand = Hand(page, look)
    await hand.choose(page.get_by_role("combobox", name=t("reports.what"), exact=True), "hours")
    await expect(page).to_have_url(re.compile("#reports/hours"))
    await expect(page.locator(".plot canvas").first).to_be_visible()
    legend = page.locator(".plot .u-legend").first
    await expect(legend).to_have_css("direction", DIRECTIONS[look.language])
    await hand.choose(page.get_by_role("combobox", name=t("reports.by"), exact=True), "1d")
    await expect(page).to_have_url(re.compile("by=1d"))
    await expect(page.locator("table.report").first.locator("tbody tr")).to_have_count(1)
    await hand.press(page.locator("details.as-table summary").first)
    await expect(page.locator("details.as-table table").first).to_contain_text(
        await page.locator("table.report").first.locator("tbody td").first.inner_text()
    )
    await visits.accessible(page)


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_definition_is_told_on_demand_and_columns_are_sorted(
    visits: Visits, look: Look
) -> None:
    page, t = await visits.log_in("sam", look, view="reports/agents"), words(look.language)
    hand, title = Hand(page, look), figures(look, "titles", "missed")
    await hand.press(
        page.get_by_role("button", name=t("reports.meaning-of", title=title), exact=True)
    )
    dialogue = page.get_by_role("dialog", name=title)
    await expect(dialogue).to_contain_text(figures(look, "meanings", "missed"))
    await expect(dialogue).to_contain_text("agents.missed")
    await visits.accessible(page)
    await page.keyboard.press("Escape")
    first = page.locator("table.report tbody tr").first
    sort = page.get_by_role("button", name=figures(look, "titles", "agent"), exact=True)
    await hand.press(sort)
    await expect(first).to_contain_text("Alice Martin")
    await hand.press(sort)
    await expect(first).to_contain_text("Dave Brown")
    await expect(page.locator("th[aria-sort=descending]")).to_have_count(1)
    assert "sort=-agent" in page.url


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_wrong_period_gets_the_daemons_sentence(visits: Visits, look: Look) -> None:
    visits.expect_fault("422")
    page, t = await visits.log_in("sam", look, view="reports"), words(look.language)
    hand = Hand(page, look)
    await hand.choose(page.get_by_role("combobox", name=t("reports.period"), exact=True), "free")
    await page.get_by_label(t("reports.from"), exact=True).fill("2026-11-02T09:00")
    await page.get_by_label(t("reports.to"), exact=True).fill("2026-11-01T09:00")
    await hand.press(page.get_by_role("button", name=t("reports.show"), exact=True))
    sentence = said("period-backwards", look.language)
    await expect(page.get_by_role("alert")).to_contain_text(sentence)


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_long_report_can_be_cancelled(visits: Visits, look: Look) -> None:
    page, t = await visits.log_in("sam", look, view="board"), words(look.language)
    hand = Hand(page, look)
    answer = asyncio.Event()

    async def hold(route: Route) -> None:
        await answer.wait()
        await route.continue_()

    await page.route("**/api/reports/**", hold)
    await hand.press(page.get_by_role("link", name=t("view.reports"), exact=True))
    await expect(page.get_by_role("progressbar")).to_be_visible()
    await hand.press(page.get_by_role("button", name=t("reports.cancel"), exact=True))
    await expect(page.get_by_role("alert")).to_have_text(t("reports.cancelled"))
    answer.set()
    await hand.press(page.get_by_role("button", name=t("try-again"), exact=True))
    await expect(page.locator("table.report")).to_be_visible()
    await page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_report_is_kept_as_a_file(visits: Visits, look: Look) -> None:
    page, t = await visits.log_in("sam", look, view="reports"), words(look.language)
    async with page.expect_download() as coming:
        await Hand(page, look).press(
            page.get_by_role("button", name=t("reports.download-as", format="CSV"), exact=True)
        )
    file = await coming.value
    assert file.suggested_filename == "queues.csv"
    rows = list(csv.DictReader(io.StringIO(Path(await file.path()).read_text("utf-8"))))
    assert {row["queue"]: row["entered"] for row in rows} == {"sales": "0", "support": "2"}


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_an_agent_sees_own_figures_and_the_story_of_an_own_call(
    visits: Visits, look: Look
) -> None:
    page, t = await visits.log_in("alice", look, view="reports"), words(look.language)
    hand = Hand(page, look)
    await expect(
        page.get_by_role("heading", name=t("reports.what.agents"), exact=True)
    ).to_be_visible()
    rows = page.locator(".report-scroll tbody tr")
    await expect(rows).to_have_count(1)
    await hand.press(figure(page, "Alice Martin", 0))
    await expect(rows.get_by_role("link")).to_have_count(
        1
    )  # the call; an agent's row has a link a figure
    await expect(rows).not_to_contain_text("02079460123")  # whole
    await hand.press(rows.get_by_role("link"))
    await expect(page.locator("table.report")).to_contain_text("entered")
    await visits.accessible(page)
