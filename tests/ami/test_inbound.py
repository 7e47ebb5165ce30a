"""Which patterns `doctor` calls loose_patterns, from what the action `ShowDialPlan` lists."""

from __future__ import annotations

import pytest

from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.ami.messages import parse
from callrouter.pbx.asterisk.diagnostics.inbound_checks import loose_patterns


def row(pattern: str, data: str, context: str = "from-trunk", app: str = "Goto") -> AmiMessage:
    return parse(
        f"Event: ListDialplan\r\nContext: {context}\r\nExtension: {pattern}\r\nPriority: 1\r\n"
        f"Application: {app}\r\nAppData: {data}\r\nRegistrar: pbx_config".encode()
    )


@pytest.mark.parametrize(
    ("pattern", "data", "app"),
    [
        ("_X.", "callrouter,${EXTEN},1", "Goto"),
        ("_.", "callrouter,support,1", "Goto"),
        ("_+X!", "callrouter,support,1", "Gosub"),
        ("_[a-z].", '$["${X}" = "1"]?callrouter,support,1', "GotoIf"),
        ("_X.", "callrouter-codes,register,1", "Goto"),
    ],
)
def test_loose(pattern: str, data: str, app: str) -> None:
    assert loose_patterns([row(pattern, data, app=app)] * 2) == [("from-trunk", pattern)]


@pytest.mark.parametrize(
    ("pattern", "data", "context"),
    [
        ("_XXXX", "callrouter,support,1", "from-trunk"),
        ("442079460000", "callrouter,support,1", "from-trunk"),
        ("_X.", "other,support,1", "from-trunk"),
        ("_X.", "mycallrouter,support,1", "from-trunk"),
        ("_[a-z0-9]!", "callrouter-hold,x,1", "callrouter"),
    ],
)
def test_not_loose(pattern: str, data: str, context: str) -> None:
    assert loose_patterns([row(pattern, data, context)]) == []
