"""Bundles what the page takes from npm into ``callrouter/web/vendor``: `make vendor`.

The versions stand in ``release/vendor/package.json``, their digests in ``package-lock.json``, and
those of the bundles in ``vendor.lock``, which a test compares with the files that are committed.

    python -m release.vendor_page
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "release" / "vendor"
TARGET = ROOT / "callrouter" / "web" / "vendor"
LOCK = SOURCE / "vendor.lock"
BUNDLES = ("preact",)
_OPTIONS = ("--bundle", "--format=esm", "--minify", "--legal-comments=none", "--target=es2022")


def bundle(name: str, node: Path) -> bytes:
    """Return a bundle made by esbuild.

    Args:
        name: of the module in ``release/vendor`` that names what is wanted.
        node: a folder with the installed packages.

    Raises:
        CalledProcessError: esbuild refused it.
    """
    command = (str(node / "node_modules/.bin/esbuild"), f"{name}.js", *_OPTIONS)
    return subprocess.run(command, cwd=node, check=True, capture_output=True).stdout  # noqa: S603 - ours


def main() -> int:
    """Make the bundles and write their digests."""
    TARGET.mkdir(parents=True, exist_ok=True)
    lines = []
    with tempfile.TemporaryDirectory(prefix="callrouter-vendor-") as folder:
        node = Path(folder)
        for path in SOURCE.iterdir():
            if path.suffix in {".js", ".json"}:
                shutil.copy(path, node)
        npm = ("npm", "ci", "--no-audit", "--no-fund")
        subprocess.run(npm, cwd=node, check=True)  # noqa: S603 - by PATH, as the user has it
        for name in BUNDLES:
            body = bundle(name, node)
            (TARGET / f"{name}.js").write_bytes(body)
            lines.append(f"{hashlib.sha256(body).hexdigest()}  {name}.js\n")
    LOCK.write_text("".join(lines), "utf-8")
    sys.stdout.write("".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
