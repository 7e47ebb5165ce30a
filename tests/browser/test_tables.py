"""The supervisor's tables: forms over the text of the files, saved, put together, and never lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.page_floor import PASSWORD, PageFloor, password_hash
from tests.browser.visits import Hand, Look, Visits, looks, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]

DESK = Look()


class Tables:
    """What a person sees of the tables, and the files behind them."""

    def __init__(self, page: Page, floor: PageFloor, language: str = "en") -> None:
        self.page = page
        self.t = words(language)
        self.folder = floor.folder / "config"

    def field(self, name: str) -> Locator:
        """A field of the form, by its key in the file."""
        return self.page.locator(".entry").get_by_label(self.t(f"tables-field.{name}"), exact=True)

    def button(self, key: str, **values: str) -> Locator:
        """A button, by the key of its text."""
        return self.page.get_by_role("button", name=self.t(f"tables.{key}", **values), exact=True)

    @property
    def text(self) -> Locator:
        """The text of the file, to be typed in."""
        return self.page.locator(".text-editor .cm-content")

    def line(self, text: str) -> Locator:
        """A line of the text."""
        return self.text.locator(".cm-line").filter(has_text=text)

    async def saved(self) -> None:
        """Wait until it is said that all is saved."""
        await expect(self.page.locator(".toast")).to_contain_text(self.t("tables.saved"))
        await expect(self.page.locator("section.save")).to_have_count(0)

    async def pick(self, hand: Hand, id_: str) -> None:
        """Choose an entry in the list: by the keyboard, the arrows go through it."""
        wanted = self.page.locator(f".picker [data-id={id_}]")
        if hand.look.hand == "mouse":
            await wanted.click()
        else:
            await hand.reach(self.page.locator(".picker [data-id][tabindex='0']"))
            for key in (*("ArrowUp",) * 9, *("ArrowDown",) * 9):
                if await wanted.get_attribute("aria-current"):
                    break
                await self.page.keyboard.press(key)
        await expect(wanted).to_have_attribute("aria-current", "true")

    async def added(self, hand: Hand, what: str, id_: str) -> None:
        """Add an entry by the button below the list."""
        title = self.t(f"tables-add.{what}")
        await hand.press(self.page.get_by_role("button", name=f"+ {title}", exact=True))
        dialog = self.page.get_by_role("dialog", name=title)
        await hand.fill(dialog.get_by_label(self.t("tables.id"), exact=True), id_)
        await hand.press(dialog.get_by_role("button", name=title, exact=True))
        await expect(dialog).to_have_count(0)

    async def beside(self, hand: Hand) -> None:
        """Have the text beside the form, which stands below it in a narrow window once it is asked for."""
        button = self.button("text")
        if await button.get_attribute("aria-pressed") == "false":
            await hand.press(button)
        await expect(self.text).to_be_visible()

    async def unfolded(self, hand: Hand, name: str) -> None:
        """Unfold the part of the form in which a field is; in a narrow window most are folded."""
        within = self.page.get_by_label(self.t(f"tables-field.{name}"), exact=True)
        part = self.page.locator(".entry details.part").filter(has=within)
        if await part.count() and await part.get_attribute("open") is None:
            await hand.press(part.locator("summary").first)
        await expect(self.field(name)).to_be_visible()

    def file(self, name: str) -> str:
        """A file as it is on disk."""
        return (self.folder / name).read_text("utf-8")


@pytest_asyncio.fixture(loop_scope="package", autouse=True)
async def as_before(floor: PageFloor) -> AsyncIterator[None]:
    """Put the files back after each test."""
    folder = floor.folder / "config"
    files = {path: path.read_text("utf-8") for path in folder.glob("*.yaml")}
    yield
    for path, text in files.items():
        path.write_text(text, "utf-8")
    await floor.daemon.post("/api/config/reload")


async def open_tables(
    visits: Visits,
    floor: PageFloor,
    user: str = "sam",
    tab: str = "queues",
    *,
    look: Look = DESK,
    url: str = "",
    clock: bool = False,
) -> Tables:
    """A window in which a person has the tables open, with all files read."""
    page = await visits.log_in(user, look, view=f"tables/{tab}", url=url, clock=clock)
    await expect(page.locator(".sheet")).to_be_visible()
    return Tables(page, floor, look.language)


async def test_a_value_is_changed_and_saved(visits: Visits, floor: PageFloor, look: Look) -> None:
    tables = await open_tables(visits, floor, look=look)
    t, hand = tables.t, Hand(tables.page, look)
    await hand.fill(tables.field("ring_for"), "25s")
    await hand.choose(tables.field("policy"), "longest-idle")
    await expect(tables.page.get_by_text(t("tables-policy-about.longest-idle"))).to_be_visible()
    save = tables.page.locator("section.save")
    await expect(save).to_contain_text(t("tables.would-change"))
    await expect(save.locator("li").filter(has_text="25s")).to_have_count(1)
    await hand.press(tables.button("save"))
    await tables.saved()
    text = tables.file("queues.yaml")
    assert "    ring_for: 25s\n" in text
    assert "    policy: longest-idle       # 1 comes before 2\n" in text, "its comment is kept"
    assert text.startswith("# Who is rung for which calls.\n")


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_mistakes_are_marked_where_they_are(
    visits: Visits, floor: PageFloor, look: Look
) -> None:
    tables = await open_tables(visits, floor, look=look)
    hand = Hand(tables.page, look)
    await tables.beside(hand)
    await tables.unfolded(hand, "on_full")
    await hand.fill(tables.field("on_full"), "queue:sails")
    await expect(tables.field("on_full")).to_have_attribute("aria-invalid", "true")
    await expect(tables.text.locator(".cm-lintRange-error")).to_have_text("queue:sails")
    await expect(tables.page.locator(".found")).to_contain_text("sales")
    await expect(tables.button("save")).to_have_attribute("aria-disabled", "true")
    await visits.accessible(tables.page)
    if look.hand == "keys":  # the list of what was found leads into the text
        await hand.press(tables.page.locator(".found button").first)
        await expect(tables.text).to_be_focused()
    else:
        await tables.line("on_full").click()
    await tables.page.keyboard.press("End")
    for _ in "ails":
        await tables.page.keyboard.press("Backspace")
    await tables.page.keyboard.type("al", delay=60)
    await expect(tables.page.get_by_role("option", name="sales")).to_be_visible()
    await tables.page.wait_for_timeout(300)  # an Enter just as the list comes is not meant for it
    await tables.page.keyboard.press("Enter")
    await expect(tables.field("on_full")).to_have_value("queue:sales")
    if look.hand == "keys":  # Tab indents in the text; after Escape it leaves it
        await tables.page.keyboard.press("Escape")
    await hand.press(tables.button("save"))
    await tables.saved()
    assert "on_full: queue:sales\n" in tables.file("queues.yaml")


@pytest.mark.parametrize("look", looks(0, 1), ids=str)
async def test_agents_are_moved_between_levels(
    visits: Visits, floor: PageFloor, look: Look
) -> None:
    tables = await open_tables(visits, floor, tab="priorities", look=look)
    page, t, hand = tables.page, tables.t, Hand(tables.page, look)
    up = page.get_by_role("button", name=t("tables.up", name="Bob Jones"), exact=True)
    await hand.press(up)
    await expect(page.locator(".level-group")).to_have_count(1)
    down = page.get_by_role("button", name=t("tables.down", name="Alice Martin"), exact=True)
    await hand.press(down)
    if look.hand == "keys":
        await expect(page.locator(".level-group")).to_have_count(2)
        await expect(down).to_be_focused()  # the focus goes with the agent
        await page.keyboard.press("Alt+ArrowUp")
        await expect(page.locator(".level-group")).to_have_count(1)
        await page.keyboard.press("Alt+ArrowDown")
    await expect(page.locator(".level-group")).to_have_count(2)
    await hand.press(tables.button("save"))
    await tables.saved()
    assert "agents: {alice: 11, bob: 1}\n" in tables.file("queues.yaml")


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_two_people_edit_one_file(visits: Visits, floor: PageFloor, look: Look) -> None:
    sam = await open_tables(visits, floor, look=look)
    ada = await open_tables(visits, floor, "ada")
    hand = Hand(sam.page, look)
    await hand.fill(sam.field("ring_for"), "25s")
    saved = asyncio.Event()

    async def late(route: Route) -> None:  # Sam's page has not looked at the files since
        await saved.wait()
        await route.continue_()

    await sam.page.route("**/api/config/files", late)
    await ada.page.get_by_role("button", name="Sales").click()
    await ada.field("ring_for").fill("35s")
    await ada.button("save").click()
    await ada.saved()
    visits.expect_fault("412")
    await hand.press(sam.button("save"))
    saved.set()
    dialog = sam.page.get_by_role("dialog")
    await expect(dialog).to_contain_text(sam.t("tables.no-clash"))
    await expect(dialog).to_contain_text("ada")
    await expect(dialog.locator(".theirs li")).to_contain_text("35s")
    await visits.accessible(sam.page)
    await hand.press(sam.button("take-both"))
    await hand.press(sam.button("save"))
    await sam.saved()
    assert sam.file("queues.yaml").count("ring_for: 25s") == 1
    assert sam.file("queues.yaml").count("ring_for: 35s") == 1
    # Ada, who has nothing unsaved, is shown it by herself.
    await expect(ada.line("ring_for: 25s")).to_have_count(1)
    await expect(ada.page.get_by_role("status").filter(has_text="sam")).to_be_visible()


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_two_people_change_one_line(visits: Visits, floor: PageFloor, look: Look) -> None:
    sam = await open_tables(visits, floor, look=look)
    ada = await open_tables(visits, floor, "ada")
    hand = Hand(sam.page, look)
    await hand.fill(sam.field("ring_for"), "25s")
    await ada.field("ring_for").fill("35s")
    await ada.button("save").click()
    await ada.saved()
    await hand.press(sam.button("see-both"))
    dialog = sam.page.get_by_role("dialog")
    await expect(dialog).to_contain_text(sam.t("tables.clash"))
    await visits.accessible(sam.page)
    await dialog.locator(".cm-merge-b .cm-line").filter(has_text="25s").click()
    await sam.page.keyboard.press(
        "End"
    )  # of the line, which is not broken: both texts have the room
    await sam.page.keyboard.type(" # ada and I")
    await sam.page.keyboard.press("Escape")
    await hand.press(sam.button("see-both"))  # what was put together so far is still there
    await expect(dialog.locator(".cm-merge-b")).to_contain_text("# ada and I")
    await hand.press(sam.button("use-merged"))
    await hand.press(sam.button("save"))
    await sam.saved()
    assert "ring_for: 25s # ada and I\n" in sam.file("queues.yaml")


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_unsaved_text_outlives_a_reload_and_a_log_out(
    visits: Visits, floor: PageFloor, look: Look
) -> None:
    visits.forget("sam")
    tables = await open_tables(visits, floor, look=look)
    page, t, hand = tables.page, tables.t, Hand(tables.page, look)
    page.on("dialog", lambda dialog: dialog.accept())
    await hand.fill(tables.field("ring_for"), "26s")
    await page.reload()
    notice = page.locator(".notice").filter(has_text="queues.yaml")
    await expect(notice).to_be_visible()
    await expect(tables.field("ring_for")).to_have_value("26s")
    await hand.fill(tables.field("ring_for"), "27s")
    await hand.press(page.locator(".menu summary"))
    await hand.press(page.get_by_role("button", name=t("log-out"), exact=True))
    await hand.fill(page.get_by_label(t("user"), exact=True), "sam")
    await hand.fill(page.get_by_label(t("password"), exact=True), PASSWORD)
    await hand.press(page.get_by_role("button", name=t("log-in"), exact=True))
    await expect(notice).to_be_visible()
    await expect(tables.field("ring_for")).to_have_value("27s")
    await hand.press(tables.button("save"))
    await tables.saved()
    assert "ring_for: 27s" in tables.file("queues.yaml")


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_what_was_saved_can_be_taken_back(
    visits: Visits, floor: PageFloor, look: Look
) -> None:
    tables = await open_tables(visits, floor, look=look)
    page, t, hand = tables.page, tables.t, Hand(tables.page, look)
    before = tables.file("queues.yaml")
    await hand.fill(tables.field("ring_for"), "28s")
    await hand.press(tables.button("save"))
    await tables.saved()
    await hand.press(page.get_by_role("link", name=t("tables-tab.history"), exact=True))
    newest = page.locator(".changes > li").first
    await expect(newest).to_contain_text("sam")
    await expect(newest).to_contain_text("28s")
    await hand.press(newest.get_by_role("button", name=t("tables.lines"), exact=True))
    await expect(page.locator(".diff .plus").filter(has_text="ring_for: 28s")).to_be_visible()
    await visits.accessible(page)
    await page.keyboard.press("Escape")
    await hand.press(newest.get_by_role("button", name=t("tables.back-to-before"), exact=True))
    await expect(page.get_by_role("dialog").locator("li").filter(has_text="20s")).to_be_visible()
    await hand.press(tables.button("roll-back"))
    await expect(page.locator(".notice")).to_have_text(re.compile(t("tables-note.rolled-back")))
    assert tables.file("queues.yaml") == before


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_change_that_removes_much_is_confirmed(
    visits: Visits, floor: PageFloor, look: Look
) -> None:
    visits.expect_fault("409")
    tables = await open_tables(visits, floor, "ada", "agents", look=look)
    page, t, hand = tables.page, tables.t, Hand(tables.page, look)
    for agent in ("bob", "carol", "dave"):
        await tables.pick(hand, agent)
        await hand.press(page.get_by_role("button", name=t("tables.remove-agent"), exact=True))
    await hand.press(tables.button("save"))
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text(t("tables.removes-much"))
    assert "bob:" in tables.file("agents.yaml"), "nothing is saved before"
    await hand.press(tables.button("save-anyway"))
    await tables.saved()
    assert "bob" not in tables.file("agents.yaml")
    assert "agents: {alice: 1}\n" in tables.file("queues.yaml"), "both files at once"


@pytest.mark.parametrize("look", looks(1), ids=str)
async def test_every_tab_is_accessible(visits: Visits, floor: PageFloor, look: Look) -> None:
    tables = await open_tables(visits, floor, look=look)
    page, t = tables.page, tables.t
    for tab in ("queues", "agents", "priorities", "shifts", "rules", "users", "files", "history"):
        await page.get_by_role("link", name=t(f"tables-tab.{tab}"), exact=True).click()
        shown = {"files": ".text-editor", "history": ".history"}.get(tab, ".entry")
        await expect(page.locator(shown)).to_be_visible()
        await visits.accessible(page, both=False)


async def test_what_a_person_may_not_change_says_why(visits: Visits, floor: PageFloor) -> None:
    tables = await open_tables(visits, floor, "pat")  # of sales only
    await tables.page.locator("[data-id=support]").click()
    await expect(tables.page.locator("#locked-note")).to_be_visible()
    await expect(tables.field("ring_for")).to_be_disabled()
    await tables.page.locator("[data-id=sales]").click()
    await expect(tables.field("ring_for")).to_be_enabled()


async def test_a_folder_that_cannot_be_written_to_says_why(
    visits: Visits, floor: PageFloor
) -> None:
    page = await visits.page()
    why = "the user callrouter may not write to /etc/callrouter: chown it"

    async def as_if(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(
            response=answer,
            json=await answer.json() | {"writable": False, "why_not_writable": why},
        )

    tables = Tables(page, floor)
    await page.get_by_label(tables.t("user"), exact=True).fill("sam")
    await page.get_by_label(tables.t("password"), exact=True).fill(PASSWORD)
    await page.route("**/api/config/files", as_if)
    await page.get_by_role("button", name=tables.t("log-in"), exact=True).click()
    await page.goto(f"{floor.url}#tables/queues")
    await expect(page.locator("#locked-note")).to_contain_text(why)
    await expect(tables.field("ring_for")).to_be_disabled()
    await expect(page.get_by_role("button", name="+ Add a queue")).to_have_attribute("title", why)


@pytest.mark.parametrize("look", looks(0, 1), ids=str)
async def test_a_rule_is_made(visits: Visits, floor: PageFloor, look: Look) -> None:
    tables = await open_tables(visits, floor, "ada", "rules", look=look)
    page, t, hand = tables.page, tables.t, Hand(tables.page, look)
    await hand.press(page.get_by_role("button", name=f"+ {t('tables-add.rule')}", exact=True))
    await hand.fill(tables.field("name"), "France")
    await hand.fill(tables.field("rule-when-caller"), "+33*, withheld")
    await hand.fill(tables.field("rule-then-queue"), "saels")
    await expect(tables.field("rule-then-queue")).to_have_attribute("aria-invalid", "true")
    await visits.accessible(page, both=False)
    await hand.fill(tables.field("rule-then-queue"), "sales")
    await hand.press(tables.button("save"))
    await tables.saved()
    [file] = [path for path in tables.folder.glob("*.yaml") if "rules:" in path.read_text("utf-8")]
    [rule] = yaml.safe_load(file.read_text("utf-8"))["rules"]
    assert rule == {
        "name": "France",
        "when": {"caller": ["+33*", "withheld"]},
        "then": {"priority": 50, "queue": "sales"},
    }


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_supervisor_is_made_and_limited(
    visits: Visits, floor: PageFloor, look: Look
) -> None:
    tables = await open_tables(visits, floor, "ada", "users", look=look)
    page, t, hand = tables.page, tables.t, Hand(tables.page, look)
    await tables.added(hand, "user", "kim")
    await expect(tables.field("role")).to_have_value("supervisor")
    await hand.fill(tables.field("password"), password_hash())
    await hand.tick(page.get_by_label("Sales", exact=True))
    await expect(page.get_by_label("Sales", exact=True)).to_be_checked()
    await visits.accessible(page, both=False)
    await hand.press(tables.button("save"))
    await tables.saved()
    kim = f'  kim: {{role: supervisor, password: "{password_hash()}", queues: [sales]}}\n'
    assert kim in tables.file("callrouter.yaml")
    await tables.pick(hand, "ada")  # who would shut herself out
    await expect(tables.field("role")).to_be_disabled()
    sam = await visits.log_in("sam", look, view="tables/users")
    await expect(sam.locator("#locked-note")).to_contain_text(t("tables.admins-only"))


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_queue_and_an_agent_get_other_ids(
    visits: Visits, floor: PageFloor, look: Look
) -> None:
    """Every place in the files follows, and what is known of them stays their own."""
    await floor.sign_in("bob")
    tables = await open_tables(visits, floor, "ada", look=look)
    page, t, hand = tables.page, tables.t, Hand(tables.page, look)

    async def renamed(what: str, old: str, new: str) -> None:
        await hand.press(tables.button("rename"))
        title = t(f"tables-rename.{what}", name=old)
        dialog = page.get_by_role("dialog", name=title)
        await hand.fill(dialog.get_by_label(t("tables.id"), exact=True), new)
        await hand.press(dialog.get_by_role("button", name=title, exact=True))
        await expect(dialog).to_have_count(0)

    await tables.unfolded(hand, "on_full")
    await tables.field("on_full").fill("queue:sales")
    await tables.pick(hand, "sales")
    await renamed("queue", "sales", "orders")
    await hand.press(page.get_by_role("link", name=t("tables-tab.agents"), exact=True))
    await tables.pick(hand, "bob")
    await renamed("agent", "bob", "rob")
    await renamed("agent", "rob", "robert")
    await hand.press(tables.button("save"))
    await tables.saved()
    queues, agents = tables.file("queues.yaml"), tables.file("agents.yaml")
    assert "  orders:\n    name: Sales\n    renamed_from: sales\n" in queues
    assert "agents: {alice: 1, robert: 2}" in queues
    assert "on_full: queue:orders" in queues
    assert "  robert: {name: Bob Jones, " in agents
    assert "renamed_from: bob" in agents
    assert "queues: [orders]" in tables.file("callrouter.yaml")
    assert (await floor.get("agents/robert"))["signed_in"]


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_queue_and_an_agent_are_made(visits: Visits, floor: PageFloor, look: Look) -> None:
    """With a phone, a place in the queue, and hours in which others serve it."""
    tables = await open_tables(visits, floor, "ada", "agents", look=look)
    page, t, hand = tables.page, tables.t, Hand(tables.page, look)
    await tables.added(hand, "agent", "erin")
    await hand.fill(tables.field("name"), "Erin Green")
    await tables.unfolded(hand, "extension")
    await hand.fill(tables.field("extension"), "1005")
    phones = page.locator(".entry details.part").filter(has_text=t("tables-add.phone"))
    if await phones.count() and await phones.first.get_attribute("open") is None:
        await hand.press(phones.first.locator("summary").first)
    await tables.added(hand, "phone", "desk")
    phone = page.locator(".entry fieldset.phone")
    await hand.fill(phone.locator("input").first, "PJSIP/1001")
    await hand.press(page.get_by_role("link", name=t("tables-tab.queues"), exact=True))
    await tables.added(hand, "queue", "night")
    await hand.fill(tables.field("name"), "Night desk")
    await hand.choose(tables.field("policy"), "ring-all")
    await expect(page.get_by_text(t("tables-policy-about.ring-all"))).to_be_visible()
    await hand.press(page.get_by_role("link", name=t("tables-tab.priorities"), exact=True))
    await tables.pick(hand, "night")
    await hand.choose(page.get_by_role("combobox", name=t("tables.add-member")), "erin")
    await hand.press(tables.button("add"))
    await hand.press(page.get_by_role("link", name=t("tables-tab.shifts"), exact=True))
    await tables.pick(hand, "night")
    await hand.fill(tables.field("hours").first, "daily 20:00-24:00")
    await hand.press(page.get_by_role("button", name=f"+ {t('tables.add-shift')}", exact=True))
    shift = page.locator(".entry fieldset.phone")
    hours = shift.get_by_label(t("tables-field.hours"), exact=True)
    await hand.fill(hours, "sat,sun 20:00-24:00")
    await hand.choose(shift.get_by_role("combobox", name=t("tables.add-member")), "alice")
    await hand.press(shift.get_by_role("button", name=t("tables.add"), exact=True))
    await expect(page.locator(".week rect.shift")).to_have_count(2)
    await visits.accessible(page, both=False)
    await hand.press(tables.button("save"))
    await tables.saved()
    [made] = [item for item in await floor.get("agents") if item["id"] == "erin"]
    assert made["name"] == "Erin Green"
    queue = yaml.safe_load(tables.file("queues.yaml"))["queues"]["night"]
    assert list(queue["agents"]) == ["erin"]
    assert (queue["name"], queue["policy"]) == ("Night desk", "ring-all")
    assert queue["hours"] == "daily 20:00-24:00"
    assert queue["shifts"] == [{"hours": "sat,sun 20:00-24:00", "agents": {"alice": 1}}]


async def test_a_phone_has_an_address_on_each_pbx(visits: Visits, floor: PageFloor) -> None:
    path = floor.folder / "config/agents.yaml"
    text = path.read_text("utf-8")
    changed = re.sub(r"desk: PJSIP/(\d+)", r"desk: {endpoint: {office: PJSIP/\1}}", text, count=1)
    assert changed != text
    path.write_text(changed, "utf-8")
    tables = await open_tables(visits, floor, "ada", "agents")
    name = tables.t("tables.address-on", pbx="office")
    field = tables.page.locator(".entry fieldset.phone").first.get_by_label(name, exact=True)
    await expect(field).to_have_value(re.compile(r"PJSIP/\d+"))
    await field.fill("PJSIP/1999")
    await tables.button("save").click()
    await tables.saved()
    assert "desk: {endpoint: {office: PJSIP/1999}}" in tables.file("agents.yaml")
    kind = tables.page.locator(".entry fieldset.phone").first.locator("select").first
    await expect(kind).to_have_value("addresses")
    await kind.select_option("endpoint")
    await tables.button("save").click()
    await tables.saved()
    assert "desk: {endpoint: PJSIP/1999, pbx: office}" in tables.file("agents.yaml")
