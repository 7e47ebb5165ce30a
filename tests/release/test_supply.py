"""What is installed is what was looked at: versions with digests, and a list of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest

from release.sbom import TOP, bill, normal, pinned

LOCKS = ("requirements.lock", "production.lock", "bench/requirements.lock")
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> set[str]:
    cut = str.maketrans(dict.fromkeys("[<>=;! ", "\0"))
    return {normal(text.translate(cut).partition("\0")[0]) for text in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_digests_of_its_files(lock: str) -> None:
    text = (TOP / lock).read_text()
    packages = list(pinned(text))
    assert len(packages) == text.count("==") - text.count(" == ")
    for package in packages:
        assert package.digests, package.name
        assert len(set(package.digests)) == len(package.digests)


def test_the_locks_have_all_that_is_needed() -> None:
    extras = PROJECT["optional-dependencies"]
    production = {package.name: package.version for package in pinned((TOP / LOCKS[1]).read_text())}
    tests = {package.name: package.version for package in pinned((TOP / LOCKS[0]).read_text())}
    run = names(PROJECT["dependencies"])
    used = {
        name
        for each in ("twilio", "postgres", "fast", "reports", "oidc")
        for name in names(extras[each])
    }
    assert run | used <= production.keys()
    assert run | names(extras["test"]) | {"hatchling", "editables"} <= tests.keys()
    for name in production.keys() & tests.keys():
        assert production[name] == tests[name]
    assert not {"pytest", "ruff", "hypothesis"} & production.keys()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_package_is_pinned_with_the_extras_that_others_ask_for(lock: str) -> None:
    """With digests, pip takes `coverage[toml]` only where it is pinned as such."""
    text = (TOP / lock).read_text()
    for package in pinned(text):
        with suppress(PackageNotFoundError):
            for needed in requires(package.name) or ():
                asked = re.match(r"([\w.-]+)\[([\w,-]+)\]", needed)
                if asked and "extra ==" not in needed:
                    assert f"\n{normal(asked[1])}[{asked[2]}]==" in text, (
                        f"{package.name}: {needed}"
                    )


def test_the_bill_of_materials() -> None:
    view = bill((TOP / LOCKS[1]).read_text(), PROJECT, 1_795_000_000.0)
    assert (view["bomFormat"], view["specVersion"]) == ("CycloneDX", "1.6")
    refs = {item["bom-ref"] for item in view["components"]} | {
        view["metadata"]["component"]["bom-ref"]
    }
    assert len(refs) == len(view["components"]) + 1
    for link in view["dependencies"]:
        assert link["ref"] in refs
        assert set(link["dependsOn"]) <= refs
    needed, found = [view["dependencies"][0]["ref"]], set()
    links = {link["ref"]: link["dependsOn"] for link in view["dependencies"]}
    while needed:
        ref = needed.pop()
        if ref not in found:
            found.add(ref)
            needed += links[ref]
    # Nothing stands there that nothing needs, but for what is needed on other systems.
    assert {ref.partition("@")[0] for ref in refs - found} <= {"pkg:pypi/tzdata"}
    aiohttp = next(item for item in view["components"] if item["name"] == "aiohttp")
    assert aiohttp["licenses"]
    assert view == bill((TOP / LOCKS[1]).read_text(), PROJECT, 1_795_000_000.0)


def test_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "release.sbom"], check=True, capture_output=True, cwd=TOP
    )
    assert json.loads(done.stdout)["metadata"]["component"]["name"] == "callrouter"


def test_an_installation_finds_its_lock() -> None:
    built = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    inside = built["targets"]["wheel"]["force-include"]
    assert inside["production.lock"] == "callrouter/shipped/production.lock"
    assert Path(TOP / "production.lock").is_file()
