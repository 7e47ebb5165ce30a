"""Single values change in the text, and nothing else does."""

from __future__ import annotations

import tracemalloc
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest

from callrouter.settings.editing import text_edits
from callrouter.settings.editing.text_edits import Edit, EditKind, WrongEditError, apply_edits
from callrouter.settings.editing.text_spot import spot_at
from callrouter.settings.editing.text_tree import TextTree
from callrouter.settings.yaml.source import KeyPath

QUEUES = """\
# Our queues
queues:
  support:   # the big one
    name: "Customer support"   # shown
    policy: [priority, longest-idle]
    agents:
      - alice   # first
      - bob
    ring_for: 20s # long
    shifts:
      # evenings
      - {hours: mon-fri 17:30-21:00, agents: [carol]}
      - hours: sat 10:00-14:00  # sat
        agents: {dave: 2}

  sales: {agents: {alice: 1, bob: 2}, ring_for: 10s}
"""
AGENTS = """\
agents:
  alice: {devices: {desk: PJSIP/1001}}
  bob:
    devices:
      desk: PJSIP/1002  # x
"""
TEXTS = {"queues.yaml": QUEUES, "agents.yaml": AGENTS}
SUPPORT = ("queues", "support")


def edited(kind: EditKind, *path: str | int, value: Any = None) -> list[str]:
    """The lines that an edit takes out and puts in."""
    found = apply_edits(TEXTS, [Edit(kind=kind, path=path, value=value)])
    lines: list[str] = []
    for name, text in found.items():
        diff = unified_diff(TEXTS[name].splitlines(), text.splitlines(), lineterm="", n=0)
        lines += [line for line in diff if not line.startswith(("---", "+++", "@@"))]
    return lines


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        (("ring_for",), "30s", ["-    ring_for: 20s # long", "+    ring_for: 30s # long"]),
        (
            ("name",),
            "Sup: port",
            [
                '-    name: "Customer support"   # shown',
                '+    name: "Sup: port"   # shown',
            ],
        ),
        (
            ("agents", "bob"),
            5,
            [
                "-      - alice   # first",
                "-      - bob",
                "+      alice: 1   # first",
                "+      bob: 5",
            ],
        ),
        (("agents", "bob"), 1, []),
        (("agents", "carol"), 1, ["+      - carol"]),
        (("wrap_up",), "10s", ["+    wrap_up: 10s"]),
        (("announce", "position"), True, ["+    announce: {position: true}"]),
        (("policy",), "linear", ["-    policy: [priority, longest-idle]", "+    policy: linear"]),
        (
            ("policy",),
            ["round-robin", "longest-idle"],
            [
                "-    policy: [priority, longest-idle]",
                "+    policy: [round-robin, longest-idle]",
            ],
        ),
        (
            ("shifts", 1, "agents", "dave"),
            3,
            ["-        agents: {dave: 2}", "+        agents: {dave: 3}"],
        ),
        (("ring_for",), "20s", []),
    ],
)
def test_a_value_is_set(path: KeyPath, value: Any, lines: list[str]) -> None:
    assert edited("value", *SUPPORT, *path, value=value) == lines


def test_values_are_taken_out_put_in_and_renamed() -> None:
    assert edited("remove", *SUPPORT, "ring_for") == ["-    ring_for: 20s # long"]
    assert edited("remove", *SUPPORT, "agents", "alice") == ["-      - alice   # first"]
    assert edited("remove", *SUPPORT, "shifts", 0) == [
        "-      - {hours: mon-fri 17:30-21:00, agents: [carol]}"
    ]
    assert edited("remove", "queues", "sales", "ring_for") == [
        "-  sales: {agents: {alice: 1, bob: 2}, ring_for: 10s}",
        "+  sales: {agents: {alice: 1, bob: 2}}",
    ]
    shift = {"hours": "sun 10:00-12:00", "agents": ["alice"]}
    for n in (0, 1, 2):
        assert edited("insert", *SUPPORT, "shifts", n, value=shift) == [
            "+      - {hours: sun 10:00-12:00, agents: [alice]}"
        ]
    assert edited("rename", *SUPPORT, value="help") == [
        "-  support:   # the big one",
        "+  help:   # the big one",
    ]
    assert edited("value", "agents", "bob", "devices", "desk", "ring_after", value="5s") == [
        "-      desk: PJSIP/1002  # x",
        "+      desk: {endpoint: PJSIP/1002, ring_after: 5s}  # x",
    ]
    assert edited("insert", "agents", "1003", value={"devices": {"desk": "PJSIP/1003"}}) == [
        "+  1003:",
        "+    devices: {desk: PJSIP/1003}",
    ]
    assert edited("value", "timezone", value="Europe/London") == ["+timezone: Europe/London"]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Edit(kind="remove", path=("queues", "slaes")), "there is no queues.slaes"),
        (Edit(kind="value", path=(*SUPPORT, "shifts", 7, "hours"), value="x"), "cannot have '7'"),
        (Edit(kind="value", path=(*SUPPORT, "name", "x"), value="x"), "cannot have 'x'"),
        (Edit(kind="insert", path=(*SUPPORT, "name"), value="x"), "is there already"),
        (Edit(kind="rename", path=SUPPORT, value="sales"), "queues.sales is there already"),
        (Edit(kind="rename", path=("queues", "x"), value="y"), "there is no queues.x"),
        (Edit(kind="value", path=("queues", "support", -1), value="y"), "cannot have"),
    ],
)
def test_what_cannot_be_done_is_said(edit: Edit, words: str) -> None:
    with pytest.raises(WrongEditError, match=words):
        apply_edits(TEXTS, [edit])


