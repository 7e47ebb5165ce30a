"""`why-not` for a time or a call that is on record: what it says, and to whom."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from callrouter.api.calllog.call_log import CallLog
from callrouter.api.calllog.past_calls import PastCall, PastCalls
from callrouter.api.explain.past_moment import read_moment_of
from callrouter.api.explain.why_not_then import (
    Asked,
    explain_call_for,
    explain_moment,
    wait_of,
)
from callrouter.api.schemas.why_answers import WhyNotJson
from callrouter.api.views.sight import EVERYTHING, Sight
from callrouter.cli.commands.explain import why_not_lines
from callrouter.model.events import DeviceState, Event, LegEnd
from callrouter.model.notices import Notice, Output
from callrouter.model.routing_table import HangUp, MemberSpec, WidenStep
from callrouter.record.record_reader import RecordReader
from callrouter.record.rows import GapKind, GapRow, RunRow
from callrouter.settings.loaded import HistorySettings
from callrouter.store.location import File
from tests.api.contract import of_component
from tests.core.playbook import Play
from tests.core.tables import agent, queue, table
from tests.record.past_reading import Asked as AskedAtOnce
from tests.record.recording import Recording
from tests.record.rows import fill
from tests.record.stored import store

DAY = 86_400.0


class Remembered(Play):
    """A story whose record is read back from a database, and a log that knows nothing."""

    recording: Recording | None = None
    place: File

    def feed(self, event: Event) -> list[Output]:
        if self.recording is None:
            self.recording = Recording(self.router)
        out = super().feed(event)
        self.recording.hear(out)
        return out

    def asked(self, name: str, of: str = "", sight: Sight = EVERYTHING) -> Asked:
        floor = self.router.floor
        queues = [member.queue.id for member in floor.agents[name].memberships.values()]
        return Asked(name, of, frozenset(queues), sight, HistorySettings(), self.now)

    def at(self, at: float, name: str, of: str = "", sight: Sight = EVERYTHING) -> WhyNotJson:
        asked = self.asked(name, of, sight)
        wanted = {of} if of else sight.queues
        then = read_moment_of(self.reader(), name, at, wanted, asked.queues)
        return checked(explain_moment(asked, then))

    def lines(self, at: float, name: str, of: str = "", sight: Sight = EVERYTHING) -> list[str]:
        """What the command line shows, without the time before it."""
        first, *others = why_not_lines(self.at(at, name, of, sight))
        return [first.split("  ", 1)[1], *others]

    def for_call(self, name: str, call: str, sight: Sight = EVERYTHING) -> WhyNotJson:
        reader = self.reader()
        floor = self.router.floor

        async def read() -> PastCall:
            past: Any = PastCalls(AskedAtOnce(reader), floor, CallLog(floor))  # type: ignore[arg-type]
            found: PastCall | None = await past.read(call)
            assert found is not None
            return found

        found = asyncio.run(read())
        states = reader.agent_states(*wait_of(found.call, self.now), (name,))
        return checked(explain_call_for(self.asked(name, sight=sight), found, states))

    def reader(self) -> RecordReader:
        assert self.recording is not None
        store(self.recording, self.place)
        return RecordReader(self.place)


def checked(view: WhyNotJson) -> WhyNotJson:
    """An answer that is as the document of the API says."""
    assert not of_component(view, "WhyNot")
    return view


@pytest.fixture
def place(tmp_path: Path) -> File:
    return File(tmp_path / "record.db")


def story(place: File, *parts: Any, **more: Any) -> Remembered:
    play = Remembered(table(*parts), **more)
    play.place = place
    return play


# ---------------------------------------------------------------- what the agent was doing


def test_what_kept_an_agent_from_every_call(place: File) -> None:
    play = story(
        place, queue("q", "ann bob cat dan", wrap_up=30.0), queue("r", "bob", wrap_up=30.0)
    )
    play.on(10).pause("ann").sign_out("cat").phone_is("dan", DeviceState.UNREACHABLE)
    play.call("c1", "r").on(2).accepts("bob").on(60).agent_hangs_up("bob").on(8)
    play.resume("ann").on(40).call("c2", "q").on(5)
    assert play.lines(12, "ann") == [
        "ann was not available:",
        "  paused: lunch, for 2 s then and for 1 min 8 s more",
        "q: no caller waited",
    ]
    assert play.lines(11, "bob") == [
        "bob was not available:",
        "  being rung for call c1 in r, for 1 s then and for 1 s more",
        "q: no caller waited",
        "r: 1 caller waited",
    ]
    assert play.lines(42, "bob", "q")[1] == "  on call c1 in r, for 30 s then and for 30 s more"
    assert play.lines(75, "bob", "q")[1] == "  in wrap-up, for 3 s then and for 27 s more"
    assert play.lines(75, "cat")[1] == "  signed out, for 1 min 5 s then"
    assert play.lines(75, "dan")[1].startswith("  no phone that could ring; which phone")
    assert play.lines(85, "ann", "r") == ["ann was available", "r: not an agent of r"]


def test_a_change_at_the_very_moment_counts(place: File) -> None:
    play = story(place, queue("q", "ann"))
    play.on(10).pause("ann").on(10).resume("ann").on(10)
    assert play.at(10, "ann")["reasons"] == ["paused: lunch, for 0 s then and for 10 s more"]
    assert play.at(20, "ann")["available"]
    [span] = play.at(12, "ann")["states"]
    assert (span["since"], span["until"]) == (
        "1970-01-01T00:00:10.000Z",
        "1970-01-01T00:00:20.000Z",
    )


def test_what_a_random_day_says_of_each_second_is_what_was_said_then(place: File) -> None:
    """The live answer, given at the time, against that of the record, given at the end."""
    play = story(place, queue("q", "ann bob cat", wrap_up=7.0), queue("r", "cat dan", wrap_up=3.0))
    play.phone("ann").picks_up(after=3)
    play.phone("cat").picks_up(after=6)
    said: dict[tuple[float, str], tuple[str, bool]] = {}
    for second in range(1, 240):
        play.until(second - 0.5)
        if second % 13 == 0:
            play.call(f"c{second}", "qr"[second % 2])
        if second % 17 == 0 and "ann" in play.talking():
            play.agent_hangs_up("ann")
        if second % 29 == 0:
            play.pause("dan", f"reason {second}")
        if second % 31 == 0:
            play.resume("dan")
        if second % 19 == 0 and "cat" in play.talking():
            play.agent_hangs_up("cat")
        play.until(second)
        for name in ("ann", "bob", "cat", "dan"):
            state = play.state(name).value
            said[second, name] = (state, state == "available")
    reader = play.reader()
    for (at, name), expected in said.items():
        then = read_moment_of(reader, name, at, None, ())
        view = explain_moment(play.asked(name), then)
        assert (view["state"], view["available"]) == expected, (at, name)
    assert {state for state, _ in said.values()} >= {"available", "ringing", "on-call", "wrap-up"}


# ---------------------------------------------------------------- callers who waited


def test_why_a_caller_who_waited_did_not_ring_an_available_agent(place: File) -> None:
    widen = (WidenStep(after=60.0, members=(MemberSpec(agent="fay"),)),)
    play = story(place, queue("q", "ann bob", "linear", retry_after=5.0, widen=widen))
    play.phone("bob").says(LegEnd.DECLINED, after=4)
    play.call("c1", "q").on(100)
    waited = "q: c1 had waited for"
    assert play.lines(10, "bob")[1] == f"{waited} 10 s: 1 agent was being rung for it: ann"
    assert play.lines(10, "fay")[1] == (
        f"{waited} 10 s: not open to this call yet: a later step of widen"
    )
    assert play.lines(10, "ann")[1].startswith("  being rung for call c1 in q")
    assert play.lines(22, "ann")[1] == f"{waited} 22 s: tried already: missed it 2 s before"
    assert play.lines(26, "bob")[1] == f"{waited} 26 s: tried already: refused it 2 s before"
    own = Sight(frozenset({"bob"}), frozenset({"q"}), "bob", masked=True)
    assert play.lines(10, "bob", sight=own)[1] == f"{waited} 10 s: 1 agent was being rung for it"


def test_skills_and_a_caller_kept_for_another(place: File) -> None:
    ann, bob = agent("ann"), agent("bob", skills={"french": 3})
    play = story(place, ann, bob, queue("q", "ann bob", prefer_for=30.0, skills={"french": 3}))
    play.pause("bob").call("c1", "q").on(10).resume("bob").on(5)
    assert play.lines(5, "ann")[1] == "q: c1 had waited for 5 s: lacks french 3"
    other = story(place, queue("q", "ann bob", prefer_for=30.0))
    other.call("c0", "q", agent="bob").call("c1", "q", agent="bob").on(30)
    assert other.lines(5, "ann")[2] == (
        "q: c1 had waited for 5 s: kept for bob, who was rung for it 15 s later"
    )


def test_without_a_reason_it_says_what_came_next(place: File) -> None:
    play = story(place, queue("q", "ann", skills={"french": 3}), queue("r", "bob"))
    play.call("c1", "q").on(10).caller_hangs_up("c1").on(5)
    assert play.lines(4, "ann")[1] == "q: c1 had waited for 4 s: the caller hung up 6 s later"
    left = story(place, queue("q", "ann", skills={"x": 1}, max_wait=9.0, on_max_wait=HangUp()))
    left.call("c1", "q").on(20)
    assert left.lines(4, "ann")[1] == (
        "q: c1 had waited for 4 s: it left, having waited for max_wait 5 s later"
    )


def test_many_callers_are_counted(place: File) -> None:
    play = story(place, queue("q", "ann", skills={"french": 3}))
    for number in range(12):
        play.call(f"c{number}", "q").on(1)
    said = play.lines(11.5, "ann")
    assert len(said) == 1 + 8 + 1
    assert said[-1] == "q: and 4 more callers"
    [view] = play.at(11.5, "ann")["queues"]
    assert (view["waiting"], view["member"]) == (12, True)


def test_an_agent_of_another_time(place: File) -> None:
    """Bob came into the queue later, and the decision of that time knows it."""
    play = story(place, agent("bob"), queue("q", "ann"))
    play.call("c1", "q").on(5)
    play.reload(table(agent("bob"), queue("q", "ann bob"))).on(5)
    assert play.lines(3, "bob", "q") == ["bob was available", "q: not an agent of q then"]
    assert play.lines(3, "bob") == ["bob was available"]


# ---------------------------------------------------------------- a call


def test_every_decision_for_a_call(place: File) -> None:
    play = story(place, queue("q", "ann bob:5 cat:7 dan", "priority"))
    play.phone("bob").picks_up(after=2)
    play.pause("dan").on(34)
    play.call("c1", "q").on(20 + 2 + 190).agent_hangs_up("bob").on(1)
    view = play.for_call("cat", "c1")
    assert view["text"] == "cat was not rung for call c1"
    assert [(one["rung"], one["reason"], one["text"]) for one in view["decisions"]] == [
        ("ann", "later", "available, comes after (3rd of 3 available)"),
        ("bob", "later", "available, comes after (2nd of 2 available)"),
    ]
    assert (view["state"], view["available"], view["call"], view["at"]) == (
        *("available", True, "c1", None),
    )
    ann = play.for_call("ann", "c1")
    assert ann["text"] == "ann was rung for call c1, 1 of 2 times"
    assert [one["text"] for one in ann["decisions"]] == [
        "was rung: rang 20 s, no answer",
        "tried already: missed it",
    ]
    dan = play.for_call("dan", "c1")
    assert {one["reason"] for one in dan["decisions"]} == {"paused"}
    assert [span["text"] for span in dan["states"]] == ["paused: lunch"]
    assert why_not_lines(dan)[2].endswith("  q: ann was rung; dan: paused: lunch")


def test_an_agent_is_not_told_who_the_others_are(place: File) -> None:
    play = story(place, queue("q", "ann bob", "priority", prefer_for=9.0, at_once=2))
    play.phone("bob").picks_up(after=2)
    play.call("c1", "q", agent="bob").on(10)
    play.call("c2", "q").on(5)
    own = Sight(frozenset({"ann"}), frozenset({"q"}), "ann", masked=True)
    for call in ("c1", "c2"):
        assert "bob" not in str(play.for_call("ann", call, own))
    assert play.for_call("ann", "c1", own)["decisions"][0]["rung"] is None
    hidden = Sight(None, frozenset({"r"}))
    assert play.for_call("ann", "c1", hidden)["decisions"] == []


def test_a_call_for_which_no_agent_was_rung(place: File) -> None:
    play = story(place, queue("q", "ann bob"))
    play.pause("ann").pause("bob", "meeting").call("c1", "q").on(8).caller_hangs_up("c1").on(1)
    view = play.for_call("bob", "c1")
    assert view["text"] == "no agent was rung for call c1"
    assert [span["text"] for span in view["states"]] == ["paused: meeting"]


# ---------------------------------------------------------------- what is not on record


def test_what_is_not_on_record_is_said(place: File) -> None:
    play = story(place, queue("q", "ann"), now=100 * DAY)
    play.on(10).pause("ann").on(10)
    play.reader()
    fill(
        place,
        RunRow(run="r1", started_at=100 * DAY, alive_at=100 * DAY + 20, stopped_at=None),
        GapRow(
            run="r1", n=0, kind=GapKind.ROWS_LOST, began_at=100 * DAY + 5, ended_at=100 * DAY + 6,
            table_name="agent_states", rows_lost=12,
        ),
        GapRow(
            run="r1", n=1, kind=GapKind.ROUTER_DOWN, began_at=100 * DAY + 12,
            ended_at=100 * DAY + 15, table_name="", rows_lost=0,
        ),
    )  # fmt: skip
    reader = RecordReader(place)

    def said(at: float, name: str = "ann", now: float = 100 * DAY + 20) -> WhyNotJson:
        asked = Asked(name, "", frozenset({"q"}), EVERYTHING, HistorySettings(), now)
        return checked(explain_moment(asked, read_moment_of(reader, name, at, None, ())))

    early = said(99 * DAY)
    assert (early["state"], early["available"]) == (None, False)
    assert early["text"] == "what ann was doing then is not on record"
    assert early["missing"] == ["the record begins later"]
    assert said(100 * DAY + 5.5)["missing"] == [
        "12 rows of agent_states of that time were lost while the database was away"
    ]
    assert said(100 * DAY + 13)["missing"] == ["no router was running then, for 3 s in all"]
    assert said(99 * DAY, now=900 * DAY)["missing"] == [
        "states are kept for 400 days (keep of history)"
    ]
    assert said(100 * DAY + 7, "eve")["missing"] == ["nothing had been reported of eve until then"]


def test_decisions_that_are_no_longer_kept(place: File) -> None:
    play = story(place, queue("q", "ann bob"))
    play.call("c1", "q").on(10)
    assert play.recording is not None
    play.recording.write()
    for found in list(play.recording.rows):
        if found.table == "decisions":
            del play.recording.rows[found]
    play.now += 200 * DAY
    view = play.at(5, "bob")
    assert view["missing"] == [
        "decisions are kept for 90 days (decisions of history): who was a member is not known"
    ]
    assert view["queues"][0]["reasons"] == [
        "c1 had waited for 5 s: 1 agent was being rung for it: ann"
    ]


def test_notices_are_what_a_recorder_hears() -> None:
    """The stories above are recorded, not made up."""
    play = Remembered(table(queue("q", "ann")))
    play.call("c1", "q")
    assert play.recording is not None
    assert any(isinstance(item, Notice) for _, item in play.log)
    assert play.recording.call("c1").queue == "q"
