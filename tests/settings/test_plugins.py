"""Policies of other packages: a tiny distribution on sys.path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callrouter import policies
from callrouter.settings import load
from callrouter.settings.builders import policy_plugins
from callrouter.settings.builders.policy_plugins import PluginError, load_policies

GOOD = """
class Best:
    name = "best"
    draws = False
    rings_all = False

    def rank(self, candidate, needs):
        return candidate.level * 2
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty place for packages, and a registry that is put back as it was."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = dict(policies.REGISTRY)
    monkeypatch.setattr(policy_plugins, "_loaded", set())
    yield tmp_path
    policies.REGISTRY.clear()
    policies.REGISTRY.update(before)


def distribution(site: Path, name: str, module: str, code: str, points: str) -> None:
    (site / f"{module}.py").write_text(code)
    info = site / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[callrouter.policies]\n{points}\n")


def test_a_policy_of_another_package(site: Path) -> None:
    distribution(site, "acme-policies", "acme_one", GOOD, "best = acme_one:Best")
    load_policies()
    load_policies()
    assert "best" in policies.known()
    folder = site / "config"
    folder.mkdir()
    (folder / "a.yaml").write_text(
        "pbx: {office: {driver: simulated}}\n"
        "agents: {ann: {devices: {desk: PJSIP/1}}}\n"
        "queues: {q: {policy: best, agents: [ann], on_nobody: wait}}\n"
    )
    assert load(folder, environ={}).table.queues["q"].policy == ("best",)


@pytest.mark.parametrize(
    ("code", "point", "text"),
    [
        ("raise OSError('no licence')", "best = {m}:Best", "cannot be loaded: no licence"),
        ("", "best = {m}:Best", "cannot be loaded: module '{m}' has no attribute 'Best'"),
        ("Best = 5", "best = {m}:Best", "has no 'draws'"),
        (GOOD, "random = {m}:Best", "comes with callrouter and can't be replaced"),
        (GOOD.replace("candidate.level * 2", "'x'"), "best = {m}:Best", "its rank is 'x'"),
        (GOOD.replace("candidate.level", "candidate.age"), "best = {m}:Best", "'age'"),
    ],
)
def test_a_broken_one_is_named(site: Path, code: str, point: str, text: str) -> None:
    module = f"acme_{abs(hash((code, point)))}"
    distribution(site, "acme-policies", module, code, point.format(m=module))
    with pytest.raises(PluginError) as caught:
        load_policies()
    assert "of package acme-policies 1.2" in str(caught.value)
    assert text.format(m=module) in str(caught.value)
    assert "best" not in policies.known()


def test_two_packages_with_one_name(site: Path) -> None:
    distribution(site, "acme", "acme_two", GOOD, "best = acme_two:Best")
    distribution(site, "apex", "apex_two", GOOD, "best = apex_two:Best")
    with pytest.raises(PluginError, match="another package brings a policy of this name"):
        load_policies()
