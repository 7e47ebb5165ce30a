"""What a desk phone shows of a call."""

from __future__ import annotations

import pytest

from callrouter.model.display import fault, shown

CALL = {"queue": "Support", "name": "Jane", "number": "0207", "tag": "gold", "waited": 125.9}


@pytest.mark.parametrize(
    ("template", "changes", "result"),
    [
        ("{queue}: {name}", {}, "Support: Jane"),
        ("{queue}: {name}", {"name": ""}, "Support: 0207"),
        ("{queue}: {name}", {"name": "", "number": ""}, "Support: anonymous"),
        ("{wait} {tag} {number}", {}, "2:05 gold 0207"),
        ("{wait}", {"waited": -1.0}, "0:00"),
        ("{name}", {"name": "{tag}{queue}"}, "{tag}{queue}"),
        ("plain", {}, "plain"),
    ],
)
def test_what_is_shown(template: str, changes: dict[str, str], result: str) -> None:
    assert shown(template, **{**CALL, **changes}) == result  # type: ignore[arg-type]


def test_what_is_no_template() -> None:
    assert fault("{queue}: {name}, {number}, {tag}, {wait}") == ""
    assert fault("{que}") == "there is no field {que}"
    assert fault("{}") == "there is no field {}"
    for odd in ("{", "}", "{name", "name}", "{{name}}"):
        assert fault(odd)
