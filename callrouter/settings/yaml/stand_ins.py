"""Checks files that are meant for other machines, whose secrets are not here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callrouter.model.text import phrase
from callrouter.settings.yaml.substitution import (
    Keys,
    Substituted,
    Substituter,
    SubstitutionError,
    UnresolvedError,
)

if TYPE_CHECKING:
    from callrouter.settings.yaml.source import Document

_HASH: Final = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"
_ADDRESS: Final = "https://unresolved.invalid/{}"
_FORMS: Final[Mapping[str, str]] = {
    "port": "1",
    "host": "unresolved.invalid",
    "account_sid": "AC" + 32 * "0",
    "api_key": "SK" + 32 * "0",
    "public_url": _ADDRESS,
    "api_url": _ADDRESS,
    "issuer": _ADDRESS,
    "webhook": _ADDRESS,
    "mail": "unresolved@unresolved.invalid",
    "pin": _HASH,
}
"""By the last key: something that has the form of what belongs there. "{}" becomes a digest of the reference."""
_OTHER: Final = "unresolved-here-{}"


class StandIns(Substituter):
    """Replaces references; what cannot be resolved here gets a stand-in and is noted.

    The name under `.invalid` (RFC 2606) leads nowhere, and the settings are only looked at.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        super().__init__(folder, environ)
        self._missing: dict[str, SubstitutionError] = {}

    def __call__(self, text: str, keys: Keys) -> str:
        """Return `text` with every reference replaced, as `Substituter` does.

        Raises:
            SubstitutionError: a reference is malformed or is not allowed here.
        """
        try:
            return super().__call__(text, keys)
        except UnresolvedError as error:
            self._missing.setdefault(".".join(keys), error)
            mark = hashlib.sha256(text.encode()).hexdigest()[:16]
            return Substituted(_stand_in(keys).format(mark), text)

    def warn(self, document: Document) -> None:
        """Warn of each reference that could not be resolved, at the place of its section."""
        for where, error in self._missing.items():
            document.warning(
                (where.partition(".")[0],),
                phrase(
                    "here-each-router-resolves-for-itself",
                    "{where}: {what} here; each router resolves it for itself",
                    where=where,
                    what=error.text,
                ),
            )


def _stand_in(keys: Keys) -> str:
    last = keys[-1]
    if "music" in keys[:-1]:
        return _ADDRESS
    if last == "password" and keys[0] in {"users", "agents"}:
        return _HASH
    return _FORMS.get(last, _OTHER)
