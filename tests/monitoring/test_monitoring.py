"""The board and the alert rules that are shipped: they load, and speak of metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.daemon.process import ROOT, Place, started, until
from tests.monitoring.promtool import NoPromtoolError, find_promtool

MONITORING = ROOT / "config/monitoring"
BOARD: dict[str, Any] = json.loads((MONITORING / "grafana.json").read_text("utf-8"))
RULES = [
    rule
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
SCENE = {"calls": [["office-1.1", "support", "+442079460018", "Ann"]], "talk": 0.2}
_NAME = re.compile(r"\bcallrouter_[a-z_]+")
_SELECTOR = re.compile(r"(callrouter_[a-z_]+)\{([^{}]*)\}")
_LABEL = re.compile(r'([a-z_]+)(?:=~|!~|!=|=)"')
_BY = re.compile(r"(?:by|on) \(([a-z_, ]+)\)")
GIVEN_BY_PROMETHEUS = {"instance", "job"}


def expressions() -> Iterator[str]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in BOARD["templating"]["list"]:
        yield variable.get("definition", "")
    for note in BOARD["annotations"]["list"]:
        yield note["expr"]
    for rule in RULES:
        yield rule["expr"]


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """The names in a real answer of ``/metrics``, of families and samples, with their labels."""
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        place = Place(Path(folder))
        place.write("log", "queue_log: file\n")
        place.replace("callrouter", "role: supervisor", "role: metrics")
        place.replace(
            "queues",
            "on_nobody: wait}\n",
            "on_nobody: wait, service_level: {within: 20s, target: 80}}\n",
        )
        with started(place, SCENE):
            assert place.call("agent", "alice", "sign-in").returncode == 0
            until(lambda: "callrouter_talk_seconds_count" in scrape(place))
            text = scrape(place)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        parts = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
        found |= {f"{name}{part}": set() for part in parts}
        for sample in family.samples:
            found[sample.name].update(sample.labels)
    return found


def scrape(place: Place) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{place.port}/metrics",
        headers={"Authorization": "Bearer 0123456789abcdef"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def test_every_metric_that_is_named_is_in_a_real_answer(labels: dict[str, set[str]]) -> None:
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    named = {name for text in expressions() for name in _NAME.findall(text)}
    assert len(named) > 25
    assert named - labels.keys() - recorded == set()


def test_every_label_that_is_asked_for_is_on_its_metric(labels: dict[str, set[str]]) -> None:
    every = set[str]().union(*labels.values()) | GIVEN_BY_PROMETHEUS
    asked = 0
    for text in expressions():
        for name, selector in _SELECTOR.findall(text):
            if labels[name]:  # a family without a sample shows no labels
                asked += 1
                assert set(_LABEL.findall(selector)) <= labels[name] | GIVEN_BY_PROMETHEUS, text
        for grouped in _BY.findall(text):
            missing = {label.strip() for label in grouped.split(",")} - every
            assert missing <= {"le", "why", "kind", "what", "destination"}, text
    assert asked > 20


def test_the_board_is_whole() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert {panel["type"] for panel in PANELS} == {"stat", "timeseries", "heatmap", "table"}
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
    variables = {variable["name"] for variable in BOARD["templating"]["list"]}
    for panel in PANELS:
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        refs = [target["refId"] for target in panel["targets"]]
        assert refs == sorted(set(refs)), panel["title"]
        used = set(re.findall(r"\$\{?([a-z_]+)", json.dumps(panel)))
        assert used - {"__rate_interval", "__all"} <= variables, panel["title"]


def test_every_alert_says_how_grave_it_is_and_what_it_means() -> None:
    alerts = [rule for rule in RULES if "alert" in rule]
    assert len(alerts) > 10
    for rule in alerts:
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return find_promtool()
    except NoPromtoolError as why:
        pytest.skip(str(why))


@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", "--lint-fatal", "alerts.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_promtool_loads_and_tries_the_rules(
    promtool: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    for file in (*MONITORING.glob("*.yml"), Path(__file__).with_name("alerts_test.yml")):
        shutil.copy(file, tmp_path)
    done = subprocess.run(
        [promtool, *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
