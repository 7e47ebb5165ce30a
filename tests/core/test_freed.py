"""A call on an agent's phone that never ends: it is named, and a person can say that it is none."""

from __future__ import annotations

from callrouter.core.agents import unavailability_text
from callrouter.model.agent_status import AgentState
from callrouter.model.commands import Disregard
from callrouter.model.events import (
    DeviceState,
    EndpointChanged,
    MessageWritten,
    PbxSnapshot,
    PhoneFreed,
)
from callrouter.model.notices import AgentNotified, PrivateCallDisregarded
from tests.core.playbook import Play
from tests.core.tables import queue, table

GHOST = "PJSIP/ann-0000002a"


def busy() -> Play:
    """Ann's phone is in a call that is not ours, and c1 waits for her."""
    play = Play(table(queue("q", "ann")))
    play.pbxes["office"].phone_is("PJSIP/ann", DeviceState.IN_USE)
    play.feed(
        EndpointChanged(pbx="office", endpoint="PJSIP/ann", state=DeviceState.IN_USE, channel=GHOST)
    )
    return play.call("c1", "q")


def test_the_channel_and_its_age_are_named() -> None:
    play = busy().on(3 * 3600 + 300)
    [why] = unavailability_text.why_not(play.router.floor, play.agent("ann"), play.now)
    assert why == f"in a private call on desk ({GHOST}, for 3 h 5 min)"


def test_its_age_is_that_of_the_channel_after_a_restart_too() -> None:
    play = Play(table(queue("q", "ann")), now=10_000.0)
    seen = {"PJSIP/ann": (GHOST, 4_000.0)}
    play.feed(PbxSnapshot(pbx="office", endpoints={"PJSIP/ann": DeviceState.IN_USE}, in_use=seen))
    [why] = unavailability_text.why_not(play.router.floor, play.agent("ann"))
    assert why.endswith("for 1 h 40 min)")


def test_a_person_can_say_that_it_is_no_call() -> None:
    play = busy()
    orders = play.feed(PhoneFreed(agent="ann", by="sam"))
    assert [o for o in orders if isinstance(o, Disregard)] == [
        Disregard(pbx="office", endpoint="PJSIP/ann")
    ]
    play.on()
    assert play.ringing() == {"ann": "c1"}
    [freed] = play.notices(PrivateCallDisregarded, agent="ann")
    assert (freed.device, freed.channel, freed.by) == ("desk", GHOST, "sam")
    assert "taken as free by sam" in play.told("ann")[-1]


def test_a_call_that_begins_later_counts_again() -> None:
    play = busy()
    play.feed(PhoneFreed(agent="ann"))
    play.on().accepts("ann").agent_hangs_up("ann")
    play.phone_is("ann", DeviceState.IN_USE)
    assert play.state("ann") is AgentState.ON_CALL


def test_without_such_a_call_it_is_refused_and_changes_nothing() -> None:
    play = Play(table(queue("q", "ann")))
    play.feed(PhoneFreed(agent="ann", by="sam"))
    assert "no phone of ann is in a call" in play.oddities()[-1]
    assert play.notices(PrivateCallDisregarded) == []


def test_a_line_from_a_person_changes_nothing_but_what_is_shown() -> None:
    play = Play(table(queue("q", "ann")))
    before = play.state("ann")
    [told] = play.feed(MessageWritten(agent="ann", text="call me, please", by="sam"))
    assert isinstance(told, AgentNotified)
    assert play.told("ann") == ["sam: call me, please"]
    assert play.state("ann") is before
    play.feed(MessageWritten(agent="nemo", text="hello", by="sam"))
    assert play.told("ann") == ["sam: call me, please"]
