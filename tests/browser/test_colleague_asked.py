"""An agent whose telephone system can hold: hold and back, ask a colleague, hand the caller over or take them back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from callrouter.model.commands import Consult
from callrouter.model.events import (
    ConnectSucceeded,
    DeviceState,
    LegAccepted,
    LegEnd,
    LegEnded,
    PbxSnapshot,
)
from callrouter.tasks import Tasks
from tests.api.served import Served
from tests.api.test_sessions import made
from tests.api.world import World
from tests.browser.page_floor import PASSWORD
from tests.browser.visits import Hand, Look, Visits, looks, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]


@pytest_asyncio.fixture(loop_scope="package")
async def centre(tmp_path: Path) -> AsyncIterator[tuple[World, str]]:
    """A small call centre whose telephone system can hold, with bob in a conversation; and its address."""
    world = World(settings=made(tmp_path, PASSWORD))
    phones = {f"PJSIP/100{n}": DeviceState.IDLE for n in (1, 2, 3)}
    world.runtime.post(PbxSnapshot(pbx="office", endpoints=phones, can_hold=True))
    world.sign_in("bob")
    world.arrive("c1", name="Ann Caller")
    world.accept()
    world.sign_in("alice")
    tasks = Tasks()
    tasks.spawn(tick(world), "the world's clock")
    async with Served(world.app) as server:
        yield world, str(server.make_url("/"))
    await tasks.close()
    world.close()


async def tick(world: World) -> None:
    """Let time pass there, or the page would call its data old."""
    while True:
        await asyncio.sleep(0.1)
        world.clock.at += 0.1


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_colleague_is_asked(visits: Visits, centre: tuple[World, str], look: Look) -> None:
    world, url = centre
    visits.expect_fault("404|503")  # mobiles and what is on record, which this centre has not
    page, t = await visits.log_in("bob", look, view="mine", url=url), words(look.language)
    hand = Hand(page, look)
    call = page.get_by_role("region", name=t("call"), exact=True)
    await expect(call).to_contain_text("Ann Caller")
    await hand.press(button(call, t("hold")))
    await expect(call).to_contain_text(t("mine.on-hold"))
    await hand.press(button(call, t("unhold")))
    await expect(button(call, t("hold"))).to_be_visible()

    async def asks() -> None:
        await hand.press(button(call, t("transfer")))
        dialog = page.get_by_role("dialog", name=t("transfer"))
        colleague = dialog.get_by_role("listitem").filter(has_text="Alice")
        await hand.press(button(colleague, t("consult")))
        await expect(dialog).to_have_count(0)
        await expect(call).to_contain_text(t("mine.consulted.ringing"))
        await expect(button(call, t("complete"))).to_be_disabled()

    await asks()
    ring = world.ring()
    assert ring.agent == "alice"
    await hand.press(button(call, t("cancel")))
    await expect(button(call, t("hold"))).to_be_visible()
    for device in list(world.floor.offers[ring.offer].legs):
        world.runtime.post(LegEnded(offer=ring.offer, device=device, why=LegEnd.HUNG_UP))
    await asks()
    ring = world.ring()
    world.runtime.post(LegAccepted(offer=ring.offer, device=ring.device))
    asked = [one for one in world.pbx.commands if isinstance(one, Consult)][-1]
    world.runtime.post(ConnectSucceeded(call="c1", offer=asked.offer))
    await expect(call).to_contain_text(t("mine.consulted.talking"))
    await visits.accessible(page)
    await hand.press(button(call, t("complete")))
    await expect(call).to_have_count(0)
    winner = world.floor.calls["c1"].winner
    assert winner is not None
    assert winner.agent.id == "alice"
