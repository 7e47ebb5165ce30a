"""What the dialplan asks for, read from what it sends: exactly as set, or refused with a word."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest

from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.tracking.arrival import PREFIX, EntryRequest, entry_request
from tests.asterisk.floor import DIALPLAN


def encode_request(*values: str) -> str:
    """Encode values as the dialplan does: extension, priority, agent, skills, tag."""
    return ".".join(base64.b64encode((PREFIX + value).encode()).decode() for value in values)


def read(
    *, queue: str = "support", extension: str = "support", values: Mapping[str, str] | None = None
) -> EntryRequest:
    given = {"priority": "", "agent": "", "skills": "", "tag": "", **(values or {})}
    sent = {"Queue": queue, "Asked": encode_request(extension, *given.values())}
    return entry_request(lambda name: sent.get(name, ""))


@pytest.mark.parametrize(
    ("what", "raw", "value"),
    [
        ("priority", "7", 7),
        ("priority", "100", 100),
        ("priority", " 1 ", 1),
        ("agent", "a1", "a1"),
        ("agent", "Ann_Smith-2", "ann_smith-2"),
        ("skills", "french=2&billing=1", {"french": 2, "billing": 1}),
        ("skills", "French=100", {"french": 100}),
        ("tag", "Gold Kunde", "Gold Kunde"),
        ("tag", "Größe, a:b = (c)", "Größe, a:b = (c)"),
        ("tag", " x ", " x "),
    ],
)
def test_kept(what: str, raw: str, value: object) -> None:
    found = read(values={what: raw})
    assert (getattr(found, what), found.refused) == (value, [])


@pytest.mark.parametrize(
    ("what", "raw"),
    [
        *(("priority", raw) for raw in ("0", "101", "1.5", "-1", "1e1", "٣", "x", "1,Agent: a2")),
        *(("agent", raw) for raw in ("a 1", "a1,a2", "x" * 65, "ä1", "a1\r\nTag: y")),
        *(("skills", raw) for raw in ("french", "french=", "french=2.5", "french=101", "=1")),
        *(("skills", raw) for raw in ("french=1&", "french=1,billing=2", "fr\x00=1")),
        *(("tag", raw) for raw in ("x\nTag: y", "x" * 201, "\x1b[2J", "a\u2028b", "\u202ex")),
    ],
)
def test_refused_with_a_word(what: str, raw: str) -> None:
    found = read(values={what: raw})
    assert getattr(found, what) == getattr(EntryRequest(""), what)
    [(kind, why)] = found.refused
    assert kind == what
    assert why.isprintable()
    assert len(why) < 250


def test_bytes_that_are_no_text() -> None:
    raw = encode_request("support", "", "", "", "x").split(".")
    raw[4] = "KCgoKCgoKCgoKCgo/w=="
    sent = {"Queue": "support", "Asked": ".".join(raw)}
    assert entry_request(lambda name: sent.get(name, "")).refused[0][0] == "tag"


@pytest.mark.parametrize(
    "sent", ["x", "....", encode_request("a", "b"), "eA==.eA==.eA==.eA==.eA==", "é" * 9]
)
def test_what_the_dialplan_never_writes(sent: str) -> None:
    found = entry_request(lambda name: {"Queue": "support", "Asked": sent}.get(name, ""))
    assert found == EntryRequest("support", refused=found.refused)
    assert [what for what, _ in found.refused] == ["entry"]


@pytest.mark.parametrize(
    ("queue", "extension", "found", "place"),
    [
        ("support", "Support", "support", "support"),
        ("sales", "support", "sales", "sales"),  # it went on to another queue since
        ("support", "sup port", "'sup port'", "unknown"),
        ("unknown", "Übung/unknown", "'Übung'", "unknown"),
        ("unknown", "x\ny/unknown", r"'x\ny'", "unknown"),
    ],
)
def test_names_of_queues(queue: str, extension: str, found: str, place: str) -> None:
    assert read(queue=queue, extension=extension).queue == found
    assert contract.extension(found) == place


def test_a_call_that_entered_by_an_older_dialplan() -> None:
    sent = {"Queue": "support", "Priority": "7", "Agent": "a1", "Tag": "gold"}
    found = entry_request(lambda name: sent.get(name, ""))
    assert (found.priority, found.agent, found.tag, found.refused) == (7, "a1", "gold", [])


def test_the_dialplan_sends_what_is_read_here() -> None:
    order = (
        "${CALLROUTER_WRONG}${EXTEN}",
        *(f"${{CALLROUTER_{v}}}" for v in ("PRIORITY", "AGENT", "SKILLS", "TAG")),
    )
    sent = ".".join(f"${{BASE64_ENCODE({'(' * 12}{value})}}" for value in order)
    assert f"CALLROUTER_ASKED={sent})" in DIALPLAN
