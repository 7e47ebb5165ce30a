"""Logging in through a provider of OpenID Connect: the button, the way there and back, and what goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import expect

from callrouter.clock import SystemClock
from tests.api.oidc_provider import CLIENT, SECRET, FakeProvider
from tests.browser.page_floor import OPERATOR
from tests.browser.visits import Hand, Look, Visits, words
from tests.daemon.process import free_port

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]

PORT = free_port()
OIDC = f"""  listen: 127.0.0.1:{{port}}
  public_url: http://127.0.0.1:{{port}}
  oidc:
    issuer: http://127.0.0.1:{PORT}
    client_id: {CLIENT}
    client_secret: "{SECRET}"
    name: Example SSO
"""
SAM = "  sam: {{role: supervisor, email: sam@example.com}}\n"
FILES = {
    "callrouter": OPERATOR.replace("  listen: 127.0.0.1:{port}\n", OIDC).replace(
        '  sam: {{role: supervisor, password: "{hash}"}}\n', SAM
    )
}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def there() -> AsyncIterator[FakeProvider]:
    made = FakeProvider(SystemClock().now)
    made.url = f"http://127.0.0.1:{PORT}"
    runner = web.AppRunner(made.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PORT).start()
    yield made
    await runner.cleanup()


async def test_there_and_back(visits: Visits, there: FakeProvider, look: Look) -> None:
    """No password, no reload by hand, and no error in the console on the way."""
    page, t = await visits.page(look), words(look.language)
    await visits.accessible(page)
    await Hand(page, look).press(
        page.get_by_role("link", name=t("oidc.log-in", name="Example SSO"))
    )
    await expect(page.locator(".age.good")).to_be_visible()
    await expect(page.locator(".menu summary")).to_contain_text("sam")
    await page.reload()
    await expect(page.locator(".age.good")).to_be_visible()


async def test_a_person_who_is_not_ours_is_told(visits: Visits, there: FakeProvider) -> None:
    known, there.person = there.person, {"sub": "9", "email": "eve@example.com"}
    page, t = await visits.page(), words("en")
    await page.get_by_role("link", name=t("oidc.log-in", name="Example SSO")).click()
    await expect(page.get_by_role("alert")).to_have_text(t("oidc.error.unknown-person"))
    there.person = known
    await page.reload()
    await expect(page.get_by_role("alert")).to_be_empty()
    await page.get_by_role("link", name=t("oidc.log-in", name="Example SSO")).click()
    await expect(page.locator(".age.good")).to_be_visible()
