"""axe-core, which finds faults of accessibility: for tests only, from npm, pinned by its digest.

    python -m tests.browser.axe

renews the copy in this folder after `PACKAGE` and `SHA256` have been changed. It is run in the page
by the debugger's door, so the page's content security policy stays as strict as it is.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = "axe-core@4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
"""Of ``axe.min.js``, unpacked."""
COPY = Path(__file__).with_name("axe.min.js.gz")
_RUN = """async rules => {
  const only = rules ? {runOnly: {type: "rule", values: rules}} : {};
  const found = await axe.run(document, {resultTypes: ["violations"], ...only});
  return found.violations.filter(item => ["serious", "critical"].includes(item.impact));
}"""
_SIDEWAYS = """() => {
  const root = document.documentElement, most = root.clientWidth;
  if (root.scrollWidth <= most) return [];
  const wide = [...document.querySelectorAll("body *")].filter(node => {
    const box = node.getBoundingClientRect();
    const scrolls = getComputedStyle(node.offsetParent ?? root).overflowX !== "visible";
    return !scrolls && (box.right > most + 1 || box.left < -1);
  });
  return wide.slice(0, 5).map(node => `${node.tagName} ${node.className}`);
}"""


@cache
def script() -> str:
    """The program.

    Raises:
        AssertionError: the copy is not what was pinned.
    """
    body = gzip.decompress(COPY.read_bytes())
    assert hashlib.sha256(body).hexdigest() == SHA256, f"{COPY} is not {PACKAGE}"
    return body.decode("utf-8")


async def faults(page: Any, *rules: str) -> list[str]:
    """What is serious or critical on a page now, a line each; and what makes it scroll sideways.

    By all rules of axe-core, or by those that are named.
    """
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(script())
    found = []
    for item in await page.evaluate(_RUN, [*rules] or None):
        for node in item["nodes"][:5]:
            found.append(f"{item['id']} ({item['impact']}): {node['html'][:200]}")
            found += [f"    {check['message']}" for check in (*node["any"], *node["all"])[:2]]
    found += [f"reaches out of the window: {node}" for node in await page.evaluate(_SIDEWAYS)]
    return found


def main() -> int:
    """Renew the copy."""
    npm = shutil.which("npm") or "npm"
    with tempfile.TemporaryDirectory() as folder:
        words = [npm, "pack", PACKAGE, "--ignore-scripts", "--silent", "--pack-destination", folder]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            member = archive.extractfile("package/axe.min.js")
            assert member is not None
            body = member.read()
    if hashlib.sha256(body).hexdigest() != SHA256:
        sys.stderr.write(f"{PACKAGE} has {hashlib.sha256(body).hexdigest()}, not what is pinned\n")
        return 1
    COPY.write_bytes(gzip.compress(body, mtime=0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
