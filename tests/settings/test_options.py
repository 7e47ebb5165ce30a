"""Every option is declared once, and from that it is built, described, and in the reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter

from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.model.ivr import PhoneCodes
from callrouter.model.routing_table import (
    AgentSpec,
    AnnounceSpec,
    DeviceSpec,
    PauseSpec,
    QueueSpec,
    ShiftSpec,
    WidenStep,
)
from callrouter.settings import (
    ApiToken,
    AsteriskSettings,
    ServiceLevel,
    SimulatedSettings,
    TwilioSettings,
    UserSettings,
    changes,
)
from callrouter.settings.errors.hiding import is_secret
from callrouter.settings.errors.problems import Findings, Source
from callrouter.settings.loaded import (
    ClusterSettings,
    HistorySettings,
    NumberRetention,
    SocketSettings,
)
from callrouter.settings.reference import reference
from callrouter.settings.schema.agent_options import AgentOptions, DeviceOptions, PauseOptions
from callrouter.settings.schema.cluster_options import ClusterOptions
from callrouter.settings.schema.options import OptionGroup, option, options_of, walk
from callrouter.settings.schema.pbx_options import (
    AsteriskOptions,
    SimulatedOptions,
    TwilioOptions,
)
from callrouter.settings.schema.queue_options import (
    AnnounceOptions,
    QueueOptions,
    ServiceLevelOptions,
    ShiftOptions,
    WidenStepOptions,
)
from callrouter.settings.schema.root_options import (
    ApiTokenOptions,
    CodesOptions,
    HistoryNumbersOptions,
    HistoryOptions,
    NumbersOptions,
    RootOptions,
    SocketOptions,
    UserOptions,
)
from callrouter.settings.yaml.reader import YamlReader
from callrouter.settings.yaml.substitution import takes
from tests.settings.cases import CONFIG, loaded

DOCS = Path(__file__).parents[2] / "docs"
EVERY = sorted({group for _, group in walk(RootOptions)}, key=lambda group: group.__name__)


def every_option() -> Iterator[Any]:
    for group in EVERY:
        for name, declared in options_of(group).items():
            yield pytest.param(group, name, declared, id=f"{group.__name__}.{name}")


@pytest.mark.parametrize(("group", "name", "declared"), list(every_option()))
def test_an_example_is_a_valid_value(group: type[OptionGroup], name: str, declared: Any) -> None:
    findings = Findings()
    source = Source("example.yaml", [])
    read = YamlReader(source, lambda text, _: f"{text}-replaced", findings).read(
        f"key: {declared.example}\n"
    )
    assert read is not None
    assert not findings.errors
    field = group.model_fields[name]
    assert field.description
    kind: Any = (
        Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    )
    TypeAdapter(kind).validate_python(read["key"])


# ---------------------------------------------------------------- options and specs

SPECS: list[tuple[type[OptionGroup], Any, set[str]]] = [
    (QueueOptions, QueueSpec, {"id"}),
    (ShiftOptions, ShiftSpec, set()),
    (WidenStepOptions, WidenStep, set()),
    (AnnounceOptions, AnnounceSpec, set()),
    (ServiceLevelOptions, ServiceLevel, set()),
    (AgentOptions, AgentSpec, {"id", "zone"}),
    (DeviceOptions, DeviceSpec, {"id", "agent", "addresses", "homes", "watch_answer"}),
    (PauseOptions, PauseSpec, {"reason"}),
    (AsteriskOptions, AsteriskSettings, {"id", "dial_numbers", "queue_log", "home", "ca"}),
    (TwilioOptions, TwilioSettings, {"id", "phone_codes"}),
    (SimulatedOptions, SimulatedSettings, {"id"}),
    (NumbersOptions, NumberSettings, set()),
    (CodesOptions, PhoneCodes, set()),
    (SocketOptions, SocketSettings, set()),
    (ClusterOptions, ClusterSettings, set()),
    (HistoryOptions, HistorySettings, {"numbers"}),
    (HistoryNumbersOptions, NumberRetention, set()),
    (UserOptions, UserSettings, {"id"}),
    (ApiTokenOptions, ApiToken, set()),
]


@pytest.mark.parametrize(("group", "spec", "derived"), SPECS)
def test_options_and_attributes_belong_together(
    group: type[OptionGroup], spec: Any, derived: set[str]
) -> None:
    """An option without an attribute, or an attribute without an option, is one that was forgotten."""
    attributes = {
        declared.attribute or name
        for name, declared in options_of(group).items()
        if declared.attribute is not None
    }
    assert attributes | derived == {field.name for field in fields(spec)}
    assert not attributes & derived


def test_an_option_that_is_not_declared_is_noticed() -> None:
    class Forgetful(OptionGroup):
        known: int = option(1, "One.", example="2")
        forgotten: int = 2

    with pytest.raises(TypeError, match=r"Forgetful\.forgotten is not declared"):
        options_of(Forgetful)


# ---------------------------------------------------------------- options and `diff`

PBX = """
pbx:
  north: {driver: asterisk, username: u, secret: s, dial_number: "PJSIP/{number}@c"%s}
  office: {driver: asterisk, username: u, secret: s}
  cloud: {driver: twilio, account_sid: AC00000000000000000000000000000000, auth_token: t,
          public_url: "https://a.example.com", numbers: {"+442079460001": sales},
          caller_id: "+442079460001"%s}
