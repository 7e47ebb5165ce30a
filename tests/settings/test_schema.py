"""The JSON Schema that is shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from callrouter.settings import json_schema, write_schema
from tests.settings.cases import CONFIG


def test_the_shipped_schema_is_current(tmp_path: Path) -> None:
    write_schema(tmp_path / "now.json")
    shipped = (CONFIG / "callrouter.schema.json").read_text("utf-8")
    assert shipped == (tmp_path / "now.json").read_text("utf-8"), (
        "run: python -c 'from callrouter.settings import *; import pathlib;"
        ' write_schema(pathlib.Path("config/callrouter.schema.json"))\''
    )
    assert json.loads(shipped) == json_schema()


def test_every_key_is_described_and_no_other_allowed() -> None:
    def check(node: Any) -> None:
        if isinstance(node, dict):
            for key, value in node.get("properties", {}).items():
                assert value.get("description"), key
            if node.get("type") == "object":
                assert node["additionalProperties"] is False
            assert not {"ge", "le", "gt"} & node.keys()
            for value in node.values():
                check(value)
        elif isinstance(node, list):
            for value in node:
                check(value)

    check(json_schema())
