"""Every sentence that the daemon says with a code is in each of the page's catalogues."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from release.sentences import CATALOGUES, sentences

ALL_FORMS = {"zero", "one", "two", "few", "many", "other"}


def catalogue(language: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CATALOGUES / f"{language}.json").read_text("utf-8"))
    return found


def values(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_the_english_catalogue_is_what_the_source_says() -> None:
    assert catalogue("en") == sentences(), "run python -m release.sentences"


@pytest.mark.parametrize("language", ["ar", "zh"])
def test_every_code_has_its_sentence_with_the_same_values(language: str) -> None:
    said, found = sentences(), catalogue(language)
    assert sorted(found) == sorted(said)
    for code, text in said.items():
        wanted = values(json.dumps(text))
        forms = found[code] if isinstance(found[code], dict) else {"other": found[code]}
        assert "other" in forms, code
        for form, words in forms.items():
            assert words.strip()
            # A form for 0, 1 or 2 may say the number in words.
            spoken = {"count", "count_many"} if form in {"zero", "one", "two"} else set()
            assert wanted - spoken <= values(words) <= wanted, (code, form)
        if language == "ar" and isinstance(text, dict):
            assert forms.keys() == ALL_FORMS, code


@pytest.mark.parametrize("language", ["ar", "zh"])
def test_no_sentence_is_left_in_english(language: str) -> None:
    found = catalogue(language)
    for code, text in sentences().items():
        english = text if isinstance(text, str) else text["other"]
        if re.search("[A-Za-z]{2}", re.sub(r"\{\w+\}", "", english)):
            other = found[code] if isinstance(found[code], str) else found[code]["other"]
            assert re.search("[\u0600-\u06ff\u4e00-\u9fff]", other), code
