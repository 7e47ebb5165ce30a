"""The page's files: served to everyone as they are, under a policy that lets nothing else in."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from callrouter.api.routes.page_routes import FOLDER, POLICY, page_files
from release.vendor_page import LOCK, TARGET
from tests.api.world import Client
from tests.reports.test_definitions import COLUMNS

SCRIPTS = sorted((FOLDER / "app").glob("*.js"))
LANGUAGES = sorted((FOLDER / "lang").glob("*.json"))


async def test_it_is_open_and_fenced(stranger: Client) -> None:
    answer = await stranger.get("/")
    assert answer.status == 200
    assert answer.content_type == "text/html"
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("name", sorted(page_files()))
async def test_each_file_comes_whole_and_once(stranger: Client, name: str) -> None:
    answer = await stranger.get(f"/page/{name}")
    assert answer.status == 200
    assert await answer.read() == (FOLDER / name).read_bytes(), "unpacked by the client"
    again = await stranger.get(f"/page/{name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "../context.py",
        "app/../../context.py",
        "%2e%2e/context.py",
        "app",
        "app/",
        "x",
        "app/api.js/",
        "app\\api.js",
        "a" * 900,
    ],
)
async def test_nothing_else_is_served(stranger: Client, name: str) -> None:
    answer = await stranger.get(f"/page/{name}")
    assert answer.status in {400, 401, 404}
    assert b"import" not in await answer.read()


def test_nothing_stands_inline_and_nothing_comes_from_elsewhere() -> None:
    html = (FOLDER / "index.html").read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert "<style" not in html
    assert not re.search(r"\son\w+=|style=", html)
    for path in [*SCRIPTS, FOLDER / "style.css", FOLDER / "index.html"]:
        text = path.read_text("utf-8")
        assert "://" not in re.sub(r"\$\{scheme\}://\$\{location", "", text), path
        assert not re.search(r"\beval\b|innerHTML|dangerouslySet|new Function", text), path


def test_the_vendored_modules_are_those_of_the_lock() -> None:
    lines = [line.split() for line in LOCK.read_text("utf-8").splitlines()]
    assert {name for _, name in lines} == {path.name for path in TARGET.iterdir()}
    for digest, name in lines:
        assert hashlib.sha256((TARGET / name).read_bytes()).hexdigest() == digest


def test_every_language_has_every_word() -> None:
    words = {path.stem: json.loads(path.read_text("utf-8")) for path in LANGUAGES}
    assert words.keys() == {"ar", "en", "zh"}
    for name, found in words.items():
        assert found.keys() == words["en"].keys(), name
        for key, text in found.items():
            forms = text.values() if isinstance(text, dict) else [text]
            wanted = variables(words["en"][key])
            for form in forms:
                assert form.strip()
                assert variables(form) <= wanted, (name, key)
    assert set(words["ar"]["more"]) == {"zero", "one", "two", "few", "many", "other"}


def variables(text: object) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", json.dumps(text)))


def test_every_word_that_is_used_is_in_the_catalogue() -> None:
    words = json.loads((FOLDER / "lang" / "en.json").read_text("utf-8"))
    code = "".join(path.read_text("utf-8") for path in SCRIPTS)
    fixed = set(re.findall(r'\bt\(\s*"([^"]+)"', code))
    # A key may be chosen first: t(busy ? "one" : "other").
    chosen = set(re.findall(r'"([\w.?-]+)"', code))
    begun = set(re.findall(r"\b(?:t|wordFor)\(`([\w.-]+\.)\$\{", code))
    assert fixed <= words.keys()
    for key in words:
        assert key in fixed | chosen or any(key.startswith(part) for part in begun), (
            f"{key} is unused"
        )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 300


@pytest.mark.parametrize("language", ["ar", "zh"])
def test_every_figure_has_its_title_and_definition_in_every_language(language: str) -> None:
    words = json.loads((FOLDER / "lang" / "figures" / f"{language}.json").read_text("utf-8"))
    known = set()
    for what, columns in COLUMNS.items():
        for column in columns:
            names = {column.name, f"{what}.{column.name}"}
            known |= names
            for kind in ("titles", "meanings"):
                assert names & words[kind].keys(), f"{what}.{column.name} is not in {kind}"
    # The last three are columns of the calls of a figure alone.
    assert (words["titles"].keys() | words["meanings"].keys()) - known <= {
        "rang_s",
        "wrap_up_s",
        "good",
    }
