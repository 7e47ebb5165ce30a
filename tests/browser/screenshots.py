"""Pictures of every page for the documentation: `make screenshots` writes them into ``docs/images``.

    python -m tests.browser.screenshots [NAME …]

The demo runs with a real Asterisk, phones and callers; a supervisor and an agent log in, and every view of
theirs is taken, and some in other languages, colours and widths.
"""

from __future__ import annotations

import asyncio
import io
import random
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page

from callrouter.demo.centre import Centre
from callrouter.lab import find_asterisk
from tests.browser.visits import browser

FOLDER = Path(__file__).parents[2] / "docs" / "images"
MOST_BYTES = 250_000
BUSY_AFTER = 30.0
"""Seconds until the demo's floor is busy."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture.

    Attributes:
        name: of the file.
        user: who is logged in; empty: no one.
        view: the part of the address behind ``#``.
        size: of the window.
        language: of the page.
        dark: whether its colours are dark.
        press: what is pressed before, as CSS selectors.
        whole: whether the picture shows what is below the window's edge, too.
    """

    name: str
    user: str
    view: str
    size: tuple[int, int] = (1440, 900)
    language: str = "en"
    dark: bool = False
    press: tuple[str, ...] = ()
    whole: bool = False


SHOTS = (
    Shot("page-log-in", "", ""),
    Shot("page-board", "sam", "board"),
    Shot("page-board-dark-ar", "sam", "board", language="ar", dark=True),
    Shot("page-floor", "sam", "floor"),
    Shot("page-agent-of-supervisor", "sam", "agent/alice"),
    Shot("page-call", "sam", "call/last", press=(".reasons summary",)),
    Shot("page-floor-phone-zh", "sam", "floor", (390, 844), "zh"),
    Shot("page-tables", "sam", "tables"),
    Shot("page-tables-priorities-ar", "sam", "tables/priorities", language="ar", dark=True),
    Shot("page-tables-shifts-zh", "sam", "tables/shifts", language="zh"),
    Shot("page-people", "sam", "people"),
    Shot("page-people-phone-ar", "sam", "people", (390, 844), "ar", dark=True),
    Shot("page-agent", "alice", "mine", (1024, 900)),
    Shot("page-agent-phone-ar", "alice", "mine", (390, 844), "ar", dark=True),
)
LANGUAGES = {"en": "en-GB", "ar": "ar-EG", "zh": "zh-CN"}


async def views_of(page: Page) -> list[str]:
    """The views in a page's menu."""
    found: list[str] = await page.evaluate(
        "[...document.querySelectorAll('nav a[href^=\"#\"]')].map(link => link.hash.slice(1))"
    )
    return [view for view in found if view]


async def take(made: Browser, url: str, password: str, shot: Shot) -> tuple[bytes, list[str]]:
    """A picture as PNG, and the views of who is logged in."""
    context = await made.new_context(
        viewport={"width": shot.size[0], "height": shot.size[1]},
        color_scheme="dark" if shot.dark else "light",
        locale=LANGUAGES[shot.language],
        timezone_id="Europe/London",
        reduced_motion="reduce",
    )
    try:
        page = await context.new_page()
        await page.goto(f"{url}#{shot.view}")
        await page.locator("input[name=user]").wait_for()
        views: list[str] = []
        if shot.user:
            await page.locator("input[name=user]").fill(shot.user)
            await page.locator("input[name=password]").fill(password)
            await page.keyboard.press("Enter")
            await page.locator(".age.good").wait_for()
            views = await views_of(page)
            await asyncio.sleep(2.5)
            for selector in shot.press:
                await page.locator(selector).first.click()
                await asyncio.sleep(1.0)
        return await page.screenshot(full_page=shot.whole), views
    finally:
        await context.close()


def small(png: bytes) -> bytes:
    """The picture in 256 colours, which are enough for a page and a quarter of the bytes."""
    out = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


async def run(names: list[str]) -> int:
    """Take all pictures, or those that are named."""
    centre = Centre(await find_asterisk(_say), random.Random(7), _say)
    try:
        await centre.open(lambda *_: None)
        await centre.begin_work()
        await asyncio.sleep(BUSY_AFTER)
        async with browser() as made:
            return await _all(made, centre, names)
    finally:
        await centre.close()


async def _all(made: Browser, centre: Centre, names: list[str]) -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for shot in await all_shots(made, centre):
        if names and shot.name not in names:
            continue
        png, _ = await take(made, centre.page, centre.page_password, shot)
        body = small(png)
        (FOLDER / f"{shot.name}.png").write_bytes(body)
        _say(f"{shot.name}.png  {len(body) // 1000} kB")
        if len(body) > MOST_BYTES:
            _say(f"    more than {MOST_BYTES // 1000} kB")
            return 1
    return 0


async def all_shots(made: Browser, centre: Centre) -> list[Shot]:
    """`SHOTS`, and every other view in the supervisor's menu."""
    known = {(shot.user, shot.view) for shot in SHOTS}
    _, views = await take(made, centre.page, centre.page_password, Shot("", "sam", ""))
    more = [Shot(f"page-{view}", "sam", view) for view in views if ("sam", view) not in known]
    return [*SHOTS, *more]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[1:])))
