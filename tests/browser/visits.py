"""Visits to the page by a real browser: who, how wide, in which language and colours; and what went wrong."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    async_playwright,
    expect,
)
from playwright.async_api import (
    Error as PlaywrightError,
)

from tests.browser import axe, chromium
from tests.browser.page_floor import PASSWORD, PageFloor

WEB = Path(__file__).parents[2] / "callrouter" / "web"
LANGUAGES = ("en", "ar", "zh")
DIRECTIONS = {"en": "ltr", "ar": "rtl", "zh": "ltr"}
PATIENCE_MS = 15_000
"""How long Playwright waits for what must come: on a busy machine nothing is quick."""

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True, slots=True)
class Look:
    """How a person looks at the page.

    Attributes:
        hand: `mouse` or `keys`: with what they work.
        width: of their window, in pixels.
        language: which they have chosen.
        dark: whether their system is dark.
    """

    hand: str = "mouse"
    width: int = 1920
    language: str = "en"
    dark: bool = False

    def __str__(self) -> str:
        return f"{self.hand}-{self.width}-{self.language}-{'dark' if self.dark else 'light'}"


USUAL = (
    Look("mouse", 1920, "en"),
    Look("keys", 320, "ar", dark=True),
    Look("keys", 1920, "zh", dark=True),
    Look("mouse", 320, "en"),
)
"""Both hands at both widths, in every language and both colours."""
ALL = tuple(
    Look(hand, width, language, dark=hand == "keys")
    for language in LANGUAGES
    for width in (1920, 320)
    for hand in ("mouse", "keys")
)
"""Every hand at every width in every language: for ``make browser-matrix``."""


def looks(*places: int) -> tuple[Look, ...]:
    """The ways to look at a task: those of `USUAL`, or the ones at these places; `ALL` if ``BROWSER_MATRIX`` is set."""
    if os.environ.get("BROWSER_MATRIX"):
        return ALL
    return tuple(USUAL[place] for place in places) or USUAL


@cache
def words(language: str) -> Callable[..., str]:
    """What the page says in a language: `words("ar")("pause")`; by `count` where there are plurals."""
    catalogue = json.loads((WEB / "lang" / f"{language}.json").read_text("utf-8"))

    def t(key: str, **variables: str) -> str:
        text = catalogue[key]
        assert isinstance(text, str), f"{key} has plural forms"
        return re.sub(r"\{(\w+)\}", lambda found: variables[found[1]], text)

    return t


@cache
def said(code: str, language: str) -> str:
    """The longest part without values of what the daemon says by a code, in a language of the page."""
    catalogue = json.loads((WEB / "lang" / "says" / f"{language}.json").read_text("utf-8"))
    parts: list[str] = re.split(r"\{\w+\}", catalogue[code])
    return max(parts, key=len).strip()


def digits(text: str, language: str) -> str:
    """A number as the page writes it in a language: `digits("1,004", "ar")`."""
    if language != "ar":
        return text
    return text.translate({ord(","): 0x066C} | {ord(str(n)): 0x0660 + n for n in range(10)})


class Visits:
    """The pages that a test has open.

    Attributes:
        faults: what no page may do: errors in the console, uncaught exceptions, breaches of the
            content security policy, requests to another host.
    """

    def __init__(self, browser: Browser, floor: PageFloor) -> None:
        self.faults: list[str] = []
        self._browser = browser
        self._floor = floor
        self._contexts: list[BrowserContext] = []
        self._expected: list[str] = []

    def expect_fault(self, pattern: str) -> None:
        """Take faults that match for what the test is about, until it ends."""
        self._expected.append(pattern)

    async def page(
        self,
        look: Look = Look(),
        *,
        view: str = "",
        url: str = "",
        clock: bool = False,
        **options: Any,
    ) -> Page:
        """A new window at the page, where no one is logged in.

        Args:
            look: how it is looked at.
            view: the part of the address behind ``#``.
            url: of another address than the floor's, such as a proxy's.
            clock: whether the test moves the page's clock (`page.clock`), in place of waiting.
            **options: of Playwright's `Browser.new_context`.
        """
        context = await self._browser.new_context(
            viewport={"width": look.width, "height": 800 if look.width < 600 else 1080},
            color_scheme="dark" if look.dark else "light",
            locale={"en": "en-GB", "ar": "ar-EG", "zh": "zh-CN"}[look.language],
            timezone_id="Europe/London",
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        context.on("request", self._request)
        page = await context.new_page()
        self._watch(page)
        if clock:
            await page.clock.install()
        await page.goto(f"{url or self._floor.url}#{view}")
        return page

    async def log_in(
        self,
        user: str,
        look: Look = Look(),
        *,
        view: str = "",
        url: str = "",
        clock: bool = False,
        **options: Any,
    ) -> Page:
        """A new window in which `user` has logged in by the form, and whose data have come.

        Their cookie is kept, so that the second window of a person needs no form.
        """
        kept = self._floor.cookies.get(user)
        state = {"storage_state": {"cookies": kept, "origins": []}} if kept and not url else {}
        page = await self.page(look, view=view, url=url, clock=clock, **state, **options)
        t = words(look.language)
        form = page.get_by_label(t("user"), exact=True)
        await expect(form.or_(page.locator(".age"))).to_be_visible()
        if await form.count():
            await form.fill(user)
            await page.get_by_label(t("password"), exact=True).fill(PASSWORD)
            await page.get_by_role("button", name=t("log-in"), exact=True).click()
        await expect(page.locator(".age.good")).to_be_visible()
        if not url:
            self._floor.cookies[user] = await page.context.cookies()
        return page

    def forget(self, user: str) -> None:
        """Have `user` log in by the form the next time."""
        self._floor.cookies.pop(user, None)

    async def accessible(self, page: Page, *, both: bool = True) -> None:
        """See that axe-core finds nothing serious on a page as it is now, light and dark.

        Nor may anything reach out of the window sideways.

        Args:
            page: the page.
            both: whether to look at both colours, or only at those of now.

        Raises:
            AssertionError: it finds something.
        """
        before = await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        for dark in (not before, before) if both else (before,):
            await page.emulate_media(color_scheme="dark" if dark else "light")
            first = dark != before or not both
            found = await axe.faults(page, *(() if first else ("color-contrast",)))
            width = await page.evaluate("innerWidth")
            assert found == [], "\n".join(
                (f"at {width} px, {'dark' if dark else 'light'}, {page.url}:", *found)
            )

    async def pictures(self, folder: Path, name: str) -> None:
        """Keep pictures of every window, for a person who looks for the cause of a failure.

        Args:
            folder: where to.
            name: of the test.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for context in self._contexts:
            for page in context.pages:
                place = folder / f"{name.replace('/', '-')}-{len(list(folder.iterdir()))}.png"
                with suppress(PlaywrightError):  # a window that is being closed
                    await page.screenshot(path=place, full_page=True)

    async def close(self) -> None:
        """Close every window, and see that no page did what it may not.

        Raises:
            AssertionError: one did.
        """
        contexts, self._contexts = self._contexts, []
        for context in contexts:
            await context.close()
        found = [
            fault
            for fault in self.faults
            if not any(re.search(pattern, fault) for pattern in self._expected)
        ]
        self.faults, self._expected = [], []
        assert not found, "\n".join(found)

    # ------------------------------------------------------------ what goes wrong

    def _watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        where = urlsplit(message.location.get("url", "")).path
        self.faults.append(f"{message.type}: {message.text} ({where})")

    def _request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in {"data", "blob"} and url.hostname != "127.0.0.1":
            self.faults.append(f"request to {request.url}")


