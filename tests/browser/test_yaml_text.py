"""What the tables work out in the browser: changes of single values in YAML text against a reader of its own, and more."""

from __future__ import annotations

import copy
import json
import random
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.browser.page_floor import AGENTS, OPERATOR, QUEUES
from tests.browser.visits import Visits

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]

CONFIG = Path(__file__).parents[2] / "config"
ODD = """\
---
# a comment first
queues:
    wide:   # four spaces
        name: "it's: here"
        'agents':
        - alice   # at the key's own column
        -   bob
        on_full: 'dialplan:voicemail,s,1'
        announce:
            position: true
    #  a comment of its own
    flat: {name: Flat, agents: {alice: 1, "bob": 2}, hours: "mon 09:00-12:00, 13:00-17:00"}
    bare: {}
    text: {name: "two
        lines", skills: {}}
    steps:
        widen:
          - after: 30s
            at_once: 2
          -
            after: 1m
            agents: {carol: 3}
rules: []
"""
TEXTS = {
    "example queues": (CONFIG / "queues.yaml").read_text("utf-8"),
    "example agents": (CONFIG / "agents.yaml").read_text("utf-8"),
    "floor queues": QUEUES.replace("{{", "{").replace("}}", "}"),
    "floor agents": AGENTS.replace("{{", "{").replace("}}", "}"),
    "floor operator": OPERATOR.format(ami=5038, port=8080, database="x.db", hash="$argon2id$x"),
    "odd": ODD,
    "odd without a last line end": ODD.rstrip("\n"),
    "a section without a value": "# nobody yet\nqueues:\n",
    "nothing": "",
}
VALUES: list[Any] = [
    7, "25s", "", "it's: here # no", "007", "true", True, "mon 09:00-12:00, 13:00-17:00", " a ", "- x",
    "dialplan:voicemail,s,1", "{queue}: {name}", "é “中”", ["alice", "bob"], {"alice": 1, "on": 2}, [], {},
    [{"hours": "daily 22:00-06:00", "agents": {"dave": 1}}], {"name": "New", "agents": []}, 'say "x"', "${NAME}",
    "a\\b", "*45", "+33*", "yes", "2026-12-25", "#", "a#b", "x:", "@home", "[1", "\u2022\u2022\u2022", "1.5", 1.5,
]  # fmt: skip


Plain: Any = type("Plain", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
"""Reads like the daemon: only whole numbers, decimals, true, false and null are not text."""
Plain.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("int", r"^-?(?:0|[1-9][0-9]{0,17})$", "-0123456789"),
    ("float", r"^-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}$", "-0123456789"),
):
    Plain.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), [*_first])
Plain.yaml_implicit_resolvers.setdefault("", []).append(
    ("tag:yaml.org,2002:null", re.compile("^$"))
)


