"""What goes wrong while files are edited: the network, the daemon, a hand on the disk. Nothing is lost."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.gate import gate
from tests.browser.page_floor import PageFloor
from tests.browser.test_tables import as_before, open_tables
from tests.browser.visits import Hand, Look, Visits, looks

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]
__all__ = ["as_before"]
CUT_FOR = 60_000
"""Milliseconds of the page's clock: longer than it takes the page to see it, and to look at the files once more."""
RECONNECTED = 15_000
"""Milliseconds after which the page has tried to connect again."""


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_the_network_is_cut(visits: Visits, floor: PageFloor, look: Look) -> None:
    visits.expect_fault("ERR_|WebSocket|502")
    async with gate(floor.port) as way:
        tables = await open_tables(visits, floor, look=look, url=way.url, clock=True)
        hand = Hand(tables.page, look)
        await tables.beside(hand)
        await hand.fill(tables.field("ring_for"), "24s")
        way.shut()
        notice = tables.page.get_by_role("alert").filter(has_text=tables.t("tables.cut-unsaved"))
        await expect(notice).to_be_visible()
        await hand.fill(tables.field("wrap_up"), "7s")
        await tables.line("wrap_up: 7s").click()
        await tables.page.keyboard.press("End")
        await tables.page.keyboard.type(" # typed without a network")
        await expect(tables.button("save")).to_have_attribute("aria-disabled", "true")
        await tables.page.clock.fast_forward(CUT_FOR)
        way.open()
        await tables.page.clock.fast_forward(RECONNECTED)
        await expect(notice).to_have_count(0, timeout=30_000)
        if look.hand == "keys":  # Tab indents in the text; after Escape it leaves it
            await tables.page.keyboard.press("Escape")
        await hand.press(tables.button("save"))
        await tables.saved()
    text = tables.file("queues.yaml")
    assert "ring_for: 24s" in text
    assert "wrap_up: 7s # typed without a network\n" in text


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_the_daemon_restarts_under_the_page(
    visits: Visits, floor: PageFloor, look: Look
) -> None:
    visits.expect_fault("ERR_|WebSocket")
    tables = await open_tables(visits, floor, look=look, clock=True)
    hand = Hand(tables.page, look)
    await hand.fill(tables.field("ring_for"), "23s")
    await floor.kill()
    await expect(tables.page.get_by_role("alert").first).to_be_visible()
    await hand.fill(tables.field("wrap_up"), "9s")
    await floor.daemon.start()
    await tables.page.clock.fast_forward(RECONNECTED)
    await expect(tables.page.locator(".age.good")).to_be_visible(timeout=30_000)
    await expect(tables.field("ring_for")).to_have_value("23s")
    await expect(tables.button("save")).to_have_attribute("aria-disabled", "false", timeout=30_000)
    await hand.press(tables.button("save"))
    await tables.saved()
    assert "ring_for: 23s" in tables.file("queues.yaml")
    assert "wrap_up: 9s" in tables.file("queues.yaml")


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_file_is_broken_by_hand(visits: Visits, floor: PageFloor, look: Look) -> None:
    tables = await open_tables(visits, floor, look=look)
    hand = Hand(tables.page, look)
    path = tables.folder / "queues.yaml"
    before = path.read_text("utf-8")
    await hand.fill(tables.field("ring_for"), "22s")
    path.write_text(before.replace("policy: longest-idle", "policy: longest-idel"), "utf-8")
    bad = tables.page.locator(".notice.bad")
    await expect(bad.filter(has_text="queues.yaml (")).to_have_count(0)
    await expect(bad.filter(has_text=tables.t("tables.put-back"))).to_contain_text("queues.yaml")
    await expect(tables.field("ring_for")).to_have_value("22s")
    # A person sees what became of the file, and that theirs is another text.
    await visits.accessible(tables.page, both=False)
    await hand.press(tables.button("see-both"))
    dialog = tables.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("longest-idel")
    await tables.page.keyboard.press("Escape")
    await hand.press(tables.button("put-back"))
    await hand.press(tables.button("roll-back"))
    await expect(bad).to_have_count(0)
    assert path.read_text("utf-8") == before
    await expect(tables.field("ring_for")).to_have_value("22s")
    await hand.press(tables.button("save"))
    await tables.saved()
    assert "ring_for: 22s" in path.read_text("utf-8")


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_file_is_no_yaml_any_more(visits: Visits, floor: PageFloor, look: Look) -> None:
    visits.expect_fault("409|403")
    sam = await open_tables(visits, floor, look=look)
    ada = await open_tables(visits, floor, "ada", look=look)
    hand, admin = Hand(sam.page, look), Hand(ada.page, look)
    await ada.beside(admin)
    path = sam.folder / "queues.yaml"
    before = path.read_text("utf-8")
    await hand.fill(sam.field("ring_for"), "21s")
    path.write_text(before.replace("agents: {alice: 1, bob: 2}", "agents: {alice: 1, bob"), "utf-8")
    # A supervisor, from whose text some is hidden, is told who can mend it; an admin sees it and can.
    await expect(sam.page.locator("#locked-note")).to_be_visible()
    await expect(sam.field("ring_for")).to_have_value("21s")
    await hand.press(sam.button("put-back"))
    await expect(sam.page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    await sam.page.keyboard.press("Escape")
    await expect(ada.page.locator(".found")).to_contain_text("11:")
    await admin.press(ada.button("put-back"))
    await admin.press(ada.button("roll-back"))
    await expect(ada.field("ring_for")).to_be_enabled()
    assert path.read_text("utf-8") == before
    await expect(sam.page.locator("#locked-note")).to_have_count(0)
    await hand.press(sam.button("save"))
    await sam.saved()
    assert "ring_for: 21s" in path.read_text("utf-8")
