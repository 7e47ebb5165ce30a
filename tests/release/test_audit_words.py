"""The page has words, in every language, for each act and each refusal that the audit can store."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, get_args

import pytest

from callrouter.api.access import acts
from callrouter.api.access.act_names import NO_ACTS, act_name
from callrouter.api.oidc.oidc_error import OidcFailure
from callrouter.api.operations import OPERATIONS
from callrouter.audit import act_sources
from callrouter.mobiles import number_policy

HOUSE: Final = Path(acts.__file__).parents[2]
REFUSALS: Final = {
    "ApiProblem": (1, "kind", ""),
    "HandOverError": (1, "kind", ""),
    "RequestDenied": (0, "kind", ""),
    "RequestRefused": (0, "kind", ""),
    "RefusedNumber": (0, "kind", ""),
    "UnknownIdError": (0, "what", "unknown-"),
}
"""What makes a refusal: which argument is its kind, the name of it, and what is put before it."""
STEPS: Final = {"_audit": (2, "what", ""), "_audit_row": (2, "what", "")}
"""The same for what takes down a step of a mobile's registration …"""
FURTHER_STEPS: Final = frozenset(
    {"switched-on", "switched-off", "vouched", "approved", "dropped", "failed"}
) | {"not-answered", "hung-up", "locked", "wrong-pin"}
"""… and those that are no texts there."""
PASSED_ON: Final = frozenset(
    {"error.kind", "fault[0]", "f'unknown-{unknown.what}'", "kind[0]", "made.kind", "no.kind"}
    | {"special[0]", "verdict.kind", "what", "f'switched-{word}'"}
)
"""What is no text in the source: it was made by another of these calls, or stands in a table of `number_policy`."""


@cache
def calls() -> dict[str, list[ast.Call]]:
    """Every call in the package, by the name of what is called."""
    found: dict[str, list[ast.Call]] = {}
    for path in sorted(HOUSE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                found.setdefault(name, []).append(node)
    return found


def texts(node: ast.expr) -> list[str]:
    """The texts that an expression can be, as far as they stand in it."""
    if isinstance(node, ast.IfExp):
        return [*texts(node.body), *texts(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def said_by(makers: dict[str, tuple[int, str, str]]) -> set[str]:
    """The words that calls of these give."""
    found: set[str] = set()
    for name, (place, keyword, before) in makers.items():
        for call in calls()[name]:
            given = [item.value for item in call.keywords if item.arg == keyword]
            if not given and len(call.args) <= place:
                continue  # another function of this name
            node = given[0] if given else call.args[place]
            words = texts(node)
            assert words or ast.unparse(node) in PASSED_ON, f"which words is {ast.unparse(node)}?"
            found |= {before + word for word in words}
    return found


def kinds() -> set[str]:
    """Every kind of refusal."""
    tables = (number_policy._NO_COUNTRY, number_policy._KINDS)
    by_oidc = {f"oidc-{kind}" for kind in get_args(OidcFailure)}
    by_number = {kind for table in tables for kind, _ in table.values()}
    return said_by(REFUSALS) | by_oidc | by_number | {"fault"} | act_sources._REFUSED


def act_words() -> set[str]:
    """Every act: of a request, of what a handler calls it, and of a step by phone."""
    asked = {
        act_name(method, path)
        for method, path in OPERATIONS
        if method not in acts._READING and (method, path) not in NO_ACTS
    }
    noted = {
        word
        for name in ("note_act", "Act")
        for call in calls()[name]
        for item in call.keywords
        if item.arg == "act"
        for word in texts(item.value)
    }
    steps = said_by(STEPS) | FURTHER_STEPS
    return asked | noted | {"token.refuse"} | {f"mobiles.{step}" for step in steps}


@pytest.mark.parametrize("language", ["en", "ar", "zh"])
@pytest.mark.parametrize(("what", "all_of_them"), [("kind", kinds), ("act", act_words)])
def test_each_has_its_words(language: str, what: str, all_of_them: Callable[[], set[str]]) -> None:
    catalogue = json.loads((HOUSE / "web" / "lang" / f"{language}.json").read_text("utf-8"))
    found = all_of_them()
    assert len(found) > 50, "they are found"
    without = sorted(
        word for word in found if not catalogue.get(f"audit.{what}.{word}", "").strip()
    )
    assert without == []
