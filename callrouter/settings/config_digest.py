"""A digest of what a configuration says, by which routers of a pool find out that theirs differ.

It is made of the values as written: comments, the order of keys and the division into files do not
count, and neither does what a reference to a secret stands for. What is each router's own does not
count either: `cluster`, `database`, `config`, `socket`, `queue_log_file`, and where HTTP listens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from callrouter.settings.yaml.pool_files import OWN_HTTP, OWN_SECTIONS
from callrouter.settings.yaml.substitution import Substituted


def config_digest(root: dict[str, object]) -> str:
    """Return the digest of a configuration, as 16 hexadecimal digits.

    Args:
        root: All sections of all files, as read.
    """
    digest = hashlib.sha256()
    for section in sorted(root.keys() - OWN_SECTIONS):
        for part in _parts(section, root[section]):
            digest.update(part.encode())
    return digest.hexdigest()[:_DIGITS]


_DIGITS: Final = 16


def _parts(section: str, value: object) -> Iterator[str]:
    """Yield a section in small parts: one call of the encoder holds the interpreter's lock."""
    yield f"\n{section}:"
    if not isinstance(value, dict):
        yield _text(value)
        return
    for key in sorted(value):
        if section != "http" or key not in OWN_HTTP:
            yield f"\n{key}={_text(value[key])}"


def _text(value: object) -> str:
    return json.dumps(_as_written(value), sort_keys=True)


def _as_written(value: Any) -> Any:
    if isinstance(value, Substituted):
        return value.written
    if isinstance(value, dict):
        return {key: _as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    return value
