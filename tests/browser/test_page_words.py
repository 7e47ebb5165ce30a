"""The page in Arabic has no sentence in English, whatever the daemon has to tell."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from callrouter.lab import Answer
from tests.browser.page_floor import PageFloor
from tests.browser.visits import Look, Visits

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]

VIEWS = (
    "board", "floor", "agent/alice", "agent/dave", "records", "reports",
    "reports/calls", "reports/agents", "people", "people/audit", "mobiles", "tables",
)  # fmt: skip
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
        await page.wait_for_timeout(SETTLED_MS)
        read = await texts(page)
        assert "\u0627" in read  # it is in Arabic
        if lines := left_in_english(read):
            found[view] = lines
    assert found == {}
