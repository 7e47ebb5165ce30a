"""Finds this machine's Debian mirror in its apt sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ETC_APT = Path("/etc/apt")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# One-line format (sources.list(5)): deb [options] uri suite component...
_ONE_LINE = re.compile(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)\Z")

# A mirror, a mirror list (cloud images) or a dated snapshot of the main archive.
_ARCHIVE = re.compile(r"(?:^|/)debian(?:\.list)?(?:/\d{8}T\d{6}Z)?/?\Z")


@dataclass(frozen=True, slots=True)
class AptSource:
    """A Debian archive: its URI, and the keyring that signs it (empty: apt's own trust)."""

    uri: str
    keyring: str

    def stanza(self, suite: str) -> str:
        """Return a deb822 source of `suite` main at this mirror.

        Args:
            suite: the name of a release, such as ``sid``; it need not be the one that the machine
                uses.
        """
        lines = ["Types: deb", f"URIs: {self.uri}", f"Suites: {suite}", "Components: main"]
        if self.keyring:
            lines.append(f"Signed-By: {self.keyring}")
        return "\n".join([*lines, ""])


def find_source(folder: Path = _ETC_APT) -> AptSource | None:
    """Return the first source in `folder` that looks like a full Debian archive.

    None: there is none.

    Security and third-party archives have no sid, so only suites named like a Debian release count.
    """
    for uri, suite, components, keyring in _entries(folder):
        if "main" not in components.split() or "security" in suite or "security" in uri:
            continue
        # Third-party archives often copy the suite names; Debian's own is called "debian".
        if _ARCHIVE.search(uri):
            known = keyring or (_KEYRING if Path(_KEYRING).exists() else "")
            return AptSource(uri, known)
    return None


def _entries(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    parts = folder / "sources.list.d"
    lists = [folder / "sources.list", *sorted(parts.glob("*.list"))]
    for path in sorted(parts.glob("*.sources")):
        yield from _deb822(_text(path))
    for path in lists:
        yield from _one_line(_text(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _deb822(text: str) -> Iterator[tuple[str, str, str, str]]:
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        for line in stanza.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line.startswith(("#", " ", "\t")):
                fields[name.strip().lower()] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no":
            keyring = fields.get("signed-by", "")
            for uri in fields.get("uris", "").split():
                suites, parts = fields.get("suites", ""), fields.get("components", "")
                yield uri, suites.split(" ")[0], parts, keyring if keyring[:1] == "/" else ""


def _one_line(text: str) -> Iterator[tuple[str, str, str, str]]:
    for line in text.splitlines():
        match = _ONE_LINE.match(line.split("#")[0].strip())
        if match is not None:
            options, uri, suite, components = match.groups()
            found = re.search(r"signed-by=(/\S+)", options or "")
            yield uri, suite, components, found[1] if found else ""
