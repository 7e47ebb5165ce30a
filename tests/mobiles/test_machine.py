"""Registering a mobile, and everything that an attacker would try."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callrouter.mobiles.mobile_records import (
    Approval,
    AuditRow,
    DialledRow,
    MobileRow,
    NumberSettings,
)
from callrouter.mobiles.registration_events import (
    ChangeRequested,
    MobilesRestored,
    RegisterRequested,
    RejectRequested,
    RemoveRequested,
    RequestDone,
    Requester,
    RequestRefused,
    RulesConfigured,
    StoreMobile,
    SwitchDevice,
    TellAgent,
    VerificationStarted,
)
from callrouter.mobiles.table_merge import TableMerger
from callrouter.model.events import LegEnd
from callrouter.model.ivr import NumberAnswered, NumberFailed, Say
from callrouter.model.routing_table import Table
from callrouter.model.text import mask
from tests.mobiles.world import (
    AGENTS,
    ALICE,
    BOB,
    CONFIGURED,
    MOBILE,
    OTHER,
    SAM,
    T0,
    World,
    kind,
)


def merged(world: World, base: Table | None = None) -> Table:
    return TableMerger(world.registrar.book).merged(base or Table(agents=AGENTS))


def devices(world: World, agent: str = "alice") -> list[str]:
    return [device.id for device in merged(world).agents[agent].devices]


# ---------------------------------------------------------------- the good way


def test_a_mobile_is_proved_by_the_code_that_was_shown() -> None:
    world = World()
    started = world.register(number="07400 123456")
    assert isinstance(started, VerificationStarted)
    assert (started.number, started.device) == (MOBILE, "mobile")
    assert devices(world) == ["desk"]
    said = [item for item in world.answer() if isinstance(item, Say)]
    assert [(item.sounds, item.read) for item in said] == [(("agent-pass",), 6)]
    world.key(started.code + "#")
    assert world.state() == "in-use"
    assert world.hung_up()
    device = merged(world).agents["alice"].devices[-1]
    assert (device.id, device.number, device.confirm, device.pbxes) == (
        *("mobile", MOBILE, True, ("office",)),
    )
    assert world.audit() == ["registered", "called", "answered", "verified"]


def test_every_step_names_who_and_masks_the_number() -> None:
    world = World()
    world.register()
    world.prove()
    rows = [item for item in world.made if isinstance(item, AuditRow)]
    assert {(row.who, row.agent, row.device, row.number) for row in rows} == {
        ("alice-app", "alice", "mobile", "+44…456")
    }
    assert all(
        MOBILE not in str(row) and world.last(VerificationStarted).code not in str(row)
        for row in rows
    )
    assert world.last(VerificationStarted).code not in repr(world.made)


def test_a_supervisor_has_to_approve_where_it_is_wanted() -> None:
    world = World(NumberSettings(region="GB", approval=Approval.SUPERVISOR))
    world.register()
    world.prove()
    assert world.state() == "waiting"
    assert devices(world) == ["desk"]
    assert kind(world.verify()) == "waiting"
    assert kind(world.verify(vouch=True)) == "not-allowed"
    assert isinstance(world.verify(SAM, vouch=True), RequestDone)
    assert world.state() == "in-use"
    assert devices(world) == ["desk", "mobile"]
    assert world.last(AuditRow).what == "approved"
    assert world.last(AuditRow).who == "sam"


def test_a_supervisor_rejects_with_a_reason_and_the_agent_is_told() -> None:
    world = World(NumberSettings(region="GB", approval=Approval.SUPERVISOR))
    world.register()
    world.prove()
    no = RejectRequested(requester=SAM, agent="alice", device="mobile", reason="a private number")
    assert kind(world.ask(replace(no, requester=ALICE))) == "not-allowed"
    assert isinstance(world.ask(no), RequestDone)
    assert world.state() == "none"
    assert world.last(TellAgent) == TellAgent(
        agent="alice", text="your mobile mobile was not accepted: a private number", by="sam"
    )
    row = world.last(AuditRow)
    assert (row.what, row.who, row.detail) == ("rejected", "sam", "a private number")
    assert kind(world.ask(no)) == "unknown-device"


def test_what_is_in_use_is_removed_and_not_rejected() -> None:
    world = World()
    world.register()
    world.prove()
    assert kind(world.ask(RejectRequested(requester=SAM, agent="alice", device="mobile"))) == (
        "verified"
    )
    assert world.state() == "in-use"


def test_a_rejected_mobile_has_no_verification_call_any_more() -> None:
    world = World()
    world.register()
    world.answer()
    world.ask(RejectRequested(requester=SAM, agent="alice", device="mobile"))
    assert world.hung_up()
    assert world.last(TellAgent).text == "your mobile mobile was not accepted"


def test_a_supervisor_registers_by_a_call_or_vouches() -> None:
    world = World(NumberSettings(region="GB", approval=Approval.SUPERVISOR))
    world.register(SAM)
    world.prove()
    assert world.state() == "in-use"
    assert isinstance(world.register(SAM, OTHER, vouch=True, agent="bob"), RequestDone)
    assert world.state("bob") == "in-use"
    assert world.calls() == 1
    assert world.last(AuditRow).what == "vouched"


def test_even_a_supervisor_cannot_vouch_for_a_premium_number() -> None:
    world = World()
    assert kind(world.register(SAM, "09098 790000", vouch=True)) == "premium"


def test_a_call_that_is_not_answered_can_be_placed_again() -> None:
    world = World()
    world.register()
    world.put(NumberFailed(pbx="office", ref="verify-1", why=LegEnd.NO_ANSWER))
    assert world.state() == "unverified"
    again = world.verify()
    assert isinstance(again, VerificationStarted)
    world.prove()
    assert world.state() == "in-use"
    assert kind(world.verify()) == "verified"


def test_registering_the_same_number_again_is_another_call_for_the_same_mobile() -> None:
    world = World()
    world.register()
    world.put(NumberFailed(pbx="office", ref="verify-1", why=LegEnd.BUSY))
    again = world.register()
    assert isinstance(again, VerificationStarted)
    assert again.device == "mobile"
    assert len(world.registrar.book.mobiles) == 1


def test_how_it_rings_can_be_changed_and_the_order() -> None:
    world = World()
    for number in (MOBILE, OTHER):
        world.register(number=number)
        world.prove()
    assert devices(world) == ["desk", "mobile", "mobile-2"]
    done = world.ask(
        ChangeRequested(
            requester=ALICE, agent="alice", device="mobile", ring_after=10.0,
            hours="mon-fri 08:00-18:00", place=5,
        )
    )  # fmt: skip
    assert isinstance(done, RequestDone)
    assert devices(world) == ["desk", "mobile-2", "mobile"]
    device = merged(world).agents["alice"].devices[-1]
    assert device.ring_after == 10.0
    assert device.hours is not None
    for wrong in ({"ring_after": 601.0}, {"hours": "someday"}, {"place": 100}):
        event = ChangeRequested(requester=ALICE, agent="alice", device="mobile", **wrong)
        assert kind(world.ask(event)) == "wrong-value"


def test_what_is_configured_is_changed_there() -> None:
    world = World()
    carol = replace(ALICE, agent="carol")
    assert kind(world.remove(carol, "cell", "carol")) == "configured"
    assert kind(world.register(carol, CONFIGURED, device="more")) == "known"
    assert kind(world.register(carol, MOBILE, device="cell")) == "known"
    assert kind(world.register(carol, MOBILE, device="No Good")) == "wrong-name"


def test_mobiles_sleep_while_their_agent_country_or_trunk_is_gone() -> None:
    world = World()
    world.register()
    world.prove()
    row = world.registrar.book.mobiles["alice", "mobile"]
    world.configure("bob")
    assert "not in the configuration" in world.registrar.book.reason_not_rung(row)
    assert merged(world, Table(agents={"bob": AGENTS["bob"]})).agents == {"bob": AGENTS["bob"]}
    assert isinstance(World.remove(world, SAM), RequestDone)
    world.configure()
    world.register()
    world.prove()
    world.configure(dialling=())
    assert devices(world) == ["desk"]
    world.settings = NumberSettings(region="FR")
    world.configure()
    assert devices(world) == ["desk"]
    assert "numbers of GB are not allowed" in world.registrar.book.reason_not_rung(row)


def test_WZ_18_the_number_of_an_agent_who_was_taken_out_is_free() -> None:
    world = World()
    world.register(ALICE)
    world.prove()
    assert kind(world.register(BOB)) == "taken"
    world.configure("bob")
    world.register(BOB)
    world.prove()
    assert (world.state("alice"), world.state("bob")) == ("none", "in-use")
    world.configure()
    assert kind(world.register(ALICE)) == "taken"


def test_WZ_18_an_agent_who_comes_back_in_time_keeps_the_number() -> None:
    world = World()
    world.register(ALICE)
    world.prove()
    world.configure("bob")
    world.register(BOB)
    world.configure()
    world.prove()
    assert (world.state("alice"), world.state("bob")) == ("in-use", "unverified")


def test_a_restart_finds_them_and_the_calls_that_were_placed() -> None:
    world = World(NumberSettings(region="GB", calls_per_hour=1))
    world.register()
    world.prove()
    rows = tuple(item.row for item in world.made if isinstance(item, StoreMobile))[-1:]
    dialled = tuple(item for item in world.made if isinstance(item, DialledRow))
    after = World(NumberSettings(region="GB", calls_per_hour=1))
    after.now = world.now + 60
    bad = replace(rows[0], device="x", hours="never ever", number="+44&PJSIP/1001")
    after.put(MobilesRestored(mobiles=(*rows, bad), dialled=dialled))
    assert devices(after) == ["desk", "mobile"]
    assert kind(after.register(number=OTHER)) == "limit"


def test_merging_keeps_what_has_not_changed() -> None:
    world = World()
    world.register()
    world.prove()
    merger = TableMerger(world.registrar.book)
    base = Table(agents=AGENTS)
    first, second = merger.merged(base), merger.merged(replace(base, agents=dict(AGENTS)))
    assert first.agents["alice"] is second.agents["alice"]
    assert first.agents["bob"] is AGENTS["bob"]


def test_on_and_off_is_the_cores_for_registered_and_configured_alike() -> None:
    world = World()
    carol = replace(ALICE, agent="carol", name="carol-app")
    assert kind(world.switch(ALICE, on=False)) == "unknown-device"
    world.register()
    assert kind(world.switch(ALICE, on=False, device="mobile")) == "not-in-use"
    world.prove()
    assert world.switch(ALICE, on=False) == RequestDone(
        agent="alice", device="", text="mobile is off"
    )
    assert world.last(SwitchDevice) == SwitchDevice(
        agent="alice", device="mobile", on=False, by="alice-app"
    )
    assert kind(world.switch(ALICE, on=True, device="desk")) == "RequestDone"
    assert kind(world.switch(carol, on=False, agent="carol")) == "RequestDone"
    assert world.last(SwitchDevice).device == "cell"
    assert kind(world.switch(carol, on=False, agent="alice")) == "not-yours"
    assert world.last(SwitchDevice).agent == "carol"
    assert {"switched-off", "switched-on"} <= set(world.audit())


# ---------------------------------------------------------------- toll fraud


def test_endless_verification_calls_for_one_agent() -> None:
    world = World()
    for _ in range(50):
        world.register()
        world.verify()
        if world.registrar.verifications.pending:
            world.answer()
            world.leave()
    assert world.calls() == 5
    assert world.registrar.refused["limit"] > 80
    limits = [row for row in world.made if isinstance(row, AuditRow) and "limit" in row.detail]
    assert 0 < len(limits) <= 20
    for _ in range(100):
        world.later(1800.0)
        if isinstance(world.verify(), VerificationStarted):
            world.answer()
            world.leave()
        if world.now - T0 > 20 * 3600:
            break
    assert world.calls() == 20


def test_endless_verification_calls_to_one_number_by_many() -> None:
    world = World(NumberSettings(region="GB", calls_per_hour=3))
    answers = []
    for requester in (ALICE, BOB, replace(BOB, agent="carol", name="carol-app")) * 2:
        answers.append(kind(world.register(requester)))
        if world.registrar.verifications.pending:
            world.answer()
            world.leave()
    assert answers == ["VerificationStarted"] * 3 + ["limit"] * 3


@pytest.mark.parametrize(
    ("limits", "numbers", "calls"),
    [
        ({"calls_per_country": 2}, ["07400 12345{}"] * 4, 2),
        ({"calls_per_day": 3}, ["07400 12345{}", "+33 6 12 34 56 7{}"] * 3, 3),
        ({"calls_per_day": 0}, ["07400 12345{}"], 0),
    ],
)
def test_calls_to_a_country_and_in_all(
    limits: dict[str, int], numbers: list[str], calls: int
) -> None:
    settings = NumberSettings(region="GB", countries=("GB", "FR"), devices_per_agent=9)
    world = World(replace(settings, **limits))  # type: ignore[arg-type]
    for n, number in enumerate(numbers):
        world.register((ALICE, BOB)[n % 2], number.format(n))
        if world.registrar.verifications.pending:
            world.answer()
            world.leave()
        world.now += 3700.0
    assert world.calls() == calls


def test_requests_without_end_are_counted_and_not_all_written_down() -> None:
    world = World()
    for _ in range(500):
        world.register(number="09098 790000")
    assert world.calls() == 0
    assert world.registrar.refused == {"premium": 20, "limit": 480}
    assert len(world.audit()) == 20
    world.later(60.0)
    premium, limit = [row for row in world.made if isinstance(row, AuditRow)][20:]
    assert premium.detail.startswith("10 more refused, the last one premium")
    assert limit.detail.startswith("470 more refused, the last one limit")
    world.later(3601.0)
    assert isinstance(world.register(), VerificationStarted)


@pytest.mark.parametrize("supervisor", [False, True])
def test_refused_changes_of_own_devices_do_not_bury_the_audit(supervisor: bool) -> None:
    world = World()
    requester = Requester(name="alice-app", via="api", agent="alice", supervisor=supervisor)
    for _ in range(3000):
        world.ask(RemoveRequested(requester=requester, agent="alice", device="none"))
    assert sum(world.registrar.refused.values()) == 3000
    rows = 10 if supervisor else 20  # an agent's own changes have a limit too
    assert len(world.audit()) == rows
    world.later(60.0)
    assert len(world.audit()) == rows + rows // 10
    assert world.registrar.next_deadline() is None


def test_an_agent_may_change_own_devices_a_hundred_times_an_hour() -> None:
    world = World()
    world.register()
    world.prove()
    requester = Requester(name="alice-app", via="api", agent="alice")
    answers = [
        kind(
            world.ask(
                ChangeRequested(
                    requester=requester, agent="alice", device="mobile", ring_after=float(n)
                )
            )
        )
        for n in range(120)
    ]
    assert answers == ["RequestDone"] * 100 + ["limit"] * 20


def test_someone_elses_devices() -> None:
    world = World()
    world.register()
    world.prove()
    stranger = Requester(name="bob-app", via="api", agent="bob")
    assert kind(world.register(stranger, OTHER, agent="alice")) == "not-yours"
    assert kind(world.verify(stranger, agent="alice")) == "not-yours"
    assert kind(world.remove(stranger)) == "not-yours"
    change = ChangeRequested(requester=stranger, agent="alice", device="mobile", ring_after=500.0)
    assert kind(world.ask(change)) == "not-yours"
    assert kind(world.remove(Requester(name="wall", via="api"))) == "not-yours"
    assert world.state() == "in-use"
    assert world.registrar.refused["not-yours"] == 5
    refused = [row for row in world.made if isinstance(row, AuditRow) and row.what == "refused"]
    assert [row.who for row in refused] == ["bob-app"] * 4 + ["wall"]


def test_a_number_cannot_be_changed_during_the_call() -> None:
    world = World()
    started = world.register(number=MOBILE)
    assert isinstance(started, VerificationStarted)
    world.answer()
    assert kind(world.register(number=OTHER, device="mobile")) == "known"
    assert isinstance(world.remove(), RequestDone)
    assert world.hung_up()
    # Another number under the same name, while the first call is still on its way out.
    again = world.register(number=OTHER, device="mobile")
    assert isinstance(again, VerificationStarted)
    world.key(started.code)
    assert world.state() == "unverified"
    world.key(again.code)  # keyed at the old number's phone
    assert world.state() == "unverified"
    world.leave()
    assert world.state() == "unverified"
    world.answer("ch2")
    world.key(again.code, "ch2")
    assert world.state() == "in-use"
    assert world.registrar.book.mobiles["alice", "mobile"].number == OTHER


def test_a_second_call_while_one_is_on() -> None:
    world = World()
    world.register()
    assert kind(world.verify()) == "busy"
    assert kind(world.register(number=OTHER)) == "busy"
    assert world.calls() == 1


def test_a_code_is_good_once() -> None:
    world = World()
    started = world.register()
    assert isinstance(started, VerificationStarted)
    world.prove()
    world.remove()
    again = world.register()
    assert isinstance(again, VerificationStarted)
    assert again.code != started.code
    world.answer()
    world.key(started.code)
    assert world.state() == "unverified"
    world.key(again.code)
    assert world.state() == "in-use"
    before = len(world.audit())
    world.key(again.code)
    assert world.hung_up()
    assert len(world.audit()) == before


def test_guessing_ends_after_three_tries() -> None:
    world = World()
    started = world.register()
    assert isinstance(started, VerificationStarted)
    world.answer()
    for guess in ("999999", "", "999998"):
        world.key(guess)
        world.later(12.0)
    assert world.hung_up()
    world.key(started.code)
    assert world.state() == "unverified"
    assert world.audit()[-4:] == ["wrong-code", "no-code", "wrong-code", "failed"]
    assert world.registrar.refused["wrong-code"] == 1


def test_the_pound_key_after_a_wrong_code_is_no_second_try() -> None:
    """The call takes six digits; it asks for # all the same, and people press it."""
    world = World()
    started = world.register()
    assert isinstance(started, VerificationStarted)
    world.answer()
    for _ in range(2):
        world.key("000000")
        world.later(0.5)
        world.key("")
    assert world.audit().count("no-code") == 0
    world.key(started.code)
    assert world.state() == "in-use"
    # Only one, and only at once: nobody keeps a call up by pressing #.
    world = World()
    world.register()
    world.answer()
    world.key("000000")
    for _ in range(3):
        world.later(0.5)
        world.key("")
    assert world.audit()[-1] == "failed"


