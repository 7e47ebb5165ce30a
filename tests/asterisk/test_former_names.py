"""Under a former name Asterisk still has the fallback's lists, the music and the lamps of what it belongs to now."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from callrouter.model.routing_table import KeepWaiting
from callrouter.pbx.asterisk.blf import BlfLamps
from callrouter.pbx.asterisk.fallback import FallbackDevices
from callrouter.pbx.asterisk.lamp_places import LampPlaces
from tests.core.playbook import Play
from tests.core.tables import agent, desk, queue, table


def told(actions: Any) -> dict[str, str]:
    return {action["Variable"]: action["Value"] for action in actions}


async def shows(actions: Any, expected: dict[str, str]) -> None:
    """Lamps are written together, a moment after what changed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while len(told(actions)) < len(expected):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert told(actions) == expected


async def test_lists_music_and_lamps() -> None:
    before = table(agent("ann", desk("ann")), queue("support", "ann", music="jazz"))
    play = Play(before)
    board = play.router.board
    known = FallbackDevices(board, "office", "")
    sent: list[Any] = []
    places = LampPlaces("office", before)
    lamps = BlfLamps(board, lambda *actions: sent.extend(actions), lambda: True, places)
    lamps.refresh({})
    lit = {
        "DEVICE_STATE(Custom:callrouter-ann)": "NOT_INUSE",
        "DEVICE_STATE(Custom:callrouter-queue-support)": "NOT_INUSE",
    }
    await shows(sent, lit)
    first = told(known.changes())
    assert first["CALLROUTER_DESKS_support"] == "PJSIP/ann"
    assert first["CALLROUTER_MUSIC_support"] == "jazz"
    sent.clear()
    play.reload(
        table(
            agent("annette", desk("annette", endpoint="PJSIP/ann"), renamed_from="ann"),
            queue(
                "helpdesk", "annette", renamed_from="support", music="folk", on_nobody=KeepWaiting()
            ),
        )
    )
    play.pause("annette").call("c1", "support")
    lamps.refresh({})
    lit = {
        "DEVICE_STATE(Custom:callrouter-annette)": "ONHOLD",
        "DEVICE_STATE(Custom:callrouter-ann)": "ONHOLD",
        "DEVICE_STATE(Custom:callrouter-queue-helpdesk)": "INUSE",
        "DEVICE_STATE(Custom:callrouter-queue-support)": "INUSE",
    }
    await shows(sent, lit)
    lamps.close()
    then = told(known.changes())
    for name in ("helpdesk", "support"):
        assert then[f"CALLROUTER_DESKS_{name}"] == "-"  # on a break
        assert then[f"CALLROUTER_MUSIC_{name}"] == "folk"
