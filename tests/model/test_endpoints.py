"""What a phone is, read from how it is written."""

from __future__ import annotations

import pytest

from callrouter.model import endpoints
from callrouter.model.endpoints import EndpointKind


@pytest.mark.parametrize(
    ("written", "text", "line", "device"),
    [
        ("PJSIP/1001", "PJSIP/1001", EndpointKind.PHONE, "PJSIP/1001"),
        ("pjsip/anna.b-2", "PJSIP/anna.b-2", EndpointKind.PHONE, "PJSIP/anna.b-2"),
        ("PJSIP/2004@branch", "PJSIP/2004@branch", EndpointKind.TRUNK, "PJSIP/branch"),
        ("PJSIP/branch/sip:2004@h", "PJSIP/branch/sip:2004@h", EndpointKind.TRUNK, "PJSIP/branch"),
        ("iax2/1002", "IAX2/1002", EndpointKind.PHONE, "IAX2/1002"),
        ("IAX2/me@branch/2004", "IAX2/me@branch/2004", EndpointKind.TRUNK, "IAX2/branch"),
        ("dahdi/g1/5551234", "DAHDI/g1/5551234", EndpointKind.TRUNK, "DAHDI/g1"),
        ("LOCAL/1@ctx", "Local/1@ctx", EndpointKind.ROUTE, "Local/1@ctx"),
        ("Local/*78@from-internal/n", "Local/*78@from-internal/n", EndpointKind.ROUTE, "Local/*78@from-internal"),
        ("Dongle/d0", "Dongle/d0", EndpointKind.PHONE, "Dongle/d0"),
    ],
)  # fmt: skip
def test_what_an_endpoint_is(written: str, text: str, line: EndpointKind, device: str) -> None:
    found = endpoints.read(written)
    assert (found.text, found.kind, found.device) == (text, line, device)
    assert found.may_forward is (line is not EndpointKind.PHONE)


@pytest.mark.parametrize(
    "written",
    ["", "1001", "PJSIP/", "SIP/1001", "sip/1", "Local/1001", "Local/1@", "Local/1@c/x", "PJSIP/1@@b",
     "PJSIP/1/2", "PJSIP/1:2", "Custom:DND1", "custom/DND1", "hint/1", "PJSIP/1&PJSIP/2", "PJSIP/1\n"],
)  # fmt: skip
def test_what_is_none(written: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        endpoints.read(written)


def test_states() -> None:
    assert endpoints.state_source("hint:1001@ext-local") == "hint:1001@ext-local"
    assert endpoints.state_source("Custom:DND1001") == "Custom:DND1001"
    assert endpoints.state_source("pjsip/1001") == "PJSIP/1001"
    assert endpoints.hint_of("hint:*1@a_b") == ("*1", "a_b")
    assert endpoints.hint_of("Custom:x") is None
    for odd in (
        "hint:1001",
        "hint:@x",
        "HINT:1@x",
        "1001",
        "Custom:",
        "Custom:a b",
        "PJSIP/1)&SHELL(",
    ):
        with pytest.raises(ValueError, match="state"):
            endpoints.state_source(odd)


def test_the_devices_of_a_hint() -> None:
    hint = "PJSIP/1001&PJSIP/991001&Custom:DND1001,CustomPresence:1001"
    assert endpoints.devices_of(hint) == ("PJSIP/1001", "PJSIP/991001", "Custom:DND1001")
    assert endpoints.devices_of("") == ()
    assert endpoints.on_a_phone("PJSIP/1001")
    assert not endpoints.on_a_phone("Custom:DND1001")
