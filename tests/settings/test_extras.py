"""What only some installations need: a missing one is a mistake, and the command that mends it is named."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from callrouter.settings import extras
from tests.settings.cases import loaded, told

ROOT = Path(__file__).parents[2]
CLOUD = """\
pbx:
  cloud: {driver: twilio, account_sid: AC00000000000000000000000000000001,
    auth_token: "00000000000000000000000000000002", public_url: "https://x.example",
    numbers: {"+442079460000": support}, caller_id: "+442079460000"}
"""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without any extra."""
    monkeypatch.setattr(extras, "find_spec", lambda _: None)


@pytest.mark.usefixtures("bare")
def test_postgresql_without_its_driver(tmp_path: Path) -> None:
    [said] = told(tmp_path, rest="database: 'postgresql://u:hunter@localhost/d'\n")
    assert "rest.yaml:1:11: PostgreSQL needs psycopg, which is not installed here" in said
    assert f"{sys.executable} -m pip install 'psycopg[binary]>=3.2'" in said
    assert "hunter" not in said


@pytest.mark.usefixtures("bare")
def test_twilio_without_its_library(tmp_path: Path) -> None:
    [said] = [one for one in told(tmp_path, pbx=CLOUD) if "driver twilio" in one]
    assert "driver twilio needs twilio, which is not installed here" in said
    assert f"{sys.executable} -m pip install 'twilio>=9.13,<10'" in said


@pytest.mark.usefixtures("bare")
def test_nothing_is_missed_that_is_not_used(tmp_path: Path) -> None:
    assert loaded(tmp_path).warnings == ()
    assert extras.installed() == ""


def test_psycopg_without_libpq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if "_" in name else object())
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    [said] = told(tmp_path, rest="database: 'postgresql://u@localhost/d'\n")
    assert "PostgreSQL needs libpq, which is not installed here" in said
    monkeypatch.setattr("ctypes.util.find_library", lambda _: "libpq.so.5")
    loaded(tmp_path, rest="database: 'postgresql://u@localhost/d'\n")


def test_what_is_named_is_what_the_package_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra, requirements in extras.REQUIREMENTS.items():
        assert project["optional-dependencies"][extra] == list(requirements)


@pytest.mark.usefixtures("bare")
def test_an_extra_of_two_packages_names_both() -> None:
    assert extras.lacks("reports") == "xlsxwriter and matplotlib, which are not installed here"
    assert extras.remedy("reports").endswith("-m pip install 'XlsxWriter>=3.2' 'matplotlib>=3.10'")


def test_what_is_installed_is_told_as_pip_takes_it() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from callrouter.settings import extras; print(extras.installed())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("[postgres,twilio")
    assert done.stderr == ""
