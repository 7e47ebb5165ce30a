"""What is said of an operation of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from callrouter.api.schemas.vocabulary import ProblemJson

NO_FILES: Final = {404: "this daemon was not started from a configuration folder"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes:
        summary: what it does, in a line.
        answer: the type of the answer; None: it is not one of `callrouter.api.schemas`.
        body: the type of the request's body. Every operation but GET has one.
        success: the HTTP status when done.
        query: JSON schemas of the parameters in the query, by name.
        answers: every status whose body is `answer`, and what it means; empty: `success` alone.
        problems: statuses answered by a problem, besides those that `callrouter.api.openapi` adds
            to every operation of its kind, and what they mean here.
        problem: the type of the problems.
        large: its body may hold whole files.
        media: media type and meaning of an answer that is not JSON.
        files: media types in which the same answer can be had as a file.
    """

    summary: str
    answer: Any = None
    body: Any = None
    success: int = 200
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    answers: Mapping[int, str] = field(default_factory=dict)
    problems: Mapping[int, str] = field(default_factory=dict)
    problem: Any = ProblemJson
    large: bool = False
    media: tuple[str, str] | None = None
    files: tuple[str, ...] = ()
