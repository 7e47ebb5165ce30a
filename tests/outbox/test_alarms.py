"""Alarms of the real daemon: told once to a webhook and by mail, also over `kill -9`; shown everywhere."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from callrouter.api.openapi import document
from tests.daemon.process import Place, started
from tests.outbox.receiver import SECRET, Receiver
from tests.outbox.smtp_server import SmtpServer
from tests.outbox.test_killed import until

ALERTS = """\
destinations:
  ops: {{webhook: "{url}", secret: {secret}}}
  sam: {{mail: sam@example.com}}
smtp: {{host: 127.0.0.1, port: {port}, tls: none, from: callrouter@example.com}}
alerts:
  - {{name: many-wait, when: "waiting > 1", clear: "< 1", queues: [support], for: 1s, to: [ops, sam]}}
  - {{name: no-agent, when: "signed_in < 1", queues: [support], to: ops}}
  - {{name: no-desk, when: "signed_in < 1", queues: [desk], to: ops}}
  - {{name: at-night, when: "waiting > 1", quiet: "daily 00:00-24:00", queues: [support], to: ops}}
  - {{name: refused, when: "refused_logins >= 3", to: ops}}
  - {{name: away, when: "pbx_away > 6s", to: ops}}
  - {{name: lunch, when: "pause > 1s", to: ops}}
"""
RAISED = "many-wait: the number of callers waiting in queue support is 2; raised when waiting > 1"
TOKEN = {"Authorization": "Bearer 0123456789abcdef"}


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield Place(Path(folder))


def get(place: Place, path: str, token: str = "0123456789abcdef") -> bytes:
    asked = urllib.request.Request(
        f"http://127.0.0.1:{place.port}{path}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        found: bytes = answer.read()
        return found


def status(place: Place) -> Any:
    return json.loads(get(place, "/api/status"))


def told(receiver: Receiver) -> list[tuple[str, str]]:
    return [(event.type, event.data["alert"]) for event in receiver.taken]


@pytest.mark.timeout(240)
async def test_alarms_over_a_kill(place: Place) -> None:
    receiver, smtp = Receiver(), SmtpServer()
    await receiver.open()
    await smtp.open()
    place.write("out", ALERTS.format(url=receiver.url, secret=SECRET, port=smtp.port))
    waiting = [["c1", "support"], ["c2", "support"]]
    scene = {"found": waiting}
    with started(place, scene) as daemon:
        await until(lambda: len(receiver.taken) == 2 and len(smtp.letters) == 1)
        assert set(told(receiver)) == {("alert.fired", "many-wait"), ("alert.fired", "no-agent")}
        await check_shown(place)
        daemon.signal(signal.SIGKILL)
        await asyncio.to_thread(daemon.wait)
    with started(place, {**scene, "in_step": False}) as daemon:
        # No call is shown yet, and that is no improvement.
        await until(lambda: ("alert.fired", "away") in told(receiver))
        assert len(receiver.taken) == 3
        daemon.signal(signal.SIGKILL)
        await asyncio.to_thread(daemon.wait)
    things = place.folder / "things"
    things.mkdir()
    with started(place, {**scene, "talk": 0.5, "after": str(things)}):
        await until(lambda: ("alert.cleared", "away") in told(receiver))
        for _ in range(3):
            with pytest.raises(urllib.request.HTTPError):
                await asyncio.to_thread(get, place, "/api/status", "x" * 16)
        await until(lambda: ("alert.fired", "refused") in told(receiver))
        assert ("alert.cleared", "many-wait") not in told(receiver)
        await asyncio.to_thread(place.call, "agent", "alice", "sign-in")
        await until(lambda: ("alert.cleared", "no-agent") in told(receiver))
        await until(lambda: ("alert.cleared", "many-wait") in told(receiver))
        await until(lambda: len(smtp.letters) == 2)
        await asyncio.to_thread(place.call, "agent", "alice", "pause", "lunch")
        await until(lambda: ("alert.fired", "lunch") in told(receiver))
    await receiver.close()
    await smtp.close()
    # Each told once: no alarm is doubled by a restart.
    assert sorted(told(receiver)) == [
        ("alert.cleared", "away"),
        ("alert.cleared", "many-wait"),
        ("alert.cleared", "no-agent"),
        ("alert.fired", "away"),
        ("alert.fired", "lunch"),
        ("alert.fired", "many-wait"),
        ("alert.fired", "no-agent"),
        ("alert.fired", "refused"),
    ]
    first, second = (letter.message["Subject"] for letter in smtp.letters)
    assert first == f"callrouter: {RAISED}"
    over = "many-wait: the number of callers waiting in queue support is "
    assert second.startswith(f"callrouter: over: {over}")
    assert second.endswith("; over when waiting < 1")
    (lunch,) = [event.data for event in receiver.taken if event.data["alert"] == "lunch"]
    assert (lunch["agent"], lunch["measure"], lunch["condition"]) == (
        "alice",
        "pause",
        "pause > 1s",
    )
    logs = "".join(log.read_text() for log in place.folder.glob("log-*"))
    assert "Traceback" not in logs, logs


async def check_shown(place: Place) -> None:
    """What is on stands in the API as the document says, in the metrics and in `callrouter status`."""
    found = await asyncio.to_thread(status, place)
    schemas = document()["components"]["schemas"]
    schema = {"$ref": "#/components/schemas/Status", "components": {"schemas": schemas}}
    Draft202012Validator(schema).validate(found)
    shown = {(alert["alert"], alert["queue"], alert["quiet"]) for alert in found["alerts"]}
    assert shown == {
        ("many-wait", "support", False), ("no-agent", "support", False), ("at-night", "support", True),
    }  # fmt: skip
    assert found["outbox"]["destinations"]["ops"]["delivered"] == 2
    assert found["outbox"]["destinations"]["sam"]["delivered"] == 1
    metrics = (await asyncio.to_thread(get, place, "/metrics")).decode()
    assert 'callrouter_alerts_firing{alert="many-wait"} 1.0' in metrics
    assert 'callrouter_outbox_delivered_total{destination="ops"} 2.0' in metrics
    printed = await asyncio.to_thread(place.call, "status")
    assert RAISED in " ".join(printed.stdout.split())
    assert "quiet hours, not sent" in printed.stdout
