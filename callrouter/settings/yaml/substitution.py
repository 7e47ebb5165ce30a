"""``${NAME}`` and ``${file:PATH}`` in values.

They are replaced only where a secret, a path, a URL or an address belongs. The editor of the queues
must not be able to name a queue after the PBX's password and so reveal it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self, TypeAlias

from callrouter.files import read_file
from callrouter.model.text import phrase
from callrouter.settings.errors.hiding import is_secret
from callrouter.settings.errors.problems import quoted

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST: Final = 64 * 1024
"""Size limit of one value, in bytes."""
_MOST_IN_ALL: Final = 16 * 1024 * 1024
"""Size limit of all replacements in a configuration, in bytes."""
_LEAST: Final = 256
"""Bytes that even a short one counts as, since a file has to be opened for it."""
_ESCAPE_HINT = phrase(
    "reference-forms",
    "write {forms_or}; for a literal {sign} write {escape}",
    forms_or=("${NAME}", "${file:PATH}"),
    sign="${",
    escape="$${",
)

Keys: TypeAlias = tuple[str, ...]
"""The keys that lead to a value; list items add none."""

_TAKES: Final = frozenset(
    {
        ("database",),
        *(("pbx", "*", key) for key in ("host", "port", "username", "secret")),
        *(("pbx", "*", key) for key in ("account_sid", "auth_token", "other_auth_token")),
        *(("pbx", "*", key) for key in ("api_key", "api_secret", "public_url", "api_url")),
        ("pbx", "*", "tls", "ca"),
        ("pbx", "*", "music", "*"),
        *(("http", key) for key in ("listen", "public_url")),
        *(("http", "tls", key) for key in ("certificate", "key")),
        ("http", "api_tokens", "token"),
        *(("http", "oidc", key) for key in ("issuer", "client_id", "client_secret")),
        ("users", "*", "password"),
        *(("agents", "*", key) for key in ("pin", "password")),
        *(("destinations", "*", key) for key in ("webhook", "secret", "mail")),
        *(("smtp", key) for key in ("host", "port", "user", "password")),
    }
)
"""Where references are replaced; "*" is any name."""
_FREE: Final = frozenset({"pbx", "users", "agents", "destinations"})
"""Sections whose keys are names."""
_WHERE_HINT: Final = phrase(
    "reference-places",
    "that is done for secrets, paths, URLs and addresses only; for a literal {sign} write {escape}",
    sign="${",
    escape="$${",
)


def takes(keys: Keys) -> bool:
    """Return whether references are replaced in the value at these keys.

    They are also in that of a mistyped key of a secret, so that the typo is reported.
    """
    pattern = tuple(
        "*"
        if (depth == 1 and keys[0] in _FREE) or (depth > 0 and keys[depth - 1] == "music")
        else key
        for depth, key in enumerate(keys)
    )
    if pattern in _TAKES:
        return True
    # A mistyped key of a secret: report the typo. The value itself is not used.
    near = len(keys) == 3 and (keys[0] in _FREE or keys[:2] == ("http", "api_tokens"))
    near = near or (len(keys) == 2 and keys[0] == "smtp")
    return near and is_secret(keys[-1])


class Substituted(str):
    """A value from outside the file; messages show `written` instead.

    Its `repr` shows that as well. A text made from it, such as a slice, is a plain one and no
    longer hides the value.
    """

    __slots__ = ("written",)

    written: str

    def __new__(cls, value: str, written: str) -> Self:
        """Take the value and its text in the file."""
        made = super().__new__(cls, value)
        made.written = written
        return made

    def __repr__(self) -> str:
        return repr(self.written)


class SubstitutionError(Exception):
    """A reference that cannot be resolved; `hint` says what would be right."""

    def __init__(self, text: str, hint: str = "") -> None:
        self.text = text
        self.hint = hint
        super().__init__(text)


class UnresolvedError(SubstitutionError):
    """What a reference names does not exist on this machine, or cannot be read."""


class Substituter:
    """Replaces references by environment variables and the contents of files.

    One serves a whole configuration, since all replacements together have a limit of 16 MiB. A path
    is relative to `folder`.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self._left = _MOST_IN_ALL

    def __call__(self, text: str, keys: Keys) -> str:
        """Return `text` with every reference replaced. Replacements are not expanded again.

        Args:
            text: the value as written.
            keys: the keys that lead to it.

        Raises:
            SubstitutionError: a reference is malformed, cannot be resolved or is not allowed here.
                The reference of a secret is not quoted: it may be the secret itself.
        """
        if not re.search(r"(?<!\$)\$\{", text):
            # Only an escape: nothing came from outside, so nothing needs hiding.
            return text.replace("$${", "${")
        if not takes(keys):
            where = quoted(keys[-1]) if keys else phrase("text-without-key", "a text without a key")
            text_ = "{reference} is not replaced in {where}"
            raise SubstitutionError(
                phrase("not-replaced-in", text_, reference="${…}", where=where), _WHERE_HINT
            )
        secret = is_secret(keys[-1])
        result = _REFERENCE.sub(lambda match: self._counted(self._one(match, secret=secret)), text)
        return Substituted(result, text)

    def _counted(self, value: str) -> str:
        self._left -= max(len(value), _LEAST)
        if self._left < 0:
            text = "all that {reference} stands for is larger than 16 MiB"
            raise SubstitutionError(phrase("references-too-large", text, reference="${…}"))
        return value

    def _one(self, match: re.Match[str], *, secret: bool) -> str:
        if match[0] == "$${":
            return "${"
        if not match[2]:
            raise SubstitutionError(
                phrase("reference-open", "{sign} without {end}", sign="'${'", end="'}'"),
                _ESCAPE_HINT,
            )
        name = match[1]
        if name.startswith("file:"):
            return self._file(name.removeprefix("file:"), secret=secret)
        if not _VARIABLE.fullmatch(name):
            hidden = phrase("in-reference", "what stands in {reference}", reference="${…}")
            written = hidden if secret else quoted(match[0])
            raise SubstitutionError(
                phrase("no-variable", "{what} is not an environment variable", what=written),
                _ESCAPE_HINT,
            )
        value = self._environ.get(name)
        what: str = phrase("variable-named", "environment variable {name}", name=name)
        if secret:
            text = "the environment variable in {reference}"
            what = phrase("variable-in-reference", text, reference="${…}")
        if value is None:
            raise UnresolvedError(phrase("reference-not-set", "{what} is not set", what=what))
        if len(value) > _MOST:
            raise SubstitutionError(_too_large(what))
        return value

    def _file(self, name: str, *, secret: bool) -> str:
        what = phrase("file-named", "file {name}", name=quoted(name))
        if secret:
            what = phrase("file-in-reference", "the file in {reference}", reference="${file:…}")
        try:
            path = self._folder / name
            raw = read_file(path, _MOST + 1) if path.exists() else None
            if raw is None:
                if secret:
                    raise UnresolvedError(phrase("not-there", "{what} does not exist", what=what))
                hint = phrase("looked-in", "looked in {folder}", folder=str(path.parent))
                text_ = phrase("no-such-file", "no such file: {name}", name=quoted(name))
                raise UnresolvedError(text_, hint)
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text_ = phrase("what-not-utf-8", "{what} is not UTF-8 text", what=what)
            raise SubstitutionError(text_) from None
        except (OSError, ValueError) as error:
            said = phrase("not-a-file-name", "not a file name")
            why = (error.strerror or "") if isinstance(error, OSError) else said
            text_ = phrase("what-unreadable", "{what} cannot be read: {why}", what=what, why=why)
            raise UnresolvedError(text_) from None
        if len(raw) > _MOST:
            raise SubstitutionError(_too_large(what))
        return text.removesuffix("\n").removesuffix("\r")


def _too_large(what: str) -> str:
    return phrase("what-too-large", "{what} is larger than 64 KiB", what=what)
