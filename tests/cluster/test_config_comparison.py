"""A router says when its configuration is not that of the active one of its pool."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callrouter.api.context import ConfigState
from callrouter.cluster_views import ClusterNode, ClusterPool
from callrouter.daemon.clustered.config_comparison import ConfigComparison


def node(name: str, digest: str) -> ClusterNode:
    return ClusterNode(
        name=name, run_id="r", pid=1, host="h", url="http://h", version="0.1.0",
        config_digest=digest, config_source="files", since=None, seen_s=0.5,
    )  # fmt: skip


def pool(active: str, own: str, holder: str = "north-1") -> ClusterPool:
    return ClusterPool(
        name="main", holder=holder, epoch=1, lease_left_s=2.0, taken_at=0.0, hand_to="",
        released=False, nodes=(node("north-1", active), node("north-2", own)),
    )  # fmt: skip


def test_a_difference_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    now: ClusterPool | None = None
    state = ConfigState(folder="/etc/callrouter", loaded_at=0.0)
    comparison = ConfigComparison("north-2", lambda: now, state)
    comparison.look()
    now = pool("aa", "bb")
    comparison.look()
    assert (state.differs_from, caplog.messages) == ("", []), "a new version may be on its way"
    comparison.look()
    comparison.look()
    assert state.differs_from == "north-1"
    (said,) = caplog.messages
    assert said.startswith("the configuration of north-2 is not that of north-1, which is active")
    now = None
    comparison.look()
    assert state.differs_from == "north-1", "the database is away: nothing is known"
    now = pool("aa", "aa")
    comparison.look()
    assert state.differs_from == ""
    assert caplog.messages[1:] == [
        "the configuration of north-2 is that of the active router again"
    ]


def test_what_passes_or_is_not_known_is_no_difference(caplog: pytest.LogCaptureFixture) -> None:
    state = ConfigState(folder="/etc/callrouter", loaded_at=0.0, in_database=True)
    found = iter(
        [
            pool("aa", "bb"),
            pool("bb", "bb"),
            pool("aa", "bb"),
            pool("aa", ""),
            pool("aa", "bb", holder="north-2"),
            replace(pool("aa", "bb"), released=True),
        ]
    )
    comparison = ConfigComparison("north-2", lambda: next(found), state)
    for _ in range(6):
        comparison.look()
    assert (state.differs_from, caplog.messages) == ("", [])
