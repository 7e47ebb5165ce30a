"""Why a log-in through a provider of OpenID Connect failed."""

from __future__ import annotations

from typing import Literal, TypeAlias

OidcFailure: TypeAlias = Literal[
    "expired", "denied", "provider", "token", "unknown-person", "unverified-email", "busy"
]
"""Stable words: the page has a sentence for each (`oidc.error.…`), and the audit stores them."""


class OidcError(Exception):
    """A log-in failed.

    Args:
        kind: what the person is told.
        detail: what exactly is wrong, for the log. Never a token or a code.
    """

    def __init__(self, kind: OidcFailure, detail: str) -> None:
        super().__init__(detail)
        self.kind: OidcFailure = kind
