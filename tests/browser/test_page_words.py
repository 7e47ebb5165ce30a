"""The page in Arabic has no sentence in English, whatever the daemon has to tell."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.async_api import Page, expect

from callrouter.lab import Answer
from tests.api.forwarding.pair import Pair, node
from tests.browser.page_floor import PageFloor
from tests.browser.test_cluster_page import two
from tests.browser.test_tables import as_before
from tests.browser.visits import Look, Visits, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]

VIEWS = (
    "board", "floor", "agent/alice", "agent/dave", "records", "reports",
    "reports/calls", "reports/agents", "reports/hours", "people", "people/audit", "mobiles", "screens",
    "tables", "tables/agents", "tables/priorities", "tables/shifts", "tables/rules", "tables/users",
    "tables/files", "tables/history",
)  # fmt: skip
__all__ = ["as_before", "two"]
ARABIC = Look(language="ar")
MISTAKES = """\
queues:
  support:
    policy: priorty
    hours: mon-fri 9-25:00
    agents: {alice: 1, bob: 200}
    on_nobody: queue:nowhere
    show: "{que}"
destinations: {ops: {webhook: "https://x.example/", secret: short}}
alerts:
- {name: a, when: "longst_wait > 2m", to: [ops]}
- {name: b, when: "waiting => 5", to: [ops]}
- {name: c, when: "waiting >= 0", to: [ops]}
- {name: d, when: "waiting > 5", clear: "< 9", to: [ops], queues: []}
rules: [{name: VIP, when: {hours: mon}, then: {}}]
"""
SETTLED_MS = 600
FRAGMENT = re.compile(r"[A-Za-z][a-z]*(?:[ ,]+[a-z']+){2,}")
"""Three words in a row, of which the second and third have small letters: names have capitals."""


def left_in_english(text: str) -> list[str]:
    """The parts of a text that are sentences in English; code in backquotes is none."""
    return [part[0] for part in FRAGMENT.finditer(re.sub("`[^`]*`", "", text))]


async def texts(page: Page) -> str:
    """What a person reads on the page, without texts of files, which are in no language."""
    found: str = await page.evaluate(
        """() => { const copy = document.body.cloneNode(true);
          const none = "script, style, noscript, .cm-editor, pre, code, textarea";
          copy.querySelectorAll(none).forEach((node) => node.remove());
          copy.querySelectorAll("*").forEach((node) => node.append("\\n"));
          return copy.textContent; }"""
    )
    return found


async def test_english_sentences_are_found() -> None:
    assert left_in_english("متاح: signed in by root") == ["signed in by root"]
    assert left_in_english("a new call; position 3, priority 50") == ["a new call"]
    assert left_in_english("Alice Martin · PJSIP/1001 `callrouter why last one`") == []


async def english_on(page: Page) -> list[str]:
    """The sentences in English on a page that is in Arabic."""
    await page.wait_for_timeout(SETTLED_MS)
    read = await texts(page)
    assert "\u0627" in read  # it is in Arabic
    return left_in_english(read)


async def test_no_view_in_arabic_has_a_sentence_in_english(
    visits: Visits, floor: PageFloor
) -> None:
    await floor.sign_in("alice", "bob")
    await floor.act("bob", "pause", reason="lunch")
    floor.phone("alice").behaviour = Answer(after=0.1)
    caller = await floor.caller()
    await floor.agent("alice", state="on-call")
    await caller.bye()
    await floor.quiet()
    await floor.act("alice", "message", text="مرحبا")
    page = await visits.log_in("ada", Look(language="ar"))
    found: dict[str, list[str]] = {}
    call = (await floor.get("calls"))[0]["id"]
    for view in (*VIEWS, f"call/{call}"):
        await page.evaluate("view => { location.hash = view; }", view)
        await expect(page.locator("main")).to_be_visible()
        if lines := await english_on(page):
            found[view] = lines
    assert found == {}


async def test_a_screen_on_the_wall_has_no_sentence_in_english(
    visits: Visits, floor: PageFloor
) -> None:
    visits.expect_fault("401|403")
    page = await visits.log_in("pat", ARABIC, view="screens")
    t = words("ar")
    await page.get_by_label(t("screens.name")).fill("\u0642")
    await page.get_by_role("button", name=t("screens.make")).click()
    await expect(page.get_by_role("alert").filter(has_text=re.compile("."))).to_be_visible()
    assert await english_on(page) == []
    await page.get_by_label("Sales", exact=True).check()
    await page.get_by_role("button", name=t("screens.make")).click()
    link = await page.get_by_label(t("screens.link"), exact=True).input_value()
    assert await english_on(page) == []
    screen = await visits.page(ARABIC)
    await screen.goto(link.replace("#", "&lang=ar#"))
    await expect(screen.get_by_role("region", name="Sales")).to_be_visible()
    assert await english_on(screen) == []
    row = page.get_by_role("listitem").filter(has_text="\u0642")
    await row.get_by_role("button", name=t("screens.revoke")).click()
    assert await english_on(page) == []
    await page.locator("dialog button.danger").click()
    await expect(screen.get_by_role("alert")).to_contain_text(t("board.shut"))
    assert await english_on(screen) == []


async def test_the_cluster_has_no_sentence_in_english(visits: Visits, two: Pair) -> None:
    visits.expect_fault("409|503")
    t = words("ar")
    first, second = two.shared.pool.nodes
    told = "connection to server failed: FATAL: too many clients already"
    old = node("north-3", seen_s=44.0, config_digest="another", problem=told)
    newer = node("north-4", version="2.0")
    two.shared.pool = replace(two.shared.pool, nodes=(first, second, old, newer))
    page = await visits.log_in(
        "ada", ARABIC, view="cluster", url=f"http://127.0.0.1:{two.active.port}/"
    )
    troubles = page.locator(".troubles")
    await expect(troubles).to_contain_text("\u00ab")  # a quotation
    await expect(troubles).to_contain_text(told)
    assert left_in_english((await texts(page)).replace(told, "")) == []
    await page.get_by_role("button", name=t("cluster.hand-over-to", name="north-2")).click()
    assert left_in_english((await texts(page)).replace(told, "")) == []
    two.shared.pool = replace(two.shared.pool, nodes=(first, replace(second, seen_s=60.0)))
    await page.locator("dialog button.main").click()
    await expect(page.locator(".toast")).to_contain_text("north-2")
    await expect(troubles).not_to_contain_text(told)  # it looks every two seconds
    assert await english_on(page) == []
    two.shared.away = told
    await expect(page.get_by_role("alert")).to_contain_text(told)
    assert left_in_english((await texts(page)).replace(told, "")) == []


async def test_mistakes_in_a_file_have_no_sentence_in_english(
    visits: Visits, floor: PageFloor
) -> None:
    visits.expect_fault("409|422")
    path = floor.folder / "config" / "queues.yaml"
    page = await visits.log_in("ada", ARABIC, view="tables/files")
    await expect(page.locator(".text-editor .cm-content")).to_be_visible()
    for text in (MISTAKES, "queues: [*a\n", "queues:\n  support: 1\n  support: 2\n", "- a\n"):
        path.write_text(text, "utf-8")
        await expect(page.locator(".notice.bad")).to_be_visible()
        await page.reload()
        await expect(page.locator(".notice.bad")).to_be_visible()
        await page.locator("main select").select_option("queues.yaml")
        await expect(page.locator(".found li, .found p").first).to_be_visible()
        assert await english_on(page) == [], text
