"""The parameters in the query of a request: those that the route knows, and no others."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

from aiohttp import web

from callrouter.api.access.tokens import SCREEN
from callrouter.api.problem_json import ApiProblem
from callrouter.model.text import in_quotes, listed

LONGEST: Final = 200
"""Characters of a value in a query."""


def read_query(request: web.Request, names: Collection[str]) -> dict[str, str]:
    """Return the parameters of a query, of those with these names.

    Raises:
        ApiProblem: 422, one is not known, given twice, or too long.
    """
    check_query(request, names)
    found = {name: request.query[name] for name in names if name in request.query}
    for name, value in found.items():
        if len(value) > LONGEST or "\0" in value:
            raise wrong_query(f"'{name}' must be a text of {LONGEST} characters at most")
    return found


def check_query(request: web.Request, names: Collection[str]) -> None:
    """Check that a query has no parameters but these.

    A slip such as ``?topic=agents`` would otherwise get what is answered without the parameter.
    ``as=screen`` says who asks (`callrouter.api.access.auth.identify`), and may stand in any query.

    Raises:
        ApiProblem: 422, one is not known or given twice.
    """
    seen: set[str] = set()
    for name, value in request.query.items():
        if (name, value) == ("as", SCREEN):
            continue
        if name not in names:
            close = get_close_matches(name[:LONGEST], names, n=1)
            known = (
                f"there are {listed(names)}" if len(names) > 1 else f"the one here: {listed(names)}"
            )
            hint = f"; did you mean '{close[0]}'?" if close else f"; {known}"
            raise wrong_query(f"there is no parameter {in_quotes(name)}{hint}")
        if name in seen:
            raise wrong_query(f"'{name}' is given twice")
        seen.add(name)


def wrong_query(text: str) -> ApiProblem:
    """Return the answer for a query that makes no sense."""
    return ApiProblem(422, "wrong-query", text)


def one_of(name: str, value: str, known: Collection[str]) -> str:
    """Return the value of a parameter that can only be one of a few.

    Args:
        name: of the parameter.
        value: what the query says.
        known: the values that there are.

    Raises:
        ApiProblem: 422, it is none of them.
    """
    if value in known:
        return value
    close = get_close_matches(value, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise wrong_query(f"'{name}' must be {listed(known, 'or')}, not {in_quotes(value)}{hint}")