def test_a_broken_text_must_be_mended_first() -> None:
    edit = Edit(kind="value", path=("queues", "x"), value="y")
    with pytest.raises(WrongEditError, match=r"b\.yaml must be fixed first, in line 2") as raised:
        apply_edits({"a.yaml": "", "b.yaml": "a: 1\nb: ]\n"}, [edit])
    assert raised.value.index == 0


ROOT = Path(__file__).parents[2]
SAMPLES = {
    **{path.name: path.read_text() for path in (ROOT / "config").glob("*.yaml")},
    **TEXTS,
    "odd.yaml": (
        "\ufeffqueues:\r\n  a:\r\n    shifts:\r\n    - hours: x  # why\r\n      agents:\r\n"
        "      - y\r\n    - agents: [z,\r\n        # in between\r\n        w,]\r\n      hours: v\r\n"
        "    'name' : 'it''s'\r\n    show: >-\r\n      folded\r\n    skills: {}"
    ),
}


@pytest.mark.parametrize("name", list(SAMPLES))
def test_every_value_of_every_sample(name: str) -> None:
    """Each is set, taken out and, if it is a key, renamed; the editor itself checks the meaning.

    Here we see that it never gives up, that comments elsewhere stay, and that the rest of the text
    is the same to the character.
    """
    text = SAMPLES[name]
    tree = TextTree(text)
    comments = sum(1 for _ in tree.comments())
    for path, node in tree.root.walk():
        if not path or (node.value is None and node.kind == "scalar"):
            continue
        if node.kind == "scalar":
            new = apply_edits({name: text}, [Edit(kind="value", path=path, value="new: 1")])[name]
            assert sum(1 for _ in TextTree(new).comments()) == comments
            same = len(text) - (node.end - node.start)
            assert new.startswith(text[: node.start]) or node.style in {"|", ">"}
            assert abs(len(new) - same) <= len("'new: 1'") + 4
        gone = apply_edits({name: text}, [Edit(kind="remove", path=path)])[name]
        assert len(gone) < len(text) + 3
        if isinstance(path[-1], str):
            apply_edits({name: text}, [Edit(kind="rename", path=path, value="other-name")])
        if node.kind == "mapping":
            apply_edits({name: text}, [Edit(kind="insert", path=(*path, "zzz"), value={"a": [1]})])
        if node.kind == "list":
            for n in range(len(node.items) + 1):
                apply_edits({name: text}, [Edit(kind="insert", path=(*path, n), value="q")])


def test_very_many_brackets_cost_little() -> None:
    lines = ["a: {" + "{[" * 900] * 60
    tracemalloc.start()
    found = spot_at([*lines, "b"], len(lines) + 1, "")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.owner) <= 50
    assert most < 50_000_000


def test_a_request_cannot_have_a_text_read_again_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_edits, "_MOST_READ", 200_000)
    many = {f"a{n}": {"name": "x"} for n in range(1000)}
    edit = Edit(kind="value", path=("agents",), value=many)
    with pytest.raises(WrongEditError, match="too many changes of agents"):
        apply_edits({"agents.yaml": "agents:\n  bob: {}\n"}, [edit])


def test_long_lists_are_not_compared_item_by_item() -> None:
    before = "queues:\n  a:\n    agents: [" + ", ".join(["x"] * 3000) + "]\n"
    edit = Edit(kind="value", path=("queues", "a", "agents"), value=["y"] * 3000)
    made = apply_edits({"q.yaml": before}, [edit])["q.yaml"]
    assert TextTree(made).node(("queues", "a", "agents")).plain() == ["y"] * 3000
