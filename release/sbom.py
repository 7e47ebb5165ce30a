"""`python -m release.sbom`: what a production installation is made of, as CycloneDX 1.6 in JSON.

Names, versions and digests are those of ``production.lock``; licences and who needs what come from the
packages' own metadata, where they are installed. The same lock gives the same document, but for its time.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from callrouter.clock import SystemClock

TOP: Final = Path(__file__).parents[1]
_PINNED: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_DIGEST: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NEEDED: Final = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Pinned:
    """A package of a lock: one version, and the digests of all its files."""

    name: str
    version: str
    digests: list[str] = field(default_factory=list)

    @property
    def purl(self) -> str:
        """Its package URL (https://github.com/package-url/purl-spec)."""
        return f"pkg:pypi/{self.name}@{self.version}"


def pinned(lock: str) -> Iterator[Pinned]:
    """The packages of a lock as `make lock` writes it, with normal names (PEP 503)."""
    found: Pinned | None = None
    for line in lock.splitlines():
        if match := _PINNED.match(line):
            if found is not None:
                yield found
            found = Pinned(normal(match[1]), match[2])
        if found is not None:
            found.digests.extend(_DIGEST.findall(line))
    if found is not None:
        yield found


def normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub("[-_.]+", "-", name).lower()


def bill(lock: str, project: dict[str, Any], now: float) -> dict[str, Any]:
    """The document for a lock and the ``[project]`` of pyproject.toml."""
    packages = list(pinned(lock))
    known: dict[str, list[str]] = {}  # two, where an older Python takes an older version
    for package in packages:
        known.setdefault(package.name, []).append(package.purl)
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    direct = [*project["dependencies"]]
    for extra in ("twilio", "postgres", "fast", "reports", "oidc"):
        direct += project["optional-dependencies"][extra]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, own + lock)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "purl": own,
                "licenses": [{"expression": project["license"]}],
            },
        },
        "components": [_component(package) for package in packages],
        "dependencies": [
            {"ref": own, "dependsOn": _refs(direct, known)},
            *(
                {"ref": package.purl, "dependsOn": _refs(_requires(package.name), known)}
                for package in packages
            ),
        ],
    }


def _component(package: Pinned) -> dict[str, Any]:
    view: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        # One for each file of the version: which is installed depends on the machine.
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{package.name}/{package.version}/",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.digests],
            }
        ],
    }
    if licence := _licence(package.name):
        view["licenses"] = [{"license": {"name": licence}}]
    return view


def _licence(name: str) -> str:
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    for key in ("License-Expression", "License"):
        said = about[key].strip() if key in about else ""
        if said and "\n" not in said:
            return said
    kinds = [kind for kind in about.get_all("Classifier") or () if kind.startswith("License ::")]
    return kinds[0].rpartition(" :: ")[2] if kinds else ""


def _requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def _refs(requirements: list[str], known: dict[str, list[str]]) -> list[str]:
    names = [match[0] for text in requirements if (match := _NEEDED.match(text))]
    return sorted({ref for name in names for ref in known.get(normal(name), ())})


def main() -> None:
    """Print the document."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    lock = (TOP / "production.lock").read_text("utf-8")
    json.dump(bill(lock, project, SystemClock().now()), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
