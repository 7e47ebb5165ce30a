"""Every example of the documentation and of the sample files loads, and does what it is shown for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from callrouter.settings import ConfigError, Settings, load
from callrouter.settings.bootstrap import bootstrap_of
from callrouter.settings.schema.options import walk
from callrouter.settings.schema.queue_options import QueueOptions
from callrouter.settings.schema.root_options import RootOptions

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^( *)```ya?ml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_UNKNOWN = re.compile(r"unknown (agent|queue|pbx|destination) '([a-z0-9_-]+)'")
_UNSERVING = re.compile(r"agent '([a-z0-9_-]+)' is in no queue")
SECTIONS = set(RootOptions.model_fields)
VAIN = re.compile("never|no agent serves|without effect")


class Environ(dict[str, str]):
    """Every variable is set."""

    def __missing__(self, key: str) -> str:
        if "HOOK_SECRET" in key:
            return "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
        return "0123456789abcdef0123456789abcdef"

    def get(self, key: str, default: Any = None) -> Any:
        return self[key]

    def __contains__(self, key: object) -> bool:
        return True


def blocks() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in _BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            lines = [row.removeprefix(found[1]) for row in found[2].splitlines()]
            yield f"{page.name}:{line}", "\n".join(lines) + "\n"


def commented() -> Iterator[tuple[str, str]]:
    """The sections that stand as comments in the sample files."""
    for path in sorted((ROOT / "config").glob("*.yaml")):
        lines = path.read_text("utf-8").splitlines()
        for number, line in enumerate(lines):
            first = re.match(r"# ([a-z_]+):(\s|$)", line)
            if first is None or first[1] not in SECTIONS:
                continue
            block = [line]
            for more in lines[number + 1 :]:
                if not re.match(r"#(   |\s*$)", more):
                    break
                block.append(more)
            yield f"{path.name}:{number + 1}", "\n".join(row[2:] for row in block) + "\n"


def completed(folder: Path, text: str) -> Settings:
    """The example with what it leaves out: a telephone system, and who and what it names."""
    data: Any = yaml.load(text, _Plain)
    if isinstance(data, list):
        data = {"rules": data}
    assert isinstance(data, dict), text
    if not set(data) & SECTIONS:  # keys of a queue, or of an agent
        section = "queues" if set(data) <= set(QueueOptions.model_fields) else "agents"
        data = {section: {"example": data}}
    assert set(data) <= SECTIONS, f"no sections: {set(data) - SECTIONS}"
    data.setdefault("pbx", {"office": {"driver": "asterisk", "username": "x", "secret": "x",
                                       "dial_number": "PJSIP/{number}@carrier"}})  # fmt: skip
    if "cluster" in data:
        data.setdefault("database", "postgresql://callrouter@db.example.com/callrouter")
    for _ in range(20):
        (folder / "example.yaml").write_text(
            yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
        )
        try:
            return load(folder, environ=Environ())
        except ConfigError as error:
            missing = {m for problem in error.problems for m in _UNKNOWN.findall(problem.text)}
            missing |= {("", m) for p in error.problems for m in _UNSERVING.findall(p.text)}
            others = [
                p
                for p in error.problems
                if not (_UNKNOWN.search(p.text) or _UNSERVING.search(p.text))
            ]
            if not missing or others:
                raise
        for kind, name in missing:
            if kind == "":
                queue = next(iter(data.setdefault("queues", {"q": {}}).values()))
                queue.setdefault("agents", {})[name] = 1
                continue
            section = kind if kind == "pbx" else f"{kind}s"
            made = MADE.get(kind, {})
            data.setdefault(section, {})[name] = dict(made)
    raise AssertionError("what it names does not come to an end")


MADE: Mapping[str, Mapping[str, str]] = {
    "pbx": {"driver": "simulated"},
    "destination": {"webhook": "https://a.example.com", "secret": "${A_HOOK_SECRET}"},
}


class _Plain(yaml.SafeLoader):
    """As callrouter reads: a date is a text, and so is 12:30."""


_Plain.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

EXAMPLES = [*blocks(), *commented()]


def test_there_are_examples() -> None:
    assert len(list(blocks())) >= 10
    assert len(list(commented())) >= 3


@pytest.mark.parametrize(("where", "text"), EXAMPLES, ids=[where for where, _ in EXAMPLES])
def test_an_example_loads_and_takes_effect(tmp_path: Path, where: str, text: str) -> None:
    if re.search("^config: database$", text, re.MULTILINE):  # all else is in the database
        assert bootstrap_of(tmp_path, text.encode(), Environ()).database
        return
    settings = completed(tmp_path, text)
    vain = [
        str(warning)
        for warning in settings.warnings
        if "shift" in warning.text and VAIN.search(warning.text)
    ]
    assert vain == []


def test_the_sample_files_explain_every_key() -> None:
    samples = "\n".join(path.read_text("utf-8") for path in (ROOT / "config").glob("*.yaml"))
    missing = {
        ".".join((*place, key))
        for place, group in walk(RootOptions)
        for key in (written.alias or name for name, written in group.model_fields.items())
        if not re.search(rf"\b{key}\b", samples)
    }
    assert missing == set()


@pytest.mark.parametrize("folder", ["config"])
def test_the_sample_files_are_good(folder: str) -> None:
    settings = load(ROOT / folder, environ=Environ())
    assert not [w for w in settings.warnings if "never" in w.text]


def test_a_shift_at_whose_hours_the_queue_is_closed(tmp_path: Path) -> None:
    text = """
queues:
  support:
    hours: mon-fri 09:00-17:30
    agents: {alice: 1}
    shifts:
      - {hours: mon-fri 17:30-21:00, agents: {dave: 1}}
      - {hours: mon-fri 17:00-21:00, agents: {dave: 1}}
"""
    warnings: Mapping[int, str] = {w.line: w.text for w in completed(tmp_path, text).warnings}
    found = [text for text in warnings.values() if "shift" in text]
    assert found == ["this shift never serves: the queue is closed at its hours"]
