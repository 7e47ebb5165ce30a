"""Warnings of secrets that are easy to guess or could be read by others on the network."""

from __future__ import annotations

from callrouter.settings.builders.site_builder import is_loopback
from callrouter.settings.lint.secret_strength import SECRET_BITS, TOKEN_BITS, why_weak
from callrouter.settings.schema.pbx_options import AsteriskOptions
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.source import Document, KeyPath


def warn_of_secrets(root: RootOptions, document: Document) -> None:
    """Warn of unencrypted links to Asterisk and of weak secrets and tokens."""
    for id_, pbx in root.pbx.items():
        if not isinstance(pbx, AsteriskOptions):
            continue
        path: KeyPath = ("pbx", id_)
        if pbx.tls is False and not is_loopback(pbx.host):
            text = f"the link to {id_} is not encrypted, and {pbx.host} is another machine"
            hint = "give it tls: true, or all on the way can read its secret and change its calls"
            document.warning((*path, "host"), text, hint)
        if why := why_weak(pbx.secret, SECRET_BITS):
            text = f"the secret of {id_} is easily guessed: {why}"
            document.warning((*path, "secret"), text, "take 16 random characters or more")
    for index, token in enumerate(root.http.api_tokens if root.http else ()):
        if why := why_weak(token.token, TOKEN_BITS):
            text = f"the token of {token.name} has fewer than {TOKEN_BITS} bits: {why}"
            hint = "`callrouter token` makes one"
            document.warning(("http", "api_tokens", index, "token"), text, hint)
