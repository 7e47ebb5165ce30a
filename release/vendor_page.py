"""Bundles what the page takes from npm into ``callrouter/web/vendor``: `make vendor`.

The versions stand in ``release/vendor/package.json``, their digests in ``package-lock.json``, and
those of the bundles in ``vendor.lock``, which a test compares with the files that are committed.

    python -m release.vendor_page
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "release" / "vendor"
TARGET = ROOT / "callrouter" / "web" / "vendor"
LOCK = SOURCE / "vendor.lock"
BUNDLES = ("preact.js", "uplot.js", "uplot.css", "codemirror.js")
_OPTIONS = ("--bundle", "--format=esm", "--minify", "--legal-comments=none", "--target=es2022")


def bundle(name: str, node: Path) -> bytes:
    """Return a bundle made by esbuild.

    Args:
        name: of the module or style sheet in ``release/vendor`` that names what is wanted.
        node: a folder with the installed packages.

    Raises:
        CalledProcessError: esbuild refused it.
    """
    command = (str(node / "node_modules/.bin/esbuild"), name, *_OPTIONS)
    return subprocess.run(command, cwd=node, check=True, capture_output=True).stdout  # noqa: S603 - ours


def licences(node: Path) -> bytes:
    """Return the licences of all packages that are in the bundles, one after another.

    Each wants to be passed on with its code.
    """
    found = json.loads((node / "package-lock.json").read_text("utf-8"))["packages"]
    parts = []
    for place, package in sorted(found.items()):
        if not place or package.get("dev"):
            continue
        text = min((node / place).glob("LICEN[CS]E*")).read_text("utf-8")
        name = place.removeprefix("node_modules/")
        parts.append(f"{name} {package['version']}\n\n{text.strip()}\n")
    return ("\n" + "-" * 80 + "\n").join(parts).encode()


def main() -> int:
    """Make the bundles and write their digests."""
    TARGET.mkdir(parents=True, exist_ok=True)
    lines = []
    with tempfile.TemporaryDirectory(prefix="callrouter-vendor-") as folder:
        node = Path(folder)
        for path in SOURCE.iterdir():
            if path.suffix in {".css", ".js", ".json"}:
                shutil.copy(path, node)
        npm = ("npm", "ci", "--no-audit", "--no-fund")
        subprocess.run(npm, cwd=node, check=True)  # noqa: S603 - by PATH, as the user has it
        bodies = {name: bundle(name, node) for name in BUNDLES}
        bodies["LICENSES.txt"] = licences(node)
        for name, body in bodies.items():
            (TARGET / name).write_bytes(body)
            lines.append(f"{hashlib.sha256(body).hexdigest()}  {name}\n")
    LOCK.write_text("".join(lines), "utf-8")
    sys.stdout.write("".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
