"""The AMI client is a package of its own: it knows nothing of callrouter, and its README's example works."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from callrouter.pbx.asterisk import ami
from tests.ami.fake import SECRET, FakeAmi, Received, message, serving

FOLDER = Path(ami.__file__).parent
PACKAGE = ami.__name__


def imports(path: Path) -> set[str]:
    """The modules that a file imports, those for type checkers included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_it_imports_nothing_of_the_rest(path: Path) -> None:
    for name in imports(path):
        assert name.startswith(f"{PACKAGE}.") or not name.startswith("callrouter"), name
        assert not name.startswith("panoramisk") or path.name == "panoramisk_parts.py"


def test_the_readme_names_every_file() -> None:
    text = (FOLDER / "README.md").read_text()
    files = {path.name for path in FOLDER.glob("*.py")} - {"__init__.py"}
    assert files == set(re.findall(r"`(\w+\.py)`", text))


async def test_the_example_in_the_readme_works(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(action: Received) -> bytes:
        if action.name != "Status":
            return action.reply()
        action_id = f"ActionID: {action.get('ActionID')}"
        row = message(
            "Event: Status",
            "Channel: PJSIP/1001-1",
            "ChannelStateDesc: Up",
            "Uniqueid: 1.1",
            action_id,
        )
        end = message("Event: StatusComplete", "EventList: Complete", "ListItems: 1", action_id)
        return action.reply("EventList: start") + row + end

    [example] = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    example = example.replace('"secret"', repr(SECRET))
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    async with serving(FakeAmi(answer=answer)) as fake:
        await names["main"](fake.port)
    assert capsys.readouterr().out.splitlines()[0] == "PJSIP/1001-1 Up"
    assert fake.names[-1] == "Logoff"