def test_a_code_is_good_for_ten_minutes() -> None:
    world = World()
    started = world.register()
    assert isinstance(started, VerificationStarted)
    assert started.expires_at == T0 + 600
    assert world.registrar.next_deadline() == T0 + 600
    world.answer()
    world.later(600.0)
    assert world.hung_up()
    world.key(started.code)
    assert world.state() == "unverified"
    assert "expired" in world.audit()
    assert world.registrar.next_deadline() is None


def test_a_mobile_that_was_removed_before_the_call_was_answered() -> None:
    world = World()
    started = world.register()
    assert isinstance(started, VerificationStarted)
    world.remove()
    world.answer()
    assert world.hung_up()
    world.key(started.code)
    assert world.state() == "none"
    assert kind(world.verify()) == "unknown-device"


def test_two_agents_with_the_same_number() -> None:
    world = World()
    world.register(ALICE)
    world.answer()
    world.leave()
    world.register(BOB)  # claiming is not owning
    world.prove()
    assert (world.state("alice"), world.state("bob")) == ("none", "in-use")
    assert kind(world.register(ALICE)) == "taken"
    assert kind(world.register(ALICE, CONFIGURED)) == "taken"
    assert "bob" not in world.last(RequestRefused).text
    assert "dropped" in world.audit()


