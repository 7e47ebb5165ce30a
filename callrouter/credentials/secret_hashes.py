"""Hashes of PINs and passwords (argon2id). Slow on purpose, so they run in threads."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

logger = logging.getLogger(__name__)


def pin_matches(digest: str, pin: str) -> bool:
    """Whether a PIN matches an argon2id hash. Takes a tenth of a second: not for the event loop.

    A text that is not such a hash matches no PIN. That is logged, since an operator must correct it.
    """
    try:
        return PasswordHasher().verify(digest, pin)
    except VerifyMismatchError:
        return False
    except (InvalidHashError, VerificationError):
        logger.exception("a PIN in the configuration is no hash made by 'callrouter passwd'")
        return False


class DecoyHash:
    """A hash that nothing matches, verified for unknown names so that they take as long as known ones."""

    def __init__(self) -> None:
        self._hash = ""
        self._model = ""

    def like(self, known: Iterable[str]) -> str:
        """Return it, as expensive to verify as the most expensive of the known hashes.

        Made once, and again when the known ones become more expensive. Not for the event loop.
        """
        model = max(known, key=_cost, default="")
        if not self._hash or self._model != model:
            self._hash, self._model = _hash_of_nothing(model), model
        return self._hash


def _cost(digest: str) -> int:
    """The work to verify a hash (time cost times memory cost); 0 if it is not a hash."""
    try:
        found = extract_parameters(digest)
    except InvalidHashError:
        return 0
    return found.time_cost * found.memory_cost


def _hash_of_nothing(model: str) -> str:
    """A hash that no PIN or password matches.

    Args:
        model: the hash whose parameters it gets, so that it is as expensive to verify; the default
            ones if this is not a hash.
    """
    try:
        hasher = PasswordHasher.from_parameters(extract_parameters(model))
    except InvalidHashError:
        hasher = PasswordHasher()
    return hasher.hash(secrets.token_hex(16))