"""
AGENTS = """
agents:
  alice: {devices: {desk: {pbx: north, endpoint: PJSIP/9%s}}%s}
  bob: {devices: {desk: {pbx: north, endpoint: PJSIP/2}}}
  carol: {devices: {desk: {pbx: north, endpoint: PJSIP/3}}}
"""
QUEUES = """
queues:
  support: {%s}
  sales: {agents: [carol]}
"""
WITH: dict[tuple[type[OptionGroup], str], str] = {
    (QueueOptions, "ring_all"): "at_once: all",
    (QueueOptions, "holidays"): "hours: mon-fri 09:00-17:00",
    (DeviceOptions, "accept_within"): "confirm: true",
    (AsteriskOptions, "show"): 'caller_id: "+442079460000"',
    (TwilioOptions, "api_key"): "api_secret: s",
    (TwilioOptions, "api_secret"): "api_key: SKd41d8cd98f00b204e9800998ecf8427e",
}
"""What must be written as well."""
SAID = {
    "agents": "joins",
    "shifts": "shift",
    "widen": "widens",
    "skills": "skill",
    "pin": "PIN",
    "endpoint": "device desk",
    "number": "device desk",
    "dial": "device desk",
    "devices": "device",
    "ca": "tls",
}
"""The word that names it, where that is not its key."""
NO_LINE = {
    QueueOptions: {"record", "renamed_from"},  # not built; see test_renames
    AgentOptions: {"renamed_from", "enabled", "devices"},  # see test_renames and test_diff
    DeviceOptions: {"enabled"},
    AsteriskOptions: {"driver"},
    TwilioOptions: {"driver"},
}


REPLACED: dict[tuple[type[OptionGroup], str], str] = {
    (DeviceOptions, "endpoint"): ", endpoint: PJSIP/9",
    (DeviceOptions, "number"): ", endpoint: PJSIP/9",
    (DeviceOptions, "dial"): ", endpoint: PJSIP/9",
    (DeviceOptions, "pbx"): "pbx: north, ",
    (AsteriskOptions, "username"): " username: u,",
    (AsteriskOptions, "secret"): " secret: s,",
    (AsteriskOptions, "dial_number"): ', dial_number: "PJSIP/{number}@c"',
    (TwilioOptions, "account_sid"): " account_sid: AC00000000000000000000000000000000,",
    (TwilioOptions, "auth_token"): " auth_token: t,",
    (TwilioOptions, "public_url"): 'public_url: "https://a.example.com",',
    (TwilioOptions, "numbers"): ' numbers: {"+442079460001": sales},',
    (TwilioOptions, "caller_id"): ',\n          caller_id: "+442079460001"',
}
"""What an option replaces in the files above."""


def changed_options() -> Iterator[Any]:
    for group, without in NO_LINE.items():
        for name, declared in options_of(group).items():
            if name not in without:
                yield pytest.param(group, name, declared, id=f"{group.__name__}.{name}")


def texts(group: type[OptionGroup], *written: str) -> dict[str, str]:
    """The files above with these keys in a mapping of the group."""
    more = "".join(f", {part}" for part in written)
    found = {
        kind: more if kind is group else ""
        for kind in (AsteriskOptions, TwilioOptions, DeviceOptions, AgentOptions)
    }
    queue = ", ".join(written) if group is QueueOptions else "agents: [alice, bob]"
    return {
        "pbx": PBX % (found[AsteriskOptions], found[TwilioOptions]),
        "agents": AGENTS % (found[DeviceOptions], found[AgentOptions]),
        "queues": QUEUES % queue,
    }


def in_flow(example: str) -> str:
    """The example as it is written inside braces."""
    return f'"{example}"' if "$" in example or "/{" in example else example


@pytest.mark.parametrize(("group", "name", "declared"), list(changed_options()))
def test_a_changed_option_takes_effect_and_is_described(
    tmp_path: Path, group: type[OptionGroup], name: str, declared: Any
) -> None:
    """An option that the builder or `diff` does not know makes no line here."""
    environ = dict.fromkeys(
        (
            "CALLROUTER_AMI_SECRET",
            "TWILIO_AUTH_TOKEN",
            "TWILIO_OTHER_AUTH_TOKEN",
            "TWILIO_API_SECRET",
        ),
        "from-the-environment",
    )
    also = [WITH[group, name]] if (group, name) in WITH else []
    old, new = texts(group), texts(group, *also, f"{name}: {in_flow(declared.example)}")
    part = {AsteriskOptions: "pbx", TwilioOptions: "pbx", DeviceOptions: "agents"}.get(group, "")
    if there := REPLACED.get((group, name)):
        assert there in new[part]
        new[part] = new[part].replace(there, "", 1)  # a key must not be written twice
    found = changes(loaded(tmp_path, environ, None, **old), loaded(tmp_path, environ, None, **new))
    assert any(SAID.get(name, name) in line for line in found), found
    if declared.restart:
        assert all(line.endswith(" (needs a restart)") for line in found), found


# ---------------------------------------------------------------- the reference page


def test_the_reference_page_is_current() -> None:
    assert (DOCS / "reference.md").read_text("utf-8") == reference(), (
        "run: python -m callrouter.settings.reference docs/reference.md"
    )


def test_every_key_is_in_the_reference() -> None:
    page = reference()
    for group in EVERY:
        for name in options_of(group):
            key = group.model_fields[name].alias or name
            assert f"\n| `{key}` |" in page


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (QueueOptions, "queues.yaml"),
        (AgentOptions, "agents.yaml"),
        (DeviceOptions, "agents.yaml"),
        (AsteriskOptions, "callrouter.yaml"),
        (TwilioOptions, "callrouter.yaml"),
        (NumbersOptions, "callrouter.yaml"),
        (HistoryOptions, "callrouter.yaml"),
    ],
)
def test_every_key_is_in_the_sample_files(group: type[OptionGroup], name: str) -> None:
    sample = (CONFIG / name).read_text("utf-8")
    for key in options_of(group).keys() - {"record"}:  # which does nothing in this version
        assert re.search(rf"^[# ]*(?:- )?{key}\b", sample, re.MULTILINE), key


def test_secrets_come_from_the_environment_and_are_hidden() -> None:
    for path, group in walk(RootOptions):
        keys = [
            part.replace("*", "x")
            for part in path
            if path[:2] != ("http", "api_tokens") or part != "*"
        ]
        for name, declared in options_of(group).items():
            if declared.example.startswith("${"):
                assert declared.secret
                assert takes((*keys, name))
                assert is_secret(name)