def test_both_with_a_call_on_the_first_code_wins() -> None:
    world = World()
    first, second = world.register(ALICE), world.register(BOB)
    assert isinstance(first, VerificationStarted)
    assert isinstance(second, VerificationStarted)
    for n in (1, 2):
        world.put(NumberAnswered(pbx="office", ref=f"verify-{n}", channel=f"ch{n}"))
    world.key(second.code, "ch2")
    world.key(first.code, "ch1")
    assert (world.state("alice"), world.state("bob")) == ("none", "in-use")


def test_calls_that_are_nobodys() -> None:
    world = World()
    world.put(NumberAnswered(pbx="office", ref="verify-99", channel="chX"))
    assert world.hung_up()
    world.key("000001", "chX")
    assert world.hung_up()
    world.put(NumberFailed(pbx="office", ref="verify-99", why=LegEnd.FAILED))
    world.leave("chX")
    assert not world.registrar.verifications.channels


def test_without_a_pbx_that_can_call() -> None:
    world = World()
    assert kind(world.register(pbx="")) == "no-pbx"
    assert world.state() == "none"
    world.configure(dialling=())
    assert kind(world.register()) == "no-pbx"


def test_too_many_mobiles() -> None:
    world = World(NumberSettings(region="GB", devices_per_agent=2, calls_per_hour=9))
    for n in range(3):
        world.register(number=f"07400 12345{n}")
        world.answer()
        world.leave()
    assert len(world.registrar.book.mobiles) == 2
    assert world.last(RequestRefused).text == "2 registered mobiles at most; remove one first"