@cache
def read(text: str) -> Any:
    """What a text says."""
    return yaml.load(text, Loader=Plain) or {}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All paths in a value."""
    found: list[tuple[Any, ...]] = []
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
    for key, item in inside:
        found += [(*path, key), *places(item, (*path, key))]
    return found


def expected(value: Any, act: str, path: tuple[Any, ...], new: Any) -> Any:
    """What the text must say after a change."""
    made = copy.deepcopy(value)
    parent = made
    for key in path[:-1]:
        if isinstance(parent, dict) and parent.get(key) is None:
            parent[key] = {}
        parent = parent[key]
    if act == "remove":
        del parent[path[-1]]
    elif isinstance(parent, list) and path[-1] == len(parent):
        parent.append(new)
    else:
        parent[path[-1]] = new
    return made


def changes(text: str, dice: random.Random) -> list[tuple[str, tuple[Any, ...], Any]]:
    """Changes of every place of a text, and some that add one."""
    value = read(text)
    found: list[tuple[str, tuple[Any, ...], Any]] = []
    for path in places(value):
        found += [("set", path, dice.choice(VALUES)), ("remove", path, None)]
    for path in [(), *places(value)]:
        inside = value
        for key in path:
            inside = inside[key]
        if isinstance(inside, dict) or (inside is None and len(path) < 2):
            found.append(("set", (*path, "added-key"), dice.choice(VALUES)))
        elif isinstance(inside, list):
            found.append(("set", (*path, len(inside)), dice.choice(VALUES)))
    return [*found, ("set", ("queues", "another-one"), {"name": "Another", "agents": []})]


MAKE = """async (tasks) => {
  const { YamlText, applied } = await import("/page/app/yamltext.js");
  return tasks.map(([text, act, path, value]) => {
    const before = new YamlText(text);
    const after = applied(text, act === "set" ? before.set(path, value) : before.remove(path));
    const again = new YamlText(after);
    return { text: after, broken: again.broken, reads: JSON.stringify(again.value([]) ?? null) };
  });
}"""


async def test_each_change_is_the_only_one(visits: Visits) -> None:
    page = await visits.page()
    dice = random.Random(15)
    tasks = [
        (text, act, path, new) for text in TEXTS.values() for act, path, new in changes(text, dice)
    ]
    made = await page.evaluate(MAKE, [list(task) for task in tasks])
    assert len(made) > 500
    for (text, act, path, new), found in zip(tasks, made, strict=True):
        about = f"{act} {path} {new!r}\n{found['text']}"
        wanted = expected(read(text), act, path, new)
        assert read(found["text"]) == wanted, about
        assert not found["broken"], about
        assert (json.loads(found["reads"]) or {}) == wanted, about
        if act == "set" and path[:-1] in places(read(text)) and path[-1] == "added-key":
            kept = [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
            lines = [line.strip() for line in found["text"].splitlines()]
            assert [line for line in lines if line in kept] == kept, about


async def test_a_value_typed_letter_by_letter_is_quoted_only_if_it_needs_it(visits: Visits) -> None:
    page = await visits.page()
    typed = """async ([text, path, value]) => {
      const { YamlText, applied } = await import("/page/app/yamltext.js");
      for (let n = 1; n <= value.length; n += 1) text = applied(text, new YamlText(text).set(path, value.slice(0, n)));
      return text;
    }"""
    for path, value, line in (
        ("on_full", "queue:sales", "    on_full: queue:sales\n"),
        ("on_nobody", "dialplan:voicemail,s,1", "    on_nobody: dialplan:voicemail,s,1\n"),
        ("music", "on: hold", '    music: "on: hold"\n'),
        ("show", "yes please", "    show: yes please\n"),
    ):
        assert line in await page.evaluate(
            typed, [TEXTS["floor queues"], ["queues", "support", path], value]
        )
    desk = "queues:\n  support: {name: 'Desk', on_full: \"wait\"}\n"
    for path, value in (("name", "Desk: 2"), ("on_full", "hangup")):
        made = await page.evaluate(typed, [desk, ["queues", "support", path], value])
        quote = {"name": "'", "on_full": '"'}[path]
        assert f"{path}: {quote}{value}{quote}" in made, "quotes that people wrote stay"


async def test_a_form_and_the_text_name_the_same_places(visits: Visits) -> None:
    page = await visits.page()
    script = """async (text) => {
      const { YamlText } = await import("/page/app/yamltext.js");
      const yaml = new YamlText(text);
      const found = [];
      const go = (value, path) => {
        if (value && typeof value === "object") for (const [key, item] of Object.entries(value)) {
          const next = [...path, Array.isArray(value) ? Number(key) : key];
          const place = yaml.place(next);
          found.push([next, yaml.pathAt(place[0])]);
          go(item, next);
        }
      };
      go(yaml.value([]), []);
      return found;
    }"""
    for name in ("example queues", "floor agents"):
        found = await page.evaluate(script, TEXTS[name])
        assert len(found) > 10
        for path, at in found:
            assert at[: len(path)] == path


async def test_two_peoples_changes_are_put_together(visits: Visits) -> None:
    page = await visits.page()
    together = """async (texts) => {
      const { together } = await import("/page/app/merging.js");
      return texts.map(([base, mine, theirs]) => together(base, mine, theirs));
    }"""
    base = "a\nb\nc\nd\ne\n"
    found = await page.evaluate(
        together,
        [
            [base, base.replace("b", "B"), base.replace("d", "D")],
            [base, base.replace("b", "B"), base.replace("b", "X")],
            [base, base.replace("b", "B"), base.replace("b", "B")],
            [base, base + "f\n", base.replace("a\n", "")],
            [base, base + "f\n", base + "g\n"],
            [base, base, base.replace("c\n", "")],
        ],
    )
    both, clash, same, ends, two_ends, theirs = found
    assert both == "a\nB\nc\nD\ne\n"
    assert clash is None
    assert same == "a\nB\nc\nd\ne\n"
    assert ends == "b\nc\nd\ne\nf\n"
    assert two_ends is None
    assert theirs == "a\nb\nd\ne\n"


async def test_a_step_leads_to_the_next_level_in_use(visits: Visits) -> None:
    page = await visits.page()
    steps = """async (steps) => {
      const { stepped } = await import("/page/app/tablepriorities.js");
      return steps.map(([list, id, way]) => stepped(list, id, way));
    }"""
    floor = [["alice", 1], ["bob", 1], ["carol", 50]]
    found = await page.evaluate(
        steps,
        [
            [floor, "carol", -1],
            [floor, "alice", 1],
            [floor, "alice", -1],
            [floor, "carol", 1],
            [[["a", 5], ["b", 5]], "b", -1],
            [[["a", 98], ["b", 98]], "b", 1],
        ],
    )
    assert found == [1, 50, None, None, 4, 100]


async def test_hours_are_drawn_as_they_are_written(visits: Visits) -> None:
    page = await visits.page()
    drawn = """async (texts) => {
      const { spans } = await import("/page/app/week.js");
      return texts.map((text) => spans(text));
    }"""
    written = [
        "mon,wed 9:00-12:00",
        "fri 22:00-06:00",
        "sat-mon 10:00-24:00",
        "daily 25:00-26:00",
        "x",
    ]
    found = await page.evaluate(drawn, written)
    assert found[0] == [[0, 540, 720], [2, 540, 720]]
    assert found[1] == [[4, 1320, 1440], [5, 0, 360]]
    assert found[2] == [[5, 600, 1440], [6, 600, 1440], [0, 600, 1440]]
    assert found[3:] == [None, None]
