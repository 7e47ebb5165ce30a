"""``${NAME}`` and ``${file:PATH}`` in values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from callrouter.settings.problems import quoted

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE_MOST = 64 * 1024
_ESCAPE_HINT = "write ${NAME} or ${file:PATH}; for a literal ${ write $${"


class Substituted(str):
    """A value that came from outside the file; messages show `written` in its place."""

    __slots__ = ("written",)

    written: str

    def __new__(cls, value: str, written: str) -> Self:
        """Take the value and what the file says in its place."""
        made = super().__new__(cls, value)
        made.written = written
        return made

    def __repr__(self) -> str:
        return repr(self.written)


class SubstitutionError(Exception):
    """A reference that leads nowhere; `hint` says what would be right."""

    def __init__(self, text: str, hint: str = "") -> None:
        self.text = text
        self.hint = hint
        super().__init__(text)


class Substituter:
    """Puts environment variables and the contents of files in place of references."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ

    def __call__(self, text: str) -> str:
        """Give `text` with every reference replaced; what is put in is not looked at again.

        Raises:
            SubstitutionError: a reference is malformed or leads nowhere.
        """
        result = _REFERENCE.sub(self._one, text)
        # Only an escape: nothing came from outside, so nothing needs hiding.
        return Substituted(result, text) if re.search(r"(?<!\$)\$\{", text) else result

    def _one(self, match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if not match[2]:
            raise SubstitutionError("'${' without '}'", _ESCAPE_HINT)
        name = match[1]
        if name.startswith("file:"):
            return self._file(name.removeprefix("file:"))
        if not _VARIABLE.fullmatch(name):
            raise SubstitutionError(
                f"{quoted(match[0])} is not an environment variable", _ESCAPE_HINT
            )
        value = self._environ.get(name)
        if value is None:
            raise SubstitutionError(f"environment variable {name} is not set")
        return value

    def _file(self, name: str) -> str:
        try:
            path = self._folder / name
            # A pipe or a device would never end, or never begin.
            if not path.is_file():
                raise SubstitutionError(f"no such file: {quoted(name)}", f"looked in {path.parent}")
            with path.open("rb") as file:
                raw = file.read(_FILE_MOST + 1)
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise SubstitutionError(f"file {quoted(name)} is not UTF-8 text") from None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a file name"
            raise SubstitutionError(f"file {quoted(name)} cannot be read: {why}") from None
        if len(raw) > _FILE_MOST:
            raise SubstitutionError(f"file {quoted(name)} is larger than 64 KiB")
        return text.removesuffix("\n").removesuffix("\r")