def test_no_agent_of_this_name() -> None:
    world = World()
    event = RegisterRequested(
        requester=SAM, agent="zoe", number=MOBILE, call_secrets=world.call_secrets()
    )
    assert kind(world.ask(event)) == "unknown-agent"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (MOBILE, "+44…456"),
        ("07400", "…400"),
        ("12", "12"),
        ("\r\n+44&x", "…4&x"),
        ("x" * 99, "…xxx"),
    ],
)
def test_masked(number: str, shown: str) -> None:
    assert mask(number, words=False) == shown


def test_a_row_of_an_attacker_in_the_store_goes_nowhere() -> None:
    world = World()
    row = MobileRow(
        agent="alice", device="evil", number="+449098790000", state="in-use", added_at=T0,
        added_by="x", via="x", verified_at=T0,
    )  # fmt: skip
    world.put(MobilesRestored(mobiles=(row, replace(row, device="sat", number="+881612345678"))))
    assert devices(world) == ["desk"]


def test_mobiles_go_along_with_an_agents_new_name() -> None:
    world = World()
    started = world.register()
    assert isinstance(started, VerificationStarted)
    world.prove()
    named = {**AGENTS, "alicia": replace(AGENTS["alice"], id="alicia", renamed_from="alice")}
    del named["alice"]
    before = len(world.made)
    configured = RulesConfigured(settings=world.settings, agents=named, dialling=("office",))
    world.put(configured)
    book = world.registrar.book
    assert [(row.agent, row.device) for row in book.of("alicia")] == [("alicia", "mobile")]
    assert book.of("alice") == []
    assert [row.number for row in book.of("alicia") if not book.reason_not_rung(row)] == [MOBILE]
    kept = [(type(item).__name__, item) for item in world.made[before:]]
    assert [name for name, _ in kept] == ["DeleteMobile", "StoreMobile", "MobilesChanged"]
    late = World()
    late.put(configured)
    row = replace(next(iter(book.mobiles.values())), agent="alice")
    late.put(MobilesRestored(mobiles=(row,), dialled=()))
    late_book = late.registrar.book
    [moved] = late_book.of("alicia")
    assert (moved.number, late_book.reason_not_rung(moved)) == (MOBILE, "")