TOWARDS = """node => {
  const [here, there] = [document.activeElement, node].map((one) => one?.closest(".window .row"));
  if (!here || !there || here === there || here.parentElement !== there.parentElement) return "Tab";
  return here.getBoundingClientRect().top < there.getBoundingClientRect().top ? "ArrowDown" : "ArrowUp";
}"""
"""The key that leads from where the focus is towards an element."""


class Hand:
    """What a person does, with the mouse or with the keyboard alone."""

    def __init__(self, page: Page, look: Look) -> None:
        self.page = page
        self.look = look

    async def press(self, what: Any) -> None:
        """Press a button or follow a link."""
        if self.look.hand == "mouse":
            await what.click()
            return
        await self.reach(what)
        await self.page.keyboard.press("Enter")

    async def fill(self, what: Any, text: str) -> None:
        """Type a text in place of what is there."""
        await (what.click() if self.look.hand == "mouse" else self.reach(what))
        await self.page.keyboard.press("ControlOrMeta+a")
        await self.page.keyboard.type(text)

    async def choose(self, what: Any, value: str) -> None:
        """Choose an option, by its value, from a menu (`<select>`)."""
        if self.look.hand == "mouse":
            await what.select_option(value)
            return
        await self.reach(what)
        values = await what.evaluate("menu => [...menu.options].map(item => item.value)")
        before = await what.evaluate("menu => menu.selectedIndex")
        steps = values.index(value) - before
        for _ in range(abs(steps)):
            await self.page.keyboard.press("ArrowDown" if steps > 0 else "ArrowUp")
        await expect(what).to_have_value(value)

    async def tick(self, what: Any) -> None:
        """Change a box or a switch."""
        if self.look.hand == "mouse":
            await what.click()
            return
        await self.reach(what)
        await self.page.keyboard.press("Space")

    async def reach(self, what: Any, most: int = 150) -> None:
        """Go to an element by the Tab key; it must show that it has the focus.

        Raises:
            AssertionError: Tab does not lead there, or the focus cannot be seen.
        """
        await expect(what).to_be_visible()
        await expect(what).to_be_enabled()
        for _ in range(most):
            if await what.evaluate("node => node === document.activeElement"):
                shown = await what.evaluate(
                    "node => { const s = getComputedStyle(node);"
                    " return s.outlineStyle !== 'none' || s.boxShadow !== 'none'; }"
                )
                assert shown, f"the focus on {what} cannot be seen"
                return
            # In a long list, the arrow keys go from row to row, and Tab through one and on.
            await self.page.keyboard.press(await what.evaluate(TOWARDS))
        raise AssertionError(f"the Tab key does not lead to {what}")


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A browser of its own; at the end none of its processes is left."""
    found = chromium.find()
    assert found is not None
    async with _playwright(found) as playwright:
        made = await _launch(playwright, found)
        session = await made.new_browser_cdp_session()
        info = await session.send("SystemInfo.getProcessInfo")
        pids = [item["id"] for item in info["processInfo"] if item["type"] == "browser"]
        try:
            yield made
        finally:
            await made.close()
            await _gone(pids)


@asynccontextmanager
async def _playwright(found: chromium.Chromium) -> AsyncIterator[Playwright]:
    """Playwright, whose Node.js takes the libraries it lacks here from where the browser has its own."""
    before = dict(os.environ)
    os.environ.update(found.environ)
    try:
        manager = async_playwright()
        playwright = await manager.start()
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        yield playwright
    finally:
        await playwright.stop()


async def _launch(playwright: Playwright, found: chromium.Chromium) -> Browser:
    return await playwright.chromium.launch(
        executable_path=found.path,
        env={**found.environ} or None,
        args=list(chromium.OPTIONS),
        chromium_sandbox=False,  # root has none, and only our own page is shown
        timeout=60_000,
    )


async def _gone(pids: list[int]) -> None:
    async with asyncio.timeout(20):
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            await asyncio.sleep(0.05)
