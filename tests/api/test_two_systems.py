"""Two telephone systems: an agent whose phone is on one of them is not free for callers of the other."""

from __future__ import annotations

import random

from callrouter.api.calllog.totals import DayTotals
from callrouter.api.explain import why_not
from callrouter.api.views.call_views import queue_json
from callrouter.core.router import Router
from callrouter.model.events import CallArrived, CallerEnd, CallerLeft, DeviceState, PbxSnapshot
from callrouter.model.routing_table import (
    AgentSpec,
    DeviceSpec,
    KeepWaiting,
    MemberSpec,
    QueueSpec,
    SignIn,
    Table,
)
from callrouter.reports.service_level import Target

SUPPORT = QueueSpec(
    id="support", name="Support", members=(MemberSpec(agent="bea"),), on_nobody=KeepWaiting()
)


def test_who_is_free_for_whom() -> None:
    desk = DeviceSpec(id="desk", agent="bea", pbxes=("b",), endpoint="PJSIP/1001")
    bea = AgentSpec(id="bea", name="Bea", devices=(desk,), sign_in=SignIn.ALWAYS)
    spec = Table(agents={"bea": bea}, queues={"support": SUPPORT})
    router = Router(spec, rng=random.Random(1), run_id="t", now=0.0)
    router.handle(PbxSnapshot(pbx="a", endpoints={}), 1.0)
    router.handle(PbxSnapshot(pbx="b", endpoints={"PJSIP/1001": DeviceState.IDLE}), 1.0)
    floor = router.floor

    def free() -> tuple[int, list[str]]:
        view = queue_json(floor.queues["support"], DayTotals(), Target(), 3.0)
        return view["free"], view["agents"]["available"]

    assert free() == (1, ["bea"])
    router.handle(CallArrived(pbx="a", call="a-1", queue="support"), 2.0)
    assert free() == (0, ["bea"]), "available, and not for the caller who waits"
    [said] = why_not.explain_agent(floor, floor.agents["bea"], None, 3.0)["queues"]
    assert "a-1 waits: no phone of bea can be rung from a" in said["reasons"]
    assert "no phone of bea can be rung from a: none has an address there" in said["reasons"]
    router.handle(CallerLeft(call="a-1", how=CallerEnd.HUNG_UP), 4.0)
    assert free() == (1, ["bea"])
