"""Warnings of secrets that are easy to guess or could be read by others on the network.

How hard a secret is to guess is estimated as far as its text reveals.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import Final

from callrouter.model.text import phrase
from callrouter.settings.builders.site_builder import is_loopback
from callrouter.settings.schema.pbx_options import AsteriskOptions
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.source import Document, KeyPath

TOKEN_BITS: Final = 128
"""Required bits of an API token: it can be tried without limit, and from anywhere."""
SECRET_BITS: Final = 34
"""Minimum bits of a secret for the manager interface: it is tried over the network."""
_NEAR: Final = 0.9
"""Share of the bits that is enough: random secrets contain repetitions too."""
_RUN: Final = 4
"""Length of a run such as abcd or aaaa that counts as a pattern: three occur by chance."""
_WORDS: Final = (
    *("change-me", "changeme", "change_me", "secret", "password", "passwd", "passw0rd", "asterisk", "callrouter"),
    *("amp111", "amp109", "admin", "manager", "mysecret", "letmein", "default", "qwerty", "asdfgh", "welcome"),
    *("token", "test", "example", "demo", "office", "twilio", "freepbx", "elastix", "supervisor", "agent"),
    *("dragon", "monkey", "iloveyou", "sunshine", "football", "qwertz", "zaq12wsx", "1q2w3e"),
    *("spring", "summer", "autumn", "winter"),
)  # fmt: skip
"""Words that are tried first or appear in examples; each counts as one character."""
_KINDS: Final = ((re.compile("[a-z]"), 26), (re.compile("[A-Z]"), 26), (re.compile("[0-9]"), 10))
_LOOKS_LIKE: Final = str.maketrans("0134579@$!", "oleastgasi")
"""Digits and signs used in place of letters, as in ``P@ssw0rd``."""
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_HEX: Final = re.compile("[0-9a-f]+|[0-9A-F]+")


def warn_of_secrets(root: RootOptions, document: Document) -> None:
    """Warn of unencrypted links to Asterisk and of weak secrets and tokens.

    Secrets of an Asterisk need `SECRET_BITS`, tokens `TOKEN_BITS`. PINs and passwords are hashes in
    the files and cannot be judged.
    """
    for id_, pbx in root.pbx.items():
        if not isinstance(pbx, AsteriskOptions):
            continue
        path: KeyPath = ("pbx", id_)
        if pbx.tls is False and not is_loopback(pbx.host):
            text = phrase(
                "link-not-encrypted-another-machine",
                "the link to {id} is not encrypted, and {host} is another machine",
                id=id_,
                host=pbx.host,
            )
            hint = phrase(
                "give-tls-true-or-all-on",
                "give it tls: true; without it every machine on the way can read its secret and change its calls",
            )
            document.warning((*path, "host"), text, hint)
        if why := why_weak(pbx.secret, SECRET_BITS):
            text = phrase(
                "secret-easily-guessed",
                "the secret of {id} is easily guessed: {why}",
                id=id_,
                why=why,
            )
            document.warning(
                (*path, "secret"),
                text,
                phrase("take-16-random-characters-or-more", "take 16 random characters or more"),
            )
    for index, token in enumerate(root.http.api_tokens if root.http else ()):
        if why := why_weak(token.token, TOKEN_BITS):
            text = phrase(
                "token-has-fewer-than-bits",
                "the token of {name} has fewer than {bits} bits: {why}",
                name=token.name,
                bits=TOKEN_BITS,
                why=why,
            )
            hint = phrase("callrouter-token-makes-one", "`callrouter token` makes one")
            document.warning(("http", "api_tokens", index, "token"), text, hint)


def bits(secret: str) -> float:
    """Return the bits that a guess must find, at most.

    Known words, repetitions and sequences (``aaaa``, ``abcd``, ``4321``) count as one character.
    Characters drawn from 16 digits have 4 bits each, and so on. A random secret is underrated only
    by its chance repetitions.
    """
    size = len(_without_patterns(secret))
    return size * math.log2(_alphabet(secret)) if size else 0.0


def why_weak(secret: str, least: int) -> str:
    """Say why a secret has fewer than `least` bits; empty: it has enough.

    A tenth less is accepted, since random secrets contain repetitions too. The reason quotes
    nothing of the secret.
    """
    if bits(secret) >= _NEAR * least:
        return ""
    small = secret.lower()
    if any(word in text for word in _WORDS for text in (small, small.translate(_LOOKS_LIKE))):
        return phrase("weak-word", "it has a word that is tried first")
    if len(_without_patterns(secret)) < 0.7 * len(secret):
        return phrase("weak-pattern", "it repeats itself or counts up")
    return phrase("weak-short", "it is short")


def _alphabet(secret: str) -> int:
    if _HEX.fullmatch(secret):
        return 16 if re.search("[a-fA-F]", secret) else 10
    size = sum(count for kind, count in _KINDS if kind.search(secret))
    others = {c for c in secret if not (c.isascii() and c.isalnum())}
    return max(2, size + (2 if others <= {"-", "_"} and others else 32 if others else 0))


def _without_patterns(secret: str) -> str:
    """Return a secret with each known word, repetition and sequence reduced to one character."""
    secret = _once(secret)
    if _HEX.fullmatch(secret) is None:
        secret = _YEAR.sub(lambda year: year[0][0], secret)
    for word in _WORDS:
        while (at := _place(word, secret)) >= 0:
            secret = secret[: at + 1] + secret[at + len(word) :]
    kept = ""
    while secret:
        run = _run(secret)
        kept += secret[0] if run >= _RUN else secret[:run]
        secret = secret[run:]
    return kept


def _place(word: str, secret: str) -> int:
    """Return the position of a word in a secret, also with signs for letters; -1: not in it."""
    small = secret.lower()
    at = small.find(word)
    return at if at >= 0 else small.translate(_LOOKS_LIKE).find(word)


def _run(secret: str) -> int:
    """Return how many leading characters are the same, or rise or fall by one."""
    steps = [ord(b) - ord(a) for a, b in itertools.pairwise(secret)]
    same = next((n for n, step in enumerate(steps) if step != steps[0]), len(steps))
    return same + 1 if steps and abs(steps[0]) <= 1 else 1


def _once(secret: str) -> str:
    """Return the repeated part of a text that only repeats it."""
    at = (secret + secret).find(secret, 1)
    return secret[:at] if 0 < at < len(secret) else secret
