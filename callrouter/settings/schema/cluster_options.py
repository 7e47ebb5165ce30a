"""The options of `cluster:`: this daemon as one of several that serve the same queues."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from callrouter.model.text import phrase
from callrouter.settings.loaded import ALONE
from callrouter.settings.schema import fields as f
from callrouter.settings.schema.options import OptionGroup, option
from callrouter.settings.schema.written_values import or_none

LONGEST_POOL: Final = 48
"""Letters of a pool's name: it is a part of the name of a schema, and PostgreSQL cuts those at 63."""


def _real_url(url: str) -> str:
    f.real_address(urlsplit(url).hostname or "")
    return url


PoolName = Annotated[
    str,
    Field(pattern=rf"^[a-z0-9][a-z0-9_-]{{0,{LONGEST_POOL - 1}}}$"),
    f.Expected(
        phrase(
            "expected-name",
            "small letters, digits, '-' and '_' ({most} at most, a letter or digit first)",
            most=LONGEST_POOL,
        )
    ),
]
NodeUrl = Annotated[
    str,
    Field(
        pattern=r"^https?://(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?/?$"
    ),
    AfterValidator(_real_url),
    f.Expected(f.address_such_as("http://10.0.0.1:8080"), "url"),
]


class ClusterOptions(OptionGroup):
    """This daemon is one of several for the same queues. One of them is active, the others wait to take over."""

    name: f.Name = option(
        ..., "The name of this daemon in its pool.", example="north-1", restart=True, words=str
    )
    pool: PoolName = option(
        ALONE,
        "The pool: daemons with the same queues and agents. One of them is active.",
        example="sales",
        restart=True,
        words=str,
    )
    url: NodeUrl | None = option(
        None,
        "Where the other daemons reach the HTTP side of this one. Default: the address that it "
        "listens on.",
        example="http://10.0.0.1:8080",
        restart=True,
        words=or_none,
    )
