"""What the record knows of itself, in the table ``record_values``: by name, as text."""

from __future__ import annotations

import secrets
from typing import Final

import sqlalchemy as sa

_TABLE: Final = sa.table("record_values", sa.column("name"), sa.column("value"))
_KEY: Final = "number-key"
_KEY_BYTES: Final = 32


def read_value(link: sa.Connection, name: str) -> str | None:
    """Return a value; None: there is none of this name."""
    found: str | None = link.execute(
        sa.select(_TABLE.c.value).where(_TABLE.c.name == name)
    ).scalar_one_or_none()
    return found


def write_value(link: sa.Connection, name: str, value: str | None) -> None:
    """Set a value, or remove it (None). The caller's transaction writes it."""
    link.execute(sa.delete(_TABLE).where(_TABLE.c.name == name))
    if value is not None:
        link.execute(sa.insert(_TABLE).values(name=name, value=value))


def read_number_secret(link: sa.Connection) -> bytes | None:
    """Return the key of the codes of numbers; None: no number has got one yet.

    A value that is not such a key, written by hand, counts as none.
    """
    found = read_value(link, _KEY)
    try:
        return bytes.fromhex(found) if found else None
    except ValueError:
        return None


def make_number_secret(link: sa.Connection) -> bytes:
    """Return the key of the codes of numbers. The first time, a random one is made and stored."""
    found = read_number_secret(link)
    if found is None:
        found = secrets.token_bytes(_KEY_BYTES)
        write_value(link, _KEY, found.hex())
    return found
